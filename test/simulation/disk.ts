/**
 * What outlives every process: streams, keys, checkpoints, and what was given to the disk and is not synced yet.
 *
 * Owns: what is durable. Who may call it: the stores of processes, and whoever lets a process die.
 *
 * D1  What is durable never goes but by `remove`.
 * D2  What is not synced when its process dies, or loses the store, is there or not: each piece by chance, and whole.
 * D3  A log is written as text, so that whoever changes a value later changes nothing of it.
 */

import type {
  CheckpointInfo,
  CheckpointRecord,
  EventRecord,
  ListRequest,
  ReadRequest,
  StreamAppend,
  StreamFacts,
  StreamInfo,
} from '@taskmaster-ai/orchestrator';
import { isAskedFor, OrchestratorError, Reference, toRecord } from '@taskmaster-ai/orchestrator';
import type { LogEvent } from './rows.ts';
import type { World } from './world.ts';

interface Stored {
  readonly type: string;
  readonly at: number;
  readonly seq: number;
  readonly version: number;
  readonly text: string;
}

interface Stream {
  readonly records: Stored[];
  facts: StreamFacts | undefined;
}

/** Something that was given to the disk, and is durable only when it was carried out. */
export interface Unsynced {
  readonly process: number;
  readonly apply: () => void;
}

export const RUN_PREFIX = 'run:';

/** What stands for a large value, as text. */
const REFERENCE = '$reference';

function written(_key: string, value: unknown): unknown {
  return Reference.is(value) ? { [REFERENCE]: value.id, bytes: value.bytes } : value;
}

function revived(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !(REFERENCE in value)) return value;
  const { [REFERENCE]: id, bytes } = value as { readonly [REFERENCE]: string; readonly bytes: number };
  return new Reference(id, bytes);
}

export class Disk {
  readonly #world: World;
  readonly #streams = new Map<string, Stream>();
  readonly #keys = new Map<string, string>();
  readonly #checkpoints = new Map<string, { readonly info: CheckpointInfo; readonly text: string }>();
  readonly #blobs = new Map<string, Uint8Array>();
  /** Whether values may stand beside logs; looking for those takes time. */
  readonly #hasReferences: boolean;
  #unsynced: Unsynced[] = [];
  #appends = 0;
  epoch = 0;
  owner: string | undefined;

  constructor(world: World, hasReferences: boolean) {
    this.#world = world;
    this.#hasReferences = hasReferences;
  }

  /** Whether an append may be written; everything of it is looked at before anything is. */
  check(batch: readonly StreamAppend[]): OrchestratorError | undefined {
    const taken = new Set<string>();
    const grown = new Map<string, number>();
    for (const { stream, expectedSeq, epoch, events, uniqueKeys = [] } of batch) {
      if (epoch !== this.epoch) return conflict('epoch', stream, `epoch ${epoch}, found ${this.epoch}`);
      const last = grown.get(stream) ?? this.#streams.get(stream)?.records.length ?? 0;
      if (expectedSeq !== last) return conflict('seq', stream, `expected ${expectedSeq}, found ${last}`);
      grown.set(stream, last + events.length);
      for (const key of uniqueKeys) {
        if (this.#keys.has(key) || taken.has(key)) return conflict('key', stream, `${key} is taken`);
        taken.add(key);
      }
    }
    return undefined;
  }

  /** How a batch, which was checked, is written; its text is taken now. */
  writing(process: number, batch: readonly StreamAppend[]): () => void {
    const texts = batch.map(({ events }) => events.map((event) => this.#write(event)));
    return () => {
      const append = ++this.#appends;
      for (const [i, { stream, events, versions, uniqueKeys = [], facts }] of batch.entries()) {
        const found = this.#streams.get(stream) ?? { records: [], facts: undefined };
        this.#streams.set(stream, found);
        for (const [e, event] of events.entries()) {
          const { schemaVersion: version } = toRecord(stream, event, versions);
          const text = texts[i]?.[e] as string;
          found.records.push({ type: event.type, at: event.at, seq: event.seq, version, text });
          if (stream.startsWith(RUN_PREFIX))
            this.#world.note({
              kind: 'log',
              process,
              t: this.#world.now,
              ...this.#seen(stream, text),
              append,
            });
        }
        if (facts !== undefined) found.facts = facts;
        for (const key of uniqueKeys) this.#keys.set(key, stream);
      }
    };
  }

  savingCheckpoint(process: number, { payload, ...info }: CheckpointRecord): () => void {
    const text = this.#write(payload);
    return () => {
      this.#checkpoints.delete(info.id);
      this.#checkpoints.set(info.id, { info, text });
      this.#note(process, 'checkpoint', info.stream, info.seq, info.id);
    };
  }

  removingCheckpoint(process: number, id: string): () => void {
    return () => {
      const found = this.#checkpoints.get(id);
      if (found === undefined) return;
      this.#checkpoints.delete(id);
      this.#note(process, 'checkpoint_removed', found.info.stream, found.info.seq, id);
    };
  }

  removing(process: number, streams: readonly string[]): () => void {
    return () => {
      for (const stream of streams) {
        if (!this.#streams.delete(stream)) continue;
        for (const [key, bound] of this.#keys) if (bound === stream) this.#keys.delete(key);
        for (const [id, { info }] of this.#checkpoints)
          if (info.stream === stream) this.#checkpoints.delete(id);
        for (const key of this.#blobs.keys()) if (key.startsWith(`${stream} `)) this.#blobs.delete(key);
        this.#note(process, 'removed', stream, 0);
      }
    };
  }

  savingBlob(stream: string, id: string, bytes: Uint8Array): () => void {
    const copy = bytes.slice();
    return () => void this.#blobs.set(`${stream} ${id}`, copy);
  }

  blob(process: number, stream: string, id: string): Uint8Array | undefined {
    this.#note(process, 'blob_read', stream, 0);
    return this.#blobs.get(`${stream} ${id}`)?.slice();
  }

  read({ stream, fromSeq, limit }: ReadRequest): readonly EventRecord[] {
    const records = this.#streams.get(stream)?.records ?? [];
    return records.slice(fromSeq - 1, fromSeq - 1 + limit).map(({ type, at, seq, version, text }) => {
      return { stream, seq, type, at, schemaVersion: version, payload: this.#read(text) };
    });
  }

  list(request: ListRequest): readonly StreamInfo[] {
    const found: StreamInfo[] = [];
    let isPassed = request.after === undefined;
    for (const [stream, { records, facts }] of this.#streams) {
      const last = records.at(-1);
      if (isPassed && last !== undefined && isAskedFor(stream, facts, request))
        found.push({
          stream,
          lastSeq: last.seq,
          lastType: last.type,
          lastAt: last.at,
          ...(facts === undefined ? undefined : { facts }),
        });
      if (stream === request.after) isPassed = true;
      if (found.length >= request.limit) break;
    }
    return found;
  }

  findKey(key: string): string | undefined {
    return this.#keys.get(key);
  }

  checkpoint(id: string): CheckpointRecord | undefined {
    const found = this.#checkpoints.get(id);
    return found === undefined ? undefined : { ...found.info, payload: this.#read(found.text) };
  }

  checkpointsOf(stream: string): readonly CheckpointInfo[] {
    return [...this.#checkpoints.values()].map(({ info }) => info).filter((info) => info.stream === stream);
  }

  /** Something was given to the disk. */
  add(unsynced: Unsynced): void {
    this.#unsynced.push(unsynced);
  }

  /** It is durable now. @returns `false` when chance has decided on it already */
  sync(unsynced: Unsynced): boolean {
    const at = this.#unsynced.indexOf(unsynced);
    if (at < 0) return false;
    this.#unsynced.splice(at, 1);
    unsynced.apply();
    return true;
  }

  /** The process is gone, or has lost the store: what it has not synced is there or not. */
  settle(process: number): void {
    const open = this.#unsynced.filter((one) => one.process === process);
    this.#unsynced = this.#unsynced.filter((one) => one.process !== process);
    for (const { apply } of open) {
      const isKept = this.#world.chance.chance(0.5);
      if (isKept) apply();
      const what = `${isKept ? 'kept' : 'lost'} what was not synced`;
      this.#world.note({ kind: 'fault', process, t: this.#world.now, what });
    }
  }

  #write(value: unknown): string {
    return this.#hasReferences ? JSON.stringify(value, written) : JSON.stringify(value);
  }

  #read(text: string): unknown {
    return this.#hasReferences ? JSON.parse(text, revived) : JSON.parse(text);
  }

  /** An event as the world sees it: what it refers to is there, or it is not. */
  #seen(stream: string, text: string): { readonly event: LogEvent; readonly isLarge?: true } {
    const event = this.#read(text) as LogEvent;
    if (!this.#hasReferences || !Reference.is(event.output)) return { event };
    const bytes = this.#blobs.get(`${stream} ${event.output.id}`);
    const output = bytes === undefined ? 'not kept' : (JSON.parse(Buffer.from(bytes).toString()) as unknown);
    return { event: { ...event, output }, isLarge: true };
  }

  #note(
    process: number,
    kind: 'checkpoint' | 'checkpoint_removed' | 'removed' | 'blob_read',
    stream: string,
    seq: number,
    what?: string,
  ): void {
    if (!stream.startsWith(RUN_PREFIX)) return;
    const run = stream.slice(RUN_PREFIX.length);
    this.#world.note({
      kind,
      process,
      t: this.#world.now,
      run,
      seq,
      ...(what === undefined ? undefined : { what }),
    });
  }
}

function conflict(what: 'epoch' | 'seq' | 'key', stream: string, message: string): OrchestratorError {
  const code = what === 'epoch' ? 'STORE_FENCED' : 'STORE_CONFLICT';
  return new OrchestratorError(code, `stream ${stream}: ${message}`, {
    details: { stream, what },
  });
}
