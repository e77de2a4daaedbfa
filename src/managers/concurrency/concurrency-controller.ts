/**
 * Locks for code that is not a task, lanes for functions of the host, and the limits of how much runs at once.
 *
 * Owns: the lanes; it looks after the rows of the ledger for locks and limits. Who may call it: the host.
 *
 * CC1  Locks asked for together are taken together or not at all, so asking in any order cannot deadlock.
 * CC2  Each grant of a lock has a greater token than every one before it.
 * CC3  What `executeTask` took is given back exactly once, however its function ends.
 */
import { checkFunction, checkInteger, invalidOption } from '../../model/checks.ts';
import { OrchestratorError, refuse } from '../../model/errors.ts';
import type { LockWaitOptions } from '../../model/handler.ts';
import { checkId } from '../../model/ids.ts';
import type { LockRequest } from '../../model/needs.ts';
import { checkGrant, type WaitOptions } from '../resources/resource-manager.ts';
import { CAPACITY_MAX } from '../resources/row.ts';
import type { ConcurrencyParts } from './concurrency-parts.ts';
import type { Deadlock, ResolvedDeadlock } from './deadlocks.ts';
import { type LaneOptions, type LaneState, Lanes } from './lanes.ts';
import { LockDesk } from './lock-desk.ts';
import type { LockGrant } from './lock-grant.ts';
import { checkLockAsk } from './lock-options.ts';
import { type LockState, viewLocks } from './lock-view.ts';
import { NestedLocks } from './nested-locks.ts';
import { type ConcurrencyControllerOptions, concurrencyAlone } from './stand-alone.ts';

export type { LockGrant } from './lock-grant.ts';

/** How a lock is asked for. */
export interface LockOptions extends WaitOptions, LockWaitOptions {
  readonly priority?: number | undefined;
  readonly timeout?: number | string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Who asks: requests of one owner are one party of a deadlock. Default: a party of its own, which is in none. */
  readonly owner?: string | undefined;
}

/** Under which locks a function runs. */
export interface ExecuteOptions extends LockOptions {
  readonly locks: string | readonly LockRequest[];
}

const LOCK_KEYS: ReadonlySet<string> = new Set([
  'mode',
  'priority',
  'timeout',
  'signal',
  'lease',
  'heartbeat',
  'owner',
]);
const EXECUTE_KEYS: ReadonlySet<string> = new Set([...LOCK_KEYS, 'locks']);

/** Locks and lanes for code that is not a task, and the limit of tasks at once. An orchestrator has one. */
export class ConcurrencyController {
  /** @internal */
  readonly nested: NestedLocks;
  readonly #parts: ConcurrencyParts;
  readonly #desk: LockDesk;
  readonly #lanes: Lanes;

  /** @internal */
  constructor(parts: ConcurrencyParts) {
    this.#parts = parts;
    this.#desk = new LockDesk(parts);
    this.nested = new NestedLocks(this.#desk);
    this.#lanes = new Lanes(parts);
  }

  /**
   * A controller of its own, outside of an orchestrator.
   * @throws OrchestratorError `OPTION_UNKNOWN`, `OPTION_INVALID`
   */
  static create(options: ConcurrencyControllerOptions): ConcurrencyController {
    return new ConcurrencyController(concurrencyAlone(options));
  }

  /**
   * Waits for a lock, or for several taken together.
   *
   * @throws OrchestratorError `ID_INVALID`, `OPTION_INVALID`, `LOCK_CONFLICT`, `DEADLOCK_VICTIM`, `WAIT_TIMEOUT`,
   *   `WAIT_ABORTED`, `QUEUE_FULL`
   */
  async acquireLock(name: string | readonly LockRequest[], options: LockOptions = {}): Promise<LockGrant> {
    return this.#acquire(name, options, 'acquireLock', LOCK_KEYS);
  }

  /**
   * Gives locks back: by their grant, or by a name and the token of the grant.
   * @throws OrchestratorError `GRANT_RELEASED` the second time, `LOCK_STALE` for a token that holds nothing any more
   */
  releaseLock(grant: LockGrant): void;
  releaseLock(name: string, token: number): void;
  releaseLock(given: LockGrant | string, token?: number): void {
    if (typeof given !== 'string') {
      checkGrant(given, 'releaseLock').release();
      return;
    }
    const held = token === undefined ? undefined : this.#desk.withToken(token);
    if (held?.names.includes(given) === true) {
      held.release();
      return;
    }
    throw new OrchestratorError(
      'LOCK_STALE',
      `releaseLock(${given}): found the token ${String(token)}, which does not hold it; allowed: the token of the holder. Nothing was given back.`,
      { details: { names: [given], token } },
    );
  }

  /**
   * Runs a function while holding locks, all taken at once. Its result, or what it throws, is passed on.
   *
   * @param work - gets the fencing token of the locks and the signal of `options`
   * @throws OrchestratorError as `acquireLock`
   */
  async executeTask<Result>(
    work: (held: {
      readonly token: number;
      readonly signal: AbortSignal | undefined;
    }) => Result | PromiseLike<Result>,
    options: ExecuteOptions,
  ): Promise<Result> {
    checkFunction(work, 'executeTask', 'a function to run');
    if (typeof options !== 'object' || options === null)
      throw invalidOption('executeTask', options, 'an object of options with locks');
    const grant = await this.#acquire(options.locks, options, 'executeTask', EXECUTE_KEYS);
    try {
      return await work({ token: grant.token, signal: options.signal });
    } finally {
      // Its lease may have run out, or it was ended to break a deadlock: then it is given back already.
      if (grant.isHeld) grant.release();
    }
  }

  /**
   * Runs a function in a lane: with at most so many others of the lane at once, and at most so many in a time.
   *
   * @returns what the function returns
   * @throws OrchestratorError `OPTION_INVALID`, `OPTION_CONFLICT`, `WAIT_ABORTED`, `QUEUE_FULL`; what the function throws
   */
  async manageConcurrency<Result>(
    work: (context: { readonly signal: AbortSignal | undefined }) => Result | PromiseLike<Result>,
    options: LaneOptions,
  ): Promise<Result> {
    return this.#lanes.run(work, options);
  }

  /** @internal Ends every wait in a lane, and takes no more. */
  close(error: OrchestratorError): void {
    this.#lanes.close(error);
  }

  /** The lanes that were used, with how many run and wait in each. */
  lanes(): readonly LaneState[] {
    return this.#lanes.states();
  }

  /** Every lock that is held or waited for. */
  locks(): readonly LockState[] {
    return viewLocks({ ...this.#parts, desk: this.#desk });
  }

  /** Finds the deadlocks among waits for locks: one shortest cycle of each set that waits for itself. */
  detectDeadlocks(): readonly Deadlock[] {
    return this.#desk.detect();
  }

  /**
   * Breaks every deadlock: the wait of its member of lowest priority, the youngest of equals, rejects with
   * `DEADLOCK_VICTIM`, and what it took is free in the same turn.
   */
  resolveConflicts(): readonly ResolvedDeadlock[] {
    return this.#desk.resolve();
  }

  /**
   * Whether deadlocks are broken when they come about, or left to `detectDeadlocks` and `resolveConflicts`. Default
   * `resolve`.
   * @throws OrchestratorError `OPTION_INVALID`
   */
  setDeadlockPolicy(policy: 'resolve' | 'report'): void {
    if (policy !== 'resolve' && policy !== 'report')
      throw invalidOption('setDeadlockPolicy', policy, 'resolve, report');
    this.#desk.policy = policy;
  }

  /** How many tasks may be in progress at once; `undefined` without a limit. */
  get limit(): number | undefined {
    const { global } = this.#parts;
    const limit = global.capacity / global.scale;
    return limit >= CAPACITY_MAX ? undefined : limit;
  }

  /**
   * Changes how many tasks may be in progress at once. A higher limit starts waiting tasks at once; under a lower
   * one running tasks end, and none starts until there are fewer.
   *
   * @param limit - 1 to 1,000,000, or `undefined` for no limit
   * @throws OrchestratorError `OPTION_INVALID`
   */
  setLimit(limit: number | undefined): void {
    this.#parts.ledger.setCapacity(
      this.#parts.global,
      limit === undefined ? CAPACITY_MAX : checkInteger(limit, 'setLimit', 1, 1_000_000),
    );
    this.#parts.wake();
  }

  /** How many tasks are in progress, as the limit counts them. */
  get running(): number {
    return this.#parts.global.used / this.#parts.global.scale;
  }

  async #acquire(
    name: unknown,
    options: LockOptions,
    at: string,
    keys: ReadonlySet<string>,
  ): Promise<LockGrant> {
    const ask = checkLockAsk(name, options, at, keys);
    const priority = ask.priority ?? 0;
    if (options.owner === undefined) return this.#desk.acquire({ ...ask, priority, party: undefined });
    if (typeof options.owner !== 'string')
      throw refuse('OPTION_INVALID', { at: `${at}/owner`, found: typeof options.owner, allowed: 'a name' });
    const owner = checkId(options.owner, `${at}/owner`, 'the name of an owner');
    return this.#desk.acquire({ ...ask, priority, party: this.#desk.ownerNamed(owner, priority) });
  }
}
