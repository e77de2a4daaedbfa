import { describe, expect, it } from 'vitest';
import { priorityOf } from '../../src/machine/state.ts';
import {
  cancelRun,
  cancelTask,
  condition,
  fail,
  failureOf,
  pauseRun,
  resumeRun,
  setPriority,
  start,
  startRun,
  succeed,
} from '../support/ask.ts';
import { given } from '../support/given.ts';
import { plan, t } from '../support/plan-spec.ts';

const chain = plan([t('a'), t('b', 'a'), t('c')]);

describe('the start of a run', () => {
  it('is two events, and schedules what has no dependencies', () => {
    given(chain)
      .when({ ...startRun, priority: 7, key: 'daily' } as typeof startRun)
      .thenEvents(
        [
          'RunCreated',
          { workflowId: 'plan', workflowVersion: 1, input: { topic: 'tides' }, priority: 7, key: 'daily' },
        ],
        ['RunStarted'],
      )
      .instructs('Schedule a', 'Schedule c');
  });

  it('completes a run without tasks at once', () => {
    const lead = given(plan([]));
    lead.when(startRun).instructs('EndRun');
    expect(lead.log.map(({ type }) => type)).toEqual(['RunCreated', 'RunStarted', 'RunCompleted']);
  });

  it('numbers the events from 1 and dates them by the command', () => {
    const lead = given(chain, { ...startRun, at: 77 });
    expect(lead.log.map(({ seq, at, runId }) => [seq, at, runId])).toEqual([
      [1, 77, 'run-1'],
      [2, 77, 'run-1'],
    ]);
  });
});

describe('a pause', () => {
  it('holds what has not started, and lets what runs go on', () => {
    const lead = given(chain, startRun, start('a'));
    lead.when(pauseRun).thenEvents(['RunPaused']).instructs('Hold');
    lead.when(start('c')).thenRefused('TRANSITION_ILLEGAL', /paused/);
    lead.when(succeed('a')).instructs('Release a', 'Schedule b');
    lead.when(start('b')).thenRefused('TRANSITION_ILLEGAL');
    lead.when(resumeRun).thenEvents(['RunResumed']).instructs('Unhold');
    lead.when(start('b')).thenEvents(['TaskStarted', { path: 'b', attempt: 1 }]);
  });

  it('does not keep a run from ending', () => {
    const lead = given(plan([t('a')]), startRun, start('a'), pauseRun, succeed('a'));
    expect(lead.state.status).toBe('completed');
  });

  it('does not keep a run from failing or from being cancelled', () => {
    expect(given(plan([t('a')]), startRun, start('a'), pauseRun, fail('a')).state.status).toBe('failed');
    expect(given(chain, startRun, pauseRun, cancelRun).state.status).toBe('cancelled');
  });

  it('lets conditions be answered', () => {
    given(plan([{ ...t('a'), when: true }]), startRun, pauseRun)
      .when(condition('a', true))
      .instructs('Schedule a');
  });
});

describe('the cancellation of a run', () => {
  const reason = failureOf('enough');

  it('ends what has not started, stops what runs, and ends the run with the last of them', () => {
    const lead = given(chain, startRun, start('a'));
    lead
      .when(cancelRun)
      .thenEvents(
        ['RunCancelRequested', { reason }],
        ['TaskStopRequested', { path: 'a', attempt: 1, cause: 'cancelled', reason }],
        ['TaskCancelled', { path: 'b', attempt: 0, cause: 'run_cancelled' }],
        ['TaskCancelled', { path: 'c', attempt: 0, cause: 'run_cancelled' }],
      )
      .instructs('Abort a cancelled', 'Release b', 'Release c');
    lead.when(cancelRun).thenNothing();
    lead
      .when(fail('a'))
      .thenEvents(
        ['TaskCancelled', { path: 'a', attempt: 1, cause: 'run_cancelled' }],
        ['RunCancelled', { reason }],
      );
  });

  it('outlives a failure that comes later', () => {
    const lead = given(chain, startRun, start('a'), cancelRun, fail('a'));
    expect(lead.state).toMatchObject({ status: 'cancelled', failedPath: undefined });
  });

  it('stops a task that was told to stop for its time', () => {
    const stopTask = { type: 'StopTask', path: 'a', attempt: 1, cause: 'timeout', reason } as const;
    given(chain, startRun, start('a'), stopTask)
      .when(cancelRun)
      .instructs('Abort a cancelled', 'Release b', 'Release c');
  });

  it('does not stop a task twice that was cancelled before', () => {
    const { events } = given(chain, startRun, start('a'), cancelTask('a')).must(cancelRun);
    expect(events.map(({ type }) => type)).not.toContain('TaskStopRequested');
  });
});

describe('the cancellation of a task', () => {
  it('skips what depends on it, lets the rest run, and fails the run', () => {
    const lead = given(chain, startRun);
    lead
      .when(cancelTask('a'))
      .thenEvents(
        [
          'TaskCancelled',
          {
            path: 'a',
            attempt: 0,
            cause: 'task_cancelled',
            reason: { name: 'Error', message: 'not needed' },
          },
        ],
        ['TaskSkipped', { path: 'b', cause: { kind: 'dependency', path: 'a' } }],
      )
      .instructs('Release a');
    for (const ask of [start('c'), succeed('c')]) lead.must(ask);
    expect(lead.state).toMatchObject({ status: 'failed', failedPath: 'a', halted: false });
  });
});

describe('a new priority', () => {
  it('moves a task that waits, on top of the priority of its run', () => {
    const lead = given(chain, { ...startRun, priority: 100 } as typeof startRun);
    lead
      .when(setPriority('a', 5))
      .thenEvents(['TaskPriorityChanged', { path: 'a', priority: 5 }])
      .instructs('Reprioritise a');
    const [root] = lead.state.scopes;
    if (root === undefined) throw new Error('a run has a root scope');
    expect(priorityOf(lead.state, root, 0)).toBe(105);
    expect(priorityOf(lead.state, root, 2)).toBe(100);
  });

  it('is refused for a task that runs or has ended', () => {
    const refused = /so it cannot have its priority changed/;
    given(chain, startRun, start('a')).when(setPriority('a', 5)).thenRefused('TRANSITION_ILLEGAL', refused);
    given(chain, startRun, start('a'), succeed('a'))
      .when(setPriority('a', 5))
      .thenRefused('TRANSITION_ILLEGAL', refused);
  });
});
