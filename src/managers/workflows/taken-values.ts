/**
 * Takes values of the host in, and gives them to readers.
 *
 * Owns: what is known of the values that were taken in, for as long as they live. Who may call it: whoever takes an
 * input, an output or progress, and whoever gives one to a handler or a host.
 *
 * TV1  What was taken in cannot be changed by the host, and what a reader gets cannot be changed for other readers.
 * TV2  A value that was taken in before is not copied again.
 */
import { copyGuarded, guardValue, isSmall } from '../../base/values.ts';
import { sentence } from '../../model/checks.ts';
import { refuse } from '../../model/errors.ts';

/** Values that hold something that cannot be frozen (a date, a map, bytes): each reader gets its own copy. */
const unfrozen = new WeakSet<object>();

/** Values that were taken in and are frozen throughout: they need no second copy when they come back. */
const taken = new WeakSet<object>();

/** How large those values are that were taken in and are not small, by the estimate of the guard. */
const sizes = new WeakMap<object, number>();

/** Below this nobody asks for the size of a value; the least limit that can be set. */
export const SIZE_OF_INTEREST = 1_024;

/**
 * Takes a value of the host in: a frozen copy, and a note if parts of it cannot be frozen.
 * @throws OrchestratorError `VALUE_UNSERIALISABLE`
 */
export function takeIn(value: unknown, at: string, allowed: string): unknown {
  if (isSmall(value)) return value;
  if (typeof value === 'object' && taken.has(value as object)) return value;
  const guarded = guardValue(value);
  if (!guarded.ok)
    throw refuse('VALUE_UNSERIALISABLE', {
      at: `${at}${guarded.pointer}`.trimEnd(),
      found: guarded.found,
      allowed,
      hint: sentence(guarded.hint),
    });
  if (typeof guarded.value !== 'object') return guarded.value;
  if (guarded.shareable) taken.add(guarded.value as object);
  else unfrozen.add(guarded.value as object);
  if (guarded.bytes > SIZE_OF_INTEREST) sizes.set(guarded.value as object, guarded.bytes);
  return guarded.value;
}

/** The same for a value that comes from a store: one that this process took in is as it should be already. */
export function takeBack(value: unknown, at: string): unknown {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value) || unfrozen.has(value))
    return value;
  return takeIn(value, at, 'plain data');
}

/** About how many bytes a value has that was taken in; 0 for one that is small. */
export function sizeOfTaken(value: unknown): number {
  if (typeof value === 'string') return value.length * 2;
  if (typeof value === 'bigint') return value.toString(16).length >> 1;
  return typeof value === 'object' && value !== null ? (sizes.get(value) ?? 0) : 0;
}

/** A value for a reader, who cannot change what other readers see. */
export function readable(value: unknown): unknown {
  return typeof value === 'object' && value !== null && unfrozen.has(value) ? copyGuarded(value) : value;
}
