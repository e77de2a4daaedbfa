/**
 * Where the entries of streams stand: a linked list for each stream, all in one array of numbers, newest first.
 *
 * An entry costs 20 bytes here, and no object: with a million of them the collector has nothing to look at.
 */

/** Fields of a row: the row before of the same stream, the first `seq`, the segment's id, offset, length. */
const WIDTH = 5;
const ROWS_MIN = 1_024;

/** No row. */
export const NO_PART = -1;

/** A row, read out. */
export interface Part {
  readonly part: number;
  readonly seq: number;
  readonly segment: number;
  readonly offset: number;
  readonly length: number;
}

export class PartTable {
  #cells = new Int32Array(ROWS_MIN * WIDTH);
  #rows = 0;
  /** The first of the rows that were given back; they are linked like those of a stream. */
  #free = NO_PART;

  /**
   * @param before - the newest row of the stream so far, or `NO_PART`
   * @returns the row, which is the newest of its stream now
   */
  add(before: number, seq: number, segment: number, offset: number, length: number): number {
    let row = this.#free;
    if (row === NO_PART) {
      row = this.#rows++;
      if ((row + 1) * WIDTH > this.#cells.length) this.#grow();
    } else {
      this.#free = this.#cells[row * WIDTH] as number;
    }
    this.#cells.set([before, seq, segment, offset, length], row * WIDTH);
    return row;
  }

  /** Says that an entry stands somewhere else now. */
  move(row: number, segment: number, offset: number): void {
    this.#cells[row * WIDTH + 2] = segment;
    this.#cells[row * WIDTH + 3] = offset;
  }

  /** Of a row that was given back the segment is `NO_PART`. */
  get(row: number): Part {
    const at = row * WIDTH;
    const [, seq, segment, offset, length] = this.#cells.subarray(at, at + WIDTH) as unknown as number[];
    return {
      part: row,
      seq: seq as number,
      segment: segment as number,
      offset: (offset as number) >>> 0,
      length: (length as number) >>> 0,
    };
  }

  /** The rows of a stream that hold records from `fromSeq` on, in order. */
  from(newest: number, fromSeq: number): Part[] {
    const parts: Part[] = [];
    for (let row = newest; row !== NO_PART; row = this.#cells[row * WIDTH] as number) {
      const part = this.get(row);
      parts.push(part);
      if (part.seq <= fromSeq) break;
    }
    return parts.reverse();
  }

  /** Gives all rows of a stream back. */
  free(newest: number): void {
    for (let row = newest; row !== NO_PART; ) {
      const before = this.#cells[row * WIDTH] as number;
      this.#cells[row * WIDTH] = this.#free;
      this.#cells[row * WIDTH + 2] = NO_PART;
      this.#free = row;
      row = before;
    }
  }

  #grow(): void {
    const cells = new Int32Array(this.#cells.length * 2);
    cells.set(this.#cells);
    this.#cells = cells;
  }
}
