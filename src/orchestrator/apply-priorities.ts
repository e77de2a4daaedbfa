import type { PriorityOrder } from '../managers/resources/allocation-plan.ts';
import type { TaskScheduler } from '../managers/scheduling/task-scheduler.ts';
import type { RunDirectory } from '../managers/workflows/run-directory.ts';
import { refuse } from '../model/errors.ts';

/** How many changes are under way at once. */
const CHANGES_AT_ONCE = 1_000;

/**
 * Gives the tasks of a live run the priorities of an order; those that have started keep theirs.
 * @throws OrchestratorError `RUN_NOT_FOUND`, `OPTION_INVALID` when the run is one of another workflow, or the policy does not heed priorities
 */
export async function applyPriorities(
  { runId, workflowId, priorities }: PriorityOrder,
  directory: RunDirectory,
  scheduler: TaskScheduler,
): Promise<void> {
  const at = 'optimizeResourceAllocation/apply';
  const { plan } = directory.get(runId);
  const isSame = plan.workflowId === workflowId && priorities.every(({ taskId }) => plan.indexOf.has(taskId));
  if (!isSame)
    throw refuse('OPTION_INVALID', {
      at,
      found: `run ${JSON.stringify(runId)} of workflow ${JSON.stringify(plan.workflowId)}`,
      allowed: `a run of this version of workflow ${JSON.stringify(workflowId)}`,
    });
  const { policy } = scheduler;
  if (policy !== 'priority' && policy !== 'critical-path')
    throw refuse('OPTION_INVALID', {
      at,
      found: `the policy ${typeof policy === 'function' ? 'of a comparator' : JSON.stringify(policy)}, which does not heed priorities`,
      allowed: 'the policy "priority" or "critical-path"',
      hint: "Call prioritizeTasks('priority') first.",
    });
  for (let i = 0; i < priorities.length; i += CHANGES_AT_ONCE) {
    const changes = priorities.slice(i, i + CHANGES_AT_ONCE);
    await Promise.all(changes.map(({ taskId, priority }) => scheduler.setPriority(runId, taskId, priority)));
  }
}
