/**
 * The search for an order that ends early.
 *
 * The first try is the rule of latest finish times. Further ones come in rounds of three: an order near the rule
 * (later: near the best so far) by regret-based biased random sampling; the schedule it comes to, built once more from
 * its end backwards; and that one built forwards again. Sources: Kolisch and Hartmann, EJOR 174(1), 2006, for
 * sampling; Li and Willis, EJOR 56(3), 1992, and Valls, Ballestín and Quintanilla, Justification and RCPSP: a technique
 * that pays, EJOR 165(2), 2005, for the passes backwards and forwards; Tormos and Lova, Annals of OR 102, 2001, for
 * both together.
 */
import { dispatch } from './dispatch.ts';
import { latestFinishes, latestFinishOrder } from './latest-finish.ts';
import { sampleOrder } from './sample-order.ts';
import {
  type LowerBounds,
  lowerBounds,
  reversed,
  type Schedule,
  type ScheduleProblem,
} from './schedule-problem.ts';
import { serialSchedule } from './serial-schedule.ts';

/**
 * Which schedules count: those that a dispatcher makes of an order (`parallel`), or also those in which a task is kept
 * waiting, although it fits, for one that comes later (`serial`).
 */
export type Scheme = 'parallel' | 'serial';

/** How an order is searched for. */
export interface SearchOptions {
  readonly scheme: Scheme;
  /** How many schedules are built, from 1; fewer when none can be better. */
  readonly tries: number;
  /** Numbers from 0 to 1, exclusive; asked only when there is more than one try. */
  readonly random: () => number;
}

/** An order, and what comes of it. */
export interface PlannedOrder {
  /** Tasks, first to start first; each behind its dependencies. */
  readonly order: Int32Array;
  readonly schedule: Schedule;
  readonly bounds: LowerBounds;
  /** How many schedules were built. */
  readonly tries: number;
}

/** The part of the tries in which orders near the rule are drawn; then they are drawn near the best. */
const NEAR_THE_RULE = 0.7;

/** How often an order near the best one follows it without a draw. */
const KEEP = 0.6;

/** What even the worst candidate is given, in mean lengths of a task; 1 for lengths of 1 to 10, as in the sources. */
const LEAST_REGRET = 1 / 5.5;

/** The best order that was found; the whole search at once. */
export function listSchedule(problem: ScheduleProblem, options: SearchOptions): PlannedOrder {
  const search = searchOrders(problem, options);
  for (;;) {
    const { done, value } = search.next();
    if (done === true) return value;
  }
}

/** The search, with a halt behind each schedule, so that whoever runs it can do something else between. */
export function* searchOrders(
  problem: ScheduleProblem,
  options: SearchOptions,
): Generator<undefined, PlannedOrder> {
  const search = new Search(problem, options);
  let schedule = search.forward(latestFinishOrder(problem, search.latest), true);
  for (let round = 1; !search.isOver; round++) {
    yield;
    if (search.left >= 2) {
      const back = search.backward(schedule);
      yield;
      search.forward(latestFinishOrder(problem, negated(back.finish)), options.scheme === 'parallel');
      yield;
    }
    if (search.isOver) break;
    const isSerial = options.scheme === 'serial' && round % 2 === 1;
    const order = round === 1 && isSerial ? latestFinishOrder(problem, search.latest) : search.draw();
    schedule = search.forward(order, !isSerial);
  }
  return search.result();
}

class Search {
  readonly latest: Float64Array;
  readonly #problem: ScheduleProblem;
  readonly #reversed: ScheduleProblem;
  readonly #options: SearchOptions;
  readonly #bounds: LowerBounds;
  readonly #leastRegret: number;
  #best: { readonly order: Int32Array; readonly schedule: Schedule } | undefined;
  #built = 0;

  constructor(problem: ScheduleProblem, options: SearchOptions) {
    this.#problem = problem;
    this.#reversed = reversed(problem);
    this.#options = options;
    this.#bounds = lowerBounds(problem);
    this.latest = latestFinishes(problem);
    let total = 0;
    for (const duration of problem.durations) total += duration;
    this.#leastRegret = (LEAST_REGRET * total) / Math.max(1, problem.size) || 1;
  }

  /** How many schedules may still be built. */
  get left(): number {
    return this.#options.tries - this.#built;
  }

  /** Whether no further schedule may be built, or none can be better. */
  get isOver(): boolean {
    const { schedule } = this.#best as { readonly schedule: Schedule };
    const { criticalPath, work } = this.#bounds;
    // What one order does not start, because a budget runs out, no other does.
    const isHopeless = schedule.started < this.#problem.size;
    return this.left <= 0 || isHopeless || schedule.makespan <= Math.max(criticalPath, work);
  }

  /** What an order comes to. */
  forward(order: Int32Array, isDispatched: boolean): Schedule {
    this.#built++;
    const schedule = isDispatched ? dispatch(this.#problem, order) : serialSchedule(this.#problem, order);
    if (this.#best === undefined || schedule.makespan < this.#best.schedule.makespan) {
      const own = isDispatched ? order : latestFinishOrder(this.#problem, schedule.start);
      this.#best = { order: own, schedule };
    }
    return schedule;
  }

  /** Time runs backwards: whoever ended last goes first. */
  backward({ finish }: Schedule): Schedule {
    this.#built++;
    const order = latestFinishOrder(this.#reversed, negated(finish));
    return this.#options.scheme === 'parallel'
      ? dispatch(this.#reversed, order)
      : serialSchedule(this.#reversed, order);
  }

  /** An order by chance. */
  draw(): Int32Array {
    const { random, tries } = this.#options;
    const { schedule } = this.#best as { readonly schedule: Schedule };
    const isNearBest = this.#built >= NEAR_THE_RULE * tries;
    return sampleOrder(this.#problem, {
      keys: isNearBest ? schedule.start : this.latest,
      keep: isNearBest ? KEEP : 0,
      least: this.#leastRegret,
      random,
    });
  }

  result(): PlannedOrder {
    return {
      ...(this.#best as { readonly order: Int32Array; readonly schedule: Schedule }),
      bounds: this.#bounds,
      tries: this.#built,
    };
  }
}

function negated(times: Float64Array): Float64Array {
  return times.map((time) => -time);
}
