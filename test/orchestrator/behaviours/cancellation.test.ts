import { getEventListeners } from 'node:events';
import { defineWorkflow, task } from '@taskmaster-ai/orchestrator';
import { describe, expect, it } from 'vitest';
import { rejection } from '../../support/errors.ts';
import { createGate, nextTurn } from '../../support/gate.ts';
import { logOf, startsOf, timesOf } from '../../support/run-log.ts';
import { openStill, openVirtual } from '../../support/virtual-orchestrator.ts';

const RUNS_ON_ONE_SIGNAL = 10_000;

describe('cancellation', () => {
  it('X01 submitting with an already aborted signal never starts the task', async () => {
    const { orchestrator } = await openVirtual();
    let started = 0;
    const only = task('only', { run: () => ++started });
    const signal = AbortSignal.abort(new Error('too late'));

    const scheduled = await orchestrator.scheduleTask(only, { signal });
    const managed = await orchestrator.manageWorkflow(defineWorkflow('never', { tasks: [only] }), { signal });
    const errors = [await rejection(scheduled.result()), await rejection(managed.result())];

    expect(errors.map((error) => error.code)).toEqual(['RUN_CANCELLED', 'RUN_CANCELLED']);
    expect(errors.map((error) => error.cause)).toEqual([signal.reason, signal.reason]);
    expect(started).toBe(0);
    expect(startsOf(await logOf(scheduled))).toEqual([]);
    expect(managed.tasks()).toMatchObject([{ taskId: 'only', status: 'cancelled', attempt: 0 }]);
  });

  it('X02 aborting a waiting task removes it, and the tasks behind it move up', async () => {
    const { orchestrator, clock } = await openVirtual({ concurrency: 1 });
    const started: string[] = [];
    const job = (name: string) =>
      task(name, {
        run: async ({ clock: time }) => {
          started.push(name);
          await time.sleep('1s');
        },
      });
    const controller = new AbortController();
    const first = await orchestrator.scheduleTask(job('first'));
    const second = await orchestrator.scheduleTask(job('second'), { signal: controller.signal });
    const third = await orchestrator.scheduleTask(job('third'));
    expect(second.tasks()).toMatchObject([{ status: 'waiting', reason: 'concurrency' }]);

    controller.abort();
    await second.settled();

    // The wait ended at once, not when its turn would have come.
    expect(clock.now()).toBe(0);
    expect(second.status).toBe('cancelled');
    await Promise.all([first.result(), third.result()]);
    expect(started).toEqual(['first', 'third']);
    expect(timesOf(await logOf(third))).toEqual({ third: [1_000, 2_000] });
  });

  it('X03 aborting a running task: it sees the signal, its finally block runs, locks and resources come back', async () => {
    const { orchestrator, clock } = await openVirtual({ resources: { gpu: 1 } });
    const seen: string[] = [];
    const holder = task('holder', {
      resourceRequirements: { gpu: 1 },
      locks: ['report'],
      run: async ({ clock: time, signal }) => {
        try {
          await time.sleep('1h');
        } finally {
          seen.push(signal.aborted ? 'aborted' : 'not aborted');
        }
      },
    });
    const next = task('next', { resourceRequirements: { gpu: 1 }, locks: ['report'], run: () => 'mine' });
    const controller = new AbortController();
    const first = await orchestrator.scheduleTask(holder, { signal: controller.signal });
    const second = await orchestrator.scheduleTask(next);
    expect(second.tasks()).toMatchObject([{ status: 'waiting' }]);

    controller.abort(new Error('stop'));

    await expect(second.result()).resolves.toMatchObject({ outputs: { next: 'mine' } });
    expect((await first.settled()).status).toBe('cancelled');
    expect(seen).toEqual(['aborted']);
    expect(orchestrator.resources.usage('gpu')).toMatchObject({ used: 0, free: 1 });
    (await orchestrator.concurrency.acquireLock('report', { timeout: 0 })).release();
    expect(clock.now()).toBe(0);
  });

  it('X04 a custom abort reason reaches the caller unchanged', async () => {
    const { orchestrator } = await openVirtual();
    const reasons: readonly unknown[] = [
      new RangeError('enough'),
      'a text',
      Object.freeze({ by: 'hand' }),
      0,
    ];
    for (const reason of reasons) {
      const controller = new AbortController();
      let seen: unknown;
      const waiting = task('waiting', {
        run: async ({ signal, clock }) => {
          try {
            await clock.sleep('1h');
          } finally {
            seen = signal.reason;
          }
        },
      });
      const run = await orchestrator.scheduleTask(waiting, { signal: controller.signal });
      controller.abort(reason);

      expect((await rejection(run.result())).cause).toBe(reason);
      // The handler is told by an error of the catalogue, which has the reason as its cause.
      expect(seen).toMatchObject({ code: 'TASK_CANCELLED' });
      expect((seen as Error).cause).toBe(reason);
    }
    const asked = await orchestrator.scheduleTask(task('asked', { run: ({ clock }) => clock.sleep('1h') }));
    const reason = new Error('by the handle');
    await expect(asked.cancel(reason)).resolves.toBe(true);
    expect((await rejection(asked.result())).cause).toBe(reason);
  });

  it('X05 one controller cancels several queued tasks, the rest go on in order', async () => {
    const { orchestrator } = await openVirtual({ concurrency: 1 });
    const started: string[] = [];
    const controller = new AbortController();
    const runs = await Promise.all(
      Array.from({ length: 8 }, (_, i) =>
        orchestrator.scheduleTask(
          task(`t${i}`, {
            run: async ({ clock }) => {
              started.push(`t${i}`);
              await clock.sleep(10);
            },
          }),
          i % 2 === 1 ? { signal: controller.signal } : {},
        ),
      ),
    );
    controller.abort();
    const settled = await Promise.all(runs.map((run) => run.settled()));

    expect(started).toEqual(['t0', 't2', 't4', 't6']);
    expect(settled.map(({ status }) => status)).toEqual(
      Array.from({ length: 8 }, (_, i) => (i % 2 === 1 ? 'cancelled' : 'completed')),
    );
    expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
  });

  it('X06 cancelling a finished or unknown run or task returns false and breaks nothing', async () => {
    const { orchestrator } = await openVirtual();
    const quick = task('quick', { run: () => 'done' });
    const run = await orchestrator.scheduleTask(quick);
    await run.result();
    const before = await logOf(run);

    await expect(run.cancel('too late')).resolves.toBe(false);
    await expect(run.cancelTask('quick')).resolves.toBe(false);
    await expect(orchestrator.cancelRun(run.runId)).resolves.toBe(false);
    await expect(orchestrator.cancelRun('nobody')).resolves.toBe(false);

    expect(await logOf(run)).toEqual(before);
    await expect(run.result()).resolves.toMatchObject({ outputs: { quick: 'done' } });
    const again = await orchestrator.scheduleTask(quick);
    await expect(again.result()).resolves.toMatchObject({ status: 'completed' });
  });

  it('X09 abort listeners are removed when a run ends: no growth over 10,000 runs on one signal', async () => {
    const { orchestrator } = await openVirtual({ retainRuns: 0 });
    const { signal } = new AbortController();
    const workflow = defineWorkflow('one', { tasks: [task('only', { run: () => 1 })] });
    let most = 0;
    for (let i = 0; i < RUNS_ON_ONE_SIGNAL; i++) {
      const run = await orchestrator.manageWorkflow(workflow, { signal });
      await run.settled();
      most = Math.max(most, getEventListeners(signal, 'abort').length);
    }
    expect(most).toBe(0);
  });

  it('X09 abort listeners of 10,000 tasks on one signal are removed when the tasks end', async () => {
    const { orchestrator, clock } = await openStill();
    const { signal } = new AbortController();
    const tasks = Array.from({ length: RUNS_ON_ONE_SIGNAL }, (_, i) =>
      task(`t${i}`, { run: ({ clock: time }) => time.sleep(5) }),
    );
    const run = await orchestrator.manageWorkflow(defineWorkflow('many', { tasks }), { signal });
    // One listener stands for the whole run, however many of its tasks are in progress.
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    await clock.advance(5);
    await run.result();
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  it('X09 abort listeners are removed when waits for locks and resources end, whichever way they do', async () => {
    const { orchestrator, clock } = await openStill({ resources: { slot: 1 } });
    const { signal } = new AbortController();
    const held = await orchestrator.concurrency.acquireLock('lock');
    const slot = await orchestrator.resources.allocateResource({ slot: 1 });
    const granted = orchestrator.concurrency.acquireLock('lock', { signal });
    const given = rejection(orchestrator.concurrency.acquireLock('lock', { signal, timeout: '1s' }));
    const waited = rejection(orchestrator.resources.allocateResource({ slot: 1 }, { signal, timeout: '1s' }));
    await nextTurn();
    expect(getEventListeners(signal, 'abort')).toHaveLength(3);

    await clock.advance('2s');
    expect([(await given).code, (await waited).code]).toEqual(['WAIT_TIMEOUT', 'WAIT_TIMEOUT']);
    held.release();
    (await granted).release();
    slot.release();
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  it('X09 a handler that sleeps again and again leaves no listeners on its own signal', async () => {
    const { orchestrator } = await openVirtual();
    const gate = createGate<number>();
    const sleeper = task('sleeper', {
      run: async ({ clock, signal }) => {
        for (let i = 0; i < 200; i++) await clock.sleep(1);
        gate.open(getEventListeners(signal, 'abort').length);
      },
    });
    await (await orchestrator.scheduleTask(sleeper)).result();
    expect(await gate.promise).toBe(0);
  });
});
