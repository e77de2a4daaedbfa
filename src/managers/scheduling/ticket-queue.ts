/**
 * The queue of ready tasks, over all runs: which of them starts next.
 *
 * Owns: the tickets that wait, the policy of their order, whether tasks start at all. Who may call it: the run
 * loop, and the task scheduler, whose busy half it is.
 *
 * TQ1  A task starts only with all its needs taken; while it waits it holds none.
 * TQ2  Among those that can have their needs, the best by the policy starts first.
 * TQ3  While it is paused nothing starts, and nothing that runs is touched.
 */
import type { ScopeState } from '../../machine/state.ts';
import type { OrchestratorError } from '../../model/errors.ts';
import type { CompiledPlan } from '../../model/plan.ts';
import type { WaitReason } from '../../model/status.ts';
import type { Ledger } from '../resources/ledger.ts';
import type { Waiter, WaiterComparator } from '../resources/need-group.ts';
import type { Row } from '../resources/row.ts';
import { checkTarget, Holds, type PausedBy, type PauseTarget } from './holds.ts';
import type { BoundPlan, NeedsBook } from './needs-book.ts';
import { guardComparator, orderOf, rankTicket, type SchedulingPolicy } from './policy.ts';
import { type QueueParts, reasonOf } from './queue-view.ts';
import type { TaskSchedulerParts } from './scheduler-parts.ts';
import { type ScheduledRun, Ticket } from './ticket.ts';
import type { Timer, Timers } from './timers.ts';

/** Most grants of one turn, so that a huge wave is started in parts and the host gets its turns between. */
const GRANTS_PER_TURN = 256;

function NOTHING(): void {}

export class TicketQueue {
  readonly #ledger: Ledger;
  readonly #needs: NeedsBook;
  readonly #timers: Timers;
  readonly #holds = new Holds();
  readonly #wake: (late?: boolean) => void;
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
  /** Whether a workflow or a run is paused. */
  #mayHold = false;
  /** How many tickets have come to wait. */
  #arrivals = 0;
  /** Alone: whether it admits soon, and who is called after that. */
  #isAwake = false;
  readonly #watchers = new Set<() => void>();
  /** Counts grants, so that a later holder of a lock always has the greater token. */
  #fence: number;

  /** @internal What is needed to tell why tickets wait. */
  protected readonly view: QueueParts;

  /** @internal */
  constructor(parts: TaskSchedulerParts) {
    this.#ledger = parts.ledger;
    this.#needs = parts.needs;
    this.#timers = parts.timers;
    this.#wake = parts.wake ?? (() => this.#admitSoon());
    this.#complain = parts.complain;
    this.#policy = parts.policy;
    this.#fence = parts.epoch * 2 ** 32;
    this.#comparator =
      typeof parts.policy === 'function' ? guardComparator(parts.policy, parts.complain) : undefined;
    this.#ledger.onTimed((row, dueAt) => this.#watch(row, dueAt));
    this.view = { ledger: parts.ledger, holds: this.#holds, isPaused: () => this.#paused };
  }

  /** @internal Looks soon at what can start. */
  wake(): void {
    this.#wake();
  }

  /** @internal How many tickets have come to wait so far. */
  get arrivals(): number {
    return this.#arrivals;
  }

  /** @internal What holds a run back. */
  pausesOf(run: ScheduledRun): readonly PausedBy[] {
    const all: readonly PausedBy[] = this.#paused ? [{ what: 'orchestrator', name: '' }] : [];
    return [...all, ...this.#holds.of(run)];
  }

  /** @internal Why a ticket that waits does not start, in one word. */
  reasonOf(ticket: Ticket): WaitReason | undefined {
    return reasonOf(ticket, this.view);
  }

  /** @internal Whether a ticket waits, in the queue or aside. */
  isWaiting(ticket: Ticket): boolean {
    return ticket.queued || this.#holds.has(ticket);
  }

  /** @internal Calls back after every turn in which it admitted by itself. */
  onTurn(watcher: () => void): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  /** Alone: admits in a later microtask, so that what is scheduled together is ordered together. */
  #admitSoon(): void {
    if (this.#isAwake) return;
    this.#isAwake = true;
    queueMicrotask(() => {
      this.#isAwake = false;
      if (this.admit(NOTHING, NOTHING)) this.#admitSoon();
      for (const watcher of this.#watchers) watcher();
    });
  }

  /** What orders the tasks that wait. */
  get policy(): SchedulingPolicy {
    return this.#policy;
  }

  /** Whether nothing starts, of whatever agent, workflow or run. */
  get isPaused(): boolean {
    return this.#paused;
  }

  /** @internal Works out the needs of a plan, and refuses those that can never be met. */
  bind(plan: CompiledPlan): BoundPlan {
    return this.#needs.bind(plan);
  }

  /** @internal A ticket for the next attempt of a task; it does not wait yet. */
  createTicket(run: ScheduledRun, scope: ScopeState, index: number): Ticket {
    return new Ticket(run, scope, index, orderOf(run.submission, index));
  }

  /** @internal Lets a ticket wait for its needs. */
  enqueue(ticket: Ticket): void {
    ticket.phase = 'waiting';
    this.#arrivals++;
    if (this.#mayHold && this.#holds.take(ticket)) return;
    this.#rank(ticket);
    this.#ledger.enqueue(ticket, ticket.group);
  }

  /** @internal Takes a ticket out of the queue; `false` when it did not wait there. */
  withdraw(ticket: Ticket): boolean {
    if (!ticket.queued) return this.#mayHold && this.#holds.drop(ticket);
    this.#ledger.withdraw(ticket, ticket.group);
    return true;
  }

  /** @internal Puts a ticket where its priority, which has changed, belongs. */
  requeue(ticket: Ticket): Ticket {
    if (!ticket.queued) return ticket;
    this.withdraw(ticket);
    return this.#comeBack(ticket);
  }

  /** A dead entry stays in the queue until it is swept, so a ticket comes back as a new one. */
  #comeBack(ticket: Ticket): Ticket {
    const fresh = ticket.renew();
    this.enqueue(fresh);
    return fresh;
  }

  /** @internal Undoes the taking for a ticket whose body was never run: a budget is charged only for what was. */
  undo(ticket: Ticket): void {
    if (!ticket.holding) return;
    ticket.holding = false;
    this.#ledger.untake(ticket.group);
  }

  /** @internal Gives back what a ticket holds; doing so again does nothing. */
  release(ticket: Ticket): void {
    if (!ticket.holding) return;
    ticket.holding = false;
    this.#ledger.release(ticket.group);
  }

  /**
   * @internal Starts what can be started, best first.
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
      waiter.begin(this.#start);
      this.#left--;
    } else {
      this.#grantOther(waiter);
    }
    return this.#left > 0;
  }

  /**
   * @internal Orders what waits, and whatever comes, by another policy.
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

  /** @internal The next fencing token: greater than all before, over every owner of the store. */
  nextToken(): number {
    return ++this.#fence;
  }

  /** @internal The tickets that wait, in no order. */
  *waiting(): IterableIterator<Ticket> {
    for (const { waiter } of this.#ledger.waiters()) if (waiter instanceof Ticket) yield waiter;
  }

  /** @internal Those among whom a pause finds the ones that it concerns. */
  protected ticketsOf(_by: PausedBy): Iterable<Ticket> {
    return this.waiting();
  }

  /**
   * Stops starting tasks: all, or those of one agent, workflow or run. What runs goes on. It lasts until `resume` with
   * the same target, at most as long as the process.
   * @throws OrchestratorError `OPTION_INVALID`, `OPTION_UNKNOWN`, `ID_INVALID`
   */
  pause(target?: PauseTarget): void {
    if (target === undefined) {
      this.#paused = true;
      this.#ledger.pause();
      return;
    }
    const by = checkTarget(target, 'pause');
    if (by.what === 'agent') {
      this.#needs.pauseAgent(by.name);
    } else if (this.#holds.pause(by)) {
      this.#mayHold = true;
      for (const ticket of [...this.ticketsOf(by)])
        if (ticket.queued && this.#holds.take(ticket)) this.#ledger.withdraw(ticket, ticket.group);
    }
  }

  /** Starts tasks again, in their order; does nothing when the target was not paused. @throws OrchestratorError as `pause` */
  resume(target?: PauseTarget): void {
    const by = target === undefined ? undefined : checkTarget(target, 'resume');
    if (by === undefined) {
      this.#paused = false;
      this.#ledger.resume();
    } else if (by.what === 'agent') {
      this.#needs.resumeAgent(by.name);
    } else {
      for (const ticket of this.#holds.resume(by)) {
        const fresh = this.#comeBack(ticket);
        fresh.run.setTicket(fresh.scope, fresh.index, fresh);
      }
      this.#mayHold = this.#holds.isActive;
    }
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
      // Sleeps may end in this very moment, and what they free goes to the best of all who wait.
      this.#wake(true);
    });
    this.#rowTimers.set(row, { dueAt, timer });
  }
}
