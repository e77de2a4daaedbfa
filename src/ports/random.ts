/** Chance, for the jitter of retries. */
export interface Random {
  /** From 0 (included) to 1 (excluded). */
  next(): number;
}
