/**
 * Judges the commands that concern a run as a whole.
 *
 * Who may call it: `decide`.
 *
 * R1  A cancelled or halted run starts nothing new: everything that has not started ends in the same decision.
 * R2  A run ends exactly once, when its last task has ended, and its end follows from how its tasks ended.
 */
import type { TaskFailure } from '../model/failure.ts';
import type { CancelRun, FinishRun, HaltRun, PauseRun, Refusal, ResumeRun } from './commands.ts';
import type { Decision } from './decision.ts';
import type { CancelCause, RunEvent } from './events.ts';
import { pathIn, peekDetails, type RunState, type ScopeState } from './state.ts';
import { IN_PROGRESS, isTerminal } from './transitions.ts';

const NOTHING: readonly RunEvent[] = [];

/** Judges a command on a run that has started and not ended. */
export function decideRun(
  state: RunState,
  command: CancelRun | PauseRun | ResumeRun | HaltRun | FinishRun,
): Decision {
  const { runId } = state;
  const { at } = command;
  const seq = state.seq + 1;
  switch (command.type) {
    case 'PauseRun':
      return state.status === 'paused' ? NOTHING : [{ type: 'RunPaused', runId, seq, at }];
    case 'ResumeRun':
      return state.status === 'paused' ? [{ type: 'RunResumed', runId, seq, at }] : NOTHING;
    case 'CancelRun':
      return state.cancelReason === undefined ? cancel(state, command) : NOTHING;
    case 'HaltRun':
      if (!state.halted) return refuse(state, 'be halted: no task of it has failed');
      return endOpenTasks(
        state,
        [],
        'run_failed',
        command.reason,
        at,
        state.plan.failurePolicy === 'fail-fast',
      );
    case 'FinishRun':
      if (state.scopes.some((scope) => scope.open > 0)) return refuse(state, 'end: it has open tasks');
      return [finish(state, seq, at)];
  }
}

function refuse(state: RunState, what: string): Refusal {
  return {
    refused: 'TRANSITION_ILLEGAL',
    message: `run ${state.runId} is ${state.status}, so it cannot ${what}`,
  };
}

function cancel(state: RunState, command: CancelRun): Decision {
  const { at, reason } = command;
  const events: RunEvent[] = [
    { type: 'RunCancelRequested', runId: state.runId, seq: state.seq + 1, at, reason },
  ];
  return endOpenTasks(state, events, 'run_cancelled', reason, at, true);
}

/** Cancels what has not started, and asks what is in progress to stop if `stop` says so. */
function endOpenTasks(
  state: RunState,
  events: RunEvent[],
  cause: CancelCause,
  reason: TaskFailure,
  at: number,
  stop: boolean,
): readonly RunEvent[] {
  const base = state.seq + 1;
  for (const scope of state.scopes) {
    if (scope.open === 0) continue;
    for (let i = 0; i < scope.plan.size; i++) {
      if (isTerminal(scope.status[i] as number)) continue;
      const event = endOpenTask(state, scope, i, base + events.length, cause, reason, at, stop);
      if (event !== undefined) events.push(event);
    }
  }
  return events;
}

function endOpenTask(
  state: RunState,
  scope: ScopeState,
  index: number,
  seq: number,
  cause: CancelCause,
  reason: TaskFailure,
  at: number,
  stop: boolean,
): RunEvent | undefined {
  const { runId } = state;
  const path = pathIn(scope, index);
  const attempt = scope.attempts[index] as number;
  const details = peekDetails(scope, index);
  // A task whose child scopes are open has no body to stop; it ends when they have ended.
  if (scope.status[index] !== IN_PROGRESS)
    return { type: 'TaskCancelled', runId, seq, at, path, attempt, cause };
  if (!stop || (details !== undefined && details.openScopes > 0)) return undefined;
  const stopCause = cause === 'run_failed' ? 'run_failed' : 'cancelled';
  const known = details?.stop?.cause;
  if (known === 'cancelled' || known === stopCause) return undefined;
  return { type: 'TaskStopRequested', runId, seq, at, path, attempt, cause: stopCause, reason };
}

function finish(state: RunState, seq: number, at: number): RunEvent {
  const { runId } = state;
  if (state.cancelReason !== undefined)
    return { type: 'RunCancelled', runId, seq, at, reason: state.cancelReason };
  if (state.failedPath !== undefined && state.failure !== undefined) {
    return { type: 'RunFailed', runId, seq, at, path: state.failedPath, failure: state.failure };
  }
  return { type: 'RunCompleted', runId, seq, at };
}
