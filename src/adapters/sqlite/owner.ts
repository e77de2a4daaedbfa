/**
 * Who may write: one row, which every write checks inside its own transaction.
 *
 * Owns: the row `owner` and the claim that this store has. Who may call it: the engine.
 *
 * OW1  Epochs only grow. Who takes the store over gets a greater one, and from then on the one before is refused, whatever
 *      its process still believes.
 * OW2  An owner whose process is known to be gone is replaced at once; one of whom nothing is heard, after its lease.
 * OW3  A clock that is wrong costs time and nothing else: whoever sees no sign of life for a whole lease, by a clock that
 *      only counts, takes over too.
 */
import { OrchestratorError } from '../../model/errors.ts';
import { isKnownDead, type ProcessMark, thisProcess } from '../this-process.ts';
import { type Statements, toNumber } from './database.ts';
import { fenced } from './sqlite-errors.ts';

/** What a store says of the process that it is in. */
export interface Claimant extends ProcessMark {
  /** Of the store itself: two in one process are two. */
  readonly instance: string;
}

interface OwnerRow {
  readonly epoch: number | bigint;
  readonly owner: string | null;
  readonly instance: string | null;
  readonly pid: number | bigint | null;
  readonly started: string | null;
  readonly host: string | null;
  readonly machine: string | null;
  readonly lease_until: number | null;
  readonly beat: number | bigint;
}

/** A sign of life that was seen, and when, by a clock that only counts. */
interface Seen {
  readonly beat: number;
  readonly at: number;
}

/** What a store says of itself. */
export function claimantOf(instance: string): Claimant {
  return { instance, ...thisProcess() };
}

export class Ownership {
  readonly #db: Statements;
  readonly #me: Claimant;
  readonly #leaseMs: number;
  #claim: { readonly owner: string; readonly epoch: number } | undefined;
  #seen: Seen | undefined;

  constructor(db: Statements, me: Claimant, leaseMs: number) {
    this.#db = db;
    this.#me = me;
    this.#leaseMs = leaseMs;
  }

  get isClaimed(): boolean {
    return this.#claim !== undefined;
  }

  /** @throws OrchestratorError `STORE_OWNED` */
  claim(owner: string): number {
    const { instance, pid, started, host, machine } = this.#me;
    const epoch = this.#db.transaction(() => {
      const row = this.#row();
      if (row.owner !== null && !this.#isOver(row, owner)) throw owned(row);
      const next = toNumber(row.epoch) + 1;
      this.#db.run(
        `UPDATE owner SET epoch = ?, owner = ?, instance = ?, pid = ?, started = ?, host = ?, machine = ?,
          lease_until = ?, beat = beat + 1 WHERE id = 1`,
        ...[next, owner, instance, pid, started, host, machine, Date.now() + this.#leaseMs],
      );
      return next;
    });
    this.#claim = { owner, epoch };
    return epoch;
  }

  /** Says that this owner lives. One that was replaced says nothing. */
  renew(): void {
    if (this.#claim === undefined) return;
    this.#db.run(
      'UPDATE owner SET lease_until = ?, beat = beat + 1 WHERE id = 1 AND epoch = ? AND owner IS NOT NULL',
      Date.now() + this.#leaseMs,
      this.#claim.epoch,
    );
  }

  /** Gives back the claim of that owner, also one whose thread has died since. Nothing if it has none any more. */
  release(owner: string): void {
    this.#db.run(
      'UPDATE owner SET owner = NULL, lease_until = NULL WHERE id = 1 AND owner = ? AND instance = ?',
      ...[owner, this.#me.instance],
    );
    if (this.#claim?.owner === owner) this.#claim = undefined;
  }

  /**
   * Inside a transaction that writes: whether the writer is still the owner.
   * @throws OrchestratorError `STORE_FENCED`
   */
  checkEpoch(epoch: number, stream: string): void {
    const row = this.#row();
    const current = toNumber(row.epoch);
    if (epoch !== current) throw fenced(`epoch ${epoch} is over, the current one is ${current}`, stream);
    if (row.owner === null) throw fenced(`epoch ${epoch} was given back`, stream);
  }

  /**
   * Inside a transaction that forgets something: whether nobody else is the owner.
   * @param given - the epoch of whoever asks for it, if he says one
   * @throws OrchestratorError `STORE_FENCED`, `STORE_OWNED`
   */
  checkForget(given: number | undefined, stream: string): void {
    const epoch = given ?? this.#claim?.epoch;
    if (epoch !== undefined) {
      this.checkEpoch(epoch, stream);
      return;
    }
    const row = this.#row();
    if (row.owner !== null && !this.#isOver(row, undefined)) throw owned(row);
  }

  #row(): OwnerRow {
    return this.#db.get<OwnerRow>('SELECT * FROM owner WHERE id = 1') as OwnerRow;
  }

  #isOver(row: OwnerRow, owner: string | undefined): boolean {
    if (row.instance === this.#me.instance && row.owner === owner) return true;
    const { pid, started, host, machine } = row;
    if (isKnownDead({ pid: toNumber(pid), started: started ?? '', host: host ?? '', machine: machine ?? '' }))
      return true;
    if ((row.lease_until ?? 0) < Date.now()) return true;
    return this.#isSilent(toNumber(row.beat));
  }

  #isSilent(beat: number): boolean {
    const now = performance.now();
    if (this.#seen?.beat !== beat) this.#seen = { beat, at: now };
    return now - this.#seen.at > this.#leaseMs;
  }
}

function owned(row: OwnerRow): OrchestratorError {
  const pid = toNumber(row.pid);
  const leaseUntil = row.lease_until ?? 0;
  return new OrchestratorError(
    'STORE_OWNED',
    `the store is in use by ${row.owner}, process ${pid} on ${row.host}; close that orchestrator first, or end its process. Its lease lasts until ${isoTime(leaseUntil)} if it is not renewed`,
    { details: { owner: row.owner, pid, host: row.host, leaseUntil } },
  );
}

function isoTime(at: number): string {
  const time = new Date(at);
  return Number.isNaN(time.getTime()) ? String(at) : time.toISOString();
}
