import { defineWorkflow, task, type WorkflowData } from '@taskmaster-ai/orchestrator';
import { describe, expect, it } from 'vitest';
import { createGate } from '../../support/gate.ts';
import { logOf } from '../../support/run-log.ts';
import { openVirtual } from '../../support/virtual-orchestrator.ts';

describe('what a caller changes after it was given', () => {
  it('A15 an input that is changed after submit is read as it was', async () => {
    const { orchestrator } = await openVirtual();
    const gate = createGate();
    const read = task('read', {
      run: async ({ input }) => {
        await gate.promise;
        return input;
      },
    });
    const input = { list: [1, 2], nested: { at: new Date(5) } };
    const run = await orchestrator.scheduleTask(read, { input });
    input.list.push(3);
    input.nested.at.setTime(9);
    input.nested = { at: new Date(7) };
    gate.open();
    expect((await run.result()).outputs.read).toEqual({ list: [1, 2], nested: { at: new Date(5) } });
  });

  it('A15 no handler can change what the next one sees of input, inputData and outputs', async () => {
    const { orchestrator } = await openVirtual();
    const first = task('first', { run: () => ({ rows: [1], seen: new Set([1]) }) });
    const vandal = task('vandal', {
      dependencies: { first },
      inputData: { tags: ['a'] },
      run: ({ input, inputData, dependencies }) => {
        const thrown: string[] = [];
        const attempts: readonly (() => unknown)[] = [
          () => (input as number[]).push(2),
          () => (inputData as { tags: string[] }).tags.push('b'),
          () => dependencies.first.rows.push(2),
          () => Object.assign(dependencies, { first: undefined }),
        ];
        for (const attempt of attempts) {
          try {
            attempt();
          } catch (error) {
            thrown.push((error as Error).name);
          }
        }
        dependencies.first.seen.add(2);
        return thrown;
      },
    });
    const witness = task('witness', {
      dependencies: { first, vandal },
      run: ({ input, dependencies }) => ({ input, first: dependencies.first }),
    });
    const run = await orchestrator.manageWorkflow(defineWorkflow('w', { tasks: [vandal, witness] }), {
      input: [1],
    });
    const { outputs } = await run.result();
    expect(outputs.vandal).toEqual(['TypeError', 'TypeError', 'TypeError', 'TypeError']);
    expect(outputs.witness).toEqual({ input: [1], first: { rows: [1], seen: new Set([1]) } });
  });

  it('A15 options that are changed after the definition change nothing', async () => {
    const { orchestrator } = await openVirtual({ resources: { cpu: 2 } });
    const inputData = { value: 1 };
    const dependencies = ['a'];
    const resourceRequirements: Record<string, number> = { cpu: 1 };
    const retry = { maxAttempts: 2, delay: 1 };
    const tags = ['one'];
    const metadata = { team: ['x'] };
    const options = {
      dependencies,
      resourceRequirements,
      retry,
      tags,
      metadata,
      inputData,
      locks: ['l'],
      priority: 3,
      run: ({ inputData: data }: { readonly inputData: unknown }): unknown => data,
    };
    const a = task('a', { run: () => 'a' });
    const b = task('b', options);
    const tasks = [a, b];
    const workflow = defineWorkflow('w', { tasks });

    inputData.value = 2;
    dependencies.push('nobody');
    resourceRequirements.cpu = 99;
    resourceRequirements.gpu = 1;
    retry.maxAttempts = -1;
    tags.push('bad\n');
    metadata.team.push('y');
    options.locks.push('');
    options.priority = Number.NaN;
    options.run = () => 'changed';
    tasks.length = 0;

    const run = await orchestrator.manageWorkflow(workflow);
    expect((await run.result()).outputs).toEqual({ a: 'a', b: { value: 1 } });
    expect({ ...b.policies, priority: b.priority, dependencies: b.dependencies }).toMatchObject({
      priority: 3,
      dependencies: ['a'],
      tags: ['one'],
      metadata: { team: ['x'] },
      resources: [{ name: 'cpu', amount: 1 }],
      locks: [{ name: 'l', mode: 'exclusive' }],
      retry: { maxAttempts: 2 },
    });
  });

  it('A15 plain data that is changed while its run goes on changes nothing in that run', async () => {
    const gate = createGate();
    const { orchestrator } = await openVirtual({
      handlers: { wait: () => gate.promise.then(() => 'waited'), quick: () => 'quick' },
    });
    const data = {
      name: 'w',
      tasks: [
        { taskId: 'first', handler: 'wait' },
        { taskId: 'second', handler: 'quick', dependencies: ['first'] },
      ],
    };
    const run = await orchestrator.manageWorkflow(data as WorkflowData);
    data.tasks[1] = { taskId: 'other', handler: 'nobody', dependencies: ['other'] };
    data.tasks.push({ taskId: 'third', handler: 'quick' });
    data.name = '';
    gate.open();
    expect((await run.result()).outputs).toEqual({ first: 'waited', second: 'quick' });
  });

  it('A15 two runs share one definition object and nothing else', async () => {
    const { orchestrator } = await openVirtual();
    const shared = task('shared', {
      inputData: { list: [0] },
      run: async ({ input, clock, runId, inputData }) => {
        await clock.sleep(10);
        return { input, runId, inputData };
      },
    });
    const workflow = defineWorkflow('w', { tasks: [shared] });
    const [one, two] = await Promise.all([
      orchestrator.manageWorkflow(workflow, { input: 1 }),
      orchestrator.manageWorkflow(workflow, { input: 2 }),
    ]);
    await one.cancel('only this one');
    expect((await one.settled()).status).toBe('cancelled');
    expect((await two.result()).outputs.shared).toEqual({
      input: 2,
      runId: two.runId,
      inputData: { list: [0] },
    });
    expect([one.workflowVersion, two.workflowVersion]).toEqual([1, 1]);
    expect((await logOf(two)).every((event) => event.runId === two.runId)).toBe(true);
  });

  it('A15 data in which one object is met again and again is compared in a moment', async () => {
    const { orchestrator } = await openVirtual();
    let folded: unknown = [1];
    // Written out, this is 2^60 items.
    for (let i = 0; i < 60; i++) folded = [folded, folded];
    const define = () => defineWorkflow('w', { tasks: [task('t', { inputData: folded, run: () => 1 })] });
    const first = await orchestrator.manageWorkflow(define());
    const second = await orchestrator.manageWorkflow(define());
    expect([first.workflowVersion, second.workflowVersion]).toEqual([1, 1]);
  }, 5_000);
});
