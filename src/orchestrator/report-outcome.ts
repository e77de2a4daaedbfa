import { isSameValue } from '../base/same-value.ts';
import type { RunEvent, TaskCancelled, TaskFailed, TaskRetryScheduled } from '../machine/events.ts';
import { COMPLETED } from '../machine/transitions.ts';
import { type Recovery, SKIPPED_NAMED_MAX } from '../managers/monitoring/error-record.ts';
import { type Ticket, watchOf } from '../managers/scheduling/ticket.ts';
import type { Attempt } from '../managers/workflows/attempt.ts';
import type { LiveRun } from '../managers/workflows/live-run.ts';
import { retryAnswer } from '../managers/workflows/retry-answer.ts';
import { takeIn } from '../managers/workflows/taken-values.ts';
import { OrchestratorError } from '../model/errors.ts';
import { describeFailure } from '../model/failure.ts';
import type { TaskPath } from '../model/path.ts';
import type { AnyTask } from '../model/task.ts';
import type { Composition } from './compose.ts';
import { undurableByPath } from './durable-view.ts';
import { asError } from './start-run.ts';
import { findTask, viewOf } from './task-view.ts';

/** What a report needs of an orchestrator. */
type Parts = Pick<
  Composition,
  'directory' | 'loop' | 'hub' | 'executor' | 'random' | 'scheduler' | 'outputs'
>;

type EndOfAttempt = TaskFailed | TaskRetryScheduled | TaskCancelled;

/** Hears what became of one attempt, and what was skipped because of it. */
class AttemptWatch {
  readonly #runId: string;
  readonly #path: TaskPath;
  readonly #attempt: number;
  readonly #skipped: TaskPath[] = [];
  #skippedCount = 0;
  end: EndOfAttempt | undefined;

  constructor(runId: string, path: TaskPath, attempt: number) {
    this.#runId = runId;
    this.#path = path;
    this.#attempt = attempt;
  }

  observe(event: RunEvent): void {
    if (event.runId !== this.#runId) return;
    switch (event.type) {
      case 'TaskFailed':
      case 'TaskRetryScheduled':
      case 'TaskCancelled':
        if (event.path === this.#path && event.attempt === this.#attempt) this.end = event;
        return;
      case 'TaskSkipped':
        if (event.cause.kind !== 'dependency' || event.cause.path !== this.#path) return;
        this.#skippedCount++;
        if (this.#skipped.length < SKIPPED_NAMED_MAX) this.#skipped.push(event.path);
    }
  }

  get recovery(): Recovery {
    if (this.end?.type === 'TaskRetryScheduled')
      return { kind: 'retry', nextAttempt: this.end.attempt + 1, dueAt: this.end.dueAt };
    if (this.end?.type === 'TaskCancelled') return { kind: 'cancelled' };
    return { kind: 'failed', skipped: this.#skipped, skippedCount: this.#skippedCount };
  }
}

/**
 * Fails the current attempt of a task, as if its handler had thrown: its policy says what follows. The body is told to
 * stop, and what it reports afterwards does not count.
 *
 * @returns what became of it, once that is durable
 * @throws OrchestratorError `RUN_NOT_FOUND`, `TASK_NOT_FOUND`, `RUN_FINISHED`, `TRANSITION_ILLEGAL`, `ATTEMPT_STALE`
 */
export async function failTask(
  parts: Parts,
  runId: string,
  path: TaskPath,
  error: unknown,
): Promise<Recovery> {
  const run = parts.directory.get(runId);
  const { ticket, task, attempt } = findAttempt(parts, run, path);
  const failure = describeFailure(error);
  const answer = retryAnswer(run, task, { thrown: error, failure, attempt }, parts.random);
  const watch = new AttemptWatch(runId, path, attempt);
  parts.hub.watch(watch);
  try {
    await new Promise<void>((resolve, reject) => {
      const command = { type: 'ReportFailure', at: 0, path, attempt, failure, ...answer } as const;
      parts.loop.submit(run, command, (refused) => {
        if (refused !== undefined) {
          reject(asError(refused));
          return;
        }
        run.thrown.set(path, error);
        // Before the next attempt begins, which may be in this very turn.
        if (ticket !== undefined) stopBody(parts, run, ticket, path, { attempt, outcome: 'failed', error });
        resolve();
      });
    });
    return watch.recovery;
  } finally {
    parts.hub.unwatch(watch);
  }
}

/**
 * Completes the current attempt of a task from outside, as if its handler had returned this output. The body is told to
 * stop, and what it reports afterwards does not count.
 *
 * @throws OrchestratorError `RUN_FINISHED`, `TRANSITION_ILLEGAL`, `ATTEMPT_STALE`, `VALUE_UNSERIALISABLE`
 */
export async function completeTask(
  parts: Parts,
  run: LiveRun,
  path: TaskPath,
  output: unknown,
): Promise<void> {
  const { ticket, attempt } = findAttempt(parts, run, path);
  const given = takeIn(output, `output of task ${JSON.stringify(path)} `, 'plain data');
  const taken = parts.outputs.isLarge(given) ? await parts.outputs.keep(run, given) : given;
  await new Promise<void>((resolve, reject) => {
    const command = { type: 'ReportSuccess', at: 0, path, attempt, output: taken } as const;
    parts.loop.submit(run, command, (refused) => {
      // Refused because it was carried out already: an append whose outcome was unknown has written it.
      const { scope, index } = findTask(run, path);
      const isDone = scope.status[index] === COMPLETED && isSameValue(scope.outputs[index], taken);
      if (refused !== undefined && !isDone) {
        reject(asError(refused));
        return;
      }
      if (ticket !== undefined)
        stopBody(parts, run, ticket, path, { attempt, outcome: 'completed', error: undefined });
      if (isDone) resolve();
      else reject(toldToStop(run, path));
    });
  });
}

/** A task that was told to stop before is ended by that, whatever is reported of it. */
function toldToStop(run: LiveRun, path: TaskPath): OrchestratorError {
  return new OrchestratorError(
    'TRANSITION_ILLEGAL',
    `task ${JSON.stringify(path)} was told to stop before, so it cannot complete; allowed: a task that goes on`,
    { details: { runId: run.runId, path } },
  );
}

/**
 * Ends a run with an error as the reason of its cancellation.
 * @throws OrchestratorError `RUN_NOT_FOUND`, `RUN_FINISHED`
 */
export async function failRun({ directory, loop }: Parts, runId: string, error: unknown): Promise<Recovery> {
  const run = directory.get(runId);
  checkOpen(run);
  run.cancelReason ??= error;
  await new Promise<void>((resolve, reject) => {
    loop.submit(run, { type: 'CancelRun', at: 0, reason: describeFailure(error) }, (refused) => {
      if (refused === undefined) resolve();
      else reject(asError(refused));
    });
  });
  return { kind: 'run_cancelled' };
}

function checkOpen(run: LiveRun): void {
  if (run.isOver)
    throw new OrchestratorError('RUN_FINISHED', `run ${run.runId} has ended: it is ${run.state.status}`, {
      details: { runId: run.runId },
    });
}

/** The attempt that is in progress, as far as that is durable. */
function findAttempt(
  { loop, scheduler }: Parts,
  run: LiveRun,
  path: TaskPath,
): { readonly ticket: Ticket | undefined; readonly task: AnyTask; readonly attempt: number } {
  const { runId } = run;
  const { scope, index } = findTask(run, path);
  checkOpen(run);
  const { status, attempt } = viewOf(run, scope, index, undurableByPath(loop.undurable(run)), scheduler);
  if (status !== 'in_progress')
    throw new OrchestratorError(
      'TRANSITION_ILLEGAL',
      `task ${JSON.stringify(path)} is ${status}, so nothing can be reported of it; allowed: a task in progress`,
      { details: { runId, path, status } },
    );
  return { ticket: run.ticketOf(scope, index), task: scope.plan.tasks[index] as AnyTask, attempt };
}

/** What was reported of an attempt. */
interface Reported {
  readonly attempt: number;
  readonly outcome: 'failed' | 'completed';
  readonly error: unknown;
}

/** Tells the body of an attempt that was ended for it. One that has not begun does not begin. */
function stopBody(
  { executor }: Parts,
  run: LiveRun,
  ticket: Ticket,
  path: TaskPath,
  { attempt, outcome, error }: Reported,
): void {
  const message = `attempt ${attempt} of task ${JSON.stringify(path)} was reported as ${outcome} from outside`;
  const thrown = new OrchestratorError('TASK_CANCELLED', message, {
    details: { runId: run.runId, path, cause: 'reported' },
    ...(error === undefined ? undefined : { cause: error }),
  });
  const watch = watchOf(ticket);
  watch.stop = { cause: 'cancelled', reason: describeFailure(thrown), thrown };
  const { controller } = watch;
  if (controller !== undefined) run.within((reason) => controller.abort(reason), thrown);
  const invocation = ticket.invocation as Attempt | undefined;
  if (invocation === undefined) return;
  invocation.reported = true;
  try {
    executor.cancel(invocation, thrown);
  } catch {
    // The attempt has ended whatever the executor says.
  }
}
