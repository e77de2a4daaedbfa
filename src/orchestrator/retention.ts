import type { Composition } from './compose.ts';
import type { CheckedRetention } from './prune-options.ts';
import { pruneRuns } from './prune-runs.ts';

/**
 * Removes ended runs by itself. It has no timer: a store only grows when runs end, and then it is looked at.
 */
export class Retention {
  readonly #parts: Composition;
  readonly #options: CheckedRetention;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #isLooking = false;

  constructor(parts: Composition, options: CheckedRetention) {
    this.#parts = parts;
    this.#options = options;
  }

  /** A run has ended. */
  onEnded(): void {
    const { clock, directory } = this.#parts;
    const now = clock.now();
    // A clock that was put back must not keep it from looking.
    const isDue = now - this.#lookedAt >= this.#options.everyMs || now < this.#lookedAt;
    if (!isDue || this.#isLooking || directory.isClosing) return;
    this.#lookedAt = now;
    this.#isLooking = true;
    void this.#look().finally(() => {
      this.#isLooking = false;
    });
  }

  async #look(): Promise<void> {
    const { logger, directory } = this.#parts;
    try {
      const { removed } = await pruneRuns(this.#parts, this.#options.prune);
      if (removed > 0) logger.debug({ removed }, 'ended runs were removed');
    } catch (error) {
      if (directory.isClosing) return;
      logger.warn({ error }, 'ended runs could not be removed; it is tried again when another run ends');
    }
  }
}
