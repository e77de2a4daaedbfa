/**
 * Decides which ready task starts next, over all runs.
 *
 * Owns: the tickets that wait, the policy of their order, whether tasks start at all. Who may call it: the run
 * loop, the facade.
 *
 * TS1  A task starts only with all its needs taken; while it waits it holds none.
 * TS2  Among those that can have their needs, the best by the policy starts first.
 * TS3  While it is paused nothing starts, and nothing that runs is touched.
 */
import type { ScopeState } from '../../machine/state.ts';
import type { OrchestratorError } from '../../model/errors.ts';
import type { CompiledPlan } from '../../model/plan.ts';
import type { Ledger } from '../resources/ledger.ts';
import type { Waiter, WaiterComparator } from '../resources/need-group.ts';
import type { Row } from '../resources/row.ts';
import type { BoundPlan, NeedsBook } from './needs-book.ts';
import { guardComparator, orderOf, rankTicket, type SchedulingPolicy } from './policy.ts';
import { type ScheduledRun, Ticket } from './ticket.ts';
import type { Timer, Timers } from './timers.ts';

/** What a scheduler is made of. */
export interface TaskSchedulerParts {
  readonly ledger: Ledger;
  readonly needs: NeedsBook;
  readonly timers: Timers;
  readonly policy: SchedulingPolicy;
  /** The owner's claim on the store; fencing tokens begin with it, so that they never go back. */
  readonly epoch: number;
  /** Called when tasks may have become able to start, outside of a turn of the loop. */
  readonly wake: () => void;
  /** Told of a comparator that gives no order. */
  readonly complain: (error: OrchestratorError) => void;
}

/** Most grants of one turn, so that a huge wave is started in parts and the host gets its turns between. */
const GRANTS_PER_TURN = 256;

function NOTHING(): void {}

export class TaskScheduler {
  readonly #ledger: Ledger;
  readonly #needs: NeedsBook;
  readonly #timers: Timers;
  readonly #wake: () => void;
  readonly #complain: (error: OrchestratorError) => void;
  readonly #rowTimers = new Map<Row, { readonly dueAt: number; readonly timer: Timer }>();
  readonly #monotonic = (): number => this.#timers.monotonic();
  readonly #grant = (waiter: Waiter): boolean => this.#grantTo(waiter);
  #start: (ticket: Ticket) => void = NOTHING;
  #grantOther: (waiter: Waiter) => void = NOTHING;
  /** How many tickets may still start in this round. */
  #left = 0;
  #policy: SchedulingPolicy;
  #comparator: WaiterComparator | undefined;
  #paused = false;
  /** Counts grants, so that a later holder of a lock always has the greater token. */
  #fence: number;

  constructor(parts: TaskSchedulerParts) {
    this.#ledger = parts.ledger;
    this.#needs = parts.needs;
    this.#timers = parts.timers;
    this.#wake = parts.wake;
    this.#complain = parts.complain;
    this.#policy = parts.policy;
    this.#fence = parts.epoch * 2 ** 32;
    this.#comparator =
      typeof parts.policy === 'function' ? guardComparator(parts.policy, parts.complain) : undefined;
    this.#ledger.onTimed((row, dueAt) => this.#watch(row, dueAt));
  }

  get policy(): SchedulingPolicy {
    return this.#policy;
  }

  get isPaused(): boolean {
    return this.#paused;
  }

  /** Works out the needs of a plan, and refuses those that can never be met. */
  bind(plan: CompiledPlan): BoundPlan {
    return this.#needs.bind(plan);
  }

  /** A ticket for the next attempt of a task; it does not wait yet. */
  createTicket(run: ScheduledRun, scope: ScopeState, index: number): Ticket {
    return new Ticket(run, scope, index, orderOf(run.submission, index));
  }

  /** Lets a ticket wait for its needs. */
  enqueue(ticket: Ticket): void {
    ticket.phase = 'waiting';
    this.#rank(ticket);
    this.#ledger.enqueue(ticket, ticket.group);
  }

  /** Takes a ticket out of the queue, if it waits there. */
  withdraw(ticket: Ticket): void {
    this.#ledger.withdraw(ticket, ticket.group);
  }

  /** Puts a ticket where its priority, which has changed, belongs. */
  requeue(ticket: Ticket): Ticket {
    if (!ticket.queued) return ticket;
    this.withdraw(ticket);
    return this.#comeBack(ticket);
  }

  /** A dead entry stays in the queue until it is swept, so a ticket comes back as a new one. */
  #comeBack(ticket: Ticket): Ticket {
    const fresh = new Ticket(ticket.run, ticket.scope, ticket.index, ticket.order);
    fresh.watch = ticket.watch;
    fresh.started = ticket.started;
    fresh.attempt = ticket.attempt;
    this.enqueue(fresh);
    return fresh;
  }

  /** Undoes the taking for a ticket whose body was never run: a budget is charged only for what was. */
  undo(ticket: Ticket): void {
    if (!ticket.holding) return;
    ticket.holding = false;
    this.#ledger.untake(ticket.group);
  }

  /** Gives back what a ticket holds; doing so again does nothing. */
  release(ticket: Ticket): void {
    if (!ticket.holding) return;
    ticket.holding = false;
    this.#ledger.release(ticket.group);
  }

  /**
   * Starts what can be started, best first.
   * @returns whether it stopped early, so that more may be startable
   */
  admit(start: (ticket: Ticket) => void, grantOther: (waiter: Waiter) => void): boolean {
    if (this.#ledger.waiting === 0) return false;
    this.#start = start;
    this.#grantOther = grantOther;
    this.#left = GRANTS_PER_TURN;
    this.#ledger.admit(this.#monotonic, this.#grant);
    return this.#left <= 0;
  }

  #grantTo(waiter: Waiter): boolean {
    if (waiter instanceof Ticket) {
      waiter.holding = true;
      waiter.phase = 'admitted';
      if (waiter.hasLocks) waiter.fence = this.nextToken();
      this.#start(waiter);
      this.#left--;
    } else {
      this.#grantOther(waiter);
    }
    return this.#left > 0;
  }

  /**
   * Orders what waits, and whatever comes, by another policy.
   * @returns the tickets that now stand for those that waited
   */
  setPolicy(policy: SchedulingPolicy): readonly Ticket[] {
    // All leave before the first comes back: the queue never holds tickets of two orders.
    const waiting = [...this.waiting()];
    for (const ticket of waiting) this.withdraw(ticket);
    this.#policy = policy;
    this.#comparator = typeof policy === 'function' ? guardComparator(policy, this.#complain) : undefined;
    return waiting.map((ticket) => this.#comeBack(ticket));
  }

  /** The next fencing token: greater than all before, over every owner of the store. */
  nextToken(): number {
    return ++this.#fence;
  }

  /** The tickets that wait, in no order. */
  *waiting(): IterableIterator<Ticket> {
    for (const { waiter } of this.#ledger.waiters()) if (waiter instanceof Ticket) yield waiter;
  }

  /** Stops starting tasks; what runs goes on. */
  pause(): void {
    this.#paused = true;
    this.#ledger.pause();
  }

  /** Starts tasks again, in their order. */
  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#ledger.resume();
    this.#wake();
  }

  #rank(ticket: Ticket): void {
    ticket.by = this.#comparator;
    rankTicket(ticket, typeof this.#policy === 'function' ? 'priority' : this.#policy);
  }

  #watch(row: Row, dueAt: number | undefined): void {
    const known = this.#rowTimers.get(row);
    if (dueAt === undefined) {
      this.#timers.stop(known?.timer);
      this.#rowTimers.delete(row);
      return;
    }
    if (known !== undefined && known.dueAt <= dueAt) return;
    this.#timers.stop(known?.timer);
    const timer = this.#timers.set(dueAt - this.#timers.monotonic(), () => {
      this.#rowTimers.delete(row);
      this.#ledger.replenish(row, this.#timers.monotonic());
      this.#wake();
    });
    this.#rowTimers.set(row, { dueAt, timer });
  }
}
