import { defineWorkflow, type Run, type ScheduledTask, task } from '@taskmaster-ai/orchestrator';
import { TaskScheduler } from '@taskmaster-ai/orchestrator/managers';
import { VirtualClock } from '@taskmaster-ai/orchestrator/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createGate, nextTurn } from '../support/gate.ts';
import { openStill } from '../support/virtual-orchestrator.ts';

// Random operations on a scheduler: whatever is paused, cleared, re-ordered and cancelled on the way, nothing that is
// paused starts, no limit is passed, and when everything is resumed nobody was forgotten.
const name = (prefix: string, count: number) =>
  fc.integer({ min: 0, max: count - 1 }).map((i) => `${prefix}${i}`);
const target = fc.oneof(
  fc.constant(undefined),
  fc.record({ agent: name('agent', 2) }),
  fc.record({ runId: name('run', 3) }),
);
const operation = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      type: fc.constant('schedule' as const),
      runId: name('run', 3),
      agentAssigned: fc.option(name('agent', 2), { nil: undefined }),
      priority: fc.integer({ min: 0, max: 3 }),
      cpu: fc.integer({ min: 0, max: 3 }),
      locks: fc.subarray(['x', 'y']),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({ type: fc.constant('finish' as const), nth: fc.nat(20), fails: fc.boolean() }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('pause' as const), target }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('resume' as const), target }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('clear' as const), target }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('cancel' as const), nth: fc.nat(20) }) },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constant('priority' as const), nth: fc.nat(20), to: fc.nat(5) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant('policy' as const),
      policy: fc.constantFrom('fifo' as const, 'priority' as const, 'critical-path' as const),
    }),
  },
);
type Operation = typeof operation extends fc.Arbitrary<infer Each> ? Each : never;

interface Scheduled {
  readonly handle: ScheduledTask;
  readonly agent: string | undefined;
  readonly cpu: number;
  readonly locks: readonly string[];
  readonly end: (fails: boolean) => void;
}

/** A scheduler with what a plain model knows of it. */
class Stage {
  readonly scheduler = TaskScheduler.create({
    clock: new VirtualClock({ auto: false }),
    resources: { cpu: 3 },
    agents: { agent0: { concurrency: 1 } },
    concurrency: 4,
  });
  readonly tasks: Scheduled[] = [];
  readonly running = new Set<Scheduled>();
  readonly paused = new Set<string>();
  readonly faults: string[] = [];

  async carryOut(each: Operation, i: number): Promise<void> {
    const { scheduler, tasks } = this;
    switch (each.type) {
      case 'schedule':
        this.#schedule(each, i);
        break;
      case 'finish':
        [...this.running][each.nth % Math.max(1, this.running.size)]?.end(each.fails);
        break;
      case 'pause':
        this.paused.add(JSON.stringify(each.target) ?? 'all');
        scheduler.pause(each.target);
        break;
      case 'resume':
        this.paused.delete(JSON.stringify(each.target) ?? 'all');
        scheduler.resume(each.target);
        break;
      case 'clear': {
        const before = [...this.running];
        await scheduler.clear(each.target ?? {});
        for (const one of before) expect(one.handle.status).toBe('in_progress');
        if (each.target === undefined) expect(scheduler.queue()).toEqual([]);
        break;
      }
      case 'cancel':
        if (tasks.length > 0) tasks[each.nth % tasks.length]?.handle.cancel();
        break;
      case 'priority':
        if (tasks.length > 0) tasks[each.nth % tasks.length]?.handle.setPriority(each.to);
        break;
      case 'policy':
        scheduler.prioritizeTasks(each.policy);
    }
    await nextTurn();
  }

  #schedule(each: Extract<Operation, { readonly type: 'schedule' }>, i: number): void {
    const { runId, agentAssigned, priority, cpu, locks } = each;
    const gate = createGate();
    const resourceRequirements: Record<string, number> = cpu > 0 ? { cpu } : {};
    const request = { taskId: `t${i}`, runId, agentAssigned, priority, resourceRequirements, locks };
    const handle = this.scheduler.scheduleTask(request, async ({ signal }) => {
      // Noted, not thrown: what a task throws is its own failure.
      if (this.#isPaused(scheduled)) this.faults.push(`${handle.path} started while it was paused`);
      this.running.add(scheduled);
      signal.addEventListener('abort', () => gate.open());
      try {
        await gate.promise;
      } finally {
        this.running.delete(scheduled);
      }
    });
    const end = (fails: boolean): void => (fails ? gate.fail(new Error('no')) : gate.open());
    const scheduled: Scheduled = { handle, agent: agentAssigned, cpu, locks, end };
    this.tasks.push(scheduled);
  }

  #isPaused({ handle, agent }: Scheduled): boolean {
    const { paused } = this;
    if (paused.has('all') || paused.has(JSON.stringify({ runId: handle.runId }))) return true;
    return agent !== undefined && paused.has(JSON.stringify({ agent }));
  }

  /** No limit is passed; who could start has; and what is said of who waits is true. */
  check(): void {
    expect(this.faults).toEqual([]);
    const running = [...this.running];
    const used = running.reduce((sum, { cpu }) => sum + cpu, 0);
    expect(running.length).toBeLessThanOrEqual(4);
    expect(used).toBeLessThanOrEqual(3);
    expect(running.filter(({ agent }) => agent === 'agent0').length).toBeLessThanOrEqual(1);
    const locks = running.flatMap((one) => one.locks);
    expect(new Set(locks).size).toBe(locks.length);
    for (const one of this.tasks) {
      if (one.handle.status !== 'waiting' && one.handle.status !== 'ready') continue;
      const fits =
        running.length < 4 &&
        used + one.cpu <= 3 &&
        !one.locks.some((lock) => locks.includes(lock)) &&
        !(one.agent === 'agent0' && running.some(({ agent }) => agent === 'agent0'));
      expect(fits && !this.#isPaused(one)).toBe(false);
      expect(one.handle.reason === 'paused').toBe(this.#isPaused(one));
      const wait = one.handle.explain();
      expect(wait?.reason).toBe(one.handle.reason);
      expect(wait?.lacks.length === 0).toBe(fits);
      expect((wait?.pausedBy.length ?? 0) > 0).toBe(this.#isPaused(one));
    }
    const waiting = this.tasks.filter(
      ({ handle }) => handle.status === 'waiting' || handle.status === 'ready',
    );
    expect(this.scheduler.queue().length).toBe(waiting.length);
  }

  /** Resumes everything, and lets everything end. */
  async finish(): Promise<void> {
    for (const what of this.paused) this.scheduler.resume(what === 'all' ? undefined : JSON.parse(what));
    this.paused.clear();
    await nextTurn();
    while (this.running.size > 0) {
      for (const one of [...this.running]) one.end(false);
      await nextTurn();
    }
    await this.scheduler.onIdle();
    for (const { handle } of this.tasks)
      expect(['completed', 'failed', 'cancelled']).toContain(handle.status);
  }
}

describe('random operations', () => {
  it('on a scheduler alone: what is paused does not start, limits hold, nobody is forgotten', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { minLength: 5, maxLength: 60 }), async (operations) => {
        const stage = new Stage();
        for (const [i, each] of operations.entries()) {
          await stage.carryOut(each, i);
          stage.check();
        }
        await stage.finish();
        // Everything was given back: something that needs all of it starts.
        const all = { resourceRequirements: { cpu: 3 }, locks: ['x', 'y'], agentAssigned: 'agent0' };
        expect((await stage.scheduler.executeTask({ taskId: 'all', ...all }, () => 1)).status).not.toBe(
          'waiting',
        );
      }),
      { numRuns: 60 },
    );
  }, 60_000);

  it('on runs: pauses of workflows, runs and agents in any order, with cancellations, lose no task', async () => {
    const step = fc.record({
      does: fc.constantFrom('start', 'pause', 'resume', 'runPause', 'runResume', 'cancel', 'pass', 'pass'),
      what: fc.constantFrom('workflow', 'run', 'agent', 'all'),
      nth: fc.nat(5),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
        const { orchestrator, clock } = await openStill({
          agents: { agent0: { concurrency: 1 } },
          concurrency: 3,
        });
        const { scheduler } = orchestrator;
        const workflows = [0, 1].map((w) => {
          const nap = (id: string, options: object = {}) =>
            task(id, { ...options, run: ({ clock: time }) => time.sleep(10) });
          const first = nap('first', { agentAssigned: 'agent0' });
          const tasks = [
            first,
            nap('second', { dependencies: { first }, when: () => true }),
            nap('free', { locks: ['x'] }),
          ];
          return defineWorkflow(`flow${w}`, { tasks });
        });
        const runs: Run[] = [];
        const flowOf = (nth: number) => ({ workflowId: `flow${nth % 2}` });
        const targetOf = (what: string, nth: number) => {
          const run = runs[nth % Math.max(1, runs.length)];
          if (what === 'all') return undefined;
          if (what === 'agent') return { agent: 'agent0' };
          return what === 'run' && run !== undefined ? { runId: run.runId } : flowOf(nth);
        };
        for (const { does, what, nth } of steps) {
          const run = runs[nth % Math.max(1, runs.length)];
          if (does === 'start')
            runs.push(await orchestrator.manageWorkflow(workflows[nth % 2] as (typeof workflows)[0]));
          else if (does === 'pause') scheduler.pause(targetOf(what, nth));
          else if (does === 'resume') scheduler.resume(targetOf(what, nth));
          else if (does === 'pass') await clock.advance(5);
          else if (does === 'runPause') await run?.pause();
          else if (does === 'runResume') await run?.resume();
          else await run?.cancelTask('free').catch(() => {});
        }
        for (const run of runs) {
          scheduler.resume({ runId: run.runId });
          await run.resume();
        }
        for (const nth of [0, 1]) scheduler.resume(flowOf(nth));
        scheduler.resume({ agent: 'agent0' });
        scheduler.resume();
        await clock.advance('1h');
        expect(
          runs.map(({ status }) => status).filter((status) => status !== 'completed' && status !== 'failed'),
        ).toEqual([]);
        expect([scheduler.queue(), orchestrator.concurrency.running]).toEqual([[], 0]);
        await scheduler.onIdle();
        await orchestrator.close({ grace: 0 });
      }),
      { numRuns: 60 },
    );
  }, 60_000);
});
