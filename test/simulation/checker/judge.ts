/**
 * Collects what is wrong. The checker knows the product's rules by its documents alone: it imports nothing of the machine.
 */

/** Something that must never be. */
export interface Violation {
  readonly invariant: string;
  readonly message: string;
  /** The number of the row at which it shows. */
  readonly row: number;
}

export class Judge {
  readonly violations: Violation[] = [];
  row = 0;

  wrong(invariant: string, message: string): void {
    this.violations.push({ invariant, message, row: this.row });
  }

  /** Says so unless it is true. */
  must(isTrue: boolean, invariant: string, message: () => string): void {
    if (!isTrue) this.wrong(invariant, message());
  }
}

/** Whether two plain values are the same, as text. */
export function isSame(a: unknown, b: unknown): boolean {
  return textOf(a) === textOf(b);
}

/** Plain data as text, whatever the order of its keys. */
export function textOf(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'undefined';
  if (Array.isArray(value)) return `[${value.map(textOf).join(',')}]`;
  const keys = Object.keys(value).sort();
  return `{${keys.map((key) => `${key}:${textOf((value as Record<string, unknown>)[key])}`).join(',')}}`;
}
