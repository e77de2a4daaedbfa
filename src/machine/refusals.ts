/**
 * The refusals that several judgements share.
 *
 * Who may call it: the parts of `decide`.
 *
 * RF1  A refusal names the task, its status and what it cannot do.
 */
import type { Refusal } from './commands.ts';
import type { ScopeState } from './state.ts';
import { statusName } from './transitions.ts';

/** A command that the status of a task does not allow. */
export function illegal(scope: ScopeState, index: number, what: string): Refusal {
  const id = scope.plan.ids[index] as string;
  return {
    refused: 'TRANSITION_ILLEGAL',
    message: `task ${JSON.stringify(id)} is ${statusName(scope.status[index] as number)}, so it cannot ${what}`,
  };
}

/** A report on an attempt that is over. */
export function overtaken(scope: ScopeState, index: number, attempt: number): Refusal {
  const id = scope.plan.ids[index] as string;
  const now = `it is ${statusName(scope.status[index] as number)}, at attempt ${scope.attempts[index]}`;
  return {
    refused: 'ATTEMPT_STALE',
    message: `attempt ${attempt} of task ${JSON.stringify(id)} is over: ${now}`,
  };
}
