import { defineWorkflow, Orchestrator, type TaskOptions, task } from '@taskmaster-ai/orchestrator';
import { describe, expect, it } from 'vitest';
import { rejection } from '../support/errors.ts';
import { logOf, spansOf, timesOf } from '../support/run-log.ts';
import { openStill, openVirtual } from '../support/virtual-orchestrator.ts';

type Options = Pick<
  TaskOptions<unknown, void, Record<never, never>, undefined>,
  'agentAssigned' | 'resourceRequirements'
>;

/** `count` independent tasks that take `ms` each, with the same needs. */
function workers(name: string, count: number, ms: number, options: Options) {
  const tasks = Array.from({ length: count }, (_, i) =>
    task(`${name}${i}`, { ...options, run: ({ clock }) => clock.sleep(ms) }),
  );
  return defineWorkflow(name, { tasks });
}

/** When each task started, in order. */
async function startTimes(run: Parameters<typeof logOf>[0]): Promise<readonly number[]> {
  return spansOf(await logOf(run)).map((span) => span.from);
}

describe('agents', () => {
  it('do so much at once as their concurrency says; others are not held back', async () => {
    const { orchestrator } = await openVirtual({ agents: { researcher: { concurrency: 2 } } });

    const limited = await orchestrator.manageWorkflow(workers('r', 5, 100, { agentAssigned: 'researcher' }));
    const free = await orchestrator.manageWorkflow(workers('w', 3, 100, { agentAssigned: 'writer' }));
    await Promise.all([limited.result(), free.result()]);

    expect(await startTimes(limited)).toEqual([0, 0, 100, 100, 200]);
    expect(await startTimes(free)).toEqual([0, 0, 0]);
  });

  it('start so many in any span as their rate says, over all runs', async () => {
    const { orchestrator } = await openVirtual({ agents: { api: { rate: { limit: 2, per: '1m' } } } });

    const one = await orchestrator.manageWorkflow(workers('a', 3, 1_000, { agentAssigned: 'api' }));
    const two = await orchestrator.manageWorkflow(workers('b', 2, 1_000, { agentAssigned: 'api' }));
    await Promise.all([one.result(), two.result()]);

    expect(await startTimes(one)).toEqual([0, 0, 60_000]);
    expect(await startTimes(two)).toEqual([60_000, 120_000]);
  });

  it('have a rate over any span, not one that begins anew at each full minute', async () => {
    const { orchestrator, clock } = await openStill({ agents: { api: { rate: { limit: 2, per: '1m' } } } });
    const start = (name: string) =>
      orchestrator.manageWorkflow(workers(name, 1, 0, { agentAssigned: 'api' }));
    const first = await start('first');
    await clock.advance('50s');
    const rest = [await start('second'), await start('third'), await start('fourth')];

    await clock.advance('5m');

    // From 50 s to 110 s there are two starts, as in every other minute.
    const starts = [];
    for (const run of [first, ...rest]) starts.push(...(await startTimes(run)));
    expect(starts).toEqual([0, 50_000, 60_000, 110_000]);
  });

  it('have both limits at once, and an attempt that is tried again counts again', async () => {
    const { orchestrator } = await openVirtual({
      agents: { api: { concurrency: 1, rate: { limit: 2, per: '10s' } } },
    });
    const flaky = task('flaky', {
      agentAssigned: 'api',
      retry: { maxAttempts: 3, delay: 0 },
      run: ({ attempt, clock }) =>
        clock.sleep(1_000).then(() => (attempt < 3 ? Promise.reject(new Error('no')) : 'done')),
    });

    const run = await orchestrator.manageWorkflow(defineWorkflow('flaky', { tasks: [flaky] }));
    await run.result();

    expect(await startTimes(run)).toEqual([0, 1_000, 10_000]);
  });

  it('say why a task of theirs waits', async () => {
    const { orchestrator, clock } = await openStill({
      agents: { busy: { concurrency: 1 }, rated: { rate: { limit: 1, per: '1m' } } },
    });
    const busy = await orchestrator.manageWorkflow(workers('b', 2, 1_000, { agentAssigned: 'busy' }));
    const rated = await orchestrator.manageWorkflow(workers('r', 2, 10, { agentAssigned: 'rated' }));
    await clock.advance(100);

    expect(busy.tasks()[1]).toMatchObject({ status: 'waiting', reason: 'agent' });
    expect(rated.tasks()[1]).toMatchObject({ status: 'waiting', reason: 'rate' });
  });

  it.each([
    ['an unknown limit', { concurency: 1 }, 'OPTION_UNKNOWN'],
    ['a rate without span', { rate: { limit: 1 } }, 'OPTION_INVALID'],
    ['a rate of nothing', { rate: { limit: 0, per: '1m' } }, 'OPTION_INVALID'],
    ['a rate over no time', { rate: { limit: 1, per: 0 } }, 'OPTION_INVALID'],
  ])('with %s are refused', async (_, agent, code) => {
    const error = await rejection(Orchestrator.open({ agents: { api: agent as never } }));
    expect(error.code).toBe(code);
    expect(error.message).toContain('open/agents/api');
  });
});

describe('replenishing resources', () => {
  it('come back a span after they were taken, and are not given back at the end of a task', async () => {
    const { orchestrator, clock } = await openVirtual({
      resources: { tokens: { capacity: 1_000, per: '1m' } },
    });
    const needs = (amount: number) => ({ resourceRequirements: { tokens: amount } });
    const tasks = [
      task('first', { ...needs(600), run: ({ clock: time }) => time.sleep(1_000) }),
      task('second', { ...needs(600), run: ({ clock: time }) => time.sleep(1_000) }),
      task('small', { ...needs(400), run: ({ clock: time }) => time.sleep(1_000) }),
    ];

    const run = await orchestrator.manageWorkflow(defineWorkflow('tokens', { tasks }));
    await run.result();

    // The small one fits beside the first; the second waits for the first one's tokens, not for its end.
    expect(timesOf(await logOf(run))).toEqual({
      first: [0, 1_000],
      small: [0, 1_000],
      second: [60_000, 61_000],
    });
    expect(orchestrator.resources.usage('tokens')).toEqual({
      name: 'tokens',
      kind: 'rate',
      capacity: 1_000,
      used: 600,
      free: 400,
    });
    expect(clock.now()).toBe(61_000);
  });

  it('never give more than their capacity in any span, whatever is asked for when', async () => {
    const { orchestrator } = await openVirtual({ resources: { calls: { capacity: 5, per: 1_000 } } });
    const runs = [];
    for (let i = 0; i < 6; i++) {
      runs.push(
        await orchestrator.manageWorkflow(
          workers(`w${i}-`, 4, 37 * (i + 1), { resourceRequirements: { calls: 1 + (i % 3) } }),
        ),
      );
    }

    const taken: { readonly at: number; readonly amount: number }[] = [];
    for (const [i, run] of runs.entries()) {
      await run.result();
      for (const at of await startTimes(run)) taken.push({ at, amount: 1 + (i % 3) });
    }

    for (const { at } of taken) {
      const within = taken.filter((other) => other.at >= at && other.at < at + 1_000);
      expect(within.reduce((sum, { amount }) => sum + amount, 0)).toBeLessThanOrEqual(5);
    }
    expect(taken).toHaveLength(24);
  });
});

describe('budgets', () => {
  it('are used up for good: who no longer fits waits, and says so', async () => {
    const { orchestrator, clock } = await openStill({ resources: { money: { budget: 10 } } });
    const tasks = [
      task('first', { resourceRequirements: { money: 6 }, run: () => 'paid' }),
      task('second', { resourceRequirements: { money: 6 }, run: () => 'paid' }),
      task('cheap', { resourceRequirements: { money: 3.5 }, run: () => 'paid' }),
    ];

    const run = await orchestrator.manageWorkflow(defineWorkflow('spending', { tasks }));
    await clock.advance('1h');

    expect(run.tasks().map(({ taskId, status, reason }) => [taskId, status, reason])).toEqual([
      ['first', 'completed', undefined],
      ['second', 'waiting', 'budget'],
      ['cheap', 'completed', undefined],
    ]);
    expect(orchestrator.resources.usage('money')).toMatchObject({ kind: 'budget', used: 9.5, free: 0.5 });

    // Whoever raises the budget lets it go on.
    orchestrator.resources.setCapacity('money', 20);
    expect((await run.result()).outputs.second).toBe('paid');
    expect(orchestrator.resources.usage('money').free).toBe(4.5);
  });

  it.each([
    ['both forms', { budget: 1, capacity: 1 }, 'OPTION_CONFLICT'],
    ['a negative one', { budget: -1 }, 'OPTION_INVALID'],
    ['neither form', {}, 'OPTION_INVALID'],
    ['text', '10', 'OPTION_INVALID'],
    ['a span without capacity', { per: '1m' }, 'OPTION_INVALID'],
  ])('with %s are refused', async (_, resource, code) => {
    const error = await rejection(Orchestrator.open({ resources: { money: resource as never } }));
    expect(error.code).toBe(code);
    expect(error.message).toContain('open/resources/money');
  });
});
