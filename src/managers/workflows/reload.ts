/**
 * Reads the state of a run from the store: after an append that failed, and when an orchestrator opens a store
 * with unfinished runs.
 *
 * Owns: the count of runs that are being read. Who may call it: the loop's owner, for runs whose memory is no longer what the store has.
 *
 * RL1  After a reload the state is the fold of the log and nothing else (I13, I20).
 * RL2  A body that is being executed goes on, and its outcome counts if the log has its start.
 * RL3  A body whose start is in the log and that this process never ran is run now, under the same attempt; if
 *      another process may have run it, behind an event that counts that.
 * RL4  Commands that are not in the log are decided again, in their order; none is lost and none counts twice (I42).
 * RL5  A store that fails again and again is given up on after a limit, with a coded error to everybody who waits.
 * RL6  Every event in the log is told to listeners once, also when its append was reported as failed.
 * RL7  A run whose log has events that this process did not write belongs to somebody else: it is given up on at once,
 *      and no body of it is run here (I2).
 */

import type { RunEvent } from '../../machine/events.ts';
import { evolve } from '../../machine/evolve.ts';
import type { Dispatch, Instruction } from '../../machine/instructions.ts';
import { resume } from '../../machine/react.ts';
import { upcast } from '../../machine/replay.ts';
import { locate, type RunState, type ScopeState } from '../../machine/state.ts';
import { IN_PROGRESS } from '../../machine/transitions.ts';
import { OrchestratorError } from '../../model/errors.ts';
import { isRunFinished } from '../../model/status.ts';
import type { Clock } from '../../ports/clock.ts';
import type { PersistenceManager } from '../persistence/persistence-manager.ts';
import type { Folded } from '../persistence/run-history.ts';
import type { TaskScheduler } from '../scheduling/task-scheduler.ts';
import { type Ticket, watchOf } from '../scheduling/ticket.ts';
import type { Timers } from '../scheduling/timers.ts';
import type { AttemptManager } from './attempt-manager.ts';
import type { Envelope, LiveRun, LostAppend } from './live-run.ts';
import { cutOffIn, deadLetter, isTooMany, restartOf } from './restarts.ts';
import type { RunLoop } from './run-loop.ts';
import { moveTicket, placeNow } from './run-move.ts';
import { STORE_FAILURES_MAX, waitAfter } from './store-failures.ts';
import { takeBack } from './taken-values.ts';

/** What a reloader is made of. */
export interface ReloaderParts {
  readonly clock: Clock;
  readonly persistence: PersistenceManager;
  readonly scheduler: TaskScheduler;
  readonly attempts: AttemptManager;
  readonly timers: Timers;
  /** How often a task that says nothing of it is started again after deaths of the process. */
  readonly maxRestarts: number;
  readonly loop: () => RunLoop;
  /** Whether runs that are not live here are still taken up. */
  readonly mayTakeUp: () => boolean;
  /** Told of a run that was given up on. */
  readonly onGivenUp: (run: LiveRun) => void;
}

/** A reload that is on its way. */
interface Pending {
  /** Of bodies that are being executed. */
  readonly kept: readonly Ticket[];
  /** Tells whether the append was written after all. */
  readonly last: RunEvent;
  /** How many commands at the head of the backlog were part of the append. */
  readonly sent: number;
}

export class Reloader {
  readonly #parts: ReloaderParts;
  #underWay = 0;

  constructor(parts: ReloaderParts) {
    this.#parts = parts;
  }

  /** Whether no run is being read. */
  get isQuiet(): boolean {
    return this.#underWay === 0;
  }

  /** Starts reading a run again whose append failed. */
  afterFailure(run: LiveRun, { sent, later, last }: LostAppend, error: unknown): void {
    if (run.lost !== undefined) {
      refuseAll([...sent, ...later], run.lost);
      return;
    }
    this.#begin(run);
    run.backlog.unshift(...sent, ...later);
    // The first failure since one was written begins a series; what it has sent may be written even now.
    run.doubtful = run.failedAppends === 0 ? [last] : [...run.doubtful, last];
    this.#again(run, { kept: this.#dropUnstarted(run), last, sent: sent.length }, error);
  }

  /**
   * Goes on with a run that this process has not had before.
   * @param madeHere - the last event of a fork that was made here and now: as long as its log ends there, nobody else can
   *   have begun anything of it
   * @returns `false` if it had ended
   */
  async recover(run: LiveRun, madeHere = 0): Promise<boolean> {
    this.#begin(run);
    let folded: Folded;
    // A store is real: virtual time must not pass while it is read.
    const letGo = this.#parts.clock.hold();
    try {
      folded = await this.#parts.persistence.foldRun(run.runId, run.plan, { guard: takeBack });
      // What was under way here a moment ago would pass for what a dead process has left.
      if (!this.#parts.mayTakeUp()) throw closing(run);
    } catch (error) {
      this.#finish(run);
      throw error;
    } finally {
      letGo();
    }
    const { state } = folded;
    run.durableSeq = state.seq;
    run.checkpointSeq = folded.checkpointSeq;
    if (state.seq !== madeHere) run.cutOff = cutOffIn(state);
    run.whenRead = undefined;
    const goesOn = !isRunFinished(state.status);
    this.#goOn(run, state, []);
    return goesOn;
  }

  /** Refuses what waits for a run of which nothing more will be known here. */
  abandon(run: LiveRun, error: OrchestratorError): void {
    refuseAll(run.backlog.splice(0), error);
  }

  #begin(run: LiveRun): void {
    run.isReloading = true;
    this.#underWay++;
  }

  #finish(run: LiveRun): void {
    run.isReloading = false;
    this.#underWay--;
  }

  /** Reads after a while, or gives up. */
  #again(run: LiveRun, pending: Pending, error: unknown): void {
    run.failedAppends++;
    if (OrchestratorError.is(error, 'STORE_FENCED')) {
      this.#giveUp(run, pending.kept, takenOver(run, error));
      return;
    }
    if (run.failedAppends >= STORE_FAILURES_MAX) {
      this.#giveUp(run, pending.kept, unavailable(run, error));
      return;
    }
    this.#parts.timers.set(waitAfter(run.failedAppends), () => {
      this.#reload(run, pending).catch((again: unknown) => {
        if (run.lost === undefined) this.#again(run, pending, again);
      });
    });
  }

  /** Folds the log of a run and goes on with it. */
  async #reload(run: LiveRun, { kept, last, sent }: Pending): Promise<void> {
    const { state, events } = await this.#fold(run);
    // A later owner may have written the very same in the same millisecond: only who still has the store wrote it (RL7).
    if (events.length > run.durableSeq) await this.#parts.persistence.remove([]);
    if (run.lost !== undefined) return;
    const unseen = events.slice(run.durableSeq);
    const wasWritten = isSame(events[last.seq - 1], last);
    if (!isOwn(run, events)) {
      this.#giveUp(run, kept, takenOver(run));
      return;
    }
    const done = wasWritten ? run.backlog.splice(0, sent) : [];
    run.durableSeq = state.seq;
    if (wasWritten) run.failedAppends = 0;
    this.#goOn(run, state, kept, () => {
      this.#parts.loop().publish(run, unseen);
      for (const envelope of done) envelope.acknowledge?.(envelope.refusal);
    });
  }

  async #fold(run: LiveRun): Promise<{ readonly state: RunState; readonly events: readonly RunEvent[] }> {
    // A store is real: virtual time must not pass while it is read.
    const letGo = this.#parts.clock.hold();
    try {
      const records = await this.#parts.persistence.readAll(run.runId);
      const state = run.stateBefore();
      const events = records.map((record) => frozenOf(upcast(record)));
      for (const event of events) evolve(state, event);
      return { state, events };
    } finally {
      letGo();
    }
  }

  #goOn(run: LiveRun, state: RunState, kept: readonly Ticket[], tell?: () => void): void {
    const loop = this.#parts.loop();
    this.#adopt(run, state, kept);
    this.#finish(run);
    tell?.();
    loop.carryOut(run, this.#remaining(run));
    loop.resubmit(run.backlog.splice(0));
  }

  /** Takes out whatever has not begun; returns the tickets whose bodies have. */
  #dropUnstarted(run: LiveRun): readonly Ticket[] {
    const kept: Ticket[] = [];
    for (const ticket of [...run.tickets()]) {
      if (ticket.phase === 'running') {
        kept.push(ticket);
        continue;
      }
      if (ticket.phase === 'admitted') this.#parts.scheduler.undo(ticket);
      this.#parts.attempts.end(ticket);
    }
    run.forgetTickets();
    run.isHeld = false;
    return kept;
  }

  /** Gives the run its new state, and the bodies that are being executed their place in it. */
  #adopt(run: LiveRun, state: RunState, kept: readonly Ticket[]): void {
    const { plan } = run.state;
    run.state = state;
    run.forgotten = [];
    run.bind(this.#parts.scheduler.bind(state.plan));
    for (const ticket of kept) {
      const place = placeNow(run, ticket.scope, ticket.index);
      if (place === undefined || !isCurrent(place.scope, place.index, ticket))
        this.#parts.attempts.end(ticket);
      else if (moveTicket(run, ticket) && state.plan !== plan) this.#parts.attempts.moved(ticket);
    }
  }

  /** What is still to be done, without what this process is doing or has done already. */
  #remaining(run: LiveRun): readonly Instruction[] {
    if (isRunFinished(run.state.status)) return [{ type: 'EndRun' }];
    const reported = reportedAttempts(run);
    const out: Instruction[] = [];
    for (const instruction of resume(run.state)) {
      if (instruction.type !== 'Dispatch') out.push(instruction);
      else if (run.ticketOf(instruction.scope, instruction.index) === undefined && !reported(instruction))
        this.#dispatchAgain(run, instruction);
    }
    return out;
  }

  /** The log has its start, but its needs are no longer held: it waits for them, and goes on from there. */
  #dispatchAgain(run: LiveRun, dispatch: Dispatch): void {
    const { scope, index, attempt } = dispatch;
    const restart = restartOf(run, dispatch, this.#parts.maxRestarts);
    if (restart !== undefined && isTooMany(dispatch, restart)) {
      run.thrown.set(restart.path, deadLetter(run, dispatch, restart));
      this.#parts.loop().submit(run, restart);
      return;
    }
    const ticket = this.#parts.scheduler.createTicket(run, scope, index);
    ticket.started = true;
    ticket.restart = restart;
    ticket.attempt = attempt;
    run.setTicket(scope, index, ticket);
    this.#parts.scheduler.enqueue(ticket);
  }

  #giveUp(run: LiveRun, kept: readonly Ticket[], error: OrchestratorError): void {
    for (const ticket of kept) {
      // A body that has not asked for its signal yet finds it aborted when it does.
      const watch = watchOf(ticket);
      watch.controller ??= new AbortController();
      watch.controller.abort(error);
      this.#parts.attempts.end(ticket);
    }
    run.lost = error;
    this.#finish(run);
    this.abandon(run, error);
    this.#parts.onGivenUp(run);
    run.settle();
    // What it held is free for others.
    this.#parts.loop().wake();
  }
}

function closing({ runId }: LiveRun): OrchestratorError {
  return new OrchestratorError(
    'ORCHESTRATOR_CLOSED',
    `run ${runId} is not taken up: the orchestrator closes. It goes on when the store is opened again.`,
    { details: { runId } },
  );
}

function unavailable(run: LiveRun, cause: unknown): OrchestratorError {
  const { runId, failedAppends, durableSeq } = run;
  return new OrchestratorError(
    'STORE_UNAVAILABLE',
    `run ${runId}: the store failed ${failedAppends} times in a row; the run stands in the store as it was last acknowledged. Mend the store and open the orchestrator again.`,
    { cause, details: { runId, durableSeq } },
  );
}

/** Whether all that the log has was sent by this process: what was acknowledged, or ends as an append that failed. */
function isOwn({ durableSeq, doubtful }: LiveRun, events: readonly RunEvent[]): boolean {
  if (events.length === durableSeq) return true;
  return doubtful.some((sent) => sent.seq === events.length && isSame(events[sent.seq - 1], sent));
}

/** Somebody else has the store, or has written to the log: who did goes on with the run, and two must not. */
function takenOver({ runId, durableSeq }: LiveRun, cause?: unknown): OrchestratorError {
  return new OrchestratorError(
    'STORE_FENCED',
    `run ${runId}: another process has taken the store and goes on with this run; nothing more of it is done here. Close this orchestrator.`,
    { cause, details: { runId, durableSeq } },
  );
}

function refuseAll(envelopes: readonly Envelope[], error: OrchestratorError): void {
  for (const { acknowledge } of envelopes) acknowledge?.(error);
}

/** Whether the log says that the attempt of a ticket is in progress. */
function isCurrent(scope: ScopeState, index: number, { attempt }: Ticket): boolean {
  return scope.status[index] === IN_PROGRESS && scope.attempts[index] === attempt;
}

/** Whether what the store has at a place is what this process has sent there. */
function isSame(found: RunEvent | undefined, sent: RunEvent): boolean {
  if (found === undefined || found.type !== sent.type || found.at !== sent.at) return false;
  return !('path' in sent) || ('path' in found && found.path === sent.path);
}

/** Tells of which attempts the backlog has the outcome: their bodies have ended, and must not run again. */
function reportedAttempts(run: LiveRun): (dispatch: Dispatch) => boolean {
  const ended = new Set<string>();
  for (const { command } of run.backlog) {
    if (command.type !== 'ReportSuccess' && command.type !== 'ReportFailure') continue;
    if (!locate(run.state, command.path)) continue;
    const { cursorScope, cursorIndex } = run.state;
    ended.add(`${cursorScope.number}/${cursorIndex}/${command.attempt}`);
  }
  return ({ scope, index, attempt }) => ended.has(`${scope.number}/${index}/${attempt}`);
}

/** A store on bytes gives fresh objects: readers must not be able to change what others see. */
function frozenOf(event: RunEvent): RunEvent {
  if (event.type === 'TaskCompleted') return withValue(event, 'output', event.output);
  return event.type === 'RunCreated' ? withValue(event, 'input', event.input) : event;
}

function withValue<Event extends RunEvent>(event: Event, key: keyof Event & string, value: unknown): Event {
  const guarded = takeBack(value, `${event.type} ${event.seq} ${key} `);
  return guarded === value ? event : { ...event, [key]: guarded };
}
