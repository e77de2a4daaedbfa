/**
 * What waits, why, and at which position: worked out when somebody asks, never kept.
 *
 * Owns: nothing. Who may call it: the task scheduler and what explains waits.
 *
 * QV1  The position is that in the order of service, over all who wait and host requests too; who is held back by a
 *      pause of its workflow or run has none.
 */
import { pathIn, priorityOf } from '../../machine/state.ts';
import type { WaitReason } from '../../model/status.ts';
import type { Group, Ledger } from '../resources/ledger.ts';
import { compareWaiters, type Waiter } from '../resources/need-group.ts';
import type { Row } from '../resources/row.ts';
import type { Holds } from './holds.ts';
import type { RunTable, TaskRef } from './task-record.ts';
import { Ticket } from './ticket.ts';

/** A task that waits in the queue. */
export interface QueuedTask extends TaskRef {
  readonly taskId: string;
  /** What it waits for; `undefined` when it starts in the next turn. */
  readonly reason: WaitReason | undefined;
  /** From 1, in the order of service; `undefined` while its workflow or run is paused. */
  readonly position: number | undefined;
  /** The priority by which it stands where it does, that of its run added; `undefined` while it has no place. */
  readonly priority: number | undefined;
}

/** What is needed to tell why tickets wait. */
export interface QueueParts {
  readonly ledger: Ledger;
  readonly holds: Holds;
  readonly isPaused: () => boolean;
}

/** The row that a group lacks, where it is parked if it is; `undefined` when it lacks nothing. */
export function lackedBy(group: Group): Row | undefined {
  const { parkedAt } = group;
  if (parkedAt !== undefined && parkedAt.used + group.amountOf(parkedAt) > parkedAt.capacity) return parkedAt;
  return group.blockedBy();
}

/** Why a ticket in the queue does not start; `undefined` when it starts in the next turn. */
export function reasonOf(ticket: Ticket, { holds, isPaused }: QueueParts): WaitReason | undefined {
  if (isPaused() || holds.has(ticket)) return 'paused';
  const row = lackedBy(ticket.group);
  if (row === undefined) return undefined;
  return ticket.group.rows.some((each) => each.isPaused) ? 'paused' : row.kind;
}

/** All who wait for needs, in the order in which they would be served if everything were free. */
export function inOrder(ledger: Ledger): readonly { readonly waiter: Waiter; readonly group: Group }[] {
  return [...ledger.waiters()].sort((a, b) => compareWaiters(a.waiter, b.waiter));
}

/** The whole queue: those with a position first, then those who are held back. */
export function queueOf(parts: QueueParts, runs: RunTable | undefined): readonly QueuedTask[] {
  const queue: QueuedTask[] = [];
  inOrder(parts.ledger).forEach(({ waiter }, place) => {
    if (waiter instanceof Ticket) queue.push(queuedTask(waiter, reasonOf(waiter, parts), place + 1));
  });
  for (const ticket of parts.holds.aside()) queue.push(queuedTask(ticket, 'paused', undefined));
  for (const { runId, path, taskId } of runs?.held() ?? [])
    queue.push({ runId, path, taskId, reason: 'paused', position: undefined, priority: undefined });
  return queue;
}

function queuedTask(
  ticket: Ticket,
  reason: WaitReason | undefined,
  position: number | undefined,
): QueuedTask {
  const { run, scope, index } = ticket;
  return {
    runId: run.runId,
    path: pathIn(scope, index),
    taskId: scope.plan.ids[index] as string,
    reason,
    position,
    priority: priorityOf(run.state, scope, index),
  };
}
