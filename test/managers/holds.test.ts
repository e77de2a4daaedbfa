import { TaskScheduler } from '@taskmaster-ai/orchestrator/managers';
import { VirtualClock } from '@taskmaster-ai/orchestrator/testing';
import { describe, expect, it } from 'vitest';
import { PAUSES_MAX } from '../../src/managers/scheduling/holds.ts';
import { refusal } from '../support/errors.ts';
import { expectRefused } from '../support/refusals.ts';

describe('pauses by name', () => {
  it('are limited, and say so', () => {
    const scheduler = TaskScheduler.create({ clock: new VirtualClock({ auto: false }) });
    for (let i = 0; i < PAUSES_MAX; i++) scheduler.pause({ workflowId: `w-${i}` });
    expectRefused(
      refusal(() => scheduler.pause({ workflowId: 'one-more' })),
      'LIMIT_EXCEEDED',
      'pause',
    );
    // What is paused already stays so, and a resume makes room.
    scheduler.pause({ workflowId: 'w-7' });
    scheduler.resume({ workflowId: 'w-7' });
    scheduler.pause({ workflowId: 'one-more' });
  });

  it('of runs that nobody knows any more make room for others; those of known runs stay', () => {
    const scheduler = TaskScheduler.create({ clock: new VirtualClock({ auto: false }) });
    const waits = scheduler.scheduleTask({ taskId: 'waits' }, () => {});
    scheduler.pause({ runId: waits.runId });
    for (let i = 0; i < PAUSES_MAX + 10; i++) scheduler.pause({ runId: `gone-${i}` });
    expect(waits.explain()?.pausedBy).toEqual([{ what: 'run', name: waits.runId }]);
  });
});
