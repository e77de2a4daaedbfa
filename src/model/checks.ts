import { parseDuration } from '../base/duration.ts';
import { nearestName } from '../base/nearest.ts';
import { describeValue } from '../base/values.ts';
import { type OrchestratorError, refuse } from './errors.ts';

/** A time span: milliseconds as a number, or a string with units such as `250ms`, `2m`, `1h30m`, `PT1H30M`. */
export type Duration = number | string;

/** The longest duration: 100 years. */
export const DURATION_MS_MAX = 100 * 365 * 86_400_000;

/** An `OPTION_INVALID` refusal. */
export function invalidOption(at: string, value: unknown, allowed: string, hint?: string): OrchestratorError {
  return refuse('OPTION_INVALID', { at, found: describeValue(value), allowed, hint });
}

/** A plain object, seen as a record; anything else is refused with the given code. */
export function checkRecord(
  value: unknown,
  at: string,
  what: string,
  code: 'OPTION_INVALID' | 'DEFINITION_INVALID' | 'DEPENDENCY_INVALID' = 'OPTION_INVALID',
): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || !isPlain(value)) {
    throw refuse(code, { at, found: describeValue(value), allowed: what });
  }
  return value as Readonly<Record<string, unknown>>;
}

/** Whether an object is neither an array nor an instance of a class. */
export function isPlain(value: object): boolean {
  try {
    const prototype: unknown = Object.getPrototypeOf(value);
    // The prototype of a class instance has a prototype of its own; that of `{}` has none, in any realm.
    return prototype === null || Object.getPrototypeOf(prototype) === null;
  } catch {
    return false;
  }
}

/** Refuses the first key that `known` does not have, with the nearest one that it has. */
export function checkKeys(value: object, known: ReadonlySet<string>, at: string): void {
  for (const key in value) {
    if (known.has(key)) continue;
    const nearest = nearestName(key, known);
    throw refuse('OPTION_UNKNOWN', {
      at: `${at}/${key}`,
      found: `an unknown option ${JSON.stringify(key.slice(0, 60))}`,
      allowed: [...known].join(', '),
      hint: nearest === undefined ? undefined : `Did you mean ${JSON.stringify(nearest)}?`,
    });
  }
}

/** A duration in milliseconds, more than 0 (or from 0 on if `zero`), at most 100 years. */
export function checkDuration(value: unknown, at: string, zero = false): number {
  const ms = typeof value === 'string' ? parseDuration(value) : value;
  if (typeof ms !== 'number' || !(zero ? ms >= 0 : ms > 0) || ms > DURATION_MS_MAX) {
    const allowed = `a duration ${zero ? 'from 0' : 'above 0'} up to 100 years: milliseconds as a number, or a string with units such as 250ms, 2m, 1h30m, PT1H30M`;
    throw invalidOption(
      at,
      value,
      allowed,
      typeof value === 'string' && /^\d+$/.test(value) ? 'Add a unit.' : undefined,
    );
  }
  return ms;
}

/** An integer between two bounds, both included. */
export function checkInteger(value: unknown, at: string, min: number, max: number): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) {
    throw invalidOption(at, value, `an integer from ${min} to ${max}`);
  }
  return value;
}

/** A finite number between two bounds, both included; `-0` becomes 0. */
export function checkNumber(value: unknown, at: string, min: number, max: number): number {
  if (typeof value !== 'number' || !(value >= min && value <= max)) {
    throw invalidOption(at, value, `a number from ${min} to ${max}`);
  }
  return value + 0;
}

/** A string of at most `length` UTF-16 units. */
export function checkText(value: unknown, at: string, length: number): string {
  if (typeof value !== 'string') throw invalidOption(at, value, `a string of at most ${length} characters`);
  if (value.length > length) {
    throw refuse('LIMIT_EXCEEDED', {
      at,
      found: `${value.length} characters`,
      allowed: `at most ${length} characters`,
    });
  }
  return value;
}

/** One of a few strings. */
export function checkChoice<const Choice extends string>(
  value: unknown,
  at: string,
  choices: readonly Choice[],
): Choice {
  if (typeof value !== 'string' || !(choices as readonly string[]).includes(value)) {
    const nearest = typeof value === 'string' ? nearestName(value, choices) : undefined;
    throw invalidOption(
      at,
      value,
      choices.join(', '),
      nearest === undefined ? undefined : `Did you mean ${nearest}?`,
    );
  }
  return value as Choice;
}

/** A function. */
export function checkFunction(value: unknown, at: string, what: string): (...args: never[]) => unknown {
  if (typeof value !== 'function') throw invalidOption(at, value, what);
  return value as (...args: never[]) => unknown;
}

/** Something that behaves like an AbortSignal (also one of another realm or a polyfill). */
export function checkSignal(value: unknown, at: string): AbortSignal | undefined {
  if (value === undefined) return undefined;
  const signal = value as AbortSignal;
  const fits =
    typeof value === 'object' &&
    value !== null &&
    typeof signal.aborted === 'boolean' &&
    typeof signal.addEventListener === 'function';
  if (!fits) throw invalidOption(at, value, 'an AbortSignal');
  return signal;
}

/** Labels for whoever looks at runs: at most 64, each 1 to 128 printable characters on one line. */
export function checkTags(value: unknown, at: string): readonly string[] {
  if (!Array.isArray(value)) throw invalidOption(at, value, 'an array of strings');
  if (value.length > 64)
    throw refuse('LIMIT_EXCEEDED', { at, found: `${value.length} tags`, allowed: 'at most 64 tags' });
  return value.map((tag: unknown, i) => {
    if (
      typeof tag !== 'string' ||
      tag.length === 0 ||
      tag.length > 128 ||
      /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/u.test(tag)
    ) {
      throw invalidOption(`${at}/${i}`, tag, '1 to 128 printable characters on one line');
    }
    return tag;
  });
}
