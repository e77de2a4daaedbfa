/** The errors of the file store, in one place, so that one cause is told in one way everywhere. */
import { quote } from '../../base/values.ts';
import { OrchestratorError, refuse } from '../../model/errors.ts';

/** Where a damage was found. */
export interface DamagePlace {
  /** The name of the file, inside the folder of the store. */
  readonly file: string;
  /** Bytes from its beginning. */
  readonly offset: number;
  /** The number of the frame that should stand there, or the `seq` of the record if its stream is known. */
  readonly seq: number;
  readonly stream?: string | undefined;
}

/** Damage of what was acknowledged. */
export function corrupt(place: DamagePlace, found: string, cause?: unknown): OrchestratorError {
  const { file, offset, seq, stream } = place;
  const what = stream === undefined ? `frame ${seq}` : `record ${seq} of stream ${quote(stream)}`;
  return new OrchestratorError(
    'STORE_CORRUPT',
    `${file}, offset ${offset}, ${what}: ${found}. Restore the folder from a copy; nothing in it was changed.`,
    {
      details: { file, offset, seq, ...(stream === undefined ? undefined : { stream }) },
      ...(cause === undefined ? undefined : { cause }),
    },
  );
}

/** A checkpoint that was kept and cannot be used. */
export function badCheckpoint(place: DamagePlace, id: string, cause: unknown): OrchestratorError {
  const { file, offset, seq } = place;
  return new OrchestratorError(
    'CHECKPOINT_INVALID',
    `${file}, offset ${offset}, checkpoint ${quote(id)}: it cannot be decoded. The log says the same; remove the checkpoint.`,
    { details: { file, offset, seq, id }, cause },
  );
}

/** A file that is no part of a store. */
export function badFormat(
  file: string,
  found: string,
  allowed = 'a file that a file store has written',
): OrchestratorError {
  return refuse('STORE_FORMAT', { at: file, found, allowed });
}

/** The format of another release. */
export function badVersion(file: string, found: unknown, supported: number): OrchestratorError {
  return refuse(
    'STORE_VERSION',
    { at: `${file}/version`, found: quote(String(JSON.stringify(found))), allowed: String(supported) },
    { details: { supported } },
  );
}

/** What the operating system refused while the store was being opened; an error of our own stays as it is. */
export function openFailed(folder: string, error: unknown): OrchestratorError {
  if (OrchestratorError.is(error)) return error;
  const code = codeOf(error);
  if (isFull(error)) return storeFull(folder, error);
  return new OrchestratorError(
    'STORE_OPEN_FAILED',
    `the folder ${quote(folder)} cannot be opened as a store: ${code}. Mend the path or its rights.`,
    { details: { folder, osCode: code }, cause: error },
  );
}

/** What the operating system refused while something was read or written; an error of our own stays as it is. */
export function inputOutputFailed(what: string, error: unknown): OrchestratorError {
  if (OrchestratorError.is(error)) return error;
  if (isFull(error)) return storeFull(what, error);
  const code = codeOf(error);
  return new OrchestratorError('STORE_UNAVAILABLE', `the file store: ${what} failed: ${code}`, {
    details: { osCode: code },
    cause: error,
  });
}

/** The same for whatever else the system refuses; an error that is not the system's is one of this package, and shows as it is. */
export function systemFailed(error: unknown): unknown {
  const { code } = (error ?? {}) as NodeJS.ErrnoException;
  return typeof code === 'string' ? inputOutputFailed('a change of its files', error) : error;
}

function storeFull(what: string, error: unknown): OrchestratorError {
  const code = codeOf(error);
  return new OrchestratorError(
    'STORE_FULL',
    `the file store: no room on the disk (${code}) at ${what}; make room, then open the store again`,
    { details: { osCode: code }, cause: error },
  );
}

/** Why nothing is written any more, until the store is claimed again. */
export function poisoned(first: OrchestratorError): OrchestratorError {
  return new OrchestratorError(
    'STORE_UNAVAILABLE',
    `the file store takes nothing more since an earlier write failed (${first.code}: ${first.message}); close it and open it again`,
    { details: { first: first.code }, cause: first },
  );
}

export function conflict(what: string, stream: string): OrchestratorError {
  return new OrchestratorError('STORE_CONFLICT', `stream ${stream}: ${what}`, { details: { stream } });
}

/** The claim of a writer is over. */
export function fenced(what: string, stream: string): OrchestratorError {
  return new OrchestratorError('STORE_FENCED', `stream ${stream}: ${what}`, { details: { stream } });
}

function isFull(error: unknown): boolean {
  const { code } = (error ?? {}) as NodeJS.ErrnoException;
  return code === 'ENOSPC' || code === 'EDQUOT';
}

function codeOf(error: unknown): string {
  const { code, message } = (error ?? {}) as Partial<NodeJS.ErrnoException>;
  return code ?? message ?? 'an unknown error';
}

/** More in one append than a frame can hold. */
export function frameTooLong(stream: string, found: number, max: number): OrchestratorError {
  return refuse('LIMIT_EXCEEDED', {
    at: `append to stream ${quote(stream)}`,
    found: `${found} bytes at once`,
    allowed: `at most ${max}`,
  });
}
