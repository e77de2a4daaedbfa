import { describe, expect, it } from 'vitest';
import type { FailurePolicy } from '../../src/model/workflow-data.ts';
import {
  abandon,
  brokenCondition,
  cancelTask,
  condition,
  fail,
  failureOf,
  start,
  startRun,
  stop,
  succeed,
} from '../support/ask.ts';
import { given } from '../support/given.ts';
import { plan, t } from '../support/plan-spec.ts';

const noRetry = { retry: false };
const broke = (path: string) => failureOf(`${path} broke`);
const skippedFor = (cause: string, path: string) =>
  ['TaskSkipped', { path, cause: { kind: 'dependency', path: cause } }] as const;

describe('a failure under fail-fast', () => {
  const abc = plan([t('a'), t('b'), t('c', 'a'), t('d', 'c')]);

  it('skips what depends on it, stops what runs, and starts nothing new', () => {
    given(abc, startRun, start('a'), start('b'))
      .when(fail('a'))
      .thenEvents(
        ['TaskFailed', { path: 'a', attempt: 1, failure: broke('a') }],
        skippedFor('a', 'c'),
        skippedFor('a', 'd'),
        ['TaskStopRequested', { path: 'b', attempt: 1, cause: 'run_failed', reason: broke('a') }],
      )
      .instructs('Release a', 'Abort b run_failed');
  });

  it('cancels what has not started, and ends the run when nothing runs', () => {
    given(abc, startRun, start('a'))
      .when(fail('a'))
      .thenEvents(
        ['TaskFailed', { path: 'a', attempt: 1, failure: broke('a') }],
        skippedFor('a', 'c'),
        skippedFor('a', 'd'),
        ['TaskCancelled', { path: 'b', attempt: 0, cause: 'run_failed' }],
        ['RunFailed', { path: 'a', failure: broke('a') }],
      )
      .instructs('Release a', 'Release b', 'EndRun');
  });

  it('still takes the output of a body that ends well although it was told to stop', () => {
    given(abc, startRun, start('a'), start('b'), fail('a'))
      .when(succeed('b'))
      .thenEvents(
        ['TaskCompleted', { path: 'b', attempt: 1, output: 'b:1' }],
        ['RunFailed', { path: 'a', failure: broke('a') }],
      );
  });

  it('counts a body that was told to stop and fails as cancelled by the run', () => {
    given(abc, startRun, start('a'), start('b'), fail('a'))
      .when(fail('b'))
      .thenEvents(
        ['TaskCancelled', { path: 'b', attempt: 1, cause: 'run_failed' }],
        ['RunFailed', { path: 'a', failure: broke('a') }],
      );
  });

  it('cancels a task that waits for its next attempt', () => {
    const retrying = plan([t('a'), { ...t('b'), retry: { maxAttempts: 2 } }]);
    given(retrying, startRun, start('a'), start('b'), fail('b'))
      .when(fail('a'))
      .thenEvents(
        ['TaskFailed', { path: 'a', attempt: 1, failure: broke('a') }],
        ['TaskCancelled', { path: 'b', attempt: 1, cause: 'run_failed' }],
        ['RunFailed', { path: 'a', failure: broke('a') }],
      );
  });

  it('does not tell a task to stop again that was cancelled by hand', () => {
    const lead = given(abc, startRun, start('a'), start('b'), cancelTask('b'));
    lead.when(fail('a')).instructs('Release a');
    lead.must(fail('b'));
    expect(lead.log.at(-2)).toMatchObject({ type: 'TaskCancelled', path: 'b', cause: 'task_cancelled' });
  });

  it('names the first failure when several tasks fail', () => {
    const lead = given(abc, startRun, start('a'), start('b'), stop('b', 'timeout'), fail('a'));
    lead.must(fail('b'));
    expect(lead.state).toMatchObject({ status: 'failed', failedPath: 'a' });
  });

  it('halts also when a task was cancelled by hand before', () => {
    given(plan([t('a'), t('b'), t('c'), t('d', 'c')]), startRun, cancelTask('a'), start('b'))
      .when(fail('b'))
      .thenEvents(
        ['TaskFailed', { path: 'b', attempt: 1, failure: broke('b') }],
        ['TaskCancelled', { path: 'c', attempt: 0, cause: 'run_failed' }],
        ['TaskCancelled', { path: 'd', attempt: 0, cause: 'run_failed' }],
        ['RunFailed', { path: 'a', failure: expect.objectContaining({ code: 'TASK_CANCELLED' }) }],
      );
  });
});

describe('a failure under finish-running', () => {
  const two = plan([t('a'), t('b'), t('c'), t('d', 'b')], 'finish-running');

  it('lets what runs end as it would have, and cancels the rest', () => {
    const lead = given(two, startRun, start('a'), start('b'));
    lead
      .when(fail('a'))
      .thenEvents(
        ['TaskFailed', { path: 'a', attempt: 1, failure: broke('a') }],
        ['TaskCancelled', { path: 'c', attempt: 0, cause: 'run_failed' }],
        ['TaskCancelled', { path: 'd', attempt: 0, cause: 'run_failed' }],
      )
      .instructs('Release a', 'Release c', 'Release d');
    lead
      .when(succeed('b'))
      .thenEvents(
        ['TaskCompleted', { path: 'b', attempt: 1, output: 'b:1' }],
        ['RunFailed', { path: 'a', failure: broke('a') }],
      );
  });

  it('tries nothing again', () => {
    const spec = plan([t('a'), { ...t('b'), retry: { maxAttempts: 5 } }], 'finish-running');
    given(spec, startRun, start('a'), start('b'), fail('a'))
      .when(fail('b'))
      .thenEvents(
        ['TaskFailed', { path: 'b', attempt: 1, failure: broke('b') }],
        ['RunFailed', { path: 'a', failure: broke('a') }],
      );
  });
});

describe('a failure under continue', () => {
  const graph = plan([t('a'), t('b'), t('c', 'a', 'b'), t('d', 'c'), t('e', 'b')], 'continue');

  it('skips only what depends on it, with the name of the first cause', () => {
    const lead = given(graph, startRun, start('a'), start('b'));
    lead
      .when(fail('a'))
      .thenEvents(
        ['TaskFailed', { path: 'a', attempt: 1, failure: broke('a') }],
        skippedFor('a', 'c'),
        skippedFor('a', 'd'),
      )
      .instructs('Release a');
    lead.when(succeed('b')).instructs('Release b', 'Schedule e');
    lead.must(start('e'));
    lead
      .when(succeed('e'))
      .thenEvents(
        ['TaskCompleted', { path: 'e', attempt: 1, output: 'e:1' }],
        ['RunFailed', { path: 'a', failure: broke('a') }],
      );
  });

  it('skips a task once, whatever the number of its failed dependencies', () => {
    const lead = given(graph, startRun, start('a'), start('b'), fail('a'), fail('b'));
    const skips = lead.log.filter(({ type }) => type === 'TaskSkipped');
    expect(skips.map((event) => 'path' in event && event.path)).toEqual(['c', 'd', 'e']);
    expect(lead.state.status).toBe('failed');
  });

  it('skips a chain of 100,000 tasks without overflowing the stack', () => {
    const tasks = Array.from({ length: 100_000 }, (_, i) => (i === 0 ? t('0') : t(`${i}`, `${i - 1}`)));
    const lead = given(plan(tasks, 'continue'), startRun, start('0'));
    const { events } = lead.must(fail('0'));
    expect(events).toHaveLength(100_001);
    expect(lead.state.status).toBe('failed');
  });
});

describe.each<FailurePolicy>(['fail-fast', 'finish-running', 'continue'])(
  'a settled edge under %s',
  (policy) => {
    const graph = plan([t('a'), t('b', 'a?'), t('c', 'b')], policy);

    it('makes a failure tolerated: the dependent runs and the run completes', () => {
      const lead = given(graph, startRun, start('a'));
      lead
        .when(fail('a'))
        .thenEvents(['TaskFailed', { path: 'a', attempt: 1, failure: broke('a') }])
        .instructs('Release a', 'Schedule b');
      for (const path of ['b', 'c']) for (const ask of [start(path), succeed(path)]) lead.must(ask);
      expect(lead.state).toMatchObject({ status: 'completed', failure: undefined });
    });

    it('makes a cancellation tolerated', () => {
      const lead = given(graph, startRun);
      lead.when(cancelTask('a')).instructs('Release a', 'Schedule b');
      for (const ask of [start('b'), succeed('b'), start('c'), succeed('c')]) lead.must(ask);
      expect(lead.state.status).toBe('completed');
    });

    it('makes a broken condition tolerated', () => {
      const asks = plan([{ ...t('a'), when: true }, t('b', 'a?')], policy);
      given(asks, startRun).when(brokenCondition('a')).instructs('Release a', 'Schedule b');
    });

    it('does not help when another dependent needs the output', () => {
      const both = plan([t('a'), t('b', 'a?'), t('c', 'a')], policy);
      const lead = given(both, startRun, start('a'));
      lead.must(fail('a'));
      expect(lead.state.failedPath).toBe('a');
      expect(lead.log.some((event) => event.type === 'TaskSkipped' && event.path === 'c')).toBe(true);
      expect(lead.state.status).toBe(policy === 'continue' ? 'in_progress' : 'failed');
    });

    it('lets a dependent run after a skip as well', () => {
      // b is skipped for a, which c takes as it is; a fails the run under `continue` because b needed it.
      const chain = plan([t('a'), t('b', 'a'), t('c', 'b?')], policy);
      const { instructions } = given(chain, startRun, start('a')).must(fail('a', 1, noRetry));
      const isScheduled = instructions.some(({ type }) => type === 'Schedule');
      expect(isScheduled).toBe(policy === 'continue');
    });
  },
);

describe('a condition', () => {
  const graph = plan([t('a'), { ...t('b', 'a'), when: true }, t('c', 'b')]);
  const asked = [startRun, start('a'), succeed('a')];

  it('is asked when all dependencies have ended, and not before', () => {
    given(graph, startRun, start('a')).when(succeed('a')).instructs('Release a', 'EvaluateCondition b');
    given(graph, startRun).when(condition('b', true)).thenRefused('TRANSITION_ILLEGAL');
  });

  it('is asked at the start of the run when there are no dependencies', () => {
    given(plan([{ ...t('a'), when: true }]))
      .when(startRun)
      .instructs('EvaluateCondition a');
  });

  it('lets the task start when it says yes', () => {
    given(graph, ...asked)
      .when(condition('b', true))
      .thenEvents(['ConditionEvaluated', { path: 'b', result: true }])
      .instructs('Schedule b');
  });

  it('skips the task when it says no, and dependents run all the same', () => {
    given(graph, ...asked)
      .when(condition('b', false))
      .thenEvents(
        ['ConditionEvaluated', { path: 'b', result: false }],
        ['TaskSkipped', { path: 'b', cause: { kind: 'condition' } }],
      )
      .instructs('Schedule c');
  });

  it('fails the task without an attempt when it threw', () => {
    const failure = failureOf('when threw');
    given(graph, ...asked)
      .when(brokenCondition('b'))
      .thenEvents(
        ['ConditionEvaluated', { path: 'b', result: false, failure }],
        ['TaskFailed', { path: 'b', attempt: 0, failure }],
        skippedFor('b', 'c'),
        ['RunFailed', { path: 'b', failure }],
      );
  });

  it('is not asked again for a second attempt', () => {
    const again = plan([{ ...t('a'), when: true, retry: { maxAttempts: 2, delay: 5 } }]);
    given(again, startRun, condition('a', true), start('a'), { ...fail('a'), at: 50 })
      .when(start('a'))
      .thenEvents(['TaskStarted', { path: 'a', attempt: 2 }]);
  });

  it('can leave a run with nothing done: it completes', () => {
    const lead = given(plan([{ ...t('a'), when: true }]), startRun, condition('a', false));
    expect(lead.state.status).toBe('completed');
  });
});

describe('an abandoned body', () => {
  it('is marked in the log, whichever way its attempt ends', () => {
    const one = plan([{ ...t('a'), retry: { maxAttempts: 2, delay: 100 } }]);
    const stopped = [startRun, start('a'), stop('a')];
    const reason = failureOf('stop: timeout');
    given(one, ...stopped)
      .when({ ...abandon('a'), at: 2_000 })
      .thenEvents([
        'TaskRetryScheduled',
        { path: 'a', attempt: 1, failure: reason, dueAt: 2_100, abandoned: true },
      ]);
    given(one, ...stopped)
      .when(abandon('a', 1, false))
      .thenEvents(
        ['TaskFailed', { path: 'a', attempt: 1, failure: reason, abandoned: true }],
        ['RunFailed', { path: 'a', failure: reason }],
      );
    given(one, startRun, start('a'), cancelTask('a'))
      .when(abandon('a'))
      .thenEvents(
        [
          'TaskCancelled',
          {
            path: 'a',
            attempt: 1,
            cause: 'task_cancelled',
            reason: { name: 'Error', message: 'not needed' },
            abandoned: true,
          },
        ],
        ['RunFailed', { path: 'a', failure: expect.objectContaining({ code: 'TASK_CANCELLED' }) }],
      );
  });
});
