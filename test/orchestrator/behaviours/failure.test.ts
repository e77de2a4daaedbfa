import {
  defineWorkflow,
  type FailurePolicy,
  OrchestratorError,
  settled,
  task,
} from '@taskmaster-ai/orchestrator';
import { describe, expect, it } from 'vitest';
import { rejection } from '../../support/errors.ts';
import { logOf, ofType, startsOf, timesOf, typesOf } from '../../support/run-log.ts';
import { openVirtual } from '../../support/virtual-orchestrator.ts';

class Broken extends Error {
  override readonly name = 'Broken';
}

/**
 * `bad` fails at 10 ms; by then `running` is half done, `queued` waits for its slot, `after-bad` for `bad`, and
 * `after-running` for `running`.
 */
function scene(failurePolicy: FailurePolicy, thrown: unknown = new Broken('no such page')) {
  const reasons: unknown[] = [];
  const running = task('running', {
    run: async ({ clock, signal }) => {
      signal.addEventListener('abort', () => reasons.push(signal.reason));
      await clock.sleep(20);
      return 'ran to its end';
    },
  });
  const bad = task('bad', {
    run: async ({ clock }) => {
      await clock.sleep(10);
      throw thrown;
    },
  });
  const queued = task('queued', { run: () => 'queued' });
  const afterBad = task('after-bad', { dependencies: { bad }, run: () => 'after bad' });
  const lastBad = task('last-bad', { dependencies: { afterBad }, run: () => 'after after bad' });
  const afterRunning = task('after-running', { dependencies: { running }, run: () => 'after running' });
  const workflow = defineWorkflow('scene', {
    tasks: [running, bad, queued, afterBad, lastBad, afterRunning],
    failurePolicy,
    concurrency: 2,
  });
  return { workflow, reasons };
}

describe('failure', () => {
  it('F01 fail-fast: after the first failure nothing new starts, and the run ends with that error', async () => {
    const { orchestrator, clock } = await openVirtual();
    const thrown = new Broken('no such page');
    const { workflow } = scene('fail-fast', thrown);

    const run = await orchestrator.manageWorkflow(workflow);
    const error = await rejection(run.result());

    expect(error.code).toBe('RUN_FAILED');
    expect(error.cause).toBe(thrown);
    expect(error.message).toContain('task "bad": no such page');
    expect(error.details.path).toBe('bad');
    const events = await logOf(run);
    expect(startsOf(events)).toEqual(['running', 'bad']);
    expect(ofType(events, 'TaskCancelled').map(({ path, cause }) => [path, cause])).toEqual(
      expect.arrayContaining([
        ['queued', 'run_failed'],
        ['after-running', 'run_failed'],
        ['running', 'run_failed'],
      ]),
    );
    expect(events.at(-1)?.type).toBe('RunFailed');
    expect(clock.now()).toBe(10);
  });

  it('F01 fail-fast is the default', () => {
    expect(defineWorkflow('w', { tasks: [] }).failurePolicy).toBe('fail-fast');
  });

  it('F02 continue: what does not depend on the failed task runs, its descendants are skipped with the cause', async () => {
    const { orchestrator } = await openVirtual();
    const { workflow, reasons } = scene('continue');

    const run = await orchestrator.manageWorkflow(workflow);
    const outcome = await run.settled();

    expect(outcome.status).toBe('failed');
    expect(outcome.outputs).toEqual({
      running: 'ran to its end',
      queued: 'queued',
      'after-running': 'after running',
    });
    expect(reasons).toEqual([]);
    const events = await logOf(run);
    // The first cause travels all the way down.
    expect(ofType(events, 'TaskSkipped').map(({ path, cause }) => [path, cause])).toEqual([
      ['after-bad', { kind: 'dependency', path: 'bad' }],
      ['last-bad', { kind: 'dependency', path: 'bad' }],
    ]);
    expect(typesOf(events, 'after-bad')).toEqual(['TaskSkipped']);
  });

  it('F02 continue: all failures are reported', async () => {
    const { orchestrator } = await openVirtual();
    const tasks = [
      task('one', { run: () => Promise.reject(new Broken('first')) }),
      task('fine', { run: ({ clock }) => clock.sleep(10) }),
      task('two', {
        dependencies: ['fine'],
        run: () => {
          throw new Broken('second');
        },
      }),
    ];

    const run = await orchestrator.manageWorkflow(
      defineWorkflow('all', { tasks, failurePolicy: 'continue' }),
    );
    const outcome = await run.settled();

    expect(outcome.failures.map(({ path, attempt, failure }) => [path, attempt, failure.message])).toEqual([
      ['one', 1, 'first'],
      ['two', 1, 'second'],
    ]);
    expect(outcome.error?.message).toContain('(and 1 more)');
    expect(outcome.error?.details.failures).toEqual(outcome.failures);
  });

  it('F03 finish-running: running tasks end normally, unrelated waiting ones do not start', async () => {
    const { orchestrator, clock } = await openVirtual();
    const { workflow, reasons } = scene('finish-running');

    const run = await orchestrator.manageWorkflow(workflow);
    const outcome = await run.settled();

    expect(outcome.status).toBe('failed');
    expect(outcome.outputs).toEqual({ running: 'ran to its end' });
    expect(reasons).toEqual([]);
    expect(startsOf(await logOf(run))).toEqual(['running', 'bad']);
    expect(clock.now()).toBe(20);
  });

  it('F03 finish-running: a task that waits for its next attempt is not tried again', async () => {
    const { orchestrator, clock } = await openVirtual();
    const tasks = [
      task('flaky', {
        retry: { maxAttempts: 5, delay: '1m' },
        run: () => {
          throw new Broken('again');
        },
      }),
      task('bad', { run: ({ clock: time }) => time.sleep(10).then(() => Promise.reject(new Broken('bad'))) }),
    ];

    const run = await orchestrator.manageWorkflow(
      defineWorkflow('retrying', { tasks, failurePolicy: 'finish-running' }),
    );
    const outcome = await run.settled();

    expect(outcome.failures.map((failure) => failure.path)).toEqual(['bad']);
    expect(typesOf(await logOf(run), 'flaky')).toEqual([
      'TaskStarted',
      'TaskRetryScheduled',
      'TaskCancelled',
    ]);
    expect(clock.now()).toBe(10);
  });

  it('F04 fail-fast: after a failure the running tasks get the abort signal, with the reason', async () => {
    const { orchestrator } = await openVirtual();
    const { workflow, reasons } = scene('fail-fast');

    const run = await orchestrator.manageWorkflow(workflow);
    await run.settled();

    expect(reasons).toHaveLength(1);
    const [reason] = reasons;
    expect(OrchestratorError.is(reason, 'TASK_CANCELLED')).toBe(true);
    expect(String(reason)).toContain('no such page');
    expect(typesOf(await logOf(run), 'running')).toEqual([
      'TaskStarted',
      'TaskStopRequested',
      'TaskCancelled',
    ]);
  });

  it('F04 a running task that comes to its end all the same keeps its result', async () => {
    const { orchestrator } = await openVirtual();
    const deaf = task('deaf', {
      run: async ({ clock }) => {
        await clock.sleep(20).catch(() => undefined);
        return 'kept';
      },
    });
    const bad = task('bad', {
      run: async ({ clock }) => {
        await clock.sleep(10);
        throw new Broken('bad');
      },
    });

    const run = await orchestrator.manageWorkflow(defineWorkflow('kept', { tasks: [deaf, bad] }));
    const outcome = await run.settled();

    expect(outcome.status).toBe('failed');
    expect(outcome.outputs).toEqual({ deaf: 'kept' });
  });

  it('F05 a task may take the failure of a dependency as it is: it runs and reads why', async () => {
    const { orchestrator } = await openVirtual();
    const optional = task('optional', {
      run: (): number => {
        throw new Broken('no such page');
      },
    });
    const needed = task('needed', { run: () => 2 });
    const report = task('report', {
      dependencies: { optional: settled(optional), needed },
      run: ({ dependencies: { optional, needed } }) =>
        optional.status === 'failed'
          ? `${needed}, without: ${optional.failure.name}: ${optional.failure.message}`
          : 'unexpected',
    });

    const run = await orchestrator.manageWorkflow(defineWorkflow('tolerant', { tasks: [report] }));
    const { outputs } = await run.result();

    // A failure that every dependent takes as it is fails nobody, under fail-fast too.
    expect(outputs).toEqual({ report: '2, without: Broken: no such page' });
    expect(typesOf(await logOf(run), 'optional')).toEqual(['TaskStarted', 'TaskFailed']);
  });

  it('F05 a success, a skip and a cancellation are told apart too', async () => {
    const { orchestrator } = await openVirtual();
    const good = task('good', { run: () => 'output' });
    const unwanted = task('unwanted', { when: () => false, run: () => 1 });
    const stopped = task('stopped', { run: ({ clock }) => clock.sleep('1h') });
    const report = task('report', {
      dependencies: { good: settled(good), unwanted: settled(unwanted), stopped: settled(stopped) },
      run: ({ dependencies }) => dependencies,
    });

    const run = await orchestrator.manageWorkflow(defineWorkflow('outcomes', { tasks: [report] }));
    expect(await run.cancelTask('stopped')).toBe(true);
    const { outputs } = await run.result();

    expect(outputs.report).toEqual({
      good: { status: 'completed', output: 'output' },
      unwanted: { status: 'skipped' },
      stopped: { status: 'cancelled' },
    });
  });

  it('F05 a failure that only some dependents take as it is still fails the run', async () => {
    const { orchestrator } = await openVirtual();
    const bad = task('bad', { run: () => Promise.reject(new Broken('bad')) });
    const tolerant = task('tolerant', { dependencies: { bad: settled(bad) }, run: () => 'ran' });
    const strict = task('strict', { dependencies: { bad }, run: () => 'never' });

    const run = await orchestrator.manageWorkflow(
      defineWorkflow('both', { tasks: [tolerant, strict], failurePolicy: 'continue' }),
    );
    const outcome = await run.settled();

    expect(outcome.status).toBe('failed');
    expect(outcome.outputs).toEqual({ tolerant: 'ran' });
    expect(typesOf(await logOf(run), 'strict')).toEqual(['TaskSkipped']);
  });

  const odd: readonly (readonly [string, unknown])[] = [
    ['an Error', new Broken('x')],
    ['a string', 'just text'],
    ['a number', 42],
    ['undefined', undefined],
    ['null', null],
    ['a plain object', { code: 'E_ODD', detail: [1, 2] }],
    ['a frozen object', Object.freeze({ message: 'frozen' })],
    ['a symbol', Symbol('odd')],
    [
      'an object whose getters throw',
      Object.defineProperty({}, 'message', {
        get() {
          throw new Error('gotcha');
        },
      }),
    ],
  ];
  it.each(odd)(
    'F06 a synchronous throw of %s equals a rejection with it, and the value is kept',
    async (_, thrown) => {
      const { orchestrator } = await openVirtual();
      const sync = task('t', {
        run: () => {
          throw thrown;
        },
      });
      const rejecting = task('t', { run: () => Promise.reject(thrown) });

      const outcomes = [];
      for (const failing of [sync, rejecting]) {
        const run = await orchestrator.manageWorkflow(defineWorkflow('throws', { tasks: [failing] }));
        const error = await rejection(run.result());
        expect(error.code).toBe('RUN_FAILED');
        expect(error.cause).toBe(thrown);
        outcomes.push(typesOf(await logOf(run), 't'));
      }

      expect(outcomes[0]).toEqual(['TaskStarted', 'TaskFailed']);
      expect(outcomes[1]).toEqual(outcomes[0]);
    },
  );

  it('F07 when the error is delivered, the results of tasks that had succeeded are available', async () => {
    const { orchestrator } = await openVirtual();
    const a = task('a', { run: () => ({ words: 3 }) });
    const b = task('b', { dependencies: { a }, run: () => 'b' });
    const c = task('c', { dependencies: { b }, run: () => Promise.reject(new Broken('c')) });

    const run = await orchestrator.manageWorkflow(defineWorkflow('partial', { tasks: [a, b, c] }));
    const error = await rejection(run.result());

    expect(error.details.outputs).toEqual({ a: { words: 3 }, b: 'b' });
    expect((await run.settled()).outputs).toEqual({ a: { words: 3 }, b: 'b' });
  });

  it('F11 a task that resolves after its time is over is not settled again', async () => {
    const { orchestrator, clock } = await openVirtual({ cancelGrace: 5 });
    const late = task('late', {
      timeout: 10,
      run: async ({ clock: time }) => {
        await time.sleep(10_000).catch(() => undefined);
        // Deaf: it goes on long after it was given up on.
        await new Promise<void>((resolve) => {
          clock.setTimer(1_000, resolve);
        });
        return 'too late';
      },
    });
    const other = task('other', { run: ({ clock: time }) => time.sleep(5_000) });

    const run = await orchestrator.manageWorkflow(
      defineWorkflow('late', { tasks: [late, other], failurePolicy: 'continue' }),
    );
    const outcome = await run.settled();

    expect(outcome.outputs).toEqual({ other: undefined });
    expect(outcome.failures.map(({ path, failure }) => [path, failure.code])).toEqual([
      ['late', 'TASK_TIMEOUT'],
    ]);
    const events = await logOf(run);
    expect(typesOf(events, 'late')).toEqual(['TaskStarted', 'TaskStopRequested', 'TaskFailed']);
    // It was given up on when its grace was over, not when it ended.
    expect(timesOf(events).late).toEqual([0, 15]);
    expect(ofType(events, 'TaskFailed')[0]?.abandoned).toBe(true);
  });

  it('F11 a task that resolves or throws after it was cancelled is not settled again', async () => {
    const { orchestrator, clock } = await openVirtual({ cancelGrace: 5 });
    const wait = (ms: number) =>
      new Promise<void>((resolve) => {
        clock.setTimer(ms, resolve);
      });
    const resolves = task('resolves', { run: () => wait(1_000).then(() => 'late') });
    const throws = task('throws', { run: () => wait(1_000).then(() => Promise.reject(new Broken('late'))) });

    const run = await orchestrator.manageWorkflow(defineWorkflow('cancelled', { tasks: [resolves, throws] }));
    await run.cancel('enough');
    const outcome = await run.settled();
    await wait(2_000);

    expect(outcome.status).toBe('cancelled');
    expect(outcome.outputs).toEqual({});
    const events = await logOf(run);
    for (const path of ['resolves', 'throws']) {
      expect(typesOf(events, path)).toEqual(['TaskStarted', 'TaskStopRequested', 'TaskCancelled']);
    }
    expect(events.at(-1)).toMatchObject({ type: 'RunCancelled', at: 5 });
    expect((await run.settled()).status).toBe('cancelled');
  });

  it('F11 a thenable that answers several times counts once', async () => {
    const { orchestrator } = await openVirtual();
    const answers = {
      // biome-ignore lint/suspicious/noThenProperty: a badly behaved thenable is what is tested
      then(resolve: (value: string) => void, reject: (reason: unknown) => void) {
        resolve('first');
        resolve('second');
        reject(new Broken('third'));
        throw new Broken('fourth');
      },
    };
    const fickle = task('fickle', { run: () => answers as unknown as Promise<string> });

    const run = await orchestrator.manageWorkflow(defineWorkflow('fickle', { tasks: [fickle] }));

    expect((await run.result()).outputs.fickle).toBe('first');
    expect(typesOf(await logOf(run), 'fickle')).toEqual(['TaskStarted', 'TaskCompleted']);
  });
});
