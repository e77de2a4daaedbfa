import { defineWorkflow, task } from '@taskmaster-ai/orchestrator';
import { describe, expect, it } from 'vitest';
import { rejection } from '../../support/errors.ts';
import { createGate, nextTurn } from '../../support/gate.ts';
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
    const told: unknown[] = [];
    const logger = { debug() {}, info() {}, error() {}, warn: (fields: object) => told.push(fields) };
    const { orchestrator } = await openVirtual({ logger });
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
    expect(told).toEqual([]);
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

  it('L06 a victim that is tried again ends too', async () => {
    const { orchestrator } = await openVirtual();
    const attempts: Record<string, number> = {};
    const taking = (name: string, first: string, second: string) =>
      task(name, {
        retry: { maxAttempts: 2, delay: 1 },
        run: async ({ locks, clock, attempt }) => {
          attempts[name] = attempt;
          await locks.acquire(first);
          await clock.sleep(10);
          await locks.acquire(second);
          return name;
        },
      });
    const run = await orchestrator.manageWorkflow(
      defineWorkflow('opposite', { tasks: [taking('a', 'x', 'y'), taking('b', 'y', 'x')] }),
    );
    expect((await run.result()).outputs).toEqual({ a: 'a', b: 'b' });
    expect(attempts).toEqual({ a: 1, b: 2 });
    expect(orchestrator.concurrency.locks()).toEqual([]);
  });

  it('L06 a victim that is tried again is as old as before: next time it is the turn of who was submitted later', async () => {
    const { orchestrator } = await openVirtual();
    const attempts: Record<string, number> = {};
    const taking = (name: string, plan: (attempt: number) => readonly [string, number, string]) =>
      task(name, {
        retry: { maxAttempts: 3, delay: 1 },
        run: async ({ locks, clock, attempt }) => {
          attempts[name] = attempt;
          const [first, wait, second] = plan(attempt);
          await locks.acquire(first);
          await clock.sleep(wait);
          await locks.acquire(second);
        },
      });
    const tasks = [
      taking('a', () => ['x', 10, 'y']),
      taking('b', (attempt) => (attempt === 1 ? ['y', 10, 'x'] : ['y', 40, 'z'])),
      // It has its first lock long before the second attempt of `b` has.
      taking('c', () => ['z', 30, 'y']),
    ];
    const run = await orchestrator.manageWorkflow(defineWorkflow('thrice', { tasks }));
    expect((await run.result()).status).toBe('completed');
    expect(attempts).toEqual({ a: 1, b: 2, c: 2 });
  });

  it('L06 a victim loses in one turn what its task declared as well, and fails whatever its body makes of it', async () => {
    const { orchestrator, clock } = await openStill();
    const seen: string[] = [];
    const door = createGate();
    const stubborn = task('stubborn', {
      locks: ['x'],
      run: async ({ locks, signal }) => {
        try {
          await locks.acquire('y');
        } catch (error) {
          seen.push((error as { code: string }).code);
        }
        await door.promise;
        seen.push((signal.reason as { code: string }).code);
        return 'as if nothing had happened';
      },
    });
    const older = await orchestrator.concurrency.acquireLock('y', { owner: 'host', priority: 5 });
    const run = await orchestrator.scheduleTask(stubborn);
    await clock.advance(0);

    const x = await orchestrator.concurrency.acquireLock('x', { owner: 'host' });

    // The body has not ended, and never gets what it waited for; the token tells its late writes from those of the host.
    expect(seen).toEqual(['DEADLOCK_VICTIM']);
    expect(run.tasks()).toMatchObject([{ status: 'failed' }]);
    expect(x.token).toBeGreaterThan(older.token);
    door.open();
    await clock.advance(0);
    expect(seen).toEqual(['DEADLOCK_VICTIM', 'DEADLOCK_VICTIM']);
    expect((await rejection(run.result())).cause).toMatchObject({ code: 'DEADLOCK_VICTIM' });
    x.release();
    older.release();
    expect(orchestrator.concurrency.locks()).toEqual([]);
  });

  it('L07 inside handlers: two readers that both upgrade to writer are reported, one is ended, the other is the writer', async () => {
    const { orchestrator } = await openVirtual({ deadlocks: 'resolve' });
    const written: string[] = [];
    const upgrading = (name: string, priority: number) =>
      task(name, {
        priority,
        run: async ({ locks, clock }) => {
          const reading = await locks.acquire('page', { mode: 'shared' });
          await clock.sleep(10);
          const writing = await locks.acquire('page');
          expect(writing.token).toBeGreaterThan(reading.token);
          written.push(name);
        },
      });
    const run = await orchestrator.manageWorkflow(
      defineWorkflow('readers', {
        failurePolicy: 'continue',
        tasks: [upgrading('low', 1), upgrading('high', 2)],
      }),
    );
    const error = await rejection(run.result());
    expect(error.cause).toMatchObject({ code: 'DEADLOCK_VICTIM', details: { victim: `${run.runId}/low` } });
    expect(written).toEqual(['high']);
    expect(orchestrator.concurrency.locks()).toEqual([]);
  });

  it('L08 no false report: who waits in line, in a chain, for readers, or for what another one has done with is in none', async () => {
    const told: unknown[] = [];
    const logger = { debug() {}, info() {}, error() {}, warn: (fields: object) => told.push(fields) };
    const { orchestrator, clock } = await openStill({ logger });
    const { concurrency } = orchestrator;
    const ask = async (owner: string, name: string | string[], mode?: 'shared') => {
      const grant = concurrency.acquireLock(name, { owner, mode });
      grant.catch(() => {});
      await clock.advance(0);
      return grant;
    };
    const x = await ask('a', 'x');
    const y = await ask('b', 'y', 'shared');
    await ask('c', 'y', 'shared');
    const chain = [
      concurrency.acquireLock('x', { owner: 'b' }),
      concurrency.acquireLock('x', { owner: 'd' }),
    ];
    await clock.advance(0);
    // It gives back before it asks for the other one: no circle, although the names are in opposite order.
    expect(concurrency.detectDeadlocks()).toEqual([]);
    x.release();
    const first = await chain[0];
    y.release();
    const again = concurrency.acquireLock('y', { owner: 'a', mode: 'shared' });
    await clock.advance(0);
    expect(concurrency.detectDeadlocks()).toEqual([]);
    first?.release();
    (await chain[1])?.release();
    (await again).release();
    expect(told).toEqual([]);
  });
});
