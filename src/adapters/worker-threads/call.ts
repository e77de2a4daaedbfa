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
  /** The grace of a call that was told to stop, or the limit of its time. */
  timer: NodeJS.Timeout | undefined;
  /** Locks that it took while it runs. */
  grants: Map<number, NestedLock> | undefined;
  /** Asks of it that the host works on. */
  asks: Map<number, AbortController> | undefined;
  /** Why it must end, when its thread is killed for it. */
  condemned: unknown;
  isOver = false;
  /** How many of its waits on the host's clock are under way. */
  asleep = 0;
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

  /** Reports its outcome, in the async context of its run. */
  end(outcome: Outcome): void {
    if (this.isOver) return;
    this.isOver = true;
    clearTimeout(this.timer);
    if (this.asks !== undefined) for (const ask of this.asks.values()) ask.abort();
    this.invocation.within(() => this.#report(this.invocation, outcome));
  }
}
