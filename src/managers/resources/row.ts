/**
 * One line of the ledger: something that there is only so much of.
 *
 * Owns: capacity, what is used of it, and who waits for it first. Who may call it: the ledger.
 *
 * W1  Amounts are integers inside: `scale` units make one of what the host counts in, so that ten times 0.1 is 1.
 * W2  0 <= used; used <= capacity except after the capacity was cut, and then nothing more is taken.
 * W3  What is taken of a renewable row comes back when it is given; of a replenishing one, `perMs` after it was
 *     taken, so that no span of that length ever sees more than the capacity; of a budget, never.
 * W4  Capacity 0 is a pause: what is asked for meanwhile waits, and is judged by what there was before.
 */
import { FitTree } from '../../base/fit-tree.ts';
import { describeValue } from '../../base/values.ts';
import { refuse } from '../../model/errors.ts';
import type { WaitReason } from '../../model/status.ts';
import { compareGroups, type NeedGroup } from './need-group.ts';

/** What a row is about, in the words in which a wait is explained. */
export type RowKind = Extract<WaitReason, 'concurrency' | 'agent' | 'rate' | 'resource' | 'budget' | 'lock'>;

/** How a row is declared. */
export interface RowSpec {
  /** Unique in the ledger, such as `resource:cpu`. */
  readonly key: string;
  /** What people call it, such as `cpu`. */
  readonly name: string;
  readonly kind: RowKind;
  readonly capacity: number;
  /** For replenishing rows: after how long what was taken comes back. */
  readonly perMs?: number;
}

interface Taking {
  readonly at: number;
  units: number;
}

/** The greatest capacity, so that amounts stay exact integers. */
export const CAPACITY_MAX = Number.MAX_SAFE_INTEGER;

export class Row {
  readonly key: string;
  readonly name: string;
  readonly kind: RowKind;
  readonly perMs: number | undefined;
  /** Units in one of what the host counts in: a million where the capacity leaves room for it. */
  readonly scale: number;
  /** In units. */
  capacity: number;
  /** In units. */
  used = 0;
  /** In units: the most that was ever used at once. */
  peak = 0;
  /** How many groups need it. */
  groups = 0;
  /** Groups whose next member waits for this row. */
  readonly waiting = new FitTree<NeedGroup<Row>>(compareGroups);
  /** Whether it stands in the ledger's list of rows of which more may have become free. */
  listed = false;
  /** Told of what time gives back, by whoever follows the use: since when it is back. */
  onReturn: ((at: number) => void) | undefined;
  /** The group that was woken by this row and has not been served yet. */
  candidate: NeedGroup<Row> | undefined;
  /** The last capacity above 0; 0 when there was none. */
  #whole: number;
  /** The capacity that it has again when it is resumed; while it is paused. */
  #pausedCapacity: number | undefined;
  /** For replenishing rows: what comes back when, oldest first. */
  readonly #takings: Taking[] = [];
  #oldest = 0;

  constructor(spec: RowSpec) {
    this.key = spec.key;
    this.name = spec.name;
    this.kind = spec.kind;
    this.perMs = spec.perMs;
    this.scale = scaleFor(spec.capacity);
    this.capacity = Math.round(spec.capacity * this.scale);
    this.#whole = this.capacity;
  }

  /** In units: more than this will never be free, as far as anybody knows; so it is what requests are judged by. */
  get wholeCapacity(): number {
    return this.#whole;
  }

  /** Whether nothing of it is given, whatever its capacity. */
  get isPaused(): boolean {
    return this.#pausedCapacity !== undefined;
  }

  /** In units: what there is, also while it is paused. */
  get declaredCapacity(): number {
    return this.#pausedCapacity ?? this.capacity;
  }

  /** Gives nothing any more: the capacity is 0 until `resume`, so that nobody has to ask. */
  pause(): void {
    this.#pausedCapacity ??= this.capacity;
    this.capacity = 0;
  }

  resume(): void {
    this.capacity = this.declaredCapacity;
    this.#pausedCapacity = undefined;
  }

  /** In units; never below 0. */
  get free(): number {
    return this.used < this.capacity ? this.capacity - this.used : 0;
  }

  /**
   * An amount of what the host counts in, in units.
   * @throws OrchestratorError `RESOURCE_AMOUNT_INVALID` when it is finer than a unit
   */
  unitsOf(amount: number, at: string): number {
    const units = Math.round(amount * this.scale);
    const exact = Math.abs(units - amount * this.scale) <= 1e-6 * Math.max(1, Math.abs(units) * 1e-6);
    // What is no exact integer is more than any capacity: whoever compares them refuses it.
    if (units > 0 && exact && Number.isFinite(units)) return units;
    throw refuse('RESOURCE_AMOUNT_INVALID', {
      at,
      found: describeValue(amount),
      allowed: `a positive multiple of ${1 / this.scale} for ${this.name}`,
    });
  }

  take(units: number, now: number): void {
    this.used += units;
    if (this.used > this.peak) this.peak = this.used;
    if (this.perMs === undefined) return;
    const last = this.#takings[this.#takings.length - 1];
    if (last !== undefined && last.at === now && this.#takings.length > this.#oldest) last.units += units;
    else this.#takings.push({ at: now, units });
  }

  /** Gives back what a renewable row was asked for; of the other kinds nothing comes back this way. */
  give(units: number): void {
    if (this.perMs !== undefined || this.kind === 'budget') return;
    this.used -= units;
  }

  /** Takes a taking back that came to nothing, as if it had never been: also of a budget, or of a row that time refills. */
  untake(units: number): void {
    if (this.perMs === undefined) {
      this.used -= units;
      return;
    }
    // What has come back by time meanwhile is back already.
    let left = units;
    for (let i = this.#takings.length - 1; i >= this.#oldest && left > 0; i--) {
      const taking = this.#takings[i] as Taking;
      const part = Math.min(left, taking.units);
      taking.units -= part;
      this.used -= part;
      left -= part;
    }
  }

  /** Takes back what has come back by time. */
  replenish(now: number): void {
    if (this.perMs === undefined) return;
    while (this.#oldest < this.#takings.length) {
      const taking = this.#takings[this.#oldest] as Taking;
      if (taking.at + this.perMs > now) break;
      this.used -= taking.units;
      this.#oldest++;
      this.onReturn?.(taking.at + this.perMs);
    }
    if (this.#oldest > 64 && this.#oldest * 2 > this.#takings.length) {
      this.#takings.splice(0, this.#oldest);
      this.#oldest = 0;
    }
  }

  /** In units: what is used at a time, also if nobody has looked since then whether something has come back. */
  usedAt(now: number): number {
    let used = this.used;
    if (this.perMs === undefined) return used;
    for (let i = this.#oldest; i < this.#takings.length; i++) {
      const taking = this.#takings[i] as Taking;
      if (taking.at + this.perMs > now) break;
      used -= taking.units;
    }
    return used;
  }

  /** When something comes back by time next; `undefined` when nothing will. */
  nextReturnAt(): number | undefined {
    if (this.perMs === undefined || this.#oldest >= this.#takings.length) return undefined;
    return (this.#takings[this.#oldest] as Taking).at + this.perMs;
  }

  /** @param capacity - in what the host counts in; may be less than what is used, then nothing is taken until it fits */
  setCapacity(capacity: number): void {
    const units = Math.round(capacity * this.scale);
    if (units > 0) this.#whole = units;
    if (this.#pausedCapacity === undefined) this.capacity = units;
    else this.#pausedCapacity = units;
  }

  /**
   * When time has given back so much that `units` are free, if nobody takes any meanwhile and there is at least so much
   * of it; `undefined` when time gives nothing back.
   */
  freeAt(units: number): number | undefined {
    if (this.perMs === undefined) return undefined;
    let missing = this.used + units - Math.max(units, this.declaredCapacity);
    for (let i = this.#oldest; i < this.#takings.length; i++) {
      const taking = this.#takings[i] as Taking;
      missing -= taking.units;
      if (missing <= 0) return taking.at + this.perMs;
    }
    return undefined;
  }
}

/** A millionth where the numbers stay exact, then a thousandth, then whole ones. */
function scaleFor(capacity: number): number {
  // A factor of a thousand is left for a capacity that is raised later.
  if (capacity <= CAPACITY_MAX / 1e9) return 1e6;
  return capacity <= CAPACITY_MAX / 1e6 ? 1e3 : 1;
}
