/** What limits promise about the threads of a module: how many calls wait, run at once, and for how long. */
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { FakeThread } from '../../support/fake-threads.ts';
import { type PoolStage, type StagedCall, stage } from '../../support/pool-stage.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});

afterEach(() => {
  vi.useRealTimers();
});

const codeOf = ({ outcomes: [outcome] }: StagedCall): unknown =>
  outcome?.ok === false ? (outcome.thrown as { readonly code?: unknown }).code : outcome?.ok;

const isRefused = (call: StagedCall): boolean => codeOf(call) === 'QUEUE_FULL';

/** The threads begin all that they may; none ends a call. */
async function beginAll(s: PoolStage): Promise<void> {
  for (let round = 0; round < 3; round++) {
    await s.turn();
    for (const thread of s.links.living) {
      thread.load();
      while (thread.take()) {}
      while (thread.begin()) {}
    }
  }
}

describe('how many calls may wait', () => {
  it('is the same for calls of one turn and calls one by one: those beyond what threads are free for', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          threads: fc.integer({ min: 1, max: 3 }),
          concurrent: fc.integer({ min: 1, max: 4 }),
          concurrency: fc.option(fc.integer({ min: 1, max: 6 }), { nil: undefined }),
          queue: fc.integer({ min: 1, max: 8 }),
          isOfHandler: fc.boolean(),
          sharesMemory: fc.boolean(),
        }),
        // After which calls the threads do something.
        fc.array(fc.boolean(), { minLength: 30, maxLength: 30 }),
        async (given, pauses) => {
          const { threads, concurrent, concurrency, queue, isOfHandler, sharesMemory } = given;
          const s = stage({
            threads,
            queue: isOfHandler ? 1_000 : queue,
            sharesMemory,
            handlers: { any: { concurrent, concurrency, queue: isOfHandler ? queue : undefined } },
          });
          for (const pause of pauses) {
            s.submit('any');
            if (pause) await beginAll(s);
          }
          // Then as many are accepted as can be executed at once, and wait
          const executed = Math.min(threads * concurrent, concurrency ?? Number.POSITIVE_INFINITY);
          const accepted = s.calls.filter((call) => !isRefused(call));
          expect(accepted.length).toBe(Math.min(pauses.length, executed + queue));
          expect(s.calls.slice(0, accepted.length)).toEqual(accepted);
          await s.pool.close();
        },
      ),
      { numRuns: 200 },
    );
  });

  it('counts what waits in threads too', async () => {
    // Given a thread that executes one call for ever
    const s = stage({ threads: 1, queue: 5 });
    s.submit('any');
    await beginAll(s);
    // When calls come one by one, each of which is sent to it
    const calls: StagedCall[] = [];
    for (let i = 0; i < 7; i++) {
      calls.push(s.submit('any'));
      await beginAll(s);
    }
    // Then five may wait
    expect(calls.map(isRefused)).toEqual([false, false, false, false, false, true, true]);
    s.links.living[0]?.finish();
    s.links.living[0]?.flush();
    await beginAll(s);
    expect([s.submit('any'), s.submit('any')].map(isRefused)).toEqual([false, true]);
    await s.finishAll();
    s.checkEmpty();
  });
});

it.each([true, false])(
  'one thread executes as many calls at once as its handler says (shared memory: %s)',
  async (sharesMemory) => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 600 }), async (concurrent) => {
        const s = stage({ threads: 1, queue: 100_000, sharesMemory, handlers: { any: { concurrent } } });
        for (let i = 0; i < concurrent + 1; i++) s.pool.submit(s.invocation('any'), () => {});
        await beginAll(s);
        expect(s.links.witness.executing.size).toBe(concurrent);
        await s.pool.close();
      }),
      { numRuns: 6, examples: [[256], [257], [1_500]] },
    );
  },
);

describe('a call that was told to stop', () => {
  /** A thread that executes a call. */
  async function executing(s: PoolStage): Promise<FakeThread> {
    await beginAll(s);
    return s.links.living[0] as FakeThread;
  }

  it('has one grace, however often it is told', async () => {
    // Given a call that was told to stop, with a grace of 30 ms
    const s = stage({ threads: 1 });
    const { call } = s.submit('any');
    const thread = await executing(s);
    s.cancel(call);
    // When it is told again and again
    for (let i = 0; i < 2; i++) {
      vi.advanceTimersByTime(14);
      s.cancel(call);
    }
    expect(thread.isKilled).toBe(false);
    vi.advanceTimersByTime(2);
    // Then its thread is ended after the first
    expect(thread.isKilled).toBe(true);
  });

  it.each([
    ['before', 45, 5, 'the 50 ms that its handler may take'],
    ['after', 5, 30, '30 ms after it was told to stop'],
  ])(
    '%s the grace ends its handler may be at its limit: what comes first counts',
    async (_, at, left, why) => {
      // Given a handler that may take 50 ms, told to stop with a grace of 30 ms
      const s = stage({ threads: 1, handlers: { timed: { timeoutMs: 50 } } });
      const staged = s.submit('timed');
      const thread = await executing(s);
      vi.advanceTimersByTime(at);
      s.cancel(staged.call);
      // When what is left of the shorter one is over
      vi.advanceTimersByTime(left - 1);
      expect(thread.isKilled).toBe(false);
      vi.advanceTimersByTime(1);
      // Then the thread is ended, once, and the error says for what
      expect(thread.isKilled).toBe(true);
      vi.advanceTimersByTime(100);
      expect(s.pool.stats().killed).toBe(1);
      thread.die('asTold');
      expect(staged.outcomes).toMatchObject([{ thrown: { message: expect.stringContaining(why) } }]);
    },
  );

  it('is limited by its handler too when the thread says late that it has begun', async () => {
    // Given a call of which the host does not know that it was begun
    const s = stage({ threads: 1, handlers: { timed: { timeoutMs: 10 } } });
    const { call } = s.submit('timed');
    await s.turn();
    const thread = s.links.living[0] as FakeThread;
    thread.load();
    await s.turn();
    thread.take();
    const flush = vi.spyOn(thread, 'flush').mockReturnValue(false);
    thread.begin();
    flush.mockRestore();
    s.cancel(call);
    thread.flush();
    // When its own limit is over before its grace
    vi.advanceTimersByTime(10);
    // Then its thread is ended
    expect(thread.isKilled).toBe(true);
  });
});

describe('how long a module may take to be loaded', () => {
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  it('is what the option says', async () => {
    const s = stage({ threads: 1, load: 7 });
    const call = s.submit('any');
    await s.turn();
    vi.advanceTimersByTime(6);
    await turn();
    expect(codeOf(call)).toBeUndefined();
    vi.advanceTimersByTime(1);
    await turn();
    expect(codeOf(call)).toBe('HANDLER_LOAD_FAILED');
    expect(call.outcomes).toMatchObject([
      { thrown: { cause: { message: 'it was still loading after 7 ms' } } },
    ]);
  });

  it('does not end before what has arrived meanwhile was heard', async () => {
    // Given a thread whose answer has arrived, and is heard in the next turn
    const s = stage({ threads: 1, load: 60_000 });
    const call = s.submit('any');
    await s.turn();
    const [thread] = s.links.living;
    // When the time ends in this one
    vi.advanceTimersByTime(60_000);
    thread?.load();
    await turn();
    // Then it counts
    expect(thread?.isKilled).toBe(false);
    await s.finishAll();
    expect(codeOf(call)).toBe(true);
  });

  it('is not the time in which the host was busy with other things', async () => {
    // Given a module that is being loaded
    vi.useRealTimers();
    const s = stage({ threads: 1, load: 100 });
    const call = s.submit('any');
    await s.turn();
    // When the host is busy for longer than that, and goes on
    const until = performance.now() + 150;
    while (performance.now() < until);
    await turn();
    await turn();
    // Then the thread has not used up its time
    expect(codeOf(call)).toBeUndefined();
    s.links.living[0]?.load();
    await s.pool.close();
  });
});
