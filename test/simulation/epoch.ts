/** What the clocks of machines begin with: milliseconds since 1970. */
export const EPOCH_MS = 1_700_000_000_000;
