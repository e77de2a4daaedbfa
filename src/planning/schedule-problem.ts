/**
 * Tasks with durations, dependencies and needs: what a schedule search is asked about. Everything is a number, so that
 * it knows neither the ledger nor a run.
 */

/** Something that there is only so much of. */
export interface PlannedRow {
  /** In units. */
  readonly capacity: number;
  /** When what a task has taken comes back: at its end, so many milliseconds after its start, or never. */
  readonly comesBack: 'end' | 'never' | number;
}

/** An amount of one row. */
export interface PlannedNeed {
  /** The place of the row in `rows`. */
  readonly row: number;
  /** In units, above 0. */
  readonly units: number;
}

/** Tasks are numbers; edges are flat arrays, as in a compiled plan. */
export interface ScheduleProblem {
  readonly size: number;
  /** Each task behind its dependencies. */
  readonly order: Int32Array;
  /** The dependents of task `i` are `dependents[dependentStart[i] … dependentStart[i + 1])`. */
  readonly dependentStart: Int32Array;
  readonly dependents: Int32Array;
  /** How many different dependencies each task has. */
  readonly unmet: Int32Array;
  /** In milliseconds, from 0. */
  readonly durations: Float64Array;
  readonly rows: readonly PlannedRow[];
  /** What tasks take while they run; tasks with the same needs share one array. */
  readonly needs: readonly (readonly PlannedNeed[])[];
}

/** When each task starts and ends. */
export interface Schedule {
  /** In milliseconds from the beginning; `NaN` for a task that never starts. */
  readonly start: Float64Array;
  readonly finish: Float64Array;
  /** When the last one ends. */
  readonly makespan: number;
  /** How many start. */
  readonly started: number;
}

/** No schedule is shorter than these. */
export interface LowerBounds {
  /** The longest chain of dependencies. */
  readonly criticalPath: number;
  /** The longest time that one row needs to serve all the work. */
  readonly work: number;
}

/** What no schedule can beat: the critical path, and for each row the work over the capacity. */
export function lowerBounds(problem: ScheduleProblem): LowerBounds {
  const { rows, needs, durations, size } = problem;
  const load = new Float64Array(rows.length);
  for (let i = 0; i < size; i++) {
    for (const { row, units } of needs[i] as readonly PlannedNeed[])
      load[row] =
        (load[row] as number) + (rows[row]?.comesBack === 'end' ? units * (durations[i] as number) : units);
  }
  let work = 0;
  rows.forEach(({ capacity, comesBack }, row) => {
    const total = load[row] as number;
    if (comesBack === 'end') work = Math.max(work, total / capacity);
    else if (comesBack !== 'never') work = Math.max(work, (Math.ceil(total / capacity) - 1) * comesBack);
  });
  const ends = earliestFinishes(problem);
  let criticalPath = 0;
  for (const end of ends) if (end > criticalPath) criticalPath = end;
  return { criticalPath, work };
}

/** When each task could end if there were enough of everything. */
export function earliestFinishes({
  order,
  dependentStart,
  dependents,
  durations,
  size,
}: ScheduleProblem): Float64Array {
  const start = new Float64Array(size);
  const finish = new Float64Array(size);
  for (const i of order) {
    const end = (start[i] as number) + (durations[i] as number);
    finish[i] = end;
    for (let e = dependentStart[i] as number; e < (dependentStart[i + 1] as number); e++) {
      const next = dependents[e] as number;
      if (end > (start[next] as number)) start[next] = end;
    }
  }
  return finish;
}

/**
 * The same with every edge turned round, for schedules that are built from their end. What time gives back counts as if
 * it were taken from the start of a task in that direction too, so of such rows the result is a guide and no schedule.
 */
export function reversed(problem: ScheduleProblem): ScheduleProblem {
  const { size, order, dependentStart, dependents, unmet } = problem;
  const start = new Int32Array(size + 1);
  for (let i = 0; i < size; i++) start[i + 1] = (start[i] as number) + (unmet[i] as number);
  const next = start.slice();
  const dependencies = new Int32Array(dependents.length);
  const count = new Int32Array(size);
  for (let i = 0; i < size; i++) {
    count[i] = (dependentStart[i + 1] as number) - (dependentStart[i] as number);
    for (let e = dependentStart[i] as number; e < (dependentStart[i + 1] as number); e++) {
      const to = dependents[e] as number;
      dependencies[next[to] as number] = i;
      next[to] = (next[to] as number) + 1;
    }
  }
  return {
    ...problem,
    order: order.slice().reverse(),
    dependentStart: start,
    dependents: dependencies,
    unmet: count,
  };
}
