import { defineWorkflow, NonRetryableError, OrchestratorError, task } from '@taskmaster-ai/orchestrator';
import { describe, expect, it } from 'vitest';
import { rejection } from '../../support/errors.ts';
import { nextTurn } from '../../support/gate.ts';
import { logOf, ofType, spansOf, startsOf, timesOf, typesOf } from '../../support/run-log.ts';
import { openStill, openVirtual } from '../../support/virtual-orchestrator.ts';

describe('retry and time limits', () => {
  it('R01 maxAttempts 3 means at most three attempts, and the task can read which one it is', async () => {
    const { orchestrator } = await openVirtual();
    const seen: (readonly [number, string])[] = [];
    const flaky = task('flaky', {
      retry: { maxAttempts: 3, delay: 0 },
      run: ({ attempt, idempotencyKey }) => {
        seen.push([attempt, idempotencyKey]);
        throw new Error(`attempt ${attempt}`);
      },
    });

    const run = await orchestrator.manageWorkflow(defineWorkflow('flaky', { tasks: [flaky] }));
    const error = await rejection(run.result());

    // The key is the same for every attempt.
    const key = `${run.runId}/flaky`;
    expect(seen).toEqual([
      [1, key],
      [2, key],
      [3, key],
    ]);
    // The last failure is the one that counts.
    expect((error.cause as Error).message).toBe('attempt 3');
    expect(typesOf(await logOf(run), 'flaky')).toEqual([
      'TaskStarted',
      'TaskRetryScheduled',
      'TaskStarted',
      'TaskRetryScheduled',
      'TaskStarted',
      'TaskFailed',
    ]);
  });

  it('R01 a success ends the attempts', async () => {
    const { orchestrator } = await openVirtual();
    const flaky = task('flaky', {
      retry: { maxAttempts: 5, delay: 10 },
      run: ({ attempt }) => (attempt < 3 ? Promise.reject(new Error('not yet')) : `attempt ${attempt}`),
    });

    const run = await orchestrator.manageWorkflow(defineWorkflow('flaky', { tasks: [flaky] }));

    expect((await run.result()).outputs.flaky).toBe('attempt 3');
    expect((await run.settled()).failures).toEqual([]);
  });

  it('R02 exponential backoff 1, 2, 4 s with a cap of 3 s waits 1, 2, 3 s', async () => {
    const { orchestrator } = await openVirtual();
    const flaky = task('flaky', {
      retry: { maxAttempts: 5, delay: '1s', factor: 2, maxDelay: '3s' },
      run: () => Promise.reject(new Error('no')),
    });

    const run = await orchestrator.manageWorkflow(defineWorkflow('backoff', { tasks: [flaky] }));
    await run.settled();

    const starts = spansOf(await logOf(run)).map((span) => span.from);
    expect(starts).toEqual([0, 1_000, 3_000, 6_000, 9_000]);
  });

  it('R02 jitter shortens each wait by its share of chance', async () => {
    const { orchestrator } = await openVirtual({ random: { next: () => 0.5 } });
    const flaky = task('flaky', {
      retry: { maxAttempts: 3, delay: '1s', jitter: 0.2 },
      run: () => Promise.reject(new Error('no')),
    });

    const run = await orchestrator.manageWorkflow(defineWorkflow('jitter', { tasks: [flaky] }));
    await run.settled();

    expect(spansOf(await logOf(run)).map((span) => span.from)).toEqual([0, 900, 2_700]);
  });

  it.each([
    ['NonRetryableError', () => new NonRetryableError('no such page')],
    ['an object that says retryable: false', () => ({ message: 'gone', retryable: false })],
    ['a coded error that is not retryable', () => new OrchestratorError('OPTION_INVALID', 'wrong')],
  ])('R03 %s ends the task at once', async (_, make) => {
    const { orchestrator } = await openVirtual();
    const hopeless = task('hopeless', {
      retry: { maxAttempts: 5 },
      run: () => {
        throw make();
      },
    });

    const run = await orchestrator.manageWorkflow(defineWorkflow('hopeless', { tasks: [hopeless] }));
    await run.settled();

    expect(typesOf(await logOf(run), 'hopeless')).toEqual(['TaskStarted', 'TaskFailed']);
  });

  it('R04 a predicate decides on retry, by error and attempt', async () => {
    const { orchestrator } = await openVirtual();
    const asked: (readonly [string, string | undefined, number])[] = [];
    const picky = task('picky', {
      retry: {
        maxAttempts: 10,
        delay: 0,
        retryOn: ({ thrown, failure, attempt }) => {
          asked.push([(thrown as Error).message, failure.code, attempt]);
          return failure.code === 'E_BUSY' && attempt < 3;
        },
      },
      run: ({ attempt }) => {
        throw Object.assign(new Error(`busy ${attempt}`), { code: 'E_BUSY' });
      },
    });
    const fatal = task('fatal', {
      retry: { maxAttempts: 10, delay: 0, retryOn: ({ failure }) => failure.code === 'E_BUSY' },
      run: () => Promise.reject(Object.assign(new Error('gone'), { code: 'E_GONE' })),
    });

    const run = await orchestrator.manageWorkflow(
      defineWorkflow('picky', { tasks: [picky, fatal], failurePolicy: 'continue' }),
    );
    const { failures } = await run.settled();

    expect(failures.map(({ path, attempt }) => [path, attempt])).toEqual([
      ['picky', 3],
      ['fatal', 1],
    ]);
    expect(asked).toEqual([
      ['busy 1', 'E_BUSY', 1],
      ['busy 2', 'E_BUSY', 2],
      ['busy 3', 'E_BUSY', 3],
    ]);
  });

  it('R04 a predicate that answers with a promise that rejects ends nothing but the attempts', async () => {
    const { orchestrator } = await openVirtual();
    const unhandled: unknown[] = [];
    const listen = (reason: unknown) => unhandled.push(reason);
    process.on('unhandledRejection', listen);
    const retryOn = (() => Promise.reject(new Error('predicate'))) as unknown as () => boolean;
    const odd = task('odd', {
      retry: { maxAttempts: 3, retryOn },
      run: () => Promise.reject(new Error('original')),
    });

    const run = await orchestrator.manageWorkflow(defineWorkflow('odd', { tasks: [odd] }));
    const { failures } = await run.settled();
    await nextTurn();
    process.off('unhandledRejection', listen);

    expect(failures).toMatchObject([{ attempt: 1, failure: { message: 'original' } }]);
    expect(unhandled).toEqual([]);
  });

  it('R04 a predicate that throws, or answers something else than true, means no', async () => {
    const { orchestrator } = await openVirtual();
    const tasks = [
      task('throwing', {
        retry: {
          maxAttempts: 3,
          retryOn: () => {
            throw new Error('predicate');
          },
        },
        run: () => Promise.reject(new Error('original')),
      }),
      task('promising', {
        retry: { maxAttempts: 3, retryOn: (() => Promise.resolve(true)) as unknown as () => boolean },
        run: () => Promise.reject(new Error('original')),
      }),
    ];

    const run = await orchestrator.manageWorkflow(
      defineWorkflow('odd', { tasks, failurePolicy: 'continue' }),
    );
    const { failures } = await run.settled();

    expect(failures.map(({ attempt, failure }) => [attempt, failure.message])).toEqual([
      [1, 'original'],
      [1, 'original'],
    ]);
  });

  it('R05 while a task waits for its next attempt it holds no slot, resource or lock', async () => {
    const { orchestrator, clock } = await openStill({
      concurrency: 1,
      resources: { gpu: 1 },
      agents: { worker: { concurrency: 1 } },
    });
    const needs = { resourceRequirements: { gpu: 1 }, locks: ['report'], agentAssigned: 'worker' } as const;
    const flaky = task('flaky', {
      ...needs,
      priority: 10,
      retry: { maxAttempts: 2, delay: '1s' },
      run: ({ attempt }) => (attempt === 1 ? Promise.reject(new Error('no')) : 'second'),
    });
    const other = task('other', { ...needs, run: ({ clock: time }) => time.sleep(400) });

    const run = await orchestrator.manageWorkflow(defineWorkflow('yield', { tasks: [flaky, other] }));
    await clock.advance(500);

    expect(run.tasks().map(({ taskId, status, reason }) => [taskId, status, reason])).toEqual([
      ['flaky', 'retrying', 'timer'],
      ['other', 'completed', undefined],
    ]);
    expect(orchestrator.resources.usage('gpu').used).toBe(0);
    expect(orchestrator.concurrency.running).toBe(0);
    const grant = await orchestrator.concurrency.acquireLock('report');
    grant.release();

    await clock.advance(500);
    await run.result();
    expect(spansOf(await logOf(run)).map(({ path, from, to }) => [path, from, to])).toEqual([
      ['flaky', 0, 0],
      ['other', 0, 400],
      ['flaky', 1_000, 1_000],
    ]);
  });

  it('R06 the limit of one attempt leaves time for the next one', async () => {
    const { orchestrator } = await openVirtual();
    const slow = task('slow', {
      timeout: 100,
      retry: { maxAttempts: 2, delay: 50 },
      run: ({ attempt, clock }) => clock.sleep(attempt === 1 ? 1_000 : 80).then(() => `attempt ${attempt}`),
    });

    const run = await orchestrator.manageWorkflow(defineWorkflow('attempt-limit', { tasks: [slow] }));
    const { outputs } = await run.result();

    expect(outputs.slow).toBe('attempt 2');
    expect(spansOf(await logOf(run)).map(({ from, to }) => [from, to])).toEqual([
      [0, 100],
      [150, 230],
    ]);
  });

  it('R06 the limit of the whole task counts all attempts and the waits between them', async () => {
    const { orchestrator } = await openVirtual();
    const slow = task('slow', {
      timeout: 100,
      totalTimeout: 350,
      retry: { maxAttempts: 10, delay: 50, factor: 1 },
      run: ({ clock }) => clock.sleep(1_000),
    });

    const run = await orchestrator.manageWorkflow(defineWorkflow('total-limit', { tasks: [slow] }));
    const { failures } = await run.settled();

    const events = await logOf(run);
    // The third attempt is cut short by the end of the whole.
    expect(spansOf(events).map(({ from, to }) => [from, to])).toEqual([
      [0, 100],
      [150, 250],
      [300, 350],
    ]);
    expect(ofType(events, 'TaskStopRequested').map((event) => event.cause)).toEqual([
      'timeout',
      'timeout',
      'total_timeout',
    ]);
    expect(failures[0]?.failure).toMatchObject({ code: 'TASK_TIMEOUT' });
    expect(failures[0]?.failure.message).toContain('350 ms');
  });

  it('R06 the limit of the whole task also ends a wait for the next attempt', async () => {
    const { orchestrator, clock } = await openVirtual();
    const flaky = task('flaky', {
      totalTimeout: '10s',
      retry: { maxAttempts: 10, delay: '1h', maxDelay: '1h' },
      run: () => Promise.reject(new Error('no')),
    });

    const run = await orchestrator.manageWorkflow(defineWorkflow('total-wait', { tasks: [flaky] }));
    const { failures } = await run.settled();

    expect(failures[0]?.failure.code).toBe('TASK_TIMEOUT');
    expect(clock.now()).toBe(10_000);
    expect(typesOf(await logOf(run), 'flaky')).toEqual(['TaskStarted', 'TaskRetryScheduled', 'TaskFailed']);
  });

  it('R07 waiting in the queue does not count towards the run-time limit', async () => {
    const { orchestrator } = await openVirtual({ concurrency: 1 });
    const tasks = [
      task('long', { run: ({ clock }) => clock.sleep('1h') }),
      task('limited', { timeout: 100, totalTimeout: 100, run: ({ clock }) => clock.sleep(90) }),
    ];

    const run = await orchestrator.manageWorkflow(defineWorkflow('queue', { tasks }));
    await run.result();

    const hour = 3_600_000;
    expect(timesOf(await logOf(run))).toEqual({ long: [0, hour], limited: [hour, hour + 90] });
  });

  it('R09 a timed-out task gets an abort signal that says why, and frees what it held', async () => {
    const { orchestrator } = await openVirtual({ resources: { gpu: 1 } });
    let reason: unknown;
    const slow = task('slow', {
      priority: 1,
      timeout: 100,
      resourceRequirements: { gpu: 1 },
      run: ({ clock, signal }) => {
        signal.addEventListener('abort', () => {
          reason = signal.reason;
        });
        return clock.sleep('1h');
      },
    });
    const next = task('next', { resourceRequirements: { gpu: 1 }, run: () => 'had the gpu' });

    const run = await orchestrator.manageWorkflow(
      defineWorkflow('timeout', { tasks: [slow, next], failurePolicy: 'continue' }),
    );
    const outcome = await run.settled();

    expect(OrchestratorError.is(reason, 'TASK_TIMEOUT')).toBe(true);
    expect(String(reason)).toContain('100 ms');
    expect(outcome.outputs).toEqual({ next: 'had the gpu' });
    expect(outcome.failures[0]?.failure.code).toBe('TASK_TIMEOUT');
    expect(timesOf(await logOf(run))).toEqual({ slow: [0, 100], next: [100, 100] });
    expect(orchestrator.resources.usage('gpu').used).toBe(0);
  });

  it('R09 the late result of a timed-out task is dropped, whether it ends within its grace or after', async () => {
    const { orchestrator, clock } = await openVirtual({ resources: { gpu: 1 }, cancelGrace: 50 });
    const deaf = (ms: number) =>
      new Promise<string>((resolve) => {
        clock.setTimer(ms, () => resolve('late'));
      });
    const needs = { timeout: 100, resourceRequirements: { gpu: 1 } } as const;
    const tasks = [
      task('soon', { ...needs, run: () => deaf(120) }),
      task('never', { ...needs, run: () => deaf(100_000) }),
      task('next', { resourceRequirements: { gpu: 1 }, run: () => 'had the gpu' }),
    ];

    const run = await orchestrator.manageWorkflow(
      defineWorkflow('deaf', { tasks, failurePolicy: 'continue' }),
    );
    const outcome = await run.settled();

    expect(outcome.outputs).toEqual({ next: 'had the gpu' });
    expect(outcome.failures.map(({ path, failure }) => [path, failure.code])).toEqual([
      ['soon', 'TASK_TIMEOUT'],
      ['never', 'TASK_TIMEOUT'],
    ]);
    // One ended by itself in its grace; the other was given up on at the end of it.
    const events = await logOf(run);
    expect(timesOf(events)).toEqual({ soon: [0, 120], never: [120, 270], next: [270, 270] });
    expect(ofType(events, 'TaskFailed').map((event) => event.abandoned)).toEqual([undefined, true]);
    expect(startsOf(events)).toEqual(['soon', 'never', 'next']);
  });

  it('R09 no limit rings after its task has ended: no timer is left', async () => {
    const { orchestrator, clock } = await openStill();
    const limits = { timeout: '1h', totalTimeout: '2h', heartbeatTimeout: '1h' } as const;
    const tasks = [
      task('quick', { ...limits, run: () => 'done' }),
      task('flaky', {
        ...limits,
        retry: { maxAttempts: 3, delay: 10 },
        run: ({ attempt, heartbeat }) => {
          heartbeat();
          return attempt < 3 ? Promise.reject(new Error('no')) : 'done';
        },
      }),
      task('failing', { ...limits, run: () => Promise.reject(new Error('no')) }),
      task('cancelled', { ...limits, run: ({ clock: time }) => time.sleep('1h') }),
      task('waiting', {
        ...limits,
        retry: { delay: '30m', maxDelay: '30m' },
        run: () => Promise.reject(new Error('no')),
      }),
    ];
    const run = await orchestrator.manageWorkflow(
      defineWorkflow('limits', { tasks, failurePolicy: 'continue' }),
    );

    await clock.advance(100);
    await run.cancelTask('cancelled');
    await run.cancelTask('waiting');
    await run.settled();

    expect(clock.pending).toBe(0);
  });

  it('R09 a run that was paused while a task waited for its next attempt leaves no timer either', async () => {
    const { orchestrator, clock } = await openStill();
    const flaky = task('flaky', {
      totalTimeout: '2h',
      retry: { maxAttempts: 2, delay: 10 },
      run: ({ attempt }) => (attempt === 1 ? Promise.reject(new Error('no')) : 'done'),
    });
    const run = await orchestrator.manageWorkflow(defineWorkflow('paused', { tasks: [flaky] }));
    await clock.advance(5);
    await run.pause();
    await clock.advance(100);
    await run.resume();

    expect((await run.result()).outputs.flaky).toBe('done');
    expect(clock.pending).toBe(0);
  });
});
