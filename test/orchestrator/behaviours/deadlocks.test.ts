import { defineWorkflow, task } from '@taskmaster-ai/orchestrator';
import { describe, expect, it } from 'vitest';
import { rejection } from '../../support/errors.ts';
import { nextTurn } from '../../support/gate.ts';
import { openStill, openVirtual } from '../../support/virtual-orchestrator.ts';

describe('deadlocks', () => {
  it('L06 two tasks taking x, y and y, x one by one: a deadlock is reported with both tasks and both locks, one victim fails, the other ends', async () => {
    const { orchestrator } = await openVirtual();
    const ended: string[] = [];
    const taking = (name: string, first: string, second: string) =>
      task(name, {
        run: async ({ locks, clock }) => {
          await locks.acquire(first);
          await clock.sleep(10);
          await locks.acquire(second);
          ended.push(name);
          return name;
        },
      });
    const run = await orchestrator.manageWorkflow(
      defineWorkflow('opposite', {
        failurePolicy: 'continue',
        tasks: [taking('a', 'x', 'y'), taking('b', 'y', 'x')],
      }),
    );
    const error = await rejection(run.result());
    expect(error.cause).toMatchObject({ code: 'DEADLOCK_VICTIM' });
    const text = (error.cause as Error).message;
    for (const part of ['/a"', '/b"', '"x"', '"y"']) expect(text).toContain(part);
    expect(ended).toEqual(['a']);
    expect(orchestrator.concurrency.locks()).toEqual([]);
  });

  it('L08 1,000 tasks that take locks one by one in one order: no deadlock is reported, all end', async () => {
    const { orchestrator } = await openVirtual();
    const names = ['a', 'b', 'c', 'd', 'e', 'f'];
    const tasks = Array.from({ length: 1_000 }, (_, i) =>
      task(`t${i}`, {
        run: async ({ locks, clock }) => {
          for (const [bit, name] of names.entries())
            if (((i * 37) >> bit) % 2 === 1) await locks.acquire(name, i % 3 === 0 ? { mode: 'shared' } : {});
          await clock.sleep(i % 5);
          return i;
        },
      }),
    );
    // A task that was ended to break a deadlock would fail the run.
    const run = await orchestrator.manageWorkflow(defineWorkflow('ordered', { tasks }));
    expect(Object.keys((await run.result()).outputs)).toHaveLength(1_000);
    expect(orchestrator.concurrency.detectDeadlocks()).toEqual([]);
    expect(orchestrator.concurrency.locks()).toEqual([]);
  });

  it('L07 two readers that both upgrade to writer: reported, not hung; one alone is granted', async () => {
    const { orchestrator } = await openStill();
    const { concurrency } = orchestrator;
    concurrency.setDeadlockPolicy('report');
    const a = await concurrency.acquireLock('page', { owner: 'a', mode: 'shared' });
    await concurrency.acquireLock('page', { owner: 'b', mode: 'shared' });
    const first = concurrency.acquireLock('page', { owner: 'a' });
    await nextTurn();
    expect(concurrency.detectDeadlocks()).toEqual([]);
    const second = rejection(concurrency.acquireLock('page', { owner: 'b' }));
    await nextTurn();
    expect(concurrency.detectDeadlocks()).toMatchObject([{ members: [{}, {}] }]);
    expect(concurrency.resolveConflicts()).toMatchObject([{ victim: { name: 'b' } }]);
    expect((await second).code).toBe('DEADLOCK_VICTIM');
    const upgraded = await first;
    expect(concurrency.detectDeadlocks()).toEqual([]);
    // The shared lock under the upgrade stays taken until the upgrade is given back.
    a.release();
    let isIn = false;
    const reader = concurrency.acquireLock('page', { mode: 'shared' }).then((grant) => {
      isIn = true;
      return grant;
    });
    await nextTurn();
    expect(isIn).toBe(false);
    upgraded.release();
    (await reader).release();
    expect(concurrency.locks()).toEqual([]);
  });
});
