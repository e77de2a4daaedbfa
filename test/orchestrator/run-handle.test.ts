import { defineWorkflow, Orchestrator, type Run, task } from '@taskmaster-ai/orchestrator';
import { describe, expect, it } from 'vitest';
import { rejection } from '../support/errors.ts';
import { createGate } from '../support/gate.ts';
import { logOf, ofType } from '../support/run-log.ts';
import { openStill, openVirtual } from '../support/virtual-orchestrator.ts';

const nap = defineWorkflow('nap', { tasks: [task('nap', { run: ({ clock }) => clock.sleep('1h') })] });
const sum = defineWorkflow('sum', {
  tasks: [
    task('one', { run: () => 1 }),
    task('two', { dependencies: ['one'], run: ({ dependencies: { one } }) => (one as number) + 1 }),
  ],
});
const broken = defineWorkflow('broken', {
  tasks: [task('good', { run: () => 'kept' }), task('bad', { run: () => Promise.reject(new Error('bad')) })],
});

describe('result and settled', () => {
  it('result gives the outputs, and asking again, early or late, gives the same', async () => {
    const { orchestrator } = await openVirtual();

    const run = await orchestrator.manageWorkflow(sum);
    const [early, alsoEarly] = await Promise.all([run.result(), run.result()]);
    const late = await run.result();

    expect(early).toEqual({ runId: run.runId, status: 'completed', outputs: { one: 1, two: 2 } });
    expect(alsoEarly).toEqual(early);
    expect(late).toEqual(early);
    expect(await run.settled()).toEqual({ ...early, failures: [], error: undefined });
  });

  it('settled tells a failure without rejecting, and result rejects with the same error', async () => {
    const { orchestrator } = await openVirtual();

    const run = await orchestrator.manageWorkflow(broken);
    const settled = await run.settled();
    const error = await rejection(run.result());

    expect(settled).toMatchObject({ runId: run.runId, status: 'failed', outputs: { good: 'kept' } });
    expect(settled.error).toMatchObject({ code: 'RUN_FAILED', message: error.message });
    expect(settled.failures).toMatchObject([{ path: 'bad', attempt: 1, failure: { message: 'bad' } }]);
    expect(run.status).toBe('failed');
  });

  it('a run that nobody waits for fails without an unhandled rejection', async () => {
    const { orchestrator } = await openVirtual();
    const unhandled: unknown[] = [];
    const listen = (reason: unknown) => unhandled.push(reason);
    process.on('unhandledRejection', listen);
    try {
      const run = await orchestrator.manageWorkflow(broken);
      await logOf(run);
      await new Promise((resolve) => setImmediate(resolve));
    } finally {
      process.off('unhandledRejection', listen);
    }
    expect(unhandled).toEqual([]);
  });

  it('a dependency that was not listed joins the workflow and is not among its outputs', async () => {
    const { orchestrator } = await openVirtual();
    const hidden = task('hidden', { run: () => 'seen inside' });
    const shown = task('shown', { dependencies: { hidden }, run: ({ dependencies: { hidden } }) => hidden });

    const run = await orchestrator.manageWorkflow(defineWorkflow('joins', { tasks: [shown] }));

    expect((await run.result()).outputs).toEqual({ shown: 'seen inside' });
    expect(run.tasks().map((view) => view.taskId)).toEqual(['shown', 'hidden']);
  });

  it('a cancelled run rejects with the reason as its cause', async () => {
    const { orchestrator } = await openVirtual();
    const reason = { why: 'enough' };

    const run = await orchestrator.manageWorkflow(nap);
    expect(await run.cancel(reason)).toBe(true);
    const error = await rejection(run.result());

    expect(error.code).toBe('RUN_CANCELLED');
    expect(error.cause).toBe(reason);
    expect(run.status).toBe('cancelled');
    // It has ended: there is nothing left to cancel.
    expect(await run.cancel('again')).toBe(false);
    expect(((await rejection(run.result())).cause as typeof reason).why).toBe('enough');
  });
});

describe('waiting for oneself', () => {
  it('is refused with SELF_WAIT, by result and by settled, and the run goes on', async () => {
    const { orchestrator } = await openVirtual();
    const started = createGate<Run>();
    const codes: string[] = [];
    const selfish = task('selfish', {
      run: async () => {
        const own = await started.promise;
        codes.push((await rejection(own.result())).code);
        codes.push((await rejection(own.settled())).code);
        codes.push((await rejection(orchestrator.getRun(own.runId).result())).code);
        return 'gave up waiting';
      },
    });

    const run = await orchestrator.manageWorkflow(defineWorkflow('selfish', { tasks: [selfish] }));
    started.open(run);
    const { outputs } = await run.result();

    expect(codes).toEqual(['SELF_WAIT', 'SELF_WAIT', 'SELF_WAIT']);
    expect(outputs.selfish).toBe('gave up waiting');
  });

  it('a handler may wait for another run, also one that it started, several deep', async () => {
    const { orchestrator } = await openVirtual({ concurrency: 4 });
    const fibonacci = (n: number) =>
      defineWorkflow(`fibonacci-${n}`, {
        tasks: [
          task('sum', {
            run: async (): Promise<number> => {
              if (n < 2) return n;
              const run = await orchestrator.manageWorkflow(
                defineWorkflow(`child-of-${n}`, { tasks: [below(n)] }),
              );
              return (await run.result()).outputs.below;
            },
          }),
        ],
      });
    const below = (n: number) =>
      task('below', {
        run: async (): Promise<number> => {
          const run = await orchestrator.manageWorkflow(fibonacci(n - 1));
          return (await run.result()).outputs.sum + 1;
        },
      });

    const run = await orchestrator.manageWorkflow(fibonacci(2));

    expect((await run.result()).outputs.sum).toBe(2);
  });

  it('a nested run shares the limits of its orchestrator', async () => {
    const { orchestrator } = await openVirtual({ resources: { gpu: 1 } });
    const inner = defineWorkflow('inner', {
      tasks: [task('render', { resourceRequirements: { gpu: 1 }, run: ({ clock }) => clock.sleep(100) })],
    });
    const outer = defineWorkflow('outer', {
      tasks: ['a', 'b'].map((id) =>
        task(id, {
          run: async ({ clock }) => {
            await (await orchestrator.manageWorkflow(inner)).result();
            return clock.now();
          },
        }),
      ),
    });

    const run = await orchestrator.manageWorkflow(outer);

    expect((await run.result()).outputs).toEqual({ a: 100, b: 200 });
  });
});

describe('looking at a run', () => {
  it('tells its workflow and version, and its tasks with status and reason', async () => {
    const { orchestrator, clock } = await openStill({ concurrency: 3, resources: { gpu: 1 } });
    const tasks = [
      task('a', { run: ({ clock: time }) => time.sleep(100) }),
      task('after-a', { dependencies: ['a'], run: () => 1 }),
      task('with-gpu', { resourceRequirements: { gpu: 1 }, run: ({ clock: time }) => time.sleep(100) }),
      task('no-gpu-left', { resourceRequirements: { gpu: 1 }, run: () => 1 }),
      task('quick', { run: ({ attempt }) => attempt }),
      task('flaky', { retry: {}, run: () => Promise.reject(new Error('no')) }),
      task('slow', { run: ({ clock: time }) => time.sleep(100) }),
      task('no-slot-left', { run: () => 1 }),
    ];
    const workflow = defineWorkflow('views', { tasks, workflowId: 'views-id' });

    const run = await orchestrator.manageWorkflow(workflow);
    await clock.advance(10);

    expect([run.workflowId, run.workflowVersion, run.status]).toEqual(['views-id', 1, 'in_progress']);
    expect(run.tasks().map(({ path, status, reason, attempt }) => [path, status, reason, attempt])).toEqual([
      ['a', 'in_progress', undefined, 1],
      ['after-a', 'created', 'dependency', 0],
      ['with-gpu', 'in_progress', undefined, 1],
      ['no-gpu-left', 'waiting', expect.stringMatching(/^(resource|concurrency)$/), 0],
      ['quick', 'completed', undefined, 1],
      ['flaky', 'retrying', 'timer', 1],
      ['slow', 'in_progress', undefined, 1],
      ['no-slot-left', 'waiting', 'concurrency', 0],
    ]);
  });

  it('a run is found by its id while it is kept', async () => {
    const { orchestrator } = await openVirtual();

    const run = await orchestrator.manageWorkflow(sum);
    await run.result();

    expect((await orchestrator.getRun(run.runId).result()).outputs).toEqual({ one: 1, two: 2 });
    expect(orchestrator.runs().map((known) => known.runId)).toEqual([run.runId]);
    expect(() => orchestrator.getRun('no-such-run')).toThrow(
      expect.objectContaining({ code: 'RUN_NOT_FOUND' }),
    );
  });

  it('a run is cancelled by its id; an unknown one is answered with false', async () => {
    const { orchestrator } = await openVirtual();

    const run = await orchestrator.manageWorkflow(nap);

    expect(await orchestrator.cancelRun('no-such-run')).toBe(false);
    expect(await orchestrator.cancelRun(run.runId, 'by id')).toBe(true);
    expect((await run.settled()).status).toBe('cancelled');
    expect(await orchestrator.cancelRun(run.runId)).toBe(false);
  });
});

describe('cancelling one task', () => {
  it('skips what depends on it and fails the run; the rest goes on under continue', async () => {
    const { orchestrator } = await openVirtual();
    const tasks = [
      task('stopped', { run: ({ clock }) => clock.sleep('1h') }),
      task('after', { dependencies: ['stopped'], run: () => 'never' }),
      task('other', { run: ({ clock }) => clock.sleep(10).then(() => 'done') }),
    ];
    const run = await orchestrator.manageWorkflow(
      defineWorkflow('one', { tasks, failurePolicy: 'continue' }),
    );

    expect(await run.cancelTask('stopped', new Error('not needed'))).toBe(true);
    const settled = await run.settled();

    expect(settled.status).toBe('failed');
    expect(settled.outputs).toEqual({ other: 'done' });
    const events = await logOf(run);
    expect(ofType(events, 'TaskCancelled').map(({ path, cause }) => [path, cause])).toEqual([
      ['stopped', 'task_cancelled'],
    ]);
    expect(ofType(events, 'TaskSkipped').map((event) => event.path)).toEqual(['after']);
  });

  it('is answered with false for one that has ended, and refused for one that is not there', async () => {
    const { orchestrator } = await openVirtual();
    const run = await orchestrator.manageWorkflow(sum);
    await run.result();

    expect(await run.cancelTask('one')).toBe(false);
    expect((await rejection(run.cancelTask('tow'))).message).toContain('Did you mean "two"?');
  });
});

describe('starting once under a key', () => {
  it('gives the same run to everybody who asks, at the same time or later', async () => {
    const { orchestrator } = await openVirtual();
    let started = 0;
    const once = defineWorkflow('once', {
      tasks: [
        task('count', {
          run: ({ input }) => {
            started++;
            return input;
          },
        }),
      ],
    });

    const [a, b] = await Promise.all([
      orchestrator.manageWorkflow(once, { key: 'order-7', input: 'first' }),
      orchestrator.manageWorkflow(once, { key: 'order-7', input: 'first' }),
    ]);
    const outputs = [(await a.result()).outputs, (await b.result()).outputs];
    const late = await orchestrator.manageWorkflow(once, { key: 'order-7', input: 'first' });
    const other = await orchestrator.manageWorkflow(once, { key: 'order-8', input: 'fourth' });

    expect(new Set([a.runId, b.runId, late.runId]).size).toBe(1);
    expect(outputs).toEqual([{ count: 'first' }, { count: 'first' }]);
    expect((await other.result()).outputs).toEqual({ count: 'fourth' });
    expect(started).toBe(2);
  });

  it('a key may be used again once its run was released', async () => {
    const { orchestrator } = await openVirtual();
    const first = await orchestrator.manageWorkflow(sum, { key: 'daily' });
    await first.result();
    expect(first.release()).toBe(true);

    const second = await orchestrator.manageWorkflow(sum, { key: 'daily' });

    expect(second.runId).not.toBe(first.runId);
    expect((await second.result()).outputs).toEqual({ one: 1, two: 2 });
  });

  it('a start that is refused leaves the key free', async () => {
    const { orchestrator } = await openVirtual();
    const unknown = { name: 'unknown', tasks: [{ taskId: 'a', handler: 'nowhere' }] };

    expect((await rejection(orchestrator.manageWorkflow(unknown, { key: 'k' }))).code).toBe(
      'HANDLER_UNKNOWN',
    );
    const run = await orchestrator.manageWorkflow(sum, { key: 'k' });

    expect((await run.result()).status).toBe('completed');
    for (const key of ['', 'x'.repeat(257), 7 as unknown as string]) {
      expect((await rejection(orchestrator.manageWorkflow(sum, { key }))).code).toMatch(
        /^(OPTION_INVALID|LIMIT_EXCEEDED)$/,
      );
    }
  });
});

describe('forgetting runs', () => {
  it('release forgets an ended run, and not one that goes on', async () => {
    const { orchestrator } = await openVirtual();
    const run = await orchestrator.manageWorkflow(nap);

    expect(run.release()).toBe(false);
    await run.cancel();
    await run.settled();
    expect(run.release()).toBe(true);

    expect((await rejection(run.result())).code).toBe('RUN_RELEASED');
    expect((await rejection(run.settled())).code).toBe('RUN_RELEASED');
    expect((await rejection(run.events().next())).code).toBe('RUN_RELEASED');
    expect(orchestrator.runs()).toEqual([]);
  });

  it('of ended runs the last retainRuns are kept; unfinished ones always', async () => {
    const { orchestrator } = await openVirtual({ retainRuns: 2 });
    const unfinished = await orchestrator.manageWorkflow(nap);
    const ended = [];
    for (let i = 0; i < 4; i++) {
      const run = await orchestrator.manageWorkflow(sum);
      await run.result();
      ended.push(run.runId);
    }

    expect(orchestrator.runs().map((run) => run.runId)).toEqual([unfinished.runId, ended[2], ended[3]]);
  });
});

describe('running one task', () => {
  it('runs what it depends on too, and gives its output', async () => {
    const { orchestrator } = await openVirtual();
    const base = task('base', { run: ({ input }) => (input as { from: number }).from });
    const top = task('top', { dependencies: { base }, run: ({ dependencies: { base } }) => base + 1 });

    const run = await orchestrator.scheduleTask(top, { input: { from: 41 } });
    const again = await orchestrator.scheduleTask(top, { input: { from: 1 } });

    expect((await run.result()).outputs.top).toBe(42);
    expect((await again.result()).outputs.top).toBe(2);
    expect([run.workflowId, run.workflowVersion, again.workflowVersion]).toEqual(['top', 1, 1]);
  });

  it('refuses what is no task', async () => {
    const { orchestrator } = await openVirtual();
    for (const odd of [undefined, null, 'a', { taskId: 'a' }]) {
      const error = await rejection(orchestrator.scheduleTask(odd as never));
      expect(error.code).toMatch(/^(DEFINITION_INVALID|ID_INVALID)$/);
    }
  });
});

it('two orchestrators do not share limits, runs or listeners', async () => {
  const one = await Orchestrator.open({ concurrency: 1 });
  const two = await Orchestrator.open({ concurrency: 1 });
  const heard: string[] = [];
  one.on('RunCompleted', ({ runId }) => heard.push(runId));

  const [first, second] = await Promise.all([one.manageWorkflow(sum), two.manageWorkflow(sum)]);
  await Promise.all([first.result(), second.result()]);
  await Promise.all([one.close(), two.close()]);

  expect(heard).toEqual([first.runId]);
  expect(() => one.getRun(second.runId)).toThrow();
});
