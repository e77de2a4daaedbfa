/**
 * The locks of a call in a thread.
 *
 * Owns: what the call took beside its needs. Who may call it: the context of the call.
 *
 * TL1  The host decides; what it grants belongs to the attempt and goes with its end.
 * TL2  What a handler gives back is told to the host in the order of its calls.
 */
import { OrchestratorError } from '../../../model/errors.ts';
import type { HeldLocks, LockWaitOptions, NestedLock } from '../../../model/handler.ts';
import type { AcquireOptions, CallMessage } from '../protocol.ts';
import type { Asks } from './asks.ts';

/** What the host answers to a wait for locks. */
interface Granted {
  readonly grant: number;
  readonly token: number;
  readonly names: readonly string[];
}

interface Holder {
  readonly signal: AbortSignal;
}

export function threadLocks(call: CallMessage, asks: Asks, holder: Holder): HeldLocks {
  const names = Object.keys(call.tokens);
  return {
    names,
    token: (name) => {
      const token = Object.hasOwn(call.tokens, name) ? call.tokens[name] : undefined;
      if (token !== undefined) return token;
      throw new OrchestratorError(
        'LOCK_CONFLICT',
        `task ${JSON.stringify(call.path)} does not hold the lock ${JSON.stringify(name)}; it holds: ${names.join(', ') || 'none'}`,
      );
    },
    acquire: (name, options) => acquire(call, asks, holder, name, options),
  };
}

async function acquire(
  call: CallMessage,
  asks: Asks,
  holder: Holder,
  name: string | readonly string[],
  options: LockWaitOptions = {},
): Promise<NestedLock> {
  const { signal, ...sent } = options;
  const list = typeof name === 'string' ? [name] : [...name];
  const about = { what: 'acquire', names: list, options: sent as AcquireOptions } as const;
  let granted: Granted;
  try {
    granted = (await asks.ask(call.id, about, [holder.signal, signal])) as Granted;
  } catch (thrown) {
    if (holder.signal.aborted || !signal?.aborted) throw thrown;
    const what = list.map((one) => JSON.stringify(one)).join(', ');
    throw new OrchestratorError('WAIT_ABORTED', `locks.acquire(${what}): the wait was ended by its signal`, {
      cause: signal.reason,
    });
  }
  const lock = new ThreadLock(granted, call.id, asks);
  asks.holds(granted.grant, lock);
  return lock;
}

class ThreadLock implements NestedLock {
  readonly names: readonly string[];
  readonly token: number;
  readonly #grant: number;
  readonly #callId: number;
  readonly #asks: Asks;
  #controller: AbortController | undefined;
  #over: 'given back' | 'taken back' | undefined;

  constructor({ grant, token, names }: Granted, callId: number, asks: Asks) {
    this.names = names;
    this.token = token;
    this.#grant = grant;
    this.#callId = callId;
    this.#asks = asks;
  }

  get isHeld(): boolean {
    return this.#over === undefined;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#over === 'taken back') this.#controller.abort(this.#stale('use'));
    }
    return this.#controller.signal;
  }

  /** The host says that it has taken them back. */
  takenBack(): void {
    this.#over ??= 'taken back';
    if (this.#over === 'taken back') this.#controller?.abort(this.#stale('use'));
  }

  release(): void {
    this.#check('release');
    this.#over = 'given back';
    this.#asks.letsGo(this.#grant);
    this.#asks.tell(this.#callId, { what: 'release', grant: this.#grant });
  }

  renew(): void {
    this.#check('renew');
    this.#asks.tell(this.#callId, { what: 'renew', grant: this.#grant });
  }

  [Symbol.dispose](): void {
    if (this.isHeld) this.release();
  }

  #check(method: string): void {
    if (this.#over === 'taken back') throw this.#stale(method);
    if (this.#over === undefined) return;
    throw new OrchestratorError('GRANT_RELEASED', `${this.#what(method)}: it was given back before`);
  }

  #stale(method: string): OrchestratorError {
    return new OrchestratorError('LOCK_STALE', `${this.#what(method)}: it was taken back meanwhile`);
  }

  #what(method: string): string {
    return `${method} of the lock ${this.names.map((name) => JSON.stringify(name)).join(', ')}`;
  }
}
