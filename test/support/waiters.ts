/** Waiters for tests of the ledger, and the ledger told by somebody who has all the time in the world. */
import type { Group, Need } from '../../src/managers/resources/ledger.ts';
import type { Waiter, WaiterComparator } from '../../src/managers/resources/need-group.ts';
import type { Row } from '../../src/managers/resources/row.ts';

export interface TestWaiter extends Waiter {
  readonly group: Group;
}

let order = 0;

/** Somebody who waits for what a group needs; later ones stand behind earlier ones of the same rank. */
export function waiterOf(
  group: Group,
  { rank = 0, subRank = 0, by }: { rank?: number; subRank?: number; by?: WaiterComparator } = {},
): TestWaiter {
  return { rank, subRank, order: order++, by, queued: false, group };
}

/** A comparator that counts how often it is asked, and leaves the answer to the ranks. */
export function countingComparator(): { readonly by: WaiterComparator; readonly take: () => number } {
  let asked = 0;
  return {
    by: () => {
      asked++;
      return 0;
    },
    take: () => {
      const count = asked;
      asked = 0;
      return count;
    },
  };
}

interface Taking {
  readonly units: number;
  readonly at: number;
}

/** The ledger as one would write it down: everybody is looked at every time. */
export class NaiveLedger {
  readonly waiting = new Set<TestWaiter>();
  readonly #held = new Map<Row, number>();
  readonly #takings = new Map<Row, Taking[]>();
  readonly #capacity = new Map<Row, number>();
  readonly #compare: (a: Waiter, b: Waiter) => number;
  paused = false;

  constructor(rows: readonly Row[], compare: (a: Waiter, b: Waiter) => number) {
    this.#compare = compare;
    for (const row of rows) this.#capacity.set(row, row.capacity);
  }

  setCapacity(row: Row, units: number): void {
    this.#capacity.set(row, units);
  }

  /** In units. */
  usedOf(row: Row, now: number): number {
    const { perMs } = row;
    if (perMs === undefined) return this.#held.get(row) ?? 0;
    const recent = (this.#takings.get(row) ?? []).filter((taking) => taking.at + perMs > now);
    return recent.reduce((sum, taking) => sum + taking.units, 0);
  }

  capacityOf(row: Row): number {
    return this.#capacity.get(row) as number;
  }

  fits({ group }: TestWaiter, now: number): boolean {
    return group.rows.every(
      (row, i) => this.usedOf(row, now) + (group.amounts[i] as number) <= this.capacityOf(row),
    );
  }

  /** Everybody who may be served now, best first, one after the other. */
  admit(now: number): readonly TestWaiter[] {
    const served: TestWaiter[] = [];
    for (;;) {
      const next = [...this.waiting]
        .filter((waiter) => !(this.paused && waiter.group.pausable) && this.fits(waiter, now))
        .sort(this.#compare)[0];
      if (next === undefined) return served;
      this.admitOne(next, now);
      served.push(next);
    }
  }

  /** Takes everything for somebody whom the other ledger has served. */
  admitOne(waiter: TestWaiter, now: number): void {
    this.waiting.delete(waiter);
    this.#take(waiter, now);
  }

  give({ group }: TestWaiter): void {
    group.rows.forEach((row, i) => {
      if (row.perMs !== undefined || row.kind === 'budget') return;
      this.#held.set(row, (this.#held.get(row) ?? 0) - (group.amounts[i] as number));
    });
  }

  #take({ group }: TestWaiter, now: number): void {
    group.rows.forEach((row, i) => {
      const units = group.amounts[i] as number;
      if (row.perMs === undefined) this.#held.set(row, (this.#held.get(row) ?? 0) + units);
      else this.#takings.set(row, [...(this.#takings.get(row) ?? []), { units, at: now }]);
    });
  }
}

/** Amounts of rows by their places. */
export function needsOf(rows: readonly Row[], amounts: readonly number[]): readonly Need[] {
  return rows.flatMap((row, i) => ((amounts[i] ?? 0) > 0 ? [{ row, amount: amounts[i] as number }] : []));
}
