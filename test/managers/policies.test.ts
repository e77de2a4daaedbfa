/** The order in which ready tasks start, read from runs with one slot. */
import {
  defineWorkflow,
  type ReadyTask,
  type RunEvent,
  type SchedulingPolicy,
  task,
  type Workflow,
} from '@taskmaster-ai/orchestrator';
import { describe, expect, it } from 'vitest';
import { openVirtual } from '../support/virtual-orchestrator.ts';

/** `long` is the head of the longest chain, `high` has the priority, `first` was written first. */
function example(name = 'w'): Workflow<unknown> {
  const run = (): void => {};
  const first = task('first', { estimatedDuration: 5, run });
  const high = task('high', { priority: 3, estimatedDuration: 1, run });
  const long = task('long', { estimatedDuration: 2, run });
  const after = task('after', { dependencies: { long }, estimatedDuration: 9, run });
  const same = task('same', { estimatedDuration: 5, run });
  return defineWorkflow(name, { tasks: [first, high, long, after, same] });
}

async function startsWith(
  policy: SchedulingPolicy,
  workflows = [example()],
  priorities = [0],
): Promise<string[]> {
  const complaints: string[] = [];
  const nothing = (): void => {};
  const logger = {
    debug: nothing,
    info: nothing,
    warn: nothing,
    error: (_: unknown, text: string) => complaints.push(text),
  };
  const { orchestrator } = await openVirtual({ policy, concurrency: 1, logger });
  const starts: string[] = [];
  orchestrator.on('TaskStarted', (event: Extract<RunEvent, { type: 'TaskStarted' }>) =>
    starts.push(event.path),
  );
  orchestrator.pause();
  const runs = await Promise.all(
    workflows.map((workflow, i) => orchestrator.manageWorkflow(workflow, { priority: priorities[i] ?? 0 })),
  );
  orchestrator.resume();
  await Promise.all(runs.map((run) => run.result()));
  return [...starts, ...complaints];
}

describe('scheduling policies', () => {
  it('priority: the higher first, then as submitted', async () => {
    expect(await startsWith('priority')).toEqual(['high', 'first', 'long', 'after', 'same']);
  });

  it('critical-path: within a priority the longest remaining path first, then as submitted', async () => {
    expect(await startsWith('critical-path')).toEqual(['high', 'long', 'after', 'first', 'same']);
  });

  it('fifo: as submitted, whatever else is said', async () => {
    expect(await startsWith('fifo')).toEqual(['first', 'high', 'long', 'after', 'same']);
  });

  it('a task lends its priority to those that it waits for', async () => {
    const run = (): void => {};
    const plain = task('plain', { run });
    const root = task('root', { run });
    const urgent = task('urgent', { priority: 7, dependencies: { root }, run });
    const workflow = defineWorkflow('w', { tasks: [plain, root, urgent] });
    expect(await startsWith('priority', [workflow])).toEqual(['root', 'urgent', 'plain']);
  });

  it('without estimates the critical path counts tasks', async () => {
    const run = (): void => {};
    const lone = task('lone', { run });
    const a = task('a', { run });
    const b = task('b', { dependencies: { a }, run });
    const c = task('c', { dependencies: { b }, run });
    const workflow = defineWorkflow('w', { tasks: [lone, a, b, c] });
    expect(await startsWith('critical-path', [workflow])).toEqual(['a', 'b', 'lone', 'c']);
  });

  it('over several runs: fifo goes by run, priority adds that of the run', async () => {
    const one = (name: string): Workflow<unknown> =>
      defineWorkflow(name, {
        tasks: [task(`${name}1`, { run: () => {} }), task(`${name}2`, { run: () => {} })],
      });
    expect(await startsWith('fifo', [one('a'), one('b')], [0, 9])).toEqual(['a1', 'a2', 'b1', 'b2']);
    expect(await startsWith('priority', [one('a'), one('b')], [0, 9])).toEqual(['b1', 'b2', 'a1', 'a2']);
  });

  it('a comparator of the host decides, and is told what it needs', async () => {
    const seen = new Map<string, ReadyTask>();
    const byLength: SchedulingPolicy = (a, b) => {
      for (const ready of [a, b]) seen.set(ready.taskId, ready);
      return a.remainingPath - b.remainingPath;
    };
    expect(await startsWith(byLength)).toEqual(['high', 'first', 'same', 'long', 'after']);
    expect(seen.get('high')).toMatchObject({ path: 'high', priority: 3, remainingPath: 1, submission: 0 });
    expect(seen.get('long')).toMatchObject({ remainingPath: 11, agentAssigned: undefined });
  });

  it.each([
    ['no number', (): number => Number.NaN],
    ['the same both ways', (): number => 1],
    [
      'throws',
      (): number => {
        throw new Error('no idea');
      },
    ],
  ])('a comparator that gives no order (%s) is reported once, and priorities decide', async (_, compare) => {
    const [last, ...order] = (await startsWith(compare)).reverse();
    expect(last).toBe('a comparator or listener of the task scheduler is at fault');
    expect(order.reverse()).toEqual(['high', 'first', 'long', 'after', 'same']);
  });

  it('can be changed while tasks wait', async () => {
    const { orchestrator } = await openVirtual({ concurrency: 1 });
    const starts: string[] = [];
    orchestrator.on('TaskStarted', (event) => starts.push(event.path));
    orchestrator.pause();
    const run = await orchestrator.manageWorkflow(example());
    orchestrator.prioritizeTasks('critical-path');
    orchestrator.resume();
    await run.result();
    expect(starts).toEqual(['high', 'long', 'after', 'first', 'same']);
  });
});
