import {
  checkDuration,
  checkFunction,
  checkInteger,
  checkKeys,
  checkNumber,
  checkRecord,
  DURATION_MS_MAX,
  type Duration,
} from './checks.ts';
import { refuse } from './errors.ts';
import type { TaskFailure } from './failure.ts';

/** What `retryOn` is told about a failed attempt. */
export interface FailedAttempt {
  /** The value that the handler threw, when it failed in this process. */
  readonly thrown: unknown;
  readonly failure: TaskFailure;
  /** The attempt that failed, from 1. */
  readonly attempt: number;
}

/** How often and when a failed task is tried again. */
export interface RetryOptions {
  /** Attempts in all, the first one included: 1 to 10,000. Default 3. */
  readonly maxAttempts?: number | undefined;
  /** The wait before the second attempt. Default 1 s. */
  readonly delay?: Duration | undefined;
  /** By how much each wait is longer than the one before: 1 to 100. Default 2. */
  readonly factor?: number | undefined;
  /** No wait is longer than this. Default 100 times `delay`. */
  readonly maxDelay?: Duration | undefined;
  /** The part of each wait that is left to chance, 0 to 1: a wait `w` becomes `w * (1 - jitter * random)`. Default 0. */
  readonly jitter?: number | undefined;
  /** Whether to try again after this failure. One that throws means no. Default: always. */
  readonly retryOn?: ((failed: FailedAttempt) => boolean) | undefined;
}

/** `RetryOptions` checked, with the defaults filled in. */
export interface RetryPolicy {
  readonly maxAttempts: number;
  readonly delayMs: number;
  readonly factor: number;
  readonly maxDelayMs: number;
  readonly jitter: number;
  /** Whether to try again after a failure; always when there is none. */
  readonly retryOn: ((failed: FailedAttempt) => boolean) | undefined;
}

const KEYS: ReadonlySet<string> = new Set([
  'maxAttempts',
  'delay',
  'factor',
  'maxDelay',
  'jitter',
  'retryOn',
]);
/** The longest wait by default, in first waits. */
const MAX_DELAYS_DEFAULT = 100;

/** @throws OrchestratorError `OPTION_INVALID`, `OPTION_UNKNOWN` */
export function checkRetry(value: unknown, at: string): RetryPolicy {
  const options = checkRecord(
    value,
    at,
    'an object of retry options such as { maxAttempts: 3 }',
  ) as RetryOptions;
  checkKeys(options, KEYS, at);
  const delayMs = options.delay === undefined ? 1_000 : checkDuration(options.delay, `${at}/delay`);
  const maxDelayMs =
    options.maxDelay === undefined
      ? Math.min(DURATION_MS_MAX, delayMs * MAX_DELAYS_DEFAULT)
      : checkDuration(options.maxDelay, `${at}/maxDelay`);
  if (maxDelayMs < delayMs) {
    throw refuse('OPTION_INVALID', {
      at: `${at}/maxDelay`,
      found: `${maxDelayMs} ms, which is less than delay (${delayMs} ms)`,
      allowed: 'delay or more',
    });
  }
  return {
    maxAttempts:
      options.maxAttempts === undefined
        ? 3
        : checkInteger(options.maxAttempts, `${at}/maxAttempts`, 1, 10_000),
    delayMs,
    factor: options.factor === undefined ? 2 : checkNumber(options.factor, `${at}/factor`, 1, 100),
    maxDelayMs,
    jitter: options.jitter === undefined ? 0 : checkNumber(options.jitter, `${at}/jitter`, 0, 1),
    retryOn:
      options.retryOn === undefined
        ? undefined
        : (checkFunction(
            options.retryOn,
            `${at}/retryOn`,
            'a function of the failed attempt',
          ) as RetryPolicy['retryOn']),
  };
}

/**
 * The wait after a failed attempt, in milliseconds: exponential, capped, then shortened by chance.
 *
 * @param attempt - the attempt that failed, from 1
 * @param random - a number from 0 (included) to 1 (excluded)
 */
export function nextDelayMs(policy: RetryPolicy, attempt: number, random: number): number {
  // The power may be Infinity, and nothing times infinity is not a number.
  const grown = policy.delayMs === 0 ? 0 : policy.delayMs * policy.factor ** (attempt - 1);
  const capped = Math.min(policy.maxDelayMs, grown);
  return Math.round(capped * (1 - policy.jitter * random));
}
