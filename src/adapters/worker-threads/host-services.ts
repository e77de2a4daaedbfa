/**
 * What a call in a thread says and asks for is done here, by the context that an inline handler would have.
 *
 * Owns: nothing; grants and asks hang on their call. Who may call it: the session.
 *
 * HS1  Everything is done in the async context of the run.
 * HS2  What comes for a call that is over is dropped.
 * HS3  While all that a call does is to wait on the clock, the clock need not stand still for it.
 */
import { OrchestratorError } from '../../model/errors.ts';
import type { HandlerContext } from '../../model/handler.ts';
import type { Call } from './call.ts';
import { packError } from './error-envelope.ts';
import type { AcquireOptions, Ask, ToHost, ToThread } from './protocol.ts';

/** What the services of a session need. */
export interface HostServiceParts {
  readonly say: (message: ToThread) => void;
  readonly now: () => number;
  /** A call waits on the host's clock, or goes on. */
  readonly onSleep: (call: Call, isAsleep: boolean) => void;
}

type Context = HandlerContext<unknown, unknown>;
type Said = Extract<ToHost, { readonly type: 'heartbeat' | 'progress' | 'log' }>;

export class HostServices {
  readonly #parts: HostServiceParts;
  #grants = 0;

  constructor(parts: HostServiceParts) {
    this.#parts = parts;
  }

  /** Does what a call says. */
  said(call: Call, message: Said): void {
    try {
      within(call, (context) => say(context, message));
    } catch (thrown) {
      // Refused here too, as its thread has to; nobody is there any more who could be told.
      if (!OrchestratorError.is(thrown)) throw thrown;
    }
  }

  /** Does what a call asks for, and answers it. */
  asked(call: Call, ask: number, about: Ask): void {
    switch (about.what) {
      case 'sleep':
        this.#answer(call, ask, (context) => this.#sleep(call, context, about.durationMs));
        return;
      case 'acquire':
        this.#answer(call, ask, (context, signal) =>
          this.#acquire(call, context, about.names, about.options, signal),
        );
        return;
      case 'release':
      case 'renew':
        this.#lock(call, about.what, about.grant);
    }
  }

  /** Forgets an ask of which the thread wants no answer any more. */
  unasked(call: Call, ask: number): void {
    call.asks?.get(ask)?.abort();
  }

  async #sleep(call: Call, context: Context, durationMs: number): Promise<void> {
    const slept = context.clock.sleep(durationMs);
    this.#parts.onSleep(call, true);
    try {
      await slept;
    } finally {
      this.#parts.onSleep(call, false);
    }
  }

  async #acquire(
    call: Call,
    context: Context,
    names: readonly string[],
    options: AcquireOptions,
    signal: AbortSignal,
  ): Promise<unknown> {
    const lock = await context.locks.acquire(names, { ...options, signal });
    if (call.isOver || signal.aborted) {
      lock[Symbol.dispose]();
      throw signal.reason;
    }
    const grant = ++this.#grants;
    call.grants ??= new Map();
    call.grants.set(grant, lock);
    const tell = (): void => {
      call.grants?.delete(grant);
      if (!call.isOver) this.#parts.say({ type: 'taken', id: call.id, grant });
    };
    lock.signal.addEventListener('abort', tell, { once: true });
    return { grant, token: lock.token, names: lock.names };
  }

  #lock(call: Call, what: 'release' | 'renew', grant: number): void {
    const lock = call.grants?.get(grant);
    if (lock === undefined) return;
    if (what === 'release') call.grants?.delete(grant);
    try {
      lock[what]();
    } catch (thrown) {
      // Taken back meanwhile: the thread is told of that.
      if (!OrchestratorError.is(thrown)) throw thrown;
    }
  }

  #answer(call: Call, ask: number, work: (context: Context, signal: AbortSignal) => Promise<unknown>): void {
    const controller = new AbortController();
    call.asks ??= new Map();
    call.asks.set(ask, controller);
    const done = (message: ToThread): void => {
      call.asks?.delete(ask);
      if (!call.isOver && !controller.signal.aborted) this.#parts.say(message);
    };
    within(call, (context) => {
      work(context, controller.signal).then(
        (value) => done({ type: 'answer', ask, value, now: this.#parts.now() }),
        (thrown: unknown) => done({ type: 'refusal', ask, error: packError(thrown) }),
      );
    });
  }
}

function say(context: Context, message: Said): void {
  switch (message.type) {
    case 'heartbeat':
      context.heartbeat();
      return;
    case 'progress':
      context.progress(message.value);
      return;
    case 'log':
      context.log[message.level](message.message, message.fields);
  }
}

function within(call: Call, work: (context: Context) => void): void {
  if (call.isOver) return;
  call.invocation.within(({ context }) => work(context as unknown as Context));
}
