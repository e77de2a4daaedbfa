/**
 * A tool that keeps a processor busy: it gives each vertex of a graph the lowest number of colours such that no two
 * neighbours have the same one, and proves that fewer will not do. That is NP-hard: some graphs of a hundred vertices
 * take a millisecond, others of the same size longer than anybody lives. Handlers of this module are executed on worker
 * threads, so it imports nothing of the pipeline.
 *
 * Branch and bound by DSATUR: Brélaz, "New methods to color the vertices of a graph" (CACM 22, 1979).
 */
import type { HandlerContext } from '@taskmaster-ai/orchestrator';

/** For each vertex its neighbours. */
export type Graph = readonly (readonly number[])[];

/** The colour of each vertex, from 0. */
export type Colouring = { readonly colours: readonly number[]; readonly count: number };

/** The handler: never returns before it has a proof. */
export function colour({
  dependencies: { clashes },
  progress,
}: HandlerContext<unknown, { readonly clashes: Graph }>): Colouring {
  return fewestColours(clashes, ({ count }) => progress({ colours: count }));
}

/** The quick method: good, and without a proof. */
export function quickColours(graph: Graph): Colouring {
  const colours = new Array<number>(graph.length).fill(-1);
  for (let left = graph.length; left > 0; left--) {
    const vertex = mostConstrained(graph, colours);
    const taken = coloursAround(graph, colours, vertex);
    let free = 0;
    while (taken.has(free)) free++;
    colours[vertex] = free;
  }
  return { colours, count: Math.max(-1, ...colours) + 1 };
}

/** The proven minimum; `onBetter` is told of each colouring that is better than those before. */
export function fewestColours(graph: Graph, onBetter: (found: Colouring) => void): Colouring {
  let best = quickColours(graph);
  onBetter(best);
  // Members of a clique differ in any case, so their colours are settled before the search.
  const clique = greedyClique(graph);
  const colours = new Array<number>(graph.length).fill(-1);
  for (const [at, vertex] of clique.entries()) colours[vertex] = at;

  function search(coloured: number, used: number): void {
    if (coloured === graph.length) {
      best = { colours: [...colours], count: used };
      onBetter(best);
      return;
    }
    const vertex = mostConstrained(graph, colours);
    const taken = coloursAround(graph, colours, vertex);
    // A colour that nobody has is as good as any other such, so one new colour is tried, and only if that may pay.
    for (let next = 0; next <= used && Math.max(used, next + 1) < best.count; next++) {
      if (taken.has(next)) continue;
      colours[vertex] = next;
      search(coloured + 1, Math.max(used, next + 1));
      colours[vertex] = -1;
    }
  }
  if (clique.length < best.count) search(clique.length, clique.length);
  return best;
}

/** The vertex without a colour that has the most colours around it, and among those the most neighbours. */
function mostConstrained(graph: Graph, colours: readonly number[]): number {
  let found = -1;
  let foundTaken = -1;
  for (const [vertex, neighbours] of graph.entries()) {
    if (colours[vertex] !== -1) continue;
    const taken = coloursAround(graph, colours, vertex).size;
    if (taken < foundTaken) continue;
    if (taken === foundTaken && neighbours.length <= (graph[found]?.length ?? -1)) continue;
    found = vertex;
    foundTaken = taken;
  }
  return found;
}

function coloursAround(graph: Graph, colours: readonly number[], vertex: number): ReadonlySet<number> {
  const taken = new Set<number>();
  for (const neighbour of graph[vertex] ?? []) {
    const colour = colours[neighbour] ?? -1;
    if (colour !== -1) taken.add(colour);
  }
  return taken;
}

/** Vertices that are all neighbours of each other, the best connected first. */
function greedyClique(graph: Graph): readonly number[] {
  const clique: number[] = [];
  const byDegree = [...graph.keys()].sort((a, b) => (graph[b]?.length ?? 0) - (graph[a]?.length ?? 0));
  for (const vertex of byDegree)
    if (clique.every((member) => graph[vertex]?.includes(member))) clique.push(vertex);
  return clique;
}
