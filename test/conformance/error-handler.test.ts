// DESIGN section 5, row ErrorHandler: logError handleTaskError handleWorkflowError; row Orchestrator: handleTaskError
import {
  defineWorkflow,
  type Logger,
  MemoryStore,
  Orchestrator,
  type OrchestratorOptions,
  task,
} from '@taskmaster-ai/orchestrator';
import { ErrorHandler } from '@taskmaster-ai/orchestrator/managers';
import { ScriptedStore } from '@taskmaster-ai/orchestrator/testing';
import { describe, expect, it } from 'vitest';
import { refusal, rejection } from '../support/errors.ts';
import { createGate } from '../support/gate.ts';
import { expectRefused, untyped } from '../support/refusals.ts';
import { openStill, openVirtual } from '../support/virtual-orchestrator.ts';

const nap = (id: string, duration: string, options: object = {}) =>
  task(id, { run: ({ clock }) => clock.sleep(duration), ...options });

function lines(): { readonly logger: Logger; readonly written: string[] } {
  const written: string[] = [];
  const line =
    (level: string) =>
    (fields: Readonly<Record<string, unknown>>, message: string): void => {
      written.push(`${level} ${message} ${String(fields.recovery ?? '')}`.trim());
    };
  return {
    logger: { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') },
    written,
  };
}

describe('ErrorHandler as a listener', () => {
  it('records what failed in a real run, and what was done about it', async () => {
    const { logger, written } = lines();
    const { orchestrator } = await openVirtual({ logger });
    const { errors } = orchestrator;
    const fetch = task('fetch', {
      retry: { maxAttempts: 2, delay: '10s' },
      run: () => {
        throw Object.assign(new Error('no page'), {
          code: 'E_PAGE',
          cause: Object.assign(new Error(), { code: 'E_NET' }),
        });
      },
    });
    const parse = task('parse', { dependencies: { fetch }, run: () => 1 });
    const write = task('write', { dependencies: { parse }, run: () => 1 });
    const run = await orchestrator.manageWorkflow(defineWorkflow('report', { tasks: [fetch, parse, write] }));
    await run.settled();
    const about = { source: 'event', runId: run.runId, workflowId: 'report', path: 'fetch' };
    expect(errors.find()).toMatchObject([
      { ...about, number: 1, attempt: 1, at: 0, recovery: { kind: 'retry', nextAttempt: 2, dueAt: 10_000 } },
      {
        ...about,
        number: 2,
        attempt: 2,
        at: 10_000,
        failure: { message: 'no page', code: 'E_PAGE' },
        recovery: { kind: 'failed', skipped: ['parse', 'write'], skippedCount: 2 },
      },
      { ...about, number: 3, recovery: { kind: 'run_failed', skippedCount: 2, cancelledCount: 0 } },
    ]);
    expect(written).toEqual(['warn no page retry', 'error no page failed', 'error no page run_failed']);
    expect(errors.find({ code: 'E_NET' })).toHaveLength(3);
    expect(errors.find({ since: 10_000, limit: 1 }).map(({ number }) => number)).toEqual([3]);
    expect(errors.find({ path: 'parse' })).toEqual([]);
    errors.clear();
    expect(errors.find()).toEqual([]);
  });

  it.each([
    { options: {}, remembers: 0, writes: 0 },
    { options: { errors: true }, remembers: 2, writes: 0 },
    { options: { errors: { records: 1 } }, remembers: 1, writes: 0 },
    { options: { errors: {} }, remembers: 2, writes: 0 },
    { options: { logger: true }, remembers: 2, writes: 2 },
    { options: { logger: true, errors: { records: 1 } }, remembers: 1, writes: 2 },
    { options: { logger: true, errors: false }, remembers: 0, writes: 0 },
  ])('remembers and writes from the start as the options say: $options', async ({ options, ...expected }) => {
    const { logger, written } = lines();
    const { orchestrator } = await openVirtual({
      errors: (options as OrchestratorOptions).errors,
      logger: 'logger' in options ? logger : undefined,
    });
    // Given a task that fails while nobody has asked for the errors.
    const run = await orchestrator.scheduleTask(
      task('fetch', { run: () => Promise.reject(new Error('no answer')) }),
    );
    await run.settled();
    // Then what was told before counts.
    expect([orchestrator.errors.find().length, written.length]).toEqual([
      expected.remembers,
      expected.writes,
    ]);
    await orchestrator.close();
  });

  it('refuses to be told anything else', async () => {
    for (const errors of [5, 'yes', { record: 1 }, { records: 0 }, { records: 1_000_001 }]) {
      const error = await rejection(Orchestrator.open({ errors } as never));
      expect([error.code, error.message.startsWith('open/errors')]).toEqual([
        typeof errors === 'object' && 'record' in errors ? 'OPTION_UNKNOWN' : 'OPTION_INVALID',
        true,
      ]);
    }
  });

  it('EH2 keeps the newest, and counts the others', () => {
    const errors = new ErrorHandler({ records: 2, clock: { now: () => 7 } });
    for (const message of ['a', 'b', 'c']) errors.logError(new Error(message));
    expect(errors.find().map(({ failure }) => failure.message)).toEqual(['b', 'c']);
    expect(errors.dropped).toBe(1);
  });
});

describe('ErrorHandler.logError', () => {
  it('logError records anything, with what it is about, and writes it', () => {
    const { logger, written } = lines();
    const errors = new ErrorHandler({ logger, clock: { now: () => 7 } });
    const record = errors.logError('out of paper', { runId: 'r', path: 'print', attempt: 2 });
    expect(record).toEqual({
      number: 1,
      at: 7,
      source: 'log',
      failure: { name: 'ThrownValue', message: 'out of paper', thrown: 'out of paper' },
      runId: 'r',
      workflowId: undefined,
      path: 'print',
      attempt: 2,
      recovery: { kind: 'none' },
    });
    expect(errors.find({ runId: 'r' })).toEqual([record]);
    expect(written).toEqual(['error out of paper none']);
  });

  it('logError refuses what says nothing', () => {
    const errors = new ErrorHandler();
    expectRefused(
      refusal(() => errors.logError('x', { run: 'r' } as never)),
      'OPTION_UNKNOWN',
      'logError/about/run',
    );
    for (const value of untyped([null, 4, 'x', []]))
      expectRefused(
        refusal(() => errors.logError('x', value)),
        'OPTION_INVALID',
        'logError/about',
      );
    expectRefused(
      refusal(() => errors.find({ since: Number.NaN })),
      'OPTION_INVALID',
      'find/since',
    );
    expect(errors.find()).toEqual([]);
  });
});

describe('ErrorHandler.handleTaskError', () => {
  it('handleTaskError gives the task another attempt, by its policy, and tells the body to stop', async () => {
    const { orchestrator, clock } = await openStill();
    const { errors } = orchestrator;
    const stopped: unknown[] = [];
    const gate = createGate<string>();
    const build = task('build', {
      retry: { maxAttempts: 2, delay: '10s' },
      run: ({ attempt, signal }) => {
        if (attempt > 1) return 'from attempt 2';
        signal.addEventListener('abort', () => stopped.push(signal.reason));
        return gate.promise;
      },
    });
    const run = await orchestrator.scheduleTask(build);
    await clock.advance('5s');
    const gone = new Error('the machine is gone');
    const recovery = await orchestrator.errors.handleTaskError(run.runId, 'build', gone);
    expect(recovery).toEqual({ kind: 'retry', nextAttempt: 2, dueAt: 15_000 });
    expect(stopped).toMatchObject([{ code: 'TASK_CANCELLED', cause: gone }]);
    // What the body of the first attempt reports now does not count.
    gate.open('from attempt 1');
    await clock.advance('10s');
    expect((await run.result()).outputs).toEqual({ build: 'from attempt 2' });
    expect(errors.find()).toMatchObject([
      { source: 'report', path: 'build', attempt: 1, failure: { message: 'the machine is gone' }, recovery },
    ]);
  });

  it('handleTaskError asks `retryOn`, and listens to an error that says that trying again is of no use', async () => {
    const { orchestrator, clock } = await openStill();
    const asked: unknown[] = [];
    const retry = {
      maxAttempts: 5,
      delay: '1s',
      retryOn: ({ thrown }: { readonly thrown: unknown }) => asked.push(thrown) < 2,
    };
    const run = await orchestrator.scheduleTask(nap('a', '1h', { retry }));
    await clock.advance('1s');
    expect(await orchestrator.errors.handleTaskError(run.runId, 'a', 'first')).toMatchObject({
      kind: 'retry',
    });
    await clock.advance('1s');
    expect(await orchestrator.errors.handleTaskError(run.runId, 'a', 'second')).toMatchObject({
      kind: 'failed',
    });
    expect(asked).toEqual(['first', 'second']);
    const fatal = await orchestrator.scheduleTask(nap('b', '1h', { retry: { maxAttempts: 5 } }));
    await clock.advance('1s');
    const error = Object.assign(new Error('never again'), { retryable: false });
    expect(await orchestrator.errors.handleTaskError(fatal.runId, 'b', error)).toMatchObject({
      kind: 'failed',
    });
  });

  it('handleTaskError ends the attempt of a task that was told to stop as cancelled, and records that', async () => {
    const { orchestrator, clock } = await openStill({ cancelGrace: '1m' });
    const { errors } = orchestrator;
    const gate = createGate();
    const deaf = task('deaf', { run: () => gate.promise });
    const run = await orchestrator.scheduleTask(deaf);
    await clock.advance('1s');
    await run.cancel('enough');
    expect(await orchestrator.errors.handleTaskError(run.runId, 'deaf', 'gone')).toEqual({
      kind: 'cancelled',
    });
    expect((await run.settled()).status).toBe('cancelled');
    expect(errors.find()).toMatchObject([
      { source: 'report', path: 'deaf', recovery: { kind: 'cancelled' } },
    ]);
    gate.open();
  });

  it('handleTaskError counts once when the append of the report fails or its outcome is unknown', async () => {
    for (const fault of ['refuse', 'unknown', 'late'] as const) {
      const store = new MemoryStore();
      const scripted = new ScriptedStore(store, { appends: [{ at: 2, fault }] });
      const { orchestrator } = await openVirtual({ store: scripted });
      const { errors } = orchestrator;
      const gate = createGate();
      const run = await orchestrator.scheduleTask(task('a', { run: () => gate.promise }));
      await expect.poll(() => run.tasks()[0]?.status).toBe('in_progress');
      const recovery = await orchestrator.errors.handleTaskError(run.runId, 'a', new Error('gone'));
      expect(recovery).toMatchObject({ kind: 'failed' });
      expect((await run.settled()).status).toBe('failed');
      expect(errors.find({ path: 'a' }).map((record) => record.recovery.kind)).toEqual([
        'failed',
        'run_failed',
      ]);
      gate.open();
    }
  });

  it('handleTaskError refuses in a handler that stands alone, which knows no runs', async () => {
    const alone = new ErrorHandler();
    expect((await rejection(alone.handleTaskError('r', 'a', 'x'))).code).toBe('RUN_NOT_FOUND');
    expect(alone.find()).toEqual([]);
  });

  it('handleTaskError does not count a report that comes behind the end of the attempt', async () => {
    const { orchestrator, clock } = await openStill();
    const gate = createGate<string>();
    const run = await orchestrator.scheduleTask(task('a', { run: () => gate.promise }));
    await clock.advance('1s');
    gate.open('done');
    await gate.promise;
    const report = orchestrator.errors.handleTaskError(run.runId, 'a', 'late');
    expect(['ATTEMPT_STALE', 'RUN_FINISHED', 'TRANSITION_ILLEGAL']).toContain((await rejection(report)).code);
    expect((await run.result()).outputs).toEqual({ a: 'done' });
  });
});

describe('Orchestrator', () => {
  it('handleTaskError fails the task when its policy has no more attempts, gives back what it held, and skips what depends on it', async () => {
    const { orchestrator, clock } = await openStill({ resources: { gpu: 1 } });
    const train = nap('train', '1h', { resourceRequirements: { gpu: 1 }, locks: ['model'] });
    const test = task('test', { dependencies: { train }, run: () => 1 });
    const run = await orchestrator.manageWorkflow(defineWorkflow('w', { tasks: [train, test] }));
    await clock.advance('1s');
    expect(orchestrator.resources.usage('gpu').used).toBe(1);
    const why = new Error('stopped by hand');
    expect(await orchestrator.handleTaskError(run.runId, 'train', why)).toEqual({
      kind: 'failed',
      skipped: ['test'],
      skippedCount: 1,
    });
    expect(orchestrator.resources.usage('gpu').used).toBe(0);
    const error = await rejection(run.result());
    expect({ code: error.code, cause: error.cause }).toEqual({ code: 'RUN_FAILED', cause: why });
  });

  it('handleTaskError refuses unknown runs and tasks, tasks that are not in progress, and runs that have ended', async () => {
    const { orchestrator, clock } = await openStill();
    const first = nap('first', '1s');
    const second = task('second', { dependencies: { first }, run: () => 1 });
    const run = await orchestrator.manageWorkflow(defineWorkflow('w', { tasks: [first, second] }));
    const report = (runId: string, path: string) => rejection(orchestrator.handleTaskError(runId, path, 'x'));
    expect((await report('r', 'first')).code).toBe('RUN_NOT_FOUND');
    const unknown = await report(run.runId, 'frist');
    expect(unknown.code).toBe('TASK_NOT_FOUND');
    expect(unknown.message).toContain('Did you mean "first"?');
    const waiting = await report(run.runId, 'second');
    expect(waiting).toMatchObject({
      code: 'TRANSITION_ILLEGAL',
      details: { path: 'second', status: 'created' },
    });
    await clock.advance('1s');
    await run.result();
    expect((await report(run.runId, 'second')).code).toBe('RUN_FINISHED');
  });
});

describe('ErrorHandler.handleWorkflowError', () => {
  it('handleWorkflowError ends a real run with the error as the reason', async () => {
    const { orchestrator, clock } = await openStill();
    const { errors } = orchestrator;
    const run = await orchestrator.scheduleTask(nap('a', '1h'));
    await clock.advance('1s');
    const why = new Error('the budget is spent');
    expect(await errors.handleWorkflowError(run.runId, why)).toEqual({ kind: 'run_cancelled' });
    const error = await rejection(run.result());
    expect({ code: error.code, cause: error.cause }).toEqual({ code: 'RUN_CANCELLED', cause: why });
    expect(errors.find()).toMatchObject([
      {
        source: 'report',
        runId: run.runId,
        workflowId: 'a',
        path: undefined,
        recovery: { kind: 'run_cancelled' },
      },
    ]);
  });

  it('handleWorkflowError refuses runs that are unknown or have ended', async () => {
    const { orchestrator } = await openVirtual();
    const { errors } = orchestrator;
    expect((await rejection(errors.handleWorkflowError('r', 'x'))).code).toBe('RUN_NOT_FOUND');
    const run = await orchestrator.scheduleTask(task('a', { run: () => 1 }));
    await run.result();
    expect((await rejection(errors.handleWorkflowError(run.runId, 'x'))).code).toBe('RUN_FINISHED');
    expect(errors.find()).toEqual([]);
  });
});
