/** An event as it is stored. */
export interface EventRecord {
  readonly stream: string;
  /** Position in the stream, from 1, without a gap. */
  readonly seq: number;
  readonly type: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly schemaVersion: number;
  /** The event itself; a store on bytes encodes it by the one codec. */
  readonly payload: unknown;
}

/** An event as its writer gives it: plain data, with a head that a store may read. */
export interface LoggedEvent {
  readonly type: string;
  /** Position in the stream, from 1, without a gap. */
  readonly seq: number;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** The version of the shape of each type of event; 1 for a type that is not named. */
export type SchemaVersions = Readonly<Record<string, number>>;

/** What a stream can be found by. */
export interface StreamFacts {
  readonly workflowId: string;
  /** A word of the writer's; the orchestrator writes the status of a run. */
  readonly status: string;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  readonly attributes?: Readonly<Record<string, string | number | boolean>> | undefined;
}

/** What one stream is to get in an append. */
export interface StreamAppend {
  readonly stream: string;
  /** The `seq` of the last record that the writer knows; 0 for a new stream. Anything else is a conflict. */
  readonly expectedSeq: number;
  /** The writer's claim, from `claim`; an older one than the store's is refused. */
  readonly epoch: number;
  /** In order. What a store reads back of each is the record that `toRecord` makes of it. */
  readonly events: readonly LoggedEvent[];
  /** One table for all events of the append, and mostly the same for all appends. */
  readonly versions: SchemaVersions;
  /** Keys that must not exist in the store yet; they are bound to this stream. */
  readonly uniqueKeys?: readonly string[] | undefined;
  /** What the stream can be found by from now on, in the place of what was said before. Absent: as before. */
  readonly facts?: StreamFacts | undefined;
}

/** Which records of a stream to read. */
export interface ReadRequest {
  readonly stream: string;
  /** The first `seq` wanted. */
  readonly fromSeq: number;
  /** At most so many records. */
  readonly limit: number;
}

/** Which streams to list. Whoever has no facts, or lacks one that is asked for, is not among those that are asked for by facts. */
export interface ListRequest {
  /** Only those whose name starts with this. */
  readonly prefix: string;
  readonly limit: number;
  /**
   * Only streams that come after this one, for paging; it need not fit the other conditions. When it was removed
   * meanwhile the store goes on where it stood, as long as it knows that; else it refuses with `PAGE_LOST`. It is never
   * taken for the end.
   */
  readonly after?: string | undefined;
  /** Only those with this fact. */
  readonly workflowId?: string | undefined;
  /** Only those with one of these as their status. */
  readonly statuses?: readonly string[] | undefined;
  /** Only those started then or later. Milliseconds since 1970. */
  readonly startedFrom?: number | undefined;
  /** Only those started before. */
  readonly startedBefore?: number | undefined;
  /** Only those that have all of these. */
  readonly attributes?: StreamFacts['attributes'];
}

/** A stream in a listing. */
export interface StreamInfo {
  readonly stream: string;
  readonly lastSeq: number;
  readonly lastType: string;
  /** When its last record was written: its `at`. */
  readonly lastAt: number;
  /** The last ones that were appended. */
  readonly facts?: StreamFacts | undefined;
}

/** Bytes that are kept beside a stream, because they are too large for its log. They go when the stream is removed. */
export interface BlobRecord {
  readonly stream: string;
  /** Unique in the stream; saving another one under the same id takes its place. */
  readonly id: string;
  readonly bytes: Uint8Array;
}

/** A folded state of a stream, kept beside its log. It saves time and is never needed: the log says the same. */
export interface CheckpointRecord {
  /** Unique in the store; saving another one under the same id takes its place. */
  readonly id: string;
  readonly stream: string;
  /** The last record of the stream that is folded into it. */
  readonly seq: number;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** The version of the shape of `payload`. */
  readonly schemaVersion: number;
  /** What somebody called it. */
  readonly name?: string | undefined;
  /** The state itself; a store on bytes encodes it by the one codec. */
  readonly payload: unknown;
}

/** A checkpoint in a listing. */
export type CheckpointInfo = Omit<CheckpointRecord, 'payload'>;

/**
 * What an append that has returned outlives: nothing (`memory`), the process (`os`: the operating system has it), or
 * the machine (`power`: the disk has said that it has it).
 */
export type Durability = 'memory' | 'os' | 'power';

/** What a store promises. */
export interface StoreCapabilities {
  readonly durability: Durability;
  /** Whether it keeps the very values that it was given, instead of an encoded copy. Default `false`. */
  readonly keepsValues?: boolean;
}

/** Either at once or by a promise; a store that answers at once keeps the whole loop synchronous. */
export type MaybePromise<Value> = Value | Promise<Value>;

/**
 * An ordered log of records for each stream. It is the only thing that is persisted.
 *
 * A method that fails throws, or rejects, an `OrchestratorError`: `STORE_CONFLICT` when nothing was written because a
 * `seq` or a unique key did not fit, `STORE_FENCED` when nothing was written because the claim of the writer is over; any
 * other error leaves open whether it was written.
 */
export interface EventStore {
  readonly capabilities: StoreCapabilities;
  /** Writes all or nothing, over all streams, and returns when it is durable. */
  append(batch: readonly StreamAppend[]): MaybePromise<void>;
  /** Records in order; fewer than `limit` only at the end of the stream. */
  read(request: ReadRequest): MaybePromise<readonly EventRecord[]>;
  /**
   * Streams in the order of their creation. Its cost grows with what is found, not with what is stored.
   * @throws OrchestratorError `PAGE_LOST`
   */
  list(request: ListRequest): MaybePromise<readonly StreamInfo[]>;
  /** The stream that a unique key is bound to. */
  findKey(key: string): MaybePromise<string | undefined>;
  /**
   * Forgets streams, with their keys. Unknown ones are passed over; without any it only says whether the claim stands.
   * @param epoch - the writer's claim; an older one than the store's is refused by `STORE_FENCED`, and nothing is
   *   forgotten. Absent: whoever asks for it has no claim of his own
   */
  remove(streams: readonly string[], epoch?: number): MaybePromise<void>;
  /**
   * Makes the caller the only writer.
   * @returns the epoch for its appends, greater than every one before
   * @throws OrchestratorError `STORE_OWNED` while somebody else has it
   */
  claim(owner: string): MaybePromise<number>;
  /** Gives the claim back. */
  release(owner: string): MaybePromise<void>;
  /**
   * Keeps a checkpoint, whole or not at all. A store has all four methods on checkpoints, or none of them.
   * @param epoch - the writer's claim; an older one than the store's is refused by `STORE_FENCED`
   */
  saveCheckpoint?(checkpoint: CheckpointRecord, epoch: number): MaybePromise<void>;
  /** A checkpoint by its id. */
  loadCheckpoint?(id: string): MaybePromise<CheckpointRecord | undefined>;
  /** The checkpoints of a stream, in the order in which they were saved. They go when the stream is removed. */
  listCheckpoints?(stream: string): MaybePromise<readonly CheckpointInfo[]>;
  /**
   * Forgets a checkpoint; an unknown one is passed over.
   * @param epoch - as that of `remove`
   */
  removeCheckpoint?(id: string, epoch?: number): MaybePromise<void>;
  /**
   * Keeps a blob, whole or not at all, and returns when it is as durable as an append; its stream need not be there
   * yet. A store has both methods on blobs, or none.
   * @param epoch - the writer's claim; an older one than the store's is refused by `STORE_FENCED`
   */
  saveBlob?(blob: BlobRecord, epoch: number): MaybePromise<void>;
  /** The bytes of a blob; nothing if there is none. */
  loadBlob?(stream: string, id: string): MaybePromise<Uint8Array | undefined>;
}
