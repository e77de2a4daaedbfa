/**
 * The locks of an attempt, as its handler sees them.
 *
 * Owns: nothing. Who may call it: the contexts of attempts.
 *
 * HL1  What is taken beside the needs of the task is tied to the attempt: its signal ends the waits, its end gives
 *      everything back.
 */
import { OrchestratorError } from '../../model/errors.ts';
import type { HeldLocks } from '../../model/handler.ts';
import type { AnyTask } from '../../model/task.ts';
import type { LockingAttempt, NestedLocks } from '../concurrency/nested-locks.ts';
import { type Ticket, watchOf } from '../scheduling/ticket.ts';

/** What is asked of an attempt. */
interface Attempt {
  readonly runId: string;
  readonly path: string;
  readonly attempt: number;
  readonly begunAs: AnyTask;
  readonly ticket: Ticket;
  readonly reported: boolean;
}

/** What is asked of the services of attempts. */
interface ServicesOf<One extends Attempt> {
  readonly locks: NestedLocks;
  signalOf(ticket: Ticket): AbortSignal;
  giveUp(attempt: One, thrown: OrchestratorError): void;
}

export function heldLocks<One extends Attempt>(attempt: One, services: ServicesOf<One>): HeldLocks {
  const names = attempt.begunAs.locks.map((lock) => lock.name);
  return {
    names,
    token: (name) => {
      if (names.includes(name)) return attempt.ticket.fence;
      throw new OrchestratorError(
        'LOCK_CONFLICT',
        `task ${JSON.stringify(attempt.path)} does not hold the lock ${JSON.stringify(name)}; it holds: ${names.join(', ') || 'none'}`,
      );
    },
    acquire: (name, options) =>
      services.locks.acquire(attempt.ticket, lockingAttempt(attempt, services), name, options),
  };
}

function lockingAttempt<One extends Attempt>(attempt: One, services: ServicesOf<One>): LockingAttempt {
  const { ticket } = attempt;
  return {
    runId: attempt.runId,
    path: attempt.path,
    attempt: attempt.attempt,
    group: ticket.group,
    signal: services.signalOf(ticket),
    order: ticket.order,
    priority: () => ticket.rank,
    isOver: () => attempt.reported || ticket.phase !== 'running',
    fail: (error) => services.giveUp(attempt, error),
    onEnd: (callback) => {
      watchOf(ticket).onEnd = callback;
    },
  };
}
