import { getEventListeners } from 'node:events';
import { defineWorkflow, OrchestratorError, task } from '@taskmaster-ai/orchestrator';
import { describe, expect, it } from 'vitest';
import { rejection } from '../support/errors.ts';
import { logOf, startsOf } from '../support/run-log.ts';
import { openStill, openVirtual } from '../support/virtual-orchestrator.ts';

const nap = defineWorkflow('nap', { tasks: [task('nap', { run: ({ clock }) => clock.sleep('1h') })] });
const quick = defineWorkflow('quick', { tasks: [task('quick', { run: () => 1 })] });

describe('the signal of a run', () => {
  it('cancels it, with the reason unchanged', async () => {
    const { orchestrator, clock } = await openVirtual();
    const controller = new AbortController();
    const reason = { why: 'the user left' };

    const run = await orchestrator.manageWorkflow(nap, { signal: controller.signal });
    controller.abort(reason);
    const error = await rejection(run.result());

    expect(error.code).toBe('RUN_CANCELLED');
    expect(error.cause).toBe(reason);
    expect(clock.now()).toBe(0);
  });

  it('that is aborted already lets no task start', async () => {
    const { orchestrator } = await openVirtual();

    const run = await orchestrator.manageWorkflow(quick, { signal: AbortSignal.abort('too late') });
    const error = await rejection(run.result());

    expect(error).toMatchObject({ code: 'RUN_CANCELLED', cause: 'too late' });
    expect(startsOf(await logOf(run))).toEqual([]);
  });

  it('is let go of when the run has ended', async () => {
    const { orchestrator } = await openVirtual();
    const { signal } = new AbortController();

    for (let i = 0; i < 20; i++) await (await orchestrator.manageWorkflow(quick, { signal })).result();
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);

    const run = await orchestrator.manageWorkflow(nap, { signal });
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    await run.cancel();
    await run.settled();
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  });

  it.each(['at the same moment', 'later'])(
    'of somebody who starts it under the same key %s cancels it too',
    async (when) => {
      const { orchestrator } = await openVirtual();
      const controllers = [new AbortController(), new AbortController()] as const;
      const start = ({ signal }: AbortController) =>
        orchestrator.manageWorkflow(nap, { key: 'once', signal });
      const first = start(controllers[0]);
      if (when === 'later') await first;
      const [run, same] = await Promise.all([first, start(controllers[1])]);
      expect(same.runId).toBe(run.runId);

      controllers[1].abort('no need');
      expect(await rejection(run.result())).toMatchObject({ code: 'RUN_CANCELLED', cause: 'no need' });
      for (const { signal } of controllers) expect(getEventListeners(signal, 'abort')).toHaveLength(0);
      // A run that has ended is found by its key, and the signal means nothing to it.
      const found = await orchestrator.manageWorkflow(nap, { key: 'once', signal: AbortSignal.abort() });
      expect((await rejection(found.result())).cause).toBe('no need');
    },
  );

  it('that is aborted already cancels the run that it is given under a key', async () => {
    const { orchestrator } = await openVirtual();
    const run = await orchestrator.manageWorkflow(nap, { key: 'once' });
    await orchestrator.manageWorkflow(nap, { key: 'once', signal: AbortSignal.abort('too late') });
    expect(await rejection(run.result())).toMatchObject({ code: 'RUN_CANCELLED', cause: 'too late' });
  });

  it('cancels all runs that share it and leaves the others alone', async () => {
    const { orchestrator, clock } = await openVirtual();
    const controller = new AbortController();
    const shared = [];
    for (let i = 0; i < 3; i++)
      shared.push(await orchestrator.manageWorkflow(nap, { signal: controller.signal }));
    const other = await orchestrator.manageWorkflow(nap);

    controller.abort();

    for (const run of shared) expect((await run.settled()).status).toBe('cancelled');
    expect(clock.now()).toBe(0);
    expect((await other.settled()).status).toBe('completed');
  });

  it('must be a signal', async () => {
    const { orchestrator } = await openVirtual();
    const signal = { aborted: false } as AbortSignal;
    expect((await rejection(orchestrator.manageWorkflow(quick, { signal }))).code).toBe('OPTION_INVALID');
    expect(orchestrator.runs()).toEqual([]);
  });
});

describe('the signal of a handler', () => {
  it('is its own: that of a neighbour is aborted alone', async () => {
    const { orchestrator } = await openVirtual();
    const reasons = new Map<string, unknown>();
    const tasks = ['one', 'two'].map((id) =>
      task(id, {
        run: async ({ clock, signal }) => {
          signal.addEventListener('abort', () => reasons.set(id, signal.reason));
          await clock.sleep(100);
          return signal.aborted;
        },
      }),
    );
    const run = await orchestrator.manageWorkflow(
      defineWorkflow('two', { tasks, failurePolicy: 'continue' }),
    );

    await run.cancelTask('one', 'not this one');
    const settled = await run.settled();

    expect([...reasons.keys()]).toEqual(['one']);
    expect(OrchestratorError.is(reasons.get('one'), 'TASK_CANCELLED')).toBe(true);
    expect(settled.outputs).toEqual({ two: false });
  });

  it('tells the reason of whoever cancelled the run, as its cause', async () => {
    const { orchestrator } = await openVirtual();
    const cause = new Error('the user left');
    let seen: unknown;
    const waiting = task('waiting', {
      run: async ({ clock, signal }) => {
        try {
          await clock.sleep('1h');
        } finally {
          seen = signal.reason;
        }
      },
    });
    const run = await orchestrator.manageWorkflow(defineWorkflow('waiting', { tasks: [waiting] }));

    await run.cancel(cause);
    await run.settled();

    expect(OrchestratorError.is(seen, 'TASK_CANCELLED')).toBe(true);
    expect((seen as Error).cause).toBe(cause);
  });

  it('is aborted from the start when the handler asks for it only after the cancellation', async () => {
    const { orchestrator, clock } = await openStill();
    let aborted: boolean | undefined;
    const late = task('late', {
      run: async (context) => {
        await new Promise<void>((resolve) => {
          clock.setTimer(100, resolve);
        });
        aborted = context.signal.aborted;
      },
    });
    const run = await orchestrator.manageWorkflow(defineWorkflow('late', { tasks: [late] }));

    await run.cancel();
    await clock.advance(100);

    expect((await run.settled()).status).toBe('cancelled');
    expect(aborted).toBe(true);
  });

  it('is fresh for each attempt', async () => {
    const { orchestrator } = await openVirtual();
    const signals: AbortSignal[] = [];
    const slow = task('slow', {
      timeout: 10,
      retry: { maxAttempts: 2, delay: 1 },
      run: ({ attempt, clock, signal }) => {
        signals.push(signal);
        return attempt === 1 ? clock.sleep(100) : clock.sleep(5);
      },
    });

    await (await orchestrator.manageWorkflow(defineWorkflow('slow', { tasks: [slow] }))).result();

    expect(signals.map((signal) => signal.aborted)).toEqual([true, false]);
  });

  it('keeps no listener of a sleep that has ended', async () => {
    const { orchestrator } = await openVirtual();
    const sleepy = task('sleepy', {
      run: async ({ clock, signal }) => {
        for (let i = 0; i < 50; i++) await clock.sleep(1);
        return getEventListeners(signal, 'abort').length;
      },
    });

    const run = await orchestrator.manageWorkflow(defineWorkflow('sleepy', { tasks: [sleepy] }));

    expect((await run.result()).outputs.sleepy).toBe(0);
  });
});

describe('the signal of a wait', () => {
  it.each(['acquireLock', 'allocateResource'] as const)(
    '%s ends with it, and the next one moves up',
    async (kind) => {
      const { orchestrator } = await openVirtual({ resources: { door: 1 } });
      const wait = (signal?: AbortSignal) => {
        const options = signal === undefined ? {} : { signal };
        return kind === 'acquireLock'
          ? orchestrator.concurrency.acquireLock('door', options)
          : orchestrator.resources.allocateResource({ door: 1 }, options);
      };
      const held = await wait();
      const controller = new AbortController();
      const given = wait(controller.signal);
      const next = wait();

      controller.abort('changed my mind');
      const error = await rejection(given);
      expect(error).toMatchObject({ code: 'WAIT_ABORTED', cause: 'changed my mind' });
      expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);

      held.release();
      (await next).release();
      expect((await rejection(wait(controller.signal))).code).toBe('WAIT_ABORTED');
      // Nothing of the aborted waits is left: the door is free.
      (await wait()).release();
    },
  );
});
