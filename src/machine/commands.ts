/**
 * What can be asked of one run. A command carries everything that `decide` may not find out by itself: the
 * time, the answers of host predicates, random numbers.
 *
 * Who may make them: managers (external ones) and `consequences` (internal ones).
 *
 * C1  A command that cannot be carried out is refused as a value; it changes nothing.
 * C2  The same command on the same state always gives the same events.
 */
import type { ErrorCode } from '../model/error-codes.ts';
import type { TaskFailure } from '../model/failure.ts';
import type { TaskPath } from '../model/path.ts';
import type { RunAttributes, SkipCause, StopCause } from './events.ts';

interface Timed {
  /** Milliseconds since 1970. The loop sets it when it decides the command, once for a whole turn. */
  at: number;
}

export interface StartRun extends Timed {
  readonly type: 'StartRun';
  readonly workflowVersion: number;
  readonly input: unknown;
  readonly priority: number;
  readonly key?: string;
  readonly attributes?: RunAttributes;
}
/** Takes an attempt from waiting to in progress; given when all its needs were taken. */
export interface StartTask extends Timed {
  readonly type: 'StartTask';
  readonly path: TaskPath;
}
/** Runs the body of an attempt again that was under way when the process ended; given when all its needs were taken. */
export interface RestartTask extends Timed {
  readonly type: 'RestartTask';
  readonly path: TaskPath;
  readonly attempt: number;
  /** How often a task may be started again; one more fails it for good. */
  readonly maxRestarts: number;
}
export interface ReportSuccess extends Timed {
  readonly type: 'ReportSuccess';
  readonly path: TaskPath;
  readonly attempt: number;
  readonly output: unknown;
}
export interface ReportFailure extends Timed {
  readonly type: 'ReportFailure';
  readonly path: TaskPath;
  readonly attempt: number;
  readonly failure: TaskFailure;
  /** The answer of `retryOn`. */
  readonly retry: boolean;
  /** From 0 (included) to 1 (excluded), for jitter. */
  readonly random: number;
}
/** Tells the body of an attempt to stop. */
export interface StopTask extends Timed {
  readonly type: 'StopTask';
  readonly path: TaskPath;
  readonly attempt: number;
  readonly cause: Exclude<StopCause, 'run_failed'>;
  readonly reason: TaskFailure;
}
/** Gives up on a body that was told to stop and did not, within its grace. */
export interface AbandonTask extends Timed {
  readonly type: 'AbandonTask';
  readonly path: TaskPath;
  readonly attempt: number;
  readonly retry: boolean;
  readonly random: number;
}
/** The whole time of a task is over while it waits for its next attempt. */
export interface ExpireTask extends Timed {
  readonly type: 'ExpireTask';
  readonly path: TaskPath;
  readonly failure: TaskFailure;
}
export interface RecordCondition extends Timed {
  readonly type: 'RecordCondition';
  readonly path: TaskPath;
  readonly result: boolean;
  readonly failure?: TaskFailure;
}
export interface RecordProgress extends Timed {
  readonly type: 'RecordProgress';
  readonly path: TaskPath;
  readonly attempt: number;
  readonly progress: unknown;
}
export interface CancelTask extends Timed {
  readonly type: 'CancelTask';
  readonly path: TaskPath;
  readonly cause: 'task_cancelled';
  readonly reason: TaskFailure;
}
export interface CancelRun extends Timed {
  readonly type: 'CancelRun';
  readonly reason: TaskFailure;
}
export interface PauseRun extends Timed {
  readonly type: 'PauseRun';
}
export interface ResumeRun extends Timed {
  readonly type: 'ResumeRun';
}
/** Goes on with another version, or lets some tasks begin anew. */
export interface MoveRun extends Timed {
  readonly type: 'MoveRun';
  readonly workflowVersion: number;
  /** Tasks that are to begin anew although they have not changed. */
  readonly again: readonly TaskPath[];
}
export interface SetPriority extends Timed {
  readonly type: 'SetPriority';
  readonly path: TaskPath;
  readonly priority: number;
}
/** Opens a child scope at `path`, which is that of the opening task with its item or iteration. */
export interface OpenScope extends Timed {
  readonly type: 'OpenScope';
  readonly path: TaskPath;
}
/** Internal: a dependency did not complete. */
export interface SkipTask extends Timed {
  readonly type: 'SkipTask';
  readonly path: TaskPath;
  readonly cause: SkipCause & { readonly kind: 'dependency' };
}
/** Internal: a task failed and the policy says that nothing new starts. */
export interface HaltRun extends Timed {
  readonly type: 'HaltRun';
  readonly reason: TaskFailure;
}
/** Internal: all tasks of a child scope have ended. */
export interface CloseScope extends Timed {
  readonly type: 'CloseScope';
  readonly path: TaskPath;
}
/** Internal: all tasks have ended. */
export interface FinishRun extends Timed {
  readonly type: 'FinishRun';
}

/** Everything that can be asked of a run. */
export type RunCommand =
  | StartRun
  | StartTask
  | RestartTask
  | ReportSuccess
  | ReportFailure
  | StopTask
  | AbandonTask
  | ExpireTask
  | RecordCondition
  | RecordProgress
  | CancelTask
  | CancelRun
  | PauseRun
  | ResumeRun
  | MoveRun
  | SetPriority
  | OpenScope
  | SkipTask
  | HaltRun
  | CloseScope
  | FinishRun;

/** Why a command was not carried out. */
export interface Refusal {
  readonly refused: ErrorCode;
  readonly message: string;
}
