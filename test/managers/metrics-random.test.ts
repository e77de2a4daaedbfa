import {
  defineWorkflow,
  type FailurePolicy,
  Orchestrator,
  type Run,
  type RunEvent,
  task,
} from '@taskmaster-ai/orchestrator';
import {
  HISTOGRAM_ERROR_MAX,
  type HistogramSummary,
  type MetricsSnapshot,
} from '@taskmaster-ai/orchestrator/managers';
import { VirtualClock } from '@taskmaster-ai/orchestrator/testing';
import fc from 'fast-check';
import { expect, it } from 'vitest';

// What the monitoring service counts and times while runs go on has to be what their logs say when all is over. The fold
// here is written from the meaning of the events, and knows nothing of the one that is tested.

/** What is drawn of a task. */
interface Drawn {
  readonly back: readonly number[];
  readonly sleep: number;
  readonly fails: number;
  readonly maxAttempts: number;
  readonly timeout: number | undefined;
  readonly totalTimeout: number | undefined;
  readonly agent: string | undefined;
  readonly skip: boolean;
}

const drawn: fc.Arbitrary<Drawn> = fc.record({
  back: fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 2 }),
  sleep: fc.nat(40),
  fails: fc.constantFrom(0, 0, 1, 2),
  maxAttempts: fc.integer({ min: 1, max: 3 }),
  timeout: fc.option(fc.integer({ min: 1, max: 60 }), { nil: undefined, freq: 1 }),
  totalTimeout: fc.option(fc.integer({ min: 20, max: 80 }), { nil: undefined, freq: 1 }),
  agent: fc.constantFrom(undefined, 'ann', 'bob'),
  skip: fc.constantFrom(false, false, false, true),
});

const runsDrawn = fc.array(
  fc.record({
    tasks: fc.array(drawn, { minLength: 1, maxLength: 6 }),
    failurePolicy: fc.constantFrom<FailurePolicy>('fail-fast', 'finish-running', 'continue'),
    cancelAfter: fc.option(fc.nat(60), { nil: undefined }),
  }),
  { minLength: 1, maxLength: 4 },
);

function workflowOf(name: string, tasks: readonly Drawn[], failurePolicy: FailurePolicy) {
  return defineWorkflow(name, {
    failurePolicy,
    tasks: tasks.map(({ back, sleep, fails, maxAttempts, timeout, totalTimeout, agent, skip }, i) =>
      task(`t${i}`, {
        dependencies: [...new Set(back.map((steps) => i - steps).filter((at) => at >= 0))].map(
          (at) => `t${at}`,
        ),
        agentAssigned: agent,
        retry: { maxAttempts, delay: 7 },
        timeout,
        totalTimeout,
        when: skip ? () => false : undefined,
        run: async ({ clock, attempt }) => {
          await clock.sleep(sleep);
          if (attempt <= fails) throw Object.assign(new Error('no'), { code: `E${attempt}` });
        },
      }),
    ),
  });
}

/** What logs say, worked out the plain way. */
class Account {
  readonly counts = new Map<string, number>();
  readonly spans = new Map<string, number[]>();

  count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }

  span(what: string, ms: number): void {
    this.spans.set(what, [...(this.spans.get(what) ?? []), ms]);
  }

  read(log: readonly RunEvent[], agentOf: (taskId: string) => string | undefined): void {
    const began = new Map<string, number>();
    const first = new Map<string, number>();
    const outcomes: Partial<Record<RunEvent['type'], string>> = {
      TaskCompleted: 'completed',
      TaskFailed: 'failed',
      TaskRetryScheduled: 'failed',
      TaskCancelled: 'cancelled',
    };
    for (const event of log) {
      this.count(event.type);
      if (event.type.startsWith('Run') || !('path' in event)) continue; // RunFailed has the path of its cause
      const { type, path, at } = event;
      if (type === 'TaskStarted') {
        began.set(path, at);
        if (!first.has(path)) first.set(path, at);
      }
      if (type === 'TaskStopRequested') this.count(`stop ${event.cause}`);
      if ('failure' in event && outcomes[type] === 'failed')
        this.count(`failure ${event.failure.code ?? event.failure.name}`);
      const outcome = outcomes[type];
      const start = began.get(path);
      if (outcome !== undefined && start !== undefined) {
        began.delete(path);
        this.count(`attempt ${outcome}`);
        for (const label of ['attempts', `task ${path}`, `agent ${agentOf(path)}`])
          this.span(label, at - start);
      }
      const begin = first.get(path);
      if (outcome !== undefined && type !== 'TaskRetryScheduled' && begin !== undefined)
        this.span('tasks', at - begin);
    }
    const end = log.at(-1) as RunEvent;
    this.span('runs', end.at - (log[0] as RunEvent).at);
  }

  of(what: string): number {
    return this.counts.get(what) ?? 0;
  }
}

function expectSpans(summary: HistogramSummary | undefined, spans: readonly number[] = []): void {
  if (spans.length === 0) {
    expect(summary?.count ?? 0).toBe(0);
    return;
  }
  const sorted = [...spans].sort((a, b) => a - b);
  const sum = spans.reduce((total, one) => total + one, 0);
  expect(summary).toMatchObject({ count: spans.length, sum, min: sorted[0], max: sorted.at(-1) });
  for (const [name, q] of [
    ['p50', 0.5],
    ['p90', 0.9],
    ['p99', 0.99],
  ] as const) {
    const exact = sorted[Math.ceil(q * sorted.length) - 1] as number;
    expect(Math.abs((summary?.[name] as number) - exact)).toBeLessThanOrEqual(
      exact * HISTOGRAM_ERROR_MAX + 1e-3,
    );
  }
}

function expectAccount(
  { counters, durations, gauges }: MetricsSnapshot,
  account: Account,
  tasks: number,
): void {
  const count = (what: string): number => account.of(what);
  expect(counters.runs).toEqual({
    created: count('RunCreated'),
    completed: count('RunCompleted'),
    failed: count('RunFailed'),
    cancelled: count('RunCancelled'),
  });
  expect(counters.tasks).toEqual({
    completed: count('TaskCompleted'),
    failed: count('TaskFailed'),
    skipped: count('TaskSkipped'),
    cancelled: count('TaskCancelled'),
  });
  expect(counters.attempts).toMatchObject({
    started: count('TaskStarted'),
    completed: count('attempt completed'),
    failed: count('attempt failed'),
    retried: count('TaskRetryScheduled'),
    cancelled: count('attempt cancelled'),
  });
  for (const [cause, stops] of Object.entries(counters.stops))
    expect(stops, cause).toBe(count(`stop ${cause}`));
  const failures = [...account.counts].filter(([what]) => what.startsWith('failure '));
  expect(counters.failures).toEqual(Object.fromEntries(failures.map(([what, n]) => [what.slice(8), n])));
  expectSpans(durations.attempts, account.spans.get('attempts'));
  expectSpans(durations.tasks, account.spans.get('tasks'));
  expectSpans(durations.runs, account.spans.get('runs'));
  for (let i = 0; i < tasks; i++) expectSpans(durations.byTask[`t${i}`], account.spans.get(`task t${i}`));
  for (const agent of ['ann', 'bob'])
    expectSpans(durations.byAgent[agent], account.spans.get(`agent ${agent}`));
  const { completed, failed, skipped, cancelled, ...others } = gauges.tasks;
  expect({ completed, failed, skipped, cancelled }).toEqual(counters.tasks);
  expect(Object.values(others).every((left) => left === 0)).toBe(true);
}

it('counters, histograms and gauges are what the logs of random runs say', async () => {
  let retried = 0;
  let cancelled = 0;
  await fc.assert(
    fc.asyncProperty(runsDrawn, fc.integer({ min: 1, max: 4 }), async (specs, concurrency) => {
      const clock = new VirtualClock();
      const orchestrator = await Orchestrator.open({ clock, concurrency, monitoring: { window: '10s' } });
      const runs = await Promise.all(
        specs.map(async ({ tasks, failurePolicy, cancelAfter }, i) => {
          const run: Run<unknown> = await orchestrator.manageWorkflow(
            workflowOf(`w${i}`, tasks, failurePolicy),
          );
          if (cancelAfter !== undefined) clock.setTimer(cancelAfter, () => void run.cancel('late'));
          return run;
        }),
      );
      await Promise.all(runs.map((run) => run.settled()));
      const account = new Account();
      for (const [i, run] of runs.entries()) {
        const log: RunEvent[] = [];
        for await (const event of run.events({ follow: false })) log.push(event);
        account.read(log, (taskId) => specs[i]?.tasks[Number(taskId.slice(1))]?.agent);
      }
      const metrics = orchestrator.monitoring.trackMetrics();
      expectAccount(metrics, account, 6);
      // Everything happened within the window.
      expect(metrics.rates).toMatchObject({
        tasksCompleted: account.of('TaskCompleted'),
        tasksFailed: account.of('TaskFailed'),
        runsEnded: runs.length,
      });
      retried += account.of('TaskRetryScheduled');
      cancelled += account.of('attempt cancelled');
      await orchestrator.close();
    }),
    { numRuns: 60 },
  );
  expect([retried > 10, cancelled > 5]).toEqual([true, true]);
});
