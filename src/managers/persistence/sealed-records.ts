/**
 * Records that were encrypted, met by somebody who has no keys.
 *
 * Owns: nothing. Who may call it: the persistence manager.
 */
import { isSealed, KEYS_STREAM } from '../../base/sealed.ts';
import { OrchestratorError } from '../../model/errors.ts';
import type { EventRecord, EventStore, MaybePromise } from '../../ports/event-store.ts';

/**
 * Claims a store that can be read here.
 * @throws OrchestratorError `KEY_REQUIRED`, and what the store throws
 */
export async function claimReadable(store: EventStore, owner: string): Promise<number> {
  const epoch = await store.claim(owner);
  try {
    // Whoever has the keys does not show this stream.
    const [first] = await store.read({ stream: KEYS_STREAM, fromSeq: 1, limit: 1 });
    if (first !== undefined) throw keyRequired('the store');
  } catch (error) {
    await store.release(owner);
    throw error;
  }
  return epoch;
}

/** Records as they are. @throws OrchestratorError `KEY_REQUIRED` */
export function readable(
  records: MaybePromise<readonly EventRecord[]>,
): MaybePromise<readonly EventRecord[]> {
  return records instanceof Promise ? records.then(checked) : checked(records);
}

function checked(records: readonly EventRecord[]): readonly EventRecord[] {
  for (const { payload, stream, seq } of records)
    if (isSealed(payload)) throw keyRequired(`stream ${stream}, seq ${seq}`);
  return records;
}

function keyRequired(at: string): OrchestratorError {
  return new OrchestratorError(
    'KEY_REQUIRED',
    `${at} is encrypted, and was opened without keys; nothing was changed. Put encryptedStore(store, { current, keys }) around the store.`,
    { details: { at } },
  );
}
