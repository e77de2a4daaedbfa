/**
 * The errors of the SQLite store, in one place, so that one cause is told in one way by both drivers.
 *
 * Owns: nothing. Who may call it: the SQLite store, on both sides of its thread.
 */
import { quote } from '../../base/values.ts';
import type { ErrorCode } from '../../model/error-codes.ts';
import { OrchestratorError, refuse } from '../../model/errors.ts';

/** The numbers of SQLite's errors that have a meaning of their own here. better-sqlite3 gives names, `node:sqlite` numbers. */
const NAMES: Readonly<Record<number, string>> = {
  3: 'SQLITE_PERM',
  5: 'SQLITE_BUSY',
  6: 'SQLITE_LOCKED',
  7: 'SQLITE_NOMEM',
  8: 'SQLITE_READONLY',
  10: 'SQLITE_IOERR',
  11: 'SQLITE_CORRUPT',
  13: 'SQLITE_FULL',
  14: 'SQLITE_CANTOPEN',
  15: 'SQLITE_PROTOCOL',
  18: 'SQLITE_TOOBIG',
  23: 'SQLITE_AUTH',
  26: 'SQLITE_NOTADB',
};

/** What is said to have been going on. */
export type Doing = 'open' | 'read' | 'write';

/** Whether an error says that nothing was written because somebody else was writing: the only one after which the next try may do. */
export function isBusy(error: unknown): boolean {
  const name = sqliteName(error);
  return name === 'SQLITE_BUSY' || name === 'SQLITE_LOCKED';
}

/** An error of a driver or of the operating system as one of ours; one of ours stays as it is. */
export function storeError(error: unknown, file: string, doing: Doing): OrchestratorError {
  if (OrchestratorError.is(error)) return error;
  const name = sqliteName(error);
  const at = `the SQLite store ${quote(file)}`;
  const make = (code: ErrorCode, message: string): OrchestratorError =>
    new OrchestratorError(code, `${at}: ${message}`, {
      details: { file, sqliteCode: name, reason: textOf(error) },
      cause: error,
    });
  switch (name) {
    case 'SQLITE_NOTADB':
      return make('STORE_FORMAT', 'the file is no SQLite database; it was left untouched');
    case 'SQLITE_CORRUPT':
      return make(
        'STORE_CORRUPT',
        `SQLite finds the file damaged (${textOf(error)}); restore it from a copy, nothing in it was repaired`,
      );
    case 'SQLITE_FULL':
      return make('STORE_FULL', 'no room on the disk; make room, then open the store again');
    case 'SQLITE_BUSY':
    case 'SQLITE_LOCKED':
      return make(
        doing === 'open' ? 'STORE_OPEN_FAILED' : 'STORE_UNAVAILABLE',
        'another program keeps the database locked for longer than `busyTimeout`; nothing was written. Close that program',
      );
    default:
      return make(
        doing === 'open' ? 'STORE_OPEN_FAILED' : 'STORE_UNAVAILABLE',
        `${doing === 'open' ? 'it cannot be opened' : `a ${doing} failed`}: ${name} (${textOf(error)})`,
      );
  }
}

/** A path that cannot be a store, by what the operating system says of it. */
export function pathRefused(file: string, osCode: string, hint: string): OrchestratorError {
  return new OrchestratorError(
    'STORE_OPEN_FAILED',
    `the SQLite store ${quote(file)} cannot be opened: ${osCode}. ${hint}`,
    { details: { file, osCode } },
  );
}

/** A file that is a database, and not one of ours, or of another release. */
export function badFormat(file: string, found: string, allowed: string): OrchestratorError {
  return refuse(
    'STORE_FORMAT',
    {
      at: file,
      found,
      allowed,
      hint: 'It was left untouched: give another path, or restore it from a copy.',
    },
    { details: { file } },
  );
}

export function badVersion(file: string, found: number, supported: number): OrchestratorError {
  return refuse(
    'STORE_VERSION',
    { at: `${file}/user_version`, found: String(found), allowed: String(supported) },
    { details: { file, found, supported } },
  );
}

/** A row that is missing, or that is not what was written. */
export function corrupt(
  file: string,
  place: { readonly stream: string; readonly seq?: number; readonly blob?: string },
  found: string,
): OrchestratorError {
  const { stream, seq, blob } = place;
  const what = seq === undefined ? `blob ${quote(blob ?? '')}` : `record ${seq}`;
  return new OrchestratorError(
    'STORE_CORRUPT',
    `${file}, ${what} of stream ${quote(stream)}: ${found}. Restore the file from a copy; nothing in it was repaired.`,
    { details: { file, ...place } },
  );
}

export function conflict(what: string, stream: string): OrchestratorError {
  return new OrchestratorError('STORE_CONFLICT', `stream ${stream}: ${what}`, { details: { stream } });
}

/** The claim of a writer is over. */
export function fenced(what: string, stream: string): OrchestratorError {
  return new OrchestratorError('STORE_FENCED', `stream ${stream}: ${what}`, { details: { stream } });
}

/** Why nothing is written any more, until the store is claimed again. */
export function poisoned(first: OrchestratorError): OrchestratorError {
  return new OrchestratorError(
    'STORE_UNAVAILABLE',
    `the SQLite store takes nothing more since an earlier write failed (${first.code}: ${first.message}); close it and open it again`,
    { details: { first: first.code }, cause: first },
  );
}

function sqliteName(error: unknown): string {
  const { code, errcode } = (error ?? {}) as { readonly code?: unknown; readonly errcode?: unknown };
  // The lowest byte is the kind; the rest says more of it.
  if (typeof errcode === 'number') return NAMES[errcode & 0xff] ?? `SQLite error ${errcode}`;
  if (typeof code !== 'string') return 'an unknown error';
  if (!code.startsWith('SQLITE_')) return code;
  return Object.values(NAMES).find((name) => code === name || code.startsWith(`${name}_`)) ?? code;
}

function textOf(error: unknown): string {
  const { message } = (error ?? {}) as { readonly message?: unknown };
  return typeof message === 'string' ? message : String(error);
}
