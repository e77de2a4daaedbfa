/**
 * A list that is always in order: in pieces of bounded size, so that a change costs no more than the search for its place.
 */

/** What is listed. */
export interface Ordered {
  /** Its place; no two in a list have the same, and it does not change while it is in one. */
  readonly order: number;
}

/** A piece that would be larger is cut in two. */
const PIECE_MAX = 512;

export class OrderedList<Entry extends Ordered> {
  /** None is empty. */
  readonly #pieces: Entry[][] = [];

  get isEmpty(): boolean {
    return this.#pieces.length === 0;
  }

  add(entry: Entry): void {
    const at = this.#pieceOf(entry.order);
    const piece = this.#pieces[at];
    // Mostly the newest comes last: what is full then stays full.
    if (piece === undefined || (piece.length >= PIECE_MAX && isLast(this.#pieces, at, entry))) {
      this.#pieces.push([entry]);
      return;
    }
    piece.splice(firstBehind(piece, entry.order), 0, entry);
    if (piece.length > PIECE_MAX) this.#pieces.splice(at + 1, 0, piece.splice(PIECE_MAX / 2));
  }

  /** `false` if it is not there. */
  delete(entry: Entry): boolean {
    const at = this.#pieceOf(entry.order);
    const piece = this.#pieces[at];
    if (piece === undefined) return false;
    const index = firstBehind(piece, entry.order) - 1;
    if (piece[index] !== entry) return false;
    piece.splice(index, 1);
    if (piece.length === 0) this.#pieces.splice(at, 1);
    return true;
  }

  /** Goes through those behind a place; nothing may be changed meanwhile. */
  behind(order: number): OrderedWalk<Entry> {
    const at = this.#pieceOf(order);
    const piece = this.#pieces[at];
    return new OrderedWalk(this.#pieces, at, piece === undefined ? 0 : firstBehind(piece, order));
  }

  /** The last piece that begins at this place or before it, else the first. */
  #pieceOf(order: number): number {
    let low = 0;
    let high = this.#pieces.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const [first] = this.#pieces[middle] as [Entry];
      if (first.order <= order) low = middle + 1;
      else high = middle;
    }
    return Math.max(0, low - 1);
  }
}

/** A way through a list, from one to the next. */
export class OrderedWalk<Entry extends Ordered> {
  readonly #pieces: readonly (readonly Entry[])[];
  #at: number;
  #index: number;

  constructor(pieces: readonly (readonly Entry[])[], at: number, index: number) {
    this.#pieces = pieces;
    this.#at = at;
    this.#index = index;
    this.#settle();
  }

  /** The one it is at; nothing at the end. */
  get current(): Entry | undefined {
    return this.#pieces[this.#at]?.[this.#index];
  }

  next(): void {
    this.#index++;
    this.#settle();
  }

  #settle(): void {
    const piece = this.#pieces[this.#at];
    if (piece === undefined || this.#index < piece.length) return;
    this.#at++;
    this.#index = 0;
  }
}

function isLast(pieces: readonly (readonly Ordered[])[], at: number, { order }: Ordered): boolean {
  const last = pieces[at]?.at(-1);
  return at === pieces.length - 1 && last !== undefined && last.order < order;
}

function firstBehind(entries: readonly Ordered[], order: number): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((entries[middle] as Ordered).order <= order) low = middle + 1;
    else high = middle;
  }
  return low;
}
