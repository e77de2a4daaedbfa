/**
 * One value for each label, for a bounded number of labels: ids made by a program must not fill the memory.
 *
 * Owns: the table. Who may call it: the metrics fold.
 *
 * LB1  There are never more than `max` labels and the one that stands for all others.
 */

/** The label that stands for all for which there was no room; no id can be called so. */
export const OTHER_LABEL = '[other]';

export class Labelled<Value> {
  readonly #values = new Map<string, Value>();
  readonly #create: () => Value;
  readonly #max: number;

  constructor(max: number, create: () => Value) {
    this.#max = max;
    this.#create = create;
  }

  /** The value of a label; beyond the limit, that of all others together. */
  of(label: string): Value {
    const known = this.#values.get(label);
    if (known !== undefined) return known;
    const name = this.#values.size < this.#max ? label : OTHER_LABEL;
    const value = this.#values.get(name) ?? this.#create();
    this.#values.set(name, value);
    return value;
  }

  /** The value of a label, if it has one of its own. */
  peek(label: string): Value | undefined {
    return this.#values.get(label);
  }

  /** All of them as an object, each turned into plain data. */
  plain<Plain>(turn: (value: Value) => Plain): Readonly<Record<string, Plain>> {
    // fromEntries makes an own property of every name, also of `__proto__`.
    return Object.fromEntries([...this.#values].map(([label, value]) => [label, turn(value)]));
  }
}

/** A number that only grows. */
export interface Tally {
  count: number;
}

/** A tally of nothing. */
export function createTally(): Tally {
  return { count: 0 };
}
