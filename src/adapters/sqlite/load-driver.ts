/**
 * Finds one of the two packages that open SQLite databases.
 *
 * Owns: nothing. Who may call it: the engine, in the store's own thread.
 *
 * LD1  A driver that would end the whole process instead of failing is not loaded.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { OrchestratorError } from '../../model/errors.ts';
import type { SqliteDatabase } from './database.ts';

/** `node` is the module `node:sqlite` of Node itself, from 22.13 on; `better-sqlite3` a package that you install. */
export type SqliteDriver = 'node' | 'better-sqlite3';

export const DRIVERS: readonly SqliteDriver[] = ['node', 'better-sqlite3'];

/** Opens a database, and makes it if it is not there. */
export type OpenDatabase = (path: string) => SqliteDatabase;

type DatabaseClass = new (path: string, options?: object) => SqliteDatabase;

const INSTALL = 'Use Node 22.13 or later, or install better-sqlite3 (on Node 20: better-sqlite3@12).';

/**
 * @param wanted - `undefined`: the first one that is here
 * @throws OrchestratorError `STORE_OPEN_FAILED` when it is not here
 */
export function loadDriver(wanted: SqliteDriver | undefined): OpenDatabase {
  if (wanted === 'node') return nodeDriver() ?? refused('node:sqlite is not in this Node', undefined);
  if (wanted === 'better-sqlite3') return betterDriver();
  return nodeDriver() ?? betterDriver();
}

function nodeDriver(): OpenDatabase | undefined {
  const found = process.getBuiltinModule?.('node:sqlite') as
    | { readonly DatabaseSync: DatabaseClass }
    | undefined;
  if (found === undefined) return undefined;
  const { DatabaseSync } = found;
  // A text in double quotes that names no column is a mistake, and not a text.
  return (path) => new DatabaseSync(path, { enableDoubleQuotedStringLiterals: false });
}

function betterDriver(): OpenDatabase {
  const load = createRequire(import.meta.url ?? join(process.cwd(), 'index.js'));
  let main: string;
  try {
    main = load.resolve('better-sqlite3');
  } catch (cause) {
    return refused('the package better-sqlite3 is not installed', cause);
  }
  checkRuntime(main);
  try {
    const Database = load(main) as DatabaseClass;
    return (path) => new Database(path);
  } catch (cause) {
    return refused('the package better-sqlite3 cannot be loaded', cause);
  }
}

/** From 13 on it needs version 10 of Node-API; on a Node that lacks it, opening a database ends the process. */
function checkRuntime(main: string): void {
  let version = '';
  try {
    version = String(JSON.parse(readFileSync(join(dirname(main), '..', 'package.json'), 'utf8')).version);
  } catch {
    // In an unusual layout its own check, if it has one, must do.
  }
  if (Number.parseInt(version, 10) >= 13 && Number(process.versions.napi ?? 0) < 10)
    refused(`better-sqlite3 ${version} does not run on Node ${process.versions.node}`, undefined);
}

function refused(what: string, cause: unknown): never {
  throw new OrchestratorError('STORE_OPEN_FAILED', `sqliteStore/driver: ${what}. ${INSTALL}`, {
    details: { osCode: 'ERR_DRIVER_MISSING', node: process.versions.node },
    ...(cause === undefined ? undefined : { cause }),
  });
}
