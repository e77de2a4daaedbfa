import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../support/seeded-random.ts';
import { digestOf, digestOfTasks } from './digest.ts';
import { Evidence } from './evidence.ts';
import type { Line } from './protocol.ts';
import { openNow, Sampler } from './sampler.ts';
import { slopeOf } from './slope.ts';
import { judge, type Measured } from './verdict.ts';
import { largeValue, oddValue } from './workload.ts';

const MB = 1e6;
const MINUTES = 30;

interface Shape {
  /** Bytes that each process gathers by the second. */
  readonly leak?: number;
  /** Handles that each process gathers by the second. */
  readonly handles?: number;
  /** Bytes that are more in each process than in the one before. */
  readonly byProcess?: number;
  readonly lagMs?: number;
  /** How many processes are killed in the first two thirds of the time; the last one has a third. */
  readonly deaths?: number;
}

/** What a soak of half an hour hears: noise as of a collector of garbage, a wild sample now and then. */
function soaked({ leak = 0, handles = 0, byProcess = 0, lagMs = 12, deaths = 0 }: Shape): Measured[] {
  const random = seededRandom(7);
  const lifeS = (MINUTES * 40) / Math.max(1, deaths);
  return Array.from({ length: MINUTES * 12 }, (_, i) => {
    const at = i * 5;
    const process = Math.min(deaths, Math.floor(at / lifeS));
    const ageS = at - process * lifeS;
    const wild = random() < 0.05 ? 20 * MB : 0;
    return {
      ...{ at, process, kept: 0, finished: i * 500, kinds: {}, isAtRest: i % 3 === 0 },
      ageMs: ageS * 1_000,
      heap: 40 * MB + (random() - 0.5) * MB + wild + leak * ageS + byProcess * process,
      rss: 150 * MB,
      external: 5 * MB,
      handles: 8 + Math.floor(random() * 2) + Math.floor(handles * ageS),
      lagP99Ms: lagMs + random() * 5,
      lagMaxMs: 90,
    };
  });
}

const problemsOf = (shape: Shape): string => judge(soaked(shape), MINUTES).problems.join('\n');

describe('the verdict on the samples of a soak', () => {
  it('finds nothing wrong with what only swings', () => {
    expect(problemsOf({})).toBe('');
    expect(problemsOf({ deaths: 30 })).toBe('');
  });

  it('finds a leak of 3 kB by the second below the noise of 1 MB, and tells how much it is', () => {
    expect(problemsOf({ leak: 3_000 })).toMatch(/heap at rest: grows, by 5\.\d MB/u);
  });

  it('finds a leak that each process begins anew', () => {
    expect(problemsOf({ leak: 20_000, deaths: 30 })).toMatch(/heap at rest: grows/u);
  });

  it('finds what grows from one process to the next, and in none of them', () => {
    expect(problemsOf({ byProcess: 0.3 * MB, deaths: 30 })).toMatch(/^heap, by process: grows/u);
  });

  it('finds a handle that stays open every five minutes', () => {
    expect(problemsOf({ handles: 1 / 300 })).toMatch(/handles at rest: grows/u);
  });

  it('finds an event loop that keeps others waiting', () => {
    expect(problemsOf({ lagMs: 150 })).toMatch(/p99 of the lag is 15\d ms/u);
  });

  it('finds what a store keeps in memory of each run that has ended', () => {
    const kept = soaked({}).map((one, i) => ({ ...one, heap: one.heap + i * 200 * 550 }));
    expect(judge(kept, MINUTES).problems.join()).toMatch(/heap at rest: grows/u);
  });

  it('does not pass when nothing was measured', () => {
    expect(judge([], MINUTES).problems).toContain('heap at rest: too few samples');
  });

  it('knows the slope whatever a quarter of the points says', () => {
    const points = Array.from({ length: 40 }, (_, i) => ({
      at: i,
      value: i % 5 === 0 ? 1e9 : 3 * i,
      life: 1,
    }));
    expect(slopeOf(points)?.perSecond).toBe(3);
  });
});

describe('the sampler', () => {
  const collect = (): void => {};

  it('counts handles that are left open', async () => {
    const sampler = new Sampler(collect);
    const before = await sampler.take(0, true);
    const planted = Array.from({ length: 30 }, () => setInterval(() => {}, 1e6));
    const after = await sampler.take(0, true);
    for (const timer of planted) clearInterval(timer);
    expect((after.kinds.Timeout ?? 0) - (before.kinds.Timeout ?? 0)).toBe(30);
    expect(after.handles - before.handles).toBeGreaterThan(20);
    expect(openNow().Timeout).toBe(before.kinds.Timeout);
  });

  it('sees memory that is held, and an event loop that was kept', async () => {
    const sampler = new Sampler(collect);
    await wait(50);
    const before = await sampler.take(0, true);
    const held = new Uint8Array(30 * MB);
    await wait(30);
    const until = performance.now() + 120;
    while (performance.now() < until);
    await wait(30);
    const after = await sampler.take(0, true);
    expect(after.external - before.external).toBeGreaterThan(held.length * 0.9);
    expect(after.lagMaxMs).toBeGreaterThan(80);
  });
});

const TASKS = { a: digestOf(1), b: digestOf(2) };
const END: Line = { type: 'end', run: 'r', status: 'completed', digest: digestOfTasks(TASKS) };
const STATE: Line = { type: 'state', run: 'r', status: 'completed', tasks: TASKS };
const TASK: Line = { type: 'task', run: 'r', path: 'a', digest: TASKS.a };
const LAST: Line = { type: 'last' };

/** What two processes say, one after the other. */
function violationsOf(first: readonly Line[], second: readonly Line[]): string {
  const evidence = new Evidence(seededRandom(1));
  for (const line of first) evidence.hear(line, 1);
  evidence.ask();
  for (const line of second) evidence.hear(line, 2);
  evidence.finish();
  return evidence.violations.join('\n');
}

describe('the evidence of a soak', () => {
  it('finds nothing wrong with what is as it was acknowledged', () => {
    expect(violationsOf([TASK, END], [STATE, LAST, STATE])).toBe('');
    expect(violationsOf([TASK], [{ ...STATE, status: 'in_progress' }, END, LAST, STATE])).toBe('');
  });

  it.each<[string, readonly Line[], readonly Line[], RegExp]>([
    [
      'a run that is gone',
      [TASK, END],
      [{ ...STATE, status: undefined, tasks: {} }],
      /acknowledged as completed/u,
    ],
    ['a run that nobody tells of any more', [END], [LAST], /acknowledged as completed; it is not/u],
    ['a run that was begun and is gone', [TASK], [LAST], /nothing is there at the end/u],
    [
      'a result that is gone',
      [TASK],
      [{ ...STATE, status: 'in_progress', tasks: {} }],
      /there is undefined/u,
    ],
    ['another result', [END], [{ ...STATE, tasks: { ...TASKS, b: digestOf(3) } }], /was completed, it is/u],
    ['another end', [END], [{ ...STATE, status: 'failed' }], /was completed, it is failed/u],
    [
      'an end told of twice, differently',
      [END],
      [{ ...END, status: 'failed' }, LAST, STATE],
      /then as failed/u,
    ],
    ['a task that is done again', [TASK], [{ type: 'begin', run: 'r', path: 'a' }], /begins in process 2/u],
    ['a run that never ends', [TASK], [LAST, { ...STATE, status: 'paused' }], /never ends/u],
    [
      'a key that gives another run',
      [{ type: 'key', key: '1-3-chain', run: 'r' }],
      [{ type: 'key', key: '1-3-chain', run: 's' }],
      /is the key of r and s/u,
    ],
    ['what a process tells of itself', [{ type: 'fault', what: 'a scene has not ended' }], [], /not ended/u],
  ])('finds %s', (_what, first, second, message) => {
    expect(violationsOf(first, second)).toMatch(message);
  });

  it('does not hold what is acknowledged while a state is on its way against that state', () => {
    const early: Line = { ...STATE, status: 'in_progress', tasks: { a: TASKS.a } };
    expect(violationsOf([TASK], [END, early, LAST, STATE])).toBe('');
  });

  it('lets a run be done again that was moved', () => {
    const moved: Line = { type: 'again', run: 'r', paths: ['a'] };
    expect(violationsOf([TASK, moved], [{ type: 'begin', run: 'r', path: 'a' }, END, LAST, STATE])).toBe('');
  });

  it('lets go only what is pruned: what has ended long enough ago, or was ended when its process died', () => {
    let now = 0;
    const missing = (afterMs: number, lines: readonly Line[]): string => {
      const evidence = new Evidence(seededRandom(1), () => now);
      now = 1_000;
      for (const line of lines) evidence.hear(line, 1);
      evidence.ask();
      if (!lines.includes(END)) evidence.hear(STATE, 2);
      evidence.ask();
      now += afterMs;
      evidence.hear({ type: 'state', run: 'r', status: undefined, tasks: {} }, 3);
      return evidence.violations.join();
    };
    const prunes: Line = { type: 'prunes', keepMs: 60_000 };
    expect(missing(61_000, [prunes, TASK, END])).toBe('');
    expect(missing(40_000, [prunes, TASK, END])).toMatch(/run r was acknowledged/u);
    expect(missing(61_000, [TASK, END])).toMatch(/run r was acknowledged/u);
    // Its end is in the store, and was never told.
    expect(missing(1_000, [prunes, TASK])).toBe('');
  });

  it('asks for what was acknowledged last, and for keys', () => {
    const evidence = new Evidence(seededRandom(1));
    for (const line of [TASK, { type: 'key', key: '1-3-chain', run: 'r' } as const]) evidence.hear(line, 1);
    expect(evidence.ask()).toEqual({ runs: ['r'], keys: [{ key: '1-3-chain', run: 'r' }] });
    evidence.hear(END, 2);
    expect(evidence.ask()).toEqual({ runs: ['r'], keys: [] });
  });
});

describe('the mark of a value', () => {
  it('is the same for equal values and another for what differs by a little', () => {
    for (const make of [oddValue, largeValue]) {
      expect(digestOf(make(48))).toBe(digestOf(structuredClone(make(48))));
      expect(digestOf(make(48))).not.toBe(digestOf(make(49)));
    }
    const all = [0, -0, '0', 0n, null, undefined, [], {}, [0], new Set([0]), new Map([[0, 0]]), new Date(0)];
    expect(new Set(all.map(digestOf)).size).toBe(all.length);
  });
});
