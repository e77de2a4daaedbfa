/**
 * Values to text.
 *
 * C1  The same value always gives the same text, and what is decoded from it gives that text again.
 * C2  No code of the host runs: no getter, no `toJSON`.
 * C3  Nothing is left out or replaced in silence.
 */

import { describeOther, describeValue } from '../describe-value.ts';
import { readErrorText } from '../error-text.ts';
import { kindOf, typedArrayName, type ValueKind } from '../value-kinds.ts';
import { lookupGetter } from '../value-walker.ts';
import { ERROR_KEYS, MOST_CHARACTERS, MOST_LEVELS, oddNumber, TAGGED } from './format.ts';
import { CodecRefusal } from './refusal.ts';

/** The most objects that are searched one by one for one that was met before; a set costs more than that. */
const FEW = 12;

/** The objects of a value that were met. */
class Met {
  readonly #few: object[] = [];
  #many: Set<object> | undefined;

  /** Whether it is met for the first time. */
  add(value: object): boolean {
    const few = this.#few;
    if (this.#many === undefined) {
      for (let i = 0; i < few.length; i += 1) if (few[i] === value) return false;
      if (few.push(value) > FEW) this.#many = new Set(few);
      return true;
    }
    if (this.#many.has(value)) return false;
    this.#many.add(value);
    return true;
  }
}

/**
 * Writes a value that the guard lets pass (see `guardValue`) as one line of JSON text, behind a `~` unless it is plain
 * JSON data. Objects keep the order of their keys. A lone surrogate is escaped, so the text can be stored as UTF-8.
 *
 * @throws CodecRefusal `value` for what the guard would refuse, with a pointer to it; `depth` beyond 1,100 levels;
 * `size` beyond 2^28 characters
 */
export function encodeValue(value: unknown): string {
  // Whoever gives built-in objects a `toJSON` must not change what is stored.
  const isNative = !('toJSON' in Array.prototype);
  try {
    const isTree = isPlain(value, new Met(), 1);
    if (isTree && isNative) return sized(JSON.stringify(value) as string);
    const writer = new Writer(value, isTree);
    return sized(isTree ? writer.run() : TAGGED + writer.run());
  } catch (error) {
    if (error instanceof CodecRefusal) throw error;
    // The engine's own limits, on the length of a text and on nested calls, and the traps of a proxy.
    if (error instanceof RangeError)
      throw new CodecRefusal('size', 'more than can be written', { pointer: '' });
    throw new CodecRefusal('value', 'an object that cannot be read', { pointer: '' });
  }
}

function sized(text: string): string {
  if (text.length <= MOST_CHARACTERS) return text;
  throw new CodecRefusal('size', `more than ${MOST_CHARACTERS} characters`, { pointer: '' });
}

/** Whether a value is JSON data, and each object of it stands in one place only. */
function isPlain(value: unknown, met: Met, level: number): boolean {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return true;
    case 'number':
      return value === 0 ? 1 / value > 0 : value - value === 0;
    case 'object':
      return value === null || isPlainObject(value, met, level);
    default:
      return false;
  }
}

function isPlainObject(value: object, met: Met, level: number): boolean {
  if (level > MOST_LEVELS || !met.add(value)) return false;
  const proto: unknown = Object.getPrototypeOf(value);
  const isCommon = proto === Object.prototype || proto === Array.prototype || proto === null;
  const kind = isCommon ? undefined : kindOf(value);
  if (!isCommon && kind !== 'plain' && kind !== 'array') return false;
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i += 1) {
      if (lookupGetter.call(value, i) !== undefined) return false;
      if (!isPlain(value[i], met, level + 1)) return false;
    }
    return true;
  }
  const keys = Object.keys(value);
  for (let i = 0; i < keys.length; i += 1) {
    const key = keys[i] as string;
    if (lookupGetter.call(value, key) !== undefined) return false;
    if (!isPlain((value as Record<string, unknown>)[key], met, level + 1)) return false;
  }
  return true;
}

/** Writes one value; it is used once. */
class Writer {
  readonly #root: unknown;
  /** Whether nothing needs a tag. */
  readonly #isTree: boolean;
  /** Every object that was met: whether the walk is inside it, done with it, or has met it again. */
  readonly #met = new Map<object, 'inside' | 'once' | 'again'>();
  /** The numbers of those that were met again, in the order in which they are written. */
  readonly #numbers = new Map<object, number>();
  readonly #path: (string | number)[] = [];

  constructor(root: unknown, isTree: boolean) {
    this.#root = root;
    this.#isTree = isTree;
  }

  run(): string {
    this.#look(this.#root);
    return this.#write(this.#root);
  }

  /** Checks a value, and finds what it refers to more than once. */
  #look(value: unknown): void {
    if (typeof value === 'function' || typeof value === 'symbol')
      throw this.#refused('value', describeValue(value));
    if (typeof value !== 'object' || value === null) return;
    const met = this.#met.get(value);
    if (met === 'inside') throw this.#refused('value', 'a cycle');
    this.#met.set(value, met === undefined ? 'inside' : 'again');
    if (met !== undefined) return;
    if (this.#path.length >= MOST_LEVELS)
      throw this.#refused('depth', `nesting deeper than ${MOST_LEVELS} levels`);
    const kind = kindOf(value);
    if (kind === 'other') throw this.#refused('value', describeOther(value));
    for (const [key, item] of this.#parts(value, kind)) {
      this.#path.push(key);
      this.#look(item);
      this.#path.pop();
    }
    // It cannot have been met again from inside itself: that would be a cycle.
    this.#met.set(value, 'once');
  }

  /** What an object is made of, in the order in which it is written. */
  *#parts(value: object, kind: ValueKind): Generator<readonly [string | number, unknown]> {
    if (kind === 'array') {
      const length = (value as readonly unknown[]).length;
      for (let i = 0; i < length; i += 1) yield [i, this.#read(value, i)];
    } else if (kind === 'plain') {
      for (const key of Object.keys(value)) yield [key, this.#read(value, key)];
    } else if (kind === 'map') {
      let index = 0;
      for (const [key, item] of Map.prototype.entries.call(value)) {
        yield [index, key];
        yield [index, item];
        index += 1;
      }
    } else if (kind === 'set') {
      let index = 0;
      for (const item of Set.prototype.values.call(value)) yield [index++, item];
    } else if (kind === 'error') {
      for (const key of ['cause', 'errors', ...ownErrorKeys(value)]) {
        const found = Object.getOwnPropertyDescriptor(value, key);
        if (found !== undefined && 'value' in found) yield [key, found.value];
      }
    }
  }

  #read(value: object, key: string | number): unknown {
    if (lookupGetter.call(value, key) === undefined) return (value as Record<string | number, unknown>)[key];
    this.#path.push(key);
    throw this.#refused('value', 'a getter');
  }

  #write(value: unknown): string {
    switch (typeof value) {
      case 'undefined':
        return '["~u"]';
      case 'bigint':
        return `["~b","${value.toString(16)}"]`;
      case 'number':
        if (Number.isFinite(value) && !Object.is(value, -0)) return String(value);
        return `["~n","${oddNumber(value)}"]`;
      case 'object':
        return value === null ? 'null' : this.#writeObject(value);
      default:
        return JSON.stringify(value);
    }
  }

  #writeObject(value: object): string {
    if (this.#met.get(value) !== 'again') return this.#writeContent(value);
    const number = this.#numbers.get(value);
    if (number !== undefined) return `["~@",${number}]`;
    this.#numbers.set(value, this.#numbers.size);
    return `["~=",${this.#writeContent(value)}]`;
  }

  #writeContent(value: object): string {
    const kind = kindOf(value);
    switch (kind) {
      case 'array':
        return this.#writeArray(value as readonly unknown[]);
      case 'plain':
        return this.#writeKeys(value, Object.keys(value));
      case 'date': {
        const time = Date.prototype.getTime.call(value);
        return `["~d",${Number.isNaN(time) ? 'null' : time}]`;
      }
      case 'map':
      case 'set':
        return this.#writeItems(value, kind);
      case 'error':
        return this.#writeError(value);
      case 'buffer':
        return `["~a","${base64(new Uint8Array(value as ArrayBuffer))}"]`;
      case 'typed':
        return `["~t","${typedArrayName(value)}","${base64(value as ArrayBufferView)}"]`;
      default:
        return `["~v","${base64(value as ArrayBufferView)}"]`;
    }
  }

  #writeArray(value: readonly unknown[]): string {
    if (value.length === 0) return '[]';
    const first = value[0];
    let text = '[';
    if (!this.#isTree && typeof first === 'string' && first.startsWith('~'))
      text += JSON.stringify(`~${first}`);
    else text += this.#write(first);
    for (let i = 1; i < value.length; i += 1) text += `,${this.#write(value[i])}`;
    return `${text}]`;
  }

  #writeKeys(value: object, keys: readonly string[]): string {
    let text = '';
    for (const key of keys) {
      const item = this.#write((value as Record<string, unknown>)[key]);
      text += `${text === '' ? '' : ','}${JSON.stringify(key)}:${item}`;
    }
    return `{${text}}`;
  }

  #writeItems(value: object, kind: 'map' | 'set'): string {
    let text = kind === 'map' ? '["~m"' : '["~s"';
    for (const [, item] of this.#parts(value, kind)) text += `,${this.#write(item)}`;
    return `${text}]`;
  }

  #writeError(value: object): string {
    const { name, message, stack } = readErrorText(value);
    const head = [name, message, stack ?? `${name}: ${message}`].map((text) => JSON.stringify(text)).join();
    const hidden = this.#writeKeys(
      value,
      ['cause', 'errors'].filter((key) => isOwnData(value, key)),
    );
    return `["~e",${head},${hidden},${this.#writeKeys(value, ownErrorKeys(value))}]`;
  }

  #refused(reason: 'value' | 'depth', found: string): CodecRefusal {
    let pointer = '';
    for (const key of this.#path) pointer += `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`;
    return new CodecRefusal(reason, found, { pointer });
  }
}

/** The enumerable data properties of an error that have no place of their own. */
function ownErrorKeys(error: object): string[] {
  return Object.keys(error).filter((key) => !ERROR_KEYS.has(key) && isOwnData(error, key));
}

function isOwnData(value: object, key: string): boolean {
  const found = Object.getOwnPropertyDescriptor(value, key);
  return found !== undefined && 'value' in found;
}

function base64(bytes: ArrayBufferView): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}
