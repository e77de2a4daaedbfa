import { isSameValue } from '../base/same-value.ts';
import { isSameStart, type Tombstone } from '../managers/persistence/tombstones.ts';
import { OrchestratorError } from '../model/errors.ts';

/** What a run is started with. */
interface Payload {
  readonly workflowId: string;
  readonly input: unknown;
}

/**
 * Refuses a start under a key that means another run than the one that has it.
 * @throws OrchestratorError `RUN_KEY_CONFLICT`
 */
export function refuseOther(asked: Payload & { readonly key: string }, runId: string, has: Payload): void {
  const isOtherWorkflow = asked.workflowId !== has.workflowId;
  if (!isOtherWorkflow && isSameValue(asked.input, has.input)) return;
  throw isOther(asked.key, runId, has.workflowId, isOtherWorkflow);
}

/**
 * Refuses a start under a key whose run has ended and was removed.
 * @param left - what is left of it, if there was one
 * @throws OrchestratorError `RUN_KEY_CONFLICT`, `RUN_PRUNED`
 */
export function refusePruned(asked: Payload & { readonly key: string }, left: Tombstone | undefined): void {
  if (left === undefined) return;
  const { key } = asked;
  const { runId, workflowId, status, endedAt } = left;
  if (!isSameStart(left, asked.workflowId, asked.input))
    throw isOther(key, runId, workflowId, asked.workflowId !== workflowId);
  throw new OrchestratorError(
    'RUN_PRUNED',
    `the key ${JSON.stringify(key)} is that of run ${runId}, which was ${status} at ${new Date(endedAt).toISOString()}; its log was removed since, and it is not started again. Use another key to do it once more.`,
    { details: { key, runId, status, endedAt } },
  );
}

function isOther(
  key: string,
  runId: string,
  workflowId: string,
  isOtherWorkflow: boolean,
): OrchestratorError {
  const what = isOtherWorkflow
    ? `is of workflow ${JSON.stringify(workflowId)}`
    : 'was started with another input';
  return new OrchestratorError(
    'RUN_KEY_CONFLICT',
    `the key ${JSON.stringify(key)} is that of run ${runId}, which ${what}; nothing was started. Use a key of its own for each thing that is to be done once.`,
    { details: { key, runId } },
  );
}
