/**
 * The loop: command, decision, events, state, append, and, when that is durable, everything that the world
 * sees of it.
 *
 * Owns: the inbox, the group that gathers for the next append, the order of effects. Who may call it: whoever
 * has a command for a run. Nobody else changes the state of a run.
 *
 * W1  Nothing is observable before its events are durable.
 * W2  One command at a time; the completion of one task and the start of the next share an append.
 * W3  At most one append is under way; commands are decided meanwhile and gather for the next.
 * W4  What an append could not make durable is forgotten and decided again on what the store has.
 * W5  The host's event loop gets a turn at least every 50 ms, as far as it is ours to give.
 */
import { AsyncResource } from 'node:async_hooks';
import type { RunCommand } from '../../machine/commands.ts';
import type { RunEvent } from '../../machine/events.ts';
import type { Instruction } from '../../machine/instructions.ts';
import { step } from '../../machine/step.ts';
import { OrchestratorError } from '../../model/errors.ts';
import type { Clock } from '../../ports/clock.ts';
import type { HostTurn } from '../../ports/host-turn.ts';
import type { EventHub } from '../monitoring/event-hub.ts';
import type { PersistenceManager, RunAppend } from '../persistence/persistence-manager.ts';
import type { Waiter } from '../resources/need-group.ts';
import type { TaskScheduler } from '../scheduling/task-scheduler.ts';
import type { Ticket } from '../scheduling/ticket.ts';
import type { Attempt } from './attempt.ts';
import type { AttemptManager } from './attempt-manager.ts';
import { Effects } from './effects.ts';
import type { Acknowledge, Envelope, LiveRun } from './live-run.ts';
import { holdRun, unholdRun } from './run-hold.ts';

/** What a loop is made of. */
export interface RunLoopParts {
  readonly clock: Clock;
  readonly turn: HostTurn;
  readonly persistence: PersistenceManager;
  readonly scheduler: TaskScheduler;
  readonly attempts: AttemptManager;
  readonly hub: EventHub;
  /** Told of somebody other than a task for whom the ledger has taken everything. */
  readonly grantOther: (waiter: Waiter) => void;
  /** Told when the end of a run is durable. */
  readonly onEnd: (run: LiveRun) => void;
  /** Told when what a run had decided could not be made durable. */
  readonly onLost: (run: LiveRun, envelopes: readonly Envelope[], error: unknown) => void;
}

/** Commands decided between two appends, so that a flood of them is cut into turns. */
const COMMANDS_PER_TURN = 4_096;

export class RunLoop {
  readonly #parts: RunLoopParts;
  // The loop works in the context in which it was made, never in that of whoever happened to wake it.
  readonly #context = new AsyncResource('TaskmasterLoop', { requireManualDestroy: true });
  readonly #drain = (): void => this.#context.runInAsyncScope(this.#run, this);
  readonly #startTask = (ticket: Ticket): void => this.#start(ticket);
  readonly #instructions: Instruction[] = [];
  #inbox: Envelope[] = [];
  #group: LiveRun[] = [];
  #effects = new Effects();
  #isDraining = false;
  #isAwake = false;
  #isAppending = false;
  #mayStartMore = false;
  /** The time of this turn, for everything that is decided in it. */
  #now = 0;

  constructor(parts: RunLoopParts) {
    this.#parts = parts;
  }

  /** Whether nothing waits to be decided or to become durable. */
  get isQuiet(): boolean {
    return this.#inbox.length === 0 && this.#group.length === 0 && !this.#isAppending && !this.#isDraining;
  }

  /** Gives a command to a run. It is decided in a later microtask, together with others. */
  submit(run: LiveRun, command: RunCommand, acknowledge?: Acknowledge): void {
    this.#inbox.push({ run, command, acknowledge, repeated: false });
    this.wake();
  }

  /** Decides commands again that could not be made durable, before all others. */
  resubmit(envelopes: readonly Envelope[]): void {
    this.#inbox.unshift(...envelopes.map((envelope) => ({ ...envelope, repeated: true })));
    this.wake();
  }

  /** Looks soon at what there is to do. */
  wake(): void {
    if (this.#isAwake || this.#isDraining) return;
    this.#isAwake = true;
    this.#parts.turn.soon(this.#drain);
  }

  /** Carries out instructions that no event of this turn gave: those of a state that was read again. */
  carryOut(run: LiveRun, instructions: readonly Instruction[]): void {
    for (const instruction of instructions) this.#carryOut(run, instruction);
    this.wake();
  }

  /** Publishes events that were found in the store although their append was not confirmed. */
  publish(run: LiveRun, events: readonly RunEvent[]): void {
    for (const event of events) this.#parts.hub.publish(event);
    run.notifyReaders();
  }

  #run(): void {
    this.#isAwake = false;
    if (this.#isDraining) return;
    this.#isDraining = true;
    try {
      do {
        if (this.#parts.turn.isDue()) {
          this.#giveTurn();
          return;
        }
        this.#now = this.#parts.clock.now();
        this.#decideInbox();
        this.#mayStartMore = this.#parts.scheduler.admit(this.#startTask, this.#parts.grantOther);
      } while (this.#commit());
    } finally {
      this.#isDraining = false;
    }
  }

  /** Goes on after the host's event loop has turned; virtual time must not pass meanwhile. */
  #giveTurn(): void {
    this.#isAwake = true;
    const letGo = this.#parts.clock.hold();
    this.#parts.turn.afterTurn(() => {
      letGo();
      this.#drain();
    });
  }

  #decideInbox(): void {
    let inbox = this.#inbox;
    if (inbox.length === 0) return;
    if (inbox.length > COMMANDS_PER_TURN) {
      inbox = this.#inbox.splice(0, COMMANDS_PER_TURN);
    } else {
      this.#inbox = [];
    }
    for (let i = 0; i < inbox.length; i++) this.#decide(inbox[i] as Envelope);
  }

  #decide(envelope: Envelope): void {
    const { run, command, acknowledge } = envelope;
    if (run.lost !== undefined) {
      acknowledge?.(run.lost);
      return;
    }
    if (run.isReloading) {
      run.backlog.push(envelope);
      return;
    }
    command.at = this.#now;
    const refusal = step(run.state, command, run.pending, this.#instructions);
    if (refusal !== undefined) {
      acknowledge?.(envelope.repeated && isAlreadyTrue(command, run) ? undefined : refusal);
      return;
    }
    run.uncommitted.push(envelope);
    this.#gather(run);
    this.#settleInstructions(run);
  }

  /** Everything of a ticket was taken: its task starts. */
  #start(ticket: Ticket): void {
    const run = ticket.run as LiveRun;
    const { scope, index } = ticket;
    if (ticket.started) {
      // After a reload: the log says that it has started, and its body was never run.
      this.#carryOut(run, {
        type: 'Dispatch',
        scope,
        index,
        attempt: ticket.attempt,
        timeoutAt: undefined,
        deadlineAt: undefined,
      });
      return;
    }
    const path =
      scope.prefix === '' ? (scope.plan.ids[index] as string) : `${scope.prefix}/${scope.plan.ids[index]}`;
    const refusal = step(
      run.state,
      { type: 'StartTask', at: this.#now, path },
      run.pending,
      this.#instructions,
    );
    if (refusal !== undefined) {
      this.#parts.attempts.end(ticket);
      throw new OrchestratorError('INTERNAL', `a scheduled task could not start: ${refusal.message}`);
    }
    this.#gather(run);
    this.#settleInstructions(run);
  }

  #gather(run: LiveRun): void {
    if (run.isGathered) return;
    run.isGathered = true;
    this.#group.push(run);
  }

  #settleInstructions(run: LiveRun): void {
    const instructions = this.#instructions;
    for (let i = 0; i < instructions.length; i++) this.#carryOut(run, instructions[i] as Instruction);
    instructions.length = 0;
  }

  /** Does at once what concerns memory alone, and keeps the rest until its events are durable. */
  #carryOut(run: LiveRun, instruction: Instruction): void {
    const { scheduler, attempts } = this.#parts;
    switch (instruction.type) {
      case 'Schedule': {
        const { scope, index } = instruction;
        if (run.isHeld) {
          run.held.push({ scope, index });
          return;
        }
        const ticket = scheduler.createTicket(run, scope, index);
        run.setTicket(scope, index, ticket);
        scheduler.enqueue(ticket);
        return;
      }
      case 'Release': {
        const ticket = run.ticketOf(instruction.scope, instruction.index);
        if (ticket === undefined) return;
        attempts.end(ticket);
        run.setTicket(instruction.scope, instruction.index, undefined);
        return;
      }
      case 'Reprioritise': {
        const ticket = run.ticketOf(instruction.scope, instruction.index);
        if (ticket !== undefined)
          run.setTicket(instruction.scope, instruction.index, scheduler.requeue(ticket));
        return;
      }
      case 'Hold':
        holdRun(run, scheduler);
        return;
      case 'Unhold':
        unholdRun(run, scheduler);
        return;
      default:
        this.#effects.push(run, instruction);
    }
  }

  /** Makes what was decided durable. Returns whether there may be more to do at once. */
  #commit(): boolean {
    if (this.#isAppending) return false;
    const group = this.#group;
    const effects = this.#effects;
    if (group.length === 0) {
      if (effects.size === 0) return this.#mayStartMore || this.#inbox.length > 0;
      this.#effects = new Effects();
      this.#perform(effects);
      return true;
    }
    this.#group = [];
    this.#effects = new Effects();
    const appends: RunAppend[] = [];
    for (let i = 0; i < group.length; i++) this.#seal(group[i] as LiveRun, appends);
    let written: void | Promise<void>;
    try {
      written = appends.length === 0 ? undefined : this.#parts.persistence.append(appends);
    } catch (error) {
      this.#fail(group, effects, error);
      return true;
    }
    if (written === undefined) {
      this.#conclude(group, effects);
      return true;
    }
    this.#await(written, group, effects);
    return false;
  }

  /** Moves what a run has decided from the gathering group into the append. */
  #seal(run: LiveRun, appends: RunAppend[]): void {
    run.isGathered = false;
    run.inFlight = run.pending;
    run.inFlightEnvelopes = run.uncommitted;
    run.pending = [];
    run.uncommitted = [];
    if (run.inFlight.length === 0) return;
    const key = run.inFlight[0]?.type === 'RunCreated' ? run.inFlight[0].key : undefined;
    appends.push({ runId: run.runId, events: run.inFlight, key });
  }

  #await(written: Promise<void>, group: readonly LiveRun[], effects: Effects): void {
    this.#isAppending = true;
    const letGo = this.#parts.clock.hold();
    const end = (then: () => void): void => {
      this.#isAppending = false;
      letGo();
      then();
      this.wake();
    };
    written.then(
      () => end(() => this.#conclude(group, effects)),
      (error: unknown) => end(() => this.#fail(group, effects, error)),
    );
  }

  /** The events of a group are durable: listeners, acknowledgements, then the world. */
  #conclude(group: readonly LiveRun[], effects: Effects): void {
    const { hub } = this.#parts;
    for (let i = 0; i < group.length; i++) {
      const run = group[i] as LiveRun;
      const events = run.inFlight;
      if (events.length > 0) run.durableSeq = (events[events.length - 1] as RunEvent).seq;
      run.failedAppends = 0;
      if (hub.isListening) for (let k = 0; k < events.length; k++) hub.publish(events[k] as RunEvent);
      run.notifyReaders();
      const envelopes = run.inFlightEnvelopes;
      for (let k = 0; k < envelopes.length; k++) (envelopes[k] as Envelope).acknowledge?.(undefined);
      run.inFlight = NO_EVENTS;
      run.inFlightEnvelopes = NO_ENVELOPES;
    }
    this.#perform(effects);
  }

  /** An append was refused, or nobody knows: its runs are forgotten and read again. */
  #fail(group: readonly LiveRun[], effects: Effects, error: unknown): void {
    for (const run of group) {
      const envelopes = [...run.inFlightEnvelopes, ...run.uncommitted];
      if (run.isGathered) this.#group.splice(this.#group.indexOf(run), 1);
      run.isGathered = false;
      run.inFlight = NO_EVENTS;
      run.inFlightEnvelopes = NO_ENVELOPES;
      run.pending = [];
      run.uncommitted = [];
      effects.drop(run);
      this.#effects.drop(run);
      this.#parts.onLost(run, envelopes, error);
    }
    // Effects of runs that were not written at all, such as a body to be run after a reload, still stand.
    this.#perform(effects);
  }

  #perform(effects: Effects): void {
    const { attempts } = this.#parts;
    const starting: Attempt[] = [];
    for (let i = 0; i < effects.size; i++) {
      const run = effects.runs[i] as LiveRun;
      const instruction = effects.instructions[i] as Instruction;
      if (instruction.type === 'Dispatch') {
        const attempt = attempts.prepare(run, instruction);
        if (attempt !== undefined) starting.push(attempt);
      } else if (instruction.type === 'Abort') {
        attempts.abort(run, instruction);
      } else if (instruction.type === 'RetryAt') {
        attempts.retryAt(run, instruction);
      } else if (instruction.type === 'EvaluateCondition') {
        attempts.evaluate(run, instruction);
      } else if (instruction.type === 'EndRun') {
        this.#parts.onEnd(run);
      }
    }
    if (starting.length > 0) attempts.submit(starting);
  }
}

const NO_EVENTS: readonly RunEvent[] = [];
const NO_ENVELOPES: readonly Envelope[] = [];

/** A repeated command that is refused because its first decision was durable after all. */
function isAlreadyTrue(command: RunCommand, run: LiveRun): boolean {
  return command.type === 'StartRun'
    ? run.state.seq > 0
    : command.type === 'CancelRun' && run.state.status === 'cancelled';
}
