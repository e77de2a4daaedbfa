import { toRecord } from '../../base/event-record.ts';
import { StreamList } from '../../base/stream-list.ts';
import { OrchestratorError } from '../../model/errors.ts';
import type {
  BlobRecord,
  CheckpointInfo,
  CheckpointRecord,
  EventRecord,
  EventStore,
  ListRequest,
  LoggedEvent,
  ReadRequest,
  SchemaVersions,
  StoreCapabilities,
  StreamAppend,
  StreamFacts,
  StreamInfo,
} from '../../ports/event-store.ts';
import { pageLost } from '../page-lost.ts';

const NO_KEYS: readonly string[] = [];

/** The events of a stream as they came: a record is made of one only for whoever reads it. */
interface Stream {
  readonly name: string;
  /** Grows with each stream that begins. */
  readonly order: number;
  readonly events: LoggedEvent[];
  /** The table of versions of the events from `from` on; there is another one only after an upgrade in this process. */
  readonly versions: { readonly from: number; readonly table: SchemaVersions }[];
  facts: StreamFacts | undefined;
  keys: readonly string[];
}

/**
 * Keeps everything in memory, as values, and answers at once. The reference for every other store.
 *
 * Two orchestrators can use one such store one after the other: the second goes on where the first was closed.
 */
export class MemoryStore implements EventStore {
  readonly capabilities: StoreCapabilities = { durability: 'memory', keepsValues: true };
  readonly #streams = new Map<string, Stream>();
  readonly #list = new StreamList<StreamFacts, Stream>();
  readonly #keys = new Map<string, string>();
  readonly #checkpoints = new Map<string, CheckpointRecord>();
  /** The ids of the checkpoints of each stream that has some. */
  readonly #checkpointsOf = new Map<string, Set<string>>();
  readonly #blobs = new Map<string, Map<string, Uint8Array>>();
  #owner: string | undefined;
  #epoch = 0;
  #orders = 0;

  append(batch: readonly StreamAppend[]): void {
    // Everything is checked before anything is written, so that a refusal leaves no trace.
    if (batch.length === 1) {
      const append = batch[0] as StreamAppend;
      this.#write(append, this.#check(append, undefined));
      return;
    }
    const taken = new Set<string>();
    const found = batch.map((append) => this.#check(append, taken));
    // A stream that is new and named twice is there for its second append.
    for (let i = 0; i < batch.length; i++) {
      const append = batch[i] as StreamAppend;
      this.#write(append, found[i] ?? this.#streams.get(append.stream));
    }
  }

  read({ stream, fromSeq, limit }: ReadRequest): readonly EventRecord[] {
    const found = this.#streams.get(stream);
    if (found === undefined) return [];
    const records: EventRecord[] = [];
    const end = Math.min(found.events.length, fromSeq - 1 + limit);
    for (let i = fromSeq - 1; i < end; i++)
      records.push(toRecord(stream, found.events[i] as LoggedEvent, versionsAt(found, i)));
    return records;
  }

  list(request: ListRequest): readonly StreamInfo[] {
    const { after } = request;
    const place =
      after === undefined ? 0 : (this.#streams.get(after)?.order ?? this.#list.removedPlace(after));
    if (place === undefined) throw pageLost(after as string);
    return this.#list.find(request, place).found.flatMap(infoOf);
  }

  findKey(key: string): string | undefined {
    return this.#keys.get(key);
  }

  remove(streams: readonly string[], epoch = this.#epoch): void {
    if (epoch !== this.#epoch) throw staleEpoch(epoch, this.#epoch, streams[0] ?? '');
    for (const name of streams) {
      const stream = this.#streams.get(name);
      if (stream !== undefined) this.#list.remove(stream);
      for (const key of stream?.keys ?? NO_KEYS) this.#keys.delete(key);
      this.#streams.delete(name);
      this.#blobs.delete(name);
      if (this.#checkpoints.size > 0) this.#removeCheckpointsOf(name);
    }
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

  saveCheckpoint(checkpoint: CheckpointRecord, epoch: number): void {
    if (epoch !== this.#epoch) throw staleEpoch(epoch, this.#epoch, checkpoint.stream);
    this.#forgetCheckpoint(checkpoint.id);
    this.#checkpoints.set(checkpoint.id, checkpoint);
    const ids = this.#checkpointsOf.get(checkpoint.stream) ?? new Set<string>();
    ids.add(checkpoint.id);
    this.#checkpointsOf.set(checkpoint.stream, ids);
  }

  loadCheckpoint(id: string): CheckpointRecord | undefined {
    return this.#checkpoints.get(id);
  }

  listCheckpoints(stream: string): readonly CheckpointInfo[] {
    return [...(this.#checkpointsOf.get(stream) ?? [])].map((id) => {
      const { payload: _, ...info } = this.#checkpoints.get(id) as CheckpointRecord;
      return info;
    });
  }

  removeCheckpoint(id: string, epoch = this.#epoch): void {
    if (epoch !== this.#epoch) throw staleEpoch(epoch, this.#epoch, this.#checkpoints.get(id)?.stream ?? '');
    this.#forgetCheckpoint(id);
  }

  #forgetCheckpoint(id: string): void {
    const found = this.#checkpoints.get(id);
    if (found === undefined) return;
    this.#checkpoints.delete(id);
    const ids = this.#checkpointsOf.get(found.stream);
    ids?.delete(id);
    if (ids?.size === 0) this.#checkpointsOf.delete(found.stream);
  }

  saveBlob({ stream, id, bytes }: BlobRecord, epoch: number): void {
    if (epoch !== this.#epoch) throw staleEpoch(epoch, this.#epoch, stream);
    const blobs = this.#blobs.get(stream) ?? new Map<string, Uint8Array>();
    this.#blobs.set(stream, blobs);
    blobs.set(id, bytes.slice());
  }

  loadBlob(stream: string, id: string): Uint8Array | undefined {
    return this.#blobs.get(stream)?.get(id)?.slice();
  }

  #removeCheckpointsOf(stream: string): void {
    for (const id of this.#checkpointsOf.get(stream) ?? []) this.#checkpoints.delete(id);
    this.#checkpointsOf.delete(stream);
  }

  /**
   * @param taken - the keys that earlier streams of the same batch want
   * @returns the stream, if it is there already
   */
  #check(append: StreamAppend, taken: Set<string> | undefined): Stream | undefined {
    if (append.epoch !== this.#epoch) throw staleEpoch(append.epoch, this.#epoch, append.stream);
    const stream = this.#streams.get(append.stream);
    const lastSeq = stream === undefined ? 0 : stream.events.length;
    if (append.expectedSeq !== lastSeq)
      throw conflict(`expected seq ${append.expectedSeq}, found ${lastSeq}`, append);
    if (append.uniqueKeys === undefined) return stream;
    for (const key of append.uniqueKeys) {
      if (this.#keys.has(key) || taken?.has(key))
        throw conflict(`the key ${JSON.stringify(key)} is taken`, append);
      taken?.add(key);
    }
    return stream;
  }

  #write(append: StreamAppend, found: Stream | undefined): void {
    let stream = found;
    if (stream === undefined) {
      stream = {
        name: append.stream,
        order: ++this.#orders,
        events: [],
        versions: [{ from: 0, table: append.versions }],
        facts: undefined,
        keys: NO_KEYS,
      };
      this.#streams.set(append.stream, stream);
      this.#list.add(stream);
    }
    const { events, versions } = stream;
    if (versions[versions.length - 1]?.table !== append.versions)
      versions.push({ from: events.length, table: append.versions });
    for (let i = 0; i < append.events.length; i++) events.push(append.events[i] as LoggedEvent);
    if (append.facts !== undefined) this.#list.setFacts(stream, append.facts);
    if (append.uniqueKeys === undefined) return;
    stream.keys =
      stream.keys.length === 0 ? append.uniqueKeys.slice() : [...stream.keys, ...append.uniqueKeys];
    for (const key of append.uniqueKeys) this.#keys.set(key, append.stream);
  }
}

function infoOf({ name, events, facts }: Stream): readonly StreamInfo[] {
  const last = events[events.length - 1];
  if (last === undefined) return [];
  const info = { stream: name, lastSeq: events.length, lastType: last.type, lastAt: last.at };
  return [facts === undefined ? info : { ...info, facts }];
}

function conflict(what: string, { stream }: Pick<StreamAppend, 'stream'>): OrchestratorError {
  return new OrchestratorError('STORE_CONFLICT', `stream ${stream}: ${what}`, { details: { stream } });
}

function staleEpoch(epoch: number, current: number, stream: string): OrchestratorError {
  return new OrchestratorError(
    'STORE_FENCED',
    `stream ${stream}: epoch ${epoch} is over, the current one is ${current}`,
    { details: { stream } },
  );
}

function versionsAt({ versions }: Stream, index: number): SchemaVersions {
  for (let i = versions.length - 1; i > 0; i--) {
    const { from, table } = versions[i] as Stream['versions'][number];
    if (from <= index) return table;
  }
  return (versions[0] as Stream['versions'][number]).table;
}
