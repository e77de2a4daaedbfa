/**
 * Judges the commands on a task that are not about a body at work: its condition, its cancellation, its place in
 * the queue, its end without another attempt.
 *
 * Who may call it: `decide`.
 *
 * K1  A condition is evaluated once, when all dependencies have ended.
 * K2  A task that has not started ends at once when it is cancelled; one in progress is told to stop.
 * K3  A task is skipped only for a dependency that did not complete, or for its condition.
 */
import { isSettledEdge } from '../model/plan.ts';
import type { CancelTask, ExpireTask, RecordCondition, SetPriority, SkipTask } from './commands.ts';
import type { Decision } from './decision.ts';
import type { RunEvent } from './events.ts';
import { illegal } from './refusals.ts';
import { peekDetails, type RunState, type ScopeState } from './state.ts';
import { COMPLETED, CREATED, IN_PROGRESS, isTerminal, RETRYING } from './transitions.ts';

const NOTHING: readonly RunEvent[] = [];

/** The commands that are judged here. */
export type TaskCommand = ExpireTask | RecordCondition | CancelTask | SetPriority | SkipTask;

/** Judges a command on a task of a run that has started and not ended. */
export function decideTask(
  state: RunState,
  scope: ScopeState,
  index: number,
  command: TaskCommand,
): Decision {
  switch (command.type) {
    case 'ExpireTask':
      return expireTask(state, scope, index, command);
    case 'RecordCondition':
      return recordCondition(state, scope, index, command);
    case 'CancelTask':
      return cancelTask(state, scope, index, command);
    case 'SetPriority':
      return setPriority(state, scope, index, command);
    case 'SkipTask':
      return skipTask(state, scope, index, command);
  }
}

function expireTask(state: RunState, scope: ScopeState, index: number, command: ExpireTask): Decision {
  if (scope.status[index] !== RETRYING) return NOTHING;
  const { at, path, failure } = command;
  const attempt = scope.attempts[index] as number;
  return [{ type: 'TaskFailed', runId: state.runId, seq: state.seq + 1, at, path, attempt, failure }];
}

function recordCondition(
  state: RunState,
  scope: ScopeState,
  index: number,
  command: RecordCondition,
): Decision {
  if (scope.status[index] !== CREATED || scope.unmet[index] !== 0)
    return illegal(scope, index, 'have its condition evaluated');
  if (scope.plan.tasks[index]?.policies.when === undefined)
    return illegal(scope, index, 'have its condition evaluated: it has none');
  if (peekDetails(scope, index)?.condition !== undefined) return NOTHING;
  const { runId } = state;
  const { at, path, result, failure } = command;
  const seq = state.seq + 1;
  const evaluated: RunEvent = {
    type: 'ConditionEvaluated',
    runId,
    seq,
    at,
    path,
    result,
    ...(failure === undefined ? undefined : { failure }),
  };
  if (failure !== undefined)
    return [evaluated, { type: 'TaskFailed', runId, seq: seq + 1, at, path, attempt: 0, failure }];
  return result
    ? [evaluated]
    : [evaluated, { type: 'TaskSkipped', runId, seq: seq + 1, at, path, cause: { kind: 'condition' } }];
}

function cancelTask(state: RunState, scope: ScopeState, index: number, command: CancelTask): Decision {
  const { at, path, cause, reason } = command;
  const status = scope.status[index] as number;
  if (isTerminal(status)) return illegal(scope, index, 'be cancelled');
  const { runId } = state;
  const seq = state.seq + 1;
  const attempt = scope.attempts[index] as number;
  if (status !== IN_PROGRESS)
    return [{ type: 'TaskCancelled', runId, seq, at, path, attempt, cause, reason: command.reason }];
  const details = peekDetails(scope, index);
  if (details !== undefined && details.openScopes > 0)
    return illegal(scope, index, 'be cancelled by itself: its child scopes are open');
  if (details?.stop?.cause === 'cancelled') return NOTHING;
  return [{ type: 'TaskStopRequested', runId, seq, at, path, attempt, cause: 'cancelled', reason }];
}

function setPriority(state: RunState, scope: ScopeState, index: number, command: SetPriority): Decision {
  const status = scope.status[index] as number;
  // What runs or has ended keeps its place in history.
  if (isTerminal(status) || status === IN_PROGRESS) return illegal(scope, index, 'have its priority changed');
  const { at, path, priority } = command;
  return [{ type: 'TaskPriorityChanged', runId: state.runId, seq: state.seq + 1, at, path, priority }];
}

function skipTask(state: RunState, scope: ScopeState, index: number, command: SkipTask): Decision {
  if (scope.status[index] !== CREATED) return NOTHING;
  if (!hasLostDependency(scope, index)) return illegal(scope, index, 'be skipped: no dependency was lost');
  const { at, path, cause } = command;
  return [{ type: 'TaskSkipped', runId: state.runId, seq: state.seq + 1, at, path, cause }];
}

/** Whether some dependency has ended in a way that never lets the task run. */
function hasLostDependency({ plan, status }: ScopeState, index: number): boolean {
  const end = plan.dependencyStart[index + 1] as number;
  for (let e = plan.dependencyStart[index] as number; e < end; e++) {
    const dependency = plan.dependencies[e] as number;
    const code = status[dependency] as number;
    if (isTerminal(code) && code !== COMPLETED && !isSettledEdge(plan, dependency, index)) return true;
  }
  return false;
}
