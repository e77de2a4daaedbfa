/**
 * Reads the state of a run from the store: after an append that failed, and when an orchestrator opens a store
 * with unfinished runs.
 *
 * Owns: nothing. Who may call it: the loop's owner, for runs whose memory is no longer what the store has.
 *
 * RL1  After a reload the state is the fold of the log and nothing else (I13, I20).
 * RL2  A body that is being executed goes on, and its outcome counts if the log has its start.
 * RL3  A body whose start is in the log and that this process never ran is run now, under the same attempt.
 * RL4  Commands that were not durable are decided again, in their order; none is lost and none counts twice.
 * RL5  A store that fails again and again is given up on after a limit, with a coded error to everybody who waits.
 */

import type { RunEvent } from '../../machine/events.ts';
import { evolve } from '../../machine/evolve.ts';
import type { Dispatch, Instruction } from '../../machine/instructions.ts';
import { resume } from '../../machine/react.ts';
import { upcast } from '../../machine/replay.ts';
import { initialState, type RunState } from '../../machine/state.ts';
import { OrchestratorError } from '../../model/errors.ts';
import { isRunFinished } from '../../model/status.ts';
import type { PersistenceManager } from '../persistence/persistence-manager.ts';
import type { TaskScheduler } from '../scheduling/task-scheduler.ts';
import type { Ticket } from '../scheduling/ticket.ts';
import type { Timers } from '../scheduling/timers.ts';
import type { AttemptManager } from './attempt-manager.ts';
import type { Envelope, LiveRun } from './live-run.ts';
import type { RunLoop } from './run-loop.ts';

/** Appends in a row that may fail before a run is given up on. */
export const FAILED_APPENDS_MAX = 6;
const FIRST_WAIT_MS = 10;

/** What a reloader is made of. */
export interface ReloaderParts {
  readonly persistence: PersistenceManager;
  readonly scheduler: TaskScheduler;
  readonly attempts: AttemptManager;
  readonly timers: Timers;
  readonly loop: () => RunLoop;
  /** Told of a run that was given up on. */
  readonly onGivenUp: (run: LiveRun) => void;
}

export class Reloader {
  readonly #parts: ReloaderParts;

  constructor(parts: ReloaderParts) {
    this.#parts = parts;
  }

  /** Starts reading a run again whose append failed. */
  afterFailure(run: LiveRun, envelopes: readonly Envelope[], error: unknown): void {
    run.isReloading = true;
    run.failedAppends++;
    run.backlog.unshift(...envelopes);
    const kept = this.#dropUnstarted(run);
    if (run.failedAppends >= FAILED_APPENDS_MAX) {
      this.#giveUp(run, kept, error);
      return;
    }
    // The first time at once; then the store is given longer and longer to recover.
    const waitMs = run.failedAppends === 1 ? 0 : FIRST_WAIT_MS * 2 ** run.failedAppends;
    this.#parts.timers.set(waitMs, () => {
      this.load(run, kept).catch((again: unknown) => this.afterFailure(run, [], again));
    });
  }

  /** Folds the log of a run and goes on with it. */
  async load(run: LiveRun, kept: readonly Ticket[] = []): Promise<void> {
    run.isReloading = true;
    const records = await this.#parts.persistence.readAll(run.runId);
    const state = initialState(run.runId, run.plan);
    const unseen: RunEvent[] = [];
    for (const record of records) {
      const event = upcast(record);
      evolve(state, event);
      if (event.seq > run.durableSeq) unseen.push(event);
    }
    this.#adopt(run, state, kept);
    run.isReloading = false;
    const loop = this.#parts.loop();
    if (run.durableSeq > 0 || kept.length > 0) loop.publish(run, unseen);
    run.durableSeq = state.seq;
    loop.carryOut(run, this.#remaining(run));
    loop.resubmit(run.backlog.splice(0));
  }

  /** Takes out whatever has not begun; returns the tickets whose bodies have. */
  #dropUnstarted(run: LiveRun): readonly Ticket[] {
    const kept: Ticket[] = [];
    for (const ticket of [...run.tickets()]) {
      if (ticket.phase === 'running') kept.push(ticket);
      else this.#parts.attempts.end(ticket);
    }
    run.forgetTickets();
    run.isHeld = false;
    return kept;
  }

  /** Gives the run its new state, and the bodies that are being executed their place in it. */
  #adopt(run: LiveRun, state: RunState, kept: readonly Ticket[]): void {
    run.state = state;
    for (const ticket of kept) {
      const scope =
        ticket.scope.prefix === '' ? state.scopes[0] : state.scopeByPrefix.get(ticket.scope.prefix);
      const isCurrent =
        scope !== undefined &&
        scope.status[ticket.index] === 1 &&
        scope.attempts[ticket.index] === ticket.attempt;
      if (scope === undefined || !isCurrent) {
        this.#parts.attempts.end(ticket);
        continue;
      }
      ticket.scope = scope;
      run.setTicket(scope, ticket.index, ticket);
    }
  }

  /** What is still to be done, without what this process is doing already. */
  #remaining(run: LiveRun): readonly Instruction[] {
    if (isRunFinished(run.state.status)) return [{ type: 'EndRun' }];
    const out: Instruction[] = [];
    for (const instruction of resume(run.state)) {
      if (instruction.type === 'Dispatch') {
        if (run.ticketOf(instruction.scope, instruction.index) === undefined)
          this.#dispatchAgain(run, instruction);
      } else {
        out.push(instruction);
      }
    }
    return out;
  }

  /** The log has its start, but its needs are no longer held: it waits for them, and starts without an event. */
  #dispatchAgain(run: LiveRun, { scope, index, attempt }: Dispatch): void {
    const ticket = this.#parts.scheduler.createTicket(run, scope, index);
    ticket.started = true;
    ticket.attempt = attempt;
    run.setTicket(scope, index, ticket);
    this.#parts.scheduler.enqueue(ticket);
  }

  #giveUp(run: LiveRun, kept: readonly Ticket[], cause: unknown): void {
    const error = new OrchestratorError(
      'STORE_UNAVAILABLE',
      `run ${run.runId}: the store failed ${run.failedAppends} times in a row; the run stands in the store as it was last acknowledged. Mend the store and open the orchestrator again.`,
      { cause, details: { runId: run.runId, durableSeq: run.durableSeq } },
    );
    for (const ticket of kept) {
      ticket.controller?.abort(error);
      this.#parts.attempts.end(ticket);
    }
    run.lost = error;
    run.isReloading = false;
    for (const envelope of run.backlog.splice(0)) envelope.acknowledge?.(error);
    this.#parts.onGivenUp(run);
    run.settle();
  }
}
