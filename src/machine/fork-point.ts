/**
 * Where a log can be cut so that a run can go on from there: only behind a whole step, since what one command has
 * decided belongs together (a failure and the tasks that it skips, the last task and the end of the run).
 *
 * Who may call it: whoever forks a run.
 *
 * FP1  A cut at a fork point is a state from which `resume` brings the run to an end.
 * FP2  Whether an event begins a step follows from the state before it; nothing about steps is in the log.
 */
import { anchorOf } from './decide-scope.ts';
import type { RunEvent } from './events.ts';
import { locate, pathIn, peekDetails, type RunState } from './state.ts';
import { IN_PROGRESS } from './transitions.ts';

/**
 * Whether an event was decided in the same step as the one before it.
 *
 * @param state - the state before the event
 * @param event - the next one of the run
 * @param last - the one before
 */
export function continuesStep(state: RunState, event: RunEvent, last: RunEvent): boolean {
  switch (event.type) {
    case 'RunStarted':
    case 'RunCompleted':
    case 'RunFailed':
    case 'RunCancelled':
    case 'TaskSkipped':
    case 'ScopeClosed':
      return true;
    case 'TaskFailed':
      return last.type === 'ConditionEvaluated' && last.failure !== undefined && last.path === event.path;
    case 'TaskCompleted':
      return endsWithScope(state, event.path, last);
    case 'TaskCancelled':
      if (event.cause === 'task_cancelled') return false;
      return !hasBody(state, event.path) || endsWithScope(state, event.path, last);
    case 'TaskStopRequested':
      return (
        event.cause === 'run_failed' || (event.cause === 'cancelled' && state.cancelReason !== undefined)
      );
    default:
      return false;
  }
}

/** Whether the task ends because the last of its child scopes was folded just before. */
function endsWithScope(state: RunState, path: string, last: RunEvent): boolean {
  if (last.type !== 'ScopeClosed') return false;
  const anchor = anchorOf(state, last.path);
  return anchor !== undefined && pathIn(anchor.scope, anchor.index) === path;
}

/** Whether a body of the task can report: then its end is a report, else it was decided with something else. */
function hasBody(state: RunState, path: string): boolean {
  if (!locate(state, path)) return false;
  const { cursorScope: scope, cursorIndex: index } = state;
  return scope.status[index] === IN_PROGRESS && (peekDetails(scope, index)?.openScopes ?? 0) === 0;
}
