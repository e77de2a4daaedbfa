import { defineWorkflow, task } from '@taskmaster-ai/orchestrator';
import { describe, expect, it } from 'vitest';
import { rejection } from '../support/errors.ts';
import { logOf, ofType, typesOf } from '../support/run-log.ts';
import { openVirtual } from '../support/virtual-orchestrator.ts';

const count = task('count', { run: ({ input }) => input as number });

describe('when', () => {
  it('that says yes lets the task run, and is asked once, after its dependencies', async () => {
    const { orchestrator } = await openVirtual();
    const asked: unknown[] = [];
    const many = task('many', {
      dependencies: { count },
      when: ({ input, dependencies }) => {
        asked.push([input, dependencies]);
        return dependencies.count > 2;
      },
      retry: { maxAttempts: 3, delay: 0 },
      run: ({ attempt }) => (attempt < 3 ? Promise.reject(new Error('no')) : 'many'),
    });

    const run = await orchestrator.manageWorkflow(defineWorkflow('yes', { tasks: [many] }), { input: 3 });

    expect((await run.result()).outputs).toEqual({ many: 'many' });
    expect(asked).toEqual([[3, { count: 3 }]]);
    expect(ofType(await logOf(run), 'ConditionEvaluated')).toMatchObject([{ path: 'many', result: true }]);
  });

  it('that says no skips the task; dependents run and see undefined', async () => {
    const { orchestrator } = await openVirtual();
    const many = task('many', {
      dependencies: { count },
      when: ({ dependencies: { count } }) => count > 2,
      run: () => 'many',
    });
    const report = task('report', {
      dependencies: { count, many },
      run: ({ dependencies: { count, many } }) => ({ keys: ['count', 'many'], count, many }),
    });
    const last = task('last', { dependencies: { report }, run: () => 'last' });

    const run = await orchestrator.manageWorkflow(defineWorkflow('no', { tasks: [many, report, last] }), {
      input: 1,
    });
    const settled = await run.settled();

    expect(settled.status).toBe('completed');
    expect(settled.outputs).toEqual({
      report: { keys: ['count', 'many'], count: 1, many: undefined },
      last: 'last',
    });
    // It is not among the outputs at all.
    expect('many' in settled.outputs).toBe(false);
    const events = await logOf(run);
    expect(typesOf(events, 'many')).toEqual(['ConditionEvaluated', 'TaskSkipped']);
    expect(ofType(events, 'TaskSkipped')[0]?.cause).toEqual({ kind: 'condition' });
    expect(run.tasks().find((view) => view.path === 'many')).toMatchObject({ status: 'skipped', attempt: 0 });
  });

  it('that throws fails the task without an attempt, and without a retry', async () => {
    const { orchestrator } = await openVirtual();
    const thrown = new RangeError('predicate');
    const odd = task('odd', {
      when: () => {
        throw thrown;
      },
      retry: { maxAttempts: 5 },
      run: () => 'never',
    });
    const after = task('after', { dependencies: { odd }, run: () => 'never' });

    const run = await orchestrator.manageWorkflow(
      defineWorkflow('throws', { tasks: [odd, after], failurePolicy: 'continue' }),
    );
    const error = await rejection(run.result());

    expect(error).toMatchObject({ code: 'RUN_FAILED', details: { path: 'odd' } });
    expect(error.cause).toMatchObject({ code: 'CONDITION_FAILED' });
    expect((error.cause as Error).cause).toBe(thrown);
    expect(error.details.failures).toMatchObject([
      {
        path: 'odd',
        attempt: 0,
        failure: { code: 'CONDITION_FAILED', cause: { name: 'RangeError', message: 'predicate' } },
      },
    ]);
    const events = await logOf(run);
    expect(typesOf(events, 'odd')).toEqual(['ConditionEvaluated', 'TaskFailed']);
    expect(typesOf(events, 'after')).toEqual(['TaskSkipped']);
  });

  it.each([
    ['a promise', () => Promise.resolve(true)],
    ['a rejecting promise', () => Promise.reject(new Error('late'))],
    ['nothing', () => undefined],
    ['a number', () => 1],
    ['text', () => 'yes'],
  ])('that answers %s fails the task', async (_, when) => {
    const { orchestrator } = await openVirtual();
    const unhandled: unknown[] = [];
    const listen = (reason: unknown) => unhandled.push(reason);
    process.on('unhandledRejection', listen);
    const odd = task('odd', { when: when as unknown as () => boolean, run: () => 'never' });

    const run = await orchestrator.manageWorkflow(defineWorkflow('odd', { tasks: [odd] }));
    const { failures } = await run.settled();
    await new Promise((resolve) => setImmediate(resolve));
    process.off('unhandledRejection', listen);

    expect(failures).toMatchObject([{ path: 'odd', attempt: 0, failure: { code: 'CONDITION_FAILED' } }]);
    expect(typesOf(await logOf(run), 'odd')).toEqual(['ConditionEvaluated', 'TaskFailed']);
    expect(unhandled).toEqual([]);
  });

  it('of a task whose dependency failed is not asked', async () => {
    const { orchestrator } = await openVirtual();
    let asked = 0;
    const bad = task('bad', { run: () => Promise.reject(new Error('bad')) });
    const guarded = task('guarded', {
      dependencies: { bad },
      when: () => {
        asked++;
        return true;
      },
      run: () => 'never',
    });

    const run = await orchestrator.manageWorkflow(
      defineWorkflow('unasked', { tasks: [guarded], failurePolicy: 'continue' }),
    );
    await run.settled();

    expect(asked).toBe(0);
    expect(typesOf(await logOf(run), 'guarded')).toEqual(['TaskSkipped']);
  });

  it('cannot change what the handlers see', async () => {
    const { orchestrator } = await openVirtual();
    const made = task('made', { run: () => ({ list: [1], when: new Date(5) }) });
    const vandal = task('vandal', {
      dependencies: { made },
      when: ({ dependencies: { made } }) => {
        made.when.setTime(0);
        return true;
      },
      run: ({ dependencies: { made } }) => made.when.getTime(),
    });

    const run = await orchestrator.manageWorkflow(defineWorkflow('vandal', { tasks: [vandal] }));

    expect((await run.result()).outputs.vandal).toBe(5);
  });
});
