/**
 * The streams that an index on disk knows, read where they stand: only what somebody asks for is unpacked.
 *
 * Owns: the bytes of one index, and which of its streams are not as it says any more. Who may call it: the catalog.
 *
 * IT1  Nothing in the bytes changes. A stream that changes or goes is taken out (`take`) and the catalog has it from then on.
 * IT2  Finding a stream costs the same however many there are; a page of a listing costs what is passed over for it.
 */
import { isAskedFor } from '../../base/stream-filter.ts';
import type { Looked } from '../../base/stream-list.ts';
import type { ListRequest, StreamFacts, StreamInfo } from '../../ports/event-store.ts';
import type { SegmentEnd } from './frame.ts';
import { headAt, type IndexedStream, markOf, marksAt, type Sought, streamAt } from './index-entry.ts';
import type { Segment, SegmentHead } from './segment.ts';

/** What an index says of a segment that it covers. */
export interface IndexedSegment {
  readonly file: string;
  readonly end: SegmentEnd;
  readonly sealedEnd: SegmentEnd;
  readonly dead: number;
  readonly stones: number;
}

/** Rows behind each other whose streams are alike, by their order. */
export interface Section {
  /** With what the names of all of them begin. */
  readonly prefix: string;
  /** Their status; nothing if they have no facts. */
  readonly status: string | null;
  /** Whether they have records. */
  readonly isListed: boolean;
  /** The first row, and the one behind the last. */
  readonly from: number;
  readonly to: number;
}

/** What stands at the end of an index. */
export interface IndexMeta {
  readonly version: number;
  readonly store: string;
  /** How many streams have begun. */
  readonly orders: number;
  /** Of the last segment that is covered. */
  readonly head: Pick<SegmentHead, 'durability' | 'boot'>;
  readonly segments: readonly IndexedSegment[];
  /** The names of workflows. */
  readonly workflows: readonly string[];
  readonly sections: readonly Section[];
  /** Where the rows and the cells of the table stand; a row has `ROW_BYTES`, a cell four. */
  readonly rowsAt: number;
  readonly rows: number;
  readonly cellsAt: number;
  readonly cells: number;
}

/** order (4), offset (4), length (4), the workflow's number plus one (4; 0 without facts), started (8). */
export const ROW_BYTES = 24;

/** Where a row stands, read out. */
export interface Row {
  readonly order: number;
  readonly offset: number;
  readonly length: number;
  readonly workflow: number;
  readonly startedAt: number;
}

/** What a listing finds. */
export interface FoundRow {
  readonly order: number;
  readonly info: StreamInfo;
}

export class IndexTable {
  readonly meta: IndexMeta;
  /** The segments of the log, by their number in the index. */
  readonly segments: readonly Segment[];
  readonly bytes: Buffer;
  /** A bit for each row. */
  readonly #taken: Uint8Array;
  #left: number;

  constructor(bytes: Buffer, meta: IndexMeta, segments: readonly Segment[]) {
    this.bytes = bytes;
    this.meta = meta;
    this.segments = segments;
    this.#taken = new Uint8Array(Math.ceil(meta.rows / 8));
    this.#left = meta.rows;
  }

  /** How many streams are still as it says. */
  get left(): number {
    return this.#left;
  }

  /** Which rows are taken, as they are now. */
  takenNow(): Uint8Array {
    return this.#taken.slice();
  }

  /** From now on it does not know this stream any more. */
  take(row: number): void {
    if (this.isTaken(row)) return;
    this.#taken[row >>> 3] = (this.#taken[row >>> 3] as number) | (1 << (row & 7));
    this.#left--;
  }

  isTaken(row: number): boolean {
    return isMarked(this.#taken, row);
  }

  /** The row of a stream, by its name, one of its keys, or one of its checkpoints. */
  find(sought: Sought, text: string): number | undefined {
    const { cells, cellsAt } = this.meta;
    if (this.#left === 0) return undefined;
    const mark = markOf(sought, text);
    for (let cell = mark & (cells - 1); ; cell = (cell + 1) & (cells - 1)) {
      const row = this.bytes.readUInt32LE(cellsAt + cell * 4) - 1;
      if (row < 0) return undefined;
      if (!this.isTaken(row) && this.#has(row, sought, text, mark)) return row;
    }
  }

  #has(row: number, sought: Sought, text: string, mark: number): boolean {
    const { offset } = this.row(row);
    if (!marksAt(this.bytes, offset).includes(mark)) return false;
    if (sought === 'stream') return headAt(this.bytes, offset).name === text;
    const { keys, checkpoints } = streamAt(this.bytes, offset);
    return sought === 'key' ? keys.includes(text) : checkpoints.some(({ info }) => info.id === text);
  }

  row(row: number): Row {
    const { bytes } = this;
    const at = this.meta.rowsAt + row * ROW_BYTES;
    return {
      order: bytes.readUInt32LE(at),
      offset: bytes.readUInt32LE(at + 4),
      length: bytes.readUInt32LE(at + 8),
      workflow: bytes.readUInt32LE(at + 12),
      startedAt: bytes.readDoubleLE(at + 16),
    };
  }

  stream(row: number): IndexedStream {
    return streamAt(this.bytes, this.row(row).offset);
  }

  name(row: number): string {
    return headAt(this.bytes, this.row(row).offset).name;
  }

  /** The section that a row stands in. */
  sectionOf(row: number): Section {
    return this.meta.sections.find(({ from, to }) => row >= from && row < to) as Section;
  }

  /** The facts of a stream. */
  factsOf({ workflow, startedAt }: Row, status: string | null, attributes: StreamFacts['attributes']) {
    if (status === null) return undefined;
    const workflowId = this.meta.workflows[workflow - 1] as string;
    return {
      ...{ workflowId, status, startedAt },
      ...(attributes === undefined ? undefined : { attributes }),
    } satisfies StreamFacts;
  }

  /**
   * Those that a request asks for and that began behind `after`, in their order, at most its `limit`.
   * @param looksMax - how many rows are looked at
   */
  list(request: ListRequest, after: number, looksMax: number): Looked<FoundRow> {
    const { meta } = this;
    const wanted = request.workflowId === undefined ? 0 : meta.workflows.indexOf(request.workflowId) + 1;
    if (this.#left === 0 || (request.workflowId !== undefined && wanted === 0))
      return { found: [], reached: Number.POSITIVE_INFINITY };
    const heads = meta.sections
      .filter((section) => mayHave(section, request))
      .map((section) => ({ section, at: this.#firstBehind(section, after) }));
    const found: FoundRow[] = [];
    let reached = after;
    for (let looks = 0; found.length < request.limit && looks < looksMax; looks++) {
      const next = this.#lowest(heads);
      if (next === undefined) return { found, reached: Number.POSITIVE_INFINITY };
      const row = next.at++;
      reached = this.#orderOf(row);
      const one = this.isTaken(row) ? undefined : this.#fitting(row, next.section, request, wanted);
      if (one !== undefined) found.push(one);
    }
    return { found, reached };
  }

  /** The section whose next row has begun first. Statuses are few. */
  #lowest(heads: readonly { readonly section: Section; at: number }[]) {
    let lowest: { readonly section: Section; at: number } | undefined;
    let order = Number.POSITIVE_INFINITY;
    for (const head of heads) {
      if (head.at >= head.section.to) continue;
      const own = this.#orderOf(head.at);
      if (own < order) {
        order = own;
        lowest = head;
      }
    }
    return lowest;
  }

  #orderOf(row: number): number {
    return this.bytes.readUInt32LE(this.meta.rowsAt + row * ROW_BYTES);
  }

  #fitting(at: number, section: Section, request: ListRequest, wanted: number): FoundRow | undefined {
    const row = this.row(at);
    const { startedFrom, startedBefore } = request;
    // What the row says alone needs no unpacking.
    if (wanted !== 0 && row.workflow !== wanted) return undefined;
    if (startedFrom !== undefined && row.startedAt < startedFrom) return undefined;
    if (startedBefore !== undefined && row.startedAt >= startedBefore) return undefined;
    const head = headAt(this.bytes, row.offset);
    const facts = this.factsOf(row, section.status, head.attributes);
    if (!isAskedFor(head.name, facts, request)) return undefined;
    const { name: stream, lastSeq, lastType, lastAt } = head;
    const info = { stream, lastSeq, lastType, lastAt, ...(facts === undefined ? undefined : { facts }) };
    return { order: row.order, info };
  }

  #firstBehind({ from, to }: Section, order: number): number {
    let low = from;
    let high = to;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#orderOf(middle) <= order) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Whether the bit of a row is set. */
export function isMarked(bits: Uint8Array, row: number): boolean {
  return ((bits[row >>> 3] as number) & (1 << (row & 7))) !== 0;
}

function mayHave({ prefix, status, isListed }: Section, request: ListRequest): boolean {
  if (!isListed) return false;
  if (request.statuses !== undefined && (status === null || !request.statuses.includes(status))) return false;
  if (request.workflowId !== undefined && status === null) return false;
  return prefix.startsWith(request.prefix) || request.prefix.startsWith(prefix);
}
