import { defineWorkflow, type LockGrant, task } from '@taskmaster-ai/orchestrator';
import { describe, expect, it } from 'vitest';
import { refusal, rejection } from '../../support/errors.ts';
import { nextTurn } from '../../support/gate.ts';
import { logOf, timesOf } from '../../support/run-log.ts';
import { openStill, openVirtual } from '../../support/virtual-orchestrator.ts';

describe('locks', () => {
  it('L01 a mutex has one holder; waiters get it in order of arrival, or by priority when given', async () => {
    const { orchestrator } = await openStill();
    const { concurrency } = orchestrator;
    const order: string[] = [];
    const tokens: number[] = [];
    let holders = 0;
    const take = async (name: string, priority?: number): Promise<void> => {
      const grant = await concurrency.acquireLock('mutex', priority === undefined ? {} : { priority });
      order.push(name);
      tokens.push(grant.token);
      expect(++holders).toBe(1);
      await nextTurn();
      holders--;
      concurrency.releaseLock(grant);
    };
    const first = take('first');
    await nextTurn();
    await Promise.all([
      first,
      take('second'),
      take('third'),
      take('urgent', 5),
      take('late', -1),
      take('fourth'),
    ]);

    expect(order).toEqual(['first', 'urgent', 'second', 'third', 'fourth', 'late']);
    // A fencing token is greater than every one before it.
    expect(tokens).toEqual([...tokens].sort((a, b) => a - b));
    expect(new Set(tokens).size).toBe(tokens.length);
  });

  it('L01 tasks and the host share one queue for a lock, and shared holders share it', async () => {
    const { orchestrator } = await openVirtual();
    const reader = (name: string) =>
      task(name, { locks: [{ name: 'page', mode: 'shared' }], run: ({ clock }) => clock.sleep(10) });
    const writer = task('writer', { locks: ['page'], priority: 1, run: ({ clock }) => clock.sleep(10) });
    const run = await orchestrator.manageWorkflow(
      defineWorkflow('pages', { tasks: [reader('r1'), reader('r2'), writer, reader('r3')] }),
    );
    const host = await orchestrator.concurrency.acquireLock('page', { priority: -1 });
    await run.result();
    host.release();
    expect(timesOf(await logOf(run))).toEqual({ writer: [0, 10], r1: [10, 20], r2: [10, 20], r3: [10, 20] });
  });

  it('L02 a semaphore of n lets n in; releasing more often than acquiring is an error and does not raise n', async () => {
    const { orchestrator } = await openStill({ resources: { semaphore: 2 } });
    const { resources } = orchestrator;
    const one = await resources.allocateResource({ semaphore: 1 });
    const two = await resources.allocateResource({ semaphore: 1 });
    let third = false;
    const waiting = resources.allocateResource({ semaphore: 1 }).then((grant) => {
      third = true;
      return grant;
    });
    await nextTurn();
    expect(third).toBe(false);

    resources.releaseResource(one);
    const three = await waiting;
    const error = refusal(() => resources.releaseResource(one));
    expect(error.code).toBe('GRANT_RELEASED');
    expect(refusal(() => one.release()).code).toBe('GRANT_RELEASED');
    // Still two in, and nobody else fits.
    expect(resources.usage('semaphore')).toMatchObject({ capacity: 2, used: 2, free: 0 });
    resources.releaseResource(two);
    resources.releaseResource(three);
    expect(resources.usage('semaphore')).toMatchObject({ capacity: 2, used: 0, free: 2 });

    const lock = await orchestrator.concurrency.acquireLock('mutex');
    orchestrator.concurrency.releaseLock(lock);
    const next = await orchestrator.concurrency.acquireLock('mutex');
    expect(refusal(() => orchestrator.concurrency.releaseLock(lock)).code).toBe('GRANT_RELEASED');
    expect(
      (await rejection(orchestrator.concurrency.acquireLock('mutex', { signal: AbortSignal.abort() }))).code,
    ).toBe('WAIT_ABORTED');
    next.release();
  });

  it('L03 acquire with a time limit: gives up in time and a later release goes to the next waiter', async () => {
    const { orchestrator, clock } = await openStill();
    const { concurrency } = orchestrator;
    const held = await concurrency.acquireLock('mutex');
    const impatient = rejection(concurrency.acquireLock('mutex', { timeout: '1s' }));
    let next: LockGrant | undefined;
    const patient = concurrency.acquireLock('mutex').then((grant) => {
      next = grant;
    });

    await clock.advance(999);
    let gaveUp = false;
    void impatient.then(() => {
      gaveUp = true;
    });
    await nextTurn();
    expect(gaveUp).toBe(false);
    await clock.advance(1);
    expect(await impatient).toMatchObject({ code: 'WAIT_TIMEOUT', retryable: true });
    expect(next).toBeUndefined();

    held.release();
    await patient;
    expect(next?.token).toBeGreaterThan(held.token);
    next?.release();
  });

  it('L04 several locks asked for together are taken all or none; opposite orders in two tasks do not deadlock', async () => {
    const { orchestrator, clock } = await openVirtual();
    const { concurrency } = orchestrator;
    const opposite = (name: string, locks: readonly string[]) =>
      task(name, { locks, run: ({ clock: time }) => time.sleep(10) });
    const tasks = Array.from({ length: 20 }, (_, i) =>
      opposite(`t${i}`, i % 2 === 0 ? ['x', 'y'] : ['y', 'x']),
    );
    const run = await orchestrator.manageWorkflow(defineWorkflow('opposite', { tasks }));
    await run.result();
    expect(clock.now()).toBe(200);

    const x = await concurrency.acquireLock('x');
    const both = concurrency.acquireLock(['y', 'x']);
    await nextTurn();
    // Whoever waits for both holds none, so y can be had.
    const y = await concurrency.acquireLock('y', { timeout: 0 });
    y.release();
    x.release();
    const grant = await both;
    expect(grant.names).toEqual(['x', 'y']);
    expect((await rejection(concurrency.acquireLock('y', { timeout: 1 }))).code).toBe('WAIT_TIMEOUT');
    concurrency.releaseLock(grant);
  });

  it('L05 cancelling a waiter wakes the next one', async () => {
    const { orchestrator } = await openStill();
    const { concurrency } = orchestrator;
    const reading = await concurrency.acquireLock('page', { mode: 'shared' });
    const controller = new AbortController();
    const writer = rejection(concurrency.acquireLock('page', { signal: controller.signal, priority: 1 }));
    const second = concurrency.acquireLock('page', { mode: 'shared' });
    const reason = new Error('no longer wanted');

    controller.abort(reason);
    const error = await writer;
    expect(error.code).toBe('WAIT_ABORTED');
    expect(error.cause).toBe(reason);
    reading.release();
    (await second).release();

    // The same with tasks: the run of the waiter at the front is cancelled, the one behind it gets the lock.
    const held = await concurrency.acquireLock('page');
    const locked = (name: string) => task(name, { locks: ['page'], run: () => name });
    const front = await orchestrator.scheduleTask(locked('front'));
    const behind = await orchestrator.scheduleTask(locked('behind'));
    expect(front.tasks()).toMatchObject([{ status: 'waiting', reason: 'lock' }]);
    await front.cancel();
    held.release();
    await expect(behind.result()).resolves.toMatchObject({ outputs: { behind: 'behind' } });
    expect(front.status).toBe('cancelled');
  });
});
