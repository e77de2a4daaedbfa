/** The status of a run, as its log tells it. */
export type RunStatus = 'created' | 'in_progress' | 'paused' | 'completed' | 'failed' | 'cancelled';

/** The status of a task. `ready` and `waiting` are derived from the others and never stored. */
export type TaskStatus =
  | 'created'
  | 'ready'
  | 'waiting'
  | 'in_progress'
  | 'retrying'
  | 'completed'
  | 'failed'
  | 'skipped'
  | 'cancelled';

/** Why a task that could run does not. */
export type WaitReason =
  | 'dependency'
  | 'resource'
  | 'lock'
  | 'agent'
  | 'rate'
  | 'concurrency'
  | 'budget'
  | 'worker'
  | 'timer'
  | 'signal'
  | 'approval'
  | 'child'
  | 'handler_missing'
  | 'paused';

/** Whether nothing can follow this run status. */
export function isRunFinished(status: RunStatus): boolean {
  return status === 'completed' || status === 'failed' || status === 'cancelled';
}

/** Whether nothing can follow this task status. */
export function isTaskFinished(status: TaskStatus): boolean {
  return status === 'completed' || status === 'failed' || status === 'skipped' || status === 'cancelled';
}
