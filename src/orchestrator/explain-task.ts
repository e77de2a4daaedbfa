import type { RunEvent } from '../machine/events.ts';
import { peekDetails, type ScopeState } from '../machine/state.ts';
import { CREATED } from '../machine/transitions.ts';
import type { Lacked, Wait } from '../managers/scheduling/explain.ts';
import type { TaskScheduler } from '../managers/scheduling/task-scheduler.ts';
import type { LiveRun } from '../managers/workflows/live-run.ts';
import type { TaskPath } from '../model/path.ts';
import type { Clock } from '../ports/clock.ts';
import { undurableByPath } from './durable-view.ts';
import type { Cause, Explanation, StartStep, UnmetDependency } from './explanation.ts';
import { textOf } from './explanation-text.ts';
import { type DependencyView, dependenciesOf, findTask, viewOf } from './task-view.ts';

/** What explaining needs of the orchestrator. */
export interface ExplainServices {
  readonly scheduler: TaskScheduler;
  readonly clock: Clock;
  undurable(run: LiveRun): readonly RunEvent[];
}

/**
 * Says why a task does not run, and what would start it, as far as it is durable.
 * @throws OrchestratorError `TASK_NOT_FOUND`
 */
export function explainTask(run: LiveRun, path: TaskPath, services: ExplainServices): Explanation {
  const place = findTask(run, path);
  const { scope, index } = place;
  const undurable = undurableByPath(services.undurable(run));
  const { status, reason, attempt } = viewOf(run, scope, index, undurable, services.scheduler);
  const about = { runId: run.runId, path, status, attempt };
  const tell = (cause: Cause, whatWouldStart: readonly StartStep[] = []): Explanation =>
    ({
      ...about,
      ...cause,
      whatWouldStart,
      text: textOf({ ...about, whatWouldStart }, cause),
    }) as Explanation;
  const details = peekDetails(scope, index);
  if (status === 'in_progress') {
    const open = details?.openScopes ?? 0;
    return open > 0
      ? tell({ reason: 'child', open })
      : tell({ reason: 'running', isStopping: details?.stop !== undefined });
  }
  if (status !== 'created' && status !== 'ready' && status !== 'waiting' && status !== 'retrying')
    return tell({ reason: 'finished', failure: details?.failure });
  if (services.scheduler.isClosed || run.lost !== undefined) return tell({ reason: 'closing' });
  const paused = services.scheduler.pausesOf(run);
  const resumes = paused.map((by): StartStep => ({ step: 'resume', by }));
  if (reason === 'dependency') {
    const unmet = dependenciesOf(run, place, undurable, services.scheduler)
      .filter(({ isMet }) => !isMet)
      .map(plainDependency);
    return tell({ reason: 'dependency', unmet }, [...unmet.map(dependencyStep), ...resumes]);
  }
  if (reason === 'timer') {
    const dueAt = details?.dueAt ?? 0;
    const inMs = Math.max(0, dueAt - services.clock.now());
    return tell({ reason: 'timer', dueAt, inMs, failure: details?.failure }, [
      { step: 'time', inMs },
      ...resumes,
    ]);
  }
  if (asksFirst(scope, index)) return tell({ reason: 'condition' }, [{ step: 'condition' }, ...resumes]);
  const ticket = run.ticketOf(scope, index);
  if (ticket === undefined || !services.scheduler.isWaiting(ticket)) {
    if (resumes.length === 0) return tell({ reason: 'ready', position: undefined });
    return tell({ reason: 'paused', pausedBy: paused, lacks: [], position: undefined, ahead: 0 }, resumes);
  }
  return explainQueued(services.scheduler.explain(ticket), tell);
}

function explainQueued(
  { reason, ...wait }: Wait,
  tell: (cause: Cause, steps?: readonly StartStep[]) => Explanation,
): Explanation {
  if (reason === undefined) return tell({ reason: 'ready', position: wait.position });
  const steps: StartStep[] = wait.pausedBy.map((by) => ({ step: 'resume', by }));
  for (const lack of wait.lacks) steps.push(stepFor(lack));
  if (wait.ahead > 0) steps.push({ step: 'queue', ahead: wait.ahead });
  return tell({ reason, ...wait } as Cause, steps);
}

/** What would end a shortfall: who holds it, the time, or more of it. */
function stepFor(lack: Lacked): StartStep {
  const { kind, name, needed, used, capacity, freeInMs, holders } = lack;
  if (freeInMs !== undefined) return { step: 'time', inMs: freeInMs };
  if (holders.length > 0 && needed <= capacity) return { step: 'release', ...lack };
  // What a budget has spent, and what a capacity was cut by, nobody gives back.
  return { step: 'capacity', kind, name, atLeast: kind === 'budget' ? used + needed : needed };
}

/** Whether its condition is still to be asked. */
function asksFirst(scope: ScopeState, index: number): boolean {
  return (
    scope.status[index] === CREATED &&
    scope.unmet[index] === 0 &&
    scope.plan.tasks[index]?.policies.when !== undefined &&
    peekDetails(scope, index)?.condition === undefined
  );
}

function plainDependency({ path, status, anyOutcome }: DependencyView): UnmetDependency {
  return { path, status, anyOutcome };
}

function dependencyStep(unmet: UnmetDependency): StartStep {
  return { step: 'dependency', ...unmet };
}
