// DESIGN section 5, row MonitoringService: logEvent trackMetrics recordTaskDuration generateAlerts createDashboard
import { defineWorkflow, type RunEvent, task } from '@taskmaster-ai/orchestrator';
import { MonitoringService, OTHER_LABEL } from '@taskmaster-ai/orchestrator/managers';
import { VirtualClock } from '@taskmaster-ai/orchestrator/testing';
import { describe, expect, it } from 'vitest';
import { refusal, rejection } from '../support/errors.ts';
import { createGate } from '../support/gate.ts';
import { expectRefused, untyped } from '../support/refusals.ts';
import { openStill, openVirtual } from '../support/virtual-orchestrator.ts';

const nap = (id: string, duration: string, options: object = {}) =>
  task(id, { run: ({ clock }) => clock.sleep(duration), ...options });

describe('MonitoringService.logEvent', () => {
  it('logEvent keeps and counts events of the host beside those of a real run, without outputs', async () => {
    const { orchestrator } = await openVirtual({ monitoring: true });
    const secret = task('secret', { run: () => 'an output' });
    const run = await orchestrator.scheduleTask(secret);
    await run.result();
    orchestrator.monitoring.logEvent({ type: 'DeployFinished', version: '1.4' });
    const events = orchestrator.monitoring.events();
    expect(events.map(({ type }) => type)).toEqual([
      'RunCreated',
      'RunStarted',
      'TaskStarted',
      'TaskCompleted',
      'RunCompleted',
      'DeployFinished',
    ]);
    expect(events[3]).toEqual({
      type: 'TaskCompleted',
      at: 0,
      runId: run.runId,
      seq: 4,
      path: 'secret',
      attempt: 1,
    });
    expect(events[5]).toEqual({ type: 'DeployFinished', at: 0, fields: { version: '1.4' } });
    expect(orchestrator.monitoring.events({ type: 'DeployFinished' })).toHaveLength(1);
    expect(orchestrator.monitoring.events({ runId: run.runId, limit: 2 }).map(({ seq }) => seq)).toEqual([
      4, 5,
    ]);
    expect(orchestrator.monitoring.trackMetrics().counters.events).toEqual({ DeployFinished: 1 });
  });

  it('logEvent drops the oldest when it is full, and counts them', () => {
    const service = new MonitoringService({ events: 3 });
    for (let i = 0; i < 5; i++) service.logEvent({ type: 'Tick', at: i });
    expect(service.events().map(({ at }) => at)).toEqual([2, 3, 4]);
    expect(service.droppedEvents).toBe(2);
  });

  it('events refuses a filter that could fit nothing', () => {
    const service = new MonitoringService();
    for (const [key, value] of [
      ['type', 5],
      ['runId', {}],
      ['since', 'yesterday'],
      ['since', Number.NaN],
      ['limit', -1],
    ] as const)
      expectRefused(
        refusal(() => service.events({ [key]: value } as never)),
        'OPTION_INVALID',
        `events/${key}`,
      );
  });

  it('logEvent refuses what is no event, names of events of runs, and what cannot be carried', () => {
    const service = new MonitoringService();
    for (const value of untyped([null, 42, 'x', [], new Map(), () => 1]))
      expectRefused(
        refusal(() => service.logEvent(value)),
        'OPTION_INVALID',
        'logEvent',
      );
    expectRefused(
      refusal(() => service.logEvent({ type: 'a/b' })),
      'ID_INVALID',
      'logEvent/type',
    );
    expectRefused(
      refusal(() => service.logEvent({ type: 'RunFailed' })),
      'OPTION_INVALID',
      'logEvent/type',
    );
    expectRefused(
      refusal(() => service.logEvent({ type: 'Odd', load: () => 1 })),
      'VALUE_UNSERIALISABLE',
      'logEvent/load',
    );
    expect(service.events()).toEqual([]);
  });
});

describe('MonitoringService.trackMetrics', () => {
  it('trackMetrics counts and times a real run, and reads how things stand', async () => {
    const { orchestrator, clock } = await openStill({
      resources: { gpu: 1 },
      agents: { writer: { concurrency: 1 } },
      monitoring: {},
    });
    let tries = 0;
    const flaky = task('flaky', {
      agentAssigned: 'writer',
      retry: { maxAttempts: 2, delay: '10s' },
      run: () => {
        if (++tries === 1) throw Object.assign(new Error('busy'), { code: 'E_BUSY' });
      },
    });
    const first = nap('first', '30s', { resourceRequirements: { gpu: 1 }, locks: ['report'] });
    const second = nap('second', '30s', { resourceRequirements: { gpu: 1 } });
    const third = nap('third', '1s', { locks: ['report'] });
    const last = task('last', { dependencies: { first }, run: () => 1 });
    const run = await orchestrator.manageWorkflow(
      defineWorkflow('w', { tasks: [flaky, first, second, third, last] }),
    );
    await clock.advance('5s');
    const during = orchestrator.monitoring.trackMetrics();
    expect(during.gauges).toEqual({
      runs: { in_progress: 1 },
      tasks: { created: 3, in_progress: 1, retrying: 1, completed: 0, failed: 0, skipped: 0, cancelled: 0 },
      waits: { resource: 1, lock: 1, timer: 1, dependency: 1 },
      resources: [{ name: 'gpu', kind: 'resource', capacity: 1, used: 1, free: 0, waiting: 1 }],
      locks: [{ name: 'report', mode: 'exclusive', holders: 1, waiting: 1 }],
      agents: [{ agent: 'writer', running: 0, capacity: 1, waiting: 0 }],
    });
    await clock.advance('2m');
    await run.result();
    const after = orchestrator.monitoring.trackMetrics();
    expect(after.counters).toMatchObject({
      runs: { created: 1, completed: 1, failed: 0, cancelled: 0 },
      tasks: { completed: 5, failed: 0, skipped: 0, cancelled: 0 },
      attempts: { started: 6, completed: 5, failed: 1, retried: 1, cancelled: 0, abandoned: 0 },
      failures: { E_BUSY: 1 },
    });
    expect(after.durations.attempts).toMatchObject({ count: 6, min: 0, max: 30_000, sum: 61_000 });
    expect(after.durations.tasks).toMatchObject({ count: 5, sum: 71_000 });
    expect(after.durations.runs).toMatchObject({ count: 1, sum: 60_000 });
    expect(after.durations.byAgent.writer?.count).toBe(2);
    expect(after.durations.byTask.second).toMatchObject({ count: 1, max: 30_000 });
    expect(after.gauges).toMatchObject({ runs: { completed: 1 }, waits: {}, locks: [] });
    // What was told before has not changed.
    expect(during.counters.tasks.completed).toBe(0);
  });

  it('trackMetrics counts what time limits and cancellations do', async () => {
    const { orchestrator } = await openVirtual({ monitoring: true });
    const slow = nap('slow', '1h', { timeout: '1s' });
    const after = task('after', { dependencies: { slow }, run: () => 1 });
    const run = await orchestrator.manageWorkflow(defineWorkflow('w', { tasks: [slow, after] }));
    expect((await rejection(run.result())).code).toBe('RUN_FAILED');
    const cancelled = await orchestrator.scheduleTask(nap('nap', '1h'));
    await cancelled.cancel();
    await cancelled.settled();
    const { counters } = orchestrator.monitoring.trackMetrics();
    expect(counters).toMatchObject({
      runs: { failed: 1, cancelled: 1 },
      tasks: { failed: 1, skipped: 1, cancelled: 1 },
      stops: { timeout: 1, cancelled: 1 },
      failures: { TASK_TIMEOUT: 1 },
    });
  });

  it('trackMetrics counts from events alone what it reads of runs, at every moment', async () => {
    const alone = new MonitoringService();
    const { orchestrator, clock } = await openStill({
      monitors: [alone],
      agents: { one: { concurrency: 1 } },
    });
    const { monitoring } = orchestrator;
    const tasks = Array.from({ length: 12 }, (_, i) =>
      task(`t${i}`, {
        agentAssigned: i % 3 === 0 ? 'one' : 'other',
        dependencies: i < 4 ? [] : [`t${i - 4}`],
        retry: { maxAttempts: 2, delay: '3s' },
        run: async ({ attempt, clock: time }) => {
          await time.sleep(`${i + 1}s`);
          if (i === 5 || (i % 2 === 1 && attempt === 1)) throw new Error('no');
        },
      }),
    );
    const run = await orchestrator.manageWorkflow(defineWorkflow('w', { tasks, failurePolicy: 'continue' }));
    const seen = new Set<string>();
    for (let i = 0; i < 120; i++) {
      await clock.advance('1s');
      // What has not begun is in no event.
      const { created: _, ...told } = alone.createDashboard().tasksByStatus;
      const { created: open, ...read } = monitoring.createDashboard().tasksByStatus;
      expect(told).toEqual(read);
      expect(open + Object.values(read).reduce((sum, count) => sum + count, 0)).toBe(12);
      for (const [status, count] of Object.entries(read)) if (count > 0) seen.add(status);
    }
    expect([...seen].sort()).toEqual(['completed', 'failed', 'in_progress', 'retrying', 'skipped']);
    expect((await run.settled()).status).toBe('failed');
    expect(alone.trackMetrics().counters).toEqual(monitoring.trackMetrics().counters);
  });

  it('trackMetrics begins when it is first asked for; before, nobody hears anything', async () => {
    const { orchestrator } = await openVirtual();
    await (await orchestrator.scheduleTask(nap('a', '1s'))).result();
    const { monitoring } = orchestrator;
    expect(monitoring).toBe(orchestrator.monitoring);
    await (await orchestrator.scheduleTask(nap('b', '1s'))).result();
    expect(monitoring.trackMetrics().counters.runs.created).toBe(1);
    // How runs stand is read, and not counted up from events.
    expect(monitoring.trackMetrics().gauges.runs).toEqual({ completed: 2 });
  });

  it('ME1 tells no more labels apart than it should', () => {
    const service = new MonitoringService({ labels: 2 });
    for (const id of ['a', 'b', 'c', 'd']) service.recordTaskDuration(id, 5);
    const { byTask } = service.trackMetrics().durations;
    expect(Object.keys(byTask)).toEqual(['a', 'b', OTHER_LABEL]);
    expect(byTask[OTHER_LABEL]?.count).toBe(2);
  });

  it('trackMetrics refuses options that make no sense', async () => {
    expectRefused(
      refusal(() => new MonitoringService({ events: 0 })),
      'OPTION_INVALID',
      'new MonitoringService/events',
    );
    const opening = openVirtual({ monitoring: { window: 0 } });
    expectRefused(await rejection(opening), 'OPTION_INVALID', 'open/monitoring/window');
    const typo = openVirtual({ monitoring: { alarms: [] } as never });
    expectRefused(await rejection(typo), 'OPTION_UNKNOWN', 'open/monitoring/alarms');
  });
});

describe('MonitoringService.recordTaskDuration', () => {
  it('recordTaskDuration adds what the host measured to the durations of a real run', async () => {
    const { orchestrator } = await openVirtual({ monitoring: true });
    await (await orchestrator.scheduleTask(nap('fetch', '2s'))).result();
    orchestrator.monitoring.recordTaskDuration('fetch', '4s', 'crawler');
    const { byTask, byAgent, attempts } = orchestrator.monitoring.trackMetrics().durations;
    expect(byTask.fetch).toMatchObject({ count: 2, min: 2_000, max: 4_000, mean: 3_000 });
    expect(byAgent.crawler).toMatchObject({ count: 1, p50: 4_000 });
    expect(attempts.count).toBe(2);
  });

  it('recordTaskDuration refuses a duration that is none', () => {
    const service = new MonitoringService();
    for (const value of untyped([-1, Number.NaN, '5', null]))
      expectRefused(
        refusal(() => service.recordTaskDuration('a', value)),
        'OPTION_INVALID',
        'recordTaskDuration/duration',
      );
    expect(service.trackMetrics().durations.attempts.count).toBe(0);
  });
});

describe('MonitoringService.generateAlerts', () => {
  it('generateAlerts fires when tasks of a real run have waited for too long, and clears when they start', async () => {
    const { orchestrator, clock } = await openStill({
      resources: { gpu: 1 },
      monitoring: {
        alerts: [
          {
            name: 'gpu-short',
            for: '30s',
            severity: 'critical',
            when: ({ gauges }) => (gauges.waits.resource ?? 0) > 0,
          },
        ],
      },
    });
    const told: string[] = [];
    orchestrator.monitoring.on('AlertFired', ({ at, alert }) => told.push(`${alert.severity} at ${at}`));
    orchestrator.monitoring.on('AlertCleared', ({ at }) => told.push(`cleared at ${at}`));
    const grant = await orchestrator.resources.allocateResource({ gpu: 1 });
    await orchestrator.scheduleTask(nap('train', '1s', { resourceRequirements: { gpu: 1 } }));
    await clock.advance('20s');
    expect(orchestrator.monitoring.generateAlerts()).toMatchObject([{ name: 'gpu-short', state: 'pending' }]);
    await clock.advance('40s');
    expect(told).toEqual(['critical at 30000']);
    grant.release();
    await clock.advance('5s');
    expect(told).toEqual(['critical at 30000', 'cleared at 61000']);
  });

  it('generateAlerts leaves no timer behind when the orchestrator is closed', async () => {
    const { orchestrator, clock } = await openStill({
      monitoring: { alerts: [{ name: 'always', for: '1h', when: () => true }] },
    });
    orchestrator.monitoring.generateAlerts();
    expect(clock.pending).toBe(1);
    await orchestrator.close();
    expect(orchestrator.monitoring.generateAlerts()).toMatchObject([{ state: 'pending' }]);
    expect(clock.pending).toBe(0);
  });

  it('generateAlerts refuses rules that are none', () => {
    const at = 'new MonitoringService/alerts/0';
    const create = (rule: object) => refusal(() => new MonitoringService({ alerts: [rule] as never }));
    expectRefused(create({ name: 'a' }), 'OPTION_INVALID', `${at}/when`);
    expectRefused(create({ name: 'a b/c', when: () => true }), 'ID_INVALID', `${at}/name`);
    expectRefused(create({ name: 'a', when: () => true, for: '5' }), 'OPTION_INVALID', `${at}/for`);
    expectRefused(create({ name: 'a', when: () => true, fro: '5s' }), 'OPTION_UNKNOWN', `${at}/fro`);
    const twice = { name: 'a', when: () => true };
    expectRefused(
      refusal(() => new MonitoringService({ alerts: [twice, twice] })),
      'ID_DUPLICATE',
      'new MonitoringService/alerts/1',
    );
  });
});

describe('MonitoringService.createDashboard', () => {
  it('createDashboard shows a real run on its way, and is plain data', async () => {
    const { orchestrator, clock } = await openStill({
      agents: { writer: { concurrency: 1 } },
      monitoring: { alerts: [{ name: 'failing', when: ({ counters }) => counters.tasks.failed > 0 }] },
    });
    const fails = task('fails', {
      run: () => {
        throw new Error('the page is gone');
      },
    });
    const a = nap('a', '10s', { agentAssigned: 'writer' });
    const b = nap('b', '10s', { agentAssigned: 'writer' });
    const c = nap('c', '1m');
    const run = await orchestrator.manageWorkflow(
      defineWorkflow('report', { tasks: [fails, a, b, c], failurePolicy: 'continue' }),
    );
    await clock.advance('15s');
    const dashboard = orchestrator.monitoring.createDashboard();
    expect(dashboard.runs).toMatchObject([
      {
        runId: run.runId,
        workflowId: 'report',
        status: 'in_progress',
        total: 4,
        progress: 0.5,
        elapsedMs: 15_000,
        counts: { completed: 1, failed: 1, in_progress: 2 },
      },
    ]);
    expect(dashboard.throughput).toMatchObject({ windowMs: 60_000, tasksCompleted: 1, tasksFailed: 1 });
    expect(dashboard.agents).toMatchObject([
      { agent: 'writer', running: 1, capacity: 1, completed: 1, failed: 0 },
    ]);
    expect(dashboard.alerts).toMatchObject([{ name: 'failing', state: 'firing' }]);
    expect(dashboard.slowest[0]).toMatchObject({ path: 'a', agent: 'writer', durationMs: 10_000 });
    expect(dashboard.failures).toMatchObject([
      { path: 'fails', message: 'the page is gone', retried: false },
    ]);
    expect(structuredClone(dashboard)).toEqual(dashboard);
    await run.cancel();
    await run.settled();
    expect(orchestrator.monitoring.createDashboard().runsByStatus).toEqual({ cancelled: 1 });
  });

  it('createDashboard is drawn from events alone when the service stands alone', () => {
    const service = new MonitoringService({ clock: new VirtualClock({ auto: false }) });
    const at = (seq: number) => ({ runId: 'r', seq, at: seq * 1_000 });
    const events: readonly RunEvent[] = [
      {
        type: 'RunCreated',
        ...at(1),
        workflowId: 'w',
        workflowVersion: 1,
        input: undefined,
        priority: 0,
      } as RunEvent,
      { type: 'RunStarted', ...at(2) },
      { type: 'TaskStarted', ...at(3), path: 'pages[7]/parse', attempt: 1 },
      { type: 'TaskCompleted', ...at(5), path: 'pages[7]/parse', attempt: 1, output: 1 },
      { type: 'TaskStarted', ...at(6), path: 'write', attempt: 1 },
    ];
    for (const event of events) service.logEvent(event);
    const { runs, slowest } = service.createDashboard();
    expect(runs).toMatchObject([
      { runId: 'r', progress: undefined, counts: { completed: 1, in_progress: 1 } },
    ]);
    expect(slowest).toMatchObject([{ path: 'pages[7]/parse', durationMs: 2_000 }]);
    expect(Object.keys(service.trackMetrics().durations.byTask)).toEqual(['parse']);
  });

  it('createDashboard follows a handler that waits for something real', async () => {
    const { orchestrator } = await openStill({ monitoring: true });
    const gate = createGate();
    const waits = task('waits', { run: () => gate.promise });
    const run = await orchestrator.scheduleTask(waits);
    await expect.poll(() => orchestrator.monitoring.createDashboard().tasksByStatus.in_progress).toBe(1);
    gate.open();
    await run.result();
    expect(orchestrator.monitoring.createDashboard().runs[0]).toMatchObject({
      progress: 1,
      status: 'completed',
    });
  });

  it('DB1 shows at most 100 runs and counts the others', () => {
    const service = new MonitoringService();
    for (let i = 0; i < 130; i++) service.logEvent({ type: 'RunStarted', runId: `r${i}`, seq: 2, at: i });
    const { runs, runsHidden, runsByStatus } = service.createDashboard();
    expect([runs.length, runsHidden, runsByStatus]).toEqual([100, 30, { in_progress: 130 }]);
    expect(runs[0]?.runId).toBe('r129');
  });

  it('createDashboard refuses to be listened to for what it never tells', () => {
    const service = new MonitoringService();
    expectRefused(
      refusal(() => service.on('AlertFried' as never, () => {})),
      'OPTION_INVALID',
      'on',
    );
  });
});
