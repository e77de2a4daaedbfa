import { OrchestratorError } from '../model/errors.ts';
import type { WorkerModule } from '../model/worker-handlers.ts';
import type { Clock } from '../ports/clock.ts';
import type { Executor, Invocation, ReportOutcome } from '../ports/executor.ts';
import type { Logger } from '../ports/logger.ts';

/** An executor in this thread, which can also be given one invocation without an array. */
export interface InlinePart extends Executor {
  submitOne(invocation: Invocation, report: ReportOutcome): void;
}

/** An executor of workers. */
export interface WorkerPart extends Executor {
  /** The names of the functions that a module exports. */
  exportsOf(module: WorkerModule): Promise<readonly string[]>;
  /** Starts the workers of a module that are to be there before the first call. */
  warmUp(module: WorkerModule): void;
}

/** The executor of workers, which is loaded when it is first needed: most hosts never need it. */
export class LazyWorkers {
  readonly #load: () => Promise<WorkerPart>;
  readonly #logger: Logger;
  #loading: Promise<WorkerPart> | undefined;
  #isClosed = false;
  /** The executor, once it is loaded. */
  loaded: WorkerPart | undefined;

  constructor(load: () => Promise<WorkerPart>, logger: Logger) {
    this.#load = load;
    this.#logger = logger;
  }

  /** Loads it, the first time. */
  open(): Promise<WorkerPart> {
    this.#loading ??= this.#begin();
    return this.#loading;
  }

  /** Starts the workers that a module wants to have before its first call, if it wants any. */
  warmUp(module: WorkerModule): void {
    if (module.settings.warmUp === 0) return;
    this.open().then(
      (workers) => workers.warmUp(module),
      (error: unknown) =>
        this.#logger.error({ error, url: module.url }, 'the workers of a module could not be started'),
    );
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    // What is on its way is closed as well; what could not be loaded is nothing.
    const workers = await this.#loading?.catch(() => undefined);
    await workers?.close();
  }

  async #begin(): Promise<WorkerPart> {
    if (this.#isClosed) throw new OrchestratorError('ORCHESTRATOR_CLOSED', 'the orchestrator was closed');
    const workers = await this.#load();
    this.loaded = workers;
    return workers;
  }
}

/** An invocation that waits for the executor of workers. */
interface Waiting {
  readonly invocation: Invocation;
  readonly report: ReportOutcome;
}

/**
 * Sends functions to the executor of this thread, at once, and the exports of modules to workers.
 */
export class RoutedExecutor implements Executor {
  readonly capabilities = { remote: false, virtualTime: true };
  readonly #inline: InlinePart;
  readonly #workers: LazyWorkers;
  readonly #clock: Clock;
  /** What came while the executor of workers was being loaded. */
  #waiting: Waiting[] = [];
  #letGo: (() => void) | undefined;

  constructor(inline: InlinePart, workers: LazyWorkers, clock: Clock) {
    this.#inline = inline;
    this.#workers = workers;
    this.#clock = clock;
  }

  submit(invocations: readonly Invocation[], report: ReportOutcome): void {
    let away: Invocation[] | undefined;
    for (let i = 0; i < invocations.length; i++) {
      const invocation = invocations[i] as Invocation;
      if (invocation.run !== undefined) this.#inline.submitOne(invocation, report);
      else if (away === undefined) away = [invocation];
      else away.push(invocation);
    }
    if (away !== undefined) this.#sendAway(away, report);
  }

  cancel(invocation: Invocation, reason: unknown): void {
    if (invocation.run !== undefined) {
      this.#inline.cancel(invocation, reason);
      return;
    }
    const { loaded } = this.#workers;
    if (loaded !== undefined && this.#waiting.length === 0) {
      loaded.cancel(invocation, reason);
      return;
    }
    // Told to stop before it began: it does not begin.
    const found = this.#waiting.find((waiting) => waiting.invocation === invocation);
    if (found === undefined) return;
    this.#waiting.splice(this.#waiting.indexOf(found), 1);
    found.report(invocation, { ok: false, thrown: reason });
  }

  async close(): Promise<void> {
    this.#waiting = [];
    this.#release();
    await this.#inline.close();
    await this.#workers.close();
  }

  #sendAway(invocations: readonly Invocation[], report: ReportOutcome): void {
    const { loaded } = this.#workers;
    if (loaded !== undefined && this.#waiting.length === 0) {
      loaded.submit(invocations, report);
      return;
    }
    const isFirst = this.#waiting.length === 0;
    for (const invocation of invocations) this.#waiting.push({ invocation, report });
    if (!isFirst) return;
    // A module is real: virtual time must not pass while it is loaded.
    this.#letGo ??= this.#clock.hold();
    this.#workers.open().then(
      (workers) => this.#flush(({ invocation, report }) => workers.submit([invocation], report)),
      (thrown: unknown) =>
        this.#flush(({ invocation, report }) =>
          invocation.within(() => report(invocation, { ok: false, thrown })),
        ),
    );
  }

  #flush(send: (waiting: Waiting) => void): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const one of waiting) send(one);
    this.#release();
  }

  #release(): void {
    this.#letGo?.();
    this.#letGo = undefined;
  }
}
