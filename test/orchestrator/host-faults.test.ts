/** Ports and callbacks of the host that misbehave: each costs its own attempt or run, and nothing else. */
import { defineWorkflow, type Executor, MemoryStore, task } from '@taskmaster-ai/orchestrator';
import { ScriptedStore } from '@taskmaster-ai/orchestrator/testing';
import { describe, expect, it } from 'vitest';
import { createGate } from '../support/gate.ts';
import { openStill, openVirtual } from '../support/virtual-orchestrator.ts';

const one = defineWorkflow('one', { tasks: [task('a', { run: () => 'done' })] });

describe('a host that misbehaves', () => {
  it.each(['refuse', 'unknown'] as const)(
    'charges a budget once when an append fails (%s)',
    async (fault) => {
      const store = new ScriptedStore(new MemoryStore(), { appends: [{ at: 1, fault }] });
      const { orchestrator } = await openVirtual({ store, resources: { money: { budget: 10 } } });
      const paid = defineWorkflow('paid', {
        tasks: [task('pay', { resourceRequirements: { money: 10 }, run: () => 'paid' })],
      });
      const run = await orchestrator.manageWorkflow(paid);
      expect((await run.result()).outputs).toEqual({ pay: 'paid' });
      expect(orchestrator.resources.usage('money')).toMatchObject({ used: 10, free: 0 });
    },
  );

  it('fails the attempts that an executor cannot take', async () => {
    const executor: Executor = {
      capabilities: { remote: false, virtualTime: true },
      submit: () => {
        throw new Error('no room');
      },
      cancel: () => {},
      close: () => {},
    };
    const { orchestrator } = await openVirtual({ executor });
    const run = await orchestrator.manageWorkflow(one);
    expect((await run.settled()).failures).toMatchObject([{ path: 'a', failure: { message: 'no room' } }]);
  });

  it('may give a logger that throws and rejects', async () => {
    const logger = {
      debug: () => {},
      info: () => {},
      warn: () => {},
      error: () => {
        throw new Error('disk full');
      },
    };
    const { orchestrator } = await openVirtual({ logger, policy: () => Number.NaN });
    const two = defineWorkflow('two', { tasks: [task('a', { run: () => 1 }), task('b', { run: () => 2 })] });
    expect((await (await orchestrator.manageWorkflow(two)).result()).outputs).toEqual({ a: 1, b: 2 });
  });

  it('is told when its ids repeat', async () => {
    const { orchestrator } = await openVirtual({ idSource: { nextRunId: () => 'same' } });
    await (await orchestrator.manageWorkflow(one)).result();
    await expect(orchestrator.manageWorkflow(one)).rejects.toMatchObject({ code: 'ID_DUPLICATE' });
  });

  it('changes no limit and makes no version by a definition that is refused', async () => {
    const { orchestrator } = await openVirtual();
    const gate = createGate();
    let running = 0;
    const wait = async (): Promise<void> => {
      running++;
      await gate.promise;
    };
    const tasks = ['a', 'b', 'c'].map((id) => task(id, { run: wait }));
    const run = await orchestrator.manageWorkflow(defineWorkflow('w', { tasks, concurrency: 1 }));
    const bad = task('bad', { resourceRequirements: { nothing: 1 }, run: wait });
    const refused = orchestrator.manageWorkflow(
      defineWorkflow('w', { tasks: [...tasks, bad], concurrency: 50 }),
    );
    await expect(refused).rejects.toMatchObject({ code: 'RESOURCE_UNKNOWN' });
    await new Promise((resolve) => setImmediate(resolve));
    expect(running).toBe(1);
    gate.open();
    await run.result();
    const next = await orchestrator.manageWorkflow(
      defineWorkflow('w', { tasks: tasks.slice(1), concurrency: 1 }),
    );
    expect(next.workflowVersion).toBe(2);
  });

  it('gets the order of its new comparator, also for what waited under the old one', async () => {
    const { orchestrator } = await openVirtual({ concurrency: 1, resources: { r: 9, s: 9 } });
    const order: string[] = [];
    orchestrator.pause();
    const needs = [undefined, { r: 1 }, { s: 1 }];
    const tasks = Array.from({ length: 12 }, (_, i) =>
      task(`t${i}`, {
        resourceRequirements: needs[i % 3],
        run: ({ taskId }) => {
          order.push(taskId);
        },
      }),
    );
    const run = await orchestrator.manageWorkflow(defineWorkflow('many', { tasks }));
    const byNumber = (id: string): number => Number(id.slice(1));
    orchestrator.prioritizeTasks((a, b) => byNumber(a.taskId) - byNumber(b.taskId));
    orchestrator.prioritizeTasks((a, b) => byNumber(b.taskId) - byNumber(a.taskId));
    orchestrator.resume();
    await run.result();
    expect(order).toEqual(tasks.map((one) => one.taskId).reverse());
  });
});

describe('what nobody waits for', () => {
  it('keeps no timer: the rate of an agent whose last waiter was cancelled', async () => {
    const { orchestrator, clock } = await openStill({ agents: { a: { rate: { limit: 1, per: '1d' } } } });
    const tasks = ['x', 'y'].map((id) => task(id, { agentAssigned: 'a', run: () => id }));
    const run = await orchestrator.manageWorkflow(defineWorkflow('rated', { tasks }));
    await clock.advance(0);
    expect(clock.pending).toBe(1);
    await run.cancel();
    expect(clock.pending).toBe(0);
  });

  it('is refused: a request for no lock and for no resource', async () => {
    const { orchestrator } = await openVirtual();
    await expect(orchestrator.concurrency.acquireLock([])).rejects.toMatchObject({ code: 'OPTION_INVALID' });
    await expect(orchestrator.resources.allocateResource({})).rejects.toMatchObject({
      code: 'OPTION_INVALID',
    });
  });
});
