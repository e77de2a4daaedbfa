/** The books of a module's threads, whatever those do: threads are played, in any order, with deaths at any moment. */
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Call } from '../../../src/adapters/worker-threads/call.ts';
import { type PoolStage, stage } from '../../support/pool-stage.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});

afterEach(() => {
  vi.useRealTimers();
});

const NAMES = ['alone', 'many', 'few', 'timed', 'crowded'] as const;
const LIMITS = {
  many: { concurrent: 3 },
  few: { concurrency: 2 },
  timed: { timeoutMs: 50 },
  crowded: { concurrent: 2, concurrency: 3, queue: 4 },
};

type Step = { readonly does: string; readonly n: number; readonly name: (typeof NAMES)[number] };

const DOES = [
  'submit',
  'submit',
  'unsendable',
  'cancel',
  'load',
  'take',
  'begin',
  'begin',
  'work',
  'work',
  'work',
  'finish',
  'finish',
  'fail',
  'flush',
  'flush',
  'crash',
  'oom',
  'asTold',
  'wait',
  'grace',
  'idle',
  'reload',
  'refuse',
  'turn',
] as const;

const step: fc.Arbitrary<Step> = fc.record({
  does: fc.constantFrom(...DOES),
  n: fc.nat(20),
  name: fc.constantFrom(...NAMES),
});

async function play(s: PoolStage, { does, n, name }: Step): Promise<void> {
  const thread = s.links.living[n % Math.max(1, s.links.living.length)];
  const open = s.calls.filter(({ call }) => !call.isOver);
  switch (does) {
    case 'submit':
      for (let i = 0; i < 1 + (n % 3); i++) s.submit(name);
      return;
    case 'work':
      await s.turn();
      thread?.load();
      await s.turn();
      while (thread?.take()) {}
      while (thread?.begin()) {}
      return;
    case 'unsendable':
      s.submit(name, 'unsendable');
      return;
    case 'cancel':
      if (open.length > 0) s.cancel(open[n % open.length]?.call as Call);
      return;
    case 'load':
      thread?.load();
      return;
    case 'refuse':
      if (n % 4 === 0) thread?.refuse();
      return;
    case 'take':
      thread?.take();
      return;
    case 'begin':
      thread?.begin();
      return;
    case 'finish':
    case 'fail':
      thread?.finish(n, does === 'fail');
      return;
    case 'flush':
      thread?.flush();
      return;
    case 'crash':
    case 'oom':
      if (n % 3 === 0) thread?.die(does === 'oom' ? 'memory' : 'crashed');
      return;
    case 'asTold':
      thread?.die('asTold');
      return;
    case 'wait':
      vi.advanceTimersByTime(10);
      return;
    case 'grace':
      vi.advanceTimersByTime(100);
      return;
    case 'idle':
      vi.advanceTimersByTime(1_000);
      return;
    case 'reload':
      if (n % 5 === 0) s.pool.reload();
      return;
    default:
      await s.turn();
  }
}

/** Counts what a history came to, so that a change of the steps cannot make the property an empty one. */
function note(seen: Record<string, number>, { pool, calls }: PoolStage): void {
  const { crashed, killed, lost, resent, started } = pool.stats();
  const happened: Record<string, number> = { crashed, killed, lost, resent, several: Number(started > 1) };
  for (const { outcomes } of calls) {
    const [outcome] = outcomes;
    const code =
      outcome?.ok === false ? (outcome.thrown as { readonly code?: string } | null)?.code : undefined;
    if (code !== undefined) happened[code] = 1;
  }
  for (const [what, count] of Object.entries(happened)) seen[what] = (seen[what] ?? 0) + count;
}

describe('the threads of a module', () => {
  for (const sharesMemory of [true, false]) {
    const seen: Record<string, number> = {
      ...{
        crashed: 0,
        killed: 0,
        lost: 0,
        resent: 0,
        several: 0,
        WORKER_CRASHED: 0,
        WORKER_OUT_OF_MEMORY: 0,
      },
      ...{
        WORKER_TERMINATED: 0,
        WORKER_LOST: 0,
        HANDLER_LOAD_FAILED: 0,
        QUEUE_FULL: 0,
        VALUE_UNSERIALISABLE: 0,
      },
    };
    it(`have each call reported once, executed nowhere twice, and nothing is left (shared memory: ${sharesMemory})`, async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(step, { maxLength: 80, size: 'max' }),
          fc.integer({ min: 1, max: 3 }),
          async (steps, threads) => {
            const s = stage({ threads, handlers: LIMITS, sharesMemory, queue: 12 });
            for (const one of steps) {
              await play(s, one);
              s.check();
            }
            await s.finishAll();
            s.checkEmpty();
            note(seen, s);
          },
        ),
        { numRuns: 250 },
      );
      // Given that all that can happen to a thread has happened
      expect(
        Object.entries(seen)
          .filter(([, count]) => count === 0)
          .map(([what]) => what),
      ).toEqual(sharesMemory ? [] : ['resent']);
    });
  }
});
