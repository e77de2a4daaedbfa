/**
 * Judges the commands that concern an attempt: its start, what its body reports, how it is stopped.
 *
 * Who may call it: `decide`.
 *
 * A1  A report counts only for the current attempt of a task in progress; any other is refused as stale.
 * A2  Attempts are numbered from 1 without a gap.
 * A3  A body that was told to stop because of a time limit has failed, whatever it reports afterwards; one
 *     that was told to stop because of a cancellation is cancelled.
 * A4  A task that has not started may only do so when its dependencies let it, its condition said yes, and the
 *     run is neither paused, halted nor cancelled.
 * A5  A task whose child scopes are open has no body: nothing is reported of it, and they complete it.
 * A6  What a process left under way is started again as the same attempt, and counted apart: not without an end.
 */
import { deadLetterFailure, type TaskFailure } from '../model/failure.ts';
import { nextDelayMs } from '../model/retry-policy.ts';
import type { AnyTask } from '../model/task.ts';
import type {
  AbandonTask,
  RecordProgress,
  Refusal,
  ReportFailure,
  ReportSuccess,
  RestartTask,
  StartTask,
  StopTask,
} from './commands.ts';
import type { Decision } from './decision.ts';
import type { RunEvent, StopCause } from './events.ts';
import { illegal, overtaken } from './refusals.ts';
import { peekDetails, type RunState, type ScopeState } from './state.ts';
import { CREATED, IN_PROGRESS, RETRYING } from './transitions.ts';

const NOTHING: readonly RunEvent[] = [];

/** The commands that are judged here. */
export type AttemptCommand =
  | StartTask
  | RestartTask
  | ReportSuccess
  | ReportFailure
  | StopTask
  | AbandonTask
  | RecordProgress;

/** Judges a command on a task of a run that has started and not ended. */
export function decideAttempt(
  state: RunState,
  scope: ScopeState,
  index: number,
  command: AttemptCommand,
): Decision {
  switch (command.type) {
    case 'StartTask':
      return startTask(state, scope, index, command);
    case 'RestartTask':
      return restartTask(state, scope, index, command);
    case 'ReportSuccess':
      return reportSuccess(state, scope, index, command);
    case 'ReportFailure':
      return reportFailure(state, scope, index, command);
    case 'StopTask':
      return stopTask(state, scope, index, command);
    case 'AbandonTask':
      return abandonTask(state, scope, index, command);
    case 'RecordProgress':
      return recordProgress(state, scope, index, command);
  }
}

function startTask(state: RunState, scope: ScopeState, index: number, command: StartTask): Decision {
  const status = scope.status[index] as number;
  const details = peekDetails(scope, index);
  if ((status !== CREATED && status !== RETRYING) || scope.unmet[index] !== 0)
    return illegal(scope, index, 'start');
  const { policies } = scope.plan.tasks[index] as AnyTask;
  if (policies.when !== undefined && details?.condition !== true)
    return illegal(scope, index, 'start before its condition was evaluated');
  if (state.status !== 'in_progress' || state.halted || state.cancelReason !== undefined) {
    return illegal(scope, index, `start in a run that is ${state.status}`);
  }
  const { runId } = state;
  const { at, path } = command;
  const attempt = (scope.attempts[index] as number) + 1;
  const seq = state.seq + 1;
  if (policies.timeoutMs === undefined && policies.totalTimeoutMs === undefined) {
    return { type: 'TaskStarted', runId, seq, at, path, attempt };
  }
  const deadlineAt =
    policies.totalTimeoutMs === undefined ? undefined : (details?.deadlineAt ?? at + policies.totalTimeoutMs);
  return [
    {
      type: 'TaskStarted',
      runId,
      seq,
      at,
      path,
      attempt,
      ...(policies.timeoutMs === undefined ? undefined : { timeoutAt: at + policies.timeoutMs }),
      ...(deadlineAt === undefined ? undefined : { deadlineAt }),
    },
  ];
}

function restartTask(state: RunState, scope: ScopeState, index: number, command: RestartTask): Decision {
  const { at, path, attempt, maxRestarts } = command;
  const refusal = stale(scope, index, attempt);
  if (refusal !== undefined) return refusal;
  const details = peekDetails(scope, index);
  // Told to stop meanwhile, and no body is left that could end: this is its end.
  if (details?.stop !== undefined) return endWithoutBody(state, scope, index, command, details.stop);
  const before = details?.restarts ?? 0;
  const about = { runId: state.runId, seq: state.seq + 1, at, path, attempt };
  if (before >= maxRestarts)
    return { type: 'TaskFailed', ...about, failure: deadLetterFailure(path, before + 1, maxRestarts) };
  return { type: 'TaskRestarted', ...about, restart: before + 1 };
}

/** Why a report on an attempt does not count, if so. */
function stale(scope: ScopeState, index: number, attempt: number): Refusal | undefined {
  if (scope.status[index] !== IN_PROGRESS || scope.attempts[index] !== attempt)
    return overtaken(scope, index, attempt);
  const details = peekDetails(scope, index);
  if (details === undefined || details.openScopes === 0) return undefined;
  return illegal(scope, index, 'be reported on: its child scopes are open');
}

function reportSuccess(state: RunState, scope: ScopeState, index: number, command: ReportSuccess): Decision {
  const { attempt, at, path } = command;
  const refusal = stale(scope, index, attempt);
  if (refusal !== undefined) return refusal;
  const stop = peekDetails(scope, index)?.stop;
  if (stop !== undefined && stop.cause !== 'run_failed')
    return endWithoutBody(state, scope, index, command, stop);
  return {
    type: 'TaskCompleted',
    runId: state.runId,
    seq: state.seq + 1,
    at,
    path,
    attempt,
    output: command.output,
  };
}

function reportFailure(state: RunState, scope: ScopeState, index: number, command: ReportFailure): Decision {
  const refusal = stale(scope, index, command.attempt);
  if (refusal !== undefined) return refusal;
  const stop = peekDetails(scope, index)?.stop;
  if (stop === undefined)
    return failAttempt(state, scope, index, command, command.failure, command.retry, false);
  return endStopped(state, scope, index, { ...command, failure: stop.reason }, stop.cause, false);
}

function abandonTask(state: RunState, scope: ScopeState, index: number, command: AbandonTask): Decision {
  const refusal = stale(scope, index, command.attempt);
  if (refusal !== undefined) return refusal;
  const stop = peekDetails(scope, index)?.stop;
  if (stop === undefined) return illegal(scope, index, 'be abandoned: it was not told to stop');
  return endStopped(
    state,
    scope,
    index,
    { ...command, type: 'ReportFailure', failure: stop.reason },
    stop.cause,
    true,
  );
}

/** Ends an attempt that was told to stop, whatever became of its body. */
function endWithoutBody(
  state: RunState,
  scope: ScopeState,
  index: number,
  { at, path, attempt }: Pick<ReportFailure, 'at' | 'path' | 'attempt'>,
  { cause, reason }: { readonly cause: StopCause; readonly reason: TaskFailure },
): Decision {
  const report: ReportFailure = {
    type: 'ReportFailure',
    at,
    path,
    attempt,
    failure: reason,
    retry: true,
    random: 0,
  };
  return endStopped(state, scope, index, report, cause, false);
}

/** Ends an attempt whose body was told to stop, by the cause of the stop. */
function endStopped(
  state: RunState,
  scope: ScopeState,
  index: number,
  report: ReportFailure,
  cause: StopCause,
  abandoned: boolean,
): Decision {
  if (cause === 'cancelled' || cause === 'run_failed') {
    const { at, path, attempt } = report;
    const why =
      cause === 'run_failed'
        ? 'run_failed'
        : state.cancelReason === undefined
          ? 'task_cancelled'
          : 'run_cancelled';
    return [
      {
        type: 'TaskCancelled',
        runId: state.runId,
        seq: state.seq + 1,
        at,
        path,
        attempt,
        cause: why,
        ...(why === 'task_cancelled' ? { reason: report.failure } : undefined),
        ...(abandoned ? { abandoned } : undefined),
      },
    ];
  }
  return failAttempt(
    state,
    scope,
    index,
    report,
    report.failure,
    report.retry && cause !== 'total_timeout',
    abandoned,
  );
}

function failAttempt(
  state: RunState,
  scope: ScopeState,
  index: number,
  report: ReportFailure,
  failure: TaskFailure,
  retry: boolean,
  abandoned: boolean,
): Decision {
  const { at, path, attempt, random } = report;
  const { runId } = state;
  const seq = state.seq + 1;
  const mark = abandoned ? { abandoned } : undefined;
  const policy = (scope.plan.tasks[index] as AnyTask).policies.retry;
  const counted = attempt - (peekDetails(scope, index)?.earlierAttempts ?? 0);
  const again =
    policy !== undefined &&
    retry &&
    failure.retryable !== false &&
    counted < policy.maxAttempts &&
    !state.halted &&
    state.cancelReason === undefined;
  if (!again) return [{ type: 'TaskFailed', runId, seq, at, path, attempt, failure, ...mark }];
  const dueAt = at + nextDelayMs(policy, counted, random);
  return [{ type: 'TaskRetryScheduled', runId, seq, at, path, attempt, failure, dueAt, ...mark }];
}

function stopTask(state: RunState, scope: ScopeState, index: number, command: StopTask): Decision {
  const { at, path, attempt, cause, reason } = command;
  const refusal = stale(scope, index, attempt);
  if (refusal !== undefined) return refusal;
  // The first reason to stop counts, except that a cancellation outdoes a time limit.
  const known = peekDetails(scope, index)?.stop?.cause;
  if (known !== undefined && (cause !== 'cancelled' || known === 'cancelled')) return NOTHING;
  return [
    { type: 'TaskStopRequested', runId: state.runId, seq: state.seq + 1, at, path, attempt, cause, reason },
  ];
}

function recordProgress(
  state: RunState,
  scope: ScopeState,
  index: number,
  command: RecordProgress,
): Decision {
  const { at, path, attempt, progress } = command;
  return (
    stale(scope, index, attempt) ?? [
      { type: 'TaskProgressed', runId: state.runId, seq: state.seq + 1, at, path, attempt, progress },
    ]
  );
}
