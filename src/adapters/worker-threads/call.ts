/**
 * One call of a handler on its way: waiting for a thread, sent to one, begun there, over.
 *
 * Owns: what the call needs while it lives. Who may change it: the module pool and the session that has it.
 *
 * CA1  A call is reported once.
 */
import type { NestedLock } from '../../model/handler.ts';
import type { WorkerHandlerLimits } from '../../model/worker-handlers.ts';
import type { Invocation, Outcome, ReportOutcome } from '../../ports/executor.ts';

export class Call {
  readonly invocation: Invocation;
  readonly name: string;
  readonly limits: WorkerHandlerLimits;
  readonly #report: ReportOutcome;
  /** Its number in the session that has it, and its place among the claims of that. */
  id = 0;
  place = -1;
  /** Told to stop, and why. */
  stop: { readonly reason: unknown } | undefined;
  /** Its grace, once it was told to stop, and the limit of its time. */
  readonly #timers: NodeJS.Timeout[] = [];
  /** Locks that it took while it runs. */
  grants: Map<number, NestedLock> | undefined;
  /** Ends that the leases of such locks are renewed by themselves. */
  heartbeats: Map<number, AbortController> | undefined;
  /** Asks of it that the host works on. */
  asks: Map<number, AbortController> | undefined;
  /** Why it must end, when its thread is killed for it. */
  condemned: unknown;
  isOver = false;
  /** How many of its waits for the host's clock, or for locks, are under way. */
  asleep = 0;
  /** How much that is real it does beside them. */
  real = 0;
  /** How often it was sent: more than once when a thread died before it was begun there. */
  sent = 0;
  /** Whether it counts among those of its handler that are under way. */
  isCounted = false;

  constructor(invocation: Invocation, limits: WorkerHandlerLimits, report: ReportOutcome) {
    this.invocation = invocation;
    this.name = invocation.handler.name;
    this.limits = limits;
    this.#report = report;
  }

  /** Whether a virtual clock has to stand still for it. */
  get isAwake(): boolean {
    return this.asleep === 0 || this.real > 0;
  }

  /** Does something after a while, unless it is over by then. */
  after(ms: number, work: () => void): void {
    if (!this.isOver) this.#timers.push(setTimeout(work, ms));
  }

  /** Reports its outcome, in the async context of its run. */
  end(outcome: Outcome): void {
    if (this.isOver) return;
    this.isOver = true;
    for (const timer of this.#timers) clearTimeout(timer);
    if (this.asks !== undefined) for (const ask of this.asks.values()) ask.abort();
    this.invocation.within(() => this.#report(this.invocation, outcome));
  }
}
