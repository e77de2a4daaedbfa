/**
 * The order of latest finish times: whoever has to end first, so that the critical path is kept, goes first.
 *
 * Source: the priority rule LFT (Davis and Patterson, A comparison of heuristic and optimum solutions in
 * resource-constrained project scheduling, Management Science 21(8), 1975); best of the simple rules in Kolisch, Serial
 * and parallel resource-constrained project scheduling methods revisited, EJOR 90(2), 1996, and in Hartmann and Kolisch,
 * EJOR 127(2), 2000.
 */
import { earliestFinishes, type ScheduleProblem } from './schedule-problem.ts';

/** The latest time at which each task can end without making the critical path longer. */
export function latestFinishes(problem: ScheduleProblem): Float64Array {
  const { order, dependentStart, dependents, durations, size } = problem;
  let end = 0;
  for (const finish of earliestFinishes(problem)) if (finish > end) end = finish;
  const latest = new Float64Array(size).fill(end);
  for (let k = size - 1; k >= 0; k--) {
    const i = order[k] as number;
    for (let e = dependentStart[i] as number; e < (dependentStart[i + 1] as number); e++) {
      const next = dependents[e] as number;
      latest[i] = Math.min(latest[i] as number, (latest[next] as number) - (durations[next] as number));
    }
  }
  return latest;
}

/**
 * Tasks in the order of their latest finish times; each stands behind its dependencies.
 * @param keys - other numbers to order by, each at least that of its dependencies
 */
export function latestFinishOrder(problem: ScheduleProblem, keys = latestFinishes(problem)): Int32Array {
  const { order, size } = problem;
  // A task of no length has the latest finish of its dependency: then the order of the plan decides.
  const position = new Int32Array(size);
  for (let k = 0; k < size; k++) position[order[k] as number] = k;
  return order
    .slice()
    .sort(
      (a, b) =>
        (keys[a] as number) - (keys[b] as number) || (position[a] as number) - (position[b] as number),
    );
}
