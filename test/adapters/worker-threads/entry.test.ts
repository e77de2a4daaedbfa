import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { isBundled, workerEntry } from '../../../src/adapters/worker-threads/entry-url.ts';
import {
  codeOf,
  needsThreads,
  noThreads,
  runsTypeScript,
  WorkerBench,
  withBench,
} from '../../support/workers.ts';

/** The one file that a host in a bundle adds to it. */
const ENTRY = new URL(runsTypeScript ? '../../../src/worker.ts' : '../../../dist/worker.js', import.meta.url)
  .href;
const MISSING = new URL('./no-such-worker.js', import.meta.url);

describe('the file that a thread or process runs first', () => {
  it.skipIf(noThreads !== undefined)('is that of the package, and exists', () => {
    expect(isBundled()).toBe(false);
    for (const name of ['worker', 'worker-process'] as const)
      expect(existsSync(new URL(workerEntry(undefined, name)))).toBe(true);
  });

  it('is the one that the host names, when that exists', () => {
    const named = new URL('./entry.test.ts', import.meta.url).href;
    expect(workerEntry(named, 'worker')).toBe(named);
  });

  it.each(['thread', 'process'] as const)(
    'fails calls, not the host, when there is none: %s',
    async (isolation) => {
      await withBench({ isolation, entry: MISSING.href, threads: 2, warmUp: 2 }, async (bench) => {
        const thrown = (await bench.thrown('echo')) as Error;
        expect(codeOf(thrown)).toBe('HANDLER_LOAD_FAILED');
        expect(thrown.message).toMatch(
          /^workerHandlers\/entry: found no file at .*no-such-worker\.js; allowed: .*\. Bundle it too: /,
        );
        await expect(bench.executor.exportsOf(bench.module)).rejects.toMatchObject({
          code: 'HANDLER_LOAD_FAILED',
        });
        expect(bench.stats).toMatchObject({ threads: 0, queued: 0 });
      });
    },
  );

  it.skipIf(noThreads !== undefined)(
    'fails calls, not the host, when Node refuses the options of its threads',
    async () => {
      for (const entry of [undefined, ENTRY])
        await withBench({ entry, execArgv: ['--max-old-space-size=64'] }, async (bench) => {
          expect(codeOf(await bench.thrown('echo'))).toBe('HANDLER_LOAD_FAILED');
        });
    },
  );
});

/** As in a bundle, where the entry is named, and threads are started without tinypool. */
describe.skipIf(noThreads !== undefined)(needsThreads('threads and processes by one named entry'), () => {
  for (const isolation of ['thread', 'process'] as const) {
    it(`${isolation}: executes, and keeps what waits when one dies`, async () => {
      await withBench({ isolation, entry: ENTRY }, async (bench) => {
        const dying = bench.call('reallyExit');
        const waiting = Array.from({ length: 20 }, (_, i) => bench.call('echo', i));
        expect(codeOf(((await dying.outcome) as { thrown: unknown }).thrown)).toBe('WORKER_CRASHED');
        for (const [i, { outcome }] of waiting.entries())
          expect(await outcome).toEqual({ ok: true, output: i });
        expect(bench.stats).toMatchObject({ started: 2, crashed: 1, lost: 0 });
      });
    });

    it(`${isolation}: ends what never ends`, async () => {
      await withBench({ isolation, entry: ENTRY }, async (bench) => {
        const spinning = bench.call('spin');
        while (bench.stats.sent === 0) await sleep(2);
        await bench.executor.exportsOf(bench.module);
        bench.cancel(spinning, new Error('enough'));
        await spinning.outcome;
        expect(await bench.output('echo', 'next')).toBe('next');
      });
    });

    it(`${isolation}: runs out of memory alone`, async () => {
      await withBench({ isolation, entry: ENTRY, memoryMb: 40 }, async (bench) => {
        expect(codeOf(await bench.thrown('oomSmall'))).toBe('WORKER_OUT_OF_MEMORY');
        expect(await bench.output('echo', 'next')).toBe('next');
      });
    });

    it(`${isolation}: ends when it is idle, whatever a handler has left running`, async () => {
      await withBench({ isolation, entry: ENTRY, idleMs: 20 }, async (bench) => {
        await bench.output('startsTicking');
        while (bench.stats.threads > 0) await sleep(2);
        const first = await bench.output('threadOf');
        while (bench.stats.threads > 0) await sleep(2);
        expect(await bench.output('threadOf')).not.toBe(first);
        expect(bench.stats).toMatchObject({ started: 3, crashed: 0, killed: 0 });
      });
    });
  }

  it('close() ends threads that compute', async () => {
    const bench = new WorkerBench({ entry: ENTRY, threads: 2, graceMs: 60_000 });
    for (let i = 0; i < 2; i++) void bench.call('spin');
    await bench.executor.exportsOf(bench.module);
    while (bench.stats.sent < 2) await sleep(2);
    await bench.close();
    expect(bench.stats.threads).toBe(0);
  });
});
