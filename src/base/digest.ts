/**
 * A short mark of plain data: equal values have equal marks, and a value that was damaged has, as good as certainly,
 * another one. It is no defence against somebody who wants to be mistaken.
 *
 * A field that is `undefined` counts as absent, since an encoding may leave it out; the order of fields counts as
 * nothing, the order in arrays, maps and sets does. The mixing is that of Bob Jenkins' one-at-a-time hash, in two
 * lanes of 32 bits.
 */
import { copyLeaf, kindOf } from './value-kinds.ts';

class Lanes {
  #one = 0x811c9dc5;
  #two = 0x41c6ce57;

  add(unit: number): void {
    this.#one = Math.imul(this.#one ^ unit, 0x9e3779b1);
    this.#two = Math.imul(this.#two ^ unit, 0x5f356495);
    this.#one ^= this.#one >>> 15;
    this.#two ^= this.#two >>> 13;
  }

  text(text: string): void {
    this.add(text.length);
    for (let i = 0; i < text.length; i++) this.add(text.charCodeAt(i));
  }

  print(): string {
    const hex = (lane: number): string => (lane >>> 0).toString(16).padStart(8, '0');
    return hex(Math.imul(this.#one ^ (this.#two >>> 16), 0x85ebca6b)) + hex(this.#two ^ (this.#one >>> 16));
  }
}

/** The mark of a value that the guard of values has let pass: 16 hexadecimal digits. */
export function digestOf(value: unknown): string {
  const lanes = new Lanes();
  mix(lanes, value);
  return lanes.print();
}

function mix(lanes: Lanes, value: unknown): void {
  if (typeof value !== 'object' || value === null) {
    lanes.text(typeof value);
    lanes.text(Object.is(value, -0) ? '-0' : String(value));
    return;
  }
  const kind = kindOf(value);
  lanes.text(kind);
  switch (kind) {
    case 'array':
      mixAll(lanes, value as readonly unknown[]);
      return;
    case 'map':
      for (const [key, held] of value as ReadonlyMap<unknown, unknown>) mixAll(lanes, [key, held]);
      return;
    case 'set':
      mixAll(lanes, [...(value as ReadonlySet<unknown>)]);
      return;
    case 'date':
      lanes.text(String(Date.prototype.getTime.call(value)));
      return;
    case 'buffer':
    case 'typed':
    case 'view':
      // The same bytes are other numbers in an array of another type.
      if (kind === 'typed') lanes.text(value.constructor.name);
      mixBytes(lanes, copyLeaf(value, kind));
      return;
    case 'error': {
      const { name, message } = value as Error;
      mixFields(lanes, { ...value, name, message });
      return;
    }
    default:
      mixFields(lanes, value);
  }
}

function mixAll(lanes: Lanes, values: readonly unknown[]): void {
  lanes.add(values.length);
  for (let i = 0; i < values.length; i++) mix(lanes, values[i]);
}

function mixFields(lanes: Lanes, value: object): void {
  const fields = value as Readonly<Record<string, unknown>>;
  for (const key of Object.keys(fields).sort()) {
    if (fields[key] === undefined) continue;
    lanes.text(key);
    mix(lanes, fields[key]);
  }
}

function mixBytes(lanes: Lanes, copy: object): void {
  const bytes = ArrayBuffer.isView(copy)
    ? new Uint8Array(copy.buffer, copy.byteOffset, copy.byteLength)
    : new Uint8Array(copy as ArrayBuffer);
  lanes.add(bytes.length);
  for (const byte of bytes) lanes.add(byte);
}
