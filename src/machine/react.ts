/**
 * Says what the world around a run is to do, because of one event or, after a restart, because of the state.
 *
 * Who may call it: `step` after each event was folded; the run loop after a reload (`resume`).
 *
 * X1  It changes nothing, and what it returns follows from state and event alone.
 * X2  A task is scheduled exactly once for each attempt: by the event that made it ready.
 * X3  `resume` gives for a state what the events that led to it have given and what is still to be done.
 */

import { isRunFinished } from '../model/status.ts';
import type { RunEvent } from './events.ts';
import { type Instruction, InstructionList, type InstructionSink } from './instructions.ts';
import { openAncestors } from './priorities.ts';
import { locate, peekDetails, type RunState, type ScopeState } from './state.ts';
import { CREATED, IN_PROGRESS, RETRYING } from './transitions.ts';

/** Adds to `out` what is to be done because of an event that was just folded. */
export function react(state: RunState, event: RunEvent, out: InstructionSink): void {
  switch (event.type) {
    case 'RunStarted':
      scheduleRoots(state, state.scopes[0] as ScopeState, out);
      return;
    case 'RunPaused':
      out.push({ type: 'Hold' });
      return;
    case 'RunResumed':
      out.push({ type: 'Unhold' });
      return;
    case 'RunMoved':
      scheduleMoved(state, out);
      return;
    case 'RunCompleted':
    case 'RunFailed':
    case 'RunCancelled':
      out.push({ type: 'EndRun' });
      return;
    case 'ScopeOpened':
      scheduleRoots(state, state.scopeByPrefix.get(event.path) as ScopeState, out);
      return;
    case 'RunCreated':
    case 'RunCancelRequested':
    case 'ScopeClosed':
    case 'TaskProgressed':
      return;
    default:
      reactToTask(state, event, out);
  }
}

type TaskEvent = Exclude<
  RunEvent,
  {
    readonly type:
      | 'RunCreated'
      | 'RunStarted'
      | 'RunPaused'
      | 'RunResumed'
      | 'RunCancelRequested'
      | 'RunMoved'
      | 'RunCompleted'
      | 'RunFailed'
      | 'RunCancelled'
      | 'ScopeOpened'
      | 'ScopeClosed'
      | 'TaskProgressed';
  }
>;

function reactToTask(state: RunState, event: TaskEvent, out: InstructionSink): void {
  locate(state, event.path);
  const scope = state.cursorScope;
  const index = state.cursorIndex;
  switch (event.type) {
    case 'TaskStarted':
    case 'TaskRestarted':
      out.dispatch(scope, index, event.attempt);
      return;
    case 'TaskCompleted':
    case 'TaskFailed':
    case 'TaskCancelled':
      out.release(scope, index);
      scheduleDependents(state, scope, index, out);
      return;
    case 'TaskSkipped':
      scheduleDependents(state, scope, index, out);
      return;
    case 'TaskRetryScheduled':
      out.release(scope, index);
      out.push({
        type: 'RetryAt',
        scope,
        index,
        dueAt: event.dueAt,
        deadlineAt: peekDetails(scope, index)?.deadlineAt,
      });
      return;
    case 'TaskStopRequested':
      out.push({ type: 'Abort', scope, index, cause: event.cause, reason: event.reason });
      return;
    case 'TaskPriorityChanged':
      for (const moved of openAncestors(scope, index))
        out.push({ type: 'Reprioritise', scope, index: moved });
      return;
    case 'ConditionEvaluated':
      if (event.result && event.failure === undefined) out.schedule(scope, index);
  }
}

function scheduleRoots(state: RunState, scope: ScopeState, out: InstructionSink): void {
  for (let i = 0; i < scope.plan.size; i++) if (scope.unmet[i] === 0) ready(state, scope, i, out);
}

/** Schedules by the new plan what waited by the old one, and what the move has made ready. */
function scheduleMoved(state: RunState, out: InstructionSink): void {
  out.push({ type: 'Replan' });
  const scope = state.scopes[0] as ScopeState;
  for (let i = 0; i < scope.plan.size; i++)
    if (scope.status[i] !== IN_PROGRESS) resumeTask(state, scope, i, out);
}

/** Schedules the dependents that waited for this task last; each is met here by the event that freed it. */
function scheduleDependents(state: RunState, scope: ScopeState, index: number, out: InstructionSink): void {
  const { plan } = scope;
  const end = plan.dependentStart[index + 1] as number;
  for (let e = plan.dependentStart[index] as number; e < end; e++) {
    const dependent = plan.dependents[e] as number;
    if (scope.unmet[dependent] === 0 && scope.status[dependent] === CREATED)
      ready(state, scope, dependent, out);
  }
}

function ready(state: RunState, scope: ScopeState, index: number, out: InstructionSink): void {
  if (state.halted || state.cancelReason !== undefined) return;
  const asks =
    scope.plan.tasks[index]?.policies.when !== undefined &&
    peekDetails(scope, index)?.condition === undefined;
  if (asks) out.push({ type: 'EvaluateCondition', scope, index });
  else out.schedule(scope, index);
}

/** What is to be done for a state that was read from a store: everything that is open, in order of position. */
export function resume(state: RunState): readonly Instruction[] {
  const out = new InstructionList();
  if (state.seq === 0 || isRunFinished(state.status)) return out.all;
  if (state.status === 'paused') out.push({ type: 'Hold' });
  for (const scope of state.scopes) {
    if (scope.open === 0) continue;
    for (let i = 0; i < scope.plan.size; i++) resumeTask(state, scope, i, out);
  }
  return out.all;
}

function resumeTask(state: RunState, scope: ScopeState, index: number, out: InstructionSink): void {
  const details = peekDetails(scope, index);
  switch (scope.status[index]) {
    case CREATED:
      if (scope.unmet[index] === 0) ready(state, scope, index, out);
      return;
    case RETRYING:
      out.push({
        type: 'RetryAt',
        scope,
        index,
        dueAt: details?.dueAt ?? 0,
        deadlineAt: details?.deadlineAt,
      });
      return;
    case IN_PROGRESS:
      if (details !== undefined && details.openScopes > 0) return;
      out.dispatch(scope, index, scope.attempts[index] as number);
      if (details?.stop !== undefined) out.push({ type: 'Abort', scope, index, ...details.stop });
  }
}
