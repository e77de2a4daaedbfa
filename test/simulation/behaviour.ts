import type { Behaviour, TaskSpec } from './scenario.ts';

/** What a body does in this attempt. */
export function behaviourOf({ behaviours }: TaskSpec, attempt: number): Behaviour {
  return behaviours[Math.min(attempt, behaviours.length) - 1] as Behaviour;
}
