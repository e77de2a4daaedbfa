import { describe, expect, it } from 'vitest';
import {
  abandon,
  cancelRun,
  cancelTask,
  expire,
  fail,
  failureOf,
  progress,
  start,
  startRun,
  stop,
  succeed,
} from '../support/ask.ts';
import { given } from '../support/given.ts';
import { plan, t } from '../support/plan-spec.ts';

const broke = failureOf('a broke');
const retrying = (extra: object = {}) =>
  plan([{ ...t('a'), retry: { maxAttempts: 3, delay: 100, factor: 3 }, ...extra }]);

describe('an attempt', () => {
  it('starts, is dispatched and completes', () => {
    const lead = given(plan([t('a'), t('b', 'a')]), startRun);
    lead
      .when(start('a'))
      .thenEvents(['TaskStarted', { path: 'a', attempt: 1 }])
      .instructs('Dispatch a 1');
    lead
      .when(succeed('a', 1, { words: 3 }))
      .thenEvents(['TaskCompleted', { path: 'a', attempt: 1, output: { words: 3 } }])
      .instructs('Release a', 'Schedule b');
    expect(lead.state.scopes[0]?.outputs[0]).toEqual({ words: 3 });
  });

  it('can complete without a value', () => {
    const lead = given(plan([t('a')]), startRun, start('a'), succeed('a', 1, undefined));
    expect(lead.state.status).toBe('completed');
  });

  it('carries its time limits: of the attempt from its own start, of the task from the first', () => {
    const lead = given(retrying({ timeout: 500, totalTimeout: 2_000 }), startRun);
    lead
      .when({ ...start('a'), at: 10_000 })
      .thenEvents(['TaskStarted', { path: 'a', attempt: 1, timeoutAt: 10_500, deadlineAt: 12_000 }]);
    lead
      .when({ ...fail('a'), at: 10_100 })
      .thenEvents(['TaskRetryScheduled', { path: 'a', attempt: 1, failure: broke, dueAt: 10_200 }]);
    lead
      .when({ ...start('a'), at: 10_300 })
      .thenEvents(['TaskStarted', { path: 'a', attempt: 2, timeoutAt: 10_800, deadlineAt: 12_000 }]);
  });

  it('records progress only while it runs', () => {
    const lead = given(plan([t('a')]), startRun, start('a'));
    lead
      .when(progress('a'))
      .thenEvents(['TaskProgressed', { path: 'a', attempt: 1, progress: { done: 1, of: 2 } }])
      .instructs();
  });
});

describe('a failed attempt', () => {
  it('is followed by another after a wait that grows', () => {
    const lead = given(retrying(), startRun, start('a'));
    lead
      .when({ ...fail('a'), at: 1_000 })
      .thenEvents(['TaskRetryScheduled', { path: 'a', attempt: 1, failure: broke, dueAt: 1_100 }])
      .instructs('Release a', 'RetryAt a 1100');
    lead
      .when(start('a'))
      .thenEvents(['TaskStarted', { path: 'a', attempt: 2 }])
      .instructs('Dispatch a 2');
    expect(lead.state.scopes[0]?.details.get(0)?.dueAt).toBeUndefined();
    lead
      .when({ ...fail('a', 2), at: 2_000 })
      .thenEvents(['TaskRetryScheduled', { path: 'a', attempt: 2, failure: broke, dueAt: 2_300 }]);
    lead.must(start('a'));
    lead
      .when(fail('a', 3))
      .thenEvents(
        ['TaskFailed', { path: 'a', attempt: 3, failure: broke }],
        ['RunFailed', { path: 'a', failure: broke }],
      );
  });

  it('shortens the wait by chance as the command says', () => {
    const jittery = plan([{ ...t('a'), retry: { maxAttempts: 2, delay: 100 } }]);
    const policy = jittery.tasks[0]?.policies.retry;
    Object.assign(policy ?? {}, { jitter: 0.5 });
    given(jittery, startRun, start('a'))
      .when({ ...fail('a', 1, { random: 0.5 }), at: 1_000 })
      .thenEvents(['TaskRetryScheduled', { path: 'a', attempt: 1, failure: broke, dueAt: 1_075 }]);
  });

  it.each([
    ['retryOn said no', fail('a', 1, { retry: false })],
    [
      'the failure says that it is of no use',
      fail('a', 1, { failure: failureOf('bad', { retryable: false }) }),
    ],
  ])('is the last one when %s', (_why, ask) => {
    const lead = given(retrying(), startRun, start('a'));
    lead.must(ask);
    expect(lead.state.status).toBe('failed');
  });

  it('does not start again before it failed, nor twice', () => {
    const lead = given(retrying(), startRun, start('a'), fail('a'), start('a'));
    lead.when(start('a')).thenRefused('TRANSITION_ILLEGAL');
    lead.when(succeed('a', 1)).thenRefused('ATTEMPT_STALE', /attempt 1 .* at attempt 2/);
    lead
      .when(succeed('a', 2))
      .thenEvents(['TaskCompleted', { path: 'a', attempt: 2, output: 'a:2' }], ['RunCompleted']);
  });

  it('is given up on when the whole time is over during the wait', () => {
    const failure = failureOf('out of time');
    given(retrying(), startRun, start('a'), fail('a'))
      .when(expire('a'))
      .thenEvents(['TaskFailed', { path: 'a', attempt: 1, failure }], ['RunFailed', { path: 'a', failure }])
      .instructs('Release a', 'EndRun');
  });
});

describe.each(['timeout', 'heartbeat'] as const)('a body stopped for its %s', (cause) => {
  const reason = failureOf(`stop: ${cause}`);
  const stopped = [startRun, start('a'), stop('a', cause)];

  it('is told so once', () => {
    given(retrying(), startRun, start('a'))
      .when(stop('a', cause))
      .thenEvents(['TaskStopRequested', { path: 'a', attempt: 1, cause, reason }])
      .instructs(`Abort a ${cause}`);
    given(retrying(), ...stopped)
      .when(stop('a', 'total_timeout'))
      .thenEvents();
  });

  it.each([
    ['an output', succeed('a')],
    ['another failure', fail('a')],
  ])('has failed for that, although it reports %s', (_what, report) => {
    given(retrying(), ...stopped)
      .when({ ...report, at: 1_000 })
      .thenEvents(['TaskRetryScheduled', { path: 'a', attempt: 1, failure: reason, dueAt: 1_100 }]);
  });

  it('starts its next attempt without the stop', () => {
    given(retrying(), ...stopped, fail('a'), start('a'))
      .when(succeed('a', 2))
      .thenEvents(['TaskCompleted', { path: 'a', attempt: 2, output: 'a:2' }], ['RunCompleted']);
  });

  it('is cancelled when that is asked afterwards', () => {
    const lead = given(retrying(), ...stopped);
    lead.when(cancelTask('a')).instructs('Abort a cancelled');
    lead.when(stop('a', cause)).thenEvents();
    lead.must(succeed('a'));
    expect(lead.log.at(-2)).toMatchObject({ type: 'TaskCancelled', cause: 'task_cancelled' });
  });
});

describe('a body stopped for the whole time of its task', () => {
  it.each([
    ['an output', succeed('a')],
    ['a failure', fail('a')],
    ['nothing within its grace', abandon('a')],
  ])('fails for good, although it reports %s', (_what, report) => {
    const lead = given(retrying(), startRun, start('a'), stop('a', 'total_timeout'));
    lead.must(report);
    expect(lead.state).toMatchObject({ status: 'failed', failure: failureOf('stop: total_timeout') });
  });
});

describe('a body stopped because it was cancelled', () => {
  it.each([
    ['an output', succeed('a')],
    ['a failure', fail('a')],
    ['nothing within its grace', abandon('a')],
  ])('is cancelled with its task, although it reports %s', (_what, report) => {
    const lead = given(retrying(), startRun, start('a'), cancelTask('a'));
    lead.must(report);
    expect(lead.log.at(-2)).toMatchObject({ type: 'TaskCancelled', cause: 'task_cancelled' });
    expect(lead.state).toMatchObject({ status: 'failed', failure: { code: 'TASK_CANCELLED' } });
  });

  it.each([
    ['an output', succeed('a')],
    ['a failure', fail('a')],
    ['nothing within its grace', abandon('a')],
  ])('is cancelled with its run, although it reports %s', (_what, report) => {
    const lead = given(retrying(), startRun, start('a'), cancelRun);
    lead.must(report);
    expect(lead.log.at(-2)).toMatchObject({ type: 'TaskCancelled', cause: 'run_cancelled' });
    expect(lead.state.status).toBe('cancelled');
  });

  it('is stopped by StopTask as by CancelTask', () => {
    const lead = given(retrying(), startRun, start('a'), stop('a', 'cancelled'), fail('a'));
    expect(lead.log.at(-2)).toMatchObject({ type: 'TaskCancelled', cause: 'task_cancelled' });
  });
});

describe('a body stopped because its run failed', () => {
  const two = plan([t('a'), { ...t('b'), retry: { maxAttempts: 3 } }]);

  it('that is abandoned is cancelled by the run', () => {
    given(two, startRun, start('a'), start('b'), fail('a'))
      .when(abandon('b'))
      .thenEvents(
        ['TaskCancelled', { path: 'b', attempt: 1, cause: 'run_failed', abandoned: true }],
        ['RunFailed', { path: 'a', failure: broke }],
      );
  });

  it('is cancelled with the run when that is asked afterwards', () => {
    const lead = given(two, startRun, start('a'), start('b'), fail('a'));
    lead
      .when(cancelRun)
      .thenEvents(
        ['RunCancelRequested', { reason: failureOf('enough') }],
        ['TaskStopRequested', { path: 'b', attempt: 1, cause: 'cancelled', reason: failureOf('enough') }],
      );
    lead
      .when(succeed('b'))
      .thenEvents(
        ['TaskCancelled', { path: 'b', attempt: 1, cause: 'run_cancelled' }],
        ['RunCancelled', { reason: failureOf('enough') }],
      );
  });
});
