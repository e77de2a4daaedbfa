/**
 * Builds the bytes of an index out of a snapshot of the catalog.
 *
 * Owns: what it builds. Who may call it: whoever keeps the index up to date.
 *
 * IB1  It gives way to others again and again: it is as long as the store has streams.
 * IB2  Rows stand together that a listing asks for together: by the first word of the name, and by status.
 */
import type { CatalogSnapshot } from './catalog-snapshot.ts';
import { marksAt } from './index-entry.ts';
import { type IndexMeta, isMarked, ROW_BYTES, type Section } from './index-table.ts';
import type { SegmentHead } from './segment.ts';

/** The shape of an index; one of another shape is passed over. */
export const INDEX_VERSION = 1;
/** After so many streams others have their turn. */
const SLICE = 256;

/** A row before it has its place. */
interface NewRow {
  readonly order: number;
  readonly offset: number;
  readonly length: number;
  readonly workflow: number;
  readonly startedAt: number;
}

/** Rows that will stand behind each other. */
interface Group extends Pick<Section, 'prefix' | 'status' | 'isListed'> {
  readonly rows: NewRow[];
}

export class IndexBuilder {
  readonly #snapshot: CatalogSnapshot;
  readonly #pause: () => Promise<void>;
  readonly #groups = new Map<string, Group>();
  readonly #workflows = new Map<string, number>();
  #bytes: Buffer;
  #length = 0;
  #steps = 0;

  /** @param pause - lets others have their turn */
  constructor(snapshot: CatalogSnapshot, pause: () => Promise<void>) {
    this.#snapshot = snapshot;
    this.#pause = pause;
    this.#bytes = Buffer.allocUnsafe(
      (snapshot.table?.bytes.length ?? 0) + snapshot.entries.length * 256 + 4_096,
    );
  }

  /** The streams, the rows and the table, and what tells where they stand. */
  async build(
    store: string,
    head: IndexMeta['head'],
  ): Promise<{ readonly bytes: Buffer; readonly meta: IndexMeta }> {
    await this.#copyOld();
    for (const entry of this.#snapshot.entries) {
      this.#addPacked(this.#snapshot.take(entry));
      await this.#step();
    }
    for (const packed of this.#snapshot.takeEarly()) this.#addPacked(packed);
    const { segments, orders } = this.#snapshot;
    const rowsAt = this.#length;
    const { sections, marks } = await this.#writeRows();
    const cellsAt = this.#length;
    const cells = await this.#writeCells(marks);
    const meta: IndexMeta = {
      ...{ version: INDEX_VERSION, store, orders, segments, sections },
      head: { durability: head.durability, boot: head.boot } satisfies Pick<
        SegmentHead,
        'durability' | 'boot'
      >,
      workflows: [...this.#workflows.keys()],
      ...{ rowsAt, rows: marks.length, cellsAt, cells },
    };
    return { bytes: this.#bytes.subarray(0, this.#length), meta };
  }

  /** What stands in the index of before and has not changed since is taken over as it is. */
  async #copyOld(): Promise<void> {
    const { table, taken } = this.#snapshot;
    if (table === undefined) return;
    for (const { prefix, status, isListed, from, to } of table.meta.sections) {
      const { rows } = this.#group(prefix, status, isListed);
      for (let number = from; number < to; number++) {
        if (isMarked(taken, number)) continue;
        const row = table.row(number);
        const offset = this.#add(table.bytes.subarray(row.offset, row.offset + row.length));
        const workflowId = table.meta.workflows[row.workflow - 1];
        rows.push({ ...row, offset, workflow: this.#workflow(workflowId) });
        await this.#step();
      }
    }
  }

  #addPacked(packed: ReturnType<CatalogSnapshot['take']>): void {
    if (packed === undefined) return;
    const { name, order, lastSeq, facts } = packed.entry;
    const prefix = name.slice(0, name.indexOf(':') + 1);
    this.#group(prefix, facts?.status ?? null, lastSeq > 0).rows.push({
      ...{ order, length: packed.bytes.length },
      offset: this.#add(packed.bytes),
      workflow: this.#workflow(facts?.workflowId),
      startedAt: facts?.startedAt ?? 0,
    });
  }

  #group(prefix: string, status: string | null, isListed: boolean): Group {
    const key = JSON.stringify([prefix, status, isListed]);
    const known = this.#groups.get(key) ?? { prefix, status, isListed, rows: [] };
    this.#groups.set(key, known);
    return known;
  }

  /** Numbers of workflows begin with one; nothing has none. */
  #workflow(id: string | undefined): number {
    if (id === undefined) return 0;
    const known = this.#workflows.get(id) ?? this.#workflows.size + 1;
    this.#workflows.set(id, known);
    return known;
  }

  async #writeRows(): Promise<{
    readonly sections: readonly Section[];
    readonly marks: readonly (readonly number[])[];
  }> {
    const sections: Section[] = [];
    const marks: (readonly number[])[] = [];
    const row = Buffer.alloc(ROW_BYTES);
    for (const { prefix, status, isListed, rows } of this.#groups.values()) {
      const from = marks.length;
      for (const { order, offset, length, workflow, startedAt } of rows.sort((a, b) => a.order - b.order)) {
        marks.push(marksAt(this.#bytes, offset));
        row.writeUInt32LE(order, 0);
        row.writeUInt32LE(offset, 4);
        row.writeUInt32LE(length, 8);
        row.writeUInt32LE(workflow, 12);
        row.writeDoubleLE(startedAt, 16);
        this.#add(row);
        await this.#step();
      }
      if (marks.length > from) sections.push({ prefix, status, isListed, from, to: marks.length });
    }
    return { sections, marks };
  }

  /** A table with open addressing: a mark stands in the cell that it points at, or in the next one that is free. */
  async #writeCells(marks: readonly (readonly number[])[]): Promise<number> {
    const count = marks.reduce((sum, some) => sum + some.length, 0);
    let cells = 16;
    while (cells < count * 2) cells *= 2;
    const table = new Uint32Array(cells);
    for (const [row, some] of marks.entries()) {
      for (const mark of some) {
        let cell = mark & (cells - 1);
        while (table[cell] !== 0) cell = (cell + 1) & (cells - 1);
        table[cell] = row + 1;
      }
      await this.#step();
    }
    const bytes = Buffer.allocUnsafe(cells * 4);
    for (let cell = 0; cell < cells; cell++) bytes.writeUInt32LE(table[cell] as number, cell * 4);
    this.#add(bytes);
    return cells;
  }

  #add(bytes: Buffer): number {
    const offset = this.#length;
    if (offset + bytes.length > this.#bytes.length) {
      const longer = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, offset + bytes.length));
      this.#bytes.copy(longer, 0, 0, offset);
      this.#bytes = longer;
    }
    bytes.copy(this.#bytes, offset);
    this.#length += bytes.length;
    return offset;
  }

  async #step(): Promise<void> {
    if (++this.#steps % SLICE === 0) await this.#pause();
  }
}
