/**
 * The methods of `Orchestrator` that the mission names, each by its effect on a real run and by one refusal.
 * persistState and recoverState are in persistence-manager.test.ts, where what they write is looked at.
 */
import { defineWorkflow, Orchestrator, type OrchestratorOptions, task } from '@taskmaster-ai/orchestrator';
import { VirtualClock } from '@taskmaster-ai/orchestrator/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { refusal, rejection } from '../support/errors.ts';
import { createGate, nextTurn } from '../support/gate.ts';

async function open(options: OrchestratorOptions = {}): Promise<Orchestrator> {
  const orchestrator = await Orchestrator.open({ clock: new VirtualClock({ auto: false }), ...options });
  onTestFinished(() => orchestrator.close({ grace: 0 }));
  return orchestrator;
}

describe('Orchestrator', () => {
  it('manageWorkflow registers what is new or changed, and pins each run to its version', async () => {
    const orchestrator = await open();
    const first = defineWorkflow('w', { tasks: [task('a', { run: () => 1 })] });
    const second = defineWorkflow('w', { tasks: [task('a', { run: () => 1 }), task('b', { run: () => 2 })] });

    const runs = [
      await orchestrator.manageWorkflow(first),
      await orchestrator.manageWorkflow(second),
      await orchestrator.manageWorkflow(first),
    ];

    expect(runs.map((run) => run.workflowVersion)).toEqual([1, 2, 1]);
    const outputs = await Promise.all(runs.map(async (run) => (await run.result()).outputs));
    expect(outputs).toEqual([{ a: 1 }, { a: 1, b: 2 }, { a: 1 }]);
  });

  it('manageWorkflow refuses a workflow whose needs can never be met, and starts nothing', async () => {
    const orchestrator = await open({ resources: { cpu: 1 } });
    const greedy = task('greedy', { resourceRequirements: { cpu: 2 }, run: () => 1 });

    const error = await rejection(orchestrator.manageWorkflow(defineWorkflow('w', { tasks: [greedy] })));

    expect(error.code).toBe('RESOURCE_UNSCHEDULABLE');
    expect(orchestrator.runs()).toEqual([]);
  });

  it('scheduleTask runs a task after what it depends on', async () => {
    const orchestrator = await open();
    const order: string[] = [];
    const first = task('first', { run: () => order.push('first') });
    const second = task('second', {
      dependencies: { first },
      run: ({ dependencies }) => dependencies.first + 1,
    });

    const run = await orchestrator.scheduleTask(second);

    expect((await run.result()).outputs).toEqual({ second: 2 });
    expect(order).toEqual(['first']);
  });

  it('scheduleTask refuses what is no task', async () => {
    const orchestrator = await open();
    const error = await rejection(orchestrator.scheduleTask({ taskId: 'a' } as never));
    expect(error.code).toBe('DEFINITION_INVALID');
  });

  it('monitorTask follows a task from its wait to its end', async () => {
    const orchestrator = await open();
    const door = createGate<number>();
    const slow = task('slow', { run: () => door.promise });
    const later = task('later', { dependencies: { slow }, run: () => 'done' });
    const run = await orchestrator.manageWorkflow(defineWorkflow('w', { tasks: [slow, later] }));

    const monitor = orchestrator.monitorTask(run.runId, 'later');
    expect([monitor.status, monitor.reason, monitor.attempts]).toEqual(['created', 'dependency', 0]);
    door.open(1);
    const types: string[] = [];
    for await (const event of monitor.events()) types.push(event.type);

    expect(types).toEqual(['TaskStarted', 'TaskCompleted']);
    expect([monitor.status, monitor.attempts]).toEqual(['completed', 1]);
  });

  it('monitorTask refuses a path that the run does not have, and names the nearest', async () => {
    const orchestrator = await open();
    const run = await orchestrator.scheduleTask(task('write', { run: () => 1 }));
    const error = refusal(() => orchestrator.monitorTask(run.runId, 'wirte'));
    expect(error.code).toBe('TASK_NOT_FOUND');
    expect(error.message).toContain('write');
  });

  it('handleTaskError fails the attempt from outside, and the retries of the task apply', async () => {
    const orchestrator = await open({ clock: new VirtualClock() });
    let attempts = 0;
    const stuck = task('stuck', {
      retry: { maxAttempts: 2, delay: '1s' },
      run: ({ attempt }) => {
        attempts++;
        return attempt === 1 ? new Promise<string>(() => {}) : 'second try';
      },
    });
    const run = await orchestrator.manageWorkflow(defineWorkflow('w', { tasks: [stuck] }));
    await nextTurn();

    const recovery = await orchestrator.handleTaskError(run.runId, 'stuck', new Error('seen by a person'));

    expect(recovery).toMatchObject({ kind: 'retry', nextAttempt: 2 });
    expect((await run.result()).outputs.stuck).toBe('second try');
    expect(attempts).toBe(2);
  });

  it('handleTaskError refuses a task that has no attempt under way', async () => {
    const orchestrator = await open();
    const run = await orchestrator.scheduleTask(task('a', { run: () => 1 }));
    await run.result();
    const error = await rejection(orchestrator.handleTaskError(run.runId, 'a', new Error('too late')));
    expect(error.code).toBe('RUN_FINISHED');
  });
});

describe('TaskMonitor', () => {
  it('setOutputData completes a task that a person has done, and its handler is told to stop', async () => {
    const orchestrator = await open();
    let signal: AbortSignal | undefined;
    const approve = task('approve', {
      run: (context) => {
        signal = context.signal;
        return new Promise<{ by: string }>(() => {});
      },
    });
    const ship = task('ship', {
      dependencies: { approve },
      run: ({ dependencies }) => dependencies.approve.by,
    });
    const run = await orchestrator.manageWorkflow(defineWorkflow('w', { tasks: [approve, ship] }));
    await nextTurn();

    await orchestrator.monitorTask(run.runId, 'approve').setOutputData({ by: 'Ada' });

    expect((await run.result()).outputs.ship).toBe('Ada');
    expect(signal?.aborted).toBe(true);
  });

  it('setOutputData refuses a task that is not in progress, and one that was told to stop', async () => {
    const orchestrator = await open();
    const slow = task('slow', { run: () => new Promise(() => {}) });
    const later = task('later', { dependencies: { slow }, run: () => 1 });
    const run = await orchestrator.manageWorkflow(defineWorkflow('w', { tasks: [slow, later] }));
    await nextTurn();

    const waiting = await rejection(orchestrator.monitorTask(run.runId, 'later').setOutputData(1));
    const odd = await rejection(orchestrator.monitorTask(run.runId, 'slow').setOutputData(() => {}));
    const monitor = orchestrator.monitorTask(run.runId, 'slow');
    await monitor.updateStatus('cancelled');
    const stopped = await rejection(monitor.setOutputData(1));

    expect([waiting.code, odd.code, stopped.code]).toEqual([
      'TRANSITION_ILLEGAL',
      'VALUE_UNSERIALISABLE',
      'TRANSITION_ILLEGAL',
    ]);
    expect(monitor.status).toBe('cancelled');
  });
});
