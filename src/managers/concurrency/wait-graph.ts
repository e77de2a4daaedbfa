/**
 * Who waits for whom: the holders and waiters of locks that hold something while they wait for more. Tasks that
 * wait for their own needs hold nothing, so they are in no cycle and not in this graph.
 *
 * Owns: the parties, what each holds and waits for. Who may call it: the lock desk.
 *
 * WG1  A party is in the graph exactly as long as it holds a lock or waits for one.
 * WG2  An edge leads from a waiter to every other party that holds some of a lock of which too little is left for
 *      it. All of them have to give it back before the waiter goes on, so every cycle is a deadlock (Coffman,
 *      Elphick and Shoshani, System Deadlocks, 1971).
 * WG3  Edges are read off what is held now: none is ever out of date.
 */
import type { OrchestratorError } from '../../model/errors.ts';
import type { Group } from '../resources/ledger.ts';
import type { Row } from '../resources/row.ts';

/** A party that can hold locks while it waits for others: an attempt of a task, or an owner that the host named. */
export class Party {
  /** For messages and drawings. */
  readonly name: string;
  /** The attempt; `undefined` for an owner that the host named. */
  readonly task: { readonly runId: string; readonly path: string; readonly attempt: number } | undefined;
  /** Greater is younger. */
  readonly order: number;
  /** Units of each row. */
  readonly holds = new Map<Row, number>();
  readonly waits = new Set<PartyWait>();
  /** Ends what it still holds and waits for. */
  readonly grants = new Set<{ revoke(): void }>();
  /** Ends the attempt, so that what its task needed is given back too; `undefined` for an owner that the host named. */
  readonly fail: ((error: OrchestratorError) => void) | undefined;
  readonly #priority: () => number;

  constructor(
    name: string,
    order: number,
    priority: () => number,
    attempt?: { readonly task: NonNullable<Party['task']>; readonly fail: NonNullable<Party['fail']> },
  ) {
    this.name = name;
    this.order = order;
    this.task = attempt?.task;
    this.fail = attempt?.fail;
    this.#priority = priority;
  }

  /** The higher, the later it is made a victim. */
  get priority(): number {
    return this.#priority();
  }
}

/** One wait of a party. */
export interface PartyWait {
  readonly party: Party;
  readonly group: Group;
  /** Makes it give up. */
  readonly leave: (error: unknown) => void;
}

export class WaitGraph {
  readonly #parties = new Set<Party>();
  readonly #holders = new Map<Row, Set<Party>>();

  /** Parties that wait, oldest first. */
  waiting(): Party[] {
    return [...this.#parties].filter((party) => party.waits.size > 0);
  }

  /** How many parties it knows. */
  get size(): number {
    return this.#parties.size;
  }

  hold(party: Party, row: Row, units: number): void {
    this.#parties.add(party);
    party.holds.set(row, (party.holds.get(row) ?? 0) + units);
    const holders = this.#holders.get(row);
    if (holders === undefined) this.#holders.set(row, new Set([party]));
    else holders.add(party);
  }

  giveBack(party: Party, row: Row, units: number): void {
    const left = (party.holds.get(row) ?? 0) - units;
    if (left > 0) {
      party.holds.set(row, left);
      return;
    }
    party.holds.delete(row);
    const holders = this.#holders.get(row);
    holders?.delete(party);
    if (holders?.size === 0) this.#holders.delete(row);
    this.#forget(party);
  }

  wait(wait: PartyWait): void {
    this.#parties.add(wait.party);
    wait.party.waits.add(wait);
  }

  unwait(wait: PartyWait): void {
    wait.party.waits.delete(wait);
    this.#forget(wait.party);
  }

  /** The parties for which a party waits. */
  blockers(party: Party): ReadonlySet<Party> {
    const found = new Set<Party>();
    for (const { group } of party.waits)
      group.rows.forEach((row, i) => {
        if (row.used + (group.amounts[i] as number) <= row.capacity) return;
        for (const holder of this.#holders.get(row) ?? []) if (holder !== party) found.add(holder);
      });
    return found;
  }

  /** Whether each of these still waits for the next one, and the last for the first. */
  isCycle(parties: readonly Party[]): boolean {
    return parties.every((party, i) => this.blockers(party).has(parties[(i + 1) % parties.length] as Party));
  }

  /** Whether a party waits for itself, by way of others. */
  isInCycle(party: Party): boolean {
    const seen = new Set<Party>();
    const open = [...this.blockers(party)];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      if (next === party) return true;
      if (seen.has(next)) continue;
      seen.add(next);
      if (next.waits.size > 0) open.push(...this.blockers(next));
    }
    return false;
  }

  #forget(party: Party): void {
    if (party.holds.size === 0 && party.waits.size === 0) this.#parties.delete(party);
  }
}
