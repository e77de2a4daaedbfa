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
 * W5  A run that cannot be written takes no other with it.
 * W6  The host's event loop gets a turn at least every 50 ms, as far as it is ours to give.
 */
import { AsyncResource } from 'node:async_hooks';
import type { Refusal, RunCommand } from '../../machine/commands.ts';
import type { RunEvent } from '../../machine/events.ts';
import type { Instruction } from '../../machine/instructions.ts';
import { pathIn, pointAt } from '../../machine/state.ts';
import { step } from '../../machine/step.ts';
import { OrchestratorError } from '../../model/errors.ts';
import type { TaskPath } from '../../model/path.ts';
import type { StreamAppend } from '../../ports/event-store.ts';
import type { Ticket } from '../scheduling/ticket.ts';
import { Attempt } from './attempt.ts';
import { CommitGroup } from './commit-group.ts';
import { Inbox } from './inbox.ts';
import { InstructionRunner } from './instruction-runner.ts';
import type { Acknowledge, Envelope, LiveRun } from './live-run.ts';
import { isToBeCounted } from './restarts.ts';
import type { RunLoopParts } from './run-loop-parts.ts';

/** Commands decided between two appends, so that a flood of them is cut into turns. */
const COMMANDS_PER_TURN = 4_096;

export class RunLoop {
  readonly #parts: RunLoopParts;
  readonly #runner: InstructionRunner;
  // The loop works in the context in which it was made, never in that of whoever happened to wake it.
  readonly #context = new AsyncResource('TaskmasterLoop', { requireManualDestroy: true });
  readonly #drain = (): void => this.#context.runInAsyncScope(this.#run, this);
  readonly #startTask = (ticket: Ticket): void => this.#start(ticket);
  readonly #publish = (event: RunEvent): void => this.#parts.hub.publish(event);
  readonly #tell = (run: LiveRun): void => {
    run.notifyReaders();
    this.#parts.onDurable?.(run);
  };
  readonly #inbox = new Inbox();
  readonly #isDue = (): boolean => this.#parts.turn.isDue();
  readonly #decideOne = (envelope: Envelope): void => this.#decide(envelope);
  readonly #appendOf = (run: LiveRun, events: readonly RunEvent[]): StreamAppend =>
    this.#parts.persistence.appendOf(run.stream, events, run.newFacts());
  #gathering = new CommitGroup();
  #spare = new CommitGroup();
  #isDraining = false;
  #isAwake = false;
  #isWokenAgain = false;
  #isAppending = false;
  /** What the append that is under way writes. */
  #inFlight: CommitGroup | undefined;
  #mayStartMore = false;
  #isAbandoned = false;
  readonly #watchers = new Set<() => void>();
  /** One for all starts: what is decided keeps nothing of its command. */
  readonly #startCommand: { type: 'StartTask'; at: number; path: TaskPath } = {
    type: 'StartTask',
    at: 0,
    path: '',
  };
  /** The time of this turn, for everything that is decided in it. */
  #now = 0;

  constructor(parts: RunLoopParts) {
    this.#parts = parts;
    this.#runner = new InstructionRunner({ ...parts, submit: (run, command) => this.submit(run, command) });
  }

  /** Whether nothing waits to be decided or to become durable. */
  get isQuiet(): boolean {
    return this.#inbox.size === 0 && this.#gathering.isEmpty && !this.#isAppending && !this.#isDraining;
  }

  /** Calls back after every turn, until it is told to stop. */
  onTurn(watcher: () => void): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  /**
   * Waits no longer for a store that does not answer: whoever waits for what was to be written is told this error.
   * Whatever the store answers later changes nothing.
   */
  abandon(error: OrchestratorError): void {
    this.#isAbandoned = true;
    for (const group of [this.#inFlight, this.#gathering]) {
      group?.eachEnvelope((envelope) => envelope.acknowledge?.(error));
    }
    this.#gathering.clear();
  }

  /** The events that the state of a run has and its log may not have. */
  undurable(run: LiveRun): readonly RunEvent[] {
    if (run.state.seq <= run.durableSeq) return NO_EVENTS;
    return [
      ...run.forgotten,
      ...(this.#inFlight?.eventsOf(run) ?? NO_EVENTS),
      ...this.#gathering.eventsOf(run),
    ];
  }

  /** Gives a command to a run. It is decided in a later microtask, together with others. */
  submit(run: LiveRun, command: RunCommand, acknowledge?: Acknowledge): void {
    this.post({ liveRun: run, command, acknowledge, repeated: false, refusal: undefined });
  }

  /** The same for a command that is in its envelope. */
  post(envelope: Envelope): void {
    this.#inbox.push(envelope);
    this.wake();
  }

  /** Decides commands again that could not be made durable, before all others. */
  resubmit(envelopes: readonly Envelope[]): void {
    this.#inbox.putFirst(
      envelopes.map(({ liveRun, command, acknowledge }) => {
        return { liveRun, command, acknowledge, repeated: true, refusal: undefined };
      }),
    );
    this.wake();
  }

  /** Looks soon at what there is to do; if it is `late`, behind everything else that this moment brings. */
  wake(late = false): void {
    // Whoever wakes it out of a turn, such as a handler that asks for a lock at once, may come after admission.
    this.#isWokenAgain = true;
    if (this.#isAwake || this.#isDraining) return;
    this.#isAwake = true;
    if (late) this.#giveTurn();
    else this.#parts.turn.soon(this.#drain);
  }

  /** Carries out instructions that no event of this turn gave: those of a state that was read again. */
  carryOut(run: LiveRun, instructions: readonly Instruction[]): void {
    const runner = this.#runner.take(run, this.#gathering);
    for (const instruction of instructions) runner.accept(instruction);
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
    const { clock, turn, isRealTime } = this.#parts;
    try {
      // What was ready to start when the last turn was given away comes first.
      do {
        const isFlushed = this.#runner.flush(this.#isDue);
        this.#now = clock.now();
        if (!isFlushed || turn.isDue(isRealTime ? this.#now : undefined)) {
          this.#giveTurn();
          return;
        }
        this.#isWokenAgain = false;
        this.#inbox.drain(COMMANDS_PER_TURN, this.#decideOne);
        this.#mayStartMore = this.#parts.scheduler.admit(this.#startTask, this.#parts.grantOther);
        this.#commit();
      } while (this.#hasMore());
    } finally {
      this.#isDraining = false;
      if (this.#watchers.size > 0) for (const watcher of this.#watchers) watcher();
    }
  }

  /** Whether there is something that this turn can still do. */
  #hasMore(): boolean {
    if (this.#inbox.size > 0 || this.#mayStartMore || this.#runner.hasMore || this.#isWokenAgain) return true;
    return !this.#isAppending && (!this.#gathering.isEmpty || this.#gathering.effectCount > 0);
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

  #decide(envelope: Envelope): void {
    const { liveRun: run, command, acknowledge } = envelope;
    if (run.lost !== undefined) {
      acknowledge?.(run.lost);
      return;
    }
    if (run.isReloading) {
      run.backlog.push(envelope);
      return;
    }
    command.at = this.#now;
    if (envelope instanceof Attempt) envelope.pointAt();
    const group = this.#gathering;
    const refusal = step(run.state, command, group.open(run), this.#runner.take(run, group));
    if (refusal !== undefined) {
      if (acknowledge !== undefined) this.#refuse(envelope, acknowledge, refusal);
      return;
    }
    group.addEnvelope(envelope);
  }

  /** A refusal is told once what it was judged by is durable: until then the world must not know of it. */
  #refuse(envelope: Envelope, acknowledge: Acknowledge, refused: Refusal): void {
    const { liveRun: run, command } = envelope;
    const refusal = envelope.repeated && isAlreadyTrue(command, run) ? undefined : refused;
    if (run.state.seq > run.durableSeq)
      this.#gathering.addEnvelope({
        liveRun: run,
        command,
        acknowledge,
        repeated: envelope.repeated,
        refusal,
      });
    else acknowledge(refusal);
  }

  /** Everything of a ticket was taken: its task starts. */
  #start(ticket: Ticket): void {
    const run = ticket.run as LiveRun;
    const { scope, index } = ticket;
    const group = this.#gathering;
    const path = pathIn(scope, index);
    pointAt(run.state, scope, index, path);
    if (ticket.started && !isToBeCounted(ticket)) {
      group.addEffect(run, ticket);
      return;
    }
    const command = ticket.restart ?? this.#startCommand;
    command.at = this.#now;
    if (command === this.#startCommand) command.path = path;
    const refusal = step(run.state, command, group.open(run), this.#runner.take(run, group));
    if (refusal !== undefined) {
      this.#parts.attempts.end(ticket);
      throw new OrchestratorError('INTERNAL', `a scheduled task could not start: ${refusal.message}`);
    }
  }

  /** Makes what was decided durable, unless an append is under way: then it gathers for the next one. */
  #commit(): void {
    if (this.#isAppending || (this.#gathering.isEmpty && this.#gathering.effectCount === 0)) return;
    const group = this.#takeGroup();
    let written: undefined | Promise<void>;
    try {
      const appends = group.appends(this.#appendOf);
      if (appends.length > 0) written = this.#parts.persistence.append(appends);
    } catch (error) {
      this.#fail(group, error);
      return;
    }
    if (written === undefined) this.#conclude(group);
    else this.#await(written, group);
  }

  /** All that has gathered; but a run whose appends keep failing is written alone, after all others. */
  #takeGroup(): CommitGroup {
    const group = this.#gathering;
    if (group.hasSuspects) return group.split();
    this.#gathering = this.#spare;
    return group;
  }

  #await(written: Promise<void>, group: CommitGroup): void {
    this.#isAppending = true;
    this.#inFlight = group;
    const letGo = this.#parts.clock.hold();
    const end = (then: () => void): void => {
      if (this.#isAbandoned) {
        letGo();
        return;
      }
      this.#isAppending = false;
      this.#inFlight = undefined;
      letGo();
      this.#context.runInAsyncScope(then);
      this.wake();
    };
    written.then(
      () => end(() => this.#conclude(group)),
      (error: unknown) => end(() => this.#fail(group, error)),
    );
  }

  /** The events of a group are durable: listeners, acknowledgements, then the world. */
  #conclude(group: CommitGroup): void {
    group.eachEvent(markDurable);
    if (this.#parts.hub.isListening) group.eachEvent(this.#publish);
    group.eachRun(this.#tell);
    group.eachEnvelope(acknowledge);
    this.#perform(group);
  }

  /** An append was refused, or nobody knows: its runs are forgotten and read again. */
  #fail(group: CommitGroup, error: unknown): void {
    const written = group.takeOut(group.runs());
    const gathered = this.#gathering.takeOut([...written.keys()]);
    for (const [run, { events, envelopes }] of written) {
      const later = gathered.get(run);
      run.toldStatus = undefined;
      const lost = {
        sent: envelopes,
        later: later?.envelopes ?? [],
        last: events[events.length - 1] as RunEvent,
      };
      run.forgotten = later === undefined ? events : [...events, ...later.events];
      this.#parts.onLost(run, lost, error);
    }
    // Effects of runs that were not written at all, such as a body to be run after a reload, still stand.
    group.eachEnvelope(acknowledge);
    this.#perform(group);
  }

  #perform(group: CommitGroup): void {
    group.eachEffect(this.#runner.afterDurable);
    group.clear();
    this.#spare = group;
    this.#runner.flush(this.#isDue);
  }
}

const NO_EVENTS: readonly RunEvent[] = [];

function markDurable(event: RunEvent, run: LiveRun): void {
  run.durableSeq = event.seq;
  run.failedAppends = 0;
}

function acknowledge(envelope: Envelope): void {
  envelope.acknowledge?.(envelope.refusal);
}

/** A repeated command that is refused because its first decision was durable after all. */
function isAlreadyTrue(command: RunCommand, run: LiveRun): boolean {
  if (command.type === 'StartRun') return run.state.seq > 0;
  return command.type === 'CancelRun' && run.state.status === 'cancelled';
}
