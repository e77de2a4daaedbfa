import { pathIn, type ScopeState } from '../machine/state.ts';
import { CREATED, IN_PROGRESS, isTerminal, RETRYING, statusName } from '../machine/transitions.ts';
import type { LiveRun } from '../managers/workflows/live-run.ts';
import type { TaskPath } from '../model/path.ts';
import type { TaskStatus, WaitReason } from '../model/status.ts';
import { attemptBefore, codeBefore, type Undurable, waitsForUndurable } from './durable-view.ts';

/** A task of a run, as it stands now. */
export interface TaskView {
  readonly path: TaskPath;
  readonly taskId: string;
  readonly status: TaskStatus;
  /** Why it does not run, when it waits. */
  readonly reason: WaitReason | undefined;
  /** The attempt that is under way or was the last one; 0 before the first. */
  readonly attempt: number;
}

/** The view of one task, without what is not durable. */
export function viewOf(run: LiveRun, scope: ScopeState, index: number, undurable: Undurable): TaskView {
  const path = pathIn(scope, index);
  const hidden = undurable.get(path);
  const code = hidden === undefined ? (scope.status[index] as number) : codeBefore(hidden, scope, index);
  const attempt =
    hidden === undefined ? (scope.attempts[index] as number) : attemptBefore(hidden, scope, index);
  const about = { path, taskId: scope.plan.ids[index] as string, attempt };
  if (isTerminal(code) || code === IN_PROGRESS)
    return { ...about, status: statusName(code), reason: undefined };
  if (undurable.size > 0 && waitsForUndurable(undurable, scope, index))
    return { ...about, status: 'created', reason: 'dependency' };
  const ticket = run.ticketOf(scope, index);
  if (ticket?.queued) {
    const row = ticket.group.parkedAt ?? ticket.group.blockedBy();
    return row === undefined
      ? { ...about, status: 'ready', reason: undefined }
      : { ...about, status: 'waiting', reason: row.kind };
  }
  if (code === RETRYING && ticket?.phase === 'delayed')
    return { ...about, status: 'retrying', reason: 'timer' };
  const isReady = code === RETRYING || (code === CREATED && scope.unmet[index] === 0);
  if (isReady && run.isHeld) return { ...about, status: 'waiting', reason: 'paused' };
  if (isReady) return { ...about, status: 'ready', reason: undefined };
  return { ...about, status: 'created', reason: 'dependency' };
}
