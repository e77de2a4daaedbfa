/** Threads and processes end when they should, say what they die of, and cost the host no memory when they do not listen. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import {
  codeOf,
  ISOLATIONS,
  needsThreads,
  noThreads,
  outputOf,
  thrownOf,
  withBench,
} from '../support/workers.ts';

const folder = mkdtempSync(join(tmpdir(), 'worker-endings-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

for (const isolation of ISOLATIONS)
  describe.skipIf(noThreads !== undefined)(needsThreads(`${isolation}: ends`), () => {
    it('what is executed finishes when its module is loaded anew', async () => {
      const held = join(folder, `held-${isolation}`);
      const path = join(folder, `reloaded-${isolation}.mjs`);
      const text = (version: number): string =>
        `import { existsSync, writeFileSync } from 'node:fs';
        export const version = () => ${version};
        export const hold = async ({ inputData }) => {
          writeFileSync(inputData + '.begun', '');
          while (existsSync(inputData)) await new Promise((resolve) => setTimeout(resolve, 2));
          return ${version};
        };`;
      writeFileSync(path, text(1));
      writeFileSync(held, '');
      await withBench(
        { isolation, threads: 2, reload: true, file: pathToFileURL(path).href },
        async (bench) => {
          expect(await bench.output('version')).toBe(1);
          const holding = bench.call('hold', held);
          const { existsSync, utimesSync } = await import('node:fs');
          while (!existsSync(`${held}.begun`)) await sleep(2);
          writeFileSync(path, text(2));
          utimesSync(path, new Date(), new Date(Date.now() + 60_000));
          expect(await bench.output('version')).toBe(2);
          rmSync(held);
          expect(outputOf(await holding.outcome)).toBe(1);
          expect(bench.stats).toMatchObject({ crashed: 0, killed: 0, lost: 0 });
        },
      );
    });

    it.each(['spinsAfterwards', 'spinsAtExit'])('%s: the thread is gone all the same', async (name) => {
      await withBench({ isolation, idleMs: 20 }, async (bench) => {
        expect(await bench.output(name)).toBe('over');
        while (bench.stats.threads > 0) await sleep(5);
        expect(await bench.output('echo', 'next')).toBe('next');
        expect(bench.stats).toMatchObject({ started: 2, crashed: 0, lost: 0 });
      });
    });

    it.each([
      ['throwsInTimer', 'thrown in a timer'],
      ['unhandledRejection', 'nobody catches this'],
    ])('%s: its error is told, with its class', async (name, why) => {
      await withBench({ isolation }, async (bench) => {
        const thrown = (await bench.thrown(name)) as Error;
        expect(codeOf(thrown)).toBe('WORKER_CRASHED');
        expect(thrown.message).toContain(why);
        expect(thrown.cause).toBeInstanceOf(RangeError);
        expect((thrown.cause as Error).stack).toContain('faults.mjs');
      });
    });
  });

describe.skipIf(noThreads !== undefined)(needsThreads('a process'), () => {
  it('that floods its host with asks, and never listens, is not listened to, and can be ended', async () => {
    await withBench({ isolation: 'process', graceMs: 10 }, async (bench) => {
      let heard = 0;
      const sleepOnce = (): Promise<void> => {
        heard++;
        throw new Error('refused at once');
      };
      const clock = { now: () => 0, sleep: sleepOnce, real: async <T>(promise: Promise<T>) => promise };
      const flood = bench.call('floods', 1, { clock });
      // Answers that nobody takes are kept up to a limit; no more is heard then.
      for (let last = -1, same = 0; same < 10; ) {
        await sleep(20);
        same = heard === last && heard > 0 ? same + 1 : 0;
        last = heard;
      }
      expect(heard).toBeLessThan(50_000);
      const behind = bench.call('echo', 'behind');
      bench.cancel(flood, 'enough');
      expect(codeOf(thrownOf(await flood.outcome))).toBe('WORKER_TERMINATED');
      expect(outputOf(await behind.outcome)).toBe('behind');
    });
  });

  it('carries large values both ways', async () => {
    await withBench({ isolation: 'process' }, async (bench) => {
      const bytes = new Uint8Array(24 * 1024 * 1024).fill(7);
      const returned = (await bench.output('echo', { bytes, text: 'é'.repeat(1_000_000) })) as {
        bytes: Uint8Array;
        text: string;
      };
      expect(returned.bytes.length).toBe(bytes.length);
      expect([returned.bytes[0], returned.bytes.at(-1), returned.text.length]).toEqual([7, 7, 1_000_000]);
    });
  });
});
