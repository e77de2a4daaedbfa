import { isSameValue } from '../base/same-value.ts';
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
  const { key } = asked;
  const what = isOtherWorkflow
    ? `is of workflow ${JSON.stringify(has.workflowId)}`
    : 'was started with another input';
  throw new OrchestratorError(
    'RUN_KEY_CONFLICT',
    `the key ${JSON.stringify(key)} is that of run ${runId}, which ${what}; nothing was started. Use a key of its own for each thing that is to be done once.`,
    { details: { key, runId } },
  );
}
