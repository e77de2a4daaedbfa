/**
 * Carries out what the machine says is to be done: the only interpreter of instructions.
 *
 * Owns: the bodies that are to be started together. Who may call it: the run loop.
 *
 * IR1  What concerns memory alone (queue, holdings) is done at once; everything else waits until it is durable.
 * IR2  Bodies are handed to the executor in the order of admission; to one in this thread a few at a time, so that
 *      the host's event loop is not kept waiting for all of them.
 */
import { Batch } from '../../base/batch.ts';
import type { RunCommand } from '../../machine/commands.ts';
import type {
  EvaluateCondition,
  Instruction,
  InstructionSink,
  RareInstruction,
} from '../../machine/instructions.ts';
import type { ScopeState } from '../../machine/state.ts';
import type { TaskScheduler } from '../scheduling/task-scheduler.ts';
import { Ticket } from '../scheduling/ticket.ts';
import type { Attempt } from './attempt.ts';
import type { AttemptManager } from './attempt-manager.ts';
import type { CommitGroup, Effect } from './commit-group.ts';
import { evaluateCondition, unaskedCondition } from './evaluate-condition.ts';
import type { LargeOutputs } from './large-outputs.ts';
import type { LiveRun } from './live-run.ts';
import { holdRun, unholdRun } from './run-hold.ts';
import { instructionNow, replanRun } from './run-move.ts';

/** What a runner is made of. */
export interface InstructionRunnerParts {
  readonly scheduler: TaskScheduler;
  readonly attempts: AttemptManager;
  readonly outputs: LargeOutputs;
  readonly submit: (run: LiveRun, command: RunCommand) => void;
  /** Told when the end of a run is durable. */
  readonly onEnd: (run: LiveRun) => void;
}

export class InstructionRunner implements InstructionSink {
  readonly #parts: InstructionRunnerParts;
  readonly #starting = new Batch<Attempt>();
  /** How many of them were handed over. */
  #handedOver = 0;
  /** Whose instructions are being taken, and where to what has to wait goes. */
  #run: LiveRun | undefined;
  #group: CommitGroup | undefined;

  constructor(parts: InstructionRunnerParts) {
    this.#parts = parts;
  }

  /** The instructions that come next are about this run; what has to wait until it is durable goes into the group. */
  take(run: LiveRun, group: CommitGroup): this {
    this.#run = run;
    this.#group = group;
    return this;
  }

  schedule(scope: ScopeState, index: number): void {
    const run = this.#run as LiveRun;
    if (run.isHeld) {
      run.held.push({ scope, index });
      return;
    }
    const { scheduler } = this.#parts;
    const ticket = scheduler.createTicket(run, scope, index);
    run.setTicket(scope, index, ticket);
    scheduler.enqueue(ticket);
  }

  release(scope: ScopeState, index: number): void {
    const run = this.#run as LiveRun;
    const ticket = run.ticketOf(scope, index);
    if (ticket === undefined) return;
    this.#parts.attempts.end(ticket);
    run.setTicket(scope, index, undefined);
  }

  dispatch(scope: ScopeState, index: number, attempt: number): void {
    const run = this.#run as LiveRun;
    const ticket = run.ticketOf(scope, index);
    if (ticket === undefined) return;
    ticket.attempt = attempt;
    (this.#group as CommitGroup).addEffect(run, ticket);
  }

  push(instruction: RareInstruction): void {
    const run = this.#run as LiveRun;
    const { scheduler } = this.#parts;
    switch (instruction.type) {
      case 'Reprioritise': {
        const ticket = run.ticketOf(instruction.scope, instruction.index);
        if (ticket !== undefined)
          run.setTicket(instruction.scope, instruction.index, scheduler.requeue(ticket));
        return;
      }
      case 'Replan':
        replanRun(run, scheduler, this.#parts.attempts);
        return;
      case 'Hold':
        holdRun(run, scheduler);
        return;
      case 'Unhold':
        unholdRun(run, scheduler);
        return;
      default:
        (this.#group as CommitGroup).addEffect(run, instruction);
    }
  }

  /** Takes an instruction that no event of this turn gave. */
  accept(instruction: Instruction): void {
    switch (instruction.type) {
      case 'Schedule':
        this.schedule(instruction.scope, instruction.index);
        return;
      case 'Release':
        this.release(instruction.scope, instruction.index);
        return;
      case 'Dispatch':
        this.dispatch(instruction.scope, instruction.index, instruction.attempt);
        return;
      default:
        this.push(instruction);
    }
  }

  /** Does what had to wait; bodies are started by `flush`. */
  readonly afterDurable = (run: LiveRun, effect: Effect): void => {
    const { attempts } = this.#parts;
    if (effect instanceof Ticket) {
      const attempt = attempts.prepare(run, effect);
      if (attempt !== undefined) this.#starting.push(attempt);
      return;
    }
    const instruction = instructionNow(run, effect);
    switch (instruction?.type) {
      case 'Abort':
        attempts.abort(run, instruction);
        return;
      case 'RetryAt':
        attempts.retryAt(run, instruction);
        return;
      case 'EvaluateCondition':
        this.#evaluate(run, instruction);
        return;
      case 'EndRun':
        this.#parts.onEnd(run);
    }
  };

  #evaluate(run: LiveRun, instruction: EvaluateCondition): void {
    const { outputs, submit } = this.#parts;
    const record = (command: RunCommand | undefined): void => {
      if (command !== undefined) submit(run, command);
    };
    // While the store was asked, the run may have been moved to another version, or have been read again.
    const isOfNow = (): boolean => instructionNow(run, instruction) !== undefined;
    const large = outputs.for(run, instruction.scope, instruction.index);
    if (large instanceof Promise)
      large.then(
        (loaded) => {
          if (isOfNow()) record(evaluateCondition(run, instruction, loaded));
        },
        (thrown: unknown) => {
          if (isOfNow()) record(unaskedCondition(run, instruction, thrown));
        },
      );
    else record(evaluateCondition(run, instruction, large));
  }

  /** Whether bodies that were prepared wait to be started. */
  get hasMore(): boolean {
    return this.#starting.size > 0;
  }

  /**
   * Starts the bodies that were prepared, a few at a time: each may keep the thread for as long as it likes.
   * @returns `false` when the event loop of the host is due and some are left
   */
  flush(isDue: () => boolean): boolean {
    const starting = this.#starting;
    const { size } = starting;
    if (size === 0) return true;
    const { attempts } = this.#parts;
    while (this.#handedOver < size) {
      const from = this.#handedOver;
      this.#handedOver = Math.min(size, from + attempts.bodiesAtOnce);
      attempts.submit(starting.slice(from, this.#handedOver));
      if (this.#handedOver < size && isDue()) return false;
    }
    starting.clear();
    this.#handedOver = 0;
    return true;
  }
}
