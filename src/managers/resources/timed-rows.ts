/**
 * The rows that time refills and somebody waits for.
 *
 * Owns: which rows these are, and when the first of them gets something back. Who may call it: the ledger.
 *
 * TR1  A row is in it exactly while somebody is parked at it and time will give something back.
 * TR2  `due` costs nothing before the soonest of these times.
 */
import type { Row } from './row.ts';

/** Told when a row gets something back by time; `undefined` when nobody waits for it any more. */
export type TimedListener = (row: Row, dueAt: number | undefined) => void;

export class TimedRows {
  readonly #dueAt = new Map<Row, number>();
  /** Never later than the first of these times. */
  #soonest = Number.POSITIVE_INFINITY;
  #listener: TimedListener | undefined;

  onTimed(listener: TimedListener): void {
    this.#listener = listener;
  }

  /** Follows a row that somebody may be parked at. */
  watch(row: Row): void {
    if (row.perMs === undefined || row.waiting.size === 0) return;
    const dueAt = row.nextReturnAt();
    if (dueAt === undefined) {
      this.#dueAt.delete(row);
      return;
    }
    this.#dueAt.set(row, dueAt);
    if (dueAt < this.#soonest) this.#soonest = dueAt;
    this.#listener?.(row, dueAt);
  }

  /** With nobody left to wait for it, the time of a row matters to no one. */
  forget(row: Row): void {
    if (row.perMs === undefined || row.waiting.size > 0) return;
    this.#dueAt.delete(row);
    this.#listener?.(row, undefined);
  }

  /** Refills the rows whose time has come, and tells of each. */
  refill(now: () => number, refilled: (row: Row) => void): void {
    if (this.#soonest === Number.POSITIVE_INFINITY) return;
    const at = now();
    if (at < this.#soonest) return;
    this.#soonest = Number.POSITIVE_INFINITY;
    for (const [row, dueAt] of [...this.#dueAt]) {
      if (dueAt <= at) {
        row.replenish(at);
        this.watch(row);
        refilled(row);
      } else if (dueAt < this.#soonest) this.#soonest = dueAt;
    }
  }
}
