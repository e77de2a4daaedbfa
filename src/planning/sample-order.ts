/**
 * Orders drawn by chance, near one that is given by keys.
 *
 * Source: regret-based biased random sampling (Drexl, Management Science 37(12), 1991; Kolisch, EJOR 90(2), 1996): of
 * the tasks whose dependencies stand in the order already, each is drawn the more likely, the more would be regretted
 * if the worst of them were drawn in its place.
 */
import { IndexedHeap } from '../base/heap.ts';
import type { ScheduleProblem } from './schedule-problem.ts';

/** At most so many of the best are drawn from, so that a draw costs no more when thousands are ready. */
const CANDIDATES_MAX = 64;

/** How orders are drawn. */
export interface Drawing {
  /** Lower goes first. */
  readonly keys: Float64Array;
  /** How often the first is taken without a draw: 0 to 1. */
  readonly keep: number;
  /** A regret that even the worst candidate has, in the unit of the keys, above 0. */
  readonly least: number;
  readonly random: () => number;
}

/** An order in which each task stands behind its dependencies. */
export function sampleOrder(problem: ScheduleProblem, drawing: Drawing): Int32Array {
  const { size, dependentStart, dependents } = problem;
  const { keys } = drawing;
  const unmet = problem.unmet.slice();
  const order = new Int32Array(size);
  const candidates: number[] = [];
  const others = new IndexedHeap<number>((a, b) => (keys[a] as number) - (keys[b] as number));
  const add = (task: number): void => {
    if (candidates.length < CANDIDATES_MAX) candidates.push(task);
    else others.push(task);
  };
  for (let i = 0; i < size; i++) if (unmet[i] === 0) others.push(i);
  for (let k = 0; k < size; k++) {
    while (candidates.length < CANDIDATES_MAX && others.size > 0) candidates.push(others.pop() as number);
    const place = draw(candidates, drawing);
    const task = candidates[place] as number;
    candidates[place] = candidates[candidates.length - 1] as number;
    candidates.pop();
    order[k] = task;
    for (let e = dependentStart[task] as number; e < (dependentStart[task + 1] as number); e++) {
      const next = dependents[e] as number;
      unmet[next] = (unmet[next] as number) - 1;
      if (unmet[next] === 0) add(next);
    }
  }
  return order;
}

/** The place of the one that is drawn. */
function draw(candidates: readonly number[], { keys, keep, least, random }: Drawing): number {
  let best = 0;
  let worstKey = Number.NEGATIVE_INFINITY;
  candidates.forEach((task, place) => {
    const key = keys[task] as number;
    if (key > worstKey) worstKey = key;
    if (key < (keys[candidates[best] as number] as number)) best = place;
  });
  if (candidates.length === 1 || (keep > 0 && random() < keep)) return best;
  const regret = (task: number): number => worstKey - (keys[task] as number) + least;
  let left = 0;
  for (const task of candidates) left += regret(task);
  left *= random();
  return Math.max(
    0,
    candidates.findIndex((task) => {
      left -= regret(task);
      return left < 0;
    }),
  );
}
