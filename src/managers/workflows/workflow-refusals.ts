/**
 * The words in which the workflow manager refuses.
 *
 * Owns: nothing. Who may call it: the workflow manager.
 */
import { quote } from '../../base/values.ts';
import { type OrchestratorError, refuse } from '../../model/errors.ts';

/** A workflow with unfinished runs was to be deleted. */
export function inUse(workflowId: string, runIds: readonly string[]): OrchestratorError {
  return refuse(
    'WORKFLOW_IN_USE',
    {
      at: `deleteWorkflow(${JSON.stringify(workflowId)})`,
      found: runIds.length === 1 ? `the run ${quote(runIds[0] as string)}` : `${runIds.length} runs`,
      allowed: 'a workflow without unfinished runs',
      hint: 'Wait for them or cancel them first.',
    },
    { details: { workflowId, runIds: runIds.slice(0, 100) } },
  );
}

/** A run was asked for of an archived version. */
export function archived(workflowId: string, version: number): OrchestratorError {
  return refuse('WORKFLOW_ARCHIVED', {
    at: `workflow ${JSON.stringify(workflowId)}`,
    found: `version ${version}, which is archived`,
    allowed: 'a registered version',
    hint: "Take it back with workflow.updateStatus('registered').",
  });
}

/** An edit that goes on later would change a version. */
export function notAtOnce(answer: Promise<unknown>, at: string): OrchestratorError {
  answer.catch(() => {});
  return refuse('OPTION_INVALID', {
    at,
    found: 'a function that returned a promise',
    allowed: 'a function that edits the draft at once',
  });
}

export function changedMeanwhile(at: string, from: number, newest: number): OrchestratorError {
  return refuse('WORKFLOW_CHANGED', {
    at,
    found: `version ${newest}, which came while version ${from} was being edited`,
    allowed: 'one change at a time',
    hint: 'Edit only the draft in the function, and call updateWorkflow again for another version.',
  });
}
