/**
 * Shared locks that their holders ask for exclusively.
 *
 * Owns: which rows each party upgrades or has upgraded, and how each upgrade is ended. Who may call it: the lock desk.
 *
 * UG1  An upgrade takes what is lacking beside the shared lock under it, so alone it is not exclusive: there is none
 *      whose shared lock is not taken. A shared lock that is released stays taken until its upgrade is over; one that is
 *      taken back takes its upgrade with it, whether that waits or is held.
 */
import type { Row } from '../resources/row.ts';
import type { Party } from './wait-graph.ts';

/** Ends an upgrade: its wait rejects with what is given, or what was granted for it is taken back. */
export type EndUpgrade = (error: unknown) => void;

export class Upgrades {
  readonly #ends = new Map<Party, Map<Row, EndUpgrade>>();

  has(party: Party, row: Row): boolean {
    return this.#ends.get(party)?.has(row) === true;
  }

  /** Notes rows that a party upgrades, or how they are ended from now on. */
  note(party: Party, rows: readonly Row[], end: EndUpgrade): void {
    if (rows.length === 0) return;
    let ends = this.#ends.get(party);
    if (ends === undefined) {
      ends = new Map();
      this.#ends.set(party, ends);
    }
    for (const row of rows) ends.set(row, end);
  }

  /** Forgets upgrades that are over. */
  drop(party: Party, rows: Iterable<Row>): void {
    const ends = this.#ends.get(party);
    if (ends === undefined) return;
    for (const row of rows) ends.delete(row);
    if (ends.size === 0) this.#ends.delete(party);
  }

  /** Ends the upgrades of rows whose shared locks were taken back. */
  lose(party: Party, rows: readonly Row[], error: () => unknown): void {
    for (const row of rows) this.#ends.get(party)?.get(row)?.(error());
  }

  /** Forgets a party that is over. */
  forget(party: Party): void {
    this.#ends.delete(party);
  }
}
