/** Drafts: definitions that can still be edited, and how an edit reaches the plans that were compiled before it. */
import { type OrchestratorError, refuse } from './errors.ts';

let edits = 0;

/** Counts an edit: plans of drafts that were compiled before it are compiled anew. */
export function countEdit(): void {
  edits += 1;
}

/** The number of edits so far, of all drafts together. Edits are rare, so one number serves all. */
export function editCount(): number {
  return edits;
}

/** Makes it so that JavaScript, which knows no `readonly`, cannot change a registered definition either. */
export function freeze(definition: {
  readonly tasks: readonly unknown[];
  readonly tags: readonly string[];
}): void {
  Object.freeze(definition.tasks);
  Object.freeze(definition.tags);
  Object.freeze(definition);
}

/** The refusal of an edit of what is registered. */
export function sealed(at: string, method: string): OrchestratorError {
  return refuse('DEFINITION_SEALED', {
    at: `${at}.${method}`,
    found: 'a definition that is registered',
    allowed: 'a draft',
    hint: 'Make a new version: workflows.updateWorkflow(name, (draft) => …).',
  });
}

/** The refusal of a status or an output for a definition. */
export function notLive(taskId: string, found: string): OrchestratorError {
  return refuse('TASK_NOT_LIVE', {
    at: `task ${JSON.stringify(taskId)}`,
    found: `${found} for a definition`,
    allowed: 'a task of a run',
    hint: 'Ask the run: orchestrator.monitorTask(runId, path).',
  });
}
