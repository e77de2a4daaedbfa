/**
 * Counts what happened within the last span of time, in a bounded number of slots.
 *
 * Owns: the slots. Who may call it: the metrics fold.
 *
 * SC1  What happened is counted for at least the span less one slot (a 60th of it), and never longer than the span.
 * SC2  A clock that is set back makes nothing count twice; what lies before the oldest slot is passed over.
 */
const SLOTS = 60;

export class SlidingCount {
  readonly #slotMs: number;
  readonly #counts = new Float64Array(SLOTS);
  readonly #numbers = new Float64Array(SLOTS).fill(Number.NEGATIVE_INFINITY);

  /** @param spanMs - milliseconds, above 0 */
  constructor(spanMs: number) {
    this.#slotMs = spanMs / SLOTS;
  }

  /** @param at - milliseconds, by the clock that `sum` is asked with */
  add(at: number): void {
    const number = Math.floor(at / this.#slotMs);
    const place = ((number % SLOTS) + SLOTS) % SLOTS;
    const known = this.#numbers[place] as number;
    if (known > number) return;
    if (known < number) {
      this.#numbers[place] = number;
      this.#counts[place] = 0;
    }
    this.#counts[place] = (this.#counts[place] as number) + 1;
  }

  /** How much happened in the span that ends now. */
  sum(now: number): number {
    const last = Math.floor(now / this.#slotMs);
    let sum = 0;
    for (let i = 0; i < SLOTS; i++) {
      const number = this.#numbers[i] as number;
      if (number > last - SLOTS && number <= last) sum += this.#counts[i] as number;
    }
    return sum;
  }
}
