import type { RunEvent } from '../machine/events.ts';
import { pathIn, peekDetails } from '../machine/state.ts';
import type { Lacked } from '../managers/scheduling/explain.ts';
import type { PausedBy } from '../managers/scheduling/holds.ts';
import type { TaskScheduler } from '../managers/scheduling/task-scheduler.ts';
import type { LiveRun } from '../managers/workflows/live-run.ts';
import type { TaskPath } from '../model/path.ts';
import type { Clock } from '../ports/clock.ts';
import { type Undurable, undurableByPath } from './durable-view.ts';
import type { Cause, Explanation, StartStep, UnmetDependency } from './explanation.ts';
import { textOf } from './explanation-text.ts';
import { type DependencyView, dependenciesOf, findTask, type TaskPlace, viewOf } from './task-view.ts';

/** What explaining needs of the orchestrator. */
export interface ExplainServices {
  readonly scheduler: TaskScheduler;
  readonly clock: Clock;
  undurable(run: LiveRun): readonly RunEvent[];
}

/** Puts an explanation together. */
type Tell = (cause: Cause, whatWouldStart?: readonly StartStep[]) => Explanation;

/**
 * Says why a task does not run, and what would start it, as far as it is durable.
 * @throws OrchestratorError `TASK_NOT_FOUND`
 */
export function explainTask(run: LiveRun, path: TaskPath, services: ExplainServices): Explanation {
  const place = findTask(run, path);
  const { scope, index } = place;
  const { scheduler } = services;
  const undurable = undurableByPath(services.undurable(run));
  const { status, reason, attempt } = viewOf(run, scope, index, undurable, scheduler);
  const about = { runId: run.runId, path, status, attempt };
  const tell: Tell = (cause, whatWouldStart = []) =>
    ({
      ...about,
      ...cause,
      whatWouldStart,
      text: textOf({ ...about, whatWouldStart }, cause),
    }) as Explanation;
  const details = peekDetails(scope, index);
  if (status === 'in_progress') {
    const scopes = openScopesOf(run, place, undurable);
    return scopes.length > 0
      ? tell({ reason: 'child', open: scopes.length, scopes })
      : tell({ reason: 'running', isStopping: details?.stop !== undefined });
  }
  if (status !== 'created' && status !== 'ready' && status !== 'waiting' && status !== 'retrying')
    return tell({ reason: 'finished', failure: details?.failure });
  if (scheduler.isClosed || run.lost !== undefined) return tell({ reason: 'closing' });
  const resumes = scheduler.pausesFor(run, run.groupOf(scope, index)).map(resumeStep);
  if (reason === 'dependency') {
    const unmet = dependenciesOf(run, place, undurable, scheduler)
      .filter(({ isMet }) => !isMet)
      .map(plainDependency);
    return tell({ reason: 'dependency', unmet }, [...unmet.map(dependencyStep), ...resumes]);
  }
  if (reason === 'timer') {
    const { dueAt, inMs } = timeLeft(run, place, services);
    return tell({ reason: 'timer', dueAt, inMs, failure: details?.failure }, [
      { step: 'time', inMs },
      ...resumes,
    ]);
  }
  if (asksFirst(place, undurable)) return tell({ reason: 'condition' }, [{ step: 'condition' }, ...resumes]);
  return explainReady(run, place, scheduler, tell);
}

/** It has come so far that it could start: it waits in the queue, is held back from it, or starts. */
function explainReady(
  run: LiveRun,
  { scope, index }: TaskPlace,
  scheduler: TaskScheduler,
  tell: Tell,
): Explanation {
  const ticket = run.ticketOf(scope, index);
  // It has everything already: only its start is not durable.
  if (ticket?.holding) return tell({ reason: 'ready', position: undefined });
  const { reason, ...wait } =
    ticket !== undefined && scheduler.isWaiting(ticket)
      ? scheduler.explain(ticket)
      : scheduler.explainHeld(run, run.groupOf(scope, index));
  if (reason === undefined) return tell({ reason: 'ready', position: wait.position });
  const steps: StartStep[] = wait.pausedBy.map(resumeStep);
  for (const lack of wait.lacks) steps.push(...stepsFor(lack));
  if (wait.ahead > 0) steps.push({ step: 'queue', ahead: wait.ahead });
  return tell({ reason, ...wait } as Cause, steps);
}

function resumeStep(by: PausedBy): StartStep {
  return { step: 'resume', by };
}

/** What would end a shortfall: more of it, who holds it, the time. */
function stepsFor(lack: Lacked): readonly StartStep[] {
  const { kind, name, needed, used, capacity, freeInMs, holders } = lack;
  const steps: StartStep[] = [];
  // What a budget has spent, and what a capacity was cut by, nobody gives back.
  if (kind === 'budget') steps.push({ step: 'capacity', kind, name, atLeast: used + needed });
  else if (needed > capacity) steps.push({ step: 'capacity', kind, name, atLeast: needed });
  if (holders.length > 0) steps.push({ step: 'release', ...lack });
  if (freeInMs !== undefined) steps.push({ step: 'time', inMs: freeInMs });
  return steps;
}

/** The child scopes of a task that are open, by what stands before the ids of their tasks. */
function openScopesOf(run: LiveRun, { scope, index }: TaskPlace, undurable: Undurable): readonly TaskPath[] {
  if (scope.plan.children === undefined) return [];
  return run.state.scopes
    .filter(({ parent, parentIndex, prefix, closed }) => {
      if (parent !== scope || parentIndex !== index) return false;
      const hidden = undurable.get(prefix);
      return hidden === undefined ? !closed : hidden.type === 'ScopeClosed';
    })
    .map(({ prefix }) => prefix);
}

/** By the timer that starts the attempt, which somebody who sets the clock of the machine does not move. */
function timeLeft(
  run: LiveRun,
  { scope, index }: TaskPlace,
  { clock }: ExplainServices,
): { readonly dueAt: number; readonly inMs: number } {
  const dueAt = peekDetails(scope, index)?.dueAt ?? 0;
  const timer = run.ticketOf(scope, index)?.watch?.timer;
  const left = timer === undefined ? dueAt - clock.now() : timer.item.dueAt - clock.monotonic();
  return { dueAt, inMs: Math.max(0, left) };
}

/** Whether the answer of its condition is not there yet, or is not durable. */
function asksFirst({ scope, index }: TaskPlace, undurable: Undurable): boolean {
  if (scope.plan.tasks[index]?.policies.when === undefined) return false;
  return (
    peekDetails(scope, index)?.condition === undefined ||
    undurable.get(pathIn(scope, index))?.type === 'ConditionEvaluated'
  );
}

function plainDependency({ path, status, anyOutcome }: DependencyView): UnmetDependency {
  return { path, status, anyOutcome };
}

function dependencyStep(unmet: UnmetDependency): StartStep {
  return { step: 'dependency', ...unmet };
}
