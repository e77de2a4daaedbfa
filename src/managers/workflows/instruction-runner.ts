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
import type { EvaluateCondition, Instruction } from '../../machine/instructions.ts';
import type { TaskScheduler } from '../scheduling/task-scheduler.ts';
import type { Attempt } from './attempt.ts';
import type { AttemptManager } from './attempt-manager.ts';
import { evaluateCondition } from './evaluate-condition.ts';
import type { LiveRun } from './live-run.ts';
import { holdRun, unholdRun } from './run-hold.ts';

/** What a runner is made of. */
export interface InstructionRunnerParts {
  readonly scheduler: TaskScheduler;
  readonly attempts: AttemptManager;
  readonly submit: (run: LiveRun, command: RunCommand) => void;
  /** Told when the end of a run is durable. */
  readonly onEnd: (run: LiveRun) => void;
}

export class InstructionRunner {
  readonly #parts: InstructionRunnerParts;
  readonly #starting = new Batch<Attempt>();
  /** How many of them were handed over. */
  #handedOver = 0;

  constructor(parts: InstructionRunnerParts) {
    this.#parts = parts;
  }

  /** Does what concerns memory alone; returns `false` for what has to wait until it is durable. */
  atOnce(run: LiveRun, instruction: Instruction): boolean {
    const { scheduler } = this.#parts;
    switch (instruction.type) {
      case 'Schedule': {
        const { scope, index } = instruction;
        if (run.isHeld) {
          run.held.push({ scope, index });
          return true;
        }
        const ticket = scheduler.createTicket(run, scope, index);
        run.setTicket(scope, index, ticket);
        scheduler.enqueue(ticket);
        return true;
      }
      case 'Release': {
        const ticket = run.ticketOf(instruction.scope, instruction.index);
        if (ticket === undefined) return true;
        this.#parts.attempts.end(ticket);
        run.setTicket(instruction.scope, instruction.index, undefined);
        return true;
      }
      case 'Reprioritise': {
        const ticket = run.ticketOf(instruction.scope, instruction.index);
        if (ticket !== undefined)
          run.setTicket(instruction.scope, instruction.index, scheduler.requeue(ticket));
        return true;
      }
      case 'Hold':
        holdRun(run, scheduler);
        return true;
      case 'Unhold':
        unholdRun(run, scheduler);
        return true;
      default:
        return false;
    }
  }

  /** Does what had to wait; bodies are started by `flush`. */
  readonly afterDurable = (run: LiveRun, instruction: Instruction): void => {
    const { attempts } = this.#parts;
    switch (instruction.type) {
      case 'Dispatch': {
        const attempt = attempts.prepare(run, instruction);
        if (attempt !== undefined) this.#starting.push(attempt);
        return;
      }
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
    const command = evaluateCondition(run, instruction);
    if (command !== undefined) this.#parts.submit(run, command);
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
