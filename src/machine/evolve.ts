/**
 * Folds one event into the state of its run.
 *
 * Who may call it: `step` with what `decide` returned, `replay` with what the store returned.
 *
 * V1  It depends on state and event alone and changes nothing but the state.
 * V2  Its cost is that of the edges of the one task it is about, never that of the whole run.
 * V3  An event that cannot follow is an error that names the event and leaves the state as it was.
 */
import { OrchestratorError } from '../model/errors.ts';
import type { TaskFailure } from '../model/failure.ts';
import { isFailureTolerated } from '../model/plan.ts';
import { isRunFinished } from '../model/status.ts';
import { anchorOf } from './decide-scope.ts';
import type {
  RunCreated,
  RunEvent,
  RunMoved,
  ScopeClosed,
  ScopeOpened,
  TaskCancelled,
  TaskFailed,
  TaskRestarted,
  TaskStarted,
} from './events.ts';
import { carryOutMove, planOfVersion } from './move.ts';
import { spreadPriority } from './priorities.ts';
import { createScope, detailsOf, locate, peekDetails, type RunState, type ScopeState } from './state.ts';
import { isLegal, type MovingEventType, statusName, targetOf } from './transitions.ts';

/** Folds one event; the event must be the next one of the run. */
export function evolve(state: RunState, event: RunEvent): void {
  if (event.seq !== state.seq + 1) throw impossible(event, `it should have seq ${state.seq + 1}`);
  if (isRunFinished(state.status)) throw impossible(event, `the run is ${state.status}`);
  if ((event.type === 'RunCreated') !== (state.seq === 0))
    throw impossible(event, `the run is at seq ${state.seq}`);
  switch (event.type) {
    case 'TaskStarted':
      start(state, event);
      break;
    case 'TaskRestarted':
      restart(state, event);
      break;
    case 'TaskCompleted': {
      const scope = move(state, event);
      scope.outputs[state.cursorIndex] = event.output;
      end(scope, state.cursorIndex);
      break;
    }
    case 'TaskSkipped':
      end(move(state, event), state.cursorIndex, event.cause.kind === 'dependency');
      break;
    case 'TaskFailed':
      fail(state, event);
      break;
    case 'TaskCancelled':
      cancel(state, event);
      break;
    case 'TaskRetryScheduled': {
      const details = detailsOf(move(state, event), state.cursorIndex);
      details.failure = event.failure;
      details.dueAt = event.dueAt;
      details.stop = undefined;
      break;
    }
    case 'TaskStopRequested':
      find(state, event);
      detailsOf(state.cursorScope, state.cursorIndex).stop = { cause: event.cause, reason: event.reason };
      break;
    case 'TaskPriorityChanged':
      find(state, event);
      detailsOf(state.cursorScope, state.cursorIndex).priority = event.priority;
      spreadPriority(state.cursorScope, state.cursorIndex);
      break;
    case 'ConditionEvaluated':
      find(state, event);
      detailsOf(state.cursorScope, state.cursorIndex).condition = event.result;
      break;
    case 'TaskProgressed':
      find(state, event);
      break;
    case 'ScopeOpened':
      openScope(state, event);
      break;
    case 'ScopeClosed':
      closeScope(state, event);
      break;
    default:
      evolveRun(state, event);
  }
  state.seq = event.seq;
}

type RunLevelEvent =
  | Exclude<RunEvent, { readonly path: string }>
  | Extract<RunEvent, { readonly type: 'RunFailed' }>;

function evolveRun(state: RunState, event: RunLevelEvent): void {
  switch (event.type) {
    case 'RunCreated':
      create(state, event);
      break;
    case 'RunStarted':
    case 'RunResumed':
      state.status = 'in_progress';
      break;
    case 'RunPaused':
      state.status = 'paused';
      break;
    case 'RunMoved':
      moveRun(state, event);
      break;
    case 'RunCancelRequested':
      state.cancelReason = event.reason;
      break;
    case 'RunCompleted':
      finish(state, event, 'completed');
      break;
    case 'RunFailed':
      finish(state, event, 'failed');
      break;
    case 'RunCancelled':
      finish(state, event, 'cancelled');
      break;
  }
}

function create(state: RunState, event: RunCreated): void {
  state.workflowVersion = event.workflowVersion;
  state.input = event.input;
  state.priority = event.priority;
  state.key = event.key;
  // A fork begins with the history of another run, and was made later.
  state.createdAt = event.forkedFrom?.at ?? event.at;
}

function moveRun(state: RunState, event: RunMoved): void {
  const plan = planOfVersion(state, event.workflowVersion);
  if (plan !== undefined) {
    state.isMoved ||= event.workflowVersion !== state.workflowVersion;
    carryOutMove(state, event, plan);
    return;
  }
  throw new OrchestratorError(
    'WORKFLOW_NOT_FOUND',
    `run ${event.runId}: event ${event.seq} moves it to version ${event.workflowVersion} of workflow ${JSON.stringify(state.plan.workflowId)}, which is not registered here`,
    { details: { runId: event.runId, seq: event.seq, workflowVersion: event.workflowVersion } },
  );
}

function finish(state: RunState, event: RunEvent, status: 'completed' | 'failed' | 'cancelled'): void {
  if (state.scopes.some((scope) => scope.open > 0))
    throw impossible(event, 'some of its tasks have not ended');
  state.status = status;
  state.finishedAt = event.at;
}

/** Points the cursor at the task of an event. */
function find(state: RunState, event: RunEvent & { readonly path: string }): void {
  if (!locate(state, event.path))
    throw impossible(event, `there is no task at ${JSON.stringify(event.path)}`);
}

/** Gives a task the status that an event leads to. */
function move(state: RunState, event: Extract<RunEvent, { readonly type: MovingEventType }>): ScopeState {
  find(state, event);
  const scope = state.cursorScope;
  const status = scope.status[state.cursorIndex] as number;
  if (!isLegal(event.type, status))
    throw impossible(event, `task ${JSON.stringify(event.path)} is ${statusName(status)}`);
  scope.status[state.cursorIndex] = targetOf(event.type);
  return scope;
}

function start(state: RunState, event: TaskStarted): void {
  find(state, event);
  const scope = state.cursorScope;
  const index = state.cursorIndex;
  if (scope.unmet[index] !== 0)
    throw impossible(event, `${scope.unmet[index]} of its dependencies have not ended`);
  if (event.attempt !== (scope.attempts[index] as number) + 1)
    throw impossible(event, `its last attempt was ${scope.attempts[index]}`);
  move(state, event);
  scope.attempts[index] = event.attempt;
  if (event.deadlineAt !== undefined) detailsOf(scope, index).deadlineAt = event.deadlineAt;
  const details = peekDetails(scope, index);
  if (details !== undefined) details.dueAt = undefined;
}

function restart(state: RunState, event: TaskRestarted): void {
  find(state, event);
  const scope = state.cursorScope;
  const index = state.cursorIndex;
  if (event.attempt !== scope.attempts[index])
    throw impossible(event, `its last attempt was ${scope.attempts[index]}`);
  const before = peekDetails(scope, index)?.restarts ?? 0;
  if (event.restart !== before + 1) throw impossible(event, `it was started again ${before} times`);
  move(state, event);
  detailsOf(scope, index).restarts = event.restart;
}

function fail(state: RunState, event: TaskFailed): void {
  const scope = move(state, event);
  const index = state.cursorIndex;
  const details = detailsOf(scope, index);
  details.failure = event.failure;
  details.stop = undefined;
  if (!isFailureTolerated(scope.plan, index)) {
    recordFailure(state, event.path, event.failure);
    if (scope.plan.failurePolicy !== 'continue') halt(state, event.path);
  }
  end(scope, index, true);
}

function halt(state: RunState, path: string): void {
  state.halted = true;
  state.haltedPath ??= path;
}

function cancel(state: RunState, event: TaskCancelled): void {
  const scope = move(state, event);
  const index = state.cursorIndex;
  const details = peekDetails(scope, index);
  if (details !== undefined) details.stop = undefined;
  const failure = cancellation(event);
  if (event.cause === 'task_cancelled') detailsOf(scope, index).failure = failure;
  if (event.cause === 'task_cancelled' && !isFailureTolerated(scope.plan, index)) {
    recordFailure(state, event.path, failure);
  }
  end(scope, index, true);
}

function cancellation({ path, reason }: TaskCancelled): TaskFailure {
  const message = `task ${JSON.stringify(path)} was cancelled${reason === undefined ? '' : `: ${reason.message}`}`;
  const failure = { name: 'OrchestratorError', code: 'TASK_CANCELLED', message };
  return reason === undefined ? failure : { ...failure, cause: reason };
}

function recordFailure(state: RunState, path: string, failure: TaskFailure): void {
  if (state.failedPath !== undefined) return;
  state.failedPath = path;
  state.failure = failure;
}

/** Counts a task as ended, and its dependents one step nearer: after a failure only those that take any outcome. */
function end(scope: ScopeState, index: number, onlySettled = false): void {
  scope.open--;
  const { plan, unmet } = scope;
  const settled = plan.dependentSettled;
  if (onlySettled && settled === undefined) return;
  const last = plan.dependentStart[index + 1] as number;
  for (let e = plan.dependentStart[index] as number; e < last; e++) {
    if (onlySettled && settled?.[e] !== 1) continue;
    const dependent = plan.dependents[e] as number;
    unmet[dependent] = (unmet[dependent] as number) - 1;
  }
}

function openScope(state: RunState, event: ScopeOpened): void {
  const anchor = anchorOf(state, event.path);
  const child = anchor?.scope.plan.children?.get(anchor.scope.plan.ids[anchor.index] as string);
  if (anchor === undefined || child === undefined) throw impossible(event, 'there is no plan for this scope');
  if (state.scopeByPrefix.has(event.path)) throw impossible(event, 'it was opened before');
  const scope = createScope(child, event.path, state.scopes.length, anchor.scope, anchor.index);
  state.scopes.push(scope);
  if (state.scopeByPrefix.size === 0) state.scopeByPrefix = new Map();
  (state.scopeByPrefix as Map<string, ScopeState>).set(event.path, scope);
  detailsOf(anchor.scope, anchor.index).openScopes++;
}

function closeScope(state: RunState, event: ScopeClosed): void {
  const anchor = anchorOf(state, event.path);
  const scope = state.scopeByPrefix.get(event.path);
  if (anchor === undefined || scope === undefined || scope.closed || scope.open > 0)
    throw impossible(event, 'it is not an open scope whose tasks have ended');
  scope.closed = true;
  const details = detailsOf(anchor.scope, anchor.index);
  details.openScopes--;
  details.scopeOutputs ??= new Map();
  details.scopeOutputs.set(anchor.suffix, event.outputs);
}

function impossible(event: RunEvent, why: string): OrchestratorError {
  return new OrchestratorError(
    'HISTORY_INVALID',
    `run ${event.runId}: event ${event.seq} ${event.type} cannot follow: ${why}`,
    {
      details: { runId: event.runId, seq: event.seq, type: event.type },
    },
  );
}
