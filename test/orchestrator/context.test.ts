import { AsyncLocalStorage } from 'node:async_hooks';
import { defineWorkflow, task } from '@taskmaster-ai/orchestrator';
import { describe, expect, it } from 'vitest';
import { openVirtual } from '../support/virtual-orchestrator.ts';

/** Who asked, as a server would keep it for each request. */
const request = new AsyncLocalStorage<string>();

describe('the async context of a run', () => {
  it('is that in which it was started, in each of its handlers, before and after a wait', async () => {
    const { orchestrator } = await openVirtual();
    const seen = task('seen', {
      run: async ({ clock }) => {
        const before = request.getStore();
        await clock.sleep(10);
        return [before, request.getStore()];
      },
    });
    const after = task('after', { dependencies: { seen }, run: () => request.getStore() });
    const workflow = defineWorkflow('seen', { tasks: [seen, after] });

    const start = (name: string) => request.run(name, () => orchestrator.manageWorkflow(workflow));
    const runs = await Promise.all([start('ada'), start('bob'), orchestrator.manageWorkflow(workflow)]);

    const outputs = [];
    for (const run of runs) outputs.push((await run.result()).outputs);
    expect(outputs).toEqual([
      { seen: ['ada', 'ada'], after: 'ada' },
      { seen: ['bob', 'bob'], after: 'bob' },
      { seen: [undefined, undefined], after: undefined },
    ]);
  });

  it('is kept for tasks that were queued behind a limit, whoever made room for them', async () => {
    const { orchestrator } = await openVirtual({ concurrency: 1 });
    const tasks = ['a', 'b', 'c'].map((id) =>
      task(id, {
        run: async ({ clock }) => {
          await clock.sleep(5);
          return request.getStore();
        },
      }),
    );
    const workflow = defineWorkflow('queued', { tasks });

    orchestrator.pause();
    const runs = [];
    for (const name of ['ada', 'bob', 'eve'])
      runs.push(await request.run(name, () => orchestrator.manageWorkflow(workflow)));
    request.run('somebody else', () => orchestrator.resume());

    for (const [i, name] of ['ada', 'bob', 'eve'].entries()) {
      expect((await runs[i]?.result())?.outputs).toEqual({ a: name, b: name, c: name });
    }
  });

  it('is kept over a retry, a pause and a lock that somebody else gave back', async () => {
    const { orchestrator } = await openVirtual();
    const grant = await orchestrator.concurrency.acquireLock('door');
    const flaky = task('flaky', {
      locks: ['door'],
      retry: { maxAttempts: 2, delay: '1s' },
      run: ({ attempt }) =>
        attempt === 1 ? Promise.reject(new Error(String(request.getStore()))) : request.getStore(),
    });
    const workflow = defineWorkflow('flaky', { tasks: [flaky] });

    const run = await request.run('ada', () => orchestrator.manageWorkflow(workflow));
    await request.run('pauser', () => run.pause());
    await request.run('resumer', () => run.resume());
    request.run('door keeper', () => grant.release());
    const { outputs } = await run.result();

    expect(outputs.flaky).toBe('ada');
    for await (const event of run.events()) {
      if (event.type === 'TaskRetryScheduled') expect(event.failure.message).toBe('ada');
    }
  });

  it('cannot be changed for its neighbours by a handler that enters another one', async () => {
    const { orchestrator } = await openVirtual();
    const tasks = [
      task('sync-before', { run: () => request.getStore() }),
      task('intruder', {
        run: () => {
          request.enterWith('intruder');
          return request.getStore();
        },
      }),
      task('sync-after', { run: () => request.getStore() }),
      task('async-intruder', {
        run: async ({ clock }) => {
          request.enterWith('async intruder');
          await clock.sleep(1);
          request.enterWith('async intruder, later');
          await clock.sleep(1);
          return request.getStore();
        },
      }),
      task('async-after', { run: ({ clock }) => clock.sleep(5).then(() => request.getStore()) }),
      task('dependent', { dependencies: ['intruder', 'async-intruder'], run: () => request.getStore() }),
    ];
    const workflow = defineWorkflow('neighbours', { tasks });

    const run = await request.run('ada', () => orchestrator.manageWorkflow(workflow));
    const { outputs } = await run.result();

    expect(outputs).toEqual({
      'sync-before': 'ada',
      intruder: 'intruder',
      'sync-after': 'ada',
      'async-intruder': 'async intruder, later',
      'async-after': 'ada',
      dependent: 'ada',
    });
    expect(request.getStore()).toBeUndefined();
  });

  it('cannot be changed for another run, nor for listeners and the next start', async () => {
    const { orchestrator } = await openVirtual();
    const heard: unknown[] = [];
    orchestrator.on('TaskCompleted', () => heard.push(request.getStore()));
    const enter = defineWorkflow('enter', {
      tasks: [task('enter', { run: () => request.enterWith('intruder') })],
    });
    const look = defineWorkflow('look', { tasks: [task('look', { run: () => request.getStore() })] });

    const intruder = await request.run('ada', () => orchestrator.manageWorkflow(enter));
    const watcher = await request.run('bob', () => orchestrator.manageWorkflow(look));
    await intruder.result();
    const later = await orchestrator.manageWorkflow(look);

    expect((await watcher.result()).outputs.look).toBe('bob');
    expect((await later.result()).outputs.look).toBeUndefined();
    // Listeners belong to the orchestrator, which was opened outside of any request.
    expect(heard).toEqual([undefined, undefined, undefined]);
  });

  it('of a nested run is that of the handler that started it', async () => {
    const { orchestrator } = await openVirtual();
    const inner = defineWorkflow('inner', { tasks: [task('look', { run: () => request.getStore() })] });
    const outer = defineWorkflow('outer', {
      tasks: [
        task('plain', {
          run: async () => (await (await orchestrator.manageWorkflow(inner)).result()).outputs.look,
        }),
        task('entered', {
          run: async () => {
            request.enterWith('entered');
            return (await (await orchestrator.manageWorkflow(inner)).result()).outputs.look;
          },
        }),
      ],
    });

    const run = await request.run('ada', () => orchestrator.manageWorkflow(outer));

    expect((await run.result()).outputs).toEqual({ plain: 'ada', entered: 'entered' });
  });

  it('is seen by conditions, retry predicates and abort listeners too', async () => {
    const { orchestrator } = await openVirtual();
    const seen: unknown[] = [];
    const asked = task('asked', {
      when: () => {
        seen.push(['when', request.getStore()]);
        return true;
      },
      timeout: 10,
      retry: {
        maxAttempts: 2,
        delay: 1,
        retryOn: () => {
          seen.push(['retryOn', request.getStore()]);
          return true;
        },
      },
      run: ({ attempt, clock, signal }) => {
        signal.addEventListener('abort', () => seen.push(['abort', request.getStore()]));
        return clock.sleep(attempt === 1 ? 20 : 5);
      },
    });
    const workflow = defineWorkflow('asked', { tasks: [asked] });

    const run = await request.run('ada', () => orchestrator.manageWorkflow(workflow));
    await run.result();

    expect(seen).toEqual([
      ['when', 'ada'],
      ['abort', 'ada'],
      ['retryOn', 'ada'],
    ]);
  });

  it('of whoever waits for a run stays their own', async () => {
    const { orchestrator } = await openVirtual();
    const workflow = defineWorkflow('wait', { tasks: [task('t', { run: ({ clock }) => clock.sleep(10) })] });
    const run = await request.run('ada', () => orchestrator.manageWorkflow(workflow));

    const seen = await request.run('waiter', async () => {
      await run.result();
      const afterResult = request.getStore();
      for await (const _ of run.events()) break;
      return [afterResult, request.getStore()];
    });

    expect(seen).toEqual(['waiter', 'waiter']);
  });
});
