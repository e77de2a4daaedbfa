/** The edges of a graph in flat arrays, as in a compiled plan. */
export interface FlatGraph {
  readonly size: number;
  readonly start: Int32Array;
  readonly targets: Int32Array;
}

/** How many edge visits the search for the shortest cycle of one component may cost. */
const EFFORT_MAX = 4_000_000;

/**
 * Finds one shortest cycle in each strongly connected component that has one, in the order of their first
 * members. Iterative, so that no graph is too deep for the stack.
 *
 * Components by Tarjan (Depth-first search and linear graph algorithms, 1972); the shortest cycle by a
 * breadth-first search from each member, which stops at the best length found. In a component so large that
 * this would cost more than four million visits, the shortest is taken over the searches within that effort.
 *
 * @returns cycles as node numbers without the repeated last one
 */
export function findCycles(graph: FlatGraph): readonly (readonly number[])[] {
  const component = components(graph);
  const members = new Map<number, number[]>();
  for (let i = 0; i < graph.size; i++) {
    const id = component[i] as number;
    const list = members.get(id);
    if (list === undefined) members.set(id, [i]);
    else list.push(i);
  }
  const cycles: (readonly number[])[] = [];
  for (const list of members.values()) {
    if (list.length > 1) cycles.push(shortestCycle(graph, component, list));
  }
  return cycles;
}

/** Gives each node the number of its strongly connected component. */
function components(graph: FlatGraph): Int32Array {
  const { size, start, targets } = graph;
  const component = new Int32Array(size).fill(-1);
  const index = new Int32Array(size).fill(-1);
  const low = new Int32Array(size);
  const cursor = new Int32Array(size);
  const open: number[] = [];
  const stack: number[] = [];
  let counter = 0;
  let count = 0;
  const enter = (node: number): void => {
    index[node] = low[node] = counter++;
    cursor[node] = start[node] as number;
    open.push(node);
    stack.push(node);
  };
  const leave = (node: number): void => {
    stack.pop();
    const parent = stack[stack.length - 1];
    if (parent !== undefined) low[parent] = Math.min(low[parent] as number, low[node] as number);
    if (low[node] !== index[node]) return;
    let member: number | undefined;
    do {
      member = open.pop() as number;
      component[member] = count;
    } while (member !== node);
    count++;
  };
  for (let root = 0; root < size; root++) {
    if (index[root] !== -1) continue;
    enter(root);
    while (stack.length > 0) {
      const node = stack[stack.length - 1] as number;
      if ((cursor[node] as number) >= (start[node + 1] as number)) {
        leave(node);
        continue;
      }
      const next = targets[cursor[node] as number] as number;
      cursor[node] = (cursor[node] as number) + 1;
      if (index[next] === -1) enter(next);
      else if (component[next] === -1) low[node] = Math.min(low[node] as number, index[next] as number);
    }
  }
  return component;
}

function shortestCycle(
  graph: FlatGraph,
  component: Int32Array,
  members: readonly number[],
): readonly number[] {
  const previous = new Int32Array(graph.size);
  const mark = new Int32Array(graph.size).fill(-1);
  let best: readonly number[] = [];
  let effort = EFFORT_MAX;
  for (const root of members) {
    const limit = best.length === 0 ? Number.POSITIVE_INFINITY : best.length - 1;
    const search = cycleThrough(graph, component, root, limit, previous, mark);
    if (search.cycle !== undefined) best = search.cycle;
    effort -= search.visits;
    if (best.length === 2 || effort <= 0) break;
  }
  return best;
}

/** Breadth-first search from a node back to itself, inside its component, over at most `limit` edges. */
function cycleThrough(
  graph: FlatGraph,
  component: Int32Array,
  root: number,
  limit: number,
  previous: Int32Array,
  mark: Int32Array,
): { readonly cycle: readonly number[] | undefined; readonly visits: number } {
  let frontier: number[] = [root];
  let visits = 0;
  mark[root] = root;
  for (let length = 1; length <= limit && frontier.length > 0; length++) {
    const next: number[] = [];
    for (const node of frontier) {
      const end = graph.start[node + 1] as number;
      for (let e = graph.start[node] as number; e < end; e++) {
        const target = graph.targets[e] as number;
        visits++;
        if (target === root) return { cycle: unwind(root, node, previous), visits };
        if (component[target] !== component[root] || mark[target] === root) continue;
        mark[target] = root;
        previous[target] = node;
        next.push(target);
      }
    }
    frontier = next;
  }
  return { cycle: undefined, visits };
}

function unwind(root: number, last: number, previous: Int32Array): readonly number[] {
  const cycle = [last];
  for (let node = last; node !== root; ) {
    node = previous[node] as number;
    cycle.push(node);
  }
  return cycle.reverse();
}
