/**
 * Streams in the order in which they began, and by their status: a page costs as much as is looked through for it, and
 * whoever looks for the few that are unfinished passes over none of those that are.
 */
import { OrderedList, type OrderedWalk } from './ordered-list.ts';
import { RemovedPlaces } from './removed-places.ts';
import { type Asked, type Facts, isAskedFor } from './stream-filter.ts';

/** What is listed. */
export interface Listed<Found extends Facts> {
  readonly name: string;
  /** Grows with each stream that begins; set before it is added. */
  readonly order: number;
  facts: Found | undefined;
}

/** What a search has found. */
export interface Looked<Found> {
  readonly found: readonly Found[];
  /** The place up to which it has looked: infinite when there is nothing behind. */
  readonly reached: number;
}

export class StreamList<Found extends Facts, Entry extends Listed<Found>> {
  #all = new OrderedList<Entry>();
  #byStatus = new Map<string, OrderedList<Entry>>();
  readonly #removed = new RemovedPlaces();

  add(entry: Entry): void {
    this.#all.add(entry);
  }

  remove(entry: Entry): void {
    this.#leaveStatus(entry);
    if (this.#all.delete(entry)) this.#removed.add(entry.name, entry.order);
  }

  /** Takes all out; they are not removed, but kept somewhere else. */
  empty(): void {
    this.#all = new OrderedList();
    this.#byStatus = new Map();
  }

  setFacts(entry: Entry, facts: Found): void {
    if (entry.facts?.status !== facts.status) {
      this.#leaveStatus(entry);
      let same = this.#byStatus.get(facts.status);
      if (same === undefined) {
        same = new OrderedList<Entry>();
        this.#byStatus.set(facts.status, same);
      }
      same.add(entry);
    }
    entry.facts = facts;
  }

  /** Where a stream stood that was removed; nothing if that was too long ago. */
  removedPlace(name: string): number | undefined {
    return this.#removed.find(name);
  }

  /**
   * Those that are asked for, in order, at most so many.
   * @param behind - the place behind which they are looked for; 0 for all
   * @param looksMax - how many are looked at, fitting or not
   */
  find(
    asked: Asked & { readonly limit: number },
    behind: number,
    looksMax = Number.POSITIVE_INFINITY,
  ): Looked<Entry> {
    const { limit, statuses } = asked;
    const lists = statuses === undefined ? [this.#all] : this.#ofStatuses(statuses);
    const walks = lists.map((list) => list.behind(behind));
    const found: Entry[] = [];
    let reached = behind;
    for (let looks = 0; found.length < limit && looks < looksMax; looks++) {
      const walk = firstOf(walks);
      const entry = walk?.current;
      if (entry === undefined) return { found, reached: Number.POSITIVE_INFINITY };
      if (isAskedFor(entry.name, entry.facts, asked)) found.push(entry);
      reached = entry.order;
      walk?.next();
    }
    return { found, reached };
  }

  #leaveStatus(entry: Entry): void {
    if (entry.facts === undefined) return;
    const same = this.#byStatus.get(entry.facts.status);
    same?.delete(entry);
    if (same?.isEmpty) this.#byStatus.delete(entry.facts.status);
  }

  #ofStatuses(statuses: readonly string[]): readonly OrderedList<Entry>[] {
    return [...new Set(statuses)].flatMap((status) => this.#byStatus.get(status) ?? []);
  }
}

/** The walk whose current one comes first; there are as many as statuses are asked for. */
function firstOf<Entry extends { readonly order: number }>(
  walks: readonly OrderedWalk<Entry>[],
): OrderedWalk<Entry> | undefined {
  let first: OrderedWalk<Entry> | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const walk of walks) {
    const order = walk.current?.order ?? Number.POSITIVE_INFINITY;
    if (order >= least) continue;
    first = walk;
    least = order;
  }
  return first;
}
