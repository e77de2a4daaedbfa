/**
 * Values to text.
 *
 * C1  The same value always gives the same text, and what is decoded from it gives that text again.
 * C2  No code of the host runs: no getter, no `toJSON`.
 * C3  Nothing is left out or replaced in silence.
 */

import { describeOther, describeValue } from '../describe-value.ts';
import { readErrorText } from '../error-text.ts';
import { Reference } from '../reference.ts';
import { kindOf, typedArrayName, type ValueKind } from '../value-kinds.ts';
import { lookupGetter } from '../value-walker.ts';
import { bytesToText, itemsToText } from './bytes.ts';
import { ERROR_KEYS, isMisread, MOST_CHARACTERS, MOST_LEVELS, oddNumber, TAGGED } from './format.ts';
import { CodecRefusal } from './refusal.ts';

const isEnumerable = Object.prototype.propertyIsEnumerable;

/** The most objects that are searched one by one for one that was met before; a set costs more than that. */
const FEW = 12;

/** The objects of a value that were met. */
class Met {
  readonly #few: object[] = [];
  #many: Set<object> | undefined;
  /** Whether one of them is of another realm, which may have a `toJSON` of its own. */
  hasForeign = false;

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
    const met = new Met();
    const isTree = isPlain(value, met, 1);
    if (isTree && isNative && !met.hasForeign) return sized(JSON.stringify(value) as string);
    const writer = new Writer(value, isTree);
    return sized(isTree ? writer.run() : TAGGED + writer.run());
  } catch (error) {
    if (error instanceof CodecRefusal) throw error;
    // The engine's own limits, on the length of a text and on nested calls, and the traps of a proxy.
    if (error instanceof RangeError)
      throw new CodecRefusal('size', `more than can be written here (${String(error)})`, { pointer: '' });
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
  if (!isCommon) met.hasForeign = true;
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i += 1) {
      if (lookupGetter.call(value, i) !== undefined) return false;
      if (!isPlain(value[i], met, level + 1)) return false;
    }
    return true;
  }
  if (hasSymbolKey(value)) return false;
  const keys = Object.keys(value);
  for (let i = 0; i < keys.length; i += 1) {
    const key = keys[i] as string;
    if (key.length === 1 && isMisread(key)) return false;
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
  /** Every object that was met, with the levels below it; -1 while the walk is inside of it. */
  readonly #met = new Map<object, number>();
  /** Those that were met again. */
  readonly #again = new Set<object>();
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

  /** Checks a value, and finds what it refers to more than once. Returns the levels below it, -1 for a primitive. */
  #look(value: unknown): number {
    if (typeof value === 'function' || typeof value === 'symbol')
      throw this.#refused('value', describeValue(value));
    if (typeof value !== 'object' || value === null) return -1;
    const known = this.#met.get(value);
    if (known === -1) throw this.#refused('value', 'a cycle');
    if (this.#path.length + (known ?? 0) >= MOST_LEVELS)
      throw this.#refused('depth', `nesting deeper than ${MOST_LEVELS} levels`);
    if (known !== undefined) {
      this.#again.add(value);
      return known;
    }
    this.#met.set(value, -1);
    const kind = kindOf(value);
    if (kind === 'other' && !Reference.is(value)) throw this.#refused('value', describeOther(value));
    let height = 0;
    for (const [key, item] of this.#parts(value, kind)) {
      this.#path.push(key);
      height = Math.max(height, this.#look(item) + 1);
      this.#path.pop();
    }
    this.#met.set(value, height);
    return height;
  }

  /** What an object is made of, in the order in which it is written. */
  *#parts(value: object, kind: ValueKind): Generator<readonly [string | number, unknown]> {
    if (kind === 'array') {
      const length = (value as readonly unknown[]).length;
      for (let i = 0; i < length; i += 1) yield [i, this.#read(value, i)];
    } else if (kind === 'plain') {
      if (hasSymbolKey(value)) throw this.#refused('value', 'a symbol key');
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
      for (const key of ['cause', 'errors', ...ownErrorKeys(value)])
        if (isOwnData(value, key)) yield [key, (value as Record<string, unknown>)[key]];
    }
  }

  #read(value: object, key: string | number): unknown {
    const isGetter = lookupGetter.call(value, key) !== undefined;
    const found = isGetter ? undefined : (value as Record<string | number, unknown>)[key];
    const isSetter = found === undefined && Object.getOwnPropertyDescriptor(value, key)?.set !== undefined;
    if (!isGetter && !isSetter) return found;
    this.#path.push(key);
    throw this.#refused('value', isGetter ? 'a getter' : 'a setter');
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
    if (!this.#again.has(value)) return this.#writeContent(value);
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
        return `["~a","${bytesToText(new Uint8Array(value as ArrayBuffer))}"]`;
      case 'typed':
        return this.#writeItemsOf(value as ArrayBufferView);
      case 'other': {
        // Everything else of this kind was refused before.
        const { id, bytes } = value as Reference;
        return `["~r","${id}",${bytes}]`;
      }
      default:
        return `["~v","${bytesToText(value as ArrayBufferView)}"]`;
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
    const isOdd = keys.some(isMisread);
    let text = isOdd ? '"~o"' : '';
    for (const key of keys) {
      const item = this.#write((value as Record<string, unknown>)[key]);
      text += `${text === '' ? '' : ','}${JSON.stringify(key)}${isOdd ? ',' : ':'}${item}`;
    }
    return isOdd ? `[${text}]` : `{${text}}`;
  }

  #writeItems(value: object, kind: 'map' | 'set'): string {
    let text = kind === 'map' ? '["~m"' : '["~s"';
    for (const [, item] of this.#parts(value, kind)) text += `,${this.#write(item)}`;
    return `${text}]`;
  }

  #writeItemsOf(value: ArrayBufferView): string {
    const name = typedArrayName(value);
    return `["~t","${name}","${itemsToText(name, value)}"]`;
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

/** Whether there is a property that would be left out. */
function hasSymbolKey(value: object): boolean {
  const symbols = Object.getOwnPropertySymbols(value);
  return symbols.length > 0 && symbols.some((symbol) => isEnumerable.call(value, symbol));
}

/** The enumerable data properties of an error that have no place of their own. */
function ownErrorKeys(error: object): string[] {
  return Object.keys(error).filter((key) => !ERROR_KEYS.has(key) && isOwnData(error, key));
}

/** Whether an error has a part that is carried: the guard leaves out what it cannot carry of an error. */
function isOwnData(value: object, key: string): boolean {
  const found = Object.getOwnPropertyDescriptor(value, key);
  if (found === undefined || !('value' in found)) return false;
  return key !== 'errors' || Array.isArray(found.value);
}
