/** Encodes what is to be appended, and gives way: a copy of a long run is as long as that. */
import type { StreamAppend } from '../../ports/event-store.ts';
import { nextTurn } from '../next-turn.ts';
import { type EncodedEvents, encodeEvents } from './entries.ts';

/** After so many bytes the event loop of the host has a turn. */
const BYTES_A_TURN = 1_048_576;

/**
 * All entries of a batch, in its order.
 * @throws OrchestratorError what `encodePayload` throws
 */
export async function encodeAll(batch: readonly StreamAppend[]): Promise<readonly EncodedEvents[]> {
  const encoded: EncodedEvents[] = [];
  let bytes = 0;
  for (const append of batch)
    for (const entry of encodeEvents(append)) {
      encoded.push(entry);
      bytes += entry.bytes.length;
      if (bytes < BYTES_A_TURN) continue;
      bytes = 0;
      await nextTurn();
    }
  return encoded;
}
