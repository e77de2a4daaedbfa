/**
 * Locks that a handler takes while it runs, on top of those that its task holds.
 *
 * Owns: the parties of attempts. Who may call it: the contexts of attempts.
 *
 * NL1  An attempt that takes none costs nothing.
 * NL2  What an attempt took is given back when it ends, however it ends; what it waits for rejects then.
 * NL3  A victim of a deadlock fails, whatever its body makes of it: so what its task holds goes too, in the turn in
 *      which that is durable. Its signal says so to a body that goes on, and its tokens are older than those of whoever
 *      comes next.
 * NL4  Attempts of one task have one age, that of its submission: who was a victim is not younger when it is tried again.
 */
import type { OrchestratorError } from '../../model/errors.ts';
import type { LockWaitOptions, NestedLock } from '../../model/handler.ts';
import { attemptOver, checkLockAsk, waitAborted } from '../../model/lock-options.ts';
import type { Group } from '../resources/ledger.ts';
import type { LockDesk } from './lock-desk.ts';
import { Party } from './wait-graph.ts';

/** What has to be known of an attempt. */
export interface LockingAttempt {
  readonly runId: string;
  readonly path: string;
  readonly attempt: number;
  /** What its task holds. */
  readonly group: Group;
  readonly signal: AbortSignal;
  /** Greater is younger: that of the task among all submissions. */
  readonly order: number;
  /** Its priority among those that could be ended. */
  priority(): number;
  /** Whether its body has ended, or was given up on. */
  isOver(): boolean;
  /** Ends it as failed, whether its body has ended or not. */
  fail(error: OrchestratorError): void;
  /** Calls back once, when it ends. */
  onEnd(callback: () => void): void;
}

export class NestedLocks {
  readonly #desk: LockDesk;
  readonly #parties = new WeakMap<object, Party>();

  constructor(desk: LockDesk) {
    this.#desk = desk;
  }

  /**
   * @param key - stands for the attempt
   * @throws OrchestratorError `LOCK_CONFLICT`, `DEADLOCK_VICTIM`, `WAIT_TIMEOUT`, `WAIT_ABORTED`, `LOCK_STALE`; the reason of the attempt's signal
   */
  async acquire(
    key: object,
    of: LockingAttempt,
    name: string | readonly string[],
    options: LockWaitOptions | undefined,
  ): Promise<NestedLock> {
    const ask = checkLockAsk(name, options ?? {}, 'locks.acquire');
    if (of.signal.aborted) throw of.signal.reason;
    if (of.isOver()) throw attemptOver(of);
    const party = this.#partyOf(key, of);
    const own = ask.signal;
    const signal = own === undefined ? of.signal : AbortSignal.any([own, of.signal]);
    const abortError = (reason: unknown): unknown =>
      of.signal.aborted ? of.signal.reason : waitAborted(ask.what, reason);
    return this.#desk.acquire({
      ...ask,
      priority: ask.priority ?? party.priority,
      signal,
      party,
      abortError,
    });
  }

  #partyOf(key: object, of: LockingAttempt): Party {
    const known = this.#parties.get(key);
    if (known !== undefined) return known;
    const { runId, path, attempt } = of;
    const party = new Party(`${runId}/${path}`, of.order, () => of.priority(), {
      task: { runId, path, attempt },
      fail: (error) => of.fail(error),
    });
    this.#parties.set(key, party);
    this.#desk.adopt(party, of.group);
    of.onEnd(() => this.#desk.end(party, of.group, of.signal.aborted ? of.signal.reason : attemptOver(of)));
    return party;
  }
}
