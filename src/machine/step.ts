/**
 * One turn of the machine: a command, and everything that follows from it inside the run.
 *
 * Who may call it: the run loop, simulations and tests.
 *
 * M1  A refused command leaves the state untouched.
 * M2  After a step the run has ended if and only if all its tasks have.
 * M3  The events of one step belong into one append.
 */
import type { Sink } from '../base/batch.ts';
import { OrchestratorError } from '../model/errors.ts';
import { isRunFinished } from '../model/status.ts';
import type { Refusal, RunCommand } from './commands.ts';
import { consequencesOf } from './consequences.ts';
import { decide } from './decide.ts';
import { isEvent, isRefusal } from './decision.ts';
import type { RunEvent } from './events.ts';
import { evolve } from './evolve.ts';
import type { InstructionSink } from './instructions.ts';
import { react } from './react.ts';
import type { RunState, ScopeState } from './state.ts';

/**
 * Carries out a command on a state.
 *
 * @param events - gets the events, in order
 * @param instructions - gets what the world is to do, in order
 * @returns the refusal, or `undefined` when the command was carried out
 */
export function step(
  state: RunState,
  command: RunCommand,
  events: Sink<RunEvent>,
  instructions: InstructionSink,
): Refusal | undefined {
  const refusal = apply(state, command, events, instructions, undefined);
  if (refusal !== undefined) return refusal;
  finishIfDone(state, command.at, events, instructions);
  return undefined;
}

/** Applies a command and, depth first, its consequences; those of consequences go onto the same stack. */
function apply(
  state: RunState,
  command: RunCommand,
  events: Sink<RunEvent>,
  instructions: InstructionSink,
  pending: RunCommand[] | undefined,
): Refusal | undefined {
  const decision = decide(state, command);
  if (isEvent(decision)) return applyOne(state, decision, events, instructions, pending);
  if (isRefusal(decision)) return decision;
  let stack = pending;
  for (let i = 0; i < decision.length; i++) evolve(state, decision[i] as RunEvent);
  for (let i = 0; i < decision.length; i++) {
    const event = decision[i] as RunEvent;
    events.push(event);
    react(state, event, instructions);
  }
  // Backwards, so that the first consequence of the first event lies on top.
  for (let i = decision.length - 1; i >= 0; i--) {
    const commands = consequencesOf(state, decision[i] as RunEvent);
    if (commands.length === 0) continue;
    stack ??= [];
    for (let k = commands.length - 1; k >= 0; k--) stack.push(commands[k] as RunCommand);
  }
  if (pending === undefined && stack !== undefined) settle(state, stack, events, instructions);
  return undefined;
}

/** The same for a single event, which is what nearly every command of a task comes to. */
function applyOne(
  state: RunState,
  event: RunEvent,
  events: Sink<RunEvent>,
  instructions: InstructionSink,
  pending: RunCommand[] | undefined,
): undefined {
  evolve(state, event);
  events.push(event);
  react(state, event, instructions);
  const commands = consequencesOf(state, event);
  if (commands.length === 0) return;
  const stack = pending ?? [];
  for (let k = commands.length - 1; k >= 0; k--) stack.push(commands[k] as RunCommand);
  if (pending === undefined) settle(state, stack, events, instructions);
}

function settle(
  state: RunState,
  stack: RunCommand[],
  events: Sink<RunEvent>,
  instructions: InstructionSink,
): void {
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    const refusal = apply(state, next, events, instructions, stack);
    if (refusal !== undefined)
      throw new OrchestratorError('INTERNAL', `the consequence ${next.type} was refused: ${refusal.message}`);
  }
}

function finishIfDone(
  state: RunState,
  at: number,
  events: Sink<RunEvent>,
  instructions: InstructionSink,
): void {
  if ((state.scopes[0] as ScopeState).open > 0 || isRunFinished(state.status) || state.seq === 0) return;
  const refusal = apply(state, { type: 'FinishRun', at }, events, instructions, undefined);
  if (refusal !== undefined)
    throw new OrchestratorError('INTERNAL', `the run could not end: ${refusal.message}`);
}
