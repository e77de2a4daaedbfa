/** A21: locks asked for twice, in two modes, given back by whoever does not hold them; what ends with an attempt. */
import { defineWorkflow, task } from '@taskmaster-ai/orchestrator';
import { describe, expect, it } from 'vitest';
import { refusal, rejection } from '../../support/errors.ts';
import { nextTurn } from '../../support/gate.ts';
import { openStill, openVirtual } from '../../support/virtual-orchestrator.ts';

describe('A21 locks', () => {
  it('A21 a lock that an owner holds already is refused, and so is a second wait for it', async () => {
    const { orchestrator } = await openStill();
    const { concurrency } = orchestrator;
    const grant = await concurrency.acquireLock('page', { owner: 'a' });
    const again = await rejection(concurrency.acquireLock('page', { owner: 'a' }));
    const shared = await rejection(concurrency.acquireLock('page', { owner: 'a', mode: 'shared' }));
    const waits = concurrency.acquireLock('page', { owner: 'b' });
    const twice = await rejection(concurrency.acquireLock('page', { owner: 'b' }));
    expect([again.code, shared.code, twice.code]).toEqual([
      'LOCK_CONFLICT',
      'LOCK_CONFLICT',
      'LOCK_CONFLICT',
    ]);
    grant.release();
    (await waits).release();
    expect(concurrency.locks()).toEqual([]);
  });

  it('A21 one request for both modes of a lock is refused', async () => {
    const { orchestrator } = await openStill();
    const both = orchestrator.concurrency.acquireLock([
      { name: 'page', mode: 'shared' },
      { name: 'page', mode: 'exclusive' },
    ]);
    expect((await rejection(both)).code).toBe('LOCK_CONFLICT');
    expect(orchestrator.concurrency.locks()).toEqual([]);
  });

  it('A21 an upgrade waits while another one shares the lock, and is granted after', async () => {
    const { orchestrator } = await openStill();
    const { concurrency } = orchestrator;
    const mine = await concurrency.acquireLock('page', { owner: 'a', mode: 'shared' });
    const other = await concurrency.acquireLock('page', { mode: 'shared' });
    const upgrade = concurrency.acquireLock('page', { owner: 'a' });
    await nextTurn();
    expect(concurrency.locks()[0]?.waiters).toHaveLength(1);
    other.release();
    (await upgrade).release();
    mine.release();
    expect(concurrency.locks()).toEqual([]);
  });

  it('A21 a lock that is not held, and a stale token, give nothing back', async () => {
    const { orchestrator } = await openStill();
    const { concurrency } = orchestrator;
    const first = await concurrency.acquireLock('page');
    first.release();
    const second = await concurrency.acquireLock('page');
    expect(refusal(() => concurrency.releaseLock('page', first.token)).code).toBe('LOCK_STALE');
    expect(refusal(() => concurrency.releaseLock('other', second.token)).code).toBe('LOCK_STALE');
    expect(second.isHeld).toBe(true);
  });

  it.each([
    ['0', { lease: 0 }, 'lease the number 0, heartbeat none'],
    ['a negative one', { lease: -1 }, 'lease the number -1, heartbeat none'],
    ['less than three heartbeats', { lease: '2999ms', heartbeat: '1s' }, 'lease 2.999s, heartbeat 1s'],
    ['less than a heartbeat', { lease: '1s', heartbeat: '5s' }, 'lease 1s, heartbeat 5s'],
    ['none, with a heartbeat', { heartbeat: '5s' }, 'lease none, heartbeat 5s'],
    ['one with a heartbeat of 0', { lease: '1s', heartbeat: 0 }, 'lease 1s, heartbeat the number 0'],
  ])('A22 a lease of %s is refused, with both values', async (_, options, found) => {
    const { orchestrator } = await openStill();
    const error = await rejection(orchestrator.concurrency.acquireLock('page', options));
    expect([error.code, error.message]).toEqual([
      'OPTION_INVALID',
      expect.stringContaining(`found ${found};`),
    ]);
    // Nothing is held, and three heartbeats are enough.
    const grant = await orchestrator.concurrency.acquireLock('page', { lease: '3s', heartbeat: '1s' });
    grant.release();
  });

  it.each([
    ['times out', { timeout: '1s' }, undefined],
    ['is cancelled', {}, 'cancel'],
    ['throws', {}, 'throw'],
  ] as const)('locks that a handler took are free when its attempt %s', async (_, options, act) => {
    const { orchestrator } = await openVirtual({ cancelGrace: '1s' });
    const greedy = task('greedy', {
      ...options,
      run: async ({ locks, clock }) => {
        await locks.acquire('x');
        if (act === 'throw') throw new Error('own');
        await clock.sleep('1h');
      },
    });
    const run = await orchestrator.manageWorkflow(defineWorkflow('w', { tasks: [greedy] }));
    await nextTurn();
    if (act === 'cancel') await run.cancel('enough');
    await run.settled();
    expect(orchestrator.concurrency.locks()).toEqual([]);
  });

  it('L09 a lock and a resource of one name are two different things', async () => {
    const { orchestrator } = await openStill({ resources: { printer: 1 } });
    const grant = await orchestrator.concurrency.acquireLock('printer');
    const units = await orchestrator.resources.allocateResource({ printer: 1 });
    expect(orchestrator.concurrency.locks()).toMatchObject([{ name: 'printer' }]);
    expect(orchestrator.resources.usage('printer').used).toBe(1);
    grant.release();
    units.release();
  });
});
