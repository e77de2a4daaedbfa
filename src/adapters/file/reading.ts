/**
 * Reading while somebody else may write: what was there a moment ago can have been moved by a compaction.
 *
 * Owns: nothing. Who may call it: the store.
 *
 * RD1  A file that is gone is no damage as long as a new look at the folder finds where its content went.
 */
import { OrchestratorError } from '../../model/errors.ts';
import { isAbsent } from './file-system.ts';

/** One compaction after the other in the middle of every reading does not happen; a file that is really gone does. */
const LOOKS_MAX = 5;

/** Reads again when a file has gone in between. */
export async function readAgain<Value>(read: () => Promise<Value>): Promise<Value> {
  for (let look = 1; ; look++)
    try {
      return await read();
    } catch (error) {
      if (look >= LOOKS_MAX || !isGone(error)) throw error;
    }
}

function isGone(error: unknown): boolean {
  return isAbsent(error) || (OrchestratorError.is(error) && error.details?.osCode === 'ENOENT');
}
