/**
 * The guard at every edge where a host's value enters the orchestrator.
 */

import { isPrimitive, primitiveBytes } from './value-kinds.ts';
import { type GuardedValue, SIZE_HINT, type ValueRefusal, Walker } from './value-walker.ts';

export { copyGuarded } from './copy-guarded.ts';
export { describeName, describeValue, quote } from './describe-value.ts';
export { isPrimitive, isSmall } from './value-kinds.ts';
export type { GuardedValue, ValueRefusal } from './value-walker.ts';

/** How much {@link guardValue} accepts. */
export interface GuardLimits {
  /** The most objects inside each other, the root included: 1 to 1,000; 100 when absent. */
  readonly depth?: number | undefined;
  /** The most bytes, by a rough estimate: 64 MiB when absent. */
  readonly bytes?: number | undefined;
}

const DEFAULT_DEPTH = 100;
const DEEPEST = 1_000;
/** The most bytes that a value may have, by a rough estimate, where nothing else is said. */
export const GUARD_BYTES = 64 * 1024 * 1024;

/**
 * Checks a value of the host and copies it, so that later changes by the host cannot reach it.
 *
 * Carried are primitives; plain objects (of any realm, or without a prototype; they become ordinary frozen
 * objects of their enumerable string keys, where `__proto__` is a key like any other); arrays of up to 2^24
 * items (frozen; holes become undefined, named properties are left out); dates, maps and sets; ArrayBuffers,
 * typed arrays and DataViews (only the seen part; a `Buffer` becomes a Uint8Array); errors. An error becomes
 * an `Error` with the same name, message and stack; its cause and its errors are carried, or described where
 * they cannot be; so are its enumerable data properties, or left out: an odd property must not cost the
 * report of a failure. An object that is referred to twice stays one object. Everything else is refused: see
 * {@link ValueRefusal}.
 *
 * It never throws and calls no getter of the host, except those that a class of errors inherits (as
 * `DOMException` does for its name) and the traps of a proxy; a trap that throws is a refusal.
 */
export function guardValue(value: unknown, limits?: GuardLimits): GuardedValue | ValueRefusal {
  const maxBytes = limits?.bytes ?? GUARD_BYTES;
  if (isPrimitive(value)) {
    const bytes = primitiveBytes(value);
    if (bytes <= maxBytes) return { ok: true, value, shareable: true, bytes };
    return { ok: false, pointer: '', found: `more than ${maxBytes} bytes`, hint: SIZE_HINT };
  }
  const depth = Math.min(Math.max(limits?.depth ?? DEFAULT_DEPTH, 1), DEEPEST);
  return new Walker(value as object, depth, maxBytes).run();
}
