/** Measures how much the own process holds, and how long its event loop keeps others waiting. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Sample } from './protocol.ts';

const RESOLUTION_MS = 10;
const NS_PER_MS = 1e6;
/** Collections in a row: what a finalizer lets go is collected by the next one. */
const COLLECTIONS = 2;

/** What is open in this process, each kind with its number. */
export function openNow(): Readonly<Record<string, number>> {
  const kinds: Record<string, number> = {};
  for (const kind of process.getActiveResourcesInfo()) kinds[kind] = (kinds[kind] ?? 0) + 1;
  return kinds;
}

export class Sampler {
  readonly #delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  readonly #collect: () => void;

  /** @param collect - collects all garbage: `gc` of a process that was started with `--expose-gc` */
  constructor(collect: () => void) {
    this.#collect = collect;
    this.#delay.enable();
  }

  /** Measures; the collections that it makes itself are no lag. */
  async take(finished: number, isAtRest: boolean): Promise<Sample> {
    const delay = this.#delay;
    // The histogram counts from tick to tick: of a loop that nobody keeps waiting it shows the resolution.
    const late = (ns: number): number => Math.max(0, ns / NS_PER_MS - RESOLUTION_MS);
    const [lagP99Ms, lagMaxMs] = [late(delay.percentile(99)), late(delay.max)];
    delay.disable();
    for (let i = 0; i < COLLECTIONS; i++) {
      this.#collect();
      await new Promise((resolve) => setImmediate(resolve));
    }
    const { heapUsed: heap, rss, external } = process.memoryUsage();
    const kinds = openNow();
    const handles = Object.values(kinds).reduce((sum, count) => sum + count, 0);
    delay.reset();
    delay.enable();
    const ageMs = performance.now();
    return { ageMs, heap, rss, external, handles, kinds, lagP99Ms, lagMaxMs, finished, isAtRest };
  }
}
