/** What is asked of every task that waits costs about the same for each, however many there are. */
import { defineWorkflow, type Orchestrator, type Run, task } from '@taskmaster-ai/orchestrator';
import { describe, expect, it, vi } from 'vitest';
import { countWork } from '../support/count-work.ts';
import { createGate } from '../support/gate.ts';
import { openStill } from '../support/virtual-orchestrator.ts';

vi.hoisted(async () => (await import('../support/count-work.ts')).startCounting());

interface Crowd {
  readonly orchestrator: Orchestrator;
  readonly runs: readonly Run[];
  /** How often the order of two waiters was asked for so far. */
  readonly asked: () => number;
}

/** So many runs, each with one task that waits for what one other holds. */
async function gather(size: number, policy?: 'priority'): Promise<Crowd> {
  let asked = 0;
  const { orchestrator, clock } = await openStill({
    resources: { cpu: 1, gpu: 1 },
    policy:
      policy ??
      (() => {
        asked++;
        return 0;
      }),
  });
  const needs = { resourceRequirements: { cpu: 1, gpu: 1 } };
  const hog = task('hog', { ...needs, run: () => createGate().promise });
  await orchestrator.manageWorkflow(defineWorkflow('hog', { tasks: [hog] }));
  await clock.advance(0);
  const one = defineWorkflow('one', { tasks: [task('waiter', { ...needs, run: () => 1 })] });
  const runs: Run[] = [];
  for (let i = 0; i < size; i++) runs.push(await orchestrator.manageWorkflow(one));
  await clock.advance(0);
  return { orchestrator, runs, asked: () => asked };
}

const SMALL = 400;
const LARGE = 3_200;
/** Eight times as many may be so many times the work; squares would be 64 times. */
const FACTOR_MAX = 16;

describe('asking about every task that waits', () => {
  it('puts the queue in order once for all explanations, and anew only after a change', async () => {
    const { orchestrator, runs, asked } = await gather(LARGE);
    const before = asked();
    const wrong = runs.filter((run, i) => {
      const why = run.explain('waiter');
      return why.reason !== 'resource' || why.position !== i + 1 || why.ahead !== i;
    });
    expect(wrong).toEqual([]);
    const once = asked() - before;
    // Two askings for each comparison, and about log2(n) comparisons for each waiter.
    expect(once).toBeLessThan(LARGE * Math.log2(LARGE) * 4);

    const [first, second] = runs;
    orchestrator.scheduler.pause({ runId: first?.runId ?? '' });
    expect(second?.explain('waiter')).toMatchObject({ position: 1, ahead: 0 });
    expect(asked() - before).toBeGreaterThan(once);
  });

  it('tells of every change between two explanations, within one turn too', async () => {
    const { orchestrator, runs } = await gather(3, 'priority');
    const last = runs[2];
    const look = () => {
      const why = last?.explain('waiter');
      return why?.reason === 'resource'
        ? [why.position, why.lacks.map(({ name, holders }) => `${name} ${holders.length}`).sort()]
        : why?.reason;
    };
    const stop = new AbortController();
    expect(look()).toEqual([3, ['cpu 1', 'gpu 1']]);
    // One comes as another one leaves, so that as many wait as before.
    const leaver = new AbortController();
    const first = orchestrator.resources.allocateResource({ cpu: 1 }, { priority: 9, signal: leaver.signal });
    first.catch(() => {});
    expect(look()).toEqual([4, ['cpu 1', 'gpu 1']]);
    leaver.abort();
    const behind = orchestrator.resources.allocateResource({ cpu: 1 }, { priority: -9, signal: stop.signal });
    behind.catch(() => {});
    expect(look()).toEqual([3, ['cpu 1', 'gpu 1']]);
    stop.abort();
    await last?.setPriority('waiter', 5);
    expect(look()).toEqual([1, ['cpu 1', 'gpu 1']]);
    await last?.setPriority('waiter', -5);
    expect(look()).toEqual([3, ['cpu 1', 'gpu 1']]);
    orchestrator.resources.setCapacity('cpu', 2);
    const grant = await orchestrator.resources.allocateResource({ cpu: 1 }, { priority: 9 });
    expect(look()).toEqual([3, ['cpu 2', 'gpu 1']]);
    grant.release();
    expect(look()).toEqual([3, ['gpu 1']]);
  });

  it('grows with their number, not with its square: explain, also when paused, and resume', async () => {
    const measure = async (size: number) => {
      const { orchestrator, runs } = await gather(size);
      const { scheduler } = orchestrator;
      const explained = countWork(() => {
        for (const run of runs) run.explain('waiter');
      });
      scheduler.pause({ workflowId: 'one' });
      const pausedToo = countWork(() => {
        for (const run of runs) run.explain('waiter');
      });
      // Each is held twice, so that the first resumes let nobody go.
      for (const { runId } of runs.slice(0, SMALL)) scheduler.pause({ runId });
      const resumed = countWork(() => {
        for (const { runId } of runs.slice(0, SMALL)) scheduler.resume({ runId });
      });
      return { explained, pausedToo, resumed };
    };
    const small = await measure(SMALL);
    const large = await measure(LARGE);
    expect(small.resumed).toBeGreaterThan(SMALL);
    expect(large.explained / small.explained).toBeLessThan(FACTOR_MAX);
    expect(large.pausedToo / small.pausedToo).toBeLessThan(FACTOR_MAX);
    // The same number of resumes, with eight times as many who stand aside for other runs.
    expect(large.resumed / small.resumed).toBeLessThan(2);
  });
});
