import { pathIn, type ScopeState } from '../machine/state.ts';
import { CREATED, IN_PROGRESS, isTerminal, RETRYING, statusName } from '../machine/transitions.ts';
import type { LiveRun } from '../managers/workflows/live-run.ts';
import type { TaskPath } from '../model/path.ts';
import type { TaskStatus, WaitReason } from '../model/status.ts';

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

/** The view of one task. */
export function viewOf(run: LiveRun, scope: ScopeState, index: number): TaskView {
  const code = scope.status[index] as number;
  const attempt = scope.attempts[index] as number;
  const about = { path: pathIn(scope, index), taskId: scope.plan.ids[index] as string, attempt };
  if (isTerminal(code) || code === IN_PROGRESS)
    return { ...about, status: statusName(code), reason: undefined };
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
