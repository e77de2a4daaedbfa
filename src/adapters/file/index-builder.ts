/**
 * Builds the bytes of an index out of a snapshot of the catalog.
 *
 * Owns: what it builds. Who may call it: whoever keeps the index up to date.
 *
 * IB1  It gives way to others again and again: it is as long as the store has streams.
 * IB2  It is built with as much memory as it has bytes, and once more the packed streams while they are moved together.
 * IB3  Rows stand together that a listing asks for together: by the first word of the name, and by status.
 */
import { refuse } from '../../model/errors.ts';
import type { CatalogSnapshot } from './catalog-snapshot.ts';
import { markCountAt, marksAt } from './index-entry.ts';
import { type IndexMeta, isMarked, ROW_BYTES, type Section } from './index-table.ts';
import { PackedChunks } from './packed-chunks.ts';

/** The shape of an index; one of another shape is passed over. */
export const INDEX_VERSION = 1;
/**
 * It is in memory as a whole, is read as a whole when the store is opened, and says in 32 bits where a stream stands: of a
 * longer one the log is read instead.
 */
const INDEX_BYTES_MAX = 1_073_741_824;
/** After so many streams others have their turn. */
const SLICE = 256;
/** So many first words of names have rows of their own. */
const PREFIXES_MAX = 64;

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
  readonly #bytesMax: number;
  readonly #groups = new Map<string, Group>();
  readonly #prefixes = new Set<string>();
  readonly #workflows = new Map<string, number>();
  readonly #packed = new PackedChunks();
  /** How many marks all streams have together, and how many streams there are. */
  #marks = 0;
  #rows = 0;
  #steps = 0;

  /**
   * @param pause - lets others have their turn
   * @param bytesMax - how long the index may become
   */
  constructor(snapshot: CatalogSnapshot, pause: () => Promise<void>, bytesMax = INDEX_BYTES_MAX) {
    this.#snapshot = snapshot;
    this.#pause = pause;
    this.#bytesMax = bytesMax;
  }

  /**
   * The streams, the rows and the table, and what tells where they stand.
   * @throws OrchestratorError `LIMIT_EXCEEDED`
   */
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
    const rowsAt = this.#packed.length;
    const cellsAt = rowsAt + this.#rows * ROW_BYTES;
    const cells = cellsFor(this.#marks);
    const bytes = await this.#packed.moveInto(cellsAt + cells * 4, this.#pause);
    const sections = await this.#writeRows(bytes, rowsAt);
    await this.#writeCells(bytes, { rowsAt, cellsAt, cells });
    const meta: IndexMeta = {
      ...{ version: INDEX_VERSION, store, orders, segments, sections },
      head: { durability: head.durability, boot: head.boot },
      workflows: [...this.#workflows.keys()],
      ...{ rowsAt, rows: this.#rows, cellsAt, cells },
    };
    return { bytes, meta };
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
    this.#group(this.#prefixOf(name), facts?.status ?? null, lastSeq > 0).rows.push({
      ...{ order, length: packed.bytes.length },
      offset: this.#add(packed.bytes),
      workflow: this.#workflow(facts?.workflowId),
      startedAt: facts?.startedAt ?? 0,
    });
  }

  /** Where first words are many, a section for each would cost a listing more than it saves. */
  #prefixOf(name: string): string {
    const prefix = name.slice(0, name.indexOf(':') + 1);
    return this.#prefixes.has(prefix) || this.#prefixes.size < PREFIXES_MAX ? prefix : '';
  }

  #group(prefix: string, status: string | null, isListed: boolean): Group {
    const key = JSON.stringify([prefix, status, isListed]);
    const known = this.#groups.get(key) ?? { prefix, status, isListed, rows: [] };
    this.#groups.set(key, known);
    this.#prefixes.add(prefix);
    return known;
  }

  /** Numbers of workflows begin with one; nothing has none. */
  #workflow(id: string | undefined): number {
    if (id === undefined) return 0;
    const known = this.#workflows.get(id) ?? this.#workflows.size + 1;
    this.#workflows.set(id, known);
    return known;
  }

  async #writeRows(bytes: Buffer, rowsAt: number): Promise<readonly Section[]> {
    const sections: Section[] = [];
    let number = 0;
    for (const { prefix, status, isListed, rows } of this.#groups.values()) {
      const from = number;
      for (const { order, offset, length, workflow, startedAt } of rows.sort((a, b) => a.order - b.order)) {
        const at = rowsAt + number++ * ROW_BYTES;
        bytes.writeUInt32LE(order, at);
        bytes.writeUInt32LE(offset, at + 4);
        bytes.writeUInt32LE(length, at + 8);
        bytes.writeUInt32LE(workflow, at + 12);
        bytes.writeDoubleLE(startedAt, at + 16);
        await this.#step();
      }
      if (number > from) sections.push({ prefix, status, isListed, from, to: number });
    }
    return sections;
  }

  /** A table with open addressing: a mark stands in the cell that it points at, or in the next one that is free. */
  async #writeCells(
    bytes: Buffer,
    { rowsAt, cellsAt, cells }: Pick<IndexMeta, 'rowsAt' | 'cellsAt' | 'cells'>,
  ): Promise<void> {
    bytes.fill(0, cellsAt);
    for (let row = 0; row < this.#rows; row++) {
      for (const mark of marksAt(bytes, bytes.readUInt32LE(rowsAt + row * ROW_BYTES + 4))) {
        let cell = mark & (cells - 1);
        while (bytes.readUInt32LE(cellsAt + cell * 4) !== 0) cell = (cell + 1) & (cells - 1);
        bytes.writeUInt32LE(row + 1, cellsAt + cell * 4);
      }
      await this.#step();
    }
  }

  /** Adds a packed stream. @returns where it will stand */
  #add(packed: Buffer): number {
    const offset = this.#packed.add(packed);
    this.#rows++;
    this.#marks += markCountAt(packed, 0);
    const least = this.#packed.length + this.#rows * ROW_BYTES + this.#marks * 2 * 4;
    if (least > this.#bytesMax)
      throw refuse('LIMIT_EXCEEDED', {
        at: 'the index of the file store',
        found: `more than ${this.#bytesMax} bytes for ${this.#rows} streams and those that follow`,
        allowed: `at most ${this.#bytesMax}`,
        hint: 'Nothing is lost: the store is opened from its log alone, and takes longer. Remove runs that nobody needs.',
      });
    return offset;
  }

  async #step(): Promise<void> {
    if (++this.#steps % SLICE === 0) await this.#pause();
  }
}

/** At most half of the cells are taken, so a search ends soon. */
function cellsFor(marks: number): number {
  let cells = 16;
  while (cells < marks * 2) cells *= 2;
  return cells;
}
