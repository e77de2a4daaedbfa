import { parseDuration } from '../base/duration.ts';
import { nearestName } from '../base/nearest.ts';
import { describeValue, quote } from '../base/values.ts';
import { type OrchestratorError, refuse, unreadable } from './errors.ts';

/** A time span: milliseconds as a number, or a string with units such as `250ms`, `2m`, `1h30m`, `PT1H30M`. */
export type Duration = number | string;

/** The longest wait that is told from longer ones: 100 years. */
export const DURATION_MS_MAX = 100 * 365 * 86_400_000;
const DURATION_TEXT = 'or a string with units such as 250ms, 2m, 1h30m, PT1H30M';

/** A hint of the guard, which is a part of a sentence, as a sentence. */
export function sentence(hint: string): string {
  return `${hint.charAt(0).toUpperCase()}${hint.slice(1)}.`;
}

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
    const found = describeValue(value);
    throw refuse(code, {
      at,
      found,
      allowed: what,
      hint: found === 'a promise' ? 'Await it first.' : undefined,
    });
  }
  return value as Readonly<Record<string, unknown>>;
}

/** Carries out checks of a host's object; what its getters or traps throw becomes an `OPTION_INVALID` refusal. */
export function reading<Checked>(at: string, allowed: string, check: () => Checked): Checked {
  try {
    return check();
  } catch (thrown) {
    throw unreadable(thrown, 'OPTION_INVALID', at, allowed);
  }
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
    const nearest = nearestName(key, known) ?? sameWord(key, known);
    throw refuse('OPTION_UNKNOWN', {
      at: `${at}/${key}`,
      found: `an unknown option ${quote(key)}`,
      allowed: [...known].join(', '),
      hint: nearest === undefined ? undefined : `Did you mean ${JSON.stringify(nearest)}?`,
    });
  }
}

/**
 * An option that shares a word with one that is too far from it otherwise: `retries` begins like `retry`, `agent` and
 * `attempts` stand in `agentAssigned` and `maxAttempts`, and `timeout` stands in `startToCloseTimeout`.
 */
function sameWord(key: string, known: ReadonlySet<string>): string | undefined {
  const names = [...known];
  const begins = (name: string): boolean =>
    key.startsWith(name.slice(0, Math.max(3, Math.ceil(name.length / 2))));
  const word = key.toLowerCase().replace(/s$/, '');
  const holds = (name: string): boolean =>
    (word.length >= 4 && name.toLowerCase().includes(word)) ||
    (name.length >= 4 && word.includes(name.toLowerCase()));
  return names.find(begins) ?? names.find(holds);
}

/** A wait in milliseconds, from 0 on; one above 100 years counts as 100 years. */
export function checkDuration(value: unknown, at: string): number {
  const ms = typeof value === 'string' ? parseDuration(value) : value;
  if (typeof ms === 'number' && ms >= 0 && ms <= Number.MAX_SAFE_INTEGER)
    return Math.min(ms, DURATION_MS_MAX);
  throw invalidDuration(at, value, `a duration from 0: milliseconds, ${DURATION_TEXT}`);
}

/** A limit or span in whole milliseconds, above 0; one above 100 years counts as 100 years. */
export function checkTimeLimit(value: unknown, at: string): number {
  const ms = typeof value === 'string' ? parseDuration(value) : value;
  if (Number.isSafeInteger(ms) && (ms as number) > 0) return Math.min(ms as number, DURATION_MS_MAX);
  throw invalidDuration(at, value, `a duration above 0: whole milliseconds, ${DURATION_TEXT}`);
}

function invalidDuration(at: string, value: unknown, allowed: string): OrchestratorError {
  const lacksUnit = typeof value === 'string' && /^[\d.]+$/.test(value);
  return invalidOption(at, value, allowed, lacksUnit ? `Add a unit: ${quote(`${value}ms`)}.` : undefined);
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
  hint?: string,
): Choice {
  if (typeof value !== 'string' || !(choices as readonly string[]).includes(value)) {
    const nearest = typeof value === 'string' ? nearestName(value, choices) : undefined;
    throw invalidOption(
      at,
      value,
      choices.join(', '),
      nearest === undefined ? hint : `Did you mean ${nearest}?`,
    );
  }
  return value as Choice;
}

/** Yes or no; nothing that merely counts as one of them. */
export function checkBoolean(value: unknown, at: string): boolean {
  if (typeof value !== 'boolean') throw invalidOption(at, value, 'true or false');
  return value;
}

/** A function. */
export function checkFunction(value: unknown, at: string, what: string): (...args: never[]) => unknown {
  if (typeof value !== 'function') throw invalidOption(at, value, what);
  return value as (...args: never[]) => unknown;
}

/** Something that behaves like an AbortSignal (also one of another realm or a polyfill). */
export function checkSignal(value: unknown, at: string): AbortSignal | undefined {
  if (value === undefined) return undefined;
  if (reading(at, 'an AbortSignal', () => isSignal(value))) return value as AbortSignal;
  throw invalidOption(at, value, 'an AbortSignal', 'Pass the signal of an AbortController.');
}

function isSignal(value: unknown): boolean {
  const signal = value as AbortSignal;
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof signal.aborted === 'boolean' &&
    typeof signal.addEventListener === 'function' &&
    typeof signal.removeEventListener === 'function'
  );
}

/**
 * A copy of a list, which the host can no longer change. Holes become `undefined`, so that they are refused like
 * any other wrong item.
 */
export function copyList(list: readonly unknown[], at: string, max: number, what: string): unknown[] {
  const { length } = list;
  if (length > max) {
    throw refuse('LIMIT_EXCEEDED', { at, found: `${length} ${what}`, allowed: `at most ${max} ${what}` });
  }
  const copy: unknown[] = [];
  for (let i = 0; i < length; i++) copy.push(list[i]);
  return copy;
}

/** Labels for whoever looks at runs: at most 64, each 1 to 128 printable characters on one line. */
export function checkTags(value: unknown, at: string): readonly string[] {
  if (!Array.isArray(value)) throw invalidOption(at, value, 'an array of strings');
  return copyList(value, at, 64, 'tags').map((tag, i) => {
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
