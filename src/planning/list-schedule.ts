/** The search for an order in which a dispatcher ends early. */
import { dispatch } from './dispatch.ts';
import { latestFinishes, latestFinishOrder } from './latest-finish.ts';
import { type LowerBounds, lowerBounds, type Schedule, type ScheduleProblem } from './schedule-problem.ts';

/** An order, and what comes of it. */
export interface PlannedOrder {
  /** Tasks, first to start first; each behind its dependencies. */
  readonly order: Int32Array;
  readonly schedule: Schedule;
  readonly bounds: LowerBounds;
  /** How many orders were tried. */
  readonly tries: number;
}

/**
 * Latest-finish-time list scheduling; with more than one try, also orders near it, of which the best counts: latest
 * finish times are shifted by chance, as in the sampling methods of Hartmann and Kolisch (EJOR 127(2), 2000).
 *
 * @param tries - from 1; the first is the rule itself. It ends early when no order can be better.
 * @param random - numbers from 0 to 1, exclusive; asked only when there is more than one try
 */
export function listSchedule(problem: ScheduleProblem, tries: number, random: () => number): PlannedOrder {
  const bounds = lowerBounds(problem);
  const least = Math.max(bounds.criticalPath, bounds.work);
  const latest = latestFinishes(problem);
  let order = latestFinishOrder(problem, latest);
  let schedule = dispatch(problem, order);
  let tried = 1;
  for (; tried < tries && schedule.makespan > least; tried++) {
    const other = latestFinishOrder(problem, shifted(problem, latest, random));
    const result = dispatch(problem, other);
    if (result.started < schedule.started || result.makespan >= schedule.makespan) continue;
    order = other;
    schedule = result;
  }
  return { order, schedule, bounds, tries: tried };
}

/** The keys shifted by up to the mean length of a few tasks, none before that of a dependency. */
function shifted(problem: ScheduleProblem, keys: Float64Array, random: () => number): Float64Array {
  const { order, dependentStart, dependents, durations, size } = problem;
  let total = 0;
  for (const duration of durations) total += duration;
  const span = (SHIFT * total) / Math.max(1, size);
  const moved = keys.map((key) => key + span * random());
  for (const i of order) {
    for (let e = dependentStart[i] as number; e < (dependentStart[i + 1] as number); e++) {
      const next = dependents[e] as number;
      if ((moved[next] as number) < (moved[i] as number)) moved[next] = moved[i] as number;
    }
  }
  return moved;
}

/** How many mean lengths of a task the keys are shifted by at most. A guess; no other width was measured. */
const SHIFT = 3;
