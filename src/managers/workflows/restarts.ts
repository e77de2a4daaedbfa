/**
 * Tells what a process that is gone has left under way from what this one has not begun yet: the former is counted when
 * its body runs again.
 *
 * Owns: nothing; what it finds is kept with the run. Who may call it: the reloader, and the loop for tickets of it.
 *
 * RS1  A body that may have run in another process runs again only behind an event that says so (I2).
 * RS2  What this process has started itself is never counted, however often its state is read again.
 * RS3  Nothing is counted that does not run again: a run that is only read, a task that waits or is told to stop.
 */
import type { RestartTask } from '../../machine/commands.ts';
import type { Dispatch } from '../../machine/instructions.ts';
import { resume } from '../../machine/react.ts';
import { pathIn, peekDetails, type RunState } from '../../machine/state.ts';
import { OrchestratorError } from '../../model/errors.ts';
import { deadLetterFailure } from '../../model/failure.ts';
import type { TaskPath } from '../../model/path.ts';
import type { AnyTask } from '../../model/task.ts';
import type { Ticket } from '../scheduling/ticket.ts';
import type { LiveRun } from './live-run.ts';

/** What was under way in a run when its process ended: by path, which attempt, and how often it had been started again. */
export function cutOffIn(state: RunState): ReadonlyMap<TaskPath, string> {
  const cutOff = new Map<TaskPath, string>();
  for (const instruction of resume(state))
    if (instruction.type === 'Dispatch')
      cutOff.set(pathIn(instruction.scope, instruction.index), startOf(instruction));
  return cutOff;
}

/**
 * The command by which a body is to run again that another process may have begun; nothing for one that is begun now for
 * the first time, or is told to stop and so does not begin.
 *
 * @param maxRestarts - for a task that says nothing of it
 */
export function restartOf(run: LiveRun, dispatch: Dispatch, maxRestarts: number): RestartTask | undefined {
  const { scope, index, attempt } = dispatch;
  const path = pathIn(scope, index);
  if (run.cutOff.get(path) !== startOf(dispatch)) return undefined;
  if (peekDetails(scope, index)?.stop !== undefined) return undefined;
  const { policies } = scope.plan.tasks[index] as AnyTask;
  return { type: 'RestartTask', at: 0, path, attempt, maxRestarts: policies.maxRestarts ?? maxRestarts };
}

/** The error of a task under which the process ended once too often. */
export function deadLetter(
  run: LiveRun,
  { scope, index }: Dispatch,
  command: RestartTask,
): OrchestratorError {
  const { path, attempt, maxRestarts } = command;
  const restarts = peekDetails(scope, index)?.restarts ?? 0;
  const { message } = deadLetterFailure(path, restarts + 1, maxRestarts);
  return new OrchestratorError('TASK_DEAD_LETTER', message, {
    details: { runId: run.runId, path, attempt, restarts, maxRestarts },
  });
}

/** Whether it is one too many: the task then fails, and needs nothing to do so. */
export function isTooMany({ scope, index }: Dispatch, { maxRestarts }: RestartTask): boolean {
  return (peekDetails(scope, index)?.restarts ?? 0) >= maxRestarts;
}

/**
 * Whether the body of a ticket whose start is in the log may only run behind another event. It may without one when it was
 * never run anywhere, and when it was told to stop meanwhile and so does not run.
 */
export function isToBeCounted({ restart, scope, index }: Ticket): boolean {
  return restart !== undefined && peekDetails(scope, index)?.stop === undefined;
}

function startOf({ scope, index, attempt }: Dispatch): string {
  return `${attempt}/${peekDetails(scope, index)?.restarts ?? 0}`;
}
