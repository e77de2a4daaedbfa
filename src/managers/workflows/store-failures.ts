/** How long a store that fails is asked again, by everybody who can wait for it. */

/** Appends and reads in a row that may fail before a run, or whoever wants something of it, is given up on. */
export const STORE_FAILURES_MAX = 6;

const FIRST_WAIT_MS = 10;

/** How long to wait after so many failures in a row: not at all after the first, then longer and longer. */
export function waitAfter(failures: number): number {
  return failures === 1 ? 0 : FIRST_WAIT_MS * 2 ** failures;
}
