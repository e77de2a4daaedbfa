/**
 * Errors inside of values, which the structured clone strips of nearly all that they have: a name of their own, a code,
 * other fields, the errors of an AggregateError. What it would lose goes beside the value in the same message, where a
 * reference to an error still is one, and is put back on the other side.
 *
 * Source: "The structured clone algorithm" of HTML: references stay shared within one message; of an error only a
 * standard name, message, stack and cause are kept.
 */
import { isPrimitive } from '../../base/values.ts';

/** A property of an error: its name, its value, whether it is enumerable. */
type Property = readonly [name: string, value: unknown, isEnumerable: boolean];

/** An error in a value, and what it has. */
export interface CarriedError {
  readonly error: Error;
  readonly properties: readonly Property[];
}

/** What the clone keeps by itself. */
const KEPT: ReadonlySet<string> = new Set(['message', 'stack']);

/** The errors in a guarded value that have something to lose; `undefined` for none. */
export function errorsIn(value: unknown): readonly CarriedError[] | undefined {
  if (isPrimitive(value)) return undefined;
  const found: CarriedError[] = [];
  collect(value as object, found, new Set());
  return found.length === 0 ? undefined : found;
}

function collect(value: object, found: CarriedError[], seen: Set<object>): void {
  if (seen.has(value) || ArrayBuffer.isView(value)) return;
  seen.add(value);
  const visit = (item: unknown): void => {
    if (!isPrimitive(item)) collect(item as object, found, seen);
  };
  if (Array.isArray(value)) {
    for (const item of value) if (typeof item === 'object') visit(item);
  } else if (value instanceof Map) {
    for (const [key, item] of value) {
      visit(key);
      visit(item);
    }
  } else if (value instanceof Set) {
    for (const item of value) visit(item);
  } else if (value instanceof Error) {
    const properties = propertiesOf(value);
    if (properties.length > 0) found.push({ error: value, properties });
    for (const [, item] of properties) visit(item);
  } else {
    for (const key in value) visit((value as Readonly<Record<string, unknown>>)[key]);
  }
}

function propertiesOf(error: Error): readonly Property[] {
  return Object.entries(Object.getOwnPropertyDescriptors(error))
    .filter(([name]) => !KEPT.has(name))
    .map(([name, { value, enumerable }]): Property => [name, value, enumerable === true]);
}

/** Gives errors back what they had. */
export function restoreErrors(carried: readonly CarriedError[] | undefined): void {
  if (carried === undefined) return;
  for (const { error, properties } of carried)
    for (const [name, value, enumerable] of properties)
      Object.defineProperty(error, name, { value, enumerable, configurable: true, writable: true });
}

/** More properties than a value that the guard lets pass can have: only a list that is repeated has so many. */
const PROPERTIES_MAX = 2 ** 21;

/** Whether this is such a list, whoever made it. */
export function isCarriedErrors(value: unknown): boolean {
  if (value === undefined) return true;
  let left = PROPERTIES_MAX;
  return (
    Array.isArray(value) &&
    value.every((one: unknown) => {
      const { error, properties } = (one ?? {}) as Partial<CarriedError>;
      if (!(error instanceof Error) || !Array.isArray(properties)) return false;
      left -= properties.length;
      return left >= 0 && properties.every(isProperty);
    })
  );
}

function isProperty(value: unknown): boolean {
  return Array.isArray(value) && typeof value[0] === 'string' && typeof value[2] === 'boolean';
}
