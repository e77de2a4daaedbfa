/** A short mark of a value: two values have the same one if a store gives back what was given to it. */
import { createHash, type Hash } from 'node:crypto';

export function digestOf(value: unknown): string {
  const hash = createHash('sha1');
  feed(hash, value);
  return hash.digest('base64').slice(0, 12);
}

/** The mark of a whole run: of what each of its tasks has given. */
export function digestOfTasks(tasks: Readonly<Record<string, string>>): string {
  return digestOf(
    Object.entries(tasks)
      .map(([path, digest]) => `${path}=${digest}`)
      .sort(),
  );
}

function feed(hash: Hash, value: unknown): void {
  if (value === null || typeof value !== 'object') {
    hash.update(`${typeof value}:${Object.is(value, -0) ? '-0' : String(value)};`);
  } else if (value instanceof Date) {
    hash.update(`date:${value.getTime()};`);
  } else if (ArrayBuffer.isView(value)) {
    hash.update(`${value.constructor.name}:${value.byteLength};`);
    hash.update(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
  } else if (value instanceof Map) {
    feedAll(hash, 'map', [...value].flat(1));
  } else if (value instanceof Set) {
    feedAll(hash, 'set', [...value]);
  } else if (Array.isArray(value)) {
    feedAll(hash, 'array', value);
  } else {
    const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
    feedAll(hash, 'object', entries.flat(1));
  }
}

function feedAll(hash: Hash, kind: string, values: readonly unknown[]): void {
  hash.update(`${kind}:${values.length};`);
  for (const one of values) feed(hash, one);
}
