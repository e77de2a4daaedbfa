/**
 * Whether an append fits what is in the log.
 *
 * Owns: nothing. Who may call it: the store, when it is the turn of the append.
 */
import type { StreamAppend } from '../../ports/event-store.ts';
import type { Catalog } from './catalog.ts';
import { conflict, fenced } from './store-errors.ts';

/** @throws OrchestratorError `STORE_FENCED` when a claim is over */
export function checkEpoch(epoch: number, current: number, stream: string): void {
  if (epoch !== current) throw fenced(`epoch ${epoch} is over, the current one is ${current}`, stream);
}

/** @throws OrchestratorError `STORE_CONFLICT`, `STORE_FENCED` */
export function checkAppends(appends: readonly StreamAppend[], catalog: Catalog, current: number): void {
  const lastSeqs = new Map<string, number>();
  const keys = new Set<string>();
  for (const { stream, epoch, expectedSeq, events, uniqueKeys = [] } of appends) {
    checkEpoch(epoch, current, stream);
    const lastSeq = lastSeqs.get(stream) ?? catalog.lastSeq(stream);
    if (expectedSeq !== lastSeq) throw conflict(`expected seq ${expectedSeq}, found ${lastSeq}`, stream);
    lastSeqs.set(stream, lastSeq + events.length);
    for (const key of uniqueKeys) {
      if (keys.has(key) || catalog.findKey(key) !== undefined)
        throw conflict(`the key ${JSON.stringify(key)} is taken`, stream);
      keys.add(key);
    }
  }
}
