/**
 * Tests of the state machine as sentences: given these commands, when this one comes, then these events.
 *
 *     given(plan, startRun, start('a')).when(succeed('a')).thenEvents(['TaskCompleted', { path: 'a', attempt: 1, output: 'a:1' }]);
 */
import { expect } from 'vitest';
import type { Refusal, RunCommand } from '../../src/machine/commands.ts';
import type { RunEvent, RunEventType } from '../../src/machine/events.ts';
import { type Instruction, InstructionList } from '../../src/machine/instructions.ts';
import { checkInvariants } from '../../src/machine/invariants.ts';
import { initialState, type PlanOf, pathIn, type RunState } from '../../src/machine/state.ts';
import { step } from '../../src/machine/step.ts';
import type { ErrorCode } from '../../src/model/error-codes.ts';
import type { CompiledPlan } from '../../src/model/plan.ts';
import type { Ask } from './ask.ts';
import { printState } from './dump-state.ts';

/** The first command of a kit comes at this time, each later one 10 ms after the one before. */
export const T0 = 1_000;

/** An event without what every event has: run, position, time. */
export type Expected = readonly [type: RunEventType, fields?: Readonly<Record<string, unknown>>];

/** What became of a command. */
export interface Answer {
  readonly refusal: Refusal | undefined;
  readonly events: readonly RunEvent[];
  readonly instructions: readonly Instruction[];
}

/** A run that a test leads by commands; after each of them the invariants are checked. */
export class Lead {
  readonly state: RunState;
  readonly log: RunEvent[] = [];
  #at = T0 - 10;

  constructor(plan: CompiledPlan, planOf?: PlanOf) {
    this.state = initialState('run-1', plan, planOf);
  }

  /** Gives a command. */
  ask(ask: Ask): Answer {
    this.#at = ask.at ?? this.#at + 10;
    const before = printState(this.state);
    const events: RunEvent[] = [];
    const list = new InstructionList();
    const refusal = step(this.state, { ...ask, at: this.#at } as RunCommand, events, list);
    const instructions = list.all;
    if (refusal !== undefined) {
      expect(printState(this.state), 'a refused command changes nothing').toBe(before);
      expect([...events, ...instructions]).toEqual([]);
    }
    expect(checkInvariants(this.state)).toEqual([]);
    this.log.push(...events);
    return { refusal, events, instructions };
  }

  /** Gives a command that must not be refused. */
  must(ask: Ask): Answer {
    const answer = this.ask(ask);
    if (answer.refusal !== undefined)
      throw new Error(`${ask.type} was refused: ${answer.refusal.refused}: ${answer.refusal.message}`);
    return answer;
  }

  /** Where a command is judged. */
  when(ask: Ask): Then {
    return new Then(this, this.ask(ask));
  }
}

/** What must have come of a command. */
export class Then {
  readonly lead: Lead;
  readonly answer: Answer;

  constructor(lead: Lead, answer: Answer) {
    this.lead = lead;
    this.answer = answer;
  }

  /** Exactly these events, in this order. */
  thenEvents(...expected: readonly Expected[]): this {
    expect(this.answer.refusal).toBeUndefined();
    expect(this.answer.events.map(bare)).toEqual(expected.map(([type, fields]) => ({ type, ...fields })));
    return this;
  }

  /** Carried out, and nothing came of it. */
  thenNothing(): this {
    return this.thenEvents();
  }

  /** Refused with this code. */
  thenRefused(code: ErrorCode, message?: RegExp): this {
    expect(this.answer.refusal?.refused).toBe(code);
    if (message !== undefined) expect(this.answer.refusal?.message).toMatch(message);
    return this;
  }

  /** These instructions, printed as `Schedule a`, in this order. */
  instructs(...expected: readonly string[]): this {
    expect(this.answer.instructions.map(printInstruction)).toEqual(expected);
    return this;
  }
}

/** A run to which these commands were given, none of which was refused. */
export function given(plan: CompiledPlan, ...asks: readonly Ask[]): Lead {
  const lead = new Lead(plan);
  for (const ask of asks) lead.must(ask);
  return lead;
}

/** An event without what every event has. */
export function bare(event: RunEvent): object {
  const { runId: _runId, seq: _seq, at: _at, ...rest } = event;
  return rest;
}

/** An instruction as a word or two. */
export function printInstruction(instruction: Instruction): string {
  if (!('scope' in instruction)) return instruction.type;
  const path = pathIn(instruction.scope, instruction.index);
  switch (instruction.type) {
    case 'Dispatch':
      return `Dispatch ${path} ${instruction.attempt}`;
    case 'Abort':
      return `Abort ${path} ${instruction.cause}`;
    case 'RetryAt':
      return `RetryAt ${path} ${instruction.dueAt}`;
    default:
      return `${instruction.type} ${path}`;
  }
}
