/**
 * The state of a run as somebody reads it: plain data, without the arrays of the machine.
 *
 * Who may call it: the persistence manager.
 *
 * SR1  It says what the log says; what is derived from the moment (ready, waiting, reasons) is not in it.
 * SR2  Nothing in it is shared with a run, as far as it can be changed.
 */
import { copyGuarded } from '../../base/copy-guarded.ts';
import { pathIn, peekDetails, type RunState, type ScopeState } from '../../machine/state.ts';
import { COMPLETED, statusName } from '../../machine/transitions.ts';
import type { TaskFailure } from '../../model/failure.ts';
import type { TaskPath } from '../../model/path.ts';
import { isRunFinished, type RunStatus, type TaskStatus } from '../../model/status.ts';

/** A task of a saved run. */
export interface SavedTask {
  readonly path: TaskPath;
  readonly taskId: string;
  /** As it is recorded: `ready` and `waiting` are not, such a task is `created`. */
  readonly status: TaskStatus;
  /** The attempt that was under way or was the last one; 0 before the first. */
  readonly attempt: number;
  /** What it gave, if it completed. */
  readonly output?: unknown;
  /** Why it failed, or why its last attempt did. */
  readonly failure?: TaskFailure;
  /** When its next attempt may start: milliseconds since 1970. */
  readonly dueAt?: number;
  /** When its whole time is over: milliseconds since 1970. */
  readonly deadlineAt?: number;
}

/** A run as it stood behind one of its events. */
export interface SavedRun {
  readonly runId: string;
  readonly workflowId: string;
  /** From 1. */
  readonly workflowVersion: number;
  /** The last event that is counted in, from 1. */
  readonly seq: number;
  readonly status: RunStatus;
  readonly input: unknown;
  readonly priority: number;
  readonly key?: string;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  /** Milliseconds since 1970; absent while it goes on. */
  readonly finishedAt?: number;
  /** The task whose failure fails the run, and its failure. */
  readonly failedPath?: TaskPath;
  readonly failure?: TaskFailure;
  /** Why it was asked to cancel. */
  readonly cancelReason?: TaskFailure;
  /** All tasks, those of child scopes behind those of the root, each in the order of its definition. */
  readonly tasks: readonly SavedTask[];
}

/** Describes a state. */
export function savedRunOf(state: RunState): SavedRun {
  const { runId, workflowVersion, seq, status, priority, createdAt, key } = state;
  const { failedPath, failure, cancelReason } = state;
  const tasks: SavedTask[] = [];
  for (const scope of state.scopes)
    for (let i = 0; i < scope.plan.size; i++) tasks.push(savedTaskOf(scope, i));
  return {
    ...{ runId, workflowId: state.plan.workflowId, workflowVersion, seq, status, priority, createdAt },
    input: copyGuarded(state.input),
    ...(key === undefined ? undefined : { key }),
    ...(isRunFinished(status) ? { finishedAt: state.finishedAt } : undefined),
    ...(failedPath === undefined ? undefined : { failedPath }),
    ...(failure === undefined ? undefined : { failure }),
    ...(cancelReason === undefined ? undefined : { cancelReason }),
    tasks,
  };
}

function savedTaskOf(scope: ScopeState, index: number): SavedTask {
  const details = peekDetails(scope, index);
  const code = scope.status[index] as number;
  const { failure, dueAt, deadlineAt } = details ?? {};
  return {
    path: pathIn(scope, index),
    taskId: scope.plan.ids[index] as string,
    status: statusName(code),
    attempt: scope.attempts[index] as number,
    ...(code === COMPLETED ? { output: copyGuarded(scope.outputs[index]) } : undefined),
    ...(failure === undefined ? undefined : { failure }),
    ...(dueAt === undefined ? undefined : { dueAt }),
    ...(deadlineAt === undefined ? undefined : { deadlineAt }),
  };
}
