/**
 * What a dispatcher makes of an order: at every moment at which something ends or comes back, it starts what fits, first
 * in the order first, and passes over what does not fit.
 *
 * This is the parallel schedule generation scheme (Kelley, The critical-path method: resources planning and scheduling,
 * 1963; Kolisch, EJOR 90(2), 1996). It is what the task scheduler does, so that the makespan is the one that a run has
 * whose tasks take as long as they were estimated.
 */
import { IndexedHeap } from '../base/heap.ts';
import type { PlannedNeed, PlannedRow, Schedule, ScheduleProblem } from './schedule-problem.ts';

/** Ready tasks with the same needs: when the first of them does not fit, none does. */
interface Lane {
  readonly needs: readonly PlannedNeed[];
  readonly ready: IndexedHeap<number>;
}

/** Something that happens at a time: a task ends, or, without one, what needs say comes back. */
interface Due {
  readonly at: number;
  readonly task: number | undefined;
  readonly gives: readonly PlannedNeed[];
}

/** Carries out an order in thought. O(n log n) for n tasks of a few different needs. */
export function dispatch(problem: ScheduleProblem, order: Int32Array): Schedule {
  return new Dispatcher(problem, order).run();
}

class Dispatcher {
  readonly #problem: ScheduleProblem;
  readonly #rank: Int32Array;
  readonly #unmet: Int32Array;
  readonly #free: Float64Array;
  readonly #laneOf = new Map<readonly PlannedNeed[], Lane>();
  readonly #lanes: Lane[] = [];
  readonly #due = new IndexedHeap<Due>((a, b) => a.at - b.at);
  readonly #start: Float64Array;
  readonly #finish: Float64Array;
  #started = 0;
  #makespan = 0;

  constructor(problem: ScheduleProblem, order: Int32Array) {
    this.#problem = problem;
    this.#rank = new Int32Array(problem.size);
    order.forEach((task, place) => {
      this.#rank[task] = place;
    });
    this.#unmet = problem.unmet.slice();
    this.#free = Float64Array.from(problem.rows, ({ capacity }) => capacity);
    this.#start = new Float64Array(problem.size).fill(Number.NaN);
    this.#finish = new Float64Array(problem.size).fill(Number.NaN);
  }

  run(): Schedule {
    for (let i = 0; i < this.#problem.size; i++) if (this.#unmet[i] === 0) this.#ready(i);
    for (let now = 0; ; ) {
      this.#startWhatFits(now);
      const next = this.#due.peek();
      if (next === undefined) break;
      now = next.at;
      while (this.#due.peek()?.at === now) this.#happen(this.#due.pop() as Due);
    }
    return {
      start: this.#start,
      finish: this.#finish,
      makespan: this.#makespan,
      started: this.#started,
    };
  }

  #ready(task: number): void {
    const needs = this.#problem.needs[task] as readonly PlannedNeed[];
    let lane = this.#laneOf.get(needs);
    if (lane === undefined) {
      lane = {
        needs,
        ready: new IndexedHeap<number>((a, b) => (this.#rank[a] as number) - (this.#rank[b] as number)),
      };
      this.#laneOf.set(needs, lane);
      this.#lanes.push(lane);
    }
    lane.ready.push(task);
  }

  #startWhatFits(now: number): void {
    // Within one moment there is only less and less: who does not fit now need not be asked again.
    const open = new IndexedHeap<Lane>((a, b) => this.#firstRank(a) - this.#firstRank(b));
    for (const lane of this.#lanes) if (lane.ready.size > 0) open.push(lane);
    for (let lane = open.pop(); lane !== undefined; lane = open.pop()) {
      if (!this.#fits(lane)) continue;
      this.#begin(lane.ready.pop() as number, lane.needs, now);
      if (lane.ready.size > 0) open.push(lane);
    }
  }

  #firstRank(lane: Lane): number {
    return this.#rank[lane.ready.peek() as number] as number;
  }

  #fits({ needs }: Lane): boolean {
    return needs.every(({ row, units }) => units <= (this.#free[row] as number));
  }

  #begin(task: number, needs: readonly PlannedNeed[], now: number): void {
    const end = now + (this.#problem.durations[task] as number);
    this.#start[task] = now;
    this.#finish[task] = end;
    this.#makespan = Math.max(this.#makespan, end);
    this.#started++;
    const atEnd: PlannedNeed[] = [];
    for (const need of needs) {
      this.#free[need.row] = (this.#free[need.row] as number) - need.units;
      const { comesBack } = this.#problem.rows[need.row] as PlannedRow;
      if (comesBack === 'end') atEnd.push(need);
      else if (comesBack !== 'never') this.#due.push({ at: now + comesBack, task: undefined, gives: [need] });
    }
    this.#due.push({ at: end, task, gives: atEnd });
  }

  #happen({ task, gives }: Due): void {
    for (const { row, units } of gives) this.#free[row] = (this.#free[row] as number) + units;
    if (task === undefined) return;
    const { dependentStart, dependents } = this.#problem;
    for (let e = dependentStart[task] as number; e < (dependentStart[task + 1] as number); e++) {
      const next = dependents[e] as number;
      this.#unmet[next] = (this.#unmet[next] as number) - 1;
      if (this.#unmet[next] === 0) this.#ready(next);
    }
  }
}
