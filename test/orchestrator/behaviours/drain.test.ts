import { defineWorkflow, task } from '@taskmaster-ai/orchestrator';
import { describe, expect, it } from 'vitest';
import { refusal, rejection } from '../../support/errors.ts';
import { createGate } from '../../support/gate.ts';
import { logOf, ofType, startsOf } from '../../support/run-log.ts';
import { openStill, openVirtual } from '../../support/virtual-orchestrator.ts';

const nap = (id: string, ms: number, options: object = {}) =>
  task(id, { ...options, run: ({ clock }) => clock.sleep(ms) });

describe('drains and clearing', () => {
  it('C10 "idle" is told once per drain, only when nothing runs and nothing waits', async () => {
    const { orchestrator, clock } = await openStill({ concurrency: 1 });
    const told: string[] = [];
    orchestrator.scheduler.whenIdle(() => told.push(`idle at ${clock.now()}`));
    orchestrator.scheduler.whenEmpty(() => told.push(`empty at ${clock.now()}`));
    const first = nap('first', 10);
    // A chain, a retry with its backoff, a condition: between two tasks nothing runs and nothing waits in the queue.
    const second = task('second', {
      dependencies: { first },
      when: () => true,
      retry: { maxAttempts: 2, delay: 30 },
      run: ({ attempt }) => {
        if (attempt === 1) throw new Error('once more');
      },
    });
    const tasks = [first, second, nap('other', 20)];
    const run = await orchestrator.manageWorkflow(defineWorkflow('drain', { tasks }));
    await clock.advance('1m');
    await run.result();
    expect(told.filter((line) => line.startsWith('idle'))).toEqual(['idle at 60']);
    // The queue empties whenever its last task starts, as the retried one does at last.
    expect(told.filter((line) => line.startsWith('empty'))).toEqual(['empty at 30', 'empty at 60']);

    // A turn in which nothing came and went is no drain.
    told.length = 0;
    orchestrator.concurrency.setLimit(2);
    await clock.advance('1m');
    expect(told).toEqual([]);
    await (
      await orchestrator.manageWorkflow(defineWorkflow('again', { tasks: [task('x', { run: () => 1 })] }))
    ).result();
    await clock.advance(0);
    expect(told.map((line) => line.split(' ')[0]).sort()).toEqual(['empty', 'idle']);
  });

  it('C10 "empty" is told when nothing waits, while tasks still run', async () => {
    const { orchestrator, clock } = await openStill({ concurrency: 2 });
    const run = await orchestrator.manageWorkflow(
      defineWorkflow('empty', { tasks: [nap('a', 100), nap('b', 50), nap('c', 100)] }),
    );
    const order: string[] = [];
    const empty = orchestrator.scheduler.onEmpty().then(() => order.push(`empty at ${clock.now()}`));
    const idle = orchestrator.scheduler.onIdle().then(() => order.push(`idle at ${clock.now()}`));
    await clock.advance('1m');
    await Promise.all([empty, idle]);
    expect(order).toEqual(['empty at 50', 'idle at 150']);
    expect(run.status).toBe('completed');
    // With nothing to wait for, neither waits.
    await Promise.all([orchestrator.scheduler.onEmpty(), orchestrator.scheduler.onIdle()]);
  });

  it('C10 what a pause holds back still waits', async () => {
    const { orchestrator, clock } = await openStill();
    const { scheduler } = orchestrator;
    for (const [pause, resume] of [
      [() => scheduler.pause(), () => scheduler.resume()],
      [() => scheduler.pause({ agent: 'x' }), () => scheduler.resume({ agent: 'x' })],
      [() => scheduler.pause({ workflowId: 'held' }), () => scheduler.resume({ workflowId: 'held' })],
    ] as const) {
      pause();
      const run = await orchestrator.manageWorkflow(
        defineWorkflow('held', { tasks: [task('t', { agentAssigned: 'x', run: () => 1 })] }),
      );
      let drained = 0;
      const waits = [scheduler.onEmpty(), scheduler.onIdle()].map((wait) => wait.then(() => drained++));
      await clock.advance('1h');
      expect(drained).toBe(0);
      resume();
      await Promise.all(waits);
      expect(run.status).toBe('completed');
    }
  });

  it('C10 a run that is paused keeps "empty" and "idle" waiting', async () => {
    const { orchestrator, clock } = await openStill({ concurrency: 1 });
    const run = await orchestrator.manageWorkflow(
      defineWorkflow('held', { tasks: [nap('a', 10), nap('b', 10)] }),
    );
    await run.pause();
    let empty = false;
    const wait = orchestrator.scheduler.onEmpty().then(() => {
      empty = true;
    });
    await clock.advance('1h');
    expect(empty).toBe(false);
    await run.resume();
    await clock.advance('1m');
    await wait;
    expect(run.status).toBe('completed');
  });

  it('C10 a wait ends with its signal, or with the orchestrator; a listener that throws changes nothing', async () => {
    const { orchestrator, clock } = await openStill();
    const { scheduler } = orchestrator;
    await orchestrator.manageWorkflow(defineWorkflow('long', { tasks: [nap('a', 1_000)] }));
    await clock.advance(1);
    const controller = new AbortController();
    const aborted = rejection(scheduler.onIdle({ signal: controller.signal }));
    controller.abort('enough');
    expect(await aborted).toMatchObject({ code: 'WAIT_ABORTED', cause: 'enough' });
    expect((await rejection(scheduler.onIdle({ signal: controller.signal }))).code).toBe('WAIT_ABORTED');
    expect((await rejection(scheduler.onIdle({ sginal: 1 } as never))).code).toBe('OPTION_UNKNOWN');
    expect(refusal(() => scheduler.whenIdle(7 as never)).code).toBe('OPTION_INVALID');

    const told: number[] = [];
    scheduler.whenIdle(() => {
      throw new Error('a fault of the host');
    });
    const stop = scheduler.whenIdle(() => told.push(clock.now()));
    await clock.advance('1m');
    expect(told).toEqual([1_000]);
    stop();
    await orchestrator.manageWorkflow(defineWorkflow('other', { tasks: [nap('b', 10)] }));
    const closed = rejection(scheduler.onIdle());
    expect(told).toEqual([1_000]);
    await orchestrator.close({ grace: 0 });
    expect((await closed).code).toBe('ORCHESTRATOR_CLOSED');
  });

  it('C11 clearing settles waiting tasks as cancelled and leaves running ones alone', async () => {
    const { orchestrator, clock } = await openStill({ concurrency: 1 });
    const { scheduler } = orchestrator;
    const waits = nap('waits', 10);
    const tasks = [nap('runs', 100, { priority: 5 }), waits, nap('after', 10, { dependencies: { waits } })];
    const run = await orchestrator.manageWorkflow(defineWorkflow('clear', { tasks }));
    const other = await orchestrator.manageWorkflow(defineWorkflow('other', { tasks: [nap('alone', 10)] }));
    await clock.advance(1);
    const released: string[] = [];
    const empty = scheduler.onEmpty().then(() => released.push('empty'));
    const idle = scheduler.onIdle().then(() => released.push('idle'));
    expect(scheduler.queue().map(({ path }) => path)).toEqual(['waits', 'alone']);

    await expect(scheduler.clear({ reason: new Error('no time') })).resolves.toBe(2);
    await empty;
    expect(released).toEqual(['empty']);
    expect(scheduler.queue()).toEqual([]);
    expect(run.tasks().map(({ path, status }) => [path, status])).toEqual([
      ['runs', 'in_progress'],
      ['waits', 'cancelled'],
      ['after', 'skipped'],
    ]);
    expect(other.status).toBe('failed');
    await clock.advance('1m');
    await idle;
    const events = await logOf(run);
    expect(startsOf(events)).toEqual(['runs']);
    expect(ofType(events, 'TaskCompleted').map(({ path, at }) => [path, at])).toEqual([['runs', 100]]);
    expect(ofType(events, 'TaskCancelled')).toMatchObject([
      { path: 'waits', reason: { message: 'no time' } },
    ]);
    // What comes later is served as ever.
    const later = await orchestrator.manageWorkflow(defineWorkflow('later', { tasks: [nap('l', 1)] }));
    await clock.advance(1);
    expect(later.status).toBe('completed');
    await expect(scheduler.clear()).resolves.toBe(0);
  });

  it('C11 clearing ends what is held back by a pause, and only what it is told', async () => {
    const { orchestrator, clock } = await openStill({ agents: { x: { concurrency: 1 } } });
    const { scheduler } = orchestrator;
    const start = async (name: string, options: object = {}) =>
      orchestrator.manageWorkflow(defineWorkflow(name, { tasks: [nap('t', 10, options)] }));
    scheduler.pause({ workflowId: 'paused' });
    scheduler.pause({ agent: 'x' });
    const [paused, ofAgent] = [await start('paused'), await start('agent', { agentAssigned: 'x' })];
    scheduler.pause();
    const all = await start('all');
    expect(refusal(() => scheduler.pause({ agent: 'x', runId: 'y' } as never)).code).toBe('OPTION_INVALID');
    await expect(rejection(scheduler.clear({ wokflowId: 'x' } as never))).resolves.toMatchObject({
      code: 'OPTION_UNKNOWN',
    });

    await expect(scheduler.clear({ agent: 'x' })).resolves.toBe(1);
    expect([paused.status, ofAgent.status, all.status]).toEqual(['in_progress', 'failed', 'in_progress']);
    await expect(scheduler.clear({ workflowId: 'paused' })).resolves.toBe(1);
    await expect(scheduler.clear({ runId: paused.runId })).resolves.toBe(0);
    expect([paused.status, all.status]).toEqual(['failed', 'in_progress']);
    scheduler.resume({ workflowId: 'paused' });
    scheduler.resume();
    await clock.advance(10);
    expect(all.status).toBe('completed');
    expect(startsOf(await logOf(paused))).toEqual([]);
  });

  it('pauses of everything, an agent, a workflow and a run add up; each resume loses no task', async () => {
    const { orchestrator } = await openVirtual();
    const { scheduler } = orchestrator;
    const flow = defineWorkflow('flow', { tasks: [nap('a', 5, { agentAssigned: 'x' }), nap('b', 5)] });
    const gate = createGate();
    const running = await orchestrator.manageWorkflow(
      defineWorkflow('running', { tasks: [task('r', { agentAssigned: 'x', run: () => gate.promise })] }),
    );
    const before = await orchestrator.manageWorkflow(flow);
    scheduler.pause({ workflowId: 'flow' });
    const run = await orchestrator.manageWorkflow(flow);
    scheduler.pause({ runId: run.runId });
    scheduler.pause({ agent: 'x' });
    await run.pause();
    gate.open();
    // What runs goes on through every pause.
    await Promise.all([running.result(), before.result()]);
    const reasons = () => run.tasks().map(({ reason }) => reason);
    expect(reasons()).toEqual(['paused', 'paused']);
    expect(run.explain('a')).toMatchObject({
      pausedBy: [{ what: 'workflow' }, { what: 'run' }, { what: 'run', isLogged: true }, { what: 'agent' }],
    });
    scheduler.resume({ workflowId: 'flow' });
    expect(reasons()).toEqual(['paused', 'paused']);
    await run.resume();
    expect(reasons()).toEqual(['paused', 'paused']);
    scheduler.resume({ runId: run.runId });
    await orchestrator.scheduler.onEmpty({ signal: AbortSignal.timeout(50) }).catch(() => {});
    expect(run.tasks().map(({ status, reason }) => [status, reason])).toEqual([
      ['waiting', 'paused'],
      ['completed', undefined],
    ]);
    scheduler.resume({ agent: 'x' });
    await run.result();
  });
});
