/**
 * What a judgement of a command can be.
 *
 * Who may use it: `decide` and its parts, and `step`.
 *
 * DC1  A refusal is a value: it names the code and says why, and nothing has changed.
 */
import type { Refusal } from './commands.ts';
import type { RunEvent } from './events.ts';

/** Events in order, or a refusal. Those of every task are given without an array, which would be one more object. */
export type Decision = RunEvent | readonly RunEvent[] | Refusal;

/** Whether a decision is one event. */
export function isEvent(decision: Decision): decision is RunEvent {
  return 'type' in decision;
}

/** Whether a decision is a refusal. */
export function isRefusal(decision: Decision): decision is Refusal {
  return 'refused' in decision;
}
