/**
 * The index of a store, in memory: which streams there are, what they can be found by, and where their records stand.
 *
 * Owns: streams, unique keys, checkpoints (not their content), segments and how much in them is dead. Who may call it:
 * the store, with what is committed; recovery, with what it reads.
 *
 * C1  It holds what is committed and nothing else.
 * C2  Whatever the log says, in the order of the log, gives the same catalog: it can be thrown away.
 * C3  What an index on disk knows stays there until it changes: a stream is either here or there (`table`), never both.
 * C4  Before a stream changes, the snapshot that is being written down is told.
 */
import { type Looked, StreamList } from '../../base/stream-list.ts';
import type { CheckpointInfo, ListRequest, StreamFacts, StreamInfo } from '../../ports/event-store.ts';
import { pageLost } from '../page-lost.ts';
import { CatalogSnapshot } from './catalog-snapshot.ts';
import type { EventsMeta } from './entries.ts';
import type { IndexedStream, Sought } from './index-entry.ts';
import type { IndexTable } from './index-table.ts';
import { NO_PART, type Part, PartTable } from './part-table.ts';
import type { Segment } from './segment.ts';
import { type CheckpointEntry, infoOf, newEntry, type Place, type StreamEntry } from './stream-entry.ts';

export class Catalog {
  readonly segments: Segment[] = [];
  #parts = new PartTable();
  #streams = new Map<string, StreamEntry>();
  #table: IndexTable | undefined;
  #snapshot: CatalogSnapshot | undefined;
  readonly #byId: Segment[] = [];
  #keys = new Map<string, StreamEntry>();
  #checkpoints = new Map<string, CheckpointEntry>();
  readonly #list = new StreamList<StreamFacts, StreamEntry>();
  /** One string for each word that many streams have. */
  readonly #words = new Map<string, string>();
  #orders = 0;
  #snapshots = 0;

  /** How many streams have begun. */
  get orders(): number {
    return this.#orders;
  }

  /** The streams that are here, and not in the index. */
  get streams(): ReadonlyMap<string, StreamEntry> {
    return this.#streams;
  }

  /** Where the entries of these streams stand. */
  get parts(): PartTable {
    return this.#parts;
  }

  /** What stands in the index on disk. */
  get table(): IndexTable | undefined {
    return this.#table;
  }

  /** Begins with what an index knows. Only of an empty catalog that has its segments. */
  begin(table: IndexTable): void {
    this.#table = table;
    this.#orders = table.meta.orders;
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

  has(stream: string): boolean {
    return this.#streams.has(stream) || this.#table?.find('stream', stream) !== undefined;
  }

  lastSeq(stream: string): number {
    return this.#streams.get(stream)?.lastSeq ?? this.#indexed('stream', stream)?.lastSeq ?? 0;
  }

  findKey(key: string): string | undefined {
    return this.#keys.get(key)?.name ?? this.#indexed('key', key)?.name;
  }

  checkpoint(id: string): CheckpointEntry | undefined {
    const known = this.#checkpoints.get(id);
    if (known !== undefined) return known;
    const found = this.#indexed('checkpoint', id)?.checkpoints.find(({ info }) => info.id === id);
    return found === undefined ? undefined : { ...found, segment: this.#segmentAt(found.segment) };
  }

  checkpointsOf(stream: string): readonly { readonly info: CheckpointInfo }[] {
    const known = this.#streams.get(stream);
    if (known === undefined) return this.#indexed('stream', stream)?.checkpoints ?? [];
    return [...(known.checkpoints?.values() ?? [])];
  }

  /** Where the records of a stream stand, from `fromSeq` on. */
  partsFrom(stream: string, fromSeq: number): readonly Omit<Part, 'part'>[] {
    const entry = this.#streams.get(stream);
    if (entry !== undefined) return this.#parts.from(entry.parts, fromSeq);
    const parts = this.#indexed('stream', stream)?.parts ?? [];
    const first = parts.findLastIndex(({ seq }) => seq <= fromSeq);
    return parts
      .slice(Math.max(0, first))
      .map((part) => ({ ...part, segment: this.#segmentAt(part.segment).id }));
  }

  /** Behind which place a page begins that comes after a stream. @throws OrchestratorError `PAGE_LOST` */
  placeOf(name: string): number {
    const entry = this.#streams.get(name);
    if (entry !== undefined && entry.lastSeq > 0) return entry.order;
    const row = this.#table?.find('stream', name);
    const isListed = row !== undefined && this.#table?.sectionOf(row).isListed === true;
    const place = isListed ? this.#table?.row(row).order : this.#list.removedPlace(name);
    if (place === undefined) throw pageLost(name);
    return place;
  }

  /**
   * The streams that are asked for, in the order in which they began, at most `limit` of them.
   * @param behind - the place behind which they are looked for
   * @param looksMax - how many are looked at here and in the index, so that a search for few among many can give way
   */
  find(request: ListRequest, behind: number, looksMax: number): Looked<StreamInfo> {
    const here = this.#list.find(request, behind, looksMax);
    const there = this.#table?.list(request, behind, looksMax);
    const all = [
      ...here.found.map((entry) => ({ order: entry.order, info: infoOf(entry) })),
      ...(there?.found ?? []),
    ];
    // Behind the place that only one of them has reached, the other one may have something too.
    const reached = Math.min(here.reached, there?.reached ?? Number.POSITIVE_INFINITY);
    const sorted = all.filter(({ order }) => order <= reached).sort((a, b) => a.order - b.order);
    return { found: sorted.slice(0, request.limit).map(({ info }) => info), reached };
  }

  /** A stream gets records. */
  addEvents(meta: EventsMeta, { segment, offset, length }: Place): void {
    const entry = this.#change(meta.s);
    // One without records is not listed yet.
    const begins = entry.lastSeq === 0 && meta.n > 0;
    if (begins) {
      entry.order = ++this.#orders;
      this.#list.add(entry);
    }
    const lastSeq = meta.q + meta.n - 1;
    if (meta.n > 0) {
      entry.lastSeq = lastSeq;
      entry.lastType = this.#word(meta.t);
      entry.lastAt = meta.a;
    }
    entry.parts = this.#parts.add(entry.parts, meta.q, segment.id, offset, length);
    const facts = meta.f ?? (begins ? entry.facts : undefined);
    if (begins) entry.facts = undefined;
    if (facts !== undefined) this.#setFacts(entry, facts);
    if (meta.k !== undefined) {
      entry.keys = [...entry.keys, ...meta.k];
      for (const key of meta.k) this.#keys.set(key, entry);
    }
  }

  /** Streams are forgotten, with their keys and checkpoints. */
  removeStreams(names: readonly string[]): void {
    for (const name of names) {
      const entry = this.#known(name);
      if (entry === undefined) continue;
      this.#snapshot?.touch(entry);
      this.#streams.delete(name);
      if (entry.lastSeq > 0) this.#list.remove(entry);
      for (const key of entry.keys) this.#keys.delete(key);
      for (const part of this.#parts.from(entry.parts, 0)) this.segmentOf(part.segment).dead += part.length;
      this.#parts.free(entry.parts);
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
    const stream = this.checkpoint(id)?.info.stream;
    if (stream === undefined) return;
    const entry = this.#change(stream);
    const found = this.#checkpoints.get(id) as CheckpointEntry;
    this.#checkpoints.delete(id);
    found.segment.dead += found.length;
    entry.checkpoints?.delete(id);
    if (entry.checkpoints?.size === 0) entry.checkpoints = undefined;
    if (entry.checkpoints === undefined && entry.lastSeq === 0) this.#streams.delete(entry.name);
  }

  /** What it is now, for whoever writes it down. Only while nothing is being appended, and only one at a time. */
  beginSnapshot(): CatalogSnapshot {
    this.#snapshot = new CatalogSnapshot(this, ++this.#snapshots);
    return this.#snapshot;
  }

  /** A snapshot is not needed any more. */
  endSnapshot(snapshot: CatalogSnapshot): void {
    if (this.#snapshot === snapshot) this.#snapshot = undefined;
  }

  /** Leaves to an index all that has not changed since the snapshot that it was built of. */
  adopt(table: IndexTable, { changed }: CatalogSnapshot): void {
    const [streams, parts] = [this.#streams, this.#parts];
    this.#table = table;
    this.#streams = new Map();
    this.#parts = new PartTable();
    this.#keys = new Map();
    this.#checkpoints = new Map();
    this.#list.empty();
    const kept: StreamEntry[] = [];
    for (const name of changed) {
      const row = table.find('stream', name);
      if (row !== undefined) table.take(row);
      const entry = streams.get(name);
      if (entry !== undefined) kept.push(entry);
    }
    for (const entry of kept.sort((a, b) => a.order - b.order)) {
      const own = parts.from(entry.parts, 0);
      entry.parts = NO_PART;
      for (const part of own) this.#addPart(entry, part);
      this.#take(entry);
    }
  }

  /** Takes all streams out of the index, giving way again and again: whoever moves entries needs all that refer to them. */
  async thawAll(pause: () => Promise<void>): Promise<void> {
    const table = this.#table;
    for (let row = 0; row < (table?.meta.rows ?? 0); row++) {
      // The same table: nobody else writes an index while entries are moved.
      if (table?.isTaken(row) === false) this.#thaw(row, table);
      if (row % 256 === 255) await pause();
    }
    this.#table = undefined;
  }

  #indexed(sought: Sought, text: string): IndexedStream | undefined {
    const row = this.#table?.find(sought, text);
    return row === undefined ? undefined : this.#table?.stream(row);
  }

  #segmentAt(number: number): Segment {
    return this.#table?.segments[number] as Segment;
  }

  /** A stream as it can be changed: taken out of the index if it is there. */
  #known(name: string): StreamEntry | undefined {
    const here = this.#streams.get(name);
    if (here !== undefined || this.#table === undefined) return here;
    const row = this.#table.find('stream', name);
    return row === undefined ? undefined : this.#thaw(row, this.#table);
  }

  #thaw(row: number, table: IndexTable): StreamEntry {
    const found = table.row(row);
    const { attributes, checkpoints, parts, ...known } = table.stream(row);
    const { status } = table.sectionOf(row);
    const entry: StreamEntry = { ...newEntry(known.name, this.#snapshots), ...known, order: found.order };
    entry.lastType = this.#word(known.lastType);
    entry.facts = table.factsOf(found, status, attributes);
    table.take(row);
    for (const part of parts) this.#addPart(entry, { ...part, segment: this.#segmentAt(part.segment).id });
    for (const checkpoint of checkpoints) {
      entry.checkpoints ??= new Map();
      entry.checkpoints.set(checkpoint.info.id, {
        ...checkpoint,
        segment: this.#segmentAt(checkpoint.segment),
      });
    }
    this.#take(entry);
    return entry;
  }

  #addPart(entry: StreamEntry, { seq, segment, offset, length }: Omit<Part, 'part'>): void {
    entry.parts = this.#parts.add(entry.parts, seq, segment, offset, length);
  }

  /** Has a stream from now on, with all that it is found by. */
  #take(entry: StreamEntry): void {
    this.#streams.set(entry.name, entry);
    for (const key of entry.keys) this.#keys.set(key, entry);
    for (const [id, checkpoint] of entry.checkpoints ?? []) this.#checkpoints.set(id, checkpoint);
    const { facts } = entry;
    entry.facts = undefined;
    if (entry.lastSeq > 0) this.#list.add(entry);
    if (facts !== undefined) this.#setFacts(entry, facts);
  }

  #change(name: string): StreamEntry {
    const entry = this.#known(name) ?? newEntry(name, this.#snapshots);
    this.#streams.set(name, entry);
    this.#snapshot?.touch(entry);
    return entry;
  }

  #setFacts(entry: StreamEntry, facts: StreamFacts): void {
    const { workflowId, status } = facts;
    const known = { ...facts, workflowId: this.#word(workflowId), status: this.#word(status) };
    Object.freeze(known);
    if (entry.lastSeq > 0) this.#list.setFacts(entry, known);
    else entry.facts = known;
  }

  #word(word: string): string {
    const known = this.#words.get(word);
    if (known !== undefined) return known;
    // Names of types and states are few; what is not one of them need not be shared.
    if (this.#words.size < 10_000) this.#words.set(word, word);
    return word;
  }
}
