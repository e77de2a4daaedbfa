/**
 * What the store asks of its engine, which is in a thread or not: payloads are text already, so a thread gets nothing but
 * texts, numbers and bytes.
 */
import type {
  BlobRecord,
  CheckpointInfo,
  ListRequest,
  MaybePromise,
  StreamFacts,
  StreamInfo,
} from '../../ports/event-store.ts';
import type { SqliteDriver } from './load-driver.ts';
import type { DatabaseSettings } from './open-database.ts';

/** An event as it is written. */
export interface TextEvent {
  readonly type: string;
  readonly at: number;
  readonly version: number;
  readonly text: string;
}

export interface TextAppend {
  readonly stream: string;
  readonly expectedSeq: number;
  readonly epoch: number;
  readonly events: readonly TextEvent[];
  readonly keys: readonly string[];
  readonly facts: StreamFacts | undefined;
}

/** Records from `fromSeq` on, in order. */
export interface TextPage {
  readonly events: readonly TextEvent[];
  /** Whether more may follow, that were left out because the page was full. */
  readonly more: boolean;
}

export interface TextCheckpoint {
  readonly info: CheckpointInfo;
  readonly text: string;
}

/** Everything that is done with the database. */
export interface Requests {
  claim(owner: string): number;
  release(owner: string): void;
  append(batch: readonly TextAppend[]): void;
  read(stream: string, fromSeq: number, limit: number): TextPage;
  list(request: ListRequest): readonly StreamInfo[];
  findKey(key: string): string | undefined;
  remove(streams: readonly string[], epoch: number | undefined): void;
  saveCheckpoint(checkpoint: TextCheckpoint, epoch: number): void;
  loadCheckpoint(id: string): TextCheckpoint | undefined;
  listCheckpoints(stream: string): readonly CheckpointInfo[];
  removeCheckpoint(id: string, epoch: number | undefined): void;
  saveBlob(blob: BlobRecord, epoch: number): void;
  loadBlob(stream: string, id: string): Uint8Array | undefined;
}

export type Method = keyof Requests;

/** The way from the store to its engine. */
export interface Desk {
  ask<M extends Method>(method: M, ...given: Parameters<Requests[M]>): MaybePromise<ReturnType<Requests[M]>>;
  /** Ends what it keeps open. Asking again opens it again. */
  close(): MaybePromise<void>;
}

/** What a thread is started with. */
export interface EngineSettings extends DatabaseSettings {
  readonly file: string;
  readonly driver: SqliteDriver | undefined;
  readonly leaseMs: number;
  readonly instance: string;
}
