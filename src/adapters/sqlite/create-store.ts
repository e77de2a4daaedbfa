/**
 * Makes an event store on SQLite from what a host gives.
 *
 * Owns: nothing. Who may call it: the door `sqlite`.
 */
import { randomUUID } from 'node:crypto';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  checkChoice,
  checkInteger,
  checkKeys,
  checkRecord,
  checkTimeLimit,
  type Duration,
  invalidOption,
  reading,
} from '../../model/checks.ts';
import { refuse } from '../../model/errors.ts';
import type { Durability, EventStore } from '../../ports/event-store.ts';
import type { SqliteDatabase } from './database.ts';
import { DirectDesk } from './direct-desk.ts';
import { DRIVERS, type SqliteDriver } from './load-driver.ts';
import { SqliteStore } from './sqlite-store.ts';
import { ThreadDesk } from './thread-desk.ts';

/** How a store on SQLite works. Everything has a default. */
export interface SqliteStoreOptions {
  /**
   * What opens the file. Default: `node:sqlite` where Node has it, from 22.13 on; else better-sqlite3, which you install.
   * With a database that is handed in there is nothing to choose.
   */
  readonly driver?: SqliteDriver | undefined;
  /**
   * What an acknowledged append outlives: `power` the machine (each commit is synced to the disk), `os` the process (the
   * operating system has it). Default `power`.
   */
  readonly durability?: 'os' | 'power' | undefined;
  /**
   * After how long without a sign of life an owner is replaced whose process cannot be asked: it is stopped, or on another
   * machine. At least 1 s. Default 15 s.
   */
  readonly lease?: Duration | undefined;
  /** How long to wait for another program that holds a lock on the file: up to 1 h. Default 5 s. */
  readonly busyTimeout?: Duration | undefined;
  /** How many requests may wait for the thread of the store: 1 to 100,000. One more is refused. Default 1,000. */
  readonly pendingMax?: number | undefined;
  /** The file that the thread runs first, in a bundle that does not have it beside itself. Default: it is found. */
  readonly entry?: URL | undefined;
  /**
   * Has to be `true` for a database that is handed in, and says that you know: its requests are done in your own thread,
   * so your event loop waits for the disk.
   */
  readonly blocking?: true | undefined;
}

const KEYS: ReadonlySet<string> = new Set([
  'driver',
  'durability',
  'lease',
  'busyTimeout',
  'pendingMax',
  'entry',
  'blocking',
]);
const AT = 'sqliteStore';
const LEASE_MS_MIN = 1_000;
const BUSY_MS_MAX = 3_600_000;

interface Checked {
  readonly leaseMs: number;
  readonly busyMs: number;
  readonly pendingMax: number;
  readonly entry: URL | undefined;
  readonly driver: SqliteDriver | undefined;
  readonly durability: 'os' | 'power' | undefined;
  readonly blocking: boolean;
}

/**
 * An event store in one SQLite file, whose database is opened in a thread of its own: your event loop never waits for the
 * disk. Nothing is opened before the store is used. The file, and its folder, are made if they are missing.
 *
 * @param file - its path, or a database that you have opened with `node:sqlite` or better-sqlite3; that needs
 *   `blocking: true`, and you close it yourself after the store was released
 * @throws OrchestratorError `OPTION_INVALID`, `OPTION_UNKNOWN`, `OPTION_CONFLICT`. The store itself throws, when it is used
 *   first, `STORE_OPEN_FAILED` (also when there is no driver), `STORE_FORMAT`, `STORE_VERSION`; then `STORE_OWNED`,
 *   `STORE_CONFLICT`, `STORE_CORRUPT`, `STORE_FULL`, `STORE_UNAVAILABLE`, `QUEUE_FULL`
 *
 * @example
 * const orchestrator = await Orchestrator.open({ store: sqliteStore('./state/runs.db') });
 */
export function sqliteStore(
  file: string | URL | SqliteDatabase,
  options: SqliteStoreOptions = {},
): EventStore {
  const checked = reading(AT, 'an object of options', () => checkOptions(options));
  return isDatabase(file) ? onDatabase(file, checked) : onFile(checkFile(file), checked);
}

function checkOptions(options: SqliteStoreOptions): Checked {
  checkKeys(checkRecord(options, AT, 'an object of options'), KEYS, AT);
  const { driver, durability, lease, busyTimeout, pendingMax, entry, blocking } = options;
  if (blocking !== undefined && typeof blocking !== 'boolean')
    throw invalidOption(`${AT}/blocking`, blocking, 'true, for a database that is handed in');
  if (entry !== undefined && (!(entry instanceof URL) || entry.protocol !== 'file:'))
    throw invalidOption(`${AT}/entry`, entry, 'the URL of a file');
  const leaseMs = lease === undefined ? 15_000 : checkTimeLimit(lease, `${AT}/lease`);
  if (leaseMs < LEASE_MS_MIN) throw invalidOption(`${AT}/lease`, lease, 'at least 1s');
  const busyMs = busyTimeout === undefined ? 5_000 : checkTimeLimit(busyTimeout, `${AT}/busyTimeout`);
  if (busyMs > BUSY_MS_MAX) throw invalidOption(`${AT}/busyTimeout`, busyTimeout, 'at most 1h');
  return {
    leaseMs,
    busyMs,
    entry,
    pendingMax: pendingMax === undefined ? 1_000 : checkInteger(pendingMax, `${AT}/pendingMax`, 1, 100_000),
    driver: driver === undefined ? undefined : checkChoice(driver, `${AT}/driver`, DRIVERS),
    durability:
      durability === undefined ? undefined : checkChoice(durability, `${AT}/durability`, ['os', 'power']),
    blocking: blocking === true,
  };
}

function isDatabase(value: unknown): value is SqliteDatabase {
  if (typeof value !== 'object' || value === null) return false;
  return reading(`${AT}/file`, 'a path or a database', () => {
    const { exec, prepare, close } = value as Partial<SqliteDatabase>;
    return [exec, prepare, close].every((method) => typeof method === 'function');
  });
}

function checkFile(file: unknown): string {
  const at = `${AT}/file`;
  const allowed = 'the path of a file, or a database of node:sqlite or better-sqlite3';
  if (file instanceof URL && file.protocol === 'file:') return fileURLToPath(file);
  if (typeof file !== 'string' || file === '' || file.includes('\0')) throw invalidOption(at, file, allowed);
  if (file === ':memory:') throw invalidOption(at, file, allowed, 'In memory, use MemoryStore.');
  if (file.startsWith('file:')) throw invalidOption(at, file, allowed, `Give new URL(…) or a path.`);
  return resolve(file);
}

function onFile(file: string, checked: Checked): EventStore {
  const { durability = 'power', leaseMs, busyMs, driver, entry, pendingMax, blocking } = checked;
  if (blocking)
    throw conflicting('blocking', 'blocking: true, for a path', 'it only for a database that is handed in');
  const settings = { file, driver, durability, leaseMs, busyMs, instance: randomUUID() };
  return new SqliteStore({
    name: file,
    capabilities: { durability },
    makeDesk: (onLost) => new ThreadDesk({ settings, entry, pendingMax, onLost }),
  });
}

function onDatabase(database: SqliteDatabase, checked: Checked): EventStore {
  const { leaseMs, busyMs, driver, entry, blocking } = checked;
  if (!blocking)
    throw conflicting(
      'blocking',
      'a database, without blocking: true',
      'a path, or a database together with blocking: true',
      'A database that is handed in is used in your own thread: your event loop then waits for the disk.',
    );
  if (driver !== undefined || entry !== undefined)
    throw conflicting(
      driver === undefined ? 'entry' : 'driver',
      'it, beside a database that is open',
      'it only for a path',
    );
  const durability = durabilityOf(database, checked.durability);
  return new SqliteStore({
    name: 'the given database',
    capabilities: { durability },
    makeDesk: () => new DirectDesk({ database, durability, leaseMs, busyMs, instance: randomUUID() }),
  });
}

/** A database without a file promises nothing, whatever was asked for. */
function durabilityOf(database: SqliteDatabase, wanted: 'os' | 'power' | undefined): Durability {
  const rows = reading(`${AT}/file`, 'a database that is open', () =>
    database.prepare('PRAGMA database_list').all(),
  ) as readonly { readonly name: string; readonly file: string | null }[];
  const main = rows.find(({ name }) => name === 'main');
  if (main?.file) return wanted ?? 'power';
  if (wanted !== undefined)
    throw conflicting(
      'durability',
      `${wanted}, for a database in memory`,
      'it only for a database in a file',
    );
  return 'memory';
}

function conflicting(
  option: string,
  found: string,
  allowed: string,
  hint?: string,
): ReturnType<typeof refuse> {
  return refuse('OPTION_CONFLICT', { at: `${AT}/${option}`, found, allowed, hint });
}
