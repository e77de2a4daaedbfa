/**
 * Locks that were taken together, until they are given back or taken back.
 *
 * Owns: the lease. Who may call it: whoever was granted the locks, and the lock desk.
 *
 * LG1  The locks are given back exactly once: by `release`, by the end of the lease, or by the end of the owner.
 * LG2  Who comes too late is refused: its token may be older than that of the next holder.
 * LG3  Who lost the locks is told in the same turn, by the signal, in the async context in which that was first asked
 *      for; who gave them back is not.
 */
import { AsyncResource } from 'node:async_hooks';
import type { OrchestratorError } from '../../model/errors.ts';
import { givenBackBefore, type Lease, takenBackMeanwhile } from '../../model/lock-options.ts';
import type { Grant } from '../resources/claims.ts';

/** Locks that were taken together. */
export interface LockGrant extends Grant {
  readonly names: readonly string[];
  /**
   * Begins the lease anew; without a lease it only says whether the locks are held still.
   * @throws OrchestratorError `LOCK_STALE` when they were taken back, `GRANT_RELEASED` when they were given back
   */
  renew(): void;
  /** Whether the locks are held still. */
  readonly isHeld: boolean;
  /** Aborted with `LOCK_STALE` when the locks are taken back: their lease has run out, or a deadlock was broken. */
  readonly signal: AbortSignal;
}

/** What a lock grant needs. */
export interface LockGrantParts {
  readonly grant: Grant;
  readonly names: readonly string[];
  readonly lease: Lease | undefined;
  /** When it was granted: milliseconds since 1970. */
  readonly since: number;
  readonly now: () => number;
  readonly setTimer: (delayMs: number, callback: () => void) => () => void;
  /** Called once, when it is over. */
  readonly onOver: (how: 'released' | 'taken back') => void;
  /** Whether the ledger may have the locks back already; else it does when `settle` is called. */
  readonly mayGo: () => boolean;
}

export class HeldLock implements LockGrant {
  readonly names: readonly string[];
  readonly token: number;
  readonly since: number;
  readonly #parts: LockGrantParts;
  #over: 'released' | 'taken back' | undefined;
  #settled = false;
  #leaseUntil: number | undefined;
  #stopLease: (() => void) | undefined;
  #stopHeartbeat: (() => void) | undefined;
  /** Made when it is first asked for. */
  #controller: AbortController | undefined;
  #asked: AsyncResource | undefined;

  constructor(parts: LockGrantParts) {
    this.#parts = parts;
    this.names = parts.names;
    this.token = parts.grant.token;
    this.since = parts.since;
    this.#startLease();
    this.#startHeartbeat();
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

  /** Whether the ledger has the locks back. */
  get isSettled(): boolean {
    return this.#settled;
  }

  /** When the lease ends unless it is renewed; `undefined` without one. */
  get leaseUntil(): number | undefined {
    return this.#leaseUntil;
  }

  renew(): void {
    this.#checkHeld('renew');
    this.#startLease();
  }

  release(): void {
    this.#checkHeld('release');
    this.#end('released');
  }

  /** Takes the locks back from whoever holds them. */
  revoke(): void {
    if (this.#over === undefined) this.#end('taken back');
    else this.settle(true);
  }

  /** Lets the ledger have the locks, if that was put off. */
  settle(always = false): void {
    if (this.#over === undefined || this.#settled || !(always || this.#parts.mayGo())) return;
    this.#settled = true;
    this.#parts.grant.release();
  }

  [Symbol.dispose](): void {
    if (this.isHeld) this.release();
  }

  #end(how: 'released' | 'taken back'): void {
    this.#over = how;
    this.#stopLease?.();
    this.#stopHeartbeat?.();
    this.settle(how === 'taken back');
    this.#parts.onOver(how);
    if (how === 'taken back' && this.#asked !== undefined)
      this.#asked.runInAsyncScope(() => this.#controller?.abort(this.#stale('use')));
  }

  /** @throws OrchestratorError as `renew` */
  #checkHeld(what: string): void {
    if (this.#over === 'released') throw givenBackBefore();
    if (this.#over === 'taken back') throw this.#stale(what);
  }

  #stale(what: string): OrchestratorError {
    return takenBackMeanwhile(what, this.names, this.token);
  }

  #startLease(): void {
    const { lease, setTimer, now } = this.#parts;
    if (lease === undefined) return;
    this.#stopLease?.();
    this.#leaseUntil = now() + lease.leaseMs;
    this.#stopLease = setTimer(lease.leaseMs, () => this.revoke());
  }

  #startHeartbeat(): void {
    const { lease, setTimer } = this.#parts;
    if (lease?.heartbeatMs === undefined) return;
    const { heartbeatMs, signal } = lease;
    this.#stopHeartbeat = setTimer(heartbeatMs, () => {
      if (signal?.aborted === true || !this.isHeld) return;
      this.#startLease();
      this.#startHeartbeat();
    });
  }
}
