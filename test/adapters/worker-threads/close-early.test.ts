/** Closing while threads are on their way up leaves none, and no call without an end. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { noThreads, runsTypeScript, WorkerBench } from '../../support/workers.ts';

const ENTRY = new URL(runsTypeScript ? '../../../src/worker.ts' : '../../../dist/worker.js', import.meta.url)
  .href;

it.skipIf(noThreads !== undefined).each([
  { threads: 'tinypool', entry: undefined },
  { threads: 'its own', entry: ENTRY },
])('close() while threads start leaves none: $threads', async ({ entry }) => {
  for (const afterMs of [0, 5, 20, 60]) {
    const bench = new WorkerBench({ entry, threads: 2, graceMs: 60_000 });
    const calls = [bench.call('spin'), bench.call('spin')];
    if (afterMs > 0) await sleep(afterMs);
    await bench.close();
    expect(bench.stats.threads).toBe(0);
    for (const call of calls) expect((await call.outcome).ok).toBe(false);
  }
});
