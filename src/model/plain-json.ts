/** Copies data that the guard has passed into what JSON tells exactly, or points at what it cannot tell. */
import { setOwn } from '../base/copy-guarded.ts';
import { describeValue } from '../base/values.ts';
import { isPlain } from './checks.ts';
import { refuse } from './errors.ts';

/**
 * A copy that is the same after `JSON.parse(JSON.stringify(copy))`. The guard has bounded its depth.
 * @throws OrchestratorError `VALUE_UNSERIALISABLE`
 */
export function plainJson(value: unknown, at: string): unknown {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value;
    case 'number':
      if (Number.isFinite(value) && !Object.is(value, -0)) return value;
      throw unserialisable(value, at);
    case 'object':
      if (value === null) return null;
      if (Array.isArray(value)) return value.map((item, i) => plainJson(item, `${at}/${i}`));
      if (!isPlain(value)) throw unserialisable(value, at);
      return copyRecord(value as Readonly<Record<string, unknown>>, at);
    default:
      throw unserialisable(value, at);
  }
}

function copyRecord(record: Readonly<Record<string, unknown>>, at: string): Record<string, unknown> {
  const copy: Record<string, unknown> = {};
  for (const key of Object.keys(record)) setOwn(copy, key, plainJson(record[key], `${at}/${key}`));
  return copy;
}

function unserialisable(value: unknown, at: string): Error {
  return refuse('VALUE_UNSERIALISABLE', {
    at,
    found: Object.is(value, -0) ? 'the number -0' : describeValue(value),
    allowed: 'what JSON tells: null, booleans, finite numbers, strings, arrays, plain objects',
    hint: 'Write it as text, or leave the key out.',
  });
}
