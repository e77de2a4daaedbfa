/**
 * Locks for code that is not a task, lanes for functions of the host, and the limits of how much runs at once.
 *
 * Owns: the lanes; it looks after the rows of the ledger for locks and limits. Who may call it: the host.
 *
 * CC1  Locks asked for together are taken together or not at all, so asking in any order cannot deadlock.
 * CC2  Each grant of a lock has a greater token than every one before it.
 * CC3  What `executeTask` took is given back exactly once, however its function ends.
 */
import { describeValue } from '../../base/values.ts';
import { checkInteger, invalidOption, reading } from '../../model/checks.ts';
import { OrchestratorError, refuse } from '../../model/errors.ts';
import type { LockWaitOptions } from '../../model/handler.ts';
import { checkId } from '../../model/ids.ts';
import { type CheckedAsk, checkLockAsk, checkLockWait } from '../../model/lock-options.ts';
import { type LockRequest, nameRequest } from '../../model/needs.ts';
import type { AnyTask } from '../../model/task.ts';
import { checkGrant, type WaitOptions } from '../resources/resource-manager.ts';
import { CAPACITY_MAX } from '../resources/row.ts';
import { checkComposed } from '../resources/stand-alone.ts';
import type { ConcurrencyParts } from './concurrency-parts.ts';
import type { Deadlock, ResolvedDeadlock } from './deadlocks.ts';
import { type HeldWork, readExecution, runHeld } from './execution.ts';
import { type LaneOptions, type LaneState, Lanes } from './lanes.ts';
import { type LockAsk, LockDesk } from './lock-desk.ts';
import type { HeldLock, LockGrant } from './lock-grant.ts';
import { type LockState, viewLocks } from './lock-view.ts';
import { NestedLocks } from './nested-locks.ts';
import { type ConcurrencyControllerOptions, concurrencyAlone } from './stand-alone.ts';

export type { Held, HeldWork } from './execution.ts';
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

/** How what a task needs is waited for and held. */
export type LockHolding = Omit<LockOptions, 'mode'>;

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
const HOLDING_KEYS: ReadonlySet<string> = new Set([...LOCK_KEYS].filter((key) => key !== 'mode'));

/** Locks and lanes for code that is not a task, and the limit of tasks at once. An orchestrator has one. */
export class ConcurrencyController {
  /** @internal */
  readonly nested: NestedLocks;
  readonly #parts: ConcurrencyParts;
  readonly #desk: LockDesk;
  readonly #lanes: Lanes;

  /** @internal */
  constructor(parts: ConcurrencyParts) {
    this.#parts = checkComposed(parts, 'ConcurrencyController');
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
   * Waits for a lock, or for several taken together. What `owner` holds shared it can ask for exclusively: that is
   * granted when nobody else holds it, and ends when the shared lock is taken back.
   *
   * @throws OrchestratorError `ID_INVALID`, `OPTION_INVALID`, `LOCK_CONFLICT`, `DEADLOCK_VICTIM`, `WAIT_TIMEOUT`,
   *   `WAIT_ABORTED`, `QUEUE_FULL`; `LOCK_STALE` when the shared lock to be made exclusive was taken back meanwhile
   */
  async acquireLock(name: string | readonly LockRequest[], options: LockOptions = {}): Promise<LockGrant> {
    return this.#acquire(checkLockAsk(name, options, 'acquireLock', LOCK_KEYS), options, 'acquireLock');
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
      `${nameRequest('releaseLock', [{ name: given }])}: found the token ${typeof token === 'number' ? token : describeValue(token)}, which does not hold it; allowed: the token of the holder. Nothing was given back.`,
      { details: { names: [given], token } },
    );
  }

  /**
   * Runs a function while holding locks, all taken at once when they are free. What it returns or throws is passed on;
   * when the locks were taken back meanwhile, what it returns is refused.
   *
   * @param work - gets the fencing token, and a signal that is aborted by that of `options` and when locks are taken back
   * @throws OrchestratorError as `acquireLock`; `LOCK_STALE`
   */
  async executeTask<Result>(work: HeldWork<Result>, options: ExecuteOptions): Promise<Result>;
  /**
   * The same while holding everything that a task needs: a place under the limit of tasks, a slot and the rate of its
   * agent, resources, locks.
   *
   * @param task - for its needs, and its priority unless `options` name one; what the task itself does is not called
   * @param work - as for locks alone
   * @throws OrchestratorError as for locks alone; `DEFINITION_INVALID`, `RESOURCE_UNKNOWN`, `RESOURCE_UNSCHEDULABLE`,
   *   `RESOURCE_AMOUNT_INVALID`
   */
  async executeTask<Result>(task: AnyTask, work: HeldWork<Result>, options?: LockHolding): Promise<Result>;
  async executeTask<Result>(first: unknown, second: unknown, third?: unknown): Promise<Result> {
    const at = 'executeTask';
    const { work, task, locks, options } = readExecution<Result, LockOptions>(at, first, second, third);
    if (task === undefined) {
      const ask = checkLockAsk(locks, options, at, EXECUTE_KEYS);
      return runHeld(work, await this.#acquire(ask, options, at), ask.signal);
    }
    const wait = checkLockWait(options, at, HOLDING_KEYS);
    const what = `${at}(${task.taskId})`;
    const others = this.#parts.needsBeside(task, what);
    const ask = {
      ...wait,
      locks: task.policies.locks,
      what,
      others,
      priority: wait.priority ?? task.priority,
    };
    return runHeld(work, await this.#acquire(ask, options, at), wait.signal);
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
   * Breaks every deadlock: its member of lowest priority, of equals the youngest, is ended. Its waits reject with
   * `DEADLOCK_VICTIM`, and what it took is free in the same turn; an attempt fails with that as well, and what its
   * task held is free as soon as the failure is durable.
   */
  resolveConflicts(): readonly ResolvedDeadlock[] {
    return this.#desk.resolve();
  }

  /**
   * Whether deadlocks are broken when they come about, or left to `detectDeadlocks` and `resolveConflicts`. Default
   * `resolve`, which also breaks those that are there when it is set.
   * @throws OrchestratorError `OPTION_INVALID`
   */
  setDeadlockPolicy(policy: 'resolve' | 'report'): void {
    if (policy !== 'resolve' && policy !== 'report')
      throw invalidOption('setDeadlockPolicy', policy, 'resolve, report');
    this.#desk.policy = policy;
    if (policy === 'resolve') this.#desk.resolve();
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
    ask: CheckedAsk & Pick<LockAsk, 'others'>,
    options: LockOptions,
    at: string,
  ): Promise<HeldLock> {
    const priority = ask.priority ?? 0;
    const given = reading(`${at}/owner`, 'a name', () => options.owner);
    if (given === undefined) return this.#desk.acquire({ ...ask, priority, party: undefined });
    if (typeof given !== 'string')
      throw refuse('OPTION_INVALID', { at: `${at}/owner`, found: typeof given, allowed: 'a name' });
    const owner = checkId(given, `${at}/owner`, 'the name of an owner');
    return this.#desk.acquire({ ...ask, priority, party: this.#desk.ownerNamed(owner, priority) });
  }
}
