/**
 * The index of a store, in memory: which streams there are, what they can be found by, and where their records stand.
 *
 * Owns: streams, unique keys, checkpoints (not their content), segments and how much in them is dead. Who may call it:
 * the store, with what is committed; recovery, with what it reads.
 *
 * C1  It holds what is committed and nothing else.
 * C2  Whatever the log says, in the order of the log, gives the same catalog: it can be thrown away.
 * C3  Before a stream changes, whoever writes the index to disk is told (`onChange`), so that what he writes is the
 *     catalog at one moment although he takes his time.
 */
import type { CheckpointInfo, ListRequest, StreamFacts, StreamInfo } from '../../ports/event-store.ts';
import type { EventsMeta } from './entries.ts';
import { NO_PART, type Part, PartTable } from './part-table.ts';
import type { Segment } from './segment.ts';
import { StreamList } from './stream-list.ts';

/** Where an entry stands. */
export interface Place {
  readonly segment: Segment;
  readonly offset: number;
  readonly length: number;
}

/** What is known of a stream. One with `lastSeq` 0 has checkpoints and no records, and is not listed. */
export interface StreamEntry {
  readonly name: string;
  /** Grows with each stream that begins. */
  order: number;
  lastSeq: number;
  lastType: string;
  lastAt: number;
  facts: StreamFacts | undefined;
  keys: readonly string[];
  /** Its newest row in the table of parts. */
  parts: number;
  checkpoints: Map<string, CheckpointEntry> | undefined;
  isGone: boolean;
}

/** A checkpoint, without its content. */
export interface CheckpointEntry extends Place {
  readonly info: CheckpointInfo;
  segment: Segment;
  offset: number;
}

export class Catalog {
  readonly segments: Segment[] = [];
  readonly parts = new PartTable();
  readonly streams = new Map<string, StreamEntry>();
  /** Told of a stream before it changes or goes. */
  onChange: ((entry: StreamEntry) => void) | undefined;
  readonly #byId: Segment[] = [];
  readonly #keys = new Map<string, StreamEntry>();
  readonly #checkpoints = new Map<string, CheckpointEntry>();
  readonly #list = new StreamList<StreamEntry>();
  /** One string for each word that many streams have. */
  readonly #words = new Map<string, string>();
  #orders = 0;

  /** How many streams have begun. */
  get orders(): number {
    return this.#orders;
  }

  addSegment(segment: Segment): void {
    segment.id = this.#byId.push(segment) - 1;
    this.segments.push(segment);
  }

  /** Puts a copy in the place of segments. */
  replaceSegments(old: readonly Segment[], copy: Segment): void {
    copy.id = this.#byId.push(copy) - 1;
    this.segments.splice(this.segments.indexOf(old[0] as Segment), old.length, copy);
  }

  segmentOf(id: number): Segment {
    return this.#byId[id] as Segment;
  }

  lastSeq(stream: string): number {
    return this.streams.get(stream)?.lastSeq ?? 0;
  }

  findKey(key: string): string | undefined {
    return this.#keys.get(key)?.name;
  }

  checkpoint(id: string): CheckpointEntry | undefined {
    return this.#checkpoints.get(id);
  }

  checkpointsOf(stream: string): readonly CheckpointEntry[] {
    return [...(this.streams.get(stream)?.checkpoints?.values() ?? [])];
  }

  /** Where the records of a stream stand, from `fromSeq` on. */
  partsFrom(stream: string, fromSeq: number): readonly Part[] {
    const entry = this.streams.get(stream);
    return entry === undefined ? [] : this.parts.from(entry.parts, fromSeq);
  }

  list(request: ListRequest): readonly StreamInfo[] {
    const after = request.after === undefined ? undefined : this.streams.get(request.after);
    if (request.after !== undefined && (after === undefined || after.lastSeq === 0)) return [];
    return this.#list.find(request, after).map(infoOf);
  }

  /** A stream gets records. */
  addEvents(meta: EventsMeta, { segment, offset, length }: Place): void {
    const entry = this.#change(meta.s);
    if (entry.lastSeq === 0) {
      entry.order = ++this.#orders;
      this.#list.add(entry);
    }
    const lastSeq = meta.q + meta.n - 1;
    if (meta.n > 0) {
      entry.lastSeq = lastSeq;
      entry.lastType = this.#word(meta.t);
      entry.lastAt = meta.a;
    }
    entry.parts = this.parts.add(entry.parts, meta.q, segment.id, offset, length);
    if (meta.f !== undefined) this.#setFacts(entry, meta.f);
    if (meta.k !== undefined) {
      entry.keys = [...entry.keys, ...meta.k];
      for (const key of meta.k) this.#keys.set(key, entry);
    }
  }

  /** Streams are forgotten, with their keys and checkpoints. */
  removeStreams(names: readonly string[]): void {
    for (const name of names) {
      const entry = this.streams.get(name);
      if (entry === undefined) continue;
      this.onChange?.(entry);
      entry.isGone = true;
      this.streams.delete(name);
      this.#list.remove(entry);
      for (const key of entry.keys) this.#keys.delete(key);
      for (const part of this.parts.from(entry.parts, 0)) this.segmentOf(part.segment).dead += part.length;
      this.parts.free(entry.parts);
      for (const checkpoint of entry.checkpoints?.values() ?? []) {
        this.#checkpoints.delete(checkpoint.info.id);
        checkpoint.segment.dead += checkpoint.length;
      }
    }
  }

  /** A checkpoint is kept, in the place of the one of the same id. */
  addCheckpoint(info: CheckpointInfo, { segment, offset, length }: Place): void {
    this.removeCheckpoint(info.id);
    const entry = this.#change(info.stream);
    const checkpoint: CheckpointEntry = { info, segment, offset, length };
    entry.checkpoints ??= new Map();
    entry.checkpoints.set(info.id, checkpoint);
    this.#checkpoints.set(info.id, checkpoint);
  }

  removeCheckpoint(id: string): void {
    const found = this.#checkpoints.get(id);
    if (found === undefined) return;
    const entry = this.#change(found.info.stream);
    this.#checkpoints.delete(id);
    found.segment.dead += found.length;
    entry.checkpoints?.delete(id);
    if (entry.checkpoints?.size === 0) entry.checkpoints = undefined;
    if (entry.checkpoints === undefined && entry.lastSeq === 0) this.streams.delete(entry.name);
  }

  /** Takes a stream from an index that was written to disk, without its parts and checkpoints. */
  restoreStream(entry: StreamEntry): void {
    this.streams.set(entry.name, entry);
    this.#orders = Math.max(this.#orders, entry.order);
    entry.lastType = this.#word(entry.lastType);
    for (const key of entry.keys) this.#keys.set(key, entry);
    const { facts } = entry;
    entry.facts = undefined;
    if (entry.lastSeq > 0) this.#list.add(entry);
    if (facts !== undefined) this.#setFacts(entry, facts);
  }

  restoreCheckpoint(entry: StreamEntry, checkpoint: CheckpointEntry): void {
    entry.checkpoints ??= new Map();
    entry.checkpoints.set(checkpoint.info.id, checkpoint);
    this.#checkpoints.set(checkpoint.info.id, checkpoint);
  }

  #change(name: string): StreamEntry {
    const found = this.streams.get(name);
    if (found !== undefined) {
      this.onChange?.(found);
      return found;
    }
    const entry = newEntry(name);
    this.streams.set(name, entry);
    return entry;
  }

  #setFacts(entry: StreamEntry, facts: StreamFacts): void {
    const { workflowId, status } = facts;
    const known = { ...facts, workflowId: this.#word(workflowId), status: this.#word(status) };
    this.#list.setFacts(entry, Object.freeze(known));
  }

  #word(word: string): string {
    const known = this.#words.get(word);
    if (known !== undefined) return known;
    // Names of types and states are few; what is not one of them need not be shared.
    if (this.#words.size < 10_000) this.#words.set(word, word);
    return word;
  }
}

/** A stream of which nothing is known yet. */
export function newEntry(name: string): StreamEntry {
  return {
    name,
    order: 0,
    lastSeq: 0,
    lastType: '',
    lastAt: 0,
    facts: undefined,
    keys: [],
    parts: NO_PART,
    checkpoints: undefined,
    isGone: false,
  };
}

function infoOf({ name, lastSeq, lastType, lastAt, facts }: StreamEntry): StreamInfo {
  return { stream: name, lastSeq, lastType, lastAt, ...(facts === undefined ? undefined : { facts }) };
}
