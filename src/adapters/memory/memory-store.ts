import { OrchestratorError } from '../../model/errors.ts';
import type {
  EventRecord,
  EventStore,
  ListRequest,
  ReadRequest,
  StreamAppend,
  StreamInfo,
} from '../../ports/event-store.ts';

/**
 * Keeps everything in memory, as values, and answers at once. The reference for every other store.
 *
 * Two orchestrators can use one such store one after the other: the second goes on where the first was closed.
 */
export class MemoryStore implements EventStore {
  readonly capabilities = { durable: false };
  readonly #streams = new Map<string, EventRecord[]>();
  readonly #keys = new Map<string, string>();
  #owner: string | undefined;
  #epoch = 0;

  append(batch: readonly StreamAppend[]): void {
    // Everything is checked before anything is written, so that a refusal leaves no trace.
    for (let i = 0; i < batch.length; i++) this.#check(batch[i] as StreamAppend);
    for (let i = 0; i < batch.length; i++) this.#write(batch[i] as StreamAppend);
  }

  read({ stream, fromSeq, limit }: ReadRequest): readonly EventRecord[] {
    return this.#streams.get(stream)?.slice(fromSeq - 1, fromSeq - 1 + limit) ?? [];
  }

  list({ prefix, limit, after }: ListRequest): readonly StreamInfo[] {
    const found: StreamInfo[] = [];
    let passed = after === undefined;
    for (const [stream, records] of this.#streams) {
      if (found.length >= limit) break;
      if (passed && stream.startsWith(prefix)) {
        const last = records[records.length - 1] as EventRecord;
        found.push({ stream, lastSeq: last.seq, lastType: last.type });
      }
      if (stream === after) passed = true;
    }
    return found;
  }

  findKey(key: string): string | undefined {
    return this.#keys.get(key);
  }

  remove(streams: readonly string[]): void {
    const gone = new Set(streams);
    for (const stream of gone) this.#streams.delete(stream);
    if (this.#keys.size === 0) return;
    for (const [key, stream] of this.#keys) if (gone.has(stream)) this.#keys.delete(key);
  }

  claim(owner: string): number {
    if (this.#owner !== undefined && this.#owner !== owner) {
      throw new OrchestratorError(
        'STORE_OWNED',
        `the memory store is in use by ${this.#owner}; close that orchestrator first`,
        {
          details: { owner: this.#owner },
        },
      );
    }
    this.#owner = owner;
    return ++this.#epoch;
  }

  release(owner: string): void {
    if (this.#owner === owner) this.#owner = undefined;
  }

  #check(append: StreamAppend): void {
    if (append.epoch !== this.#epoch)
      throw conflict(`epoch ${append.epoch} is over, the current one is ${this.#epoch}`, append);
    const lastSeq = this.#streams.get(append.stream)?.length ?? 0;
    if (append.expectedSeq !== lastSeq)
      throw conflict(`expected seq ${append.expectedSeq}, found ${lastSeq}`, append);
    for (const key of append.uniqueKeys ?? []) {
      if (this.#keys.has(key)) throw conflict(`the key ${JSON.stringify(key)} is taken`, append);
    }
  }

  #write(append: StreamAppend): void {
    const known = this.#streams.get(append.stream);
    if (known === undefined) this.#streams.set(append.stream, append.records.slice());
    else for (let i = 0; i < append.records.length; i++) known.push(append.records[i] as EventRecord);
    if (append.uniqueKeys !== undefined)
      for (const key of append.uniqueKeys) this.#keys.set(key, append.stream);
  }
}

function conflict(what: string, append: StreamAppend): OrchestratorError {
  return new OrchestratorError('STORE_CONFLICT', `stream ${append.stream}: ${what}`, {
    details: { stream: append.stream },
  });
}
