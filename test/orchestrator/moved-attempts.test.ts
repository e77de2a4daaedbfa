/** An attempt that is in progress while its run is moved keeps what it began with; the next one has what is new. */
import { defineWorkflow, Orchestrator, task, type Workflow } from '@taskmaster-ai/orchestrator';
import { VirtualClock } from '@taskmaster-ai/orchestrator/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createGate } from '../support/gate.ts';

interface Limits {
  readonly lock: string;
  readonly timeout?: number;
  readonly heartbeatTimeout?: number;
}

describe('an attempt in progress while its run is moved', () => {
  it('keeps its locks, its timeout and its heartbeats, and the next one has those of the new version', async () => {
    const clock = new VirtualClock();
    const host = await Orchestrator.open({ clock });
    onTestFinished(() => host.close({ grace: 0 }));
    const moved = createGate();
    const seen: unknown[] = [];
    const make = ({ lock, ...limits }: Limits): Workflow<unknown, unknown> =>
      defineWorkflow('job', {
        tasks: [
          task('work', {
            ...limits,
            locks: [lock],
            retry: { maxAttempts: 2 },
            run: async ({ attempt, clock, heartbeat, locks }) => {
              if (attempt === 1) await moved.promise;
              seen.push([attempt, ...locks.names]);
              heartbeat();
              // Longer than the new version waits for a sign of life, if this is the first attempt.
              await clock.sleep(50);
              heartbeat();
              await clock.sleep(attempt === 1 ? 500 : 1);
            },
          }),
        ],
      });
    const run = await host.manageWorkflow(make({ lock: 'old', timeout: 200, heartbeatTimeout: 150 }));
    const { version } = host.workflows.updateWorkflow('job', make({ lock: 'new', heartbeatTimeout: 60 }));
    const startedAt = clock.now();
    await run.moveTo(version);
    moved.open();
    await run.result();
    expect(seen).toEqual([
      [1, 'old'],
      [2, 'new'],
    ]);
    const failed = [];
    for await (const event of run.events()) if (event.type === 'TaskStopRequested') failed.push(event);
    expect(failed).toMatchObject([{ cause: 'timeout', at: startedAt + 200 }]);
  });
});
