/** Walks through a graph: all of them loops, since a chain of tasks can be longer than any stack. */
import { checkInteger } from '../checks.ts';
import { refuse } from '../errors.ts';
import type { KeyedGraph } from './graph-data.ts';

const PATHS_LIMIT = 1_000_000;

/** What can be reached from a node along its edges or against them, without the node itself. */
export function reachable(graph: KeyedGraph, start: string, along: 'in' | 'out'): ReadonlySet<string> {
  const found = new Set<string>();
  const open = [start];
  const visit = (key: string): void => {
    if (found.has(key)) return;
    found.add(key);
    open.push(key);
  };
  for (let key = open.pop(); key !== undefined; key = open.pop()) {
    if (along === 'out') graph.forEachOutNeighbor(key, visit);
    else graph.forEachInNeighbor(key, visit);
  }
  return found;
}

/**
 * All paths between two nodes of a graph without cycles. Only nodes from which the end can be reached are entered, so
 * no step is in vain.
 *
 * @throws OrchestratorError `OPTION_INVALID`, `LIMIT_EXCEEDED`
 */
export function pathsBetween(
  graph: KeyedGraph,
  from: string,
  to: string,
  max: number,
): readonly (readonly string[])[] {
  const limit = checkInteger(max, 'paths/max', 1, PATHS_LIMIT);
  if (from === to) return [[from]];
  const useful = new Set(reachable(graph, to, 'in')).add(to);
  if (!useful.has(from)) return [];
  const steps = (key: string): string[] => graph.outNeighbors(key).filter((next) => useful.has(next));
  const paths: string[][] = [];
  const path = [from];
  const left = [steps(from)];
  while (path.length > 0) {
    const next = left[left.length - 1]?.shift();
    if (next === undefined) {
      path.pop();
      left.pop();
    } else if (next === to) {
      if (paths.length >= limit)
        throw refuse('LIMIT_EXCEEDED', {
          at: 'paths',
          found: `more than ${limit} paths`,
          allowed: `at most ${limit}`,
          hint: 'Raise max, or ask for a part of the graph.',
        });
      paths.push([...path, to]);
    } else {
      path.push(next);
      left.push(steps(next));
    }
  }
  return paths;
}

/**
 * The keys of edges that follow from others: `a → c` when there is another way from `a` to `c`.
 *
 * @param sorted - all nodes in topological order
 */
export function redundantEdges(graph: KeyedGraph, sorted: readonly string[]): ReadonlySet<string> {
  const place = new Map(sorted.map((key, i) => [key, i]));
  const placeOf = (key: string): number => place.get(key) as number;
  const redundant = new Set<string>();
  for (const key of sorted) {
    const targets = graph.outNeighbors(key).sort((a, b) => placeOf(a) - placeOf(b));
    if (targets.length < 2) continue;
    // What lies behind the last target leads to none of them.
    const last = placeOf(targets[targets.length - 1] as string);
    const seen = new Set<string>();
    for (const target of targets) {
      if (seen.has(target)) {
        redundant.add(graph.edge(key, target) as string);
        continue;
      }
      const open = [target];
      for (let at = open.pop(); at !== undefined; at = open.pop()) {
        graph.forEachOutNeighbor(at, (next) => {
          if (seen.has(next) || placeOf(next) > last) return;
          seen.add(next);
          open.push(next);
        });
      }
    }
  }
  return redundant;
}
