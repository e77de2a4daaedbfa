import {
  defineWorkflow,
  type StartContext,
  type TaskSchedulerOptions,
  task,
} from '@taskmaster-ai/orchestrator';
import { TaskScheduler } from '@taskmaster-ai/orchestrator/managers';
import { VirtualClock } from '@taskmaster-ai/orchestrator/testing';
import { describe, expect, it } from 'vitest';
import { refusal, rejection } from '../support/errors.ts';
import { createGate } from '../support/gate.ts';
import { logOf, ofType, startsOf } from '../support/run-log.ts';
import { openStill } from '../support/virtual-orchestrator.ts';

/** A scheduler that stands alone, in time that stands still. */
function alone(options: Partial<TaskSchedulerOptions> = {}) {
  const clock = new VirtualClock({ auto: false });
  const scheduler = TaskScheduler.create({ clock, ...options });
  const starts: string[] = [];
  const note = ({ taskId }: StartContext) => {
    starts.push(taskId);
    return taskId;
  };
  return { scheduler, clock, starts, note };
}

describe('TaskScheduler', () => {
  it('scheduleTask takes all needs at once, calls the function, and gives everything back when it ends', async () => {
    const { scheduler, clock, starts, note } = alone({ resources: { cpu: 2 } });
    const gate = createGate<number>();
    const big = scheduler.scheduleTask(
      { taskId: 'big', resourceRequirements: { cpu: 2 }, locks: ['x'] },
      ({ token }) => {
        starts.push(`big ${token > 0}`);
        return gate.promise;
      },
    );
    const small = scheduler.scheduleTask({ taskId: 'small', resourceRequirements: { cpu: 1 } }, note);
    const locked = scheduler.scheduleTask({ taskId: 'locked', locks: ['x'] }, note);
    const free = scheduler.scheduleTask({ taskId: 'free' }, note);
    await clock.advance(0);
    expect(starts).toEqual(['big true', 'free']);
    expect([big, small, locked, free].map(({ status, reason }) => [status, reason])).toEqual([
      ['in_progress', undefined],
      ['waiting', 'resource'],
      ['waiting', 'lock'],
      ['completed', undefined],
    ]);
    const holder = { kind: 'task', runId: 'host', path: 'big', attempt: 1 };
    expect(small.explain()).toMatchObject({ lacks: [{ name: 'cpu', holders: [{ holder, amount: 2 }] }] });
    gate.open(7);
    expect(await big.result()).toBe(7);
    expect(await small.result()).toBe('small');
    expect(await locked.result()).toBe('locked');
  });

  it('scheduleTask inside an orchestrator is the same object: its tasks and those of runs share limits and order', async () => {
    const { orchestrator, clock } = await openStill({ concurrency: 1 });
    const { scheduler } = orchestrator;
    expect(scheduler).toBeInstanceOf(TaskScheduler);
    const gate = createGate();
    const own = scheduler.scheduleTask({ taskId: 'own' }, () => gate.promise);
    const run = await orchestrator.manageWorkflow(
      defineWorkflow('w', { tasks: [task('a', { run: () => 1 })] }),
    );
    const urgent = scheduler.scheduleTask({ taskId: 'urgent', priority: 5 }, () => {
      expect(run.status).toBe('in_progress');
      return 'first';
    });
    await clock.advance(0);
    expect(orchestrator.concurrency.running).toBe(1);
    expect(run.explain('a')).toMatchObject({
      reason: 'concurrency',
      ahead: 1,
      lacks: [{ holders: [{ holder: { runId: 'host', path: 'own' } }] }],
    });
    gate.open();
    await own.result();
    expect(await urgent.result()).toBe('first');
    await run.result();
    expect(orchestrator.concurrency.running).toBe(0);
    await orchestrator.close();
    expect(refusal(() => scheduler.scheduleTask({ taskId: 'late' }, () => 1)).code).toBe(
      'ORCHESTRATOR_CLOSED',
    );
  });

  it('scheduleTask fails, cancels and skips by itself, and loses no needs on the way', async () => {
    const { scheduler, clock, note } = alone({ resources: { cpu: 1 } });
    const needs = { resourceRequirements: { cpu: 1 } };
    const fault = new Error('no');
    const failing = scheduler.scheduleTask({ taskId: 'failing', ...needs }, () => {
      throw fault;
    });
    const after = scheduler.scheduleTask({ taskId: 'after', dependencies: ['failing'] }, note);
    const last = scheduler.scheduleTask({ taskId: 'last', dependencies: ['after'] }, note);
    const running = scheduler.scheduleTask(
      { taskId: 'running', ...needs },
      ({ signal }) =>
        new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    );
    const waiting = scheduler.scheduleTask({ taskId: 'waiting', ...needs }, note);
    await expect(failing.result()).rejects.toBe(fault);
    expect((await rejection(after.result())).cause).toBe(fault);
    expect([after.status, last.status]).toEqual(['skipped', 'skipped']);
    await clock.advance(0);
    expect(waiting.cancel('not wanted')).toBe(true);
    expect(await rejection(waiting.result())).toMatchObject({ code: 'TASK_CANCELLED', cause: 'not wanted' });
    expect(running.cancel('stop')).toBe(true);
    expect((await rejection(running.result())).cause).toBe('stop');
    expect(running.cancel()).toBe(false);
    expect(await scheduler.scheduleTask({ taskId: 'again', ...needs }, note).result()).toBe('again');
    await scheduler.onIdle();
  });

  it('scheduleTask refuses what can never start, and what is no task', () => {
    const { scheduler, note } = alone({ resources: { cpu: 1 } });
    const code = (request: object, start: unknown = note) =>
      refusal(() => scheduler.scheduleTask(request as never, start as never)).code;
    scheduler.scheduleTask({ taskId: 'known' }, note);
    expect(code({ taskId: 'a', resourceRequirements: { cpu: 2 } })).toBe('RESOURCE_UNSCHEDULABLE');
    expect(code({ taskId: 'a', resourceRequirements: { gpu: 1 } })).toBe('RESOURCE_UNKNOWN');
    expect(code({ taskId: 'a', dependencies: ['knwon'] })).toBe('DEPENDENCY_UNKNOWN');
    expect(code({ taskId: 'known' })).toBe('ID_DUPLICATE');
    expect(code({ taskId: 'a/b' })).toBe('ID_INVALID');
    expect(code({ taskId: 'a', priority: Number.NaN })).toBe('OPTION_INVALID');
    expect(code({ taskId: 'a', prioritty: 1 })).toBe('OPTION_UNKNOWN');
    expect(code({ taskId: 'a' }, 'no function')).toBe('OPTION_INVALID');
    expect(refusal(() => TaskScheduler.create({} as never)).code).toBe('OPTION_INVALID');
    expect(scheduler.queue().map(({ path }) => path)).toEqual(['known']);
  });

  it('executeTask starts a task at once when its needs are free, else lets it wait with its reason', async () => {
    const { scheduler, note } = alone({ agents: { writer: { concurrency: 1 } } });
    const gate = createGate();
    const first = await scheduler.executeTask(
      { taskId: 'first', agentAssigned: 'writer' },
      () => gate.promise,
    );
    expect(first.status).toBe('in_progress');
    const second = await scheduler.executeTask({ taskId: 'second', agentAssigned: 'writer' }, note);
    expect([second.status, second.reason]).toEqual(['waiting', 'agent']);
    gate.open();
    expect(await second.result()).toBe('second');
  });

  it('executeTask of a task of a run tells what has become of it', async () => {
    const { orchestrator, clock } = await openStill({ concurrency: 1 });
    const gate = createGate();
    const tasks = ['a', 'b'].map((id) => task(id, { run: () => gate.promise }));
    const { runId } = await orchestrator.manageWorkflow(defineWorkflow('two', { tasks }));
    const { scheduler } = orchestrator;
    expect(await scheduler.executeTask({ runId, path: 'a' })).toMatchObject({
      status: 'in_progress',
      attempt: 1,
    });
    expect(await scheduler.executeTask({ runId, path: 'b' })).toMatchObject({
      status: 'waiting',
      reason: 'concurrency',
    });
    gate.open();
    await clock.advance(0);
    expect(await scheduler.executeTask({ runId, path: 'b' })).toMatchObject({ status: 'completed' });
  });

  it('executeTask refuses a task that is not there, or that nothing could start', async () => {
    const { scheduler } = alone();
    expect((await rejection(scheduler.executeTask({ runId: 'none', path: 'a' }))).code).toBe('RUN_NOT_FOUND');
    expect((await rejection(scheduler.executeTask({ taskId: 'a' } as never))).code).toBe('OPTION_INVALID');
    expect((await rejection(scheduler.executeTask(7 as never))).code).toBe('OPTION_INVALID');
  });

  it('prioritizeTasks re-orders what waits', async () => {
    const { orchestrator, clock } = await openStill({ concurrency: 1 });
    const { scheduler } = orchestrator;
    scheduler.pause();
    const tasks = [3, 1, 2].map((priority) => task(`p${priority}`, { priority, run: () => 1 }));
    const run = await orchestrator.manageWorkflow(defineWorkflow('order', { tasks }));
    const order = () => scheduler.queue().map(({ path, position }) => `${position} ${path}`);
    expect(order()).toEqual(['1 p3', '2 p2', '3 p1']);
    scheduler.prioritizeTasks('fifo');
    expect(order()).toEqual(['1 p3', '2 p1', '3 p2']);
    scheduler.prioritizeTasks((a, b) => a.priority - b.priority);
    expect(order()).toEqual(['1 p1', '2 p2', '3 p3']);
    scheduler.resume();
    await clock.advance(0);
    expect(startsOf(await logOf(run))).toEqual(['p1', 'p2', 'p3']);
  });

  it('prioritizeTasks refuses a policy that is none, and tells of a comparator that gives no order', async () => {
    const faults: string[] = [];
    const { scheduler, starts, note, clock } = alone({ onFault: ({ code }) => faults.push(code) });
    expect(refusal(() => scheduler.prioritizeTasks('random' as never)).code).toBe('OPTION_INVALID');
    scheduler.prioritizeTasks(() => Number.NaN);
    for (const priority of [1, 2]) scheduler.scheduleTask({ taskId: `p${priority}`, priority }, note);
    await clock.advance(0);
    expect(starts).toEqual(['p2', 'p1']);
    expect(faults).toEqual(['OPTION_INVALID']);
  });

  it('handleTaskDependencies says which are met and which are not, of runs and of the host', async () => {
    const { orchestrator, clock } = await openStill();
    const { scheduler } = orchestrator;
    const gate = createGate();
    const quick = task('quick', { run: () => 1 });
    const slow = task('slow', { run: () => gate.promise });
    const last = task('last', { dependencies: { quick, slow }, run: () => 2 });
    const { runId } = await orchestrator.manageWorkflow(defineWorkflow('w', { tasks: [last] }));
    await clock.advance(0);
    const about = { runId, anyOutcome: false };
    expect(scheduler.handleTaskDependencies({ runId, path: 'last' })).toEqual({
      met: [{ ...about, path: 'quick', taskId: 'quick', status: 'completed' }],
      unmet: [{ ...about, path: 'slow', taskId: 'slow', status: 'in_progress' }],
    });
    const a = scheduler.scheduleTask({ taskId: 'a', runId: 'mine' }, () => gate.promise);
    const b = scheduler.scheduleTask({ taskId: 'b', runId: 'mine', dependencies: ['a'] }, () => 2);
    await clock.advance(0);
    expect([b.status, b.reason]).toEqual(['created', 'dependency']);
    expect(scheduler.handleTaskDependencies(b).unmet).toMatchObject([{ path: 'a', status: 'in_progress' }]);
    gate.open();
    expect([await a.result(), await b.result()]).toEqual([undefined, 2]);
    expect(scheduler.handleTaskDependencies(b)).toMatchObject({ met: [{ path: 'a' }], unmet: [] });
    await clock.advance(0);
    expect(scheduler.handleTaskDependencies({ runId, path: 'last' }).unmet).toEqual([]);
  });

  it('handleTaskDependencies refuses a task that is not there', async () => {
    const { orchestrator } = await openStill();
    const run = await orchestrator.manageWorkflow(
      defineWorkflow('w', { tasks: [task('parse', { run: () => 1 })] }),
    );
    const error = refusal(() =>
      orchestrator.scheduler.handleTaskDependencies({ runId: run.runId, path: 'prase' }),
    );
    expect(error).toMatchObject({ code: 'TASK_NOT_FOUND' });
    expect(error.message).toContain('"parse"');
    expect(refusal(() => orchestrator.scheduler.handleTaskDependencies({} as never)).code).toBe(
      'OPTION_INVALID',
    );
  });

  it('getTaskById finds tasks of runs and of the host, as they stand now', async () => {
    const { orchestrator, clock } = await openStill();
    const { scheduler } = orchestrator;
    const gate = createGate();
    const { runId } = await orchestrator.manageWorkflow(
      defineWorkflow('w', { tasks: [task('a', { run: () => gate.promise })] }),
    );
    scheduler.scheduleTask({ taskId: 'own' }, () => gate.promise);
    await clock.advance(0);
    const about = { status: 'in_progress', reason: undefined, attempt: 1 };
    expect(scheduler.getTaskById(runId, 'a')).toEqual({ runId, path: 'a', taskId: 'a', ...about });
    expect(scheduler.getTaskById('host', 'own')).toEqual({
      runId: 'host',
      path: 'own',
      taskId: 'own',
      ...about,
    });
    gate.open();
    await clock.advance(0);
    expect(scheduler.getTaskById(runId, 'a').status).toBe('completed');
    expect(scheduler.getTaskById('host', 'own').status).toBe('completed');
  });

  it('getTaskById refuses runs and tasks that are not there', async () => {
    const { orchestrator } = await openStill();
    const { scheduler } = orchestrator;
    expect(refusal(() => scheduler.getTaskById('none', 'a')).code).toBe('RUN_NOT_FOUND');
    scheduler.scheduleTask({ taskId: 'own' }, () => 1);
    expect(refusal(() => scheduler.getTaskById('host', 'onw')).message).toContain('Did you mean "own"?');
    expect(refusal(() => scheduler.getTaskById(1 as never, 'a')).code).toBe('OPTION_INVALID');
  });

  it('queue tells what waits by reason, in order; setPriority moves it while it waits', async () => {
    const { orchestrator, clock } = await openStill({ concurrency: 3, resources: { gpu: 1 } });
    const { scheduler } = orchestrator;
    const gates = new Map<string, () => void>();
    const held = (id: string, options: object) => {
      const gate = createGate();
      gates.set(id, () => gate.open());
      return task(id, { ...options, run: () => gate.promise });
    };
    const gpu = { resourceRequirements: { gpu: 1 } };
    const tasks = [
      held('g1', gpu),
      held('g2', gpu),
      held('g3', gpu),
      held('l1', { locks: ['x'] }),
      held('l2', { locks: ['x'] }),
      held('w', { agentAssigned: 'late' }),
    ];
    scheduler.pause({ agent: 'late' });
    const { runId } = await orchestrator.manageWorkflow(defineWorkflow('q', { tasks }));
    await clock.advance(0);
    const byReason = () =>
      Object.fromEntries(
        [...scheduler.queueByReason()].map(([reason, queue]) => [reason, queue.map((one) => one.path)]),
      );
    expect(byReason()).toEqual({ resource: ['g2', 'g3'], lock: ['l2'], paused: ['w'] });
    await scheduler.setPriority(runId, 'g3', 5);
    expect(scheduler.queue().map(({ path, position, priority }) => [path, position, priority])).toEqual([
      ['g3', 1, 5],
      ['g2', 2, 0],
      ['l2', 3, 0],
      ['w', 4, 0],
    ]);
    gates.get('g1')?.();
    await clock.advance(0);
    expect(scheduler.getTaskById(runId, 'g3').status).toBe('in_progress');
    await expect(rejection(scheduler.setPriority(runId, 'g2', Number.NaN))).resolves.toMatchObject({
      code: 'OPTION_INVALID',
    });
    await expect(rejection(scheduler.setPriority(runId, 'none', 1))).resolves.toMatchObject({
      code: 'TASK_NOT_FOUND',
    });
  });

  it('pause holds a rate and a queue of its own back as well, alone', async () => {
    const { scheduler, clock, starts, note } = alone({ agents: { a: { rate: { limit: 1, per: '1s' } } } });
    for (const id of ['x', 'y']) scheduler.scheduleTask({ taskId: id, agentAssigned: 'a', runId: 'r' }, note);
    await clock.advance(0);
    expect(starts).toEqual(['x']);
    scheduler.pause({ runId: 'r' });
    await clock.advance('1m');
    expect([starts, scheduler.getTaskById('r', 'y').reason]).toEqual([['x'], 'paused']);
    scheduler.resume({ runId: 'r' });
    await clock.advance(0);
    expect(starts).toEqual(['x', 'y']);
  });
});

describe('Orchestrator', () => {
  it('monitorTask gives the live view of a task: status, reason, attempts and events', async () => {
    const { orchestrator, clock } = await openStill();
    const flaky = task('flaky', {
      retry: { maxAttempts: 2, delay: '10s' },
      run: async ({ attempt, progress }) => {
        progress({ attempt });
        if (attempt === 1) throw new Error('not yet');
      },
    });
    const other = task('other', { run: () => 1 });
    const { runId } = await orchestrator.manageWorkflow(defineWorkflow('w', { tasks: [flaky, other] }));
    const monitor = orchestrator.monitorTask(runId, 'flaky');
    const types: string[] = [];
    const reading = (async () => {
      for await (const event of monitor.events()) types.push(event.type);
    })();
    await clock.advance('1s');
    expect([monitor.status, monitor.reason, monitor.attempts]).toEqual(['retrying', 'timer', 1]);
    expect(monitor.explain()).toMatchObject({ reason: 'timer', inMs: 9_000 });
    await clock.advance('1m');
    await reading;
    expect([monitor.status, monitor.reason, monitor.attempts]).toEqual(['completed', undefined, 2]);
    expect(types).toEqual([
      'TaskStarted',
      'TaskProgressed',
      'TaskRetryScheduled',
      'TaskStarted',
      'TaskProgressed',
      'TaskCompleted',
    ]);
  });

  it('monitorTask ends its events with their signal', async () => {
    const { orchestrator, clock } = await openStill();
    const { runId } = await orchestrator.manageWorkflow(
      defineWorkflow('w', { tasks: [task('a', { run: () => createGate().promise })] }),
    );
    const controller = new AbortController();
    const types: string[] = [];
    const reading = (async () => {
      const { signal } = controller;
      for await (const event of orchestrator.monitorTask(runId, 'a').events({ signal }))
        types.push(event.type);
    })();
    await clock.advance(0);
    controller.abort();
    await reading;
    expect(types).toEqual(['TaskStarted']);
  });

  it('monitorTask commands are judged and logged', async () => {
    const { orchestrator, clock } = await openStill({ concurrency: 1 });
    const tasks = ['a', 'b', 'c'].map((id) => task(id, { run: ({ clock: time }) => time.sleep(10) }));
    const run = await orchestrator.manageWorkflow(defineWorkflow('w', { tasks }));
    await clock.advance(0);
    const monitor = (path: string) => orchestrator.monitorTask(run.runId, path);
    await monitor('c').updatePriority(5);
    await monitor('b').updateStatus('cancelled', new Error('not wanted'));
    await clock.advance('1m');
    const events = await logOf(run);
    expect(startsOf(events)).toEqual(['a', 'c']);
    expect(ofType(events, 'TaskPriorityChanged')).toMatchObject([{ path: 'c', priority: 5 }]);
    expect(ofType(events, 'TaskCancelled')).toMatchObject([{ path: 'b', reason: { message: 'not wanted' } }]);
  });

  it('monitorTask refuses unknown tasks, and commands that the table of transitions forbids', async () => {
    const { orchestrator, clock } = await openStill();
    const tasks = [task('a', { run: () => 1 }), task('b', { run: ({ clock: time }) => time.sleep(10) })];
    const run = await orchestrator.manageWorkflow(defineWorkflow('w', { tasks }));
    await clock.advance(0);
    const { runId } = run;
    const code = async (refused: Promise<unknown>) => (await rejection(refused)).code;
    const [a, b] = [orchestrator.monitorTask(runId, 'a'), orchestrator.monitorTask(runId, 'b')];
    expect(await code(a.updateStatus('cancelled'))).toBe('TRANSITION_ILLEGAL');
    expect(await code(a.updatePriority(1))).toBe('TRANSITION_ILLEGAL');
    expect(await code(b.updatePriority(1))).toBe('TRANSITION_ILLEGAL');
    expect(await code(b.updateStatus('completed'))).toBe('TRANSITION_ILLEGAL');
    expect(await code(b.updatePriority(Number.NaN))).toBe('OPTION_INVALID');
    await clock.advance('1m');
    expect(await code(b.updateStatus('cancelled'))).toBe('TRANSITION_ILLEGAL');
    expect(run.status).toBe('completed');
    expect(refusal(() => orchestrator.monitorTask(runId, 'aa')).code).toBe('TASK_NOT_FOUND');
    expect(refusal(() => orchestrator.monitorTask('none', 'a')).code).toBe('RUN_NOT_FOUND');
    expect(refusal(() => a.events({ formSeq: 1 } as never)).code).toBe('OPTION_UNKNOWN');
  });
});
