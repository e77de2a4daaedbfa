/**
 * How much of one row is taken at which time, for schedules that are built task by task and not moment by moment.
 *
 * Both methods cost O(log n + the steps between) for n steps in the profile.
 */
export class Profile {
  readonly #capacity: number;
  /** Where the use changes; from each of them to the next it is the number at the same place in `#used`. */
  readonly #times: number[] = [Number.NEGATIVE_INFINITY];
  readonly #used: number[] = [0];

  /** @param capacity - in units */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /**
   * The earliest time, not before `from`, from which so much is free for so long.
   * @param units - at most the capacity
   * @param length - in milliseconds; at 0 there has to be room at that one time
   */
  earliest(from: number, units: number, length: number): number {
    const times = this.#times;
    const most = this.#capacity - units;
    let start = from;
    for (let i = this.#stepAt(from); i < times.length; i++) {
      const next = times[i + 1] ?? Number.POSITIVE_INFINITY;
      if ((this.#used[i] as number) > most) start = next;
      else if (next >= start + length) return start;
    }
    return start;
  }

  take(start: number, units: number, length: number): void {
    if (length === 0) return;
    const first = this.#cut(start);
    const last = this.#cut(start + length);
    for (let i = first; i < last; i++) this.#used[i] = (this.#used[i] as number) + units;
  }

  /** The place of the step that a time lies in. */
  #stepAt(time: number): number {
    let low = 0;
    let high = this.#times.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#times[middle] as number) <= time) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** The place of the step that begins at a time, made if there is none. */
  #cut(time: number): number {
    const at = this.#stepAt(time);
    if (this.#times[at] === time) return at;
    this.#times.splice(at + 1, 0, time);
    this.#used.splice(at + 1, 0, this.#used[at] as number);
    return at + 1;
  }
}
