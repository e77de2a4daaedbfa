/**
 * All those who wait with exactly the same needs. If the first of them cannot have its needs, none of them
 * can, so a group is looked at, woken and parked as one; that is why no release rescans the tasks that wait.
 *
 * Owns: the queue of its members. Who may call it: the ledger.
 *
 * G1  Members leave in the order of rank, then of submission.
 * G2  A group is in at most one place: among the active ones, parked at the one row that its first member
 *     lacks, or, when it is empty or being served, nowhere.
 */
import type { FitNode } from '../../base/fit-tree.ts';
import { OrderedQueue } from '../../base/ordered-queue.ts';

/** What a group needs to know of a row. */
export interface Countable {
  /** In units. */
  readonly used: number;
  /** In units. */
  readonly capacity: number;
  /** Whether time gives back what was taken, and after how long. */
  readonly perMs: number | undefined;
}

/** An order of the host's own. It must not throw. */
export type WaiterComparator = (a: Waiter, b: Waiter) => number;

/** Somebody who waits for all the needs of its group. */
export interface Waiter {
  /** Higher goes first. */
  readonly rank: number;
  /** Higher goes first among equal ranks. */
  readonly subRank: number;
  /** Lower goes first among equals: the order of submission; no two waiters have the same. */
  readonly order: number;
  /** Asked before the ranks, among waiters that have the same one; those that have none go first. */
  readonly by: WaiterComparator | undefined;
  /** False when it no longer waits. */
  queued: boolean;
}

/** The order in which waiters are served. */
export function compareWaiters(a: Waiter, b: Waiter): number {
  if (a.by !== b.by) return a.by === undefined ? -1 : 1;
  if (a.by !== undefined) {
    const answer = a.by(a, b);
    if (answer !== 0) return answer;
  }
  return b.rank - a.rank || b.subRank - a.subRank || a.order - b.order;
}

function isQueued(waiter: Waiter): boolean {
  return waiter.queued;
}

export class NeedGroup<R extends Countable = Countable> {
  readonly key: string;
  readonly rows: readonly R[];
  /** In units, at the same places as `rows`. */
  readonly amounts: readonly number[];
  /** Whether its members are tasks, which can be held back. */
  readonly pausable: boolean;
  /** Whether time gives back some of what it needs. */
  readonly isTimed: boolean;
  readonly queue = new OrderedQueue<Waiter>(compareWaiters, isQueued);
  /** The row at which the group is parked. */
  parkedAt: R | undefined;
  /** The row whose release made it active, until it is served. */
  wokenBy: R | undefined;
  /** Whether it stands among the active ones or is parked. */
  isPlaced = false;
  /** Its place in the tree of active groups or of the row. */
  node: FitNode<NeedGroup<R>> | undefined;
  /** How many plans and waiters refer to it; a group that nobody refers to is forgotten. */
  holders = 0;

  constructor(key: string, rows: readonly R[], amounts: readonly number[], pausable: boolean) {
    this.key = key;
    this.rows = rows;
    this.amounts = amounts;
    this.pausable = pausable;
    this.isTimed = rows.some((row) => row.perMs !== undefined);
  }

  /** The first row that does not have enough; `undefined` when all have. */
  blockedBy(): R | undefined {
    for (let i = 0; i < this.rows.length; i++) {
      const row = this.rows[i] as R;
      if (row.used + (this.amounts[i] as number) > row.capacity) return row;
    }
    return undefined;
  }

  amountOf(row: R): number {
    return this.amounts[this.rows.indexOf(row)] as number;
  }
}

/** Orders groups by their first members; only groups that have one are compared. */
export function compareGroups(
  a: { readonly queue: OrderedQueue<Waiter> },
  b: { readonly queue: OrderedQueue<Waiter> },
): number {
  return compareWaiters(a.queue.peek() as Waiter, b.queue.peek() as Waiter);
}
