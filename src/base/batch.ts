/** Something that things can be added to: an array, or a batch. */
export interface Sink<T> {
  push(item: T): unknown;
}

/** More places than this are not kept for the next filling. */
const KEPT_PLACES_MAX = 8_192;

/** Up to so many items are copied one by one: a call into the engine costs more. */
const SHORT = 16;

/**
 * A list that is filled and emptied over and over. Unlike an array whose length is set to 0, it keeps its places,
 * so that filling it again allocates nothing.
 */
export class Batch<T> implements Sink<T> {
  #items: (T | undefined)[] = [];
  #size = 0;

  /** How many items it holds. */
  get size(): number {
    return this.#size;
  }

  /** Adds an item behind the others. */
  push(item: T): void {
    this.#items[this.#size++] = item;
  }

  /** The item at a place below `size`. */
  at(place: number): T {
    return this.#items[place] as T;
  }

  /** Forgets all items; what they were is not kept alive. */
  clear(): void {
    if (this.#size > KEPT_PLACES_MAX) this.#items = [];
    else for (let i = 0; i < this.#size; i++) this.#items[i] = undefined;
    this.#size = 0;
  }

  /** Keeps only the items that pass, in their order. */
  keep(passes: (item: T) => boolean): void {
    let kept = 0;
    for (let i = 0; i < this.#size; i++) {
      const item = this.#items[i] as T;
      if (passes(item)) this.#items[kept++] = item;
    }
    for (let i = kept; i < this.#size; i++) this.#items[i] = undefined;
    this.#size = kept;
  }

  /** The items from one place to before another, as an array of their own. */
  slice(from: number, end: number): T[] {
    const items = this.#items;
    if (end - from > SHORT) return items.slice(from, end) as T[];
    const part = new Array<T>(end - from);
    for (let i = from; i < end; i++) part[i - from] = items[i] as T;
    return part;
  }

  /** The items as an array of their own. */
  toArray(): T[] {
    return this.slice(0, this.#size);
  }
}
