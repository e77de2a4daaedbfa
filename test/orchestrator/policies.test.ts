import {
  defineWorkflow,
  type Logger,
  type ReadyTask,
  type ReadyTaskComparator,
  type SchedulingPolicy,
  task,
} from '@taskmaster-ai/orchestrator';
import { describe, expect, it } from 'vitest';
import { refusal, rejection } from '../support/errors.ts';
import { logOf, startsOf } from '../support/run-log.ts';
import { openVirtual } from '../support/virtual-orchestrator.ts';

const sleep = ({ clock }: { readonly clock: { sleep(ms: number): Promise<void> } }) => clock.sleep(1);

/** Three roots with chains of different length behind them, and one that is urgent. */
const chains = defineWorkflow('chains', {
  tasks: [
    task('short', { estimatedDuration: '1s', run: sleep }),
    task('long', { estimatedDuration: '1s', run: sleep }),
    task('urgent', { priority: 1, estimatedDuration: '1ms', run: sleep }),
    task('middle', { estimatedDuration: '5s', run: sleep }),
    task('long-end', { dependencies: ['long'], estimatedDuration: '10s', run: sleep }),
  ],
});

async function startsUnder(policy: SchedulingPolicy | undefined): Promise<readonly string[]> {
  const { orchestrator } = await openVirtual({
    concurrency: 1,
    ...(policy === undefined ? undefined : { policy }),
  });
  const run = await orchestrator.manageWorkflow(chains);
  await run.result();
  return startsOf(await logOf(run));
}

/** A logger that keeps what is said as errors. */
function errorLogger(errors: unknown[]): Logger {
  const nothing = () => {};
  return { debug: nothing, info: nothing, warn: nothing, error: (fields) => void errors.push(fields.error) };
}

describe('the order of ready tasks', () => {
  it('is by priority, then submission, unless said otherwise', async () => {
    expect(await startsUnder(undefined)).toEqual(['urgent', 'short', 'long', 'middle', 'long-end']);
    expect(await startsUnder('priority')).toEqual(['urgent', 'short', 'long', 'middle', 'long-end']);
  });

  it('critical-path: the longest remaining path first, among equal priorities', async () => {
    expect(await startsUnder('critical-path')).toEqual(['urgent', 'long', 'long-end', 'middle', 'short']);
  });

  it('critical-path counts tasks where no duration is estimated', async () => {
    const { orchestrator } = await openVirtual({ concurrency: 1, policy: 'critical-path' });
    const tasks = [
      task('alone', { run: sleep }),
      task('head', { run: sleep }),
      task('tail', { dependencies: ['head'], run: sleep }),
    ];

    const run = await orchestrator.manageWorkflow(defineWorkflow('hops', { tasks }));
    await run.result();

    expect(startsOf(await logOf(run))).toEqual(['head', 'alone', 'tail']);
  });

  it('fifo: submission of the run, then position in the definition, whatever the priority', async () => {
    expect(await startsUnder('fifo')).toEqual(['short', 'long', 'urgent', 'middle', 'long-end']);
    const { orchestrator } = await openVirtual({ concurrency: 1, policy: 'fifo' });
    const starts: string[] = [];
    const define = (name: string) =>
      defineWorkflow(name, {
        tasks: ['x', 'y'].map((id) =>
          task(id, { priority: id === 'y' ? 9 : 0, run: ({ path }) => void starts.push(`${name}/${path}`) }),
        ),
      });
    orchestrator.pause();
    const first = await orchestrator.manageWorkflow(define('first'));
    const second = await orchestrator.manageWorkflow(define('second'), { priority: 100 });
    orchestrator.resume();
    await Promise.all([first.result(), second.result()]);

    expect(starts).toEqual(['first/x', 'first/y', 'second/x', 'second/y']);
  });

  it('is that of a comparator of the host, which sees what is known of a ready task', async () => {
    const seen = new Map<string, ReadyTask>();
    const byName: ReadyTaskComparator = (a, b) => {
      seen.set(a.path, a);
      return a.taskId < b.taskId ? -1 : a.taskId > b.taskId ? 1 : 0;
    };

    expect(await startsUnder(byName)).toEqual(['long', 'long-end', 'middle', 'short', 'urgent']);
    expect(seen.get('long')).toEqual({
      runId: expect.any(String),
      path: 'long',
      taskId: 'long',
      agentAssigned: undefined,
      priority: 0,
      remainingPath: 11_000,
      submission: 0,
    });
  });

  const unsound: readonly (readonly [string, ReadyTaskComparator])[] = [
    ['answers NaN', () => Number.NaN],
    ['always says the first', () => -1],
    ['answers no number', (() => 'first') as unknown as ReadyTaskComparator],
    [
      'throws',
      () => {
        throw new Error('comparator');
      },
    ],
  ];
  it.each(unsound)(
    'falls back to the order of submission when the comparator %s, and says so once',
    async (_, policy) => {
      const errors: unknown[] = [];
      const { orchestrator } = await openVirtual({ concurrency: 1, policy, logger: errorLogger(errors) });

      const run = await orchestrator.manageWorkflow(chains);
      await run.result();

      // The ranks by priority stand where the comparator gives no order.
      expect(startsOf(await logOf(run))).toEqual(['urgent', 'short', 'long', 'middle', 'long-end']);
      expect(errors).toHaveLength(1);
      expect(errors[0]).toContain('comparator');
    },
  );

  it('can be changed while tasks wait', async () => {
    const { orchestrator } = await openVirtual({ concurrency: 1 });
    orchestrator.pause();
    const run = await orchestrator.manageWorkflow(chains);

    orchestrator.prioritizeTasks('fifo');
    orchestrator.prioritizeTasks((a, b) => b.remainingPath - a.remainingPath);
    orchestrator.resume();
    await run.result();

    expect(startsOf(await logOf(run))).toEqual(['long', 'long-end', 'middle', 'short', 'urgent']);
    const invalid = refusal(() => orchestrator.prioritizeTasks('newest' as SchedulingPolicy));
    expect(invalid.code).toBe('OPTION_INVALID');
    const { Orchestrator } = await import('@taskmaster-ai/orchestrator');
    const open = await rejection(Orchestrator.open({ policy: 'newest' as SchedulingPolicy }));
    expect(open.code).toBe('OPTION_INVALID');
  });

  it('changed back and forth leaves each task to run once', async () => {
    const { orchestrator } = await openVirtual({ concurrency: 2 });
    const tasks = Array.from({ length: 50 }, (_, i) => task(`t${i}`, { priority: i % 7, run: sleep }));
    orchestrator.pause();
    const run = await orchestrator.manageWorkflow(defineWorkflow('many', { tasks }));
    for (const policy of ['fifo', 'priority', 'critical-path', 'fifo'] as const)
      orchestrator.prioritizeTasks(policy);
    orchestrator.resume();
    await run.result();

    expect(startsOf(await logOf(run))).toEqual(tasks.map(({ taskId }) => taskId));
  });
});
