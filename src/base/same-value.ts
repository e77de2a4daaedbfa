/**
 * Equality of two values of the host that the guard has passed.
 */

import { isPrimitive, kindOf } from './value-kinds.ts';

/** Pairs that are being compared or were found equal: each is looked at once, however often it is met. */
type Pairs = Map<object, Set<object>>;

/**
 * Whether two values are the same in content: plain objects by their keys in any order, where one that is `undefined` counts
 * as absent, as in their digest; arrays, maps and sets in
 * their order, dates and buffers by what they hold, errors by name and message. Functions are not compared: one
 * is the same as any other.
 *
 * The values must come from the guard, which bounds their depth.
 */
export function isSameValue(a: unknown, b: unknown): boolean {
  return isSame(a, b, new Map());
}

function isSame(a: unknown, b: unknown, pairs: Pairs): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a === 'function' || typeof b === 'function') return typeof a === typeof b;
  if (isPrimitive(a) || isPrimitive(b)) return false;
  return isSameObject(a as object, b as object, pairs);
}

function isSameObject(a: object, b: object, pairs: Pairs): boolean {
  const known = pairs.get(a);
  if (known === undefined) pairs.set(a, new Set([b]));
  else if (known.has(b)) return true;
  else known.add(b);
  const kind = kindOf(a);
  if (kind !== kindOf(b)) return false;
  switch (kind) {
    case 'array':
      return areSame(a as readonly unknown[], b as readonly unknown[], pairs);
    case 'map':
      return areSame(
        [...(a as Map<unknown, unknown>)].flat(),
        [...(b as Map<unknown, unknown>)].flat(),
        pairs,
      );
    case 'set':
      return areSame([...(a as Set<unknown>)], [...(b as Set<unknown>)], pairs);
    case 'date':
      return Object.is((a as Date).getTime(), (b as Date).getTime());
    case 'error':
      return (a as Error).name === (b as Error).name && (a as Error).message === (b as Error).message;
    case 'buffer':
    case 'typed':
    case 'view':
      return a.constructor === b.constructor && areSameBytes(bytesOf(a), bytesOf(b));
    default:
      return areSameRecords(a as Record<string, unknown>, b as Record<string, unknown>, pairs);
  }
}

function areSame(a: readonly unknown[], b: readonly unknown[], pairs: Pairs): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i += 1) if (!isSame(a[i], b[i], pairs)) return false;
  return true;
}

function areSameRecords(a: Record<string, unknown>, b: Record<string, unknown>, pairs: Pairs): boolean {
  const [ours, theirs] = [keysOf(a), keysOf(b)];
  if (ours.length !== theirs.length) return false;
  for (const key of ours) if (!Object.hasOwn(b, key) || !isSame(a[key], b[key], pairs)) return false;
  return true;
}

function keysOf(record: Readonly<Record<string, unknown>>): readonly string[] {
  return Object.keys(record).filter((key) => record[key] !== undefined);
}

function bytesOf(value: object): Uint8Array {
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  return new Uint8Array(value as ArrayBuffer);
}

function areSameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i += 1) if (a[i] !== b[i]) return false;
  return true;
}
