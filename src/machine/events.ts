/**
 * What can have happened to one run. Events are facts in the past tense and the only thing that is persisted;
 * everything else is folded from them.
 *
 * Who may make them: `decide`, nobody else. Who may read them: everybody.
 *
 * E1  `seq` counts from 1 without a gap within a run.
 * E2  An event names a task by its path, whatever scope the task lies in.
 * E3  An event never changes its meaning: a new meaning is a new `schemaVersion` with an upcaster.
 */
import type { TaskFailure } from '../model/failure.ts';
import type { TaskPath } from '../model/path.ts';

interface Fact<Type extends string> {
  readonly type: Type;
  readonly runId: string;
  /** Position in the log of the run, from 1. */
  readonly seq: number;
  /** When it was decided: milliseconds since 1970, by the orchestrator's clock. */
  readonly at: number;
}

interface TaskFact<Type extends string> extends Fact<Type> {
  readonly path: TaskPath;
}

interface AttemptFact<Type extends string> extends TaskFact<Type> {
  /** From 1. */
  readonly attempt: number;
}

/** Why the body of an attempt was told to stop. */
export type StopCause = 'timeout' | 'total_timeout' | 'heartbeat' | 'cancelled' | 'run_failed';

/** Why a task was skipped: a dependency did not complete, or its `when` said no. */
export type SkipCause =
  | { readonly kind: 'dependency'; readonly path: TaskPath }
  | { readonly kind: 'condition' };

/** Why a task was cancelled: by somebody, with the run, or because another task failed. */
export type CancelCause = 'task_cancelled' | 'run_cancelled' | 'run_failed';

/** What a host gives a run to be found by. */
export type RunAttributes = Readonly<Record<string, string | number | boolean>>;

/** The run exists: what it runs and with what input. Always the first event. */
export interface RunCreated extends Fact<'RunCreated'> {
  readonly workflowId: string;
  readonly workflowVersion: number;
  readonly input: unknown;
  /** Added to the priority of each of its tasks. */
  readonly priority: number;
  /** The key under which it was started once only, if any. */
  readonly key?: string;
  /** What it can be found by, if its host said so. */
  readonly attributes?: RunAttributes;
  /** Whose log up to `seq` this one begins with, when the run was made of another one, and when it was made. */
  readonly forkedFrom?: {
    readonly runId: string;
    readonly seq: number;
    readonly at: number;
    /** How many events this log begins with, when they are only those of the tasks that were kept (`retry`, `rerunFrom`). */
    readonly kept?: number;
  };
}
/** Its tasks may start. */
export interface RunStarted extends Fact<'RunStarted'> {}
/** Somebody paused it: nothing of it starts; what runs goes on. */
export interface RunPaused extends Fact<'RunPaused'> {}
/** Its tasks may start again. */
export interface RunResumed extends Fact<'RunResumed'> {}
/** Somebody cancelled it: nothing of it starts any more, and what runs is told to stop. */
export interface RunCancelRequested extends Fact<'RunCancelRequested'> {
  readonly reason: TaskFailure;
}
/** It goes on with another version of its workflow: what is not named here stands as it stood. */
export interface RunMoved extends Fact<'RunMoved'> {
  readonly workflowVersion: number;
  /** The version that it leaves. */
  readonly fromVersion: number;
  /** Tasks of both versions that had begun and begin anew: they, or something that they depend on, have changed. */
  readonly again: readonly TaskPath[];
  /** Tasks that only the new version has. */
  readonly added: readonly TaskPath[];
  /** Tasks that only the old one had; whatever was known of them is gone. */
  readonly removed: readonly TaskPath[];
  /** Of those that are added, the ones that an earlier version had: they begin anew behind the attempts they have made. */
  readonly earlierAttempts?: readonly { readonly path: TaskPath; readonly attempts: number }[];
}
/** The last event: all tasks have ended, and none failed in a way that fails the run. */
export interface RunCompleted extends Fact<'RunCompleted'> {}
/** The last event: all tasks have ended, and at least one failed, or was cancelled by itself. */
export interface RunFailed extends Fact<'RunFailed'> {
  /** The task that failed first. */
  readonly path: TaskPath;
  readonly failure: TaskFailure;
}
/** The last event: all tasks have ended after the run was cancelled. */
export interface RunCancelled extends Fact<'RunCancelled'> {
  readonly reason: TaskFailure;
}
/** An attempt has all its needs; its body runs once this is durable. */
export interface TaskStarted extends AttemptFact<'TaskStarted'> {
  /** When this attempt runs out of time, if it has a limit. */
  readonly timeoutAt?: number;
  /** When the task as a whole runs out of time, if it has a limit. */
  readonly deadlineAt?: number;
}
/**
 * The process ended while the attempt was under way, and another one starts its body again: once this is durable.
 * Each start of a body stands in the log, as this or as `TaskStarted`.
 */
export interface TaskRestarted extends AttemptFact<'TaskRestarted'> {
  /** How often that has happened to the task, all its attempts counted together: from 1. */
  readonly restart: number;
}
/** The body ended well; dependents see this output, now and after any recovery. */
export interface TaskCompleted extends AttemptFact<'TaskCompleted'> {
  readonly output: unknown;
}
/** The task failed for good. */
export interface TaskFailed extends AttemptFact<'TaskFailed'> {
  readonly failure: TaskFailure;
  /** The body had not ended when its grace was over. */
  readonly abandoned?: true;
}
/** An attempt failed, and there will be another. */
export interface TaskRetryScheduled extends AttemptFact<'TaskRetryScheduled'> {
  readonly failure: TaskFailure;
  /** When the next attempt may start. */
  readonly dueAt: number;
  readonly abandoned?: true;
}
/** The body was told to stop. */
export interface TaskStopRequested extends AttemptFact<'TaskStopRequested'> {
  readonly cause: StopCause;
  readonly reason: TaskFailure;
}
/** The task ended without a result because it was not wanted any more. */
export interface TaskCancelled extends AttemptFact<'TaskCancelled'> {
  readonly cause: CancelCause;
  /** Why, when somebody cancelled this task; the reason of a run is in `RunCancelRequested`. */
  readonly reason?: TaskFailure;
  readonly abandoned?: true;
}
/** The task ended without being started. */
export interface TaskSkipped extends TaskFact<'TaskSkipped'> {
  readonly cause: SkipCause;
}
/** The handler told how far it is. */
export interface TaskProgressed extends AttemptFact<'TaskProgressed'> {
  readonly progress: unknown;
}
/** Somebody changed the own priority of the task. */
export interface TaskPriorityChanged extends TaskFact<'TaskPriorityChanged'> {
  readonly priority: number;
}
/** The `when` of the task was asked. */
export interface ConditionEvaluated extends TaskFact<'ConditionEvaluated'> {
  readonly result: boolean;
  /** What the predicate threw; the task then fails without an attempt. */
  readonly failure?: TaskFailure;
}
/** A task opened a child scope; `path` is the prefix of the paths in it. */
export interface ScopeOpened extends TaskFact<'ScopeOpened'> {}
/** All tasks of a child scope have ended; it is folded to its outputs. */
export interface ScopeClosed extends TaskFact<'ScopeClosed'> {
  readonly outputs: Readonly<Record<string, unknown>>;
}

/** Everything that can stand in the log of a run. */
export type RunEvent =
  | RunCreated
  | RunStarted
  | RunPaused
  | RunResumed
  | RunCancelRequested
  | RunMoved
  | RunCompleted
  | RunFailed
  | RunCancelled
  | TaskStarted
  | TaskRestarted
  | TaskCompleted
  | TaskFailed
  | TaskRetryScheduled
  | TaskStopRequested
  | TaskCancelled
  | TaskSkipped
  | TaskProgressed
  | TaskPriorityChanged
  | ConditionEvaluated
  | ScopeOpened
  | ScopeClosed;

/** The name of an event. */
export type RunEventType = RunEvent['type'];

/** The current version of the shape of each event; `replay` brings older ones up to it. */
export const EVENT_SCHEMA_VERSIONS: Readonly<Record<RunEventType, number>> = {
  RunCreated: 1,
  RunStarted: 1,
  RunPaused: 1,
  RunResumed: 1,
  RunCancelRequested: 1,
  RunMoved: 1,
  RunCompleted: 1,
  RunFailed: 1,
  RunCancelled: 1,
  TaskStarted: 1,
  TaskRestarted: 1,
  TaskCompleted: 1,
  TaskFailed: 1,
  TaskRetryScheduled: 1,
  TaskStopRequested: 1,
  TaskCancelled: 1,
  TaskSkipped: 1,
  TaskProgressed: 1,
  TaskPriorityChanged: 1,
  ConditionEvaluated: 1,
  ScopeOpened: 1,
  ScopeClosed: 1,
};

const ALL_AT_FIRST = Object.values(EVENT_SCHEMA_VERSIONS).every((version) => version === 1);

/** The current version of the shape of an event. */
export function schemaVersionOf(type: RunEventType): number {
  // A look-up by a changing name is slow, and as long as nothing has changed there is nothing to look up.
  return ALL_AT_FIRST ? 1 : EVENT_SCHEMA_VERSIONS[type];
}
