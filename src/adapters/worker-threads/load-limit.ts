/**
 * How long a thread may take until it has loaded its module.
 *
 * Owns: a timer. Who may call it: the module pool, once for each thread.
 *
 * LL1  Only time counts in which the host could have heard of it: a host that was busy for a minute finds the answer in its
 *      next turn, or has not even let the thread begin.
 */

/** The time is counted in so many parts; while the host is busy, one of them passes at most. */
const PARTS = 10;

export class LoadLimit {
  readonly #partMs: number;
  readonly #tooLong: () => void;
  #left: number;
  #timer: NodeJS.Timeout | undefined;
  #lastTurn: NodeJS.Immediate | undefined;

  /** @param tooLong - called when `ms` are over before `stop` was called */
  constructor(ms: number, tooLong: () => void) {
    this.#left = Math.min(PARTS, ms);
    this.#partMs = Math.ceil(ms / this.#left);
    this.#tooLong = tooLong;
    this.#count();
  }

  stop(): void {
    clearTimeout(this.#timer);
    clearImmediate(this.#lastTurn);
  }

  #count(): void {
    if (this.#left-- > 0) this.#timer = setTimeout(() => this.#count(), this.#partMs);
    // What has arrived meanwhile is heard first.
    else this.#lastTurn = setImmediate(this.#tooLong);
  }
}
