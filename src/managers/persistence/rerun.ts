/**
 * Makes the beginning of a run that does again what an ended one did not do well, or what somebody names, and keeps the rest.
 *
 * Owns: nothing. Who may call it: the persistence manager.
 *
 * RR1  The run that it is made from does not change.
 * RR2  It begins with what is kept and nothing else, in one append: it is there as a whole or not at all.
 * RR3  A new input replaces the old one for whatever reads it from now on; what is kept was made with the old one.
 */
import { describeName } from '../../base/values.ts';
import type { RunEvent } from '../../machine/events.ts';
import { KeptHistory, keptTasks } from '../../machine/kept-history.ts';
import type { RunState } from '../../machine/state.ts';
import { OrchestratorError, refuse } from '../../model/errors.ts';
import type { TaskPath } from '../../model/path.ts';
import type { CompiledPlan } from '../../model/plan.ts';
import { isRunFinished } from '../../model/status.ts';
import type { RunHistory } from './run-history.ts';

/** What it is made from and becomes. */
export interface RerunRequest {
  readonly runId: string;
  /** The plan of the version that the run began with. */
  readonly plan: CompiledPlan;
  /** The task to be done again with everything that depends on it; nothing for what did not complete. */
  readonly from: { readonly path: TaskPath } | undefined;
  readonly newId: string;
  /** When it is made: milliseconds since 1970. */
  readonly at: number;
  /** In the place of the input of the run, if given. */
  readonly input: { readonly value: unknown } | undefined;
}

/**
 * The events that it begins with.
 * @param where - who asks, for refusals
 * @throws OrchestratorError `TRANSITION_ILLEGAL`, `TASK_NOT_FOUND`, `OPTION_INVALID`
 */
export async function rerunEvents(
  history: RunHistory,
  { runId, plan, from, newId, at, input }: RerunRequest,
  where: string,
): Promise<readonly RunEvent[]> {
  const { state } = await history.fold(runId, plan);
  if (from === undefined) checkRetry(state);
  else checkRerun(state, from.path, where);
  const kept = new KeptHistory(newId, state.workflowVersion, keptTasks(state, from?.path));
  await history.visit(runId, 1, (event) => {
    kept.take(event);
    return event.seq < state.seq;
  });
  const [created, ...rest] = kept.finish();
  if (created?.type !== 'RunCreated')
    throw new OrchestratorError('HISTORY_INVALID', `run ${runId}: its log does not begin with RunCreated`);
  const forkedFrom = { runId, seq: state.seq, at, kept: rest.length + 1 };
  return [{ ...created, forkedFrom, ...(input === undefined ? undefined : { input: input.value }) }, ...rest];
}

function checkRetry({ runId, status }: RunState): void {
  if (status === 'failed' || status === 'cancelled') return;
  const why = status === 'completed' ? 'Nothing of it has failed: rerunFrom does a task again.' : WAIT;
  throw illegal(`run ${runId} is ${status}, so it cannot be retried; allowed: failed, cancelled. ${why}`);
}

function checkRerun({ runId, status, plan }: RunState, path: unknown, where: string): void {
  if (!isRunFinished(status))
    throw illegal(
      `run ${runId} is ${status}, so it cannot be run again from a task; allowed: completed, failed, cancelled. ${WAIT}`,
    );
  if (typeof path === 'string' && plan.indexOf.has(path)) return;
  if (typeof path === 'string' && /[/[#]/.test(path))
    throw refuse('OPTION_INVALID', {
      at: where,
      found: `${describeName(path)}, which lies in a child scope`,
      allowed: 'a task of the workflow itself',
    });
  throw new OrchestratorError('TASK_NOT_FOUND', `run ${runId} has no task ${describeName(path)}`, {
    details: { runId, path },
  });
}

const WAIT = 'Wait for its end, or cancel it.';

function illegal(message: string): OrchestratorError {
  return new OrchestratorError('TRANSITION_ILLEGAL', message);
}
