import { randomUUID } from 'node:crypto';
import type { IdSource } from '../../ports/id-source.ts';
import type { Random } from '../../ports/random.ts';

/** Ids that never repeat, over processes and machines (RFC 9562, version 4). */
export class RandomIds implements IdSource {
  nextRunId(): string {
    return randomUUID();
  }
}

/** Chance, good enough for jitter. */
export class SystemRandom implements Random {
  next(): number {
    return Math.random();
  }
}
