import { nearestName } from '../base/nearest.ts';
import { describeName } from '../base/values.ts';
import { pathIn, type ScopeState } from '../machine/state.ts';
import { COMPLETED, CREATED, IN_PROGRESS, isTerminal, RETRYING, statusName } from '../machine/transitions.ts';
import type { DependencyState } from '../managers/scheduling/task-record.ts';
import type { TaskScheduler } from '../managers/scheduling/task-scheduler.ts';
import type { LiveRun } from '../managers/workflows/live-run.ts';
import { OrchestratorError } from '../model/errors.ts';
import type { TaskPath } from '../model/path.ts';
import { isSettledEdge } from '../model/plan.ts';
import type { TaskStatus, WaitReason } from '../model/status.ts';
import { attemptBefore, codeBefore, type Undurable, waitsForUndurable } from './durable-view.ts';

/** A task of a run, as it stands now. */
export interface TaskView {
  readonly path: TaskPath;
  readonly taskId: string;
  readonly status: TaskStatus;
  /** Why it does not run, when it waits. */
  readonly reason: WaitReason | undefined;
  /** The attempt that is under way or was the last one; 0 before the first. */
  readonly attempt: number;
}

/** Where a task stands in its run. */
export interface TaskPlace {
  readonly scope: ScopeState;
  readonly index: number;
}

/** @throws OrchestratorError `TASK_NOT_FOUND` */
export function findTask(run: LiveRun, path: TaskPath): TaskPlace {
  for (const scope of typeof path === 'string' ? run.state.scopes : []) {
    const id =
      scope.prefix === ''
        ? path
        : path.startsWith(`${scope.prefix}/`)
          ? path.slice(scope.prefix.length + 1)
          : undefined;
    const index = id === undefined ? undefined : scope.plan.indexOf.get(id);
    if (index !== undefined) return { scope, index };
  }
  const { runId } = run;
  const nearest = typeof path === 'string' ? nearestName(path, run.plan.ids) : undefined;
  const hint = nearest === undefined ? '' : ` Did you mean ${JSON.stringify(nearest)}?`;
  throw new OrchestratorError('TASK_NOT_FOUND', `run ${runId} has no task ${describeName(path)}.${hint}`, {
    details: { runId, path },
  });
}

/** The status code of a task, without what is not durable. */
export function codeOf({ scope, index }: TaskPlace, undurable: Undurable): number {
  const hidden = undurable.get(pathIn(scope, index));
  return hidden === undefined ? (scope.status[index] as number) : codeBefore(hidden, scope, index);
}

/** The view of one task, without what is not durable; without the scheduler what waits in the queue is `ready`. */
export function viewOf(
  run: LiveRun,
  scope: ScopeState,
  index: number,
  undurable: Undurable,
  scheduler?: TaskScheduler,
): TaskView {
  const path = pathIn(scope, index);
  const hidden = undurable.get(path);
  const code = codeOf({ scope, index }, undurable);
  const attempt =
    hidden === undefined ? (scope.attempts[index] as number) : attemptBefore(hidden, scope, index);
  const about = { path, taskId: scope.plan.ids[index] as string, attempt };
  if (isTerminal(code) || code === IN_PROGRESS)
    return { ...about, status: statusName(code), reason: undefined };
  if (undurable.size > 0 && waitsForUndurable(undurable, scope, index))
    return { ...about, status: 'created', reason: 'dependency' };
  // Its answer is not durable yet: it has neither come to wait nor been skipped.
  if (hidden?.type === 'ConditionEvaluated') return { ...about, status: 'ready', reason: undefined };
  const ticket = run.ticketOf(scope, index);
  if (ticket !== undefined && scheduler?.isWaiting(ticket)) {
    const reason = scheduler.reasonOf(ticket);
    return { ...about, status: reason === undefined ? 'ready' : 'waiting', reason };
  }
  if (code === RETRYING && ticket?.phase === 'delayed')
    return { ...about, status: 'retrying', reason: 'timer' };
  const isReady = code === RETRYING || (code === CREATED && scope.unmet[index] === 0);
  // Who has everything starts, whatever is paused by now.
  if (isReady && run.isHeld && !ticket?.holding) return { ...about, status: 'waiting', reason: 'paused' };
  if (isReady) return { ...about, status: 'ready', reason: undefined };
  return { ...about, status: 'created', reason: 'dependency' };
}

/** A dependency of a task, and whether it lets the task start. */
export interface DependencyView extends DependencyState {
  readonly isMet: boolean;
  /** It has ended in a way that never lets the task start. */
  readonly isLost: boolean;
}

/** The dependencies of a task, without what is not durable, in the order of the definition. */
export function dependenciesOf(
  run: LiveRun,
  { scope, index }: TaskPlace,
  undurable: Undurable,
  scheduler: TaskScheduler,
): readonly DependencyView[] {
  const { plan } = scope;
  const views: DependencyView[] = [];
  const end = plan.dependencyStart[index + 1] as number;
  for (let e = plan.dependencyStart[index] as number; e < end; e++) {
    const dependency = plan.dependencies[e] as number;
    const code = codeOf({ scope, index: dependency }, undurable);
    const anyOutcome = isSettledEdge(plan, dependency, index);
    const isMet = isTerminal(code) && (anyOutcome || code === COMPLETED);
    views.push({
      runId: run.runId,
      path: pathIn(scope, dependency),
      taskId: plan.ids[dependency] as string,
      status: viewOf(run, scope, dependency, undurable, scheduler).status,
      anyOutcome,
      isMet,
      isLost: isTerminal(code) && !isMet,
    });
  }
  return views;
}
