/**
 * A list of the newest items: when it is full, the oldest one makes room.
 */
export class Ring<T> {
  readonly capacity: number;
  readonly #items: T[] = [];
  /** Where the oldest one stands, once the list is full. */
  #oldest = 0;
  #dropped = 0;

  /** @param capacity - the most items that it keeps, 1 or more */
  constructor(capacity: number) {
    this.capacity = capacity;
  }

  /** How many items it holds. */
  get size(): number {
    return this.#items.length;
  }

  /** How many items had to make room. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Adds an item behind the others. */
  push(item: T): void {
    if (this.#items.length < this.capacity) {
      this.#items.push(item);
      return;
    }
    this.#items[this.#oldest] = item;
    this.#oldest = (this.#oldest + 1) % this.capacity;
    this.#dropped++;
  }

  /** Forgets all items; the count of those that made room stays. */
  clear(): void {
    this.#items.length = 0;
    this.#oldest = 0;
  }

  /** Oldest first. */
  *[Symbol.iterator](): IterableIterator<T> {
    const { length } = this.#items;
    for (let i = 0; i < length; i++) yield this.#items[(this.#oldest + i) % length] as T;
  }

  /** The newest items that pass, at most `limit`, oldest first. */
  newest(limit: number, passes: (item: T) => boolean = () => true): T[] {
    const found: T[] = [];
    const { length } = this.#items;
    for (let i = length - 1; i >= 0 && found.length < limit; i--) {
      const item = this.#items[(this.#oldest + i) % length] as T;
      if (passes(item)) found.push(item);
    }
    return found.reverse();
  }
}
