/**
 * The locks of a call in a thread.
 *
 * Owns: what the call took beside its needs. Who may call it: the context of the call.
 *
 * TL1  The host decides; what it grants belongs to the attempt and goes with its end.
 * TL2  What a handler gives back is told to the host in the order of its calls.
 * TL3  What a handler asks for is checked here, by the same rules and with the same words as in the host.
 */
import { AsyncResource } from 'node:async_hooks';
import { OrchestratorError } from '../../../model/errors.ts';
import type { HeldLocks, LockWaitOptions, NestedLock } from '../../../model/handler.ts';
import {
  attemptOver,
  checkLockAsk,
  givenBackBefore,
  takenBackMeanwhile,
  waitAborted,
} from '../../../model/lock-options.ts';
import type { CallMessage } from '../protocol.ts';
import type { Asks } from './asks.ts';

/** What the host answers to a wait for locks. */
interface Granted {
  readonly grant: number;
  readonly token: number;
  readonly names: readonly string[];
}

interface Holder {
  readonly signal: AbortSignal;
  readonly isOver: boolean;
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
  options: LockWaitOptions | undefined,
): Promise<NestedLock> {
  const { locks, what, priority, timeoutMs, lease, signal } = checkLockAsk(
    name,
    options ?? {},
    'locks.acquire',
  );
  if (holder.isOver && !holder.signal.aborted) throw attemptOver(call);
  const sent = { priority, timeout: timeoutMs, lease: lease?.leaseMs, heartbeat: lease?.heartbeatMs };
  const about = { what: 'acquire', locks, options: sent } as const;
  const hold = (granted: unknown): ThreadLock => {
    const made = new ThreadLock(granted as Granted, call.id, asks);
    asks.holds(call.id, (granted as Granted).grant, made);
    return made;
  };
  let lock: ThreadLock;
  try {
    lock = await asks.ask(call.id, about, [holder.signal, signal], hold);
  } catch (thrown) {
    const isOwn = signal?.aborted === true && thrown === signal.reason && !holder.signal.aborted;
    throw isOwn ? waitAborted(what, thrown) : thrown;
  }
  if (lease?.heartbeatMs !== undefined) lock.restWith(signal);
  return lock;
}

class ThreadLock implements NestedLock {
  readonly names: readonly string[];
  readonly token: number;
  readonly #grant: number;
  readonly #callId: number;
  readonly #asks: Asks;
  #controller: AbortController | undefined;
  #asked: AsyncResource | undefined;
  #over: 'given back' | 'taken back' | undefined;
  /** Listens no more to the signal of the wait. */
  #unlisten: (() => void) | undefined;

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
      this.#asked = new AsyncResource('TaskmasterLock', { requireManualDestroy: true });
      if (this.#over === 'taken back') this.#controller.abort(this.#stale('use'));
    }
    return this.#controller.signal;
  }

  /** The host says that it has taken them back, or the attempt has ended. */
  takenBack(): void {
    if (this.#over !== undefined) return;
    this.#end('taken back');
    this.#asked?.runInAsyncScope(() => this.#controller?.abort(this.#stale('use')));
  }

  /** Its lease is renewed by itself until the signal of the wait is aborted. */
  restWith(signal: AbortSignal | undefined): void {
    if (signal === undefined || !this.isHeld) return;
    const rest = (): void => this.#asks.tell(this.#callId, { what: 'rest', grant: this.#grant });
    if (signal.aborted) {
      rest();
      return;
    }
    signal.addEventListener('abort', rest, { once: true });
    // The signal is the handler's own, and may outlive many locks.
    this.#unlisten = () => signal.removeEventListener('abort', rest);
  }

  release(): void {
    this.#check('release');
    this.#end('given back');
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

  #end(how: 'given back' | 'taken back'): void {
    this.#over = how;
    this.#unlisten?.();
  }

  #check(method: string): void {
    if (this.#over === 'taken back') throw this.#stale(method);
    if (this.#over === 'given back') throw givenBackBefore();
  }

  #stale(method: string): OrchestratorError {
    return takenBackMeanwhile(method, this.names, this.token);
  }
}
