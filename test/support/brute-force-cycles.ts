/**
 * Who waits for whom, worked out anew from what `locks()` shows and nothing else, and searched by reachability: the
 * other way to find what `detectDeadlocks` has to find.
 */
import type { LockState } from '@taskmaster-ai/orchestrator';

type Holder = LockState['holders'][number];
type Waiter = LockState['waiters'][number];

/** One who holds or waits, as seen from outside. */
export interface Actor {
  /** The name that a report gives it. */
  readonly name: string;
  readonly attempt: number | undefined;
  readonly holds: Set<string>;
  readonly wants: Set<string>;
}

/** The actors, and for each the places of those whose locks it needs. */
export interface WaitFor {
  readonly actors: readonly Actor[];
  readonly edges: readonly ReadonlySet<number>[];
}

/** Requests of one owner, and of one attempt, are one actor; what has no owner is one by itself. */
function identify(
  ref: Holder['holder'],
  owner: string | undefined,
): [key: string, name: string, attempt?: number] {
  if (ref.kind === 'task')
    return [`${ref.runId}/${ref.path}#${ref.attempt}`, `${ref.runId}/${ref.path}`, ref.attempt];
  if (ref.owner !== undefined) {
    const { runId, path, attempt } = ref.owner;
    return [`${runId}/${path}#${attempt}`, `${runId}/${path}`, attempt];
  }
  return owner === undefined ? [ref.claimId, ref.claimId] : [`owner ${owner}`, owner];
}

/** The names of locks that somebody holds exclusively while somebody else holds them too. */
export function sharedExclusives(locks: readonly LockState[]): readonly string[] {
  return locks
    .filter(({ holders }) => {
      const who = new Set(holders.map(({ holder, owner }) => identify(holder, owner)[0]));
      return who.size > 1 && holders.some(({ mode }) => mode === 'exclusive');
    })
    .map(({ name }) => name);
}

export function waitForOf(locks: readonly LockState[]): WaitFor {
  const actors: Actor[] = [];
  const edges: Set<number>[] = [];
  const places = new Map<string, number>();
  const placeOf = (ref: Holder['holder'], owner: string | undefined): number => {
    const [key, name, attempt] = identify(ref, owner);
    let place = places.get(key);
    if (place === undefined) {
      place = actors.push({ name, attempt, holds: new Set(), wants: new Set() }) - 1;
      edges.push(new Set());
      places.set(key, place);
    }
    return place;
  };
  for (const { name, holders, waiters } of locks) {
    const held = holders.map(({ holder, owner, mode }: Holder) => ({ place: placeOf(holder, owner), mode }));
    for (const { place } of held) actors[place]?.holds.add(name);
    for (const { waiter, owner, mode } of waiters as readonly Waiter[]) {
      const place = placeOf(waiter, owner);
      actors[place]?.wants.add(name);
      for (const other of held)
        if (other.place !== place && (mode === 'exclusive' || other.mode === 'exclusive'))
          edges[place]?.add(other.place);
    }
  }
  return { actors, edges };
}

/**
 * Sets of actors each of whom waits, directly or not, for every other one: those who wait for nobody who waits are taken
 * out until none is left; of the rest, who can reach whom is closed under one step more until nothing changes.
 */
export function stuckSets({ edges }: WaitFor): readonly (readonly number[])[] {
  let left = new Set(edges.keys());
  for (let before = -1; before !== left.size; ) {
    before = left.size;
    left = new Set([...left].filter((place) => [...(edges[place] ?? [])].some((next) => left.has(next))));
  }
  if (left.size === 0) return [];
  const reach = new Map(
    [...left].map((place) => [place, new Set([...(edges[place] ?? [])].filter((to) => left.has(to)))]),
  );
  for (let grown = true; grown; ) {
    grown = false;
    for (const seen of reach.values())
      for (const middle of [...seen])
        for (const far of reach.get(middle) ?? [])
          if (!seen.has(far)) {
            seen.add(far);
            grown = true;
          }
  }
  const sets: number[][] = [];
  const placed = new Set<number>();
  for (const [place, seen] of reach) {
    if (placed.has(place) || !seen.has(place)) continue;
    const set = [...seen].filter((other) => reach.get(other)?.has(place) === true);
    for (const one of set) placed.add(one);
    sets.push(set);
  }
  return sets;
}

/** The fewest steps from one of a set back to itself. */
export function shortestWayRound({ edges }: WaitFor, set: readonly number[]): number {
  let best = Number.POSITIVE_INFINITY;
  for (const start of set) {
    let front = new Set([start]);
    for (let steps = 1; steps <= set.length; steps++) {
      front = new Set([...front].flatMap((place) => [...(edges[place] ?? [])]));
      if (!front.has(start)) continue;
      best = Math.min(best, steps);
      break;
    }
  }
  return best;
}
