/**
 * Functions of the host that run while they hold what they need: locks, or all that a task needs.
 *
 * Owns: nothing. Who may call it: the concurrency controller.
 *
 * EX1  What was taken is given back exactly once, however the function ends, and never before it has ended, unless a
 *      lease or a deadlock took it back.
 * EX2  A function whose locks were taken back cannot complete: what it returns is refused.
 */
import { describeValue } from '../../base/values.ts';
import { checkFunction, invalidOption, reading } from '../../model/checks.ts';
import { refuse } from '../../model/errors.ts';
import type { LockRequest } from '../../model/needs.ts';
import { type AnyTask, isTask } from '../../model/task.ts';
import type { LockGrant } from './lock-grant.ts';

/** What a function is told of what it holds. */
export interface Held {
  /** The fencing token: greater than every one granted before. */
  readonly token: number;
  /** Aborted by the `signal` of the options, and when the locks are taken back (`LOCK_STALE`). */
  readonly signal: AbortSignal;
}

/** A function of the host. */
export type HeldWork<Result> = (held: Held) => Result | PromiseLike<Result>;

/** What is to be run, holding what. */
export interface Execution<Result, Options> {
  readonly work: HeldWork<Result>;
  /** Whose needs are taken; `undefined` when locks alone were named. */
  readonly task: AnyTask | undefined;
  readonly locks: string | readonly LockRequest[];
  readonly options: Options;
}

/**
 * Tells `(work, { locks })` from `(task, work, options)`.
 * @throws OrchestratorError `OPTION_INVALID`, `DEFINITION_INVALID`
 */
export function readExecution<Result, Options extends object>(
  at: string,
  first: unknown,
  second: unknown,
  third: unknown,
): Execution<Result, Options> {
  return reading(at, 'a function with locks, or a task with a function', () => {
    if (typeof first === 'function') {
      if (typeof second !== 'object' || second === null)
        throw invalidOption(at, second, 'an object of options with locks');
      const options = second as Options & { readonly locks: string | readonly LockRequest[] };
      return { work: first as HeldWork<Result>, task: undefined, locks: options.locks, options };
    }
    if (!isTask(first)) {
      if (second === undefined || typeof second !== 'function') checkFunction(first, at, 'a function to run');
      throw refuse('DEFINITION_INVALID', {
        at,
        found: describeValue(first),
        allowed: 'a task made by task(…)',
      });
    }
    checkFunction(second, at, 'a function to run');
    const task = first as AnyTask;
    const { locks } = task.policies;
    return {
      work: second as HeldWork<Result>,
      task,
      locks,
      options: (third === undefined ? {} : third) as Options,
    };
  });
}

/** Runs a function, and gives back what it held. */
export async function runHeld<Result>(
  work: HeldWork<Result>,
  grant: LockGrant,
  given: AbortSignal | undefined,
): Promise<Result> {
  const signal = given === undefined ? grant.signal : AbortSignal.any([given, grant.signal]);
  try {
    const result = await work({ token: grant.token, signal });
    // Whoever gave the locks back early by their token is not too late.
    if (grant.signal.aborted) throw grant.signal.reason;
    return result;
  } finally {
    // Its lease may have run out, or it was ended to break a deadlock: then it is given back already.
    if (grant.isHeld) grant.release();
  }
}
