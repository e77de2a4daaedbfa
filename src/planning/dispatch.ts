/**
 * What a dispatcher makes of an order: at every moment at which something ends or comes back, it starts what fits, first
 * in the order first, and passes over what does not fit.
 *
 * This is the parallel schedule generation scheme (Kelley, The critical-path method: resources planning and scheduling,
 * 1963; Kolisch, EJOR 90(2), 1996). It is what the task scheduler does, so that the makespan is the one that a run has
 * whose tasks take as long as they were estimated.
 */
import { type FitNode, FitTree } from '../base/fit-tree.ts';
import { type HeapHandle, IndexedHeap } from '../base/heap.ts';
import type { PlannedNeed, PlannedRow, Schedule, ScheduleProblem } from './schedule-problem.ts';

/**
 * Ready tasks with the same needs: when the first of them does not fit, none does. A lane is looked at in this moment
 * (`open`), or stands at a row that has too little for it (`parkedAt`), or, when it is empty, nowhere.
 */
interface Lane {
  readonly needs: readonly PlannedNeed[];
  readonly ready: IndexedHeap<number>;
  open: HeapHandle<Lane> | undefined;
  parkedAt: number | undefined;
  node: FitNode<Lane> | undefined;
  /** The row that has called it, since it has more now. */
  calledBy: number | undefined;
}

/** Something that happens at a time: a task ends, or, without one, what needs say comes back. */
interface Due {
  readonly at: number;
  readonly task: number | undefined;
  readonly gives: readonly PlannedNeed[];
}

/** Carries out an order in thought. O(n log n) for n tasks of few needs each, as long as most that are called fit. */
export function dispatch(problem: ScheduleProblem, order: Int32Array): Schedule {
  return new Dispatcher(problem, order).run();
}

class Dispatcher {
  readonly #problem: ScheduleProblem;
  readonly #rank: Int32Array;
  readonly #unmet: Int32Array;
  readonly #free: Float64Array;
  readonly #laneOf = new Map<readonly PlannedNeed[], Lane>();
  readonly #open: IndexedHeap<Lane>;
  /** By row: the lanes that stand there. */
  readonly #parked: readonly FitTree<Lane>[];
  /** By row: the lane that it has called, until that was looked at. */
  readonly #called: (Lane | undefined)[];
  /** The rows that have to call somebody, perhaps. */
  readonly #gaining: number[] = [];
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
    const byRank = (a: Lane, b: Lane): number => this.#firstRank(a) - this.#firstRank(b);
    this.#open = new IndexedHeap<Lane>(byRank);
    this.#parked = problem.rows.map(() => new FitTree<Lane>(byRank));
    this.#called = problem.rows.map(() => undefined);
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
      const ready = new IndexedHeap<number>((a, b) => (this.#rank[a] as number) - (this.#rank[b] as number));
      lane = { needs, ready, open: undefined, parkedAt: undefined, node: undefined, calledBy: undefined };
      this.#laneOf.set(needs, lane);
    }
    // Its first may be another one now, so it must not stand in an order meanwhile.
    this.#leave(lane);
    lane.ready.push(task);
    lane.open = this.#open.push(lane);
  }

  #leave(lane: Lane): void {
    if (lane.open !== undefined) this.#open.remove(lane.open);
    if (lane.parkedAt !== undefined) this.#parked[lane.parkedAt]?.delete(lane.node as FitNode<Lane>);
    lane.open = undefined;
    lane.parkedAt = undefined;
    lane.node = undefined;
    if (lane.calledBy === undefined) return;
    this.#called[lane.calledBy] = undefined;
    this.#gaining.push(lane.calledBy);
    lane.calledBy = undefined;
  }

  #startWhatFits(now: number): void {
    for (;;) {
      this.#call();
      const lane = this.#open.peek();
      if (lane === undefined) return;
      this.#leave(lane);
      const lacking = lane.needs.find(({ row, units }) => units > (this.#free[row] as number));
      if (lacking !== undefined) {
        lane.parkedAt = lacking.row;
        lane.node = this.#parked[lacking.row]?.insert(lane, lacking.units);
        continue;
      }
      this.#begin(lane.ready.pop() as number, lane.needs, now);
      if (lane.ready.size > 0) lane.open = this.#open.push(lane);
    }
  }

  /** Every row that has more calls the first lane there that fits; the next one when that has been looked at. */
  #call(): void {
    for (let row = this.#gaining.pop(); row !== undefined; row = this.#gaining.pop()) {
      if (this.#called[row] !== undefined) continue;
      const lane = this.#parked[row]?.firstFitting(this.#free[row] as number);
      if (lane === undefined) continue;
      this.#leave(lane);
      lane.calledBy = row;
      this.#called[row] = lane;
      lane.open = this.#open.push(lane);
    }
  }

  #firstRank(lane: Lane): number {
    return this.#rank[lane.ready.peek() as number] as number;
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
    for (const { row, units } of gives) {
      this.#free[row] = (this.#free[row] as number) + units;
      this.#gaining.push(row);
    }
    if (task === undefined) return;
    const { dependentStart, dependents } = this.#problem;
    for (let e = dependentStart[task] as number; e < (dependentStart[task + 1] as number); e++) {
      const next = dependents[e] as number;
      this.#unmet[next] = (this.#unmet[next] as number) - 1;
      if (this.#unmet[next] === 0) this.#ready(next);
    }
  }
}
