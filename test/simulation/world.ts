/**
 * Time, order and chance of a simulation: everything that happens later is an entry here, and of entries that are due at
 * the same time chance says which comes first.
 *
 * Owns: the time, the entries, the trace. Who may call it: everything in the simulation.
 *
 * WO1  Between two entries all promises that can settle have; now and then the event loop turns as well.
 * WO2  Nothing of a process that is dead is called any more; what is meant for one that stands still waits.
 * WO3  The same scenario gives the same trace.
 */
import { Chance } from './chance.ts';
import type { Row } from './rows.ts';

/** Who an entry is for, if it can die. */
export interface Mortal {
  readonly isAlive: boolean;
  readonly isPaused: boolean;
}

interface Entry {
  readonly at: number;
  readonly rank: number;
  readonly serial: number;
  readonly owner: Mortal | undefined;
  callback: (() => void) | undefined;
}

/** Turns without an entry after which nothing is left to come: who gives its turn away comes back in the next ones. */
const IDLE_TURNS = 10;
/** Turns that can be given away in a row before time passes all the same. */
const TURNS_MAX = 1_000;

export class World {
  readonly chance: Chance;
  readonly rows: Row[] = [];
  now = 0;
  /** How many wait for the event loop to turn. */
  turnsAsked = 0;
  #serial = 0;
  #entries = 0;
  readonly #heap: Entry[] = [];
  #deferred: Entry[] = [];

  constructor(seed: number) {
    this.chance = new Chance(seed);
  }

  /** Writes a row down. */
  note(row: Row): void {
    this.rows.push(row);
  }

  /** Calls back after so many milliseconds, unless the owner is dead by then. @returns how to stop it */
  after(delay: number, callback: () => void, owner?: Mortal): () => void {
    const entry: Entry = {
      at: this.now + Math.max(0, delay),
      rank: this.chance.next(),
      serial: this.#serial++,
      owner,
      callback,
    };
    this.#push(entry);
    return () => {
      entry.callback = undefined;
    };
  }

  /** What was meant for somebody who stood still comes now. */
  wakeUp(owner: Mortal): void {
    const waiting = this.#deferred.filter((entry) => entry.owner === owner);
    this.#deferred = this.#deferred.filter((entry) => entry.owner !== owner);
    for (const entry of waiting) this.#push({ ...entry, at: this.now, rank: this.chance.next() });
  }

  /** Lets time pass until something is true, or until then, or until nothing is left to come. */
  async run(until: number, isDone: () => boolean = () => false): Promise<void> {
    for (let idle = 0; idle < IDLE_TURNS; ) {
      await untilSettled();
      // Whoever has given its turn away comes back before time passes.
      if (idle > 0 || this.turnsAsked > 0 || ++this.#entries % ENTRIES_PER_TURN === 0) await turn();
      // Also when it has given it away again; but not for ever.
      for (let turns = 0; this.turnsAsked > 0 && turns < TURNS_MAX; turns++) await turn();
      if (isDone()) return;
      const next = this.#pop(until);
      if (next === undefined) {
        idle++;
        continue;
      }
      idle = 0;
      this.now = Math.max(this.now, next.at);
      const { owner, callback } = next;
      if (callback === undefined || owner?.isAlive === false) continue;
      if (owner?.isPaused === true) this.#deferred.push(next);
      else callback();
    }
    this.now = Math.max(this.now, until);
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(entry);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(entry, heap[parent] as Entry)) break;
      heap[at] = heap[parent] as Entry;
      at = parent;
    }
    heap[at] = entry;
  }

  /** The next entry that is due by then; those that were stopped are dropped on the way. */
  #pop(until: number): Entry | undefined {
    const heap = this.#heap;
    for (;;) {
      const first = heap[0];
      if (first === undefined || (first.callback !== undefined && first.at > until)) return undefined;
      const last = heap.pop() as Entry;
      if (heap.length > 0) this.#sink(last);
      if (first.callback !== undefined) return first;
    }
  }

  #sink(entry: Entry): void {
    const heap = this.#heap;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Entry, heap[child] as Entry)) child++;
      if (!isBefore(heap[child] as Entry, entry)) break;
      heap[at] = heap[child] as Entry;
      at = child;
    }
    heap[at] = entry;
  }
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.at < b.at || (a.at === b.at && (a.rank < b.rank || (a.rank === b.rank && a.serial < b.serial)));
}

/** Every so many entries the event loop turns, whether somebody has asked for that or not. */
const ENTRIES_PER_TURN = 8;

/** Resolves when every promise that can settle has: ticks come after all microtasks. */
function untilSettled(): Promise<void> {
  return new Promise((resolve) => {
    process.nextTick(resolve);
  });
}

const atNextTurn = setImmediate;

/** One turn of the event loop. */
function turn(): Promise<void> {
  return new Promise((resolve) => {
    atNextTurn(resolve);
  });
}
