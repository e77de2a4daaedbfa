/**
 * Copies of values that the guard already passed, for readers that must not share one.
 */

import { copyLeaf, isPrimitive, kindOf } from './value-kinds.ts';

/** The copies made so far; absent until the first object inside the root, as most values are small. */
type Copies = Map<object, object>;

/**
 * A deep copy of a value that `guardValue` returned, for a reader of a value that is not shareable.
 *
 * What can change (dates, maps, sets, buffers, errors) is copied; a frozen object or array is only copied
 * when there is such a thing inside it, and otherwise returned as it is. Shared references stay shared. The
 * value must come from the guard: nothing is checked again, and its depth is bounded by the guard's limit.
 */
export function copyGuarded(value: unknown): unknown {
  if (isPrimitive(value)) return value;
  return copyObject(value as object, new Map());
}

function copyAny(value: unknown, copies: Copies): unknown {
  return isPrimitive(value) ? value : copyObject(value as object, copies);
}

function copyObject(value: object, copies: Copies): object {
  const known = copies.get(value);
  if (known !== undefined) return known;
  const copy = makeCopy(value, copies);
  copies.set(value, copy);
  return copy;
}

function makeCopy(value: object, copies: Copies): object {
  const kind = kindOf(value);
  switch (kind) {
    case 'plain':
      return copyPlain(value as Record<string, unknown>, copies);
    case 'array':
      return copyArray(value as readonly unknown[], copies);
    case 'map': {
      const copy = new Map<unknown, unknown>();
      for (const [key, item] of value as Map<unknown, unknown>) {
        copy.set(copyAny(key, copies), copyAny(item, copies));
      }
      return copy;
    }
    case 'set': {
      const copy = new Set<unknown>();
      for (const item of value as Set<unknown>) copy.add(copyAny(item, copies));
      return copy;
    }
    case 'error':
      return copyError(value as Error, copies);
    case 'other':
      // The guard lets nothing of this kind pass, so there is nothing that a copy could protect.
      return value;
    default:
      return copyLeaf(value, kind);
  }
}

/** The array itself while its items are immutable; a new one from the first item on that had to be copied. */
function copyArray(value: readonly unknown[], copies: Copies): object {
  let out: unknown[] | undefined;
  for (let i = 0; i < value.length; i += 1) {
    const item = value[i];
    if (isPrimitive(item)) {
      if (out !== undefined) out.push(item);
      continue;
    }
    const copy = copyObject(item as object, copies);
    if (out === undefined && copy !== item) out = value.slice(0, i);
    if (out !== undefined) out.push(copy);
  }
  return out === undefined ? value : Object.freeze(out);
}

/** The object itself while its properties are immutable; a new one when one of them had to be copied. */
function copyPlain(value: Record<string, unknown>, copies: Copies): object {
  const keys = Object.keys(value);
  let changed = false;
  const items: unknown[] = [];
  for (const key of keys) {
    // An own `__proto__` hides the inherited accessor, so it reads like any other property.
    const item = value[key];
    const copy = copyAny(item, copies);
    if (copy !== item && !isPrimitive(item)) changed = true;
    items.push(copy);
  }
  if (!changed) return value;
  const out: Record<string, unknown> = {};
  for (let i = 0; i < keys.length; i += 1) setOwn(out, keys[i] as string, items[i]);
  return Object.freeze(out);
}

/** The guard gave an error only data properties, so they can be taken over one by one. */
function copyError(value: Error, copies: Copies): Error {
  const out = new Error(value.message);
  for (const key of Object.getOwnPropertyNames(value)) {
    const found = Object.getOwnPropertyDescriptor(value, key);
    if (found === undefined) continue;
    defineData(out, key, copyAny(found.value, copies), found.enumerable === true);
  }
  return out;
}

/** Sets an own property, also one that is called `__proto__`, which a plain assignment would misread. */
export function setOwn(target: Record<string, unknown>, key: string, value: unknown): void {
  if (key === '__proto__') defineData(target, key, value, true);
  else target[key] = value;
}

/** Defines a data property that can be changed and deleted. */
export function defineData(target: object, key: string, value: unknown, enumerable: boolean): void {
  Object.defineProperty(target, key, { value, enumerable, writable: true, configurable: true });
}
