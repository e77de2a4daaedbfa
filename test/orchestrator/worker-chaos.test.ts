/**
 * Mixed tasks under a random seed: inline and on threads, healthy, failing, cancelled, timed out, crashing. The same in
 * full, and for long, is `npm run campaign:workers -- --chaos`.
 */
import type { RunEvent } from '@taskmaster-ai/orchestrator';
import { describe, expect, it } from 'vitest';
import { chaosRound, openChaos } from '../campaign/workers/chaos.ts';
import { checkLog } from '../campaign/workers/chaos-check.ts';
import type { Expectation } from '../campaign/workers/chaos-mix.ts';
import { leftAfter, openNow, settleProcess } from '../campaign/workers/leftovers.ts';
import { needsThreads, noThreads } from '../support/workers.ts';

const TASKS = 1_000;

describe.skipIf(noThreads !== undefined)(needsThreads('mixed tasks'), () => {
  it('have one outcome each, the right one, and leave nothing behind', async () => {
    const seed = Math.floor(Math.random() * 1e9);
    console.log(`worker chaos: seed ${seed}`);
    await settleProcess();
    const before = openNow();
    const orchestrator = await openChaos();
    const { wrongs, ends, tasks } = await chaosRound(orchestrator, { seed, tasks: TASKS });
    // Before close(): threads that have nothing to do end by themselves.
    const left = await leftAfter(before);
    await orchestrator.close();
    expect({ seed, wrongs, left }).toEqual({ seed, wrongs: [], left: undefined });
    expect(Object.values(ends).reduce((sum, times) => sum + times, 0)).toBe(tasks);
  });
});

describe('the check of a log of mixed tasks', () => {
  const expected = new Map<string, Expectation>([
    ['a', { kind: 'good', needs: [], output: 1, isCancelled: false, hangs: false }],
    ['b', { kind: 'bad', needs: ['a'], code: 'E_B', isCancelled: false, hangs: false }],
  ]);
  const completed = { type: 'TaskCompleted', path: 'a', output: 1 };
  const failed = { type: 'TaskFailed', path: 'b', failure: { code: 'E_B' } };
  const over = { type: 'RunFailed' };
  const wrongsOf = (...events: object[]): readonly string[] =>
    checkLog({ expected, isFailFast: false }, events as RunEvent[], false).wrongs;

  it('finds nothing in a right one', () => {
    expect(wrongsOf(completed, failed, over)).toEqual([]);
  });

  it.each([
    ['a second end', [completed, completed, failed, over], 'a has ended twice'],
    ['no end', [completed, { type: 'RunCompleted' }], 'b (bad): it has no end'],
    ['another output', [{ ...completed, output: 2 }, failed, over], 'completed with 2 instead of 1'],
    [
      'another code',
      [completed, { ...failed, failure: { code: 'E_C', message: 'm' } }, over],
      'failed with E_C (m) instead of E_B',
    ],
    [
      'a cancel that nobody asked for',
      [{ ...completed, type: 'TaskCancelled', cause: 'run_failed' }, failed, over],
      'cancelled (run_failed), and nobody did',
    ],
    ['a skip without a reason', [completed, { type: 'TaskSkipped', path: 'b' }, over], 'b (bad): skipped'],
    ['a wrong end of the run', [completed, failed, { type: 'RunCompleted' }], 'instead of RunFailed'],
    ['something after the end', [completed, over, failed], 'the run has 1 ends'],
  ])('finds %s', (_, events, wrong) => {
    expect(wrongsOf(...events).join('\n')).toContain(wrong);
  });
});
