import type { Handler } from '../../model/handler.ts';
import type { Executor, Invocation, Outcome, ReportOutcome } from '../../ports/executor.ts';

/**
 * Runs handlers in the orchestrator's own thread. A handler that returns a plain value is done at once and
 * costs no promise.
 */
export class InlineExecutor implements Executor {
  readonly capabilities = { remote: false, virtualTime: true };

  submit(invocations: readonly Invocation[], report: ReportOutcome): void {
    for (let i = 0; i < invocations.length; i++) runOne(invocations[i] as Invocation, report);
  }

  /** The same for one invocation, without an array. */
  submitOne(invocation: Invocation, report: ReportOutcome): void {
    runOne(invocation, report);
  }

  /** The signal of the attempt is all there is to stop code in the own thread. */
  cancel(): void {}

  close(): void {}
}

function runOne(invocation: Invocation, report: ReportOutcome): void {
  let returned: unknown;
  try {
    returned = invocation.within(callHandler);
    if (!isThenable(returned)) {
      report(invocation, { ok: true, output: returned });
      return;
    }
  } catch (thrown) {
    report(invocation, { ok: false, thrown });
    return;
  }
  listen(returned, invocation, report);
}

/** Waits for the promise of one handler after the other: two closures for every handler would be most of its cost. */
class Settlement {
  #invocation: Invocation | undefined;
  #report: ReportOutcome | undefined;
  readonly #fulfilled = (output: unknown): void => this.#end({ ok: true, output });
  readonly #rejected = (thrown: unknown): void => this.#end({ ok: false, thrown });

  /** @param promise - a native one, which calls back exactly once */
  await(promise: Promise<unknown>, invocation: Invocation, report: ReportOutcome): void {
    this.#invocation = invocation;
    this.#report = report;
    promise.then(this.#fulfilled, this.#rejected);
  }

  #end(outcome: Outcome): void {
    const invocation = this.#invocation as Invocation;
    const report = this.#report as ReportOutcome;
    this.#invocation = undefined;
    this.#report = undefined;
    if (idle.length < IDLE_MAX) idle.push(this);
    report(invocation, outcome);
  }
}

/** How many that wait for nothing are kept. */
const IDLE_MAX = 1_024;
const idle: Settlement[] = [];
const nativeThen = Promise.prototype.then;

function listen(promise: PromiseLike<unknown>, invocation: Invocation, report: ReportOutcome): void {
  if (promise instanceof Promise && promise.then === nativeThen) {
    (idle.pop() ?? new Settlement()).await(promise, invocation, report);
    return;
  }
  try {
    promise.then(
      (output) => report(invocation, { ok: true, output }),
      (thrown: unknown) => report(invocation, { ok: false, thrown }),
    );
  } catch (thrown) {
    // A thenable of the host's own can throw out of `then`.
    report(invocation, { ok: false, thrown });
  }
}

function callHandler(invocation: Invocation): unknown {
  return (invocation.run as Handler<never, never>)(invocation.context);
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
  );
}
