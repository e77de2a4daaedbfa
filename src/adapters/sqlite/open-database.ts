/**
 * Opens the database of a store, and makes it where there is none.
 *
 * Owns: nothing. Who may call it: the engine.
 *
 * OD1  A new store appears under its name with all its tables, or not at all: a death in the middle leaves no half of one,
 *      so an empty file is never taken for a new store.
 * OD2  Nothing that stands at the path is changed before it is known to be a store.
 * OD3  The file itself is never opened here: closing it would give back the locks that SQLite holds on it in this process.
 */
import { randomUUID } from 'node:crypto';
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  rmSync,
  type Stats,
  statSync,
} from 'node:fs';
import { dirname } from 'node:path';
import type { Durability } from '../../ports/event-store.ts';
import { Statements } from './database.ts';
import type { OpenDatabase } from './load-driver.ts';
import { checkSchema, createSchema, isEmpty } from './schema.ts';
import { badFormat, pathRefused, storeError } from './sqlite-errors.ts';

/** How a database is used. */
export interface DatabaseSettings {
  readonly durability: Durability;
  /** How long SQLite waits for another program that holds a lock, in milliseconds. */
  readonly busyMs: number;
}

/** Opens the store at a path; makes it, and the folders above, if nothing is there. */
export function openFile(file: string, open: OpenDatabase, settings: DatabaseSettings): Statements {
  try {
    if (lookAt(file) === undefined) create(file, open);
    const db = new Statements(open(file));
    try {
      useFile(db, file, settings);
    } catch (error) {
      db.close();
      throw error;
    }
    return db;
  } catch (error) {
    throw storeError(error, file, 'open');
  }
}

/** Takes over a database that a host has opened; one in which nothing is yet gets the tables. */
export function useGiven(db: Statements, settings: DatabaseSettings): void {
  try {
    if (isEmpty(db)) {
      db.exec(`PRAGMA busy_timeout = ${settings.busyMs}`);
      createSchema(db);
    }
    useFile(db, 'the given database', settings);
  } catch (error) {
    throw storeError(error, 'the given database', 'open');
  }
}

function useFile(db: Statements, file: string, { durability, busyMs }: DatabaseSettings): void {
  db.exec(`PRAGMA busy_timeout = ${busyMs}`);
  checkSchema(db, file);
  const { journal_mode: mode } = db.get<{ journal_mode: string }>('PRAGMA journal_mode = WAL') ?? {
    journal_mode: '',
  };
  // A database in memory knows no other journal, and promises nothing.
  if (mode !== 'wal' && !(mode === 'memory' && durability === 'memory'))
    throw pathRefused(
      file,
      `journal mode ${mode}`,
      'Its place does not support the write-ahead log of SQLite.',
    );
  db.exec(`PRAGMA synchronous = ${durability === 'power' ? 'FULL' : 'NORMAL'}`);
  // Only macOS knows the difference: there a plain sync leaves the data in the cache of the disk.
  if (durability === 'power') db.exec('PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON');
  db.exec('PRAGMA cell_size_check = ON; PRAGMA trusted_schema = OFF');
}

/** What stands at the path; refuses what cannot be a store. */
function lookAt(file: string): Stats | undefined {
  let found: Stats;
  try {
    found = statSync(file);
    accessSync(file, constants.R_OK | constants.W_OK);
  } catch (error) {
    const { code = 'an unknown error' } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT') throw pathRefused(file, code, 'Mend the path or its rights.');
    return whenAbsent(file);
  }
  if (!found.isFile()) {
    const code = found.isDirectory() ? 'EISDIR' : 'EINVAL';
    throw pathRefused(file, code, 'Give the path of a file.');
  }
  if (found.size === 0) throw badFormat(file, 'an empty file', 'a store, or no file at all');
  return found;
}

function whenAbsent(file: string): undefined {
  for (const ending of ['-wal', '-journal']) {
    if (existsSync(file + ending))
      throw badFormat(file, `no file, beside its log ${ending}`, 'both, or none of them');
  }
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  } catch (error) {
    const { code = 'an unknown error' } = error as NodeJS.ErrnoException;
    throw pathRefused(file, code, 'Its folder cannot be made.');
  }
  return undefined;
}

function create(file: string, open: OpenDatabase): void {
  const draft = `${file}.new-${randomUUID()}`;
  try {
    // For this user alone; SQLite gives the files beside it the same rights.
    closeSync(openSync(draft, 'wx', 0o600));
    const db = new Statements(open(draft));
    try {
      db.exec('PRAGMA synchronous = FULL');
      createSchema(db);
      db.exec('PRAGMA journal_mode = WAL');
    } finally {
      db.close();
    }
    syncPath(draft);
    giveName(draft, file);
    syncPath(dirname(file));
  } catch (error) {
    const { code, syscall } = error as NodeJS.ErrnoException;
    if (syscall !== undefined) throw pathRefused(file, code ?? 'an unknown error', 'It cannot be made.');
    throw error;
  } finally {
    for (const ending of ['', '-wal', '-shm', '-journal']) rmSync(draft + ending, { force: true });
  }
}

/** Where somebody else was faster, theirs stays. */
function giveName(draft: string, file: string): void {
  try {
    linkSync(draft, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

function syncPath(path: string): void {
  // Windows neither syncs folders nor needs to.
  if (process.platform === 'win32') return;
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
