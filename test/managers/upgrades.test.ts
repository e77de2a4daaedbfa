/** Shared locks that are taken back while their holders ask for them exclusively, or hold them so. */
import type { LockGrant } from '@taskmaster-ai/orchestrator';
import { VirtualClock } from '@taskmaster-ai/orchestrator/testing';
import { describe, expect, it } from 'vitest';
import { ConcurrencyController } from '../../src/managers/concurrency/concurrency-controller.ts';
import { rejection } from '../support/errors.ts';
import { nextTurn } from '../support/gate.ts';

const SHARED = { owner: 'ann', mode: 'shared' } as const;

function openAlone() {
  const clock = new VirtualClock({ auto: false });
  return { clock, concurrency: ConcurrencyController.create({ clock, deadlocks: 'report' }) };
}

/** What was granted so far, while it may be waited for still. */
function watch(asked: Promise<LockGrant>): { grant?: LockGrant } {
  const seen: { grant?: LockGrant } = {};
  asked.then(
    (grant) => {
      seen.grant = grant;
    },
    () => {},
  );
  return seen;
}

describe('an upgrade', () => {
  it('given it waits beside another reader, when the lease under it runs out, then it is refused with LOCK_STALE and nobody is exclusive beside the reader', async () => {
    const { clock, concurrency } = openAlone();
    const read = await concurrency.acquireLock('page', { ...SHARED, lease: 100 });
    const reader = await concurrency.acquireLock('page', { owner: 'bob', mode: 'shared' });
    const upgrade = rejection(concurrency.acquireLock('page', { owner: 'ann' }));
    await clock.advance(100);
    expect(await upgrade).toMatchObject({
      code: 'LOCK_STALE',
      details: { names: ['page'], token: read.token },
    });
    expect(concurrency.locks()).toMatchObject([{ mode: 'shared', holders: [{ owner: 'bob' }], waiters: [] }]);
    const again = watch(concurrency.acquireLock('page', { owner: 'ann' }));
    await nextTurn();
    expect(again.grant).toBeUndefined();
    reader.release();
    await nextTurn();
    expect(again.grant?.isHeld).toBe(true);
  });

  it('given it is held, when the lease under it runs out, then it is taken back with it, before anybody else comes in', async () => {
    const { clock, concurrency } = openAlone();
    await concurrency.acquireLock('page', { ...SHARED, lease: 100 });
    const writer = await concurrency.acquireLock('page', { owner: 'ann' });
    const { signal } = writer;
    const reader = watch(concurrency.acquireLock('page', { mode: 'shared' }));
    await clock.advance(99);
    expect([writer.isHeld, reader.grant]).toEqual([true, undefined]);
    await clock.advance(1);
    expect([writer.isHeld, signal.reason.code, reader.grant?.isHeld]).toEqual([false, 'LOCK_STALE', true]);
    expect(() => writer.release()).toThrow('were taken back');
    expect(concurrency.locks()).toMatchObject([{ mode: 'shared', holders: [{}] }]);
  });

  it('given the shared lock under it was given back, when the lease of that would have run out, then it is held on alone', async () => {
    const { clock, concurrency } = openAlone();
    const read = await concurrency.acquireLock('page', { ...SHARED, lease: 100 });
    const writer = await concurrency.acquireLock('page', { owner: 'ann' });
    read.release();
    const reader = watch(concurrency.acquireLock('page', { mode: 'shared' }));
    await clock.advance(1_000);
    expect([writer.isHeld, reader.grant]).toEqual([true, undefined]);
    writer.release();
    await nextTurn();
    expect(reader.grant?.isHeld).toBe(true);
  });

  it('given one grant is an upgrade and stands under another, when it is given back, then it stays taken until that is over', async () => {
    const { concurrency } = openAlone();
    const read = await concurrency.acquireLock('page', SHARED);
    const mixed = await concurrency.acquireLock(
      [
        { name: 'page', mode: 'exclusive' },
        { name: 'index', mode: 'shared' },
      ],
      { owner: 'ann' },
    );
    const writer = await concurrency.acquireLock('index', { owner: 'ann' });
    mixed.release();
    read.release();
    const readers = ['page', 'index'].map((name) => watch(concurrency.acquireLock(name, { mode: 'shared' })));
    await nextTurn();
    expect(readers).toEqual([{}, {}]);
    writer.release();
    await nextTurn();
    expect(readers.map(({ grant }) => grant?.isHeld)).toEqual([true, true]);
  });

  it('given it closes a circle, when the lease under it runs out, then the circle is gone, and until then it is reported', async () => {
    const { clock, concurrency } = openAlone();
    await concurrency.acquireLock('page', { ...SHARED, lease: 100 });
    await concurrency.acquireLock('shelf', { owner: 'ann' });
    await concurrency.acquireLock('page', { owner: 'bob', mode: 'shared' });
    await concurrency.acquireLock('desk', { owner: 'dan' });
    const upgrade = rejection(concurrency.acquireLock(['page', 'desk'], { owner: 'ann' }));
    watch(concurrency.acquireLock('shelf', { owner: 'bob' }));
    await clock.advance(99);
    expect(concurrency.detectDeadlocks()).toMatchObject([{ members: [{}, {}] }]);
    await clock.advance(1);
    expect((await upgrade).code).toBe('LOCK_STALE');
    expect(concurrency.detectDeadlocks()).toEqual([]);
    expect(
      concurrency.locks().flatMap(({ name, waiters }) => waiters.map(({ owner }) => [name, owner])),
    ).toEqual([['shelf', 'bob']]);
  });
});
