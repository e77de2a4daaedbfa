/** Locks under bad luck and bad input: whatever happens to a wait or its owner, nothing is left behind. */
import { defineWorkflow, task } from '@taskmaster-ai/orchestrator';
import { VirtualClock } from '@taskmaster-ai/orchestrator/testing';
import { describe, expect, it } from 'vitest';
import { openEngine } from '../../src/orchestrator/engine.ts';
import { refusal, rejection } from '../support/errors.ts';
import { createGate, nextTurn } from '../support/gate.ts';
import { openStill } from '../support/virtual-orchestrator.ts';

const codeOf = async (promise: Promise<unknown>) => (await rejection(promise)).code;

describe('waits for locks', () => {
  it('leave nothing behind, after however many steps they are aborted', async () => {
    const { orchestrator } = await openStill();
    const { concurrency } = orchestrator;
    const outcomes = new Set<string>();
    for (const isTaken of [false, true])
      for (const ask of ['acquireLock', 'executeTask'] as const)
        for (let steps = 0; steps < 12; steps++) {
          const other = isTaken ? await concurrency.acquireLock('x') : undefined;
          const stop = new AbortController();
          const options = { owner: 'a', signal: stop.signal };
          const asked =
            ask === 'acquireLock'
              ? concurrency.acquireLock(['x', 'y'], options).then((grant) => grant.release())
              : concurrency.executeTask(() => Promise.resolve(), { ...options, locks: ['x', 'y'] });
          const outcome = asked.then(
            () => 'held',
            (error: { code: string }) => error.code,
          );
          for (let step = 0; step < steps; step++) await Promise.resolve();
          stop.abort();
          outcomes.add(await outcome);
          other?.release();
          expect(concurrency.locks()).toEqual([]);
        }
    expect([...outcomes].sort()).toEqual(['WAIT_ABORTED', 'held']);
  });

  it('that are refused at once leave no row of the ledger behind', async () => {
    const engine = await openEngine({ clock: new VirtualClock({ auto: false }) });
    await engine.begin();
    const { concurrency, ledger } = engine.parts;
    const before = [...ledger.rows()].length;
    await concurrency.acquireLock('held', { owner: 'a' });
    for (let i = 0; i < 50; i++) {
      expect(await codeOf(concurrency.acquireLock(`x${i}`, { signal: AbortSignal.abort() }))).toBe(
        'WAIT_ABORTED',
      );
      expect(await codeOf(concurrency.acquireLock([`a${i}`, 'held'], { owner: 'a' }))).toBe('LOCK_CONFLICT');
    }
    expect([...ledger.rows()].length).toBe(before + 1);
    await engine.close({ grace: 0 });
  });

  it('go on when a lease of their owner runs out, and what it held is free: a circle over it is none any more', async () => {
    const { orchestrator, clock } = await openStill({ deadlocks: 'report' });
    const { concurrency } = orchestrator;
    const x = await concurrency.acquireLock('x', { owner: 'a', lease: '1m' });
    const y = await concurrency.acquireLock('y', { owner: 'b' });
    const forY = concurrency.acquireLock('y', { owner: 'a' });
    const forX = concurrency.acquireLock('x', { owner: 'b' });
    await nextTurn();
    expect(concurrency.detectDeadlocks()).toHaveLength(1);
    await clock.advance('1m');
    expect(concurrency.detectDeadlocks()).toEqual([]);
    expect([x.isHeld, x.signal.aborted, refusal(() => x.release()).code]).toEqual([
      false,
      true,
      'LOCK_STALE',
    ]);
    (await forX).release();
    y.release();
    (await forY).release();
    expect([concurrency.locks(), clock.pending]).toEqual([[], 0]);
  });

  it('end when everything ends: of owners, of functions and of handlers', async () => {
    const { orchestrator, clock } = await openStill();
    const { concurrency } = orchestrator;
    const held = await concurrency.acquireLock('x', { lease: '1h' });
    let inHandler: Promise<unknown> = Promise.resolve();
    const door = createGate();
    const greedy = task('greedy', {
      run: async ({ locks }) => {
        await locks.acquire('y');
        inHandler = rejection(locks.acquire('x'));
        await door.promise;
      },
    });
    await orchestrator.manageWorkflow(defineWorkflow('w', { tasks: [greedy] }));
    await clock.advance(0);
    const waits = [
      codeOf(concurrency.acquireLock('x', { owner: 'a', timeout: '1h' })),
      codeOf(concurrency.executeTask(() => 1, { locks: 'x' })),
      codeOf(concurrency.executeTask(greedyNeeds, () => 1)),
    ];
    await nextTurn();
    await orchestrator.close({ grace: 0 });
    expect(await Promise.all(waits)).toEqual(Array(3).fill('ORCHESTRATOR_CLOSED'));
    expect(await inHandler).toMatchObject({ code: 'ORCHESTRATOR_CLOSED' });
    door.open();
    if (held.isHeld) held.release();
    await nextTurn();
    expect(concurrency.locks().flatMap(({ waiters }) => waiters)).toEqual([]);
  });

  it('of an owner that was gone count as those of a new one, of another age and priority', async () => {
    const { orchestrator } = await openStill({ deadlocks: 'report' });
    const { concurrency } = orchestrator;
    (await concurrency.acquireLock('x', { owner: 'a', priority: 9 })).release();
    await concurrency.acquireLock('y', { owner: 'b', priority: 1 });
    await concurrency.acquireLock('x', { owner: 'a', priority: 1 });
    const lost = rejection(concurrency.acquireLock('y', { owner: 'a', priority: 9 }));
    const won = concurrency.acquireLock('x', { owner: 'b', priority: 9 });
    await nextTurn();
    expect(concurrency.resolveConflicts()).toMatchObject([{ victim: { name: 'a', priority: 1 } }]);
    expect((await lost).code).toBe('DEADLOCK_VICTIM');
    expect((await won).isHeld).toBe(true);
  });

  it('are ended in the same call for several deadlocks at once, though hearing of one ends another', async () => {
    const { orchestrator } = await openStill({ deadlocks: 'report' });
    const { concurrency } = orchestrator;
    const stop = new AbortController();
    const circle = async (n: number, signal?: AbortSignal) => {
      const one = await concurrency.acquireLock(`x${n}`, { owner: `a${n}` });
      const two = await concurrency.acquireLock(`y${n}`, { owner: `b${n}` });
      concurrency.acquireLock(`y${n}`, { owner: `a${n}`, signal }).catch(() => {});
      concurrency.acquireLock(`x${n}`, { owner: `b${n}` }).catch(() => {});
      await nextTurn();
      return [one, two] as const;
    };
    const [, first] = await circle(1);
    const [, second] = await circle(2, stop.signal);
    first.signal.addEventListener('abort', () => stop.abort());
    expect(concurrency.detectDeadlocks()).toHaveLength(2);
    // The victim of the first circle heard of it and gave up a wait of the second: nobody has to be ended for that.
    expect(concurrency.resolveConflicts().map(({ victim }) => victim.name)).toEqual(['b1']);
    expect([first.isHeld, second.isHeld]).toEqual([false, true]);
    expect(concurrency.detectDeadlocks()).toEqual([]);
  });

  it.each([
    ['priority NaN', { priority: Number.NaN }],
    ['priority beyond all bounds', { priority: 1e10 }],
    ['timeout -1', { timeout: -1 }],
    ['timeout NaN', { timeout: Number.NaN }],
    ['timeout for ever', { timeout: Number.POSITIVE_INFINITY }],
    ['timeout beyond all bounds', { timeout: 1e18 }],
    ['lease NaN', { lease: Number.NaN }],
    ['lease -1', { lease: -1 }],
    ['lease beyond all bounds', { lease: 1e18 }],
    ['owner that is no name', { owner: 5 }],
    ['mode that is none', { mode: 'write' }],
    ['signal that is none', { signal: {} }],
    [
      'getter that throws',
      Object.defineProperty({}, 'owner', { enumerable: true, get: () => JSON.parse('{') }),
    ],
  ])('with a %s are refused, and nothing is asked for', async (_, options) => {
    const { orchestrator, clock } = await openStill();
    const { concurrency } = orchestrator;
    expect(await codeOf(concurrency.acquireLock('x', options as never))).toBe('OPTION_INVALID');
    expect(
      await codeOf(concurrency.executeTask(() => 1, { locks: 'x', ...{}, ...safe(options) } as never)),
    ).toBe('OPTION_INVALID');
    expect([concurrency.locks(), clock.pending]).toEqual([[], 0]);
  });
});

const greedyNeeds = task('needs', { locks: ['x'], run: () => 1 });

/** Own options, with a getter as the value that is wrong. */
function safe(options: object): object {
  const bad = Object.getOwnPropertyDescriptor(options, 'owner')?.get;
  return bad === undefined ? options : { owner: 7 };
}
