/**
 * What a call in a thread says and asks for is done here, by the context that an inline handler would have.
 *
 * Owns: nothing; grants and asks hang on their call. Who may call it: the session.
 *
 * HS1  Everything is done in the async context of the run.
 * HS2  What comes for a call that is over is dropped.
 * HS3  While all that a call does is to wait for the clock or for locks, a virtual clock need not stand still for it.
 */
import { OrchestratorError } from '../../model/errors.ts';
import type { HandlerContext } from '../../model/handler.ts';
import type { LockNeed } from '../../model/needs.ts';
import type { Call } from './call.ts';
import { restoreErrors } from './carried-errors.ts';
import { packError } from './error-envelope.ts';
import type { AcquireOptions, Ask, ToHost, ToThread } from './protocol.ts';

/** What the services of a session need. */
export interface HostServiceParts {
  readonly say: (message: ToThread) => void;
  readonly now: () => number;
  /** A call begins or ceases to wait for the host, or to do something real beside that. */
  readonly onWait: (call: Call, what: 'asleep' | 'real', change: 1 | -1) => void;
}

type Context = HandlerContext<unknown, unknown>;

/** What is answered to a wait for locks. */
interface Granted {
  readonly grant: number;
  readonly token: number;
  readonly names: readonly string[];
}

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
        this.#answer(
          call,
          ask,
          (context, signal) => this.#acquire(call, context, about.locks, about.options, signal),
          ({ grant }) => this.#follow(call, grant),
        );
        return;
      case 'release':
      case 'renew':
      case 'rest':
        this.#lock(call, about.what, about.grant);
        return;
      case 'real':
        this.#parts.onWait(call, 'real', about.isOn ? 1 : -1);
    }
  }

  /** Forgets an ask of which the thread wants no answer any more. */
  unasked(call: Call, ask: number): void {
    call.asks?.get(ask)?.abort();
  }

  #sleep(call: Call, context: Context, durationMs: number): Promise<void> {
    return this.#waiting(call, context.clock.sleep(durationMs));
  }

  /** Waits for what the host brings about; a virtual clock may go on meanwhile. */
  async #waiting<Value>(call: Call, promise: Promise<Value>): Promise<Value> {
    this.#parts.onWait(call, 'asleep', 1);
    try {
      return await promise;
    } finally {
      this.#parts.onWait(call, 'asleep', -1);
    }
  }

  async #acquire(
    call: Call,
    context: Context,
    locks: readonly LockNeed[],
    options: AcquireOptions,
    ended: AbortSignal,
  ): Promise<Granted> {
    const heartbeat = options.heartbeat === undefined ? undefined : new AbortController();
    const signal = heartbeat === undefined ? ended : AbortSignal.any([ended, heartbeat.signal]);
    // Each with its own mode: so it can be asked for as well.
    const names = locks as readonly unknown[] as readonly string[];
    const lock = await this.#waiting(call, context.locks.acquire(names, { ...options, signal }));
    if (call.isOver || signal.aborted) {
      lock[Symbol.dispose]();
      throw signal.reason;
    }
    const grant = ++this.#grants;
    call.grants ??= new Map();
    call.grants.set(grant, lock);
    if (heartbeat !== undefined) {
      call.heartbeats ??= new Map();
      call.heartbeats.set(grant, heartbeat);
    }
    return { grant, token: lock.token, names: lock.names };
  }

  /** The thread knows of a grant: from now on it is told when that is taken back, and at once when it was meanwhile. */
  #follow(call: Call, grant: number): void {
    const signal = call.grants?.get(grant)?.signal;
    const tell = (): void => {
      call.grants?.delete(grant);
      if (!call.isOver) this.#tell(call, { type: 'taken', id: call.id, grant, now: this.#parts.now() });
    };
    if (signal?.aborted === true) tell();
    else signal?.addEventListener('abort', tell, { once: true });
  }

  #lock(call: Call, what: 'release' | 'renew' | 'rest', grant: number): void {
    const lock = call.grants?.get(grant);
    if (lock === undefined) return;
    if (what !== 'renew') {
      call.heartbeats?.get(grant)?.abort();
      call.heartbeats?.delete(grant);
      if (what === 'rest') return;
      call.grants?.delete(grant);
    }
    try {
      lock[what]();
    } catch (thrown) {
      // Taken back meanwhile: the thread is told of that.
      if (!OrchestratorError.is(thrown)) throw thrown;
    }
  }

  /** A virtual clock stands still until the thread has said that its handler has heard it. */
  #tell(call: Call, message: ToThread): void {
    this.#parts.onWait(call, 'real', 1);
    this.#parts.say(message);
  }

  /** `said` is called when the thread was sent the answer. */
  #answer<Value>(
    call: Call,
    ask: number,
    work: (context: Context, signal: AbortSignal) => Promise<Value>,
    said?: (value: Value) => void,
  ): void {
    const controller = new AbortController();
    call.asks ??= new Map();
    if (call.asks.size >= ASKS_MAX) {
      const error = packError(tooManyAsks(call));
      this.#parts.say({ type: 'refusal', id: call.id, ask, error, now: this.#parts.now() });
      return;
    }
    call.asks.set(ask, controller);
    const done = (message: ToThread): boolean => {
      call.asks?.delete(ask);
      if (call.isOver || controller.signal.aborted) return false;
      this.#tell(call, message);
      return true;
    };
    within(call, (context) => {
      // What is asked for may be refused at once, and by a throw: nothing that a thread says throws in the host.
      const answer = async (): Promise<Value> => work(context, controller.signal);
      answer().then(
        (value) => {
          if (done({ type: 'answer', id: call.id, ask, value, now: this.#parts.now() })) said?.(value);
        },
        (thrown: unknown) =>
          done({ type: 'refusal', id: call.id, ask, error: packError(thrown), now: this.#parts.now() }),
      );
    });
  }
}

/** So many waits for its host may one call have under way. */
export const ASKS_MAX = 10_000;

function tooManyAsks({ invocation }: Call): OrchestratorError {
  return new OrchestratorError(
    'LIMIT_EXCEEDED',
    `task ${JSON.stringify(invocation.path)}: found more than ${ASKS_MAX} waits for locks or the clock at once; allowed: ${ASKS_MAX}. Wait for some of them first.`,
    { details: { limit: ASKS_MAX } },
  );
}

function say(context: Context, message: Said): void {
  switch (message.type) {
    case 'heartbeat':
      context.heartbeat();
      return;
    case 'progress':
      restoreErrors(message.errors);
      context.progress(message.value);
      return;
    case 'log':
      restoreErrors(message.errors);
      context.log[message.level](message.message, message.fields);
  }
}

function within(call: Call, work: (context: Context) => void): void {
  if (call.isOver) return;
  call.invocation.within(({ context }) => work(context as unknown as Context));
}
