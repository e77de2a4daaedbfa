/**
 * A binary min-heap whose items can be removed from the middle by the handle that `push` returned.
 */

/** What {@link IndexedHeap.push} returns: it names one entry of one heap, for {@link IndexedHeap.remove}. */
export interface HeapHandle<T> {
  /** The item that was pushed. */
  readonly item: T;
}

/** The stored form of a handle: it also knows where in the heap it stands. */
class HeapEntry<T> implements HeapHandle<T> {
  readonly item: T;
  readonly sequence: number;
  /** The place in the heap's array, or -1 once the entry has left. */
  index: number;

  constructor(item: T, sequence: number, index: number) {
    this.item = item;
    this.sequence = sequence;
    this.index = index;
  }
}

/**
 * A binary min-heap with removal by handle.
 *
 * Equal items leave in the order in which they were pushed. `push`, `pop` and `remove` take O(log n),
 * `peek` and `size` O(1). The order of a queued item must not change while it is stored.
 *
 * Source: J. W. J. Williams, "Algorithm 232: Heapsort", CACM 7(6), 1964; the position kept in each entry is
 * the usual indexed variant (Sedgewick & Wayne, Algorithms, 4th ed., section 2.4).
 */
export class IndexedHeap<T> {
  readonly #compare: (a: T, b: T) => number;
  readonly #entries: HeapEntry<T>[] = [];
  #sequence = 0;

  /** @param compare - negative when `a` leaves before `b`; equals fall back to the order of insertion. */
  constructor(compare: (a: T, b: T) => number) {
    this.#compare = compare;
  }

  /** The number of stored items. */
  get size(): number {
    return this.#entries.length;
  }

  /** Adds an item and returns the handle by which it can be removed. */
  push(item: T): HeapHandle<T> {
    const entry = new HeapEntry(item, this.#sequence, this.#entries.length);
    this.#sequence += 1;
    this.#entries.push(entry);
    this.#siftUp(entry, entry.index);
    return entry;
  }

  /** The item that leaves next, or undefined when the heap is empty. */
  peek(): T | undefined {
    return this.#entries[0]?.item;
  }

  /** Takes out the item that leaves next; undefined when the heap is empty. */
  pop(): T | undefined {
    const top = this.#entries[0];
    if (top === undefined) return undefined;
    this.#detach(top);
    return top.item;
  }

  /**
   * Takes out one entry wherever it stands.
   *
   * @returns false when the entry already left, or belongs to another heap.
   */
  remove(handle: HeapHandle<T>): boolean {
    const entry = handle as HeapEntry<T>;
    if (entry.index < 0 || this.#entries[entry.index] !== entry) return false;
    this.#detach(entry);
    return true;
  }

  /** Fills the entry's place with the last entry and lets that one find its level. */
  #detach(entry: HeapEntry<T>): void {
    const index = entry.index;
    const last = this.#entries.pop() as HeapEntry<T>;
    entry.index = -1;
    if (last === entry) return;
    // The last entry may belong above or below the gap, because the gap can be in another branch.
    const settled = this.#siftUp(last, index);
    if (settled === index) this.#siftDown(last, index);
  }

  /** Moves a gap upwards from `index` until `entry` fits in it; returns where that was. */
  #siftUp(entry: HeapEntry<T>, index: number): number {
    const entries = this.#entries;
    let gap = index;
    while (gap > 0) {
      const above = (gap - 1) >> 1;
      const parent = entries[above] as HeapEntry<T>;
      if (!this.#before(entry, parent)) break;
      entries[gap] = parent;
      parent.index = gap;
      gap = above;
    }
    entries[gap] = entry;
    entry.index = gap;
    return gap;
  }

  /** Moves a gap downwards from `index` until `entry` fits in it. */
  #siftDown(entry: HeapEntry<T>, index: number): void {
    const entries = this.#entries;
    const length = entries.length;
    let gap = index;
    for (;;) {
      let below = 2 * gap + 1;
      if (below >= length) break;
      let child = entries[below] as HeapEntry<T>;
      if (below + 1 < length) {
        const right = entries[below + 1] as HeapEntry<T>;
        if (this.#before(right, child)) {
          below += 1;
          child = right;
        }
      }
      if (!this.#before(child, entry)) break;
      entries[gap] = child;
      child.index = gap;
      gap = below;
    }
    entries[gap] = entry;
    entry.index = gap;
  }

  /** Whether `a` leaves before `b`. */
  #before(a: HeapEntry<T>, b: HeapEntry<T>): boolean {
    const order = this.#compare(a.item, b.item);
    return order < 0 || (order === 0 && a.sequence < b.sequence);
  }
}
