/**
 * Text to values. The text may be anything: a damaged file, or one that somebody wrote to do harm.
 *
 * C4  Whatever the text, the answer is a value or a `CodecRefusal`, in a time that grows with the length of the text.
 * C5  Nothing but the kinds of the format is made: no class is looked up, no prototype set, no code of the text run.
 * C6  What is made shares nothing with anything else, and is frozen as the guard freezes it.
 */

import { defineData, setOwn } from '../copy-guarded.ts';
import { typedArrayOver } from '../value-kinds.ts';
import { findFault, offsetOf } from './find-fault.ts';
import { ERROR_KEYS, MOST_CHARACTERS, MOST_TEXT_LEVELS, ODD_NUMBERS, TAGGED } from './format.ts';
import { CodecRefusal } from './refusal.ts';

/** How much {@link decodeValue} accepts. */
export interface DecodeLimits {
  /** The most arrays and objects of the text inside each other; 3,400 when absent, which is the most. */
  readonly depth?: number | undefined;
  /** The most UTF-16 units of the text; 2^28 when absent. */
  readonly characters?: number | undefined;
}

const OPEN_OBJECT = 0x7b;
const OPEN_ARRAY = 0x5b;
const CLOSE_OBJECT = 0x7d;
const CLOSE_ARRAY = 0x5d;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;

/** The last moment that a date can name, in milliseconds from 1970. */
const LAST_DATE = 8.64e15;

/** A place in the tree of a text. */
type Path = (string | number)[];

/**
 * Reads what `encodeValue` wrote. Plain objects and arrays are frozen; dates, maps, sets, buffers and errors are new.
 *
 * @throws CodecRefusal for anything else, with its `reason` and the `offset` in the text
 */
export function decodeValue(text: string, limits?: DecodeLimits): unknown {
  const characters = limits?.characters ?? MOST_CHARACTERS;
  if (text.length > characters)
    throw new CodecRefusal('size', `more than ${characters} characters`, { offset: characters });
  const start = text.startsWith(TAGGED) ? TAGGED.length : 0;
  const keys = scan(text, start, Math.min(limits?.depth ?? MOST_TEXT_LEVELS, MOST_TEXT_LEVELS));
  let tree: unknown;
  try {
    tree = JSON.parse(start === 0 ? text : text.slice(start));
  } catch {
    throw findFault(text, start) ?? new CodecRefusal('syntax', 'no JSON', { offset: start });
  }
  try {
    return new Reader(text, start, keys).run(tree);
  } catch (error) {
    if (error instanceof CodecRefusal) throw error;
    // The rest of the caller's stack was shorter than the limit of depth expects, or the memory for a buffer is gone.
    throw new CodecRefusal('depth', `more than can be read here (${String(error)})`, { offset: start });
  }
}

/**
 * Counts the keys of all objects, and refuses a text that is nested too deeply. Of a text that is no JSON it says
 * nothing of use.
 */
function scan(text: string, start: number, mostLevels: number): number {
  let level = 0;
  let keys = 0;
  for (let i = start; i < text.length; i += 1) {
    const unit = text.charCodeAt(i);
    if (unit === QUOTE) {
      i = endOfString(text, i);
    } else if (unit === OPEN_OBJECT || unit === OPEN_ARRAY) {
      level += 1;
      if (level > mostLevels)
        throw new CodecRefusal('depth', `nesting deeper than ${mostLevels} levels`, { offset: i });
    } else if (unit === CLOSE_OBJECT || unit === CLOSE_ARRAY) {
      level -= 1;
    } else if (unit === COLON) {
      keys += 1;
    }
  }
  return keys;
}

/** The place of the quote that ends the string which begins at `start`; the length of the text if there is none. */
function endOfString(text: string, start: number): number {
  for (let i = start + 1; i < text.length; i += 1) {
    const unit = text.charCodeAt(i);
    if (unit === QUOTE) return i;
    if (unit === BACKSLASH) i += 1;
  }
  return text.length;
}

/** Makes the value of a parsed text; it is used once. */
class Reader {
  readonly #text: string;
  readonly #start: number;
  /** How many keys the text has; there are fewer in the tree when one of them occurs twice. */
  readonly #keys: number;
  readonly #isTagged: boolean;
  readonly #path: Path = [];
  /** The objects that are referred to again; undefined while one is being made. */
  readonly #shared: (object | undefined)[] = [];
  #keysSeen = 0;

  constructor(text: string, start: number, keys: number) {
    this.#text = text;
    this.#start = start;
    this.#keys = keys;
    this.#isTagged = start > 0;
  }

  run(tree: unknown): unknown {
    const value = this.#make(tree);
    if (this.#keysSeen === this.#keys) return value;
    throw (
      findFault(this.#text, this.#start) ??
      new CodecRefusal('duplicate_key', 'a key twice in one object', { offset: this.#start })
    );
  }

  #make(node: unknown): unknown {
    if (typeof node === 'object') {
      if (node === null) return null;
      if (!Array.isArray(node)) return this.#makePlain(node as Record<string, unknown>);
      const first: unknown = node[0];
      if (this.#isTagged && typeof first === 'string' && first.startsWith('~')) {
        if (!first.startsWith('~~')) return this.#makeTagged(node);
        node[0] = first.slice(1);
      }
      return this.#makeArray(node);
    }
    if (typeof node === 'number' && !Number.isFinite(node))
      throw this.#refused('number', 'a number that is too large');
    return node;
  }

  /** The value of what stands in a node of the tree under a key. */
  #child(node: unknown, key: string | number): unknown {
    if (typeof node === 'string') return node;
    this.#path.push(key);
    const value = this.#make(node);
    this.#path.pop();
    return value;
  }

  #makePlain(node: Record<string, unknown>): object {
    const keys = Object.keys(node);
    this.#keysSeen += keys.length;
    for (let i = 0; i < keys.length; i += 1) {
      const key = keys[i] as string;
      const item = node[key];
      const value = this.#child(item, key);
      if (value !== item) setOwn(node, key, value);
    }
    return Object.freeze(node);
  }

  #makeArray(node: unknown[]): object {
    for (let i = 0; i < node.length; i += 1) node[i] = this.#child(node[i], i);
    return Object.freeze(node);
  }

  #makeTagged(node: readonly unknown[]): unknown {
    switch (node[0]) {
      case '~u':
        this.#checkLength(node, 1);
        return undefined;
      case '~n':
        return this.#makeNumber(this.#textAt(node, 1, 2));
      case '~b':
        return this.#makeBigint(this.#textAt(node, 1, 2));
      case '~d':
        return this.#makeDate(node);
      case '~m':
        return this.#makeMap(node);
      case '~s':
        return this.#makeSet(node);
      case '~a':
        return this.#bytes(this.#textAt(node, 1, 2)).buffer;
      case '~v':
        return new DataView(this.#bytes(this.#textAt(node, 1, 2)).buffer);
      case '~t':
        return this.#makeTyped(this.#textAt(node, 1, 3), this.#textAt(node, 2, 3));
      case '~e':
        return this.#makeError(node);
      case '~=':
        return this.#makeShared(node);
      case '~@':
        return this.#makeAgain(node);
      default:
        throw this.#refused('tag', 'an unknown tag');
    }
  }

  #makeNumber(text: string): number {
    const number = ODD_NUMBERS.get(text);
    if (number === undefined) throw this.#refused('tag', 'an unknown number');
    return number;
  }

  #makeBigint(text: string): bigint {
    const isNegative = text.startsWith('-');
    const digits = isNegative ? text.slice(1) : text;
    if (!/^(?:0|[1-9a-f][0-9a-f]*)$/.test(digits) || text === '-0') throw this.#refused('tag', 'no bigint');
    try {
      const size = BigInt(`0x${digits}`);
      return isNegative ? -size : size;
    } catch {
      throw this.#refused('tag', 'a bigint that is too large');
    }
  }

  #makeDate(node: readonly unknown[]): Date {
    this.#checkLength(node, 2);
    const time = node[1];
    if (time === null) return new Date(Number.NaN);
    if (!Number.isInteger(time) || Math.abs(time as number) > LAST_DATE)
      throw this.#refused('tag', 'no date');
    return new Date(time as number);
  }

  #makeMap(node: readonly unknown[]): object {
    const map = new Map<unknown, unknown>();
    if (node.length % 2 === 0) throw this.#refused('tag', 'a map with a key without a value');
    for (let i = 1; i < node.length; i += 2)
      map.set(this.#child(node[i], i), this.#child(node[i + 1], i + 1));
    if (map.size !== (node.length - 1) / 2) throw this.#refused('duplicate_key', 'a key twice in one map');
    return map;
  }

  #makeSet(node: readonly unknown[]): object {
    const set = new Set<unknown>();
    for (let i = 1; i < node.length; i += 1) set.add(this.#child(node[i], i));
    if (set.size !== node.length - 1) throw this.#refused('duplicate_key', 'an item twice in one set');
    return set;
  }

  #makeTyped(name: string, text: string): object {
    const found = typedArrayOver(name, this.#bytes(text).buffer);
    if (found === undefined) throw this.#refused('tag', 'no typed array of a kind that is known here');
    return found;
  }

  #makeError(node: readonly unknown[]): Error {
    const [name, message, stack] = [1, 2, 3].map((at) => this.#textAt(node, at, 6)) as [
      string,
      string,
      string,
    ];
    const hidden = this.#child(node[4], 4);
    const own = this.#child(node[5], 5);
    if (!isRecord(hidden) || !isRecord(own)) throw this.#refused('tag', 'an error without its properties');
    const out = new Error(message);
    if (name !== 'Error') defineData(out, 'name', name, false);
    defineData(out, 'stack', stack, false);
    for (const key of Object.keys(hidden)) {
      if (key !== 'cause' && key !== 'errors') throw this.#refused('tag', 'an error with an unknown part');
      if (key === 'errors' && !Array.isArray(hidden[key]))
        throw this.#refused('tag', 'errors that are no array');
      defineData(out, key, hidden[key], false);
    }
    for (const key of Object.keys(own)) {
      if (ERROR_KEYS.has(key)) throw this.#refused('tag', 'an error with a part in the wrong place');
      defineData(out, key, own[key], true);
    }
    return out;
  }

  #makeShared(node: readonly unknown[]): object {
    this.#checkLength(node, 2);
    const number = this.#shared.length;
    this.#shared.push(undefined);
    const value = this.#child(node[1], 1);
    const isTwice = Array.isArray(node[1]) && (node[1][0] === '~=' || node[1][0] === '~@');
    if (typeof value !== 'object' || value === null || isTwice)
      throw this.#refused('tag', 'no object of its own to refer to');
    this.#shared[number] = value;
    return value;
  }

  #makeAgain(node: readonly unknown[]): object {
    this.#checkLength(node, 2);
    const value = Number.isInteger(node[1]) ? this.#shared[node[1] as number] : undefined;
    if (value === undefined) throw this.#refused('tag', 'a reference to no object before it');
    return value;
  }

  /** The bytes of a text in base 64, in a buffer of their own. */
  #bytes(text: string): Uint8Array<ArrayBuffer> {
    const found = Buffer.from(text, 'base64');
    // The decoder of the platform passes over what it does not understand.
    if (found.toString('base64') !== text) throw this.#refused('tag', 'no text in base 64');
    return new Uint8Array(found);
  }

  #textAt(node: readonly unknown[], at: number, length: number): string {
    this.#checkLength(node, length);
    const text = node[at];
    if (typeof text !== 'string') throw this.#refused('tag', 'a tag without its text');
    return text;
  }

  #checkLength(node: readonly unknown[], length: number): void {
    if (node.length !== length)
      throw this.#refused('tag', `a tag with ${node.length - 1} parts, not ${length - 1}`);
  }

  #refused(reason: 'number' | 'tag' | 'duplicate_key', found: string): CodecRefusal {
    return new CodecRefusal(reason, found, { offset: offsetOf(this.#text, this.#start, this.#path) });
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}
