/**
 * The probe's queue of ready tasks: a binary heap, highest priority first, first come first served among equals.
 * Priority and arrival are packed into one number, so that a comparison is one comparison.
 */
const ARRIVALS_MAX = 2 ** 32;
/** Arrays of at most 64 bytes are made inside the heap of V8, larger ones cost an allocation outside it. */
const CAPACITY_FIRST = 8;

export class ReadyHeap {
  length = 0;
  private keys = new Float64Array(CAPACITY_FIRST);
  private tasks = new Int32Array(CAPACITY_FIRST);
  private arrivals = 0;

  push(priority: number, task: number): void {
    if (this.length === this.tasks.length) this.grow();
    const { keys, tasks } = this;
    const key = this.arrivals++ - priority * ARRIVALS_MAX;
    let hole = this.length++;
    while (hole > 0) {
      const parent = (hole - 1) >> 1;
      if (keys[parent]! <= key) break;
      keys[hole] = keys[parent]!;
      tasks[hole] = tasks[parent]!;
      hole = parent;
    }
    keys[hole] = key;
    tasks[hole] = task;
  }

  peek(): number {
    return this.tasks[0]!;
  }

  pop(): number {
    const { keys, tasks } = this;
    const top = tasks[0]!;
    const length = --this.length;
    const key = keys[length]!;
    const task = tasks[length]!;
    let hole = 0;
    for (let child = 1; child < length; child = 2 * hole + 1) {
      if (child + 1 < length && keys[child + 1]! < keys[child]!) child++;
      if (keys[child]! >= key) break;
      keys[hole] = keys[child]!;
      tasks[hole] = tasks[child]!;
      hole = child;
    }
    keys[hole] = key;
    tasks[hole] = task;
    return top;
  }

  private grow(): void {
    const keys = new Float64Array(this.keys.length * 2);
    const tasks = new Int32Array(this.tasks.length * 2);
    keys.set(this.keys);
    tasks.set(this.tasks);
    this.keys = keys;
    this.tasks = tasks;
  }
}
