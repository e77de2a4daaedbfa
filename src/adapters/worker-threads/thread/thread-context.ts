/**
 * What a handler in a thread is given: the same context as in the host's own thread.
 *
 * Owns: the signal and the locks of one call. Who may call it: the handler; the session tells it of aborts.
 *
 * TC1  What a handler may never ask for is made only when it asks.
 * TC2  Every field of the context works when it is taken out of the context.
 * TC3  Whoever listens to the signal hears it in the async context in which that was first asked for.
 */
import { AsyncResource } from 'node:async_hooks';
import { setTimeout as sleepReal } from 'node:timers/promises';
import { guardValue } from '../../../base/values.ts';
import { checkDuration, sentence } from '../../../model/checks.ts';
import { OrchestratorError, refuse } from '../../../model/errors.ts';
import type { HandlerClock, HandlerContext, HandlerLog, HeldLocks } from '../../../model/handler.ts';
import { NO_TRACE, type TraceCarrier } from '../../../model/trace.ts';
import { errorsIn } from '../carried-errors.ts';
import type { CallMessage, ToHost } from '../protocol.ts';
import type { Asks } from './asks.ts';
import { threadLocks } from './thread-locks.ts';
import { ThreadLog } from './thread-log.ts';

/** What the contexts of one session share. */
export interface ThreadServices {
  readonly say: (message: ToHost) => void;
  readonly asks: Asks;
  /** By the host's clock. */
  readonly now: () => number;
  readonly isVirtual: boolean;
}

/** Signs of life of one call are told to the host at least so far apart, in milliseconds. */
const BEAT_MS_MIN = 1;

/** How many progress reports one call may make; the host has the same limit. */
const PROGRESS_MAX = 10_000;

export class ThreadContext implements HandlerContext<unknown, unknown> {
  readonly #call: CallMessage;
  readonly #services: ThreadServices;
  #controller: AbortController | undefined;
  #asked: AsyncResource | undefined;
  #stop: { readonly reason: unknown } | undefined;
  #locks: HeldLocks | undefined;
  #log: ThreadLog | undefined;
  #progressed = 0;
  #beatAt = Number.NEGATIVE_INFINITY;
  /** Nothing that it says counts any more. */
  isOver = false;

  constructor(call: CallMessage, services: ThreadServices) {
    this.#call = call;
    this.#services = services;
  }

  /** The call is about to end: the last that it has to say. */
  close(): void {
    this.#log?.end();
  }

  /** The host tells the call to stop. */
  abort(reason: unknown): void {
    this.#stop ??= { reason };
    this.#asked?.runInAsyncScope(() => this.#controller?.abort(reason));
  }

  get runId(): string {
    return this.#call.runId;
  }

  get path(): string {
    return this.#call.path;
  }

  get taskId(): string {
    return this.#call.taskId;
  }

  get input(): unknown {
    return this.#call.input;
  }

  get inputData(): unknown {
    return this.#call.inputData;
  }

  get dependencies(): unknown {
    return this.#call.dependencies;
  }

  get attempt(): number {
    return this.#call.attempt;
  }

  get restart(): number {
    return this.#call.restart;
  }

  get idempotencyKey(): string {
    return this.#call.idempotencyKey;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      this.#asked = new AsyncResource('TaskmasterSignal', { requireManualDestroy: true });
      if (this.#stop !== undefined) this.#controller.abort(this.#stop.reason);
    }
    return this.#controller.signal;
  }

  get heartbeat(): () => void {
    return () => this.#beat();
  }

  get progress(): (value: unknown) => void {
    return (value) => this.#progress(value);
  }

  get locks(): HeldLocks {
    this.#locks ??= threadLocks(this.#call, this.#services.asks, this);
    return this.#locks;
  }

  get log(): HandlerLog {
    this.#log ??= new ThreadLog(this.#call, this.#services.say);
    return this.#log.methods;
  }

  get trace(): TraceCarrier {
    return this.#call.trace ?? NO_TRACE;
  }

  get clock(): HandlerClock {
    const { now } = this.#services;
    return {
      now,
      real: (promise) => this.#real(promise),
      sleep: (duration) => this.#sleep(checkDuration(duration, 'clock.sleep')),
    };
  }

  #beat(): void {
    const { isVirtual, say } = this.#services;
    const at = performance.now();
    // One that comes so soon after another tells nothing new, unless the host's time has gone on meanwhile.
    if (this.isOver || (!isVirtual && at - this.#beatAt < BEAT_MS_MIN)) return;
    this.#beatAt = at;
    say({ type: 'heartbeat', id: this.#call.id });
  }

  async #sleep(durationMs: number): Promise<void> {
    const { signal } = this;
    if (this.#services.isVirtual) {
      // The host waits for nothing more on behalf of a call that is over: this time never comes.
      if (this.isOver && !signal.aborted) return new Promise<never>(() => {});
      await this.#services.asks.ask(this.#call.id, { what: 'sleep', durationMs }, [signal]);
      return;
    }
    try {
      await sleepReal(durationMs, undefined, { signal });
    } catch (thrown) {
      throw signal.aborted ? signal.reason : thrown;
    }
  }

  /** The host's clock stands still while a call is executed, unless it waits for that clock, or for locks, beside it. */
  async #real<Value>(promise: PromiseLike<Value>): Promise<Value> {
    const { asks, isVirtual } = this.#services;
    if (!isVirtual || this.isOver) return promise;
    asks.tell(this.#call.id, { what: 'real', isOn: true });
    try {
      return await promise;
    } finally {
      if (!this.isOver) asks.tell(this.#call.id, { what: 'real', isOn: false });
    }
  }

  #progress(value: unknown): void {
    const name = `task ${JSON.stringify(this.#call.path)}`;
    if (this.#progressed >= PROGRESS_MAX) {
      throw new OrchestratorError(
        'LIMIT_EXCEEDED',
        `${name}: found more than ${PROGRESS_MAX} calls of progress() in one attempt; allowed: ${PROGRESS_MAX}. Report less often.`,
      );
    }
    const guarded = guardValue(value);
    if (!guarded.ok)
      throw refuse('VALUE_UNSERIALISABLE', {
        at: `progress of ${name} ${guarded.pointer}`.trimEnd(),
        found: guarded.found,
        allowed: 'plain data',
        hint: sentence(guarded.hint),
      });
    if (this.isOver) return;
    this.#progressed++;
    const errors = guarded.shareable ? undefined : errorsIn(guarded.value);
    this.#services.say({ type: 'progress', id: this.#call.id, value: guarded.value, errors });
  }
}
