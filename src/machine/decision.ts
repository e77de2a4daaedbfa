/**
 * What a judgement of a command can be.
 *
 * Who may use it: `decide` and its parts, and `step`.
 *
 * DC1  A refusal is a value: it names the code and says why, and nothing has changed.
 */
import type { Refusal } from './commands.ts';
import type { RunEvent } from './events.ts';

/** Events in order, or a refusal. */
export type Decision = readonly RunEvent[] | Refusal;

/** Whether a decision is a refusal. */
export function isRefusal(decision: Decision): decision is Refusal {
  return !Array.isArray(decision);
}
