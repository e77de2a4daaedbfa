/**
 * The limit: what the machine can do when nothing is kept but the order. Integers only, in-degrees in one typed
 * array, children in one flat array, ready tasks in a ring (W5: a heap) of integers, one promise and one wait per
 * task. It has no ids, no states, no events, no results and no errors: a failing task would end the process.
 *
 * The wait is a bare `then` with a closure. An `async` wrapper around each task reads better, but costs a second
 * promise and a generator frame, and would make the yardstick 1.5 to 2 times longer.
 *
 * All ratios of the bench are against this one.
 */
import type { Adapter } from '../adapter.ts';
import type { Graph } from '../workloads.ts';

export const limit: Adapter<Graph> = {
  name: 'limit',
  startsFrom: 'integers',
  reusable: true,
  // The integer arrays are given ready, so there is nothing to define.
  define: (graph) => graph,
  run: (graph) => (graph.limit === undefined ? runUnlimited(graph) : runLimited(graph, graph.limit)),
};

function runUnlimited(graph: Graph): Promise<void> {
  return new Promise((resolve) => {
    const { size, childStart, children, tasks } = graph;
    const missing = graph.inDegrees.slice();
    // Every task enters once, so a ring as long as the graph never wraps.
    const ring = new Int32Array(size);
    let head = 0;
    let tail = 0;
    let open = size;

    function finish(task: number): void {
      const end = childStart[task + 1]!;
      for (let edge = childStart[task]!; edge < end; edge++) {
        const child = children[edge]!;
        if (--missing[child]! === 0) ring[tail++] = child;
      }
      open--;
      if (open === 0) resolve();
      else drain();
    }

    function drain(): void {
      while (head < tail) {
        const task = ring[head++]!;
        void tasks[task]!().then(() => finish(task));
      }
    }

    for (let task = 0; task < size; task++) if (missing[task] === 0) ring[tail++] = task;
    drain();
  });
}

function runLimited(graph: Graph, most: number): Promise<void> {
  return new Promise((resolve) => {
    const { size, childStart, children, tasks, priorities } = graph;
    const missing = graph.inDegrees.slice();
    const ready = new IntHeap(size);
    let running = 0;
    let open = size;
    let arrivals = 0;

    function finish(task: number): void {
      const end = childStart[task + 1]!;
      for (let edge = childStart[task]!; edge < end; edge++) {
        const child = children[edge]!;
        if (--missing[child]! === 0) push(child);
      }
      running--;
      open--;
      if (open === 0) resolve();
      else drain();
    }

    function push(task: number): void {
      // Priority above, order of arrival below: one number compares both, and ties are first come first served.
      ready.push((KEY_PRIORITY_MAX - priorities[task]!) * size + arrivals++, task);
    }

    function drain(): void {
      while (running < most && ready.length > 0) {
        running++;
        const task = ready.pop();
        void tasks[task]!().then(() => finish(task));
      }
    }

    for (let task = 0; task < size; task++) if (missing[task] === 0) push(task);
    drain();
  });
}

/** Keys stay far below 2^53 for any graph of the bench. */
const KEY_PRIORITY_MAX = 1 << 20;

/** A binary min-heap of integers with their keys beside them in a second array. */
class IntHeap {
  length = 0;
  private readonly keys: Float64Array;
  private readonly items: Int32Array;

  constructor(capacity: number) {
    this.keys = new Float64Array(capacity);
    this.items = new Int32Array(capacity);
  }

  push(key: number, item: number): void {
    const { keys, items } = this;
    let hole = this.length++;
    while (hole > 0) {
      const parent = (hole - 1) >> 1;
      if (keys[parent]! <= key) break;
      keys[hole] = keys[parent]!;
      items[hole] = items[parent]!;
      hole = parent;
    }
    keys[hole] = key;
    items[hole] = item;
  }

  pop(): number {
    const { keys, items } = this;
    const top = items[0]!;
    const length = --this.length;
    const key = keys[length]!;
    const item = items[length]!;
    let hole = 0;
    for (let child = 1; child < length; child = 2 * hole + 1) {
      if (child + 1 < length && keys[child + 1]! < keys[child]!) child++;
      if (keys[child]! >= key) break;
      keys[hole] = keys[child]!;
      items[hole] = items[child]!;
      hole = child;
    }
    keys[hole] = key;
    items[hole] = item;
    return top;
  }
}
