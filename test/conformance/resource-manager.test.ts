/** ResourceManager, and Orchestrator.allocateResources: each method by its effect on a real run, and by one refusal. */
import { defineWorkflow, task } from '@taskmaster-ai/orchestrator';
import { ResourceManager } from '@taskmaster-ai/orchestrator/managers';
import { VirtualClock } from '@taskmaster-ai/orchestrator/testing';
import { describe, expect, it } from 'vitest';
import { refusal, rejection } from '../support/errors.ts';
import { openStill, openVirtual } from '../support/virtual-orchestrator.ts';

const nap = (id: string, duration: string | number, options: object = {}) =>
  task(id, { run: ({ clock }) => clock.sleep(duration), estimatedDuration: duration, ...options });

describe('ResourceManager in an orchestrator', () => {
  it('allocateResource takes all at once, and a task that needs the same waits', async () => {
    const { orchestrator } = await openVirtual({ resources: { cpu: 2 } });
    await orchestrator.resources.allocateResource({ cpu: 2 });
    const run = await orchestrator.manageWorkflow(
      defineWorkflow('w', { tasks: [nap('a', '1s', { resourceRequirements: { cpu: 1 } })] }),
    );
    expect(run.explain('a')).toMatchObject({ reason: 'resource' });
  });

  it('allocateResource refuses what can never be given, and nothing', async () => {
    const { orchestrator } = await openVirtual({ resources: { cpu: 2 } });
    const { resources } = orchestrator;
    const codes = [{ cpu: 3 }, { cpus: 1 }, {}].map(
      async (asked) => (await rejection(resources.allocateResource(asked))).code,
    );
    expect(await Promise.all(codes)).toEqual([
      'RESOURCE_UNSCHEDULABLE',
      'RESOURCE_UNKNOWN',
      'OPTION_INVALID',
    ]);
  });

  it('releaseResource refuses what was given back, and what is no grant', async () => {
    const { orchestrator } = await openVirtual({ resources: { cpu: 1 } });
    const { resources } = orchestrator;
    const grant = await resources.allocateResource({ cpu: 1 });
    resources.releaseResource(grant);
    expect(refusal(() => resources.releaseResource(grant)).code).toBe('GRANT_RELEASED');
    expect(refusal(() => resources.releaseResource({} as never)).code).toBe('OPTION_INVALID');
    expect(resources.usage('cpu').used).toBe(0);
  });

  it('monitorResourceUsage refuses a resource that nobody declared', async () => {
    const { orchestrator } = await openVirtual({ resources: { cpu: 1 } });
    const error = refusal(() => orchestrator.resources.monitorResourceUsage('cpus'));
    expect(error.code).toBe('RESOURCE_UNKNOWN');
    expect(error.message).toContain('cpu');
  });

  it('releaseResource gives all back at once, and starts the task that waited', async () => {
    const { orchestrator } = await openVirtual({ resources: { cpu: 2, gpu: 1 } });
    const { resources } = orchestrator;
    const grant = await resources.allocateResource({ cpu: 1, gpu: 1 });
    const run = await orchestrator.manageWorkflow(
      defineWorkflow('w', { tasks: [nap('a', '1s', { resourceRequirements: { cpu: 2, gpu: 1 } })] }),
    );
    expect(run.explain('a')).toMatchObject({ reason: 'resource' });
    expect(resources.usage('gpu')).toMatchObject({ used: 1, free: 0 });

    resources.releaseResource(grant);

    expect((await run.result()).status).toBe('completed');
    expect(refusal(() => resources.releaseResource(grant)).code).toBe('GRANT_RELEASED');
    expect([resources.usage('cpu').used, resources.usage('gpu').used]).toEqual([0, 0]);
  });

  it('allocateResource gives up by its time or its signal, and leaves nothing behind', async () => {
    const { orchestrator } = await openVirtual({ resources: { cpu: 1 } });
    const { resources } = orchestrator;
    const grant = await resources.allocateResource({ cpu: 1 });
    const controller = new AbortController();
    const aborted = rejection(resources.allocateResource({ cpu: 1 }, { signal: controller.signal }));
    controller.abort();

    expect((await aborted).code).toBe('WAIT_ABORTED');
    expect((await rejection(resources.allocateResource({ cpu: 1 }, { timeout: '1s' }))).code).toBe(
      'WAIT_TIMEOUT',
    );
    expect(resources.monitorResourceUsage('cpu').waiting).toBe(0);
    grant.release();
    expect(resources.usage('cpu').free).toBe(1);
  });

  it('monitorResourceUsage tells use, holders, waiting, peak, and how it was over time', async () => {
    const { orchestrator, clock } = await openStill({ resources: { cpu: 4 } });
    const { resources } = orchestrator;
    const early = await resources.allocateResource({ cpu: 4 });
    early.release();
    resources.monitorResourceUsage('cpu');
    const run = await orchestrator.manageWorkflow(
      defineWorkflow('w', {
        tasks: [
          nap('a', '2s', { resourceRequirements: { cpu: 2 } }),
          nap('b', '1s', { resourceRequirements: { cpu: 1 } }),
          nap('c', '1s', { resourceRequirements: { cpu: 4 } }),
        ],
      }),
    );
    const before = resources.monitorResourceUsage('cpu');
    expect(before).toMatchObject({ capacity: 4, used: 3, free: 1, peak: 4, waiting: 1 });
    expect(before.holders).toEqual([
      { holder: { kind: 'task', runId: run.runId, path: 'a', attempt: 1 }, amount: 2 },
      { holder: { kind: 'task', runId: run.runId, path: 'b', attempt: 1 }, amount: 1 },
    ]);

    await clock.advance('4s');

    const after = resources.monitorResourceUsage('cpu');
    expect(after).toMatchObject({ used: 0, waiting: 0, holders: [] });
    const steps = after.history.map(({ at, used }) => [at, used]);
    expect(steps.filter(([at]) => at !== 0)).toEqual([
      [1_000, 2],
      [2_000, 4],
      [3_000, 0],
    ]);
    // 3 for a second, 2 for one, 4 for one, none for one.
    expect(after.average).toBeCloseTo(9 / 4, 9);
    expect(resources.monitorResourceUsage().map(({ name }) => name)).toEqual(['cpu']);
    expect(refusal(() => resources.monitorResourceUsage('cpus')).code).toBe('RESOURCE_UNKNOWN');
  });

  it('optimizeResourceAllocation predicts what the run takes, and applying it makes the run end then', async () => {
    const two = { resourceRequirements: { cpu: 1 } };
    // By submission the long chain comes last: 3 s. Its first task first: 2.
    const workflow = defineWorkflow('w', {
      tasks: [
        nap('x', '1s', two),
        nap('y', '1s', two),
        nap('head', '1s', two),
        nap('tail', '1s', { ...two, dependencies: ['head'] }),
      ],
    });
    const ends = async (apply: boolean): Promise<number> => {
      const { orchestrator, clock } = await openVirtual({ resources: { cpu: 2 } });
      orchestrator.pause();
      const run = await orchestrator.manageWorkflow(workflow);
      const plan = await orchestrator.resources.optimizeResourceAllocation(
        workflow,
        apply ? { apply: run } : {},
      );
      expect(plan).toMatchObject({ makespan: 2_000, lowerBound: 2_000, criticalPath: 2_000, applied: apply });
      expect(plan.tasks[0]?.taskId).toBe('head');
      const begin = clock.monotonic();
      orchestrator.resume();
      await run.result();
      return clock.monotonic() - begin;
    };

    expect(await ends(false)).toBe(3_000);
    expect(await ends(true)).toBe(2_000);
  });

  it('optimizeResourceAllocation refuses what can never run, another run, and a policy that heeds no priority', async () => {
    const { orchestrator } = await openVirtual({ resources: { cpu: 1, money: { budget: 2 } } as never });
    const { resources } = orchestrator;
    const of = (needs: object) =>
      defineWorkflow('w', {
        tasks: ['a', 'b', 'c'].map((id) => nap(id, '1s', { resourceRequirements: needs })),
      });
    const code = async (workflow: never, options: object = {}) =>
      (await rejection(resources.optimizeResourceAllocation(workflow, options as never))).code;

    expect(await code(of({ cpu: 2 }) as never)).toBe('RESOURCE_UNSCHEDULABLE');
    expect(await code(of({ money: 1 }) as never)).toBe('RESOURCE_UNSCHEDULABLE');
    expect(await code(of({ gpu: 1 }) as never)).toBe('RESOURCE_UNKNOWN');
    expect(await code(of({ cpu: 1 }) as never, { apply: { runId: 'nobody' } })).toBe('RUN_NOT_FOUND');
    expect(await code(of({ cpu: 1 }) as never, { tries: 0 })).toBe('OPTION_INVALID');
    const other = await orchestrator.manageWorkflow(defineWorkflow('other', { tasks: [nap('a', '1s')] }));
    expect(await code(of({ cpu: 1 }) as never, { apply: other })).toBe('OPTION_INVALID');
    orchestrator.prioritizeTasks('fifo');
    const same = await orchestrator.manageWorkflow(of({ cpu: 1 }));
    expect(await code(of({ cpu: 1 }) as never, { apply: same })).toBe('OPTION_INVALID');
  });

  it.each([
    ['0', { cpu: 0 }, 'RESOURCE_AMOUNT_INVALID'],
    ['-1', { cpu: -1 }, 'RESOURCE_AMOUNT_INVALID'],
    ['NaN', { cpu: Number.NaN }, 'RESOURCE_AMOUNT_INVALID'],
    ['more than there is', { cpu: 3 }, 'RESOURCE_UNSCHEDULABLE'],
    ['an unknown resource', { cpus: 1 }, 'RESOURCE_UNKNOWN'],
  ])('A19 an amount of %s is refused at submission, to a task and to a request', async (_, needs, code) => {
    const { orchestrator } = await openVirtual({ resources: { cpu: 2 } });
    expect((await rejection(orchestrator.resources.allocateResource(needs))).code).toBe(code);
    const start = async () =>
      orchestrator.manageWorkflow(
        defineWorkflow('w', { tasks: [nap('a', '1s', { resourceRequirements: needs })] }),
      );
    expect((await rejection(start())).code).toBe(code);
    expect(orchestrator.resources.usage('cpu').used).toBe(0);
  });

  it('A19 a tenth is an amount: ten of them are one, exactly', async () => {
    const { orchestrator } = await openVirtual({ resources: { cpu: 1 } });
    const grants = [];
    for (let i = 0; i < 10; i++) grants.push(await orchestrator.resources.allocateResource({ cpu: 0.1 }));
    expect(orchestrator.resources.usage('cpu')).toMatchObject({ used: 1, free: 0 });
    for (const grant of grants) grant.release();
    expect(orchestrator.resources.usage('cpu')).toMatchObject({ used: 0, free: 1 });
  });

  it('A20 capacity 0 pauses, a negative one is refused, one below what is used drains', async () => {
    const { orchestrator, clock } = await openStill({ resources: { cpu: 2 } });
    const { resources } = orchestrator;
    const run = await orchestrator.manageWorkflow(
      defineWorkflow('w', {
        tasks: ['a', 'b', 'c', 'd'].map((id) => nap(id, '1s', { resourceRequirements: { cpu: 1 } })),
      }),
    );
    const states = () => run.tasks().map(({ status }) => status);
    resources.setCapacity('cpu', 1);
    expect(resources.usage('cpu')).toMatchObject({ capacity: 1, used: 2, free: 0 });
    await clock.advance('1s');
    expect(states()).toEqual(['completed', 'completed', 'in_progress', 'waiting']);

    resources.setCapacity('cpu', 0);
    await clock.advance('5s');
    expect(states()).toEqual(['completed', 'completed', 'completed', 'waiting']);
    expect(refusal(() => resources.setCapacity('cpu', -1)).code).toBe('OPTION_INVALID');
    expect(resources.usage('cpu').capacity).toBe(0);

    resources.setCapacity('cpu', 1);
    await clock.advance('1s');
    expect(run.status).toBe('completed');
  });

  it('A19 a resource named twice, in two spellings of one name, is refused', async () => {
    const { orchestrator } = await openVirtual({ resources: { '\u00e9': 2 } });
    // One key cannot stand in an object twice; two that look alike can.
    const twice = { '\u00e9': 1, 'e\u0301': 1 };
    expect((await rejection(orchestrator.resources.allocateResource(twice))).code).toBe('ID_INVALID');
    expect(refusal(() => nap('a', '1s', { resourceRequirements: twice })).code).toBe('ID_INVALID');
    expect(orchestrator.resources.usage('\u00e9').used).toBe(0);
  });

  it('A20 while the capacity is 0 what is asked for waits, if it would have fitted before', async () => {
    const { orchestrator } = await openVirtual({ resources: { cpu: 2, gpu: 0 } });
    const { resources } = orchestrator;
    const workflow = (cpu: number) =>
      defineWorkflow(`w${cpu}`, { tasks: [nap('a', 0, { resourceRequirements: { cpu } })] });
    resources.setCapacity('cpu', 0);

    const run = await orchestrator.manageWorkflow(workflow(2));
    let isGranted = false;
    const asked = resources.allocateResource({ cpu: 1 }).then((grant) => {
      isGranted = true;
      return grant;
    });
    await new Promise(setImmediate);
    expect([run.explain('a').reason, isGranted]).toEqual(['resource', false]);
    // There never was so much; and of what was 0 from the beginning there never was any.
    expect((await rejection(resources.allocateResource({ cpu: 3 }))).code).toBe('RESOURCE_UNSCHEDULABLE');
    expect((await rejection(orchestrator.manageWorkflow(workflow(3)))).code).toBe('RESOURCE_UNSCHEDULABLE');
    expect((await rejection(resources.allocateResource({ gpu: 1 }))).code).toBe('RESOURCE_UNSCHEDULABLE');

    resources.setCapacity('cpu', 2);
    expect((await run.result()).status).toBe('completed');
    (await asked).release();
    expect(resources.usage('cpu')).toMatchObject({ used: 0, free: 2 });
  });

  it('A20 after a cut no new run is let wait for what will not come, of a known workflow either', async () => {
    const { orchestrator, clock } = await openStill({ resources: { cpu: 4 } });
    const { resources } = orchestrator;
    const inner = defineWorkflow('w', { tasks: [nap('a', '1s', { resourceRequirements: { cpu: 3 } })] });
    const first = await orchestrator.manageWorkflow(inner);
    const second = await orchestrator.manageWorkflow(inner);
    resources.setCapacity('cpu', 2);

    const error = await rejection(orchestrator.manageWorkflow(inner));
    expect(error.code).toBe('RESOURCE_UNSCHEDULABLE');
    expect(error.message).toContain('at most its whole capacity of 2');
    expect(orchestrator.runs()).toHaveLength(2);
    // Those that were there before go on, or wait until there is more again.
    await clock.advance('5s');
    expect([first.status, second.explain('a').reason]).toEqual(['completed', 'resource']);
    resources.setCapacity('cpu', 3);
    await clock.advance('1s');
    expect(second.status).toBe('completed');
    expect((await orchestrator.manageWorkflow(inner)).status).toBe('in_progress');
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, -1, 1e21, '3', null, undefined])(
    'A20 setCapacity refuses %s, and changes nothing',
    async (given) => {
      const { orchestrator } = await openVirtual({ resources: { cpu: 2 } });
      expect(refusal(() => orchestrator.resources.setCapacity('cpu', given as never)).code).toBe(
        'OPTION_INVALID',
      );
      expect(orchestrator.resources.usage('cpu')).toMatchObject({ capacity: 2, free: 2 });
    },
  );

  it('A20 setCapacity takes tenths, and refuses what would be rounded to nothing', async () => {
    const { orchestrator } = await openVirtual({ resources: { cpu: 2 } });
    const { resources } = orchestrator;
    for (let tenths = 1; tenths <= 20; tenths++) {
      resources.setCapacity('cpu', tenths * 0.1);
      expect(resources.usage('cpu').capacity).toBe(tenths / 10);
    }
    expect(refusal(() => resources.setCapacity('cpu', 1e-7)).code).toBe('RESOURCE_AMOUNT_INVALID');
    expect(resources.usage('cpu').capacity).toBe(2);
  });

  it('optimizeResourceAllocation says the same for the same seed, and finds shorter plans with more tries', async () => {
    const { orchestrator } = await openVirtual({ resources: { cpu: 3 } });
    // Twelve tasks of 1 to 4 units in three chains.
    const tasks = Array.from({ length: 12 }, (_, i) =>
      nap(`t${i}`, `${1 + ((i * 7) % 5)}s`, {
        resourceRequirements: { cpu: 1 + ((i * 5) % 3) },
        dependencies: i < 3 ? [] : [`t${i - 3}`],
      }),
    );
    const workflow = defineWorkflow('w', { tasks });
    const plan = (options: object) => orchestrator.resources.optimizeResourceAllocation(workflow, options);
    const once = await plan({});
    const often = await plan({ tries: 200, seed: 4 });
    expect(await plan({ tries: 200, seed: 4 })).toEqual(often);
    expect(often.makespan).toBeLessThanOrEqual(once.makespan);
    const serial = await plan({ tries: 200, scheme: 'serial' });
    expect(serial.makespan).toBeLessThanOrEqual(once.makespan);
    expect(serial.makespan).toBeGreaterThanOrEqual(serial.lowerBound);
    expect([once.tries, often.tries <= 200, serial.applied]).toEqual([1, true, false]);
  });

  it('optimizeResourceAllocation counts what is paused as whole, and the run ends then when it is resumed', async () => {
    const { orchestrator, clock } = await openVirtual({ resources: { cpu: 1 } });
    const { resources } = orchestrator;
    resources.setCapacity('cpu', 0);
    const least = { priority: -1e9, resourceRequirements: { cpu: 1 } };
    // Of the least priority that there is, too, they get different ones.
    const workflow = defineWorkflow('w', {
      tasks: [
        nap('x', '1s', least),
        nap('head', '1s', least),
        nap('tail', '5s', { priority: -1e9, dependencies: ['head'] }),
      ],
    });
    const run = await orchestrator.manageWorkflow(workflow);
    const plan = await resources.optimizeResourceAllocation(workflow, { apply: run });
    expect([plan.makespan, plan.tasks[0]?.taskId]).toEqual([6_000, 'head']);
    const begin = clock.monotonic();
    resources.setCapacity('cpu', 1);
    await run.result();
    expect(clock.monotonic() - begin).toBe(6_000);
  });

  it('optimizeResourceAllocation lets everything else go on while it searches, and ends by its signal', async () => {
    const { orchestrator, clock } = await openVirtual({ resources: { cpu: 3 } });
    const tasks = Array.from({ length: 400 }, (_, i) =>
      nap(`t${i}`, `${1 + ((i * 7) % 5)}s`, {
        resourceRequirements: { cpu: 1 + (i % 3) },
        dependencies: i < 20 ? [] : [`t${i - 20}`, `t${i - 13}`],
      }),
    );
    const workflow = defineWorkflow('w', { tasks });
    const run = await orchestrator.manageWorkflow(defineWorkflow('other', { tasks: [nap('a', '1s')] }));
    const at = clock.monotonic();
    const controller = new AbortController();
    let turns = 0;
    const count = (): void => {
      if (++turns === 5) controller.abort('enough');
      else if (turns < 5) setImmediate(count);
    };
    setImmediate(count);
    const error = await rejection(
      orchestrator.resources.optimizeResourceAllocation(workflow, {
        tries: 10_000,
        signal: controller.signal,
      }),
    );
    expect(error).toMatchObject({ code: 'WAIT_ABORTED', cause: 'enough' });
    // Virtual time has stood still meanwhile, and goes on now.
    expect(clock.monotonic()).toBe(at);
    expect((await run.result()).status).toBe('completed');
    const aborted = { signal: AbortSignal.abort() };
    expect((await rejection(orchestrator.resources.optimizeResourceAllocation(workflow, aborted))).code).toBe(
      'WAIT_ABORTED',
    );
  });

  it.each([
    [{ tries: 0 }, 'OPTION_INVALID'],
    [{ tries: 10_001 }, 'OPTION_INVALID'],
    [{ tries: 1.5 }, 'OPTION_INVALID'],
    [{ seed: -1 }, 'OPTION_INVALID'],
    [{ scheme: 'greedy' }, 'OPTION_INVALID'],
    [{ scheme: 'serial', apply: { runId: 'r' } }, 'OPTION_INVALID'],
    [{ signal: {} }, 'OPTION_INVALID'],
    [{ apply: {} }, 'OPTION_INVALID'],
    [{ apply: null }, 'OPTION_INVALID'],
    [{ tires: 2 }, 'OPTION_UNKNOWN'],
    [null, 'OPTION_INVALID'],
  ])('optimizeResourceAllocation refuses %j', async (options, code) => {
    const { orchestrator } = await openVirtual({ resources: { cpu: 1 } });
    const workflow = defineWorkflow('w', { tasks: [nap('a', '1s')] });
    const asked = orchestrator.resources.optimizeResourceAllocation(workflow, options as never);
    expect((await rejection(asked)).code).toBe(code);
  });

  it('optimizeResourceAllocation refuses serial schedules of more tasks than it can build in time', async () => {
    const { orchestrator } = await openVirtual();
    const many = Array.from({ length: 10_001 }, (_, i) => nap(`t${i}`, 0));
    const asked = orchestrator.resources.optimizeResourceAllocation(
      defineWorkflow('w', { tasks: many as never }),
      { scheme: 'serial' },
    );
    expect((await rejection(asked)).code).toBe('LIMIT_EXCEEDED');
  });

  it('a rate is free again when its time has passed, whether somebody waits for it or not, and so says its series', async () => {
    const { orchestrator, clock } = await openStill({
      resources: { calls: { capacity: 3, per: '1s' }, early: { capacity: 1, per: '1s' } },
    });
    const { resources } = orchestrator;
    await resources.allocateResource({ early: 1 });
    await clock.advance('5s');
    resources.monitorResourceUsage();
    await resources.allocateResource({ calls: 2 });
    await clock.advance(400);
    await resources.allocateResource({ calls: 1 });
    expect(resources.usage('calls')).toMatchObject({ used: 3, free: 0 });
    await clock.advance(700);
    expect(resources.usage('calls')).toMatchObject({ used: 1, free: 2 });
    await clock.advance('4s');
    // Until now nobody has looked; a take and a cut later must not hide what came back before.
    resources.setCapacity('calls', 2);
    await resources.allocateResource({ calls: 2 });
    const { history, average, peak } = resources.monitorResourceUsage('calls');
    expect(history.map(({ at, used, capacity }) => [at - 5_000, used, capacity])).toEqual([
      [0, 0, 3],
      [0, 2, 3],
      [400, 3, 3],
      [1_000, 1, 3],
      [1_400, 0, 3],
      [5_100, 2, 2],
    ]);
    expect(average).toBeCloseTo((2 * 400 + 3 * 600 + 1 * 400) / 5_100, 9);
    expect(peak).toBe(3);
    // What was back before the series began is no part of it.
    expect(resources.monitorResourceUsage('early').history).toMatchObject([{ at: 5_000, used: 0 }]);
    await clock.advance('2s');
    const { resources: shown } = orchestrator.monitoring.createDashboard();
    expect(shown.find(({ name }) => name === 'calls')).toMatchObject({ used: 0, free: 2 });
  });

  it('a rate whose last waiter is served early lets go of its timer', async () => {
    const { orchestrator, clock } = await openStill({
      resources: { calls: { capacity: 1, per: '1h' } } as never,
    });
    const { resources } = orchestrator;
    await resources.allocateResource({ calls: 1 });
    const second = resources.allocateResource({ calls: 1 });
    await clock.advance(1);
    expect(clock.pending).toBe(1);

    resources.setCapacity('calls', 2);
    await second;

    expect(clock.pending).toBe(0);
  });
});

describe('Orchestrator', () => {
  it('allocateResources takes all that a task needs, as the scheduler would, and gives it back once', async () => {
    const { orchestrator } = await openVirtual({
      resources: { cpu: 2 },
      agents: { writer: { concurrency: 1 } },
      concurrency: 3,
    });
    const all = { resourceRequirements: { cpu: 2 }, locks: ['file'], agentAssigned: 'writer' };
    const grant = await orchestrator.allocateResources(nap('mine', '1s', all));
    expect(orchestrator.resources.usage('cpu').used).toBe(2);
    expect(orchestrator.concurrency.running).toBe(1);
    const run = await orchestrator.manageWorkflow(
      defineWorkflow('w', {
        tasks: [nap('locked', '1s', { locks: ['file'] }), nap('agent', '1s', { agentAssigned: 'writer' })],
      }),
    );
    expect(run.tasks().map(({ reason }) => reason)).toEqual(['lock', 'agent']);

    grant.release();

    expect((await run.result()).status).toBe('completed');
    expect(refusal(() => grant.release()).code).toBe('GRANT_RELEASED');
    expect(orchestrator.concurrency.running).toBe(0);
  });

  it('allocateResources refuses a task whose needs can never be met, and what is no task', async () => {
    const { orchestrator } = await openVirtual({ resources: { cpu: 2 } });
    const tooMuch = orchestrator.allocateResources(nap('m', '1s', { resourceRequirements: { cpu: 3 } }));
    expect((await rejection(tooMuch)).code).toBe('RESOURCE_UNSCHEDULABLE');
    expect((await rejection(orchestrator.allocateResources('m' as never))).code).toBe('DEFINITION_INVALID');
  });
});

describe('ResourceManager alone', () => {
  it('takes, waits, gives back; what comes back by time wakes who waits', async () => {
    const clock = new VirtualClock();
    const resources = ResourceManager.create({
      clock,
      resources: { cpu: 1, calls: { capacity: 1, per: '1m' } },
    });
    const first = await resources.allocateResource({ cpu: 1, calls: 1 });
    const second = resources.allocateResource({ calls: 1 });
    first.release();
    await second;

    expect(clock.monotonic()).toBe(60_000);
    expect(resources.monitorResourceUsage('cpu')).toMatchObject({ used: 0, peak: 1 });
    const report = defineWorkflow('w', {
      tasks: [
        nap('a', '1s', { resourceRequirements: { cpu: 1 } }),
        nap('b', '1s', { resourceRequirements: { cpu: 1 } }),
      ],
    });
    expect((await resources.optimizeResourceAllocation(report)).makespan).toBe(2_000);
  });

  it('refuses a clock that is none, and to apply a plan to a run', async () => {
    expect(refusal(() => ResourceManager.create({ clock: {}, resources: {} } as never)).code).toBe(
      'OPTION_INVALID',
    );
    const resources = ResourceManager.create({ clock: new VirtualClock(), resources: {} });
    const plan = resources.optimizeResourceAllocation(defineWorkflow('w', { tasks: [nap('a', '1s')] }), {
      apply: { runId: 'r' },
    });
    expect((await rejection(plan)).code).toBe('OPTION_INVALID');
  });
});
