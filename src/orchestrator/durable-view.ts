import type { RunEvent } from '../machine/events.ts';
import { pathIn, peekDetails, type ScopeState } from '../machine/state.ts';
import { CREATED, IN_PROGRESS, isTerminal, RETRYING } from '../machine/transitions.ts';
import type { LiveRun } from '../managers/workflows/live-run.ts';
import type { TaskPath } from '../model/path.ts';
import type { RunStatus } from '../model/status.ts';

/**
 * The state of a run is ahead of its log while an append is under way. What is shown outside is the state
 * without the events that are not durable: of each task, what the first of them found.
 */
export type Undurable = ReadonlyMap<TaskPath, RunEvent>;

const NOTHING: Undurable = new Map();

/** For each task, the first of its events that is not durable and has changed how it stands. */
export function undurableByPath(events: readonly RunEvent[]): Undurable {
  if (events.length === 0) return NOTHING;
  const first = new Map<TaskPath, RunEvent>();
  for (const event of events) {
    if ('path' in event && event.type !== 'RunFailed' && isMove(event) && !first.has(event.path))
      first.set(event.path, event);
  }
  return first;
}

function isMove(event: RunEvent): boolean {
  return (
    event.type !== 'TaskProgressed' &&
    event.type !== 'TaskPriorityChanged' &&
    event.type !== 'TaskStopRequested'
  );
}

/** The status of a run as far as it is durable. */
export function durableStatus(run: LiveRun, events: readonly RunEvent[]): RunStatus {
  for (const event of events) {
    switch (event.type) {
      case 'RunCreated':
        return 'created';
      case 'RunPaused':
        return 'in_progress';
      case 'RunResumed':
        return 'paused';
      case 'RunCompleted':
      case 'RunFailed':
      case 'RunCancelled':
        return run.isHeld ? 'paused' : 'in_progress';
    }
  }
  return run.state.status;
}

/** How a task stood before an event that is not durable. */
export function codeBefore(event: RunEvent, scope: ScopeState, index: number): number {
  switch (event.type) {
    case 'TaskStarted':
      return event.attempt === 1 ? CREATED : RETRYING;
    case 'TaskFailed':
    case 'TaskCancelled':
      if (event.attempt === 0) return CREATED;
      // Set while it waited for its next attempt, and not taken away by its end.
      return peekDetails(scope, index)?.dueAt === undefined ? IN_PROGRESS : RETRYING;
    case 'TaskSkipped':
    case 'ConditionEvaluated':
      return CREATED;
    default:
      return IN_PROGRESS;
  }
}

/** The attempt that a task had made before an event that is not durable. */
export function attemptBefore(event: RunEvent, scope: ScopeState, index: number): number {
  if (event.type === 'TaskStarted') return event.attempt - 1;
  // Asked once, before the first.
  if (event.type === 'ConditionEvaluated') return 0;
  return 'attempt' in event ? event.attempt : (scope.attempts[index] as number);
}

/** Whether the end of a dependency is not durable, so that the task still waits for it. */
export function waitsForUndurable(undurable: Undurable, scope: ScopeState, index: number): boolean {
  const { plan } = scope;
  const end = plan.dependencyStart[index + 1] as number;
  for (let e = plan.dependencyStart[index] as number; e < end; e++) {
    const dependency = plan.dependencies[e] as number;
    if (isTerminal(scope.status[dependency] as number) && undurable.has(pathIn(scope, dependency)))
      return true;
  }
  return false;
}
