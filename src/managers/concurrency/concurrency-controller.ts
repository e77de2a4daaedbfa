/**
 * Locks for code that is not a task, and the limits of how much runs at once.
 *
 * Owns: nothing of its own; it looks after the rows of the ledger for locks and limits. Who may call it: the host.
 *
 * CC1  Locks asked for together are taken together or not at all, so asking in any order cannot deadlock.
 * CC2  Each grant of a lock has a greater token than every one before it.
 */
import { checkChoice, checkInteger, copyList, invalidOption, reading } from '../../model/checks.ts';
import { checkLockNeeds, LOCKS_MAX, type LockMode, type LockNeed } from '../../model/needs.ts';
import type { Claims, Grant } from '../resources/claims.ts';
import type { Ledger } from '../resources/ledger.ts';
import { lockNeed } from '../resources/lock-row.ts';
import { checkGrant, checkWait, nameRequest, type WaitOptions } from '../resources/resource-manager.ts';
import { CAPACITY_MAX, type Row } from '../resources/row.ts';

/** How a lock is asked for. */
export interface LockOptions extends WaitOptions {
  /** Default `exclusive`. */
  readonly mode?: LockMode | undefined;
}

/** Locks that were taken together. */
export interface LockGrant extends Grant {
  readonly names: readonly string[];
}

const WAIT_KEYS: ReadonlySet<string> = new Set(['priority', 'timeout', 'signal', 'mode']);

function checkLocks(name: unknown, given: unknown, at: string): readonly LockNeed[] {
  const mode = given === undefined ? 'exclusive' : checkChoice(given, `${at}/mode`, ['exclusive', 'shared']);
  const asked = typeof name === 'string' ? [name] : name;
  const list = Array.isArray(asked) ? copyList(asked, at, LOCKS_MAX, 'locks') : undefined;
  return checkLockNeeds(list?.map((one) => ({ name: one, mode })) ?? asked, at);
}

/** Locks for code that is not a task, and the limit of tasks at once. An orchestrator has one. */
export class ConcurrencyController {
  readonly #ledger: Ledger;
  readonly #claims: Claims;
  readonly #global: Row;
  readonly #wake: () => void;

  /** @internal */
  constructor(ledger: Ledger, claims: Claims, global: Row, wake: () => void) {
    this.#ledger = ledger;
    this.#claims = claims;
    this.#global = global;
    this.#wake = wake;
  }

  /**
   * Waits for a lock, or for several taken together.
   *
   * @throws OrchestratorError `ID_INVALID`, `OPTION_INVALID`, `WAIT_TIMEOUT`, `WAIT_ABORTED`, `QUEUE_FULL`
   */
  async acquireLock(name: string | readonly string[], options: LockOptions = {}): Promise<LockGrant> {
    const at = 'acquireLock';
    const wait = checkWait(options, at, WAIT_KEYS);
    const locks = reading(at, 'lock names and options', () => checkLocks(name, options.mode, at));
    if (locks.length === 0) throw invalidOption(at, name, 'at least one lock name');
    const needs = locks.map((lock) => lockNeed(this.#ledger, lock));
    const grant = await this.#claims.request(needs, {
      ...wait,
      what: nameRequest(at, locks),
    });
    return { names: locks.map((lock) => lock.name), token: grant.token, release: grant.release };
  }

  /** Gives locks back. @throws OrchestratorError `GRANT_RELEASED` the second time */
  releaseLock(grant: LockGrant): void {
    checkGrant(grant, 'releaseLock').release();
  }

  /** How many tasks may be in progress at once; `undefined` without a limit. */
  get limit(): number | undefined {
    const limit = this.#global.capacity / this.#global.scale;
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
    this.#ledger.setCapacity(
      this.#global,
      limit === undefined ? CAPACITY_MAX : checkInteger(limit, 'setLimit', 1, 1_000_000),
    );
    this.#wake();
  }

  /** How many tasks are in progress, as the limit counts them. */
  get running(): number {
    return this.#global.used / this.#global.scale;
  }
}
