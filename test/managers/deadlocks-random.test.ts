import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LockGrant } from '../../src/managers/concurrency/concurrency-controller.ts';
import { nextTurn } from '../support/gate.ts';
import { openStill } from '../support/virtual-orchestrator.ts';

const step = fc.record({
  owner: fc.integer({ min: 0, max: 3 }),
  lock: fc.constantFrom('x', 'y', 'z'),
  mode: fc.constantFrom('shared' as const, 'exclusive' as const),
  act: fc.constantFrom(
    'acquire' as const,
    'acquire' as const,
    'acquire' as const,
    'release' as const,
    'abort' as const,
  ),
});

/** Whether some owners can never go on: nobody who could go on would free what they wait for. */
function isStuck(
  waits: Map<number, { owner: number; lock: string; mode: string }>,
  held: Map<number, { owner: number; lock: string; mode: string }>,
): boolean {
  let blocked = new Set([...waits.values()].map((wait) => wait.owner));
  for (;;) {
    const left = new Set(
      [...waits.values()]
        .filter((wait) =>
          [...held.values()].some(
            (hold) =>
              hold.lock === wait.lock &&
              hold.owner !== wait.owner &&
              (hold.mode === 'exclusive' || wait.mode === 'exclusive') &&
              blocked.has(hold.owner),
          ),
        )
        .map((wait) => wait.owner),
    );
    if (left.size === blocked.size) return left.size > 0;
    blocked = left;
  }
}

describe('deadlocks, at random', () => {
  it('after every operation they are reported exactly when there are some; once resolved, everyone else is served', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 20 }), async (steps) => {
        const { orchestrator } = await openStill();
        const { concurrency } = orchestrator;
        concurrency.setDeadlockPolicy('report');
        const waits = new Map<
          number,
          { owner: number; lock: string; mode: string; abort: AbortController }
        >();
        const held = new Map<number, { owner: number; lock: string; mode: string; grant: LockGrant }>();
        const failed: string[] = [];
        let id = 0;
        for (const { owner, lock, mode, act } of steps) {
          if (act === 'acquire') {
            const me = ++id;
            const abort = new AbortController();
            waits.set(me, { owner, lock, mode, abort });
            concurrency.acquireLock(lock, { owner: `o${owner}`, mode, signal: abort.signal }).then(
              (grant) => {
                waits.delete(me);
                held.set(me, { owner, lock, mode, grant });
              },
              (error: { code: string }) => {
                waits.delete(me);
                failed.push(error.code);
              },
            );
          } else if (act === 'release') {
            const found = [...held].find(([, one]) => one.owner === owner && one.lock === lock);
            // An upgrade keeps the shared lock under it, so only owners with nothing in upgrade give back.
            const isUpgrading =
              [...waits.values(), ...held.values()].filter((one) => one.owner === owner && one.lock === lock)
                .length > 1;
            if (found !== undefined && !isUpgrading) {
              held.delete(found[0]);
              found[1].grant.release();
            }
          } else
            for (const one of waits.values()) if (one.owner === owner && one.lock === lock) one.abort.abort();
          await nextTurn();
          const found = concurrency.detectDeadlocks();
          expect(found.length > 0).toBe(isStuck(waits, held));
          for (const { members } of found)
            for (const member of members) {
              const of = (one: { owner: number }) => `o${one.owner}` === member.name;
              for (const { name } of member.wants)
                expect([...waits.values()].some((one) => of(one) && one.lock === name)).toBe(true);
              for (const { name } of member.holds)
                expect([...held.values()].some((one) => of(one) && one.lock === name)).toBe(true);
            }
        }
        for (const { victim, members } of concurrency.resolveConflicts()) {
          const least = Math.min(...members.map(({ priority }) => priority));
          expect(victim.priority).toBe(least);
          expect(members.map(({ name }) => name)).toContain(victim.name);
        }
        expect(concurrency.detectDeadlocks()).toEqual([]);
        // Grants that follow may close a new circle (an owner can have two waits): `resolve` has to find it by itself.
        concurrency.setDeadlockPolicy('resolve');
        await nextTurn();
        expect(concurrency.detectDeadlocks()).toEqual([]);
        for (let round = 0; round < 60 && held.size + waits.size > 0; round++) {
          for (const [key, { owner, grant }] of [...held]) {
            if ([...waits.values()].some((one) => one.owner === owner)) continue;
            held.delete(key);
            if (grant.isHeld) grant.release();
          }
          for (const [key, { grant }] of [...held]) if (!grant.isHeld) held.delete(key);
          await nextTurn();
        }
        expect([...waits.values()].map(({ owner, lock }) => `${owner} ${lock}`)).toEqual([]);
        expect(concurrency.locks()).toEqual([]);
        for (const code of failed)
          expect(['LOCK_CONFLICT', 'WAIT_ABORTED', 'DEADLOCK_VICTIM']).toContain(code);
        await orchestrator.close();
      }),
      { numRuns: 300 },
    );
  }, 10_000);
});
