import {
  defineWorkflow,
  type Executor,
  type Invocation,
  type ReportOutcome,
  task,
} from '@taskmaster-ai/orchestrator';
import { describe, expect, it } from 'vitest';
import { logOf } from '../support/run-log.ts';
import { openStill, openVirtual } from '../support/virtual-orchestrator.ts';

/** An executor that takes everything and ends nothing by itself. */
class HeldExecutor implements Executor {
  readonly capabilities;
  readonly taken: Invocation[] = [];
  readonly cancelled: { readonly invocation: Invocation; readonly reason: unknown }[] = [];
  report: ReportOutcome = () => {};

  constructor(virtualTime: boolean) {
    this.capabilities = { remote: false, virtualTime };
  }

  submit(invocations: readonly Invocation[], report: ReportOutcome): void {
    this.taken.push(...invocations);
    this.report = report;
  }

  cancel(invocation: Invocation, reason: unknown): void {
    this.cancelled.push({ invocation, reason });
  }

  close(): void {}
}

const slow = defineWorkflow('slow', { tasks: [task('work', { timeout: '1m', run: () => 'unused' })] });

describe('an executor', () => {
  it('is told to stop an invocation that is out of time, once its signal is aborted', async () => {
    const executor = new HeldExecutor(true);
    const { orchestrator, clock } = await openStill({ executor });
    await orchestrator.manageWorkflow(slow);
    await clock.advance('59s');
    expect(executor.cancelled).toEqual([]);
    await clock.advance('1s');
    expect(executor.cancelled).toHaveLength(1);
    expect(executor.cancelled[0]?.invocation).toBe(executor.taken[0]);
    expect(executor.cancelled[0]?.reason).toMatchObject({ code: 'TASK_TIMEOUT' });
  });

  it('that works in real time makes virtual time stand still until its last body has ended', async () => {
    const executor = new HeldExecutor(false);
    const { orchestrator, clock } = await openVirtual({ executor });
    const run = await orchestrator.manageWorkflow(slow);
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(clock.now()).toBe(0);
    executor.report(executor.taken[0] as Invocation, { ok: true, output: 7 });
    expect((await run.result()).outputs).toEqual({ work: 7 });
  });
});

describe('events({ follow: false })', () => {
  it('ends with what is durable now, also while the run goes on', async () => {
    const { orchestrator } = await openStill();
    const run = await orchestrator.manageWorkflow(
      defineWorkflow('waits', { tasks: [task('w', { run: ({ clock }) => clock.sleep('1h') })] }),
    );
    const seen: string[] = [];
    for await (const event of run.events({ follow: false })) seen.push(event.type);
    expect(seen).toEqual(['RunCreated', 'RunStarted', 'TaskStarted']);
    expect(run.status).toBe('in_progress');
  });
});

describe('clock.real', () => {
  it('keeps a time limit from passing while a handler waits for something real', async () => {
    const { orchestrator } = await openVirtual();
    const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
    const real = task('real', {
      timeout: '1s',
      run: async ({ clock }) => {
        await clock.real(turn().then(turn).then(turn));
        return clock.now();
      },
    });
    const run = await orchestrator.manageWorkflow(defineWorkflow('real', { tasks: [real] }));
    expect((await run.result()).outputs.real).toBe(0);
    expect((await logOf(run)).map((event) => event.type)).not.toContain('TaskStopRequested');
  });
});
