import { describeValue } from '../base/values.ts';
import type { Grant } from '../managers/resources/claims.ts';
import { checkWait } from '../managers/resources/resource-manager.ts';
import { refuse } from '../model/errors.ts';
import { isTask } from '../model/task.ts';
import type { Composition } from './compose.ts';

/** What is asked of the parts of an orchestrator. */
type Parts = Pick<Composition, 'needs' | 'claims'>;

/**
 * Takes what a task needs for somebody who is not a run: what the scheduler would take, the limit of its workflow
 * excepted, since it belongs to none.
 * @throws OrchestratorError `DEFINITION_INVALID`, and as `ResourceManager.allocateResource`
 */
export async function allocateForTask(
  { needs, claims }: Parts,
  task: unknown,
  options: unknown,
): Promise<Grant> {
  const at = 'allocateResources';
  if (!isTask(task))
    throw refuse('DEFINITION_INVALID', { at, found: describeValue(task), allowed: 'a task made by task(…)' });
  const wait = checkWait(options, at);
  const what = `${at}(${task.taskId})`;
  const shared = [{ row: needs.global, amount: 1 }];
  return claims.request(needs.needsOf(task, shared, what), { ...wait, what });
}
