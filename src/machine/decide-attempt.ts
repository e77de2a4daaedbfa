/**
 * Judges the commands that concern one task: its attempts, its condition, its cancellation.
 *
 * Who may call it: `decide`.
 *
 * A1  A report counts only for the current attempt of a task in progress; any other is refused as stale.
 * A2  Attempts are numbered from 1 without a gap.
 * A3  A body that was told to stop because of a time limit has failed, whatever it reports afterwards; one
 *     that was told to stop because of a cancellation is cancelled.
 * A4  A task that has not started may only do so when its dependencies let it, its condition said yes, and the
 *     run is neither paused, halted nor cancelled.
 */
import type { TaskFailure } from '../model/failure.ts';
import { nextDelayMs } from '../model/retry-policy.ts';
import type { AnyTask } from '../model/task.ts';
import type {
  AbandonTask,
  CancelTask,
  ExpireTask,
  RecordCondition,
  RecordProgress,
  Refusal,
  ReportFailure,
  ReportSuccess,
  SetPriority,
  SkipTask,
  StartTask,
  StopTask,
} from './commands.ts';
import type { Decision } from './decision.ts';
import type { RunEvent, StopCause } from './events.ts';
import { locate, peekDetails, type RunState, type ScopeState } from './state.ts';
import { CREATED, IN_PROGRESS, isTerminal, RETRYING, statusName } from './transitions.ts';

const NOTHING: readonly RunEvent[] = [];

type AttemptCommand =
  | StartTask
  | ReportSuccess
  | ReportFailure
  | StopTask
  | AbandonTask
  | ExpireTask
  | RecordCondition
  | RecordProgress
  | CancelTask
  | SetPriority
  | SkipTask;

/** Judges a command on a task of a run that has started and not ended. */
export function decideAttempt(state: RunState, command: AttemptCommand): Decision {
  if (!locate(state, command.path)) {
    return {
      refused: 'TASK_NOT_FOUND',
      message: `run ${state.runId} has no task at ${JSON.stringify(command.path)}`,
    };
  }
  const scope = state.cursorScope;
  const index = state.cursorIndex;
  switch (command.type) {
    case 'StartTask':
      return startTask(state, scope, index, command);
    case 'ReportSuccess':
      return reportSuccess(state, scope, index, command);
    case 'ReportFailure':
      return reportFailure(state, scope, index, command);
    case 'StopTask':
      return stopTask(state, scope, index, command);
    case 'AbandonTask':
      return abandonTask(state, scope, index, command);
    case 'ExpireTask':
      return expireTask(state, scope, index, command);
    case 'RecordCondition':
      return recordCondition(state, scope, index, command);
    case 'RecordProgress':
      return recordProgress(state, scope, index, command);
    case 'CancelTask':
      return cancelTask(state, scope, index, command);
    case 'SetPriority':
      return setPriority(state, scope, index, command);
    case 'SkipTask':
      return skipTask(state, scope, index, command);
  }
}

function taskOf(scope: ScopeState, index: number): AnyTask {
  return scope.plan.tasks[index] as AnyTask;
}

function illegal(scope: ScopeState, index: number, what: string): Refusal {
  const id = scope.plan.ids[index] as string;
  return {
    refused: 'TRANSITION_ILLEGAL',
    message: `task ${JSON.stringify(id)} is ${statusName(scope.status[index] as number)}, so it cannot ${what}`,
  };
}

function startTask(state: RunState, scope: ScopeState, index: number, command: StartTask): Decision {
  const status = scope.status[index] as number;
  const details = peekDetails(scope, index);
  if ((status !== CREATED && status !== RETRYING) || scope.unmet[index] !== 0)
    return illegal(scope, index, 'start');
  const { policies } = taskOf(scope, index);
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
    return [{ type: 'TaskStarted', runId, seq, at, path, attempt }];
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

/** Whether a report is about an attempt that is over. */
function stale(scope: ScopeState, index: number, attempt: number): Refusal | undefined {
  if (scope.status[index] === IN_PROGRESS && scope.attempts[index] === attempt) return undefined;
  const id = scope.plan.ids[index] as string;
  const now = `it is ${statusName(scope.status[index] as number)}, at attempt ${scope.attempts[index]}`;
  return {
    refused: 'ATTEMPT_STALE',
    message: `attempt ${attempt} of task ${JSON.stringify(id)} is over: ${now}`,
  };
}

function reportSuccess(state: RunState, scope: ScopeState, index: number, command: ReportSuccess): Decision {
  const { attempt, at, path } = command;
  const refusal = stale(scope, index, attempt);
  if (refusal !== undefined) return refusal;
  const stop = peekDetails(scope, index)?.stop;
  if (stop !== undefined && stop.cause !== 'run_failed') {
    return endStopped(
      state,
      scope,
      index,
      { ...command, type: 'ReportFailure', failure: stop.reason, retry: true, random: 0 },
      stop.cause,
      false,
    );
  }
  return [
    {
      type: 'TaskCompleted',
      runId: state.runId,
      seq: state.seq + 1,
      at,
      path,
      attempt,
      output: command.output,
    },
  ];
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
  const policy = taskOf(scope, index).policies.retry;
  const again =
    policy !== undefined &&
    retry &&
    failure.retryable !== false &&
    attempt < policy.maxAttempts &&
    !state.halted &&
    state.cancelReason === undefined;
  if (!again) return [{ type: 'TaskFailed', runId, seq, at, path, attempt, failure, ...mark }];
  const dueAt = at + nextDelayMs(policy, attempt, random);
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

function cancelTask(state: RunState, scope: ScopeState, index: number, command: CancelTask): Decision {
  const { at, path, cause, reason } = command;
  const status = scope.status[index] as number;
  if (isTerminal(status)) return illegal(scope, index, 'be cancelled');
  const { runId } = state;
  const seq = state.seq + 1;
  const attempt = scope.attempts[index] as number;
  if (status !== IN_PROGRESS) return [{ type: 'TaskCancelled', runId, seq, at, path, attempt, cause }];
  if (peekDetails(scope, index)?.stop?.cause === 'cancelled') return NOTHING;
  return [{ type: 'TaskStopRequested', runId, seq, at, path, attempt, cause: 'cancelled', reason }];
}

function setPriority(state: RunState, scope: ScopeState, index: number, command: SetPriority): Decision {
  const status = scope.status[index] as number;
  // What runs or has ended keeps its place in history: changing it means nothing.
  if (isTerminal(status) || status === IN_PROGRESS) return NOTHING;
  const { at, path, priority } = command;
  return [{ type: 'TaskPriorityChanged', runId: state.runId, seq: state.seq + 1, at, path, priority }];
}

function skipTask(state: RunState, scope: ScopeState, index: number, command: SkipTask): Decision {
  if (scope.status[index] !== CREATED) return NOTHING;
  const { at, path, cause } = command;
  return [{ type: 'TaskSkipped', runId: state.runId, seq: state.seq + 1, at, path, cause }];
}
