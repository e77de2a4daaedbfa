/** The ledger beside one that looks at everybody every time. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Group, Ledger } from '../../src/managers/resources/ledger.ts';
import { compareWaiters } from '../../src/managers/resources/need-group.ts';
import type { Row } from '../../src/managers/resources/row.ts';
import { NaiveLedger, needsOf, type TestWaiter, waiterOf } from '../support/waiters.ts';

type Step =
  | { readonly op: 'enqueue'; readonly group: number; readonly rank: number; readonly subRank: number }
  | { readonly op: 'withdraw' | 'release'; readonly which: number }
  | { readonly op: 'capacity'; readonly row: number; readonly capacity: number }
  | { readonly op: 'time'; readonly ms: number; readonly ring: boolean }
  | { readonly op: 'pause' | 'resume' };

interface Recipe {
  readonly amounts: readonly number[];
  readonly pausable: boolean;
}

const SHARED = 1_000_000_000;

/** Rows of all kinds; amounts of a recipe are for these places. */
function declareRows(ledger: Ledger): readonly Row[] {
  return [
    ledger.declare({ key: 'concurrency', name: 'all', kind: 'concurrency', capacity: 5 }),
    ledger.declare({ key: 'resource:cpu', name: 'cpu', kind: 'resource', capacity: 4 }),
    ledger.declare({ key: 'resource:gpu', name: 'gpu', kind: 'resource', capacity: 1.5 }),
    ledger.declare({ key: 'rate:tokens', name: 'tokens', kind: 'rate', capacity: 6, perMs: 100 }),
    ledger.declare({ key: 'rate:calls', name: 'calls', kind: 'rate', capacity: 3, perMs: 30 }),
    ledger.declare({ key: 'resource:money', name: 'money', kind: 'budget', capacity: 40 }),
    ledger.declare({ key: 'lock:door', name: 'door', kind: 'lock', capacity: SHARED }),
  ];
}

const recipe: fc.Arbitrary<Recipe> = fc.record({
  amounts: fc
    .tuple(
      fc.constantFrom(0, 1),
      fc.constantFrom(0, 0, 1, 2, 4),
      fc.constantFrom(0, 0, 0.1, 0.5, 1.5),
      fc.constantFrom(0, 0, 1, 5),
      fc.constantFrom(0, 0, 0, 1),
      fc.constantFrom(0, 0, 0, 1),
      fc.constantFrom(0, 0, 1, SHARED),
    )
    .filter((amounts) => amounts.some((amount) => amount > 0)),
  pausable: fc.boolean(),
});

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      op: fc.constant('enqueue' as const),
      group: fc.nat(5),
      rank: fc.nat(2),
      subRank: fc.nat(1),
    }),
  },
  { weight: 6, arbitrary: fc.record({ op: fc.constant('release' as const), which: fc.nat(30) }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('withdraw' as const), which: fc.nat(30) }) },
  {
    weight: 1,
    arbitrary: fc.record({ op: fc.constant('capacity' as const), row: fc.nat(4), capacity: fc.nat(6) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ op: fc.constant('time' as const), ms: fc.nat(120), ring: fc.boolean() }),
  },
  { weight: 1, arbitrary: fc.record({ op: fc.constantFrom('pause' as const, 'resume' as const) }) },
);

/** Both ledgers, driven together. */
class Pair {
  readonly ledger = new Ledger();
  readonly rows = declareRows(this.ledger);
  readonly naive = new NaiveLedger(this.rows, compareWaiters);
  readonly groups: readonly Group[];
  readonly holding: TestWaiter[] = [];
  readonly #due = new Map<Row, number>();
  now = 0;

  constructor(recipes: readonly Recipe[]) {
    this.groups = recipes.map(({ amounts, pausable }) =>
      this.ledger.group(needsOf(this.rows, amounts), 'test', pausable),
    );
    this.ledger.onTimed((row, dueAt) => {
      if (dueAt === undefined) this.#due.delete(row);
      else this.#due.set(row, Math.min(dueAt, this.#due.get(row) ?? dueAt));
    });
  }

  do(step: Step): void {
    switch (step.op) {
      case 'enqueue': {
        const waiter = waiterOf(this.groups[step.group % this.groups.length] as Group, step);
        this.ledger.enqueue(waiter, waiter.group);
        this.naive.waiting.add(waiter);
        return;
      }
      case 'withdraw': {
        const waiting = [...this.naive.waiting];
        const waiter = waiting[step.which % waiting.length];
        if (waiter === undefined) return;
        this.ledger.withdraw(waiter, waiter.group);
        this.naive.waiting.delete(waiter);
        return;
      }
      case 'release': {
        const [waiter] = this.holding.splice(step.which % Math.max(1, this.holding.length), 1);
        if (waiter === undefined) return;
        this.ledger.release(waiter.group);
        this.naive.give(waiter);
        return;
      }
      case 'capacity': {
        const row = this.rows[step.row] as Row;
        this.ledger.setCapacity(row, step.capacity);
        this.naive.setCapacity(row, step.capacity * row.scale);
        return;
      }
      case 'time':
        this.now += step.ms;
        if (step.ring) this.ring();
        return;
      case 'pause':
        this.ledger.pause();
        this.naive.paused = true;
        return;
      case 'resume':
        this.ledger.resume();
        this.naive.paused = false;
    }
  }

  /** What whoever has the clock does: once for each row and due time. */
  ring(): void {
    for (const [row, dueAt] of [...this.#due]) {
      if (dueAt > this.now) continue;
      this.#due.delete(row);
      this.ledger.replenish(row, this.now);
    }
  }

  /** Serves on both sides; somebody who may be served by time alone has to be waited for by `ring`. */
  admit(most = Number.POSITIVE_INFINITY): void {
    const wanted = this.naive.admit(this.now);
    const served: TestWaiter[] = [];
    for (let more = true; more; ) {
      const before = served.length;
      this.ledger.admit(
        () => this.now,
        (waiter) => {
          served.push(waiter as TestWaiter);
          return served.length - before < most;
        },
      );
      more = served.length - before >= most;
    }
    expect(
      served.map(({ order }) => order),
      'the same are served, in the same order',
    ).toEqual(wanted.map(({ order }) => order));
    this.holding.push(...served);
  }

  check(): void {
    for (const row of this.rows) {
      const used = this.naive.usedOf(row, this.now);
      if (row.perMs === undefined) expect(row.used, row.key).toBe(used);
      expect(row.used).toBeGreaterThanOrEqual(0);
      expect(Number.isSafeInteger(row.used)).toBe(true);
      expect(row.free).toBeLessThanOrEqual(row.capacity);
    }
    expect(this.ledger.waiting).toBe(this.naive.waiting.size);
    for (const { waiter } of this.ledger.waiters()) expect(this.naive.waiting).toContain(waiter);
  }
}

describe('Ledger, at random', () => {
  const scenario = [
    fc.array(recipe, { minLength: 1, maxLength: 6 }),
    fc.array(step, { minLength: 1, maxLength: 60 }),
  ] as const;

  it('serves those whom a naive ledger serves, in its order, and takes and gives back the same', () => {
    fc.assert(
      fc.property(...scenario, fc.constantFrom(1, 2, 1_000), (recipes, steps, most) => {
        const pair = new Pair(recipes);
        for (const one of steps) {
          pair.do(one);
          // Whoever waits for time alone is served when its timer rings, not before.
          pair.ring();
          pair.admit(most);
          pair.check();
        }
        for (const waiter of pair.holding) pair.ledger.release(waiter.group);
        for (const row of pair.rows)
          if (row.perMs === undefined && row.kind !== 'budget') expect(row.used, row.key).toBe(0);
      }),
      { numRuns: 500, seed: 7 },
    );
  });

  it('rings for everybody who waits for time: a timer is set whenever time alone would let somebody in', () => {
    fc.assert(
      fc.property(...scenario, (recipes, steps) => {
        const pair = new Pair(recipes);
        for (const one of steps) {
          pair.do(one);
          pair.ring();
          pair.admit();
        }
        pair.do({ op: 'resume' });
        pair.admit();
        // From now on only time passes: everybody whom it can help is served when the naive ledger serves them.
        for (let i = 0; i < 8; i++) {
          pair.do({ op: 'time', ms: 15, ring: true });
          pair.admit();
        }
      }),
      { numRuns: 500, seed: 8 },
    );
  });

  it('serves nobody out of order although a timer is late', () => {
    const timed = recipe.map(({ amounts, pausable }) => ({
      amounts: amounts.map((amount, i) => (i === 3 ? Math.max(1, amount) : i === 4 ? amount : 0)),
      pausable,
    }));
    const steps = scenario[1];
    fc.assert(
      fc.property(fc.array(timed, { minLength: 2, maxLength: 4 }), steps, (recipes, steps) => {
        const pair = new Pair(recipes);
        for (const one of steps) {
          pair.do(one);
          const waiting = [...pair.naive.waiting];
          pair.ledger.admit(
            () => pair.now,
            (waiter) => {
              // Nobody better who competes for a row with this one could have been served instead.
              for (const other of waiting) {
                if (!other.queued || compareWaiters(other, waiter) > 0) continue;
                if (pair.naive.paused && other.group.pausable) continue;
                const rival = other.group.rows.some((row) => (waiter as TestWaiter).group.rows.includes(row));
                expect(rival && pair.naive.fits(other, pair.now), 'overtaken').toBe(false);
              }
              pair.naive.admitOne(waiter as TestWaiter, pair.now);
              pair.holding.push(waiter as TestWaiter);
              return true;
            },
          );
        }
      }),
      { numRuns: 3_000, seed: 9 },
    );
  });
});
