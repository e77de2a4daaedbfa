import type { LiveRun } from '../managers/workflows/live-run.ts';
import { checkKeys, checkRecord, reading } from '../model/checks.ts';
import type { TaskPath } from '../model/path.ts';
import type { Composition } from './compose.ts';
import { findRun } from './recover-runs.ts';
import { checkInput } from './start-run.ts';
import { findTask } from './task-view.ts';

/** How an ended run is run again. */
export interface RerunOptions {
  /**
   * In the place of the input of the run; the schema of the workflow is asked again. What is kept was made with the old
   * one. Default: the same input.
   */
  readonly input?: unknown;
}

/**
 * A new run that keeps what an ended one has done: all that completed, or all that does not depend on a task.
 * @throws OrchestratorError `TRANSITION_ILLEGAL`, `TASK_NOT_FOUND`, `OPTION_INVALID`, `OPTION_UNKNOWN`, `INPUT_INVALID`
 */
export async function rerunRun(
  parts: Composition,
  run: LiveRun,
  from: { readonly path: TaskPath } | undefined,
  given: RerunOptions,
): Promise<LiveRun> {
  const at = from === undefined ? 'retry' : 'rerunFrom';
  const options = reading(at, 'an object of options', () => {
    const record = checkRecord(given, at, 'an object of options');
    checkKeys(record, new Set(['input']), at);
    return { ...record } as RerunOptions;
  });
  // Here a path that is wrong is told the nearest one.
  if (from !== undefined) findTask(run, from.path);
  const { persistence, workflows } = parts;
  const { workflow } = workflows.get(run.plan.workflowId, run.state.workflowVersion);
  const input = 'input' in options ? { input: await checkInput(workflow, options.input) } : {};
  const { runId } =
    from === undefined
      ? await persistence.retry(run.runId, input)
      : await persistence.rerunFrom(run.runId, from.path, input);
  return findRun(parts, runId);
}
