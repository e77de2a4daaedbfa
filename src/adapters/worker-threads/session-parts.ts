/**
 * What a session is given, and what is left of it in the end.
 */
import type { Call } from './call.ts';
import type { Claims } from './claims.ts';

/** What a session is made of, beside its link. */
export interface SessionParts {
  /** How many calls it can have. */
  readonly places: number;
  /** `undefined` where no memory is shared. */
  readonly claims: Claims | undefined;
  readonly now: () => number;
}

/** The calls of a thread that has ended. */
export interface LeftCalls {
  /** Sent and not begun. */
  readonly left: readonly Call[];
  /** Under way: one of them may be why. */
  readonly begun: readonly Call[];
  /** Executed to the end, and what came of them went with the thread. */
  readonly done: readonly Call[];
}
