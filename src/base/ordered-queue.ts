/**
 * A priority queue that costs O(1) per item while items arrive in their order, as they mostly do.
 */

/** The least capacity of the ring; a power of two, because places are found with a mask. */
const LEAST_CAPACITY = 16;

/**
 * A queue that hands out its items in the order of `compare`, and lets its owner drop items without
 * searching for them.
 *
 * Items that arrive in order are appended to a ring (O(1) in and out); the others go to a binary heap
 * (O(log n)); `peek` and `pop` take the better of the two heads. The order of equal items is not kept here:
 * `compare` must be a total order, and the order of an item must not change while it is queued.
 *
 * An item dies when `isLive` turns false for it; the owner then calls {@link OrderedQueue.discard} once.
 * Dead items are skipped when they come to a head, and swept out together when more than half of the stored
 * ones are dead, so they cost amortised O(1). A dead item must stay dead: to queue the same thing again, push
 * a new entry for it.
 */
export class OrderedQueue<T> {
  readonly #compare: (a: T, b: T) => number;
  readonly #isLive: (item: T) => boolean;
  #ring: (T | undefined)[] = emptyRing<T>(LEAST_CAPACITY);
  #head = 0;
  #count = 0;
  #heap: T[] = [];
  #size = 0;

  /**
   * @param compare - a total order: negative when `a` leaves before `b`.
   * @param isLive - false for an item that was discarded; it is asked often, so it should be cheap.
   */
  constructor(compare: (a: T, b: T) => number, isLive: (item: T) => boolean) {
    this.#compare = compare;
    this.#isLive = isLive;
  }

  /** The number of live items as counted: pushes minus pops minus discards. */
  get size(): number {
    return this.#size;
  }

  /** Adds an item. */
  push(item: T): void {
    this.#size += 1;
    const count = this.#count;
    if (count > 0) {
      const last = this.#ring[(this.#head + count - 1) & (this.#ring.length - 1)] as T;
      if (this.#compare(last, item) > 0) {
        this.#heap.push(item);
        siftUp(this.#heap, this.#heap.length - 1, this.#compare);
        return;
      }
      if (count === this.#ring.length) this.#resize(count * 2);
    }
    this.#ring[(this.#head + count) & (this.#ring.length - 1)] = item;
    this.#count = count + 1;
  }

  /** The live item that leaves next, or undefined when there is none. */
  peek(): T | undefined {
    this.#dropDeadHeads();
    if (this.#headIsInRing()) return this.#ring[this.#head];
    return this.#heap[0];
  }

  /** Takes out the live item that leaves next; undefined when there is none. */
  pop(): T | undefined {
    this.#dropDeadHeads();
    if (this.#headIsInRing()) {
      this.#size -= 1;
      return this.#shift();
    }
    if (this.#heap.length === 0) return undefined;
    this.#size -= 1;
    return takeTop(this.#heap, this.#compare);
  }

  /** Tells that one queued item went dead: `isLive` is false for it from now on. */
  discard(): void {
    if (this.#size > 0) this.#size -= 1;
    const stored = this.#count + this.#heap.length;
    if ((stored - this.#size) * 2 > stored) this.#sweep();
  }

  /** The live items in order: a sorted copy, for inspection only. */
  values(): Iterable<T> {
    const live: T[] = [];
    const mask = this.#ring.length - 1;
    for (let i = 0; i < this.#count; i += 1) {
      const item = this.#ring[(this.#head + i) & mask] as T;
      if (this.#isLive(item)) live.push(item);
    }
    for (const item of this.#heap) {
      if (this.#isLive(item)) live.push(item);
    }
    return live.sort(this.#compare);
  }

  /** Forgets every item. */
  clear(): void {
    this.#ring = emptyRing<T>(LEAST_CAPACITY);
    this.#head = 0;
    this.#count = 0;
    this.#heap = [];
    this.#size = 0;
  }

  /** Whether the item that leaves next stands in the ring; false also when there is no item at all. */
  #headIsInRing(): boolean {
    if (this.#count === 0) return false;
    if (this.#heap.length === 0) return true;
    return this.#compare(this.#ring[this.#head] as T, this.#heap[0] as T) <= 0;
  }

  /** Takes dead items off both heads. They left the count already, when they were discarded. */
  #dropDeadHeads(): void {
    while (this.#count > 0 && !this.#isLive(this.#ring[this.#head] as T)) this.#shift();
    while (this.#heap.length > 0 && !this.#isLive(this.#heap[0] as T)) takeTop(this.#heap, this.#compare);
  }

  /** Takes the first item off the ring, which must not be empty. */
  #shift(): T {
    const ring = this.#ring;
    const item = ring[this.#head] as T;
    // The slot is emptied, because a taken item must not be kept from the garbage collector.
    ring[this.#head] = undefined;
    this.#head = (this.#head + 1) & (ring.length - 1);
    this.#count -= 1;
    // A quarter, not a half: growing and shrinking must not alternate around one length.
    if (ring.length > LEAST_CAPACITY && this.#count * 4 <= ring.length) this.#resize(ring.length >> 1);
    return item;
  }

  /** Moves the ring to an array of another capacity, with its first item at 0. */
  #resize(capacity: number): void {
    const old = this.#ring;
    const mask = old.length - 1;
    const ring = emptyRing<T>(capacity);
    for (let i = 0; i < this.#count; i += 1) ring[i] = old[(this.#head + i) & mask];
    this.#ring = ring;
    this.#head = 0;
  }

  /** Removes every dead item, wherever it stands, in O(stored). */
  #sweep(): void {
    const old = this.#ring;
    const mask = old.length - 1;
    const live: T[] = [];
    for (let i = 0; i < this.#count; i += 1) {
      const item = old[(this.#head + i) & mask] as T;
      if (this.#isLive(item)) live.push(item);
    }
    let capacity = LEAST_CAPACITY;
    while (capacity < live.length) capacity *= 2;
    const ring = emptyRing<T>(capacity);
    for (let i = 0; i < live.length; i += 1) ring[i] = live[i];
    this.#ring = ring;
    this.#head = 0;
    this.#count = live.length;
    this.#heap = this.#heap.filter(this.#isLive);
    for (let i = (this.#heap.length >> 1) - 1; i >= 0; i -= 1) siftDown(this.#heap, i, this.#compare);
  }
}

/** An array of `capacity` empty slots; every slot is written once so that it never reads as a hole. */
function emptyRing<T>(capacity: number): (T | undefined)[] {
  return new Array<T | undefined>(capacity).fill(undefined);
}

/** Takes the first item off a heap, which must not be empty. */
function takeTop<T>(heap: T[], compare: (a: T, b: T) => number): T {
  const top = heap[0] as T;
  const last = heap.pop() as T;
  if (heap.length > 0) {
    heap[0] = last;
    siftDown(heap, 0, compare);
  }
  return top;
}

/** Lets the item at `index` rise to its level. */
function siftUp<T>(heap: T[], index: number, compare: (a: T, b: T) => number): void {
  const item = heap[index] as T;
  let gap = index;
  while (gap > 0) {
    const above = (gap - 1) >> 1;
    const parent = heap[above] as T;
    if (compare(item, parent) >= 0) break;
    heap[gap] = parent;
    gap = above;
  }
  heap[gap] = item;
}

/** Lets the item at `index` sink to its level. */
function siftDown<T>(heap: T[], index: number, compare: (a: T, b: T) => number): void {
  const length = heap.length;
  const item = heap[index] as T;
  let gap = index;
  for (;;) {
    let below = 2 * gap + 1;
    if (below >= length) break;
    if (below + 1 < length && compare(heap[below + 1] as T, heap[below] as T) < 0) below += 1;
    const child = heap[below] as T;
    if (compare(child, item) >= 0) break;
    heap[gap] = child;
    gap = below;
  }
  heap[gap] = item;
}
