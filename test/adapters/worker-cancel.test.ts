/** A call is told to stop by its signal, and by force after its grace; threads that are idle live, and then end. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { canRunPrograms, runProgram } from '../support/child-program.ts';
import {
  codeOf,
  handlersFile,
  ISOLATIONS,
  needsThreads,
  noThreads,
  outputOf,
  thrownOf,
  withBench,
} from '../support/workers.ts';

const folder = mkdtempSync(join(tmpdir(), 'worker-cancel-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;

/** A file that a handler writes when it has begun. */
function marker(): { readonly path: string; readonly written: () => Promise<void> } {
  const path = join(folder, `begun-${files++}`);
  const written = async (): Promise<void> => {
    while (!existsSync(path)) await sleep(2);
  };
  return { path, written };
}

const GRACE_MS = 60;
/** What a thread, started anew on a busy machine, may cost beside what is measured. */
const SLACK_MS = 5_000;

for (const isolation of ISOLATIONS)
  describe.skipIf(noThreads !== undefined)(needsThreads(`${isolation}: stopping`), () => {
    it.each(['heedsAbort', 'returnsOnAbort'])(
      '%s: the signal is enough, and the thread stays',
      async (name) => {
        await withBench({ isolation, graceMs: 60_000 }, async (bench) => {
          const thread = await bench.output('threadOf');
          const { path, written } = marker();
          const call = bench.call(name, path);
          await written();
          const reason = Object.assign(new RangeError('enough'), { code: 'E_STOP' });
          bench.cancel(call, reason);
          const outcome = await call.outcome;
          if (name === 'returnsOnAbort') expect(outputOf(outcome)).toBe('what I have');
          else expect(thrownOf(outcome)).toMatchObject({ message: 'enough', code: 'E_STOP' });
          expect(await bench.output('threadOf')).toBe(thread);
          expect(bench.stats).toMatchObject({ started: 1, killed: 0 });
        });
      },
    );

    it.each(['spin', 'spinMicrotasks', 'spinRegExp', 'atomicsWait', 'neverSettles', 'ignoresAbort'])(
      '%s: its thread is ended after the grace, and who waited behind it finishes',
      async (name) => {
        await withBench({ isolation, graceMs: GRACE_MS }, async (bench) => {
          const { path, written } = marker();
          const call = bench.call(name, path);
          const neighbours = [0, 1, 2].map((i) => bench.call('echo', i));
          await written();
          const toldAt = performance.now();
          bench.cancel(call, new Error('stop it'));
          const thrown = thrownOf(await call.outcome);
          const tookMs = performance.now() - toldAt;
          expect(codeOf(thrown)).toBe('WORKER_TERMINATED');
          expect(thrown).toMatchObject({ cause: { message: 'stop it' } });
          // A timer of Node may be a millisecond early.
          expect(tookMs).toBeGreaterThanOrEqual(GRACE_MS - 2);
          expect(tookMs).toBeLessThan(GRACE_MS + SLACK_MS);
          for (const [i, { outcome }] of neighbours.entries()) expect(outputOf(await outcome)).toBe(i);
          expect(call.reports()).toBe(1);
          expect(bench.stats).toMatchObject({ killed: 1, lost: 0, queued: 0, sent: 0 });
        });
      },
    );

    it('a handler that takes longer than it may is ended without being told by anyone', async () => {
      await withBench({ isolation, handlers: { spin: { timeoutMs: 50 } } }, async (bench) => {
        const call = bench.call('spin');
        const neighbour = bench.call('echo', 'behind it');
        expect(codeOf(thrownOf(await call.outcome))).toBe('WORKER_TERMINATED');
        expect(outputOf(await neighbour.outcome)).toBe('behind it');
      });
    });

    it('a call that waits in the queue or behind another stops at once', async () => {
      await withBench({ isolation }, async (bench) => {
        const early = bench.call('echo', 'early');
        bench.cancel(early, 'before there was a thread');
        expect(thrownOf(await early.outcome)).toBe('before there was a thread');
        const { path, written } = marker();
        const first = bench.call('heedsAbort', path);
        const behind = bench.call('echo', 'behind');
        await written();
        bench.cancel(behind, 'behind a busy one');
        expect(thrownOf(await behind.outcome)).toBe('behind a busy one');
        bench.cancel(first, 'over');
        expect(thrownOf(await first.outcome)).toBe('over');
      });
    });

    it('neighbours of a concurrent handler are lost with the thread, and counted apart', async () => {
      await withBench({ isolation, handlers: { neverSettles: { concurrent: 10 } } }, async (bench) => {
        const { path, written } = marker();
        const neighbour = bench.call('neverSettles');
        const call = bench.call('neverSettles', path);
        await written();
        bench.cancel(call, 'stop it');
        expect(codeOf(thrownOf(await call.outcome))).toBe('WORKER_TERMINATED');
        expect(codeOf(thrownOf(await neighbour.outcome))).toBe('WORKER_LOST');
        expect(bench.stats).toMatchObject({ killed: 1, lost: 1 });
      });
    });

    it('an idle thread goes on living: its timers tick', async () => {
      await withBench({ isolation }, async (bench) => {
        await bench.output('startsTicking');
        await sleep(60);
        expect(await bench.output('ticked')).toBeGreaterThan(5);
      });
    });

    it('an error that comes when nothing is executed costs nobody anything', async () => {
      await withBench({ isolation }, async (bench) => {
        expect(await bench.output('throwsAfterwards')).toBe('early');
        while (bench.stats.threads > 0) await sleep(2);
        expect(await bench.output('echo', 'next')).toBe('next');
        expect(bench.stats).toMatchObject({ started: 2, crashed: 1, lost: 0 });
      });
    });

    it('a thread without work ends, and starts again on demand', async () => {
      await withBench({ isolation, idleMs: 20 }, async (bench) => {
        const first = await bench.output('threadOf');
        while (bench.stats.threads > 0) await sleep(2);
        expect(await bench.output('threadOf')).not.toBe(first);
        expect(bench.stats).toMatchObject({ started: 2, crashed: 0, killed: 0 });
      });
    });

    it('close() ends a thread that spins', async () => {
      await withBench({ isolation }, async (bench) => {
        const { path, written } = marker();
        bench.call('spin', path);
        await written();
        await bench.close();
      });
    });
  });

const CANNOT_RUN = 'a host (skipped: this Node runs no TypeScript)';

describe.skipIf(!canRunPrograms)(canRunPrograms ? 'a host' : CANNOT_RUN, () => {
  it.each(ISOLATIONS)(
    '%s: exits with code 0 and without close() when its threads have been idle',
    async (isolation) => {
      const { code, stdout, stderr } = await runProgram(`
      import { workerHandlers } from ${JSON.stringify(new URL('../../src/index.ts', import.meta.url).href)};
      const handlers = workerHandlers(${JSON.stringify(handlersFile('faults.mjs'))}, { idle: '30ms', isolation: '${isolation}' });
      const orchestrator = await Orchestrator.open();
      const handle = await orchestrator.scheduleTask(task('echo', { handler: handlers.echo, inputData: 'hello' }));
      console.log((await handle.result()).outputs.echo);
      const failed = await orchestrator.scheduleTask(task('exit', { handler: handlers.reallyExit }));
      console.log((await failed.settled()).status);
    `);
      expect(stderr).toBe('');
      expect(stdout).toBe('hello\nfailed\n');
      expect(code).toBe(0);
    },
  );
});
