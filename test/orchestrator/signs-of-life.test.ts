import { defineWorkflow, OrchestratorError, task } from '@taskmaster-ai/orchestrator';
import { describe, expect, it } from 'vitest';
import { refusal } from '../support/errors.ts';
import { logOf, ofType, spansOf, timesOf } from '../support/run-log.ts';
import { openVirtual } from '../support/virtual-orchestrator.ts';

describe('heartbeatTimeout', () => {
  it('ends an attempt that gives no sign of life, and another one may follow', async () => {
    const { orchestrator } = await openVirtual();
    const silent = task('silent', {
      heartbeatTimeout: '1s',
      retry: { maxAttempts: 2, delay: 0 },
      run: async ({ attempt, clock, heartbeat }) => {
        if (attempt === 1) {
          await clock.sleep(900);
          heartbeat();
          return clock.sleep('1h');
        }
        for (let i = 0; i < 10; i++) {
          await clock.sleep(900);
          heartbeat();
        }
      },
    });

    const run = await orchestrator.manageWorkflow(defineWorkflow('silent', { tasks: [silent] }));
    await run.result();

    const events = await logOf(run);
    // One second after its only sign; the second attempt takes nine seconds, with a sign in each.
    expect(spansOf(events).map(({ from, to }) => [from, to])).toEqual([
      [0, 1_900],
      [1_900, 10_900],
    ]);
    expect(ofType(events, 'TaskStopRequested')).toMatchObject([
      { cause: 'heartbeat', reason: { code: 'TASK_TIMEOUT', message: expect.stringContaining('1000 ms') } },
    ]);
  });

  it('takes progress as a sign of life', async () => {
    const { orchestrator } = await openVirtual();
    const lively = task('lively', {
      heartbeatTimeout: 100,
      run: async ({ clock, progress }) => {
        for (let i = 0; i < 5; i++) {
          await clock.sleep(90);
          progress(i);
        }
      },
    });

    const run = await orchestrator.manageWorkflow(defineWorkflow('lively', { tasks: [lively] }));
    await run.result();

    expect(timesOf(await logOf(run)).lively).toEqual([0, 450]);
  });

  it('does not count for a task that has none: heartbeat() then does nothing', async () => {
    const { orchestrator } = await openVirtual();
    const plain = task('plain', {
      run: async ({ clock, heartbeat }) => {
        heartbeat();
        await clock.sleep('1h');
        return 'done';
      },
    });

    const run = await orchestrator.manageWorkflow(defineWorkflow('plain', { tasks: [plain] }));

    expect((await run.result()).outputs.plain).toBe('done');
  });
});

describe('progress', () => {
  it('is an event in the log, in order, with the attempt it belongs to', async () => {
    const { orchestrator } = await openVirtual();
    const heard: unknown[] = [];
    orchestrator.on('TaskProgressed', ({ path, progress }) => heard.push([path, progress]));
    const working = task('working', {
      retry: { maxAttempts: 2, delay: 0 },
      run: async ({ attempt, clock, progress }) => {
        progress({ percent: 10 });
        await clock.sleep(10);
        progress('half');
        if (attempt === 1) throw new Error('again');
      },
    });

    const run = await orchestrator.manageWorkflow(defineWorkflow('working', { tasks: [working] }));
    await run.result();

    const events = ofType(await logOf(run), 'TaskProgressed');
    expect(events.map(({ attempt, at, progress }) => [attempt, at, progress])).toEqual([
      [1, 0, { percent: 10 }],
      [1, 10, 'half'],
      [2, 10, { percent: 10 }],
      [2, 20, 'half'],
    ]);
    expect(heard).toEqual(events.map(({ path, progress }) => [path, progress]));
  });

  it('takes a copy: what the handler changes later changes nothing', async () => {
    const { orchestrator } = await openVirtual();
    const state = { done: 1 };
    const working = task('working', {
      run: async ({ clock, progress }) => {
        progress(state);
        state.done = 2;
        await clock.sleep(1);
      },
    });

    const run = await orchestrator.manageWorkflow(defineWorkflow('working', { tasks: [working] }));
    await run.result();

    expect(ofType(await logOf(run), 'TaskProgressed')[0]?.progress).toEqual({ done: 1 });
  });

  it('after the end of the attempt changes nothing', async () => {
    const { orchestrator, clock } = await openVirtual();
    let late: (value: unknown) => void = () => {};
    let lateBeat: () => void = () => {};
    const working = task('working', {
      heartbeatTimeout: '1m',
      run: ({ progress, heartbeat }) => {
        late = progress;
        lateBeat = heartbeat;
      },
    });

    const run = await orchestrator.manageWorkflow(defineWorkflow('working', { tasks: [working] }));
    await run.result();
    late('too late');
    lateBeat();
    await clock.advance('10m');

    expect(ofType(await logOf(run), 'TaskProgressed')).toEqual([]);
    expect(run.status).toBe('completed');
  });

  it('refuses what cannot be carried, to the handler itself', async () => {
    const { orchestrator } = await openVirtual();
    const working = task('working', {
      run: ({ progress }) => refusal(() => progress({ deep: [() => 1] })).message,
    });

    const run = await orchestrator.manageWorkflow(defineWorkflow('working', { tasks: [working] }));

    expect((await run.result()).outputs.working).toContain('/deep/0');
  });

  it('is limited for each attempt, so that a log cannot grow without end', async () => {
    const { orchestrator } = await openVirtual();
    const chatty = task('chatty', {
      run: ({ progress }) => {
        let told = 0;
        try {
          for (;;) {
            progress(told);
            told++;
          }
        } catch (error) {
          return [told, OrchestratorError.is(error, 'LIMIT_EXCEEDED')];
        }
      },
    });

    const run = await orchestrator.manageWorkflow(defineWorkflow('chatty', { tasks: [chatty] }));

    expect((await run.result()).outputs.chatty).toEqual([10_000, true]);
  });
});
