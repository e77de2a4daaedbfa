/**
 * Which status a task can take after which event: the only place where legality is written down.
 *
 * Who may use it: `decide`, `evolve`, `invariants`.
 *
 * T1  A terminal status has no way out.
 * T2  Each event leads from a given status to exactly one other.
 */
import type { TaskStatus } from '../model/status.ts';

/** Statuses as small numbers, for flat arrays; `ready` and `waiting` are derived and have none. */
export const CREATED = 0;
export const IN_PROGRESS = 1;
export const RETRYING = 2;
export const COMPLETED = 3;
export const FAILED = 4;
export const SKIPPED = 5;
export const CANCELLED = 6;

/** A status as a number. */
export type StatusCode = 0 | 1 | 2 | 3 | 4 | 5 | 6;

const NAMES: readonly TaskStatus[] = [
  'created',
  'in_progress',
  'retrying',
  'completed',
  'failed',
  'skipped',
  'cancelled',
];

/** The events that move a task from one status to another. */
export type MovingEventType =
  | 'TaskStarted'
  | 'TaskRestarted'
  | 'TaskCompleted'
  | 'TaskFailed'
  | 'TaskRetryScheduled'
  | 'TaskCancelled'
  | 'TaskSkipped';

/** For each event: the status that it leads to, and the set (as bits) of those that it may come from. */
const MOVES: Readonly<Record<MovingEventType, { readonly to: StatusCode; readonly from: number }>> = {
  TaskStarted: { to: IN_PROGRESS, from: (1 << CREATED) | (1 << RETRYING) },
  TaskRestarted: { to: IN_PROGRESS, from: 1 << IN_PROGRESS },
  TaskCompleted: { to: COMPLETED, from: 1 << IN_PROGRESS },
  TaskRetryScheduled: { to: RETRYING, from: 1 << IN_PROGRESS },
  // From created: the `when` predicate threw. From retrying: the whole time of the task was over.
  TaskFailed: { to: FAILED, from: (1 << CREATED) | (1 << IN_PROGRESS) | (1 << RETRYING) },
  TaskSkipped: { to: SKIPPED, from: 1 << CREATED },
  TaskCancelled: { to: CANCELLED, from: (1 << CREATED) | (1 << IN_PROGRESS) | (1 << RETRYING) },
};

const STARTED = MOVES.TaskStarted;
const DONE = MOVES.TaskCompleted;

/** The two events of every task are told apart by comparison, which is faster than a look-up by a changing name. */
function moveOf(type: MovingEventType): { readonly to: StatusCode; readonly from: number } {
  if (type === 'TaskStarted') return STARTED;
  return type === 'TaskCompleted' ? DONE : MOVES[type];
}

/** Whether the event may follow when a task has this status. */
export function isLegal(type: MovingEventType, from: number): boolean {
  return (moveOf(type).from & (1 << from)) !== 0;
}

/** Whether nothing can follow. */
export function isTerminal(status: number): boolean {
  return status >= COMPLETED;
}

/** The word for a status code. */
export function statusName(status: number): TaskStatus {
  return NAMES[status] as TaskStatus;
}

/** The status that an event leads to. */
export function targetOf(type: MovingEventType): StatusCode {
  return moveOf(type).to;
}
