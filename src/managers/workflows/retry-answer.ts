/**
 * Asks the host whether a failed attempt is to be followed by another one.
 *
 * Owns: nothing. Who may call it: the attempt manager, and whoever reports a failure from outside.
 *
 * RA1  A predicate that throws, or does not answer at once, means no; it is never an error of the engine.
 */
import { isMarkedFatal, type TaskFailure } from '../../model/failure.ts';
import type { AnyTask } from '../../model/task.ts';
import type { Random } from '../../ports/random.ts';
import { forget } from './evaluate-condition.ts';
import type { LiveRun } from './live-run.ts';

/** What a command on a failure says of it. */
export interface RetryAnswer {
  readonly retry: boolean;
  /** For the part of the wait that is left to chance: 0 to 1. */
  readonly random: number;
}

/** An attempt that has failed. */
export interface FailedTry {
  readonly thrown: unknown;
  readonly failure: TaskFailure;
  readonly attempt: number;
}

/** The answer of the policy of a task. */
export function retryAnswer(run: LiveRun, task: AnyTask, failed: FailedTry, random: Random): RetryAnswer {
  const { retry } = task.policies;
  if (retry === undefined || isMarkedFatal(failed.thrown)) return { retry: false, random: 0 };
  let chance = 0;
  try {
    chance = random.next();
    if (retry.retryOn === undefined) return { retry: true, random: chance };
    const answer: unknown = run.within(retry.retryOn, failed);
    forget(answer);
    return { retry: answer === true, random: chance };
  } catch {
    return { retry: false, random: chance };
  }
}
