/**
 * The graphs that every peer runs, and the names W1 to W5 under which their figures are known.
 *
 * A graph is given in both forms, built before any clock is read: strings (ids and lists of dependency ids) for the
 * peers that start from strings, and ready integer arrays for those that are about pure scheduling. So the define
 * part of the latter is not comparable, only their total is, as a floor.
 *
 * Random graphs and priorities come from a fixed seed: every peer, round and session runs the same ones.
 */

export type TaskBody = () => Promise<void>;

export interface Graph {
  readonly size: number;
  readonly ids: readonly string[];
  readonly parentIds: readonly (readonly string[])[];
  /** `children[childStart[i] .. childStart[i + 1]]` are those that wait for task `i`; parents likewise. */
  readonly childStart: Int32Array;
  readonly children: Int32Array;
  readonly parentStart: Int32Array;
  readonly parents: Int32Array;
  readonly inDegrees: Int32Array;
  /** Higher runs first; all 0 except in W5. */
  readonly priorities: Int32Array;
  /** Most tasks that may run at once, or undefined for no limit. */
  readonly limit: number | undefined;
  /** What task `i` does. A timed run counts, a verification run also checks the order. */
  readonly tasks: readonly TaskBody[];
}

export interface Workload {
  readonly name: WorkloadName;
  readonly title: string;
  /** How many runs of the graph are submitted at once. */
  readonly copies: number;
  readonly parents: () => number[][];
  readonly priorities?: (size: number) => Int32Array;
  readonly limit?: number;
}

export const WORKLOAD_NAMES = ['W1', 'W2', 'W3', 'W3L', 'W4', 'W5'] as const;
export type WorkloadName = (typeof WORKLOAD_NAMES)[number];

const SEED = 20_251_122;
const PRIORITY_COUNT = 1_000;

export const WORKLOADS: Readonly<Record<WorkloadName, Workload>> = {
  W1: { name: 'W1', title: 'chain of 10,000', copies: 1, parents: () => chain(10_000) },
  W2: { name: 'W2', title: 'fan 1-10,000-1', copies: 1, parents: () => fan(10_000) },
  W3: { name: 'W3', title: '100 layers of 100, 3 parents', copies: 1, parents: () => layered(100, 100) },
  W3L: {
    name: 'W3L',
    title: '1,000 layers of 100, 3 parents',
    copies: 1,
    parents: () => layered(1_000, 100),
  },
  W4: { name: 'W4', title: '1,000 diamonds of 10 at once', copies: 1_000, parents: () => fan(8) },
  W5: {
    name: 'W5',
    title: '10,000 wide, limit 16, priorities',
    copies: 1,
    parents: () => Array.from({ length: 10_000 }, () => []),
    priorities: randomPriorities,
    limit: 16,
  },
};

/** A list of parents per task; positions are the tasks' numbers and parents always come first. */
export function chain(size: number): number[][] {
  return Array.from({ length: size }, (_, index) => (index === 0 ? [] : [index - 1]));
}

/** One task, `width` tasks after it, and one that waits for them all. */
export function fan(width: number): number[][] {
  const middle = Array.from({ length: width }, () => [0]);
  return [[], ...middle, Array.from({ length: width }, (_, index) => index + 1)];
}

/** Every task but those of the first layer waits for three different ones of the layer before. */
export function layered(layers: number, width: number): number[][] {
  const random = seededRandom(SEED);
  const parents: number[][] = [];
  for (let layer = 0; layer < layers; layer++) {
    const firstOfPrevious = (layer - 1) * width;
    for (let column = 0; column < width; column++) {
      const chosen = new Set<number>();
      while (layer > 0 && chosen.size < 3) chosen.add(firstOfPrevious + Math.floor(random() * width));
      parents.push([...chosen]);
    }
  }
  return parents;
}

function randomPriorities(size: number): Int32Array {
  const random = seededRandom(SEED);
  return Int32Array.from({ length: size }, () => Math.floor(random() * PRIORITY_COUNT));
}

/** mulberry32: small, and the same on every machine, which Math.random is not. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function workloadGraph(workload: Workload, body: TaskBody): Graph {
  const parents = workload.parents();
  return buildGraph(parents, {
    priorities: workload.priorities?.(parents.length),
    limit: workload.limit,
    body: () => body,
  });
}

export interface GraphOptions {
  readonly priorities?: Int32Array | undefined;
  readonly limit?: number | undefined;
  readonly body: (index: number) => TaskBody;
}

export function buildGraph(parents: readonly (readonly number[])[], options: GraphOptions): Graph {
  const size = parents.length;
  const ids = Array.from({ length: size }, (_, index) => `task-${index}`);
  const children: number[][] = Array.from({ length: size }, () => []);
  parents.forEach((list, index) => {
    for (const parent of list) children[parent]?.push(index);
  });
  const flatChildren = flatten(children);
  const flatParents = flatten(parents);
  return {
    size,
    ids,
    // Other strings than the ids themselves, as in definitions that come from a file.
    parentIds: parents.map((list) => list.map((parent) => `task-${parent}`)),
    childStart: flatChildren.start,
    children: flatChildren.values,
    parentStart: flatParents.start,
    parents: flatParents.values,
    inDegrees: Int32Array.from(parents, (list) => list.length),
    priorities: options.priorities ?? new Int32Array(size),
    limit: options.limit,
    tasks: Array.from({ length: size }, (_, index) => options.body(index)),
  };
}

/** The same graph for whoever reads integers only. */
export function withoutStrings(graph: Graph): Graph {
  return { ...graph, ids: [], parentIds: [] };
}

function flatten(lists: readonly (readonly number[])[]): { start: Int32Array; values: Int32Array } {
  const start = new Int32Array(lists.length + 1);
  lists.forEach((list, index) => {
    start[index + 1] = (start[index] ?? 0) + list.length;
  });
  return { start, values: Int32Array.from(lists.flat()) };
}
