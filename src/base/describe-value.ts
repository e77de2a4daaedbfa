/**
 * Short descriptions of any value, for error messages.
 */

import { byteLengthOf, classNameOf, isThenable, kindOf, sizeOf, typedArrayName } from './value-kinds.ts';

/** What to do about a promise. */
export const AWAIT_HINT = 'await it first';

/** The most characters of a description. */
const LONGEST = 80;

/** The most characters of a text or a name that are quoted. */
const LONGEST_QUOTE = 48;

/**
 * Describes a value in at most 80 characters: 'the string "abc…"', 'an array of 3', 'undefined',
 * 'a function run', 'NaN', 'a class instance of Foo'.
 *
 * It is safe on anything: it never throws, never calls a getter, and quotes of a long or malformed text only
 * a well-formed part.
 */
export function describeValue(value: unknown): string {
  try {
    const text = describe(value);
    return text.length <= LONGEST ? text : `${clip(text, LONGEST - 1)}…`;
  } catch {
    // The traps of a proxy can throw on any question.
    return typeof value === 'function' ? 'a function' : 'an object that cannot be read';
  }
}

/** A value that should be a name: quoted if it is a text, described if it is anything else. */
export function describeName(value: unknown): string {
  return typeof value === 'string' ? quote(value) : describeValue(value);
}

function describe(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return `the string ${quote(value)}`;
    case 'number':
      if (!Number.isFinite(value)) return String(value);
      return Object.is(value, -0) ? 'the number -0' : `the number ${value}`;
    case 'bigint':
      // Writing out a large bigint is slow, and nobody reads its digits.
      return BigInt.asIntN(64, value) === value ? `the bigint ${value}` : 'a large bigint';
    case 'symbol':
      return named('a symbol', value.description ?? '');
    case 'function':
      return named('a function', ownText(value, 'name'));
    case 'object':
      return value === null ? 'null' : describeObject(value);
    default:
      return String(value);
  }
}

function describeObject(value: object): string {
  const kind = kindOf(value);
  switch (kind) {
    case 'plain':
      return describePlain(value);
    case 'array':
      return `an array of ${lengthOf(value)}`;
    case 'date':
      return describeDate(value);
    case 'map':
    case 'set':
      return `a ${kind} of ${sizeOf(value, kind)}`;
    case 'buffer':
      return `an ArrayBuffer of ${bytes(byteLengthOf(value, kind))}`;
    case 'view':
      return `a DataView of ${bytes(byteLengthOf(value, kind))}`;
    case 'typed': {
      const name = typedArrayName(value);
      return `${article(name)} ${name} of ${bytes(byteLengthOf(value, kind))}`;
    }
    case 'error':
      return describeError(value);
    default:
      return describeOther(value);
  }
}

function describePlain(value: object): string {
  if (isThenable(value)) return 'a promise';
  const count = Object.keys(value).length;
  return count === 0 ? 'an empty object' : `an object with ${count} ${count === 1 ? 'key' : 'keys'}`;
}

function describeDate(value: object): string {
  const time = Date.prototype.getTime.call(value);
  return Number.isNaN(time) ? 'an invalid date' : `the date ${new Date(time).toISOString()}`;
}

function describeError(value: object): string {
  const name = clip(classNameOf(value) || 'Error', 30);
  const message = ownText(value, 'message');
  return message === '' ? `${article(name)} ${name}` : `${article(name)} ${name} ${quote(message)}`;
}

/**
 * Describes an object that is none of the kinds that can be carried: 'a promise', 'a regular expression',
 * 'a boxed string', 'a URL', 'a class instance of Foo'.
 *
 * @throws whatever the trap of a proxy throws.
 */
export function describeOther(value: object): string {
  const name = classNameOf(value);
  switch (name) {
    case 'Promise':
      return 'a promise';
    case 'RegExp':
      return 'a regular expression';
    case 'String':
    case 'Number':
    case 'Boolean':
    case 'Symbol':
    case 'BigInt':
      return `a boxed ${name.toLowerCase()}`;
    case 'URL':
    case 'URLSearchParams':
    case 'WeakMap':
    case 'WeakSet':
    case 'WeakRef':
    case 'SharedArrayBuffer':
    case 'AbortSignal':
    case 'AbortController':
      return `${article(name)} ${name}`;
    default:
      if (isThenable(value)) return 'a promise';
      return name === '' ? 'an object with a prototype of its own' : `a class instance of ${clean(name)}`;
  }
}

/** What to do about an object that `describeOther` described as `found`. */
export function hintForOther(found: string): string {
  if (found === 'a promise') return AWAIT_HINT;
  if (found === 'a URL') return 'pass its href, a string';
  if (found === 'a regular expression') return 'pass its source, a string';
  if (found.startsWith('a boxed ')) return 'pass the primitive itself';
  if (found === 'a SharedArrayBuffer') return 'pass a copy of its bytes, such as a Uint8Array';
  return 'pass plain data: objects, arrays, primitives, dates, maps, sets, buffers and errors';
}

/** An own text property that is no accessor; '' without one. */
function ownText(value: object, key: string): string {
  const text: unknown = Object.getOwnPropertyDescriptor(value, key)?.value;
  return typeof text === 'string' ? text : '';
}

/** The length of an array; through a proxy it can be anything. */
function lengthOf(value: object): number {
  const length: unknown = Object.getOwnPropertyDescriptor(value, 'length')?.value;
  return typeof length === 'number' ? length : 0;
}

function bytes(count: number): string {
  return count === 1 ? '1 byte' : `${count} bytes`;
}

function named(what: string, name: string): string {
  return name === '' ? what : `${what} ${clean(name)}`;
}

function article(name: string): string {
  return /^[AEIO]/.test(name) ? 'an' : 'a';
}

/**
 * A text in quotation marks, shortened to at most 57 characters; escapes make control characters and lone
 * surrogates harmless.
 */
export function quote(text: string): string {
  let part = clip(text, LONGEST_QUOTE);
  let quoted = escaped(part);
  // Escapes can take six characters for one, so the part is halved until the whole fits in a message.
  while (quoted.length > LONGEST_QUOTE + 8 && part.length > 1) {
    part = clip(part, part.length >> 1);
    quoted = escaped(part);
  }
  return part.length === text.length ? quoted : `${quoted.slice(0, -1)}…"`;
}

/** A name without quotation marks, shortened and escaped like a quoted text. */
function clean(name: string): string {
  const quoted = quote(name);
  return quoted.slice(1, -1);
}

function escaped(text: string): string {
  return JSON.stringify(text);
}

/** The start of a text, not cut inside a surrogate pair. */
function clip(text: string, length: number): string {
  if (text.length <= length) return text;
  const last = text.charCodeAt(length - 1);
  return text.slice(0, last >= 0xd800 && last <= 0xdbff ? length - 1 : length);
}
