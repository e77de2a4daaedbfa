import type { IdSource } from '../../ports/id-source.ts';
import type { Random } from '../../ports/random.ts';

/** Ids that never repeat, over processes and machines (RFC 9562, version 4). */
export class RandomIds implements IdSource {
  // Fetched when first needed: importing the module would load all of it, and double the time of our own import.
  #randomUUID: (() => string) | undefined;

  nextRunId(): string {
    this.#randomUUID ??= process.getBuiltinModule('node:crypto').randomUUID;
    return this.#randomUUID();
  }
}

/** Chance, good enough for jitter. */
export class SystemRandom implements Random {
  next(): number {
    return Math.random();
  }
}
