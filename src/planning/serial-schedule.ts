/**
 * What an order comes to when each task, in turn, is put at the earliest time at which it fits: the serial schedule
 * generation scheme (Kelley, 1963; Kolisch, EJOR 90(2), 1996).
 *
 * Unlike a dispatcher it can leave something free for a task that comes later in time but earlier in the order. One
 * of its schedules is a shortest one, which is not so for the dispatcher's (Sprecher, Kolisch and Drexl, EJOR 80(1),
 * 1995).
 */
import { Profile } from './profile.ts';
import type { PlannedNeed, PlannedRow, Schedule, ScheduleProblem } from './schedule-problem.ts';

/**
 * Builds the schedule. O(n^2) for n tasks at worst, little more than O(n log n) where few run at once.
 * @param problem - one of which a dispatcher can start every task: then budgets bound nothing
 * @param order - each task behind its dependencies
 */
export function serialSchedule(problem: ScheduleProblem, order: Int32Array): Schedule {
  const { size, durations, needs, rows, dependentStart, dependents } = problem;
  const profiles = rows.map(({ capacity }) => new Profile(capacity));
  const start = new Float64Array(size);
  const finish = new Float64Array(size);
  let makespan = 0;
  for (const i of order) {
    const duration = durations[i] as number;
    const bounding = (needs[i] as readonly PlannedNeed[]).filter(
      ({ row }) => rows[row]?.comesBack !== 'never',
    );
    const spans = bounding.map(({ row }) => spanOf(rows[row] as PlannedRow, duration));
    const at = firstFit(profiles, bounding, spans, start[i] as number);
    bounding.forEach(({ row, units }, k) => {
      (profiles[row] as Profile).take(at, units, spans[k] as number);
    });
    const end = at + duration;
    start[i] = at;
    finish[i] = end;
    if (end > makespan) makespan = end;
    // Until its turn has come, the start of a task is the earliest that its dependencies leave.
    for (let e = dependentStart[i] as number; e < (dependentStart[i + 1] as number); e++) {
      const next = dependents[e] as number;
      if (end > (start[next] as number)) start[next] = end;
    }
  }
  return { start, finish, makespan, started: size };
}

/** For how long a task takes what it needs of a row. */
function spanOf({ comesBack }: PlannedRow, duration: number): number {
  return typeof comesBack === 'number' ? comesBack : duration;
}

/** The earliest time at which all rows have room. */
function firstFit(
  profiles: readonly Profile[],
  needs: readonly PlannedNeed[],
  spans: readonly number[],
  from: number,
): number {
  let at = from;
  for (let agreeing = 0, k = 0; agreeing < needs.length; k = (k + 1) % needs.length) {
    const { row, units } = needs[k] as PlannedNeed;
    const earliest = (profiles[row] as Profile).earliest(at, units, spans[k] as number);
    agreeing = earliest > at ? 1 : agreeing + 1;
    at = earliest;
  }
  return at;
}
