/**
 * Streams in the order in which they began, and by their status: whoever looks for the few that are unfinished passes
 * over none of those that are.
 */
import type { ListRequest, StreamFacts } from '../../ports/event-store.ts';

/** What is listed. */
export interface Listed {
  readonly name: string;
  readonly order: number;
  facts: StreamFacts | undefined;
  readonly isGone: boolean;
}

export class StreamList<Entry extends Listed> {
  /** By `order`; those that are gone are taken out when they are the half of it. */
  #inOrder: Entry[] = [];
  #isSorted = true;
  #gone = 0;
  readonly #byStatus = new Map<string, Set<Entry>>();

  add(entry: Entry): void {
    const last = this.#inOrder[this.#inOrder.length - 1];
    if (last !== undefined && last.order > entry.order) this.#isSorted = false;
    this.#inOrder.push(entry);
  }

  /** Of one whose `isGone` is set. */
  remove(entry: Entry): void {
    this.#leaveStatus(entry);
    this.#gone++;
    if (this.#gone * 2 <= this.#inOrder.length) return;
    this.#inOrder = this.#inOrder.filter(({ isGone }) => !isGone);
    this.#gone = 0;
  }

  setFacts(entry: Entry, facts: StreamFacts): void {
    if (entry.facts?.status !== facts.status) {
      this.#leaveStatus(entry);
      const same = this.#byStatus.get(facts.status) ?? new Set<Entry>();
      same.add(entry);
      this.#byStatus.set(facts.status, same);
    }
    entry.facts = facts;
  }

  /** Those that a request asks for, in order, at most its `limit`. */
  find(request: ListRequest, after: { readonly order: number } | undefined): readonly Entry[] {
    const found: Entry[] = [];
    const { limit, statuses } = request;
    const candidates = statuses === undefined ? this.#sorted() : this.#ofStatuses(statuses);
    const from = after === undefined ? 0 : firstBehind(candidates, after.order);
    for (let i = from; i < candidates.length && found.length < limit; i++) {
      const entry = candidates[i] as Entry;
      if (!entry.isGone && isAskedFor(entry, request)) found.push(entry);
    }
    return found;
  }

  #leaveStatus(entry: Entry): void {
    if (entry.facts === undefined) return;
    const same = this.#byStatus.get(entry.facts.status);
    same?.delete(entry);
    if (same?.size === 0) this.#byStatus.delete(entry.facts.status);
  }

  #sorted(): readonly Entry[] {
    if (!this.#isSorted) this.#inOrder.sort(byOrder);
    this.#isSorted = true;
    return this.#inOrder;
  }

  #ofStatuses(statuses: readonly string[]): readonly Entry[] {
    const found: Entry[] = [];
    for (const status of new Set(statuses))
      for (const entry of this.#byStatus.get(status) ?? []) found.push(entry);
    return found.sort(byOrder);
  }
}

function byOrder(a: Listed, b: Listed): number {
  return a.order - b.order;
}

function firstBehind(entries: readonly Listed[], order: number): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((entries[middle] as Listed).order <= order) low = middle + 1;
    else high = middle;
  }
  return low;
}

function isAskedFor({ name, facts }: Listed, request: ListRequest): boolean {
  const { prefix, workflowId, startedFrom, startedBefore, attributes } = request;
  if (!name.startsWith(prefix)) return false;
  if (workflowId !== undefined && facts?.workflowId !== workflowId) return false;
  if (startedFrom !== undefined && !(facts !== undefined && facts.startedAt >= startedFrom)) return false;
  if (startedBefore !== undefined && !(facts !== undefined && facts.startedAt < startedBefore)) return false;
  if (attributes === undefined) return true;
  // One that is asked for as undefined is not asked for.
  return Object.entries(attributes).every(([key, value]) => {
    if (value === undefined) return true;
    const has = facts?.attributes;
    return has !== undefined && Object.hasOwn(has, key) && has[key] === value;
  });
}
