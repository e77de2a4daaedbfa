import { defineWorkflow, Orchestrator, type Task, task } from '@taskmaster-ai/orchestrator';
import { describe, expect, it } from 'vitest';
import { refusal, rejection } from '../../support/errors.ts';
import { createGate } from '../../support/gate.ts';
import { logOf, ofType, peakOf, startsOf, timesOf } from '../../support/run-log.ts';
import { openStill, openVirtual } from '../../support/virtual-orchestrator.ts';

type AnyListed = Task<string, unknown, unknown>;

/** `count` independent tasks that take 100 ms each. */
function sleepers(count: number, prefix = 't'): readonly AnyListed[] {
  return Array.from({ length: count }, (_, i) =>
    task(`${prefix}${i}`, { run: ({ clock }) => clock.sleep(100) }),
  );
}

describe('concurrency and priority', () => {
  it('C01 limit 3, ten ready tasks: never more than 3 at once, and 3 is reached', async () => {
    const { orchestrator, clock } = await openVirtual({ concurrency: 3 });
    let running = 0;
    let peak = 0;
    const tasks = Array.from({ length: 10 }, (_, i) =>
      task(`t${i}`, {
        run: async ({ clock: time }) => {
          running++;
          peak = Math.max(peak, running);
          await time.sleep(100);
          running--;
        },
      }),
    );

    const run = await orchestrator.manageWorkflow(defineWorkflow('ten', { tasks }));
    await run.result();

    expect(peak).toBe(3);
    expect(peakOf(await logOf(run))).toBe(3);
    // Ten tasks in waves of three.
    expect(clock.now()).toBe(400);
    expect(orchestrator.concurrency.running).toBe(0);
  });

  it('C01 the limit of a workflow counts over all its runs and leaves others alone', async () => {
    const { orchestrator } = await openVirtual();
    const limited = defineWorkflow('limited', { tasks: sleepers(3), concurrency: 2 });
    const free = defineWorkflow('free', { tasks: sleepers(3, 'f') });

    const [one, two, other] = await Promise.all([
      orchestrator.manageWorkflow(limited),
      orchestrator.manageWorkflow(limited),
      orchestrator.manageWorkflow(free),
    ]);
    await Promise.all([one.result(), two.result(), other.result()]);

    expect(timesOf(await logOf(one))).toEqual({ t0: [0, 100], t1: [0, 100], t2: [100, 200] });
    expect(timesOf(await logOf(two))).toEqual({ t0: [100, 200], t1: [200, 300], t2: [200, 300] });
    expect(timesOf(await logOf(other))).toEqual({ f0: [0, 100], f1: [0, 100], f2: [0, 100] });
  });

  it('C02 raising the limit starts waiting tasks at once; lowering it starts none until below', async () => {
    const { orchestrator, clock } = await openStill({ concurrency: 1 });
    const run = await orchestrator.manageWorkflow(defineWorkflow('limit', { tasks: sleepers(6) }));
    const runningNow = () => run.tasks().filter((view) => view.status === 'in_progress').length;
    await clock.advance(50);
    expect(runningNow()).toBe(1);

    // When it is raised, no time passes until two more run.
    orchestrator.concurrency.setLimit(3);
    await clock.advance(0);
    expect(runningNow()).toBe(3);
    expect(orchestrator.concurrency.limit).toBe(3);

    // When it is lowered, what runs goes on, and the end of one is not the start of another.
    orchestrator.concurrency.setLimit(1);
    await clock.advance(0);
    expect(runningNow()).toBe(3);
    await clock.advance(50);
    expect(runningNow()).toBe(2);
    await clock.advance(50);
    expect(runningNow()).toBe(1);

    // Without a limit everything that is left runs.
    orchestrator.concurrency.setLimit(undefined);
    await clock.advance(100);
    expect(run.status).toBe('completed');
    expect(timesOf(await logOf(run))).toEqual({
      t0: [0, 100],
      t1: [50, 150],
      t2: [50, 150],
      t3: [150, 250],
      t4: [150, 250],
      t5: [150, 250],
    });
  });

  it.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '3'])(
    'C03 a limit of %s is refused when it is set',
    async (limit) => {
      const { orchestrator } = await openVirtual({ concurrency: 2 });
      const given = limit as number;

      expect(refusal(() => orchestrator.concurrency.setLimit(given)).code).toBe('OPTION_INVALID');
      expect((await rejection(Orchestrator.open({ concurrency: given }))).code).toBe('OPTION_INVALID');
      expect(refusal(() => defineWorkflow('w', { tasks: [], concurrency: given })).code).toBe(
        'OPTION_INVALID',
      );
      const agents = { researcher: { concurrency: given } };
      expect((await rejection(Orchestrator.open({ agents }))).code).toBe('OPTION_INVALID');
      // The limit that was there still stands.
      expect(orchestrator.concurrency.limit).toBe(2);
    },
  );

  it('C04 ready tasks start by priority, equal ones in submission order', async () => {
    const { orchestrator } = await openVirtual({ concurrency: 1 });
    const priorities = { low: -5, 'even-1': 0, high: 10, 'even-2': 0, higher: 20, 'even-3': 0 };
    const tasks = Object.entries(priorities).map(([id, priority]) =>
      task(id, { priority, run: ({ clock }) => clock.sleep(1) }),
    );

    const run = await orchestrator.manageWorkflow(defineWorkflow('order', { tasks }));
    await run.result();

    expect(startsOf(await logOf(run))).toEqual(['higher', 'high', 'even-1', 'even-2', 'even-3', 'low']);
  });

  it('C04 the priority of a run is added to that of each of its tasks', async () => {
    const { orchestrator } = await openVirtual({ concurrency: 1 });
    const starts: string[] = [];
    const define = (name: string) =>
      defineWorkflow(name, {
        tasks: [
          task('plain', { run: ({ path }) => void starts.push(`${name}/${path}`) }),
          task('urgent', { priority: 5, run: ({ path }) => void starts.push(`${name}/${path}`) }),
        ],
      });

    orchestrator.pause();
    const first = await orchestrator.manageWorkflow(define('first'));
    const second = await orchestrator.manageWorkflow(define('second'), { priority: 3 });
    orchestrator.resume();
    await Promise.all([first.result(), second.result()]);

    expect(starts).toEqual(['second/urgent', 'first/urgent', 'second/plain', 'first/plain']);
  });

  it('C05 the predecessor of a high-priority task overtakes unrelated ones of middle priority', async () => {
    const { orchestrator } = await openVirtual({ concurrency: 1 });
    const tasks = [
      task('middle-1', { priority: 5, run: () => 1 }),
      task('middle-2', { priority: 5, run: () => 2 }),
      task('grandparent', { run: () => 3 }),
      task('parent', { dependencies: ['grandparent'], run: () => 4 }),
      task('urgent', { priority: 10, dependencies: ['parent'], run: () => 5 }),
    ];

    const run = await orchestrator.manageWorkflow(defineWorkflow('inherit', { tasks }));
    await run.result();

    expect(startsOf(await logOf(run))).toEqual(['grandparent', 'parent', 'urgent', 'middle-1', 'middle-2']);
  });

  it('C06 a new priority reorders a waiting task', async () => {
    const { orchestrator } = await openVirtual({ concurrency: 1 });
    const gate = createGate();
    const tasks = [
      task('running', { priority: 100, run: () => gate.promise }),
      task('first', { priority: 3, run: () => 1 }),
      task('second', { priority: 2, run: () => 2 }),
      task('third', { priority: 1, run: () => 3 }),
    ];
    const run = await orchestrator.manageWorkflow(defineWorkflow('reorder', { tasks }));

    await run.setPriority('third', 50);
    await run.setPriority('first', -1);
    gate.open();
    await run.result();

    const events = await logOf(run);
    expect(startsOf(events)).toEqual(['running', 'third', 'second', 'first']);
    expect(ofType(events, 'TaskPriorityChanged').map(({ path, priority }) => [path, priority])).toEqual([
      ['third', 50],
      ['first', -1],
    ]);
  });

  it('C06 a new priority changes nothing for a running task, and is an error for an unknown one', async () => {
    const { orchestrator } = await openVirtual({ concurrency: 1 });
    const gate = createGate();
    const tasks = [task('running', { run: () => gate.promise }), task('waiting', { run: () => 1 })];
    const run = await orchestrator.manageWorkflow(defineWorkflow('unchanged', { tasks }));

    await run.setPriority('running', 50);
    const unknown = await rejection(run.setPriority('wating', 50));
    const invalid = await rejection(run.setPriority('waiting', Number.NaN));
    gate.open();
    await run.result();

    expect(unknown.code).toBe('TASK_NOT_FOUND');
    expect(unknown.message).toContain('Did you mean "waiting"?');
    expect(invalid.code).toBe('OPTION_INVALID');
    expect(ofType(await logOf(run), 'TaskPriorityChanged')).toEqual([]);
  });

  it('C06 a new priority also moves what the task waits for, and never below what waits for it', async () => {
    const { orchestrator } = await openVirtual({ concurrency: 1 });
    const gate = createGate();
    const tasks = [
      task('running', { priority: 100, run: () => gate.promise }),
      task('middle', { priority: 5, run: () => 1 }),
      task('parent', { run: () => 2 }),
      task('child', { dependencies: ['parent'], run: () => 3 }),
      task('mother', { run: () => 4 }),
      task('daughter', { priority: 8, dependencies: ['mother'], run: () => 5 }),
    ];
    const run = await orchestrator.manageWorkflow(defineWorkflow('inherited', { tasks }));

    // The child becomes urgent, and its parent with it; the mother's own low number does not hold her daughter up.
    await run.setPriority('child', 50);
    await run.setPriority('mother', -50);
    gate.open();
    await run.result();

    expect(startsOf(await logOf(run))).toEqual([
      'running',
      'parent',
      'child',
      'mother',
      'daughter',
      'middle',
    ]);
  });

  it('C07 no priority equals 0, a negative one is allowed, NaN is refused', async () => {
    const { orchestrator } = await openVirtual({ concurrency: 1 });
    const tasks = [
      task('negative', { priority: -0.5, run: () => 1 }),
      task('none', { run: () => 2 }),
      task('zero', { priority: 0, run: () => 3 }),
      task('minus-zero', { priority: -0, run: () => 4 }),
      task('none-again', { run: () => 5 }),
    ];

    const run = await orchestrator.manageWorkflow(defineWorkflow('zeros', { tasks }));
    await run.result();

    expect(startsOf(await logOf(run))).toEqual(['none', 'zero', 'minus-zero', 'none-again', 'negative']);
    for (const priority of [Number.NaN, Number.POSITIVE_INFINITY, 2e9, '1' as unknown as number]) {
      expect(refusal(() => task('bad', { priority, run: () => 1 })).code).toBe('OPTION_INVALID');
    }
    const workflow = defineWorkflow('nan', { tasks: [] });
    const error = await rejection(orchestrator.manageWorkflow(workflow, { priority: Number.NaN }));
    expect(error.code).toBe('OPTION_INVALID');
  });

  it('C08 the earlier workflow is preferred, but no slot is idle while another has ready tasks', async () => {
    const { orchestrator, clock } = await openVirtual({ concurrency: 2 });
    // The first workflow has one ready task, then two at once; the second has four all the time.
    const fork = defineWorkflow('fork', {
      tasks: [
        task('root', { run: ({ clock: time }) => time.sleep(100) }),
        task('left', { dependencies: ['root'], run: ({ clock: time }) => time.sleep(100) }),
        task('right', { dependencies: ['root'], run: ({ clock: time }) => time.sleep(100) }),
      ],
    });
    const flat = defineWorkflow('flat', { tasks: sleepers(4) });

    const first = await orchestrator.manageWorkflow(fork);
    const second = await orchestrator.manageWorkflow(flat);
    await Promise.all([first.result(), second.result()]);

    expect(timesOf(await logOf(first))).toEqual({ root: [0, 100], left: [100, 200], right: [100, 200] });
    expect(timesOf(await logOf(second))).toEqual({
      t0: [0, 100],
      t1: [200, 300],
      t2: [200, 300],
      t3: [300, 400],
    });
    // Seven tasks on two slots: no slot was idle before the last one.
    expect(clock.now()).toBe(400);
  });

  it('C09 while the orchestrator is paused running tasks go on and none starts; resume keeps the order', async () => {
    const { orchestrator, clock } = await openStill({ concurrency: 1 });
    const tasks = [
      task('running', { priority: 9, run: ({ clock: time }) => time.sleep(100) }),
      task('low', { priority: 1, run: () => 1 }),
      task('high', { priority: 5, run: () => 2 }),
    ];
    const run = await orchestrator.manageWorkflow(defineWorkflow('paused', { tasks }));
    await clock.advance(10);

    orchestrator.pause();
    await clock.advance('1h');
    const late = await orchestrator.manageWorkflow(
      defineWorkflow('late', { tasks: [task('late', { priority: 3, run: () => 3 })] }),
    );
    await clock.advance('1h');
    expect(run.tasks().map((view) => view.status)).toEqual(['completed', 'waiting', 'waiting']);
    expect(late.tasks().map((view) => [view.status, view.reason])).toEqual([['waiting', 'paused']]);

    const starts: string[] = [];
    orchestrator.on('TaskStarted', ({ path }) => starts.push(path));
    orchestrator.resume();
    await Promise.all([run.result(), late.result()]);
    expect(starts).toEqual(['high', 'late', 'low']);
  });

  it('C09 one run can be paused alone', async () => {
    const { orchestrator, clock } = await openStill({ concurrency: 1 });
    const tasks = [
      task('running', { priority: 9, run: ({ clock: time }) => time.sleep(100) }),
      task('low', { priority: 1, run: () => 1 }),
      task('high', { priority: 5, run: () => 2 }),
    ];
    const run = await orchestrator.manageWorkflow(defineWorkflow('paused', { tasks }));
    const other = await orchestrator.manageWorkflow(defineWorkflow('other', { tasks: sleepers(1) }));
    await clock.advance(10);

    expect(await run.pause()).toBe(true);
    expect(run.status).toBe('paused');
    await clock.advance('1h');
    expect(run.tasks().map(({ status, reason }) => [status, reason])).toEqual([
      ['completed', undefined],
      ['waiting', 'paused'],
      ['waiting', 'paused'],
    ]);
    expect(other.status).toBe('completed');

    expect(await run.resume()).toBe(true);
    await run.result();
    expect(startsOf(await logOf(run))).toEqual(['running', 'high', 'low']);
    // Asking an ended run for more is answered, not thrown.
    expect(await run.pause()).toBe(false);
    expect(await run.resume()).toBe(false);
  });

  it.each(['everything', 'a workflow', 'a run', 'an agent', 'a run, logged'] as const)(
    'C09 what was changed while %s was paused counts when it is resumed: priorities (C06), and the policy',
    async (what) => {
      const { orchestrator } = await openVirtual({ concurrency: 1 });
      const { scheduler } = orchestrator;
      const run = await orchestrator.manageWorkflow(
        defineWorkflow('w', {
          tasks: ['running', 'a', 'b', 'c', 'd'].map((id) =>
            task(id, { agentAssigned: 'writer', run: ({ clock }) => clock.sleep(5) }),
          ),
        }),
      );
      const { runId } = run;
      const targets = {
        'a workflow': { workflowId: 'w' },
        'a run': { runId },
        'an agent': { agent: 'writer' },
      };
      const target = what === 'everything' || what === 'a run, logged' ? undefined : targets[what];
      if (what === 'a run, logged') await run.pause();
      else scheduler.pause(target);

      await run.setPriority('c', 5);
      scheduler.prioritizeTasks('fifo');
      await scheduler.setPriority(runId, 'd', 7);
      scheduler.prioritizeTasks('priority');
      // Whoever was not paused is not resumed by it.
      scheduler.resume({ workflowId: 'another' });
      if (what === 'a run, logged') await run.resume();
      else scheduler.resume(target);

      await run.result();
      expect(startsOf(await logOf(run))).toEqual(['running', 'd', 'c', 'a', 'b']);
    },
  );
});
