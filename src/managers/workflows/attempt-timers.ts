/**
 * Watches the time of attempts whose bodies run: their time limits and their signs of life.
 *
 * Owns: nothing; the timers are kept with the ticket. Who may call it: the attempt manager.
 *
 * AX1  An attempt that has reported is not stopped for its time any more.
 * AX2  No timer of it is left once its ticket was stopped being watched.
 */
import type { RunCommand, StopTask } from '../../machine/commands.ts';
import { type TaskFailure, timeoutFailure } from '../../model/failure.ts';
import type { Clock } from '../../ports/clock.ts';
import { type Ticket, watchOf } from '../scheduling/ticket.ts';
import type { Timers } from '../scheduling/timers.ts';
import type { Attempt } from './attempt.ts';
import type { LiveRun } from './live-run.ts';

/** What they are made of. */
export interface AttemptTimersParts {
  readonly clock: Pick<Clock, 'now'>;
  readonly timers: Timers;
  readonly submit: (run: LiveRun, command: RunCommand) => void;
}

export class AttemptTimers {
  readonly #parts: AttemptTimersParts;

  constructor(parts: AttemptTimersParts) {
    this.#parts = parts;
  }

  /** Begins to watch an attempt whose task has limits of time; `deadlineAt` is the end of the time of the task as a whole. */
  watch(attempt: Attempt, deadlineAt: number | undefined): void {
    const { timers } = this.#parts;
    const watch = watchOf(attempt.ticket);
    const { timeoutMs } = attempt.begunAs.policies;
    const name = `task ${JSON.stringify(attempt.path)}`;
    if (timeoutMs !== undefined) {
      watch.timer = timers.set(timeoutMs, () =>
        this.#expire(attempt, 'timeout', timeoutFailure(`attempt ${attempt.attempt} of ${name}`, timeoutMs)),
      );
    }
    this.watchTotal(attempt, deadlineAt);
    this.heartbeat(attempt);
  }

  /** Watches the time of the task as a whole, in the place of what was watched before. */
  watchTotal(attempt: Attempt, deadlineAt: number | undefined): void {
    const { timers, clock } = this.#parts;
    const watch = watchOf(attempt.ticket);
    // The one that was set for the wait before this attempt is over with the wait.
    timers.stop(watch.deadlineTimer);
    watch.deadlineTimer = undefined;
    if (deadlineAt === undefined) return;
    const { totalTimeoutMs = Number.POSITIVE_INFINITY } = attempt.task.policies;
    const name = `task ${JSON.stringify(attempt.path)} with all its attempts`;
    // A clock that somebody has put back must not make it longer than it can be.
    watch.deadlineTimer = timers.set(Math.min(deadlineAt - clock.now(), totalTimeoutMs), () =>
      this.#expire(attempt, 'total_timeout', timeoutFailure(name, totalTimeoutMs)),
    );
  }

  /** Starts the time between two signs of life anew. */
  heartbeat(attempt: Attempt): void {
    const { heartbeatMs } = attempt.begunAs.policies;
    if (heartbeatMs === undefined || attempt.ticket.phase !== 'running' || attempt.reported) return;
    const watch = watchOf(attempt.ticket);
    this.#parts.timers.stop(watch.heartbeatTimer);
    watch.heartbeatTimer = this.#parts.timers.set(heartbeatMs, () =>
      this.#expire(
        attempt,
        'heartbeat',
        timeoutFailure(`task ${JSON.stringify(attempt.path)} without a heartbeat`, heartbeatMs),
      ),
    );
  }

  /** Stops all timers of a ticket. */
  stop({ watch }: Ticket): void {
    if (watch === undefined) return;
    const { timers } = this.#parts;
    timers.stop(watch.timer);
    timers.stop(watch.deadlineTimer);
    timers.stop(watch.heartbeatTimer);
    timers.stop(watch.graceTimer);
    watch.timer = watch.deadlineTimer = watch.heartbeatTimer = watch.graceTimer = undefined;
  }

  #expire(attempt: Attempt, cause: StopTask['cause'], reason: TaskFailure): void {
    if (attempt.reported) return;
    this.#parts.submit(attempt.liveRun, {
      type: 'StopTask',
      at: 0,
      path: attempt.path,
      attempt: attempt.attempt,
      cause,
      reason,
    });
  }
}
