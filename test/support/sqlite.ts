/** Stores on SQLite for tests: the drivers that are here, a folder for files, and what is missing. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EventStore } from '@taskmaster-ai/orchestrator';
import {
  type SqliteDatabase,
  type SqliteDriver,
  type SqliteStoreOptions,
  sqliteStore,
} from '@taskmaster-ai/orchestrator/sqlite';
import { runsTypeScript } from './workers.ts';

const load = createRequire(import.meta.url);

type Open = (path: string) => SqliteDatabase;

/** The class of each driver, or why it cannot be used here. */
function find(driver: SqliteDriver): Open | string {
  if (driver === 'node') {
    const found = process.getBuiltinModule?.('node:sqlite');
    return found === undefined ? 'this Node has no node:sqlite' : (path) => new found.DatabaseSync(path);
  }
  // Version 13 ends a process on an older Node.
  if (Number(process.versions.napi ?? 0) < 10) return 'better-sqlite3 13 does not run on this Node';
  try {
    const Database = load('better-sqlite3') as new (path: string) => SqliteDatabase;
    return (path) => new Database(path);
  } catch {
    return 'better-sqlite3 is not installed';
  }
}

const noThread =
  runsTypeScript || existsSync(new URL('../../dist/sqlite-thread.js', import.meta.url))
    ? undefined
    : 'this Node does not execute TypeScript, and the package is not built';

export interface DriverHere {
  readonly driver: SqliteDriver;
  readonly open: Open;
  /** Why no test of it can be done; with a thread, and without. */
  readonly missing: string | undefined;
  readonly missingThread: string | undefined;
}

export const DRIVERS_HERE: readonly DriverHere[] = (['node', 'better-sqlite3'] as const).map((driver) => {
  const found = find(driver);
  const missing = typeof found === 'string' ? found : undefined;
  const open: Open = (path) => {
    if (typeof found === 'string') throw new Error(found);
    return found(path);
  };
  return { driver, open, missing, missingThread: missing ?? noThread };
});

/** The first driver that is here, for tests that need any. */
export const ANY_DRIVER: DriverHere =
  DRIVERS_HERE.find(({ missingThread }) => missingThread === undefined) ?? (DRIVERS_HERE[0] as DriverHere);

/** The name of a group of tests, with the reason when they are skipped. */
export const unless = (missing: string | undefined, name: string): string =>
  missing === undefined ? name : `${name} (skipped: ${missing})`;

type AtOnce<Method> = Method extends (...given: infer Given) => infer Answer
  ? (...given: Given) => Exclude<Answer, Promise<unknown>>
  : Method;

/** A store that answers at once, in types too. */
export type DirectStore = {
  readonly [Key in keyof EventStore]-?: AtOnce<NonNullable<EventStore[Key]>>;
};

/** A store on a database that is open. */
export function storeOn(database: SqliteDatabase, options: SqliteStoreOptions = {}): DirectStore {
  return sqliteStore(database, { ...options, blocking: true }) as unknown as DirectStore;
}

/** A folder that is removed by `remove`. */
export function scratch(): { readonly file: (name: string) => string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'sqlite-store-'));
  return {
    file: (name) => join(folder, name),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
