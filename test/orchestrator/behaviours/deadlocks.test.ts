import { defineWorkflow, task } from '@taskmaster-ai/orchestrator';
import { describe, expect, it } from 'vitest';
import { rejection } from '../../support/errors.ts';
import { nextTurn } from '../../support/gate.ts';
import { openStill, openVirtual } from '../../support/virtual-orchestrator.ts';

describe('deadlocks', () => {
  it('L06 two tasks taking x, y and y, x one by one: a deadlock is reported with both tasks and both locks, one victim fails, the other ends', async () => {
    const { orchestrator } = await openVirtual();
    const taking = (name: string, first: string, second: string) =>
      task(name, {
        run: async ({ locks, clock }) => {
          await locks.acquire(first);
          await clock.sleep(10);
          await locks.acquire(second);
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
