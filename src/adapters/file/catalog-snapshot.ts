/**
 * The catalog as it is at one moment, for whoever writes it down and takes his time.
 *
 * Owns: which streams have changed since, and what those were that nobody had written yet. Who may call it: the catalog,
 * before a stream changes; whoever builds an index.
 *
 * CS1  It is begun while nothing is being appended: what it has is what the log says up to the end of its segments.
 * CS2  A stream is packed before it changes for the first time, or when it is its turn, whichever comes first.
 */
import { packStream } from './index-entry.ts';
import type { IndexedSegment, IndexTable } from './index-table.ts';
import { PackedWriter } from './packed-bytes.ts';
import type { PartTable } from './part-table.ts';
import type { Segment } from './segment.ts';
import type { StreamEntry } from './stream-entry.ts';

/** What a snapshot is made of: a catalog. */
export interface SnapshotSource {
  readonly streams: ReadonlyMap<string, StreamEntry>;
  readonly parts: PartTable;
  readonly table: IndexTable | undefined;
  readonly orders: number;
  readonly segments: readonly Segment[];
}

/** A stream as an index has it. */
export interface PackedStream {
  readonly entry: Pick<StreamEntry, 'name' | 'order' | 'lastSeq' | 'facts'>;
  readonly bytes: Buffer;
}

export class CatalogSnapshot {
  /** The streams that the catalog had itself. */
  readonly entries: readonly StreamEntry[];
  /** The index that had the others, and which of its rows it had no longer. */
  readonly table: IndexTable | undefined;
  readonly taken: Uint8Array;
  readonly segments: readonly IndexedSegment[];
  readonly orders: number;
  /** The names of the streams that have begun, changed or gone since. */
  readonly changed = new Set<string>();
  readonly #parts: PartTable;
  readonly #segments: ReadonlyMap<number, number>;
  readonly #number: number;
  readonly #early: PackedStream[] = [];
  readonly #writer = new PackedWriter();

  /** @param number - greater than that of every snapshot before */
  constructor(catalog: SnapshotSource, number: number) {
    this.#parts = catalog.parts;
    this.entries = [...catalog.streams.values()];
    this.table = catalog.table;
    this.taken = catalog.table?.takenNow() ?? new Uint8Array();
    this.orders = catalog.orders;
    this.segments = catalog.segments.map(({ file, end, sealedEnd, dead, stones }) => ({
      ...{ file, end, sealedEnd, dead, stones },
    }));
    this.#segments = new Map(catalog.segments.map(({ id }, number) => [id, number]));
    this.#number = number;
  }

  /** A stream is about to change, or to go. */
  touch(entry: StreamEntry): void {
    this.changed.add(entry.name);
    if (this.#isOpen(entry)) this.#early.push(this.#pack(entry));
  }

  /** Those that have changed before it was their turn. */
  takeEarly(): readonly PackedStream[] {
    return this.#early.splice(0);
  }

  /** A stream as it was; nothing if it is among the early ones. */
  take(entry: StreamEntry): PackedStream | undefined {
    return this.#isOpen(entry) ? this.#pack(entry) : undefined;
  }

  #isOpen(entry: StreamEntry): boolean {
    return entry.snapshot < this.#number;
  }

  #pack(entry: StreamEntry): PackedStream {
    const { name, order, lastSeq, lastType, lastAt, facts, keys } = entry;
    entry.snapshot = this.#number;
    this.#writer.clear();
    packStream(this.#writer, {
      ...{ name, lastSeq, lastType, lastAt, keys },
      attributes: facts?.attributes,
      checkpoints: [...(entry.checkpoints?.values() ?? [])].map(({ info, segment, offset, length }) => ({
        ...{ info, offset, length },
        segment: this.#segmentOf(segment.id),
      })),
      parts: this.#parts.from(entry.parts, 0).map(({ seq, segment, offset, length }) => ({
        ...{ seq, offset, length },
        segment: this.#segmentOf(segment),
      })),
    });
    return { entry: { name, order, lastSeq, facts }, bytes: Buffer.from(this.#writer.bytes) };
  }

  #segmentOf(id: number): number {
    const number = this.#segments.get(id);
    if (number === undefined)
      throw new Error(`the index refers to segment ${id}, which is not part of the log`);
    return number;
  }
}
