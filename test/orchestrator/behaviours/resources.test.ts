import { defineWorkflow, task } from '@taskmaster-ai/orchestrator';
import { describe, expect, it } from 'vitest';
import { rejection } from '../../support/errors.ts';
import { logOf, startsOf, timesOf } from '../../support/run-log.ts';
import { seededRandom } from '../../support/seeded-random.ts';
import { openStill, openVirtual } from '../../support/virtual-orchestrator.ts';

/** A task that takes `ms` and needs resources. */
function job(
  name: string,
  ms: number,
  resourceRequirements: Readonly<Record<string, number>>,
  options: { readonly priority?: number } = {},
) {
  return task(name, { ...options, resourceRequirements, run: ({ clock }) => clock.sleep(ms) });
}

describe('resources', () => {
  it('Q01 a task that needs 2 units does not start with 1 free and starts as soon as 2 are free', async () => {
    const { orchestrator } = await openVirtual({ resources: { cpu: 3 } });
    const tasks = [job('long', 100, { cpu: 1 }), job('short', 40, { cpu: 1 }), job('two', 10, { cpu: 2 })];
    const run = await orchestrator.manageWorkflow(
      defineWorkflow('q01', { tasks: [...tasks, job('filler', 60, { cpu: 1 }, { priority: 1 })] }),
    );
    expect(run.tasks().find(({ taskId }) => taskId === 'two')).toMatchObject({
      status: 'waiting',
      reason: 'resource',
    });
    await run.result();
    // One unit is free from 40 on, two from 60 on.
    expect(timesOf(await logOf(run))).toMatchObject({ short: [0, 40], filler: [0, 60], two: [60, 70] });
  });

  it('Q02 a request above total capacity is reported as unschedulable at submission, not left waiting', async () => {
    const { orchestrator } = await openVirtual({ resources: { gpu: 2 } });
    let started = 0;
    const small = task('small', { run: () => ++started });
    const workflow = defineWorkflow('big', { tasks: [small, job('huge', 1, { gpu: 3 })] });

    const error = await rejection(orchestrator.manageWorkflow(workflow));

    expect(error.code).toBe('RESOURCE_UNSCHEDULABLE');
    expect(error.message).toContain('workflow "big" task "huge"/resourceRequirements/gpu');
    expect(error.details).toMatchObject({ found: '3 of "gpu"', allowed: 'at most its whole capacity of 2' });
    expect(started).toBe(0);
    expect(orchestrator.runs()).toEqual([]);
    expect(orchestrator.resources.usage('gpu')).toMatchObject({ used: 0 });
    await expect(rejection(orchestrator.resources.allocateResource({ gpu: 3 }))).resolves.toMatchObject({
      code: 'RESOURCE_UNSCHEDULABLE',
    });
  });

  it('Q03 tasks with and without requirements compete by priority; one that does not fit does not block one that does', async () => {
    const { orchestrator } = await openVirtual({ resources: { cpu: 2 }, concurrency: 2 });
    const plain = (name: string, priority: number) =>
      task(name, { priority, run: ({ clock }) => clock.sleep(10) });
    const tasks = [
      plain('plain-low', 1),
      job('cpu-mid', 10, { cpu: 1 }, { priority: 5 }),
      job('cpu-both', 10, { cpu: 2 }, { priority: 8 }),
      plain('plain-high', 9),
      job('cpu-top', 30, { cpu: 1 }, { priority: 10 }),
    ];
    const run = await orchestrator.manageWorkflow(defineWorkflow('q03', { tasks }));
    await run.result();
    expect(startsOf(await logOf(run))).toEqual(['cpu-top', 'plain-high', 'cpu-mid', 'plain-low', 'cpu-both']);
    expect(timesOf(await logOf(run))).toMatchObject({ 'cpu-mid': [10, 20], 'cpu-both': [30, 40] });
  });

  it('Q04 after 1,000 random successes, failures, timeouts and cancellations the free amount equals the capacity', async () => {
    const { orchestrator } = await openVirtual({
      resources: { cpu: 7, memory: 2.5 },
      agents: { worker: { concurrency: 40 } },
    });
    const random = seededRandom(20_240_804);
    const ends = new Set<string>();
    const runs = [];
    for (let i = 0; i < 1_000; i++) {
      const kind = ['success', 'failure', 'timeout', 'cancel', 'retry'][Math.floor(random() * 5)] as string;
      const one = task(`t${i}`, {
        agentAssigned: 'worker',
        resourceRequirements: {
          cpu: 1 + Math.floor(random() * 7),
          memory: (1 + Math.floor(random() * 25)) / 10,
        },
        locks: random() < 0.3 ? [`lock${Math.floor(random() * 3)}`] : [],
        ...(kind === 'timeout' ? { timeout: 5 } : {}),
        ...(kind === 'retry' ? { retry: { maxAttempts: 3, delay: 7 } } : {}),
        run: async ({ clock, attempt }) => {
          await clock.sleep(1 + Math.floor(random() * 9));
          if (kind === 'failure' || (kind === 'retry' && attempt < 3)) throw new Error(kind);
        },
      });
      const run = await orchestrator.scheduleTask(one);
      // Some are cancelled while they wait, some while they run.
      if (kind === 'cancel') void run.cancel(kind);
      runs.push(run);
      if (i % 10 === 9)
        await Promise.all(runs.slice(-10).map((last) => (random() < 0.5 ? last.settled() : null)));
      if (random() < 0.1) void runs[Math.floor(random() * runs.length)]?.cancel('by chance');
    }
    for (const run of runs) ends.add((await run.settled()).status);

    expect([...ends].sort()).toEqual(['cancelled', 'completed', 'failed']);
    expect(orchestrator.resources.usage('cpu')).toMatchObject({ used: 0, free: 7, capacity: 7 });
    expect(orchestrator.resources.usage('memory')).toMatchObject({ used: 0, free: 2.5, capacity: 2.5 });
    expect(orchestrator.concurrency.running).toBe(0);
    (await orchestrator.concurrency.acquireLock(['lock0', 'lock1', 'lock2'], { timeout: 0 })).release();
  });

  it('Q06 two resource kinds are taken together: no task holds one while waiting for the other', async () => {
    const { orchestrator, clock } = await openStill({ resources: { cpu: 1, gpu: 1 } });
    const gpu = await orchestrator.resources.allocateResource({ gpu: 1 });
    const both = await orchestrator.scheduleTask(job('both', 10, { cpu: 1, gpu: 1 }, { priority: 9 }));
    expect(both.tasks()).toMatchObject([{ status: 'waiting', reason: 'resource' }]);

    // It waits for the gpu and holds no cpu, so a task of lower priority can have that.
    expect(orchestrator.resources.usage('cpu').used).toBe(0);
    const cpuOnly = await orchestrator.scheduleTask(job('cpuOnly', 10, { cpu: 1 }));
    expect(cpuOnly.tasks()).toMatchObject([{ status: 'in_progress' }]);

    // With the gpu free and the cpu taken it still holds neither.
    orchestrator.resources.releaseResource(gpu);
    await clock.advance(0);
    expect(both.tasks()).toMatchObject([{ status: 'waiting' }]);
    expect(orchestrator.resources.usage('gpu').used).toBe(0);
    await clock.advance(10);
    expect(both.tasks()).toMatchObject([{ status: 'in_progress' }]);
    expect(orchestrator.resources.usage('gpu').used).toBe(1);
    await clock.advance(10);
    await both.result();
  });

  it('Q07 a full pool does not hold back tasks of another pool', async () => {
    const { orchestrator } = await openVirtual({ resources: { full: 1, free: 1 } });
    const blocked = Array.from({ length: 50 }, (_, i) => job(`full${i}`, 100, { full: 1 }, { priority: 5 }));
    const run = await orchestrator.manageWorkflow(
      defineWorkflow('pools', {
        tasks: [...blocked, job('other', 10, { free: 1 }), task('none', { run: () => 1 })],
      }),
    );
    await run.result();
    expect(timesOf(await logOf(run))).toMatchObject({ full0: [0, 100], other: [0, 10], none: [0, 0] });
  });

  it('Q08 capacity can be changed while running: more wakes waiters, less never goes negative', async () => {
    const { orchestrator, clock } = await openStill({ resources: { cpu: 1 } });
    const tasks = Array.from({ length: 6 }, (_, i) => job(`t${i}`, 100, { cpu: 1 }));
    const run = await orchestrator.manageWorkflow(defineWorkflow('q08', { tasks }));
    const running = (): number => run.tasks().filter(({ status }) => status === 'in_progress').length;
    expect(running()).toBe(1);

    orchestrator.resources.setCapacity('cpu', 4);
    await clock.advance(0);
    expect(running()).toBe(4);

    orchestrator.resources.setCapacity('cpu', 1);
    await clock.advance(50);
    // What runs keeps what it has; nothing is free, and never less than nothing.
    expect(running()).toBe(4);
    expect(orchestrator.resources.usage('cpu')).toMatchObject({ capacity: 1, used: 4, free: 0 });
    await clock.advance(50);
    expect(running()).toBe(1);
    expect(orchestrator.resources.usage('cpu')).toMatchObject({ capacity: 1, used: 1, free: 0 });

    orchestrator.resources.setCapacity('cpu', 0);
    await clock.advance(200);
    expect(running()).toBe(0);
    expect(run.tasks().at(-1)).toMatchObject({ status: 'waiting', reason: 'resource' });
    orchestrator.resources.setCapacity('cpu', 1);
    await clock.advance(100);
    await run.result();
    expect(orchestrator.resources.usage('cpu')).toMatchObject({ used: 0, free: 1 });
  });

  it('Q09 ten requests of 0.1 fill a capacity of 1 exactly, over many rounds', async () => {
    const { orchestrator, clock } = await openStill({ resources: { share: 1 } });
    for (let round = 0; round < 100; round++) {
      const runs = await Promise.all(
        Array.from({ length: 11 }, (_, i) => orchestrator.scheduleTask(job(`t${i}`, 10, { share: 0.1 }))),
      );
      expect(orchestrator.resources.usage('share')).toMatchObject({ used: 1, free: 0 });
      expect(runs.map((run) => run.tasks()[0]?.status)).toEqual([
        ...Array.from({ length: 10 }, () => 'in_progress'),
        'waiting',
      ]);
      await clock.advance(20);
      await Promise.all(runs.map((run) => run.result()));
      expect(orchestrator.resources.usage('share')).toMatchObject({ used: 0, free: 1 });
    }
  });
});
