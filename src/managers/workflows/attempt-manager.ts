/**
 * Carries out what the machine says of attempts: runs their bodies, watches their time, stops them, hands
 * their outcomes in.
 *
 * Owns: the timers and signals of attempts. Who may call it: the run loop, with durable instructions; executors,
 * with outcomes.
 *
 * AM1  A body starts only after its `TaskStarted` is durable, and not at all when it was told to stop by then.
 * AM2  Each attempt hands in one outcome; what comes later is dropped.
 * AM3  A body that was told to stop and does not end is given up on after its grace.
 * AM4  When a ticket is over, no timer of it is left.
 */

import { isSmall } from '../../base/values.ts';
import type { RunCommand } from '../../machine/commands.ts';
import type { StopCause } from '../../machine/events.ts';
import type { Abort, RetryAt } from '../../machine/instructions.ts';
import { pathIn, peekDetails } from '../../machine/state.ts';
import { RETRYING } from '../../machine/transitions.ts';
import type { ErrorCode } from '../../model/error-codes.ts';
import { OrchestratorError } from '../../model/errors.ts';
import { describeFailure, timeoutFailure } from '../../model/failure.ts';
import type { AnyTask } from '../../model/task.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Executor, Invocation, Outcome } from '../../ports/executor.ts';
import type { Random } from '../../ports/random.ts';
import type { TaskScheduler } from '../scheduling/task-scheduler.ts';
import { type Ticket, watchOf } from '../scheduling/ticket.ts';
import type { Timers } from '../scheduling/timers.ts';
import { Attempt, type AttemptServices, isCutOffByClose } from './attempt.ts';
import { AttemptTimers } from './attempt-timers.ts';
import { Bodies } from './bodies.ts';
import type { Handlers } from './handlers.ts';
import type { LargeOutputs, LargeValues } from './large-outputs.ts';
import type { Envelope, LiveRun } from './live-run.ts';
import { retryAnswer } from './retry-answer.ts';
import { takeIn } from './taken-values.ts';

/** What an attempt manager is made of. */
export interface AttemptManagerParts {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly scheduler: TaskScheduler;
  readonly handlers: Handlers;
  readonly executor: Executor;
  readonly services: AttemptServices;
  readonly outputs: LargeOutputs;
  /** How long a body that was told to stop may take to end. */
  readonly graceMs: number;
  readonly submit: (run: LiveRun, command: RunCommand) => void;
  /** The same for a command that is in its envelope. */
  readonly post: (envelope: Envelope) => void;
  /** Called when tasks may have become able to start. */
  readonly wake: () => void;
}

const STOP_CODES: Readonly<Record<StopCause, ErrorCode>> = {
  timeout: 'TASK_TIMEOUT',
  total_timeout: 'TASK_TIMEOUT',
  heartbeat: 'TASK_TIMEOUT',
  cancelled: 'TASK_CANCELLED',
  run_failed: 'TASK_CANCELLED',
};

/** How long the end of a body by force may take, after its grace. */
const KILL_MS = 500;

/** Bodies in this thread that are started between two looks at the time. */
const BODIES_AT_ONCE = 4;

export class AttemptManager {
  /** How many bodies the executor should be given at once: all, unless they keep this thread busy. */
  readonly bodiesAtOnce: number;
  readonly #parts: AttemptManagerParts;
  readonly #report = (invocation: Invocation, outcome: Outcome): void =>
    this.#take(invocation as Attempt, outcome);
  readonly #bodies: Bodies;
  readonly #timers: AttemptTimers;
  #running = 0;
  #closed = false;
  #closing = false;

  constructor(parts: AttemptManagerParts) {
    this.#parts = parts;
    this.#bodies = new Bodies(parts.clock, parts.executor);
    this.#timers = new AttemptTimers(parts);
    this.bodiesAtOnce = parts.executor.capabilities.remote ? Number.POSITIVE_INFINITY : BODIES_AT_ONCE;
  }

  /** How many bodies are being executed. */
  get running(): number {
    return this.#running;
  }

  /** Prepares the body of a ticket whose start is durable; it is to be given to `submit` with the others of the same turn. */
  prepare(run: LiveRun, ticket: Ticket): Attempt | undefined {
    if (ticket.phase === 'over' || this.#closed) return undefined;
    const { scope, index } = ticket;
    const task = scope.plan.tasks[index] as AnyTask;
    ticket.phase = 'running';
    const invocation = new Attempt(
      run,
      ticket,
      this.#parts.handlers.of(task),
      this.#parts.executor,
      this.#parts.services,
    );
    this.#running++;
    ticket.invocation = invocation;
    const { timeoutMs, heartbeatMs } = invocation.begunAs.policies;
    const deadlineAt = peekDetails(scope, index)?.deadlineAt;
    // Not by what the event says: a body that is run again after a reload has all its time again.
    if (timeoutMs !== undefined || deadlineAt !== undefined || heartbeatMs !== undefined) {
      this.#timers.watch(invocation, deadlineAt);
    }
    const large = this.#parts.outputs.for(run, scope, index);
    if (large === undefined) return invocation;
    if (large instanceof Promise) {
      this.#beginWhenRead(invocation, large);
      return undefined;
    }
    invocation.large = large;
    return invocation;
  }

  /** Starts a body once the large outputs that it may ask for have been read. */
  #beginWhenRead(attempt: Attempt, large: Promise<LargeValues>): void {
    const isWanted = (): boolean => attempt.ticket.phase === 'running' && !attempt.reported && !this.#closed;
    large.then(
      (values) => {
        attempt.large = values;
        if (isWanted()) this.submit([attempt]);
      },
      (thrown: unknown) => {
        if (isWanted()) this.#fail(attempt, thrown);
      },
    );
  }

  /** Runs the bodies. */
  submit(attempts: readonly Attempt[]): void {
    let stopped = false;
    for (const attempt of attempts) if (attempt.ticket.watch?.stop !== undefined) stopped = true;
    if (!stopped) {
      this.#execute(attempts);
      return;
    }
    // Told to stop before it began: it does not begin.
    for (const attempt of attempts)
      if (attempt.ticket.watch?.stop !== undefined) this.#fail(attempt, attempt.ticket.watch.stop.thrown);
    this.#execute(attempts.filter((attempt) => !attempt.reported));
  }

  #execute(attempts: readonly Attempt[]): void {
    for (let i = 0; i < attempts.length; i++) this.#bodies.begin();
    try {
      this.#parts.executor.submit(attempts, this.#report);
    } catch (thrown) {
      // An executor that cannot take them has failed these attempts, and nothing else.
      for (const attempt of attempts) this.#take(attempt, { ok: false, thrown });
    }
  }

  /** Calls back when no body runs any more, not even one that was given up on. */
  whenIdle(callback: () => void): void {
    this.#bodies.whenIdle(callback);
  }

  /** Tells the body of an attempt to stop. */
  abort(run: LiveRun, { scope, index, cause, reason }: Abort): void {
    const ticket = run.ticketOf(scope, index);
    if (ticket === undefined || ticket.phase === 'over') return;
    const byHost = cause === 'cancelled' ? run.cancelReason : undefined;
    const thrown = new OrchestratorError(STOP_CODES[cause], reason.message, {
      details: { runId: run.runId, path: pathIn(scope, index), cause },
      ...(byHost === undefined ? undefined : { cause: byHost }),
    });
    const watch = watchOf(ticket);
    watch.stop = { cause, reason, thrown };
    const { controller } = watch;
    if (controller !== undefined) run.within((reason) => controller.abort(reason), thrown);
    // The signal asks; an executor that can do more than ask is told as well.
    if (ticket.invocation !== undefined) this.#tell(ticket.invocation, thrown);
    this.#parts.timers.stop(watch.graceTimer);
    const { attempt } = ticket;
    watch.graceTimer = this.#parts.timers.set(this.#graceOf(ticket), () => {
      const task = scope.plan.tasks[index] as AnyTask;
      const answer = retryAnswer(run, task, { thrown, failure: reason, attempt }, this.#parts.random);
      this.#parts.submit(run, { type: 'AbandonTask', at: 0, path: pathIn(scope, index), attempt, ...answer });
    });
  }

  /** An executor that can end a body by force does so after the grace, and is given the time to tell. */
  #graceOf({ invocation }: Ticket): number {
    const { graceMs } = this.#parts;
    return invocation === undefined || invocation.run !== undefined ? graceMs : graceMs + KILL_MS;
  }

  #tell(invocation: Invocation, reason: unknown): void {
    try {
      this.#parts.executor.cancel(invocation, reason);
    } catch {
      // The grace that follows ends the attempt all the same.
    }
  }

  /** The run of an attempt that goes on was moved to another version. */
  moved({ phase, invocation, scope, index }: Ticket): void {
    if (phase !== 'running' || this.#closed) return;
    this.#timers.watchTotal(invocation as Attempt, peekDetails(scope, index)?.deadlineAt);
  }

  /** Lets a task wait for the time of its next attempt. */
  retryAt(run: LiveRun, { scope, index, dueAt, deadlineAt }: RetryAt): void {
    if (this.#closed || scope.status[index] !== RETRYING || run.ticketOf(scope, index) !== undefined) return;
    const { clock, timers, scheduler, submit, wake } = this.#parts;
    const ticket = scheduler.createTicket(run, scope, index);
    ticket.phase = 'delayed';
    run.setTicket(scope, index, ticket);
    const watch = watchOf(ticket);
    const { retry, totalTimeoutMs = Number.POSITIVE_INFINITY } = (scope.plan.tasks[index] as AnyTask)
      .policies;
    // A clock that somebody has put back must not make a wait longer than it can be.
    watch.timer = timers.set(
      Math.min(dueAt - clock.now(), retry?.maxDelayMs ?? Number.POSITIVE_INFINITY),
      () => {
        watch.timer = undefined;
        if (run.isHeld) {
          ticket.phase = 'waiting';
          run.held.push({ scope, index });
        } else {
          scheduler.enqueue(ticket);
        }
        wake();
      },
    );
    if (deadlineAt === undefined) return;
    watch.deadlineTimer = timers.set(Math.min(deadlineAt - clock.now(), totalTimeoutMs), () => {
      const failure = timeoutFailure(
        `task ${JSON.stringify(pathIn(scope, index))} with all its attempts`,
        totalTimeoutMs,
      );
      submit(run, { type: 'ExpireTask', at: 0, path: pathIn(scope, index), failure });
    });
  }

  /** Ends a ticket: its timers, its place in the queue, what it holds. */
  end(ticket: Ticket): void {
    if (ticket.phase === 'over') return;
    const { scheduler } = this.#parts;
    if (ticket.phase === 'running') this.#running--;
    ticket.phase = 'over';
    ticket.watch?.onEnd?.();
    scheduler.withdraw(ticket);
    scheduler.release(ticket);
    if (ticket.watch !== undefined) this.#timers.stop(ticket);
  }

  /** Starts the time between two signs of life anew. */
  heartbeat(attempt: Attempt): void {
    if (!this.#closed) this.#timers.heartbeat(attempt);
  }

  /** Fails an attempt whose body has not ended, and tells the body to stop; what that does from now on is dropped. */
  giveUp(attempt: Attempt, thrown: OrchestratorError): void {
    if (attempt.reported || this.#closed) return;
    this.#fail(attempt, thrown);
    const watch = watchOf(attempt.ticket);
    watch.controller ??= new AbortController();
    attempt.liveRun.within((reason) => watch.controller?.abort(reason), thrown);
    this.#tell(attempt, thrown);
  }

  /** A body that ends because the orchestrator closes, such as while it asks for a lock, was cut off. */
  beginClose(): void {
    this.#closing = true;
  }

  /** Outcomes that come from now on are dropped: the attempts count as cut off by the end of the process. */
  close(): void {
    this.#closed = true;
  }

  #take(attempt: Attempt, outcome: Outcome): void {
    if (attempt.ended) return;
    attempt.ended = true;
    this.#bodies.end();
    if (attempt.reported || this.#closed) return;
    const stop = attempt.ticket.watch?.stop;
    if (this.#closing && isCutOffByClose(outcome)) {
      attempt.reported = true;
      this.end(attempt.ticket);
    } else if (!outcome.ok) this.#fail(attempt, outcome.thrown);
    else if (stop !== undefined && stop.cause !== 'run_failed') this.#fail(attempt, stop.thrown);
    else this.#succeed(attempt, outcome.output);
  }

  #succeed(attempt: Attempt, given: unknown): void {
    let output = given;
    if (!isSmall(output)) {
      try {
        output = takeIn(output, `output of task ${JSON.stringify(attempt.path)} `, 'plain data');
      } catch (thrown) {
        this.#fail(attempt, thrown);
        return;
      }
    }
    attempt.reported = true;
    const { outputs, post } = this.#parts;
    if (!outputs.isLarge(output)) {
      attempt.output = output;
      post(attempt);
      return;
    }
    // Its body counts until then, so that a close waits for what it has done.
    this.#bodies.begin();
    void outputs.keep(attempt.liveRun, output).then((kept) => {
      this.#bodies.end();
      attempt.output = kept;
      if (!this.#closed) post(attempt);
    });
  }

  #fail(attempt: Attempt, thrown: unknown): void {
    if (attempt.reported || this.#closed) return;
    attempt.reported = true;
    const stop = attempt.ticket.watch?.stop;
    // A body that was stopped for its time fails for that, whatever it throws when it notices.
    const counted = stop === undefined ? thrown : stop.thrown;
    const failure = stop === undefined ? describeFailure(thrown) : stop.reason;
    attempt.liveRun.thrown.set(attempt.path, counted);
    const failed = { thrown: counted, failure, attempt: attempt.attempt };
    const answer = retryAnswer(attempt.liveRun, attempt.task, failed, this.#parts.random);
    this.#parts.submit(attempt.liveRun, {
      type: 'ReportFailure',
      at: 0,
      path: attempt.path,
      attempt: attempt.attempt,
      failure,
      ...answer,
    });
  }
}
