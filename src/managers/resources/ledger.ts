/**
 * The one book of everything that there is only so much of: resources, locks, agent slots and rates,
 * concurrency limits. Whoever needs several of them gets all at once or none.
 *
 * Owns: the rows, the groups of waiters, and the order in which they are served. Who may call it: the task
 * scheduler, the resource manager and the concurrency controller, which share one ledger.
 *
 * L1  Nothing is taken while anything of it is lacking: who waits holds nothing.
 * L2  A waiter that cannot have its needs never holds back one that can.
 * L3  A release looks at the groups that wait for what was released, best first, and at no one else.
 * L4  What was taken for a waiter is given back exactly once, by `release`.
 * L5  The ledger calls nobody but the `grant` that `admit` was given; it takes the time as an argument.
 */
import type { FitNode } from '../../base/fit-tree.ts';
import { refuse } from '../../model/errors.ts';
import { ActiveGroups } from './active-groups.ts';
import { compareGroups, compareWaiters, NeedGroup, type Waiter } from './need-group.ts';
import { Row, type RowSpec } from './row.ts';
import { type TimedListener, TimedRows } from './timed-rows.ts';

/** An amount of one row, in what the host counts in. */
export interface Need {
  readonly row: Row;
  readonly amount: number;
}

/** A group of waiters of this ledger. */
export type Group = NeedGroup<Row>;

/** How many rows and groups one ledger can have. */
export const LEDGER_ROWS_MAX = 1_000_000;

export class Ledger {
  readonly #rows = new Map<string, Row>();
  readonly #groups = new Map<string, Group>();
  /** Groups that may be served, by their first members. */
  readonly #active = new ActiveGroups();
  /** Rows of which more may have become free. */
  readonly #touched: Row[] = [];
  /** Groups of tasks that would be active if tasks were not held back. */
  readonly #held: Group[] = [];
  readonly #timed = new TimedRows();
  #paused = false;
  #waiting = 0;

  /** How many wait. */
  get waiting(): number {
    return this.#waiting;
  }

  rows(): IterableIterator<Row> {
    return this.#rows.values();
  }

  row(key: string): Row | undefined {
    return this.#rows.get(key);
  }

  /** Tells somebody who has a clock when a row that somebody waits for gets something back by time; `undefined` when nobody waits any more. */
  onTimed(listener: TimedListener): void {
    this.#timed.onTimed(listener);
  }

  /**
   * Adds a row; of a key that is there already, returns the one that is.
   * @throws OrchestratorError `LIMIT_EXCEEDED`
   */
  declare(spec: RowSpec): Row {
    let row = this.#rows.get(spec.key);
    if (row === undefined) {
      if (this.#rows.size >= LEDGER_ROWS_MAX) {
        throw refuse('LIMIT_EXCEEDED', {
          at: spec.key,
          found: `${this.#rows.size} rows in the ledger`,
          allowed: `at most ${LEDGER_ROWS_MAX}`,
        });
      }
      row = new Row(spec);
      this.#rows.set(spec.key, row);
    }
    return row;
  }

  /**
   * The group of those with exactly these needs. Tasks and the host's own requests are never in one group, so
   * that tasks can be held back alone.
   *
   * @param at - names the place for errors
   */
  group(needs: readonly Need[], at: string, pausable = true): Group {
    const amounts = needs.map(({ row, amount }) => row.unitsOf(amount, at));
    const key = needs.map(({ row }, i) => `${row.key}=${amounts[i]}`).join('\n') + (pausable ? '' : '\nhost');
    let group = this.#groups.get(key);
    if (group === undefined) {
      group = new NeedGroup(
        key,
        needs.map(({ row }) => row),
        amounts,
        pausable,
      );
      this.#groups.set(key, group);
      for (const row of group.rows) row.groups++;
    }
    return group;
  }

  /** Forgets a group that nobody waits in and nobody will come back to. */
  dropGroup(group: Group): void {
    if (group.queue.size > 0 || group.holders > 0 || !this.#groups.delete(group.key)) return;
    // Names of locks come and go: the row of one goes with the last group that names it.
    for (const row of group.rows)
      if (--row.groups === 0 && row.kind === 'lock' && row.used === 0) this.#rows.delete(row.key);
  }

  /** Holds back the groups of tasks: whoever of them waits goes on waiting. */
  pause(): void {
    this.#paused = true;
  }

  /** Lets the groups of tasks be served again. */
  resume(): void {
    this.#paused = false;
    for (const group of this.#held.splice(0))
      if (!group.isPlaced && group.queue.peek() !== undefined) this.#activate(group);
  }

  /** Whether a task waits; `known` is a group in which one did when this was last asked. */
  taskGroup(known: Group | undefined): Group | undefined {
    if (this.#waiting === 0) return undefined;
    if (known !== undefined && known.queue.size > 0) return known;
    for (const group of this.#groups.values()) if (group.pausable && group.queue.size > 0) return group;
    return undefined;
  }

  /** Those who wait, in no order; for inspection. */
  *waiters(): IterableIterator<{ readonly waiter: Waiter; readonly group: Group }> {
    for (const group of this.#groups.values())
      for (const waiter of group.queue.values()) yield { waiter, group };
  }

  /** Lets somebody wait for the needs of a group. */
  enqueue(waiter: Waiter, group: Group): void {
    waiter.queued = true;
    this.#waiting++;
    const { queue } = group;
    const head = queue.peek();
    if (head === undefined) {
      queue.push(waiter);
      this.#activate(group);
    } else if (compareWaiters(waiter, head) < 0) {
      // The group moves forward with its new first member, wherever it stands.
      const place = this.#lift(group);
      queue.push(waiter);
      this.#drop(group, place);
    } else {
      queue.push(waiter);
    }
  }

  /** Takes somebody out who waits. */
  withdraw(waiter: Waiter, group: Group): void {
    if (!waiter.queued) return;
    this.#waiting--;
    const isHead = group.queue.peek() === waiter;
    const place = isHead ? this.#lift(group) : undefined;
    waiter.queued = false;
    group.queue.discard();
    if (isHead && group.queue.peek() !== undefined) this.#drop(group, place);
  }

  /** Gives back what was taken for somebody of this group. */
  release(group: Group): void {
    for (let i = 0; i < group.rows.length; i++) {
      const row = group.rows[i] as Row;
      row.give(group.amounts[i] as number);
      this.#touch(row);
    }
  }

  /** Undoes what was taken for somebody who has not begun after all. */
  untake(group: Group): void {
    for (let i = 0; i < group.rows.length; i++) {
      const row = group.rows[i] as Row;
      row.untake(group.amounts[i] as number);
      this.#touch(row);
    }
  }

  /** @param capacity - in what the host counts in */
  setCapacity(row: Row, capacity: number): void {
    row.setCapacity(capacity);
    this.#touch(row);
  }

  /** Gives nothing of a row until `resumeRow`; what was taken comes back as ever. */
  pauseRow(row: Row): void {
    row.pause();
  }

  resumeRow(row: Row): void {
    row.resume();
    this.#touch(row);
  }

  /** Takes back what has come back by time. */
  replenish(row: Row, now: number): void {
    row.replenish(now);
    this.#touch(row);
    this.#timed.watch(row);
  }

  /**
   * Serves waiters, best first, as long as somebody can have its needs. What has come back by time counts, whether or
   * not its timer has rung: else what ends in the same moment would go to somebody who comes later.
   *
   * @param now - gives monotonic milliseconds; asked only for rows that time refills
   * @param grant - told of each waiter for whom everything was taken; what it does may enqueue and release;
   *   `false` ends the round early
   */
  admit(now: () => number, grant: (waiter: Waiter, group: Group) => boolean): void {
    this.#timed.refill(now, this.#touchRow);
    for (let more = true; more; ) {
      this.#wake();
      const group = this.#active.first();
      if (group === undefined) return;
      this.#leave(group);
      if (this.#paused && group.pausable) this.#held.push(group);
      else more = this.#serve(group, now, grant);
    }
  }

  /** Serves members of a group until one lacks something or somebody else comes first. */
  #serve(group: Group, now: () => number, grant: (waiter: Waiter, group: Group) => boolean): boolean {
    for (;;) {
      const waiter = group.queue.peek();
      // A grant may have enqueued a member, and so put the group back among the active ones.
      if (waiter === undefined || group.isPlaced) return true;
      this.#wake();
      const rival = this.#active.first();
      if (rival !== undefined && compareGroups(rival, group) < 0) {
        this.#activate(group);
        return true;
      }
      // What has come back by time, before its timer rang, may be for somebody who comes first.
      if (group.isTimed && this.#refill(group, now())) continue;
      const lacking = group.blockedBy();
      if (lacking !== undefined) {
        this.#park(group, lacking);
        return true;
      }
      group.queue.pop();
      waiter.queued = false;
      this.#waiting--;
      for (let i = 0; i < group.rows.length; i++)
        takeFrom(group.rows[i] as Row, group.amounts[i] as number, now);
      if (grant(waiter, group)) continue;
      if (!group.isPlaced && group.queue.peek() !== undefined) this.#activate(group);
      return false;
    }
  }

  /** Takes back what has come back by time of what a group needs; returns whether that is anything. */
  #refill(group: Group, now: number): boolean {
    let isMore = false;
    for (const row of group.rows) {
      const before = row.used;
      row.replenish(now);
      if (row.used === before) continue;
      this.#touch(row);
      isMore = true;
    }
    return isMore;
  }

  #activate(group: Group): void {
    this.#active.add(group);
  }

  #park(group: Group, row: Row): void {
    group.parkedAt = row;
    group.isPlaced = true;
    group.node = row.waiting.insert(group, group.amountOf(row));
    this.#timed.watch(row);
  }

  /** Takes a group out of the tree that it stands in. */
  #leave(group: Group): void {
    if (!group.isPlaced) return;
    const row = group.parkedAt;
    if (row === undefined) this.#active.remove(group);
    else row.waiting.delete(group.node as FitNode<Group>);
    if (row !== undefined) this.#timed.forget(row);
    group.node = undefined;
    group.isPlaced = false;
    group.parkedAt = undefined;
    const woken = group.wokenBy;
    if (woken !== undefined) {
      woken.candidate = undefined;
      group.wokenBy = undefined;
      this.#touch(woken);
    }
  }

  /** Takes a group out while its first member changes; tells where it stood. */
  #lift(group: Group): Row | 'active' | undefined {
    if (!group.isPlaced) return undefined;
    const place = group.parkedAt ?? 'active';
    this.#leave(group);
    return place;
  }

  #drop(group: Group, place: Row | 'active' | undefined): void {
    if (place === 'active') this.#activate(group);
    else if (place !== undefined) this.#park(group, place);
  }

  readonly #touchRow = (row: Row): void => this.#touch(row);

  #touch(row: Row): void {
    if (row.waiting.size === 0 || row.listed) return;
    row.listed = true;
    this.#touched.push(row);
  }

  /** Makes the best group that fits into each touched row active, one at a time for each row. */
  #wake(): void {
    for (let i = this.#touched.length - 1; i >= 0; i--) {
      const row = this.#touched[i] as Row;
      // It is listed again when its candidate has been served, so that no round looks at rows with nothing new.
      this.#touched[i] = this.#touched[this.#touched.length - 1] as Row;
      this.#touched.pop();
      row.listed = false;
      if (row.candidate !== undefined) continue;
      const group = row.waiting.firstFitting(row.free);
      if (group === undefined) continue;
      this.#leave(group);
      row.candidate = group;
      group.wokenBy = row;
      this.#activate(group);
    }
  }
}

/** The time is asked for only where it counts. */
function takeFrom(row: Row, units: number, now: () => number): void {
  row.take(units, row.perMs === undefined ? 0 : now());
}
