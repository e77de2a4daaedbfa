/**
 * Makes the value of a text that has tags. It keeps a stack of its own: what was written must be read, however deep the
 * caller's stack is.
 */

import { defineData, setOwn } from '../copy-guarded.ts';
import { REFERENCE_ID, Reference } from '../reference.ts';
import { textToBytes, textToItems } from './bytes.ts';
import { offsetOf } from './find-fault.ts';
import { ERROR_KEYS, ODD_NUMBERS } from './format.ts';
import { CodecRefusal } from './refusal.ts';

/** The last moment that a date can name, in milliseconds from 1970. */
const LAST_DATE = 8.64e15;

/** The tags of what has other values in it; '' is an array or an object of the text. */
type Holder = '' | '~m' | '~s' | '~o' | '~e' | '~=';

/** An array or object of the text that the reader is inside of. Its parts are replaced one by one by what they mean. */
interface Frame {
  readonly node: unknown[] | Record<string, unknown>;
  /** The keys of an object. */
  readonly keys: readonly string[] | undefined;
  readonly tag: Holder;
  /** The level of the value that it is or stands in; 0 around the root. */
  readonly level: number;
  /** The number of what is referred to again. */
  readonly number: number;
  readonly end: number;
  /** The part that is read next. */
  next: number;
  /** The deepest level that was met inside. */
  deepest: number;
}

/** Something that is referred to again. */
interface Shared {
  readonly value: object;
  /** How many levels are below it. */
  readonly height: number;
}

/** It is used once. */
export class TaggedReader {
  readonly #text: string;
  readonly #start: number;
  readonly #levels: number;
  readonly #frames: Frame[] = [];
  /** Undefined while one is being made. */
  readonly #shared: (Shared | undefined)[] = [];
  /** How many keys the objects of the tree have. */
  keys = 0;

  constructor(text: string, start: number, levels: number) {
    this.#text = text;
    this.#start = start;
    this.#levels = levels;
  }

  /** @throws CodecRefusal `tag`, `number`, `depth`, `duplicate_key` */
  run(tree: unknown): unknown {
    const root = [tree];
    this.#push(root, undefined, '', 0, 0);
    for (;;) {
      const frame = this.#frames[this.#frames.length - 1] as Frame;
      if (frame.next < frame.end) {
        frame.next += 1;
        this.#read(frame);
        continue;
      }
      if (this.#frames.length === 1) return root[0];
      // It is left first, so that a refusal points to it as a whole.
      this.#frames.pop();
      const value = this.#finish(frame);
      const outer = this.#frames[this.#frames.length - 1] as Frame;
      outer.deepest = Math.max(outer.deepest, frame.deepest);
      put(outer, value);
    }
  }

  #push(node: Frame['node'], keys: Frame['keys'], tag: Holder, level: number, first: number): void {
    const number = tag === '~=' ? this.#shared.push(undefined) - 1 : -1;
    const end = keys === undefined ? (node as unknown[]).length : keys.length;
    this.#frames.push({ node, keys, tag, level, number, end, next: first, deepest: level });
  }

  /** Reads the part of a frame that it has just gone on to. */
  #read(frame: Frame): void {
    const node = partOf(frame);
    if (typeof node === 'number') {
      if (node - node !== 0) throw this.#refused('number', 'a number that is too large');
      return;
    }
    if (typeof node !== 'object' || node === null) return;
    const level = frame.level + 1;
    if (!Array.isArray(node)) {
      const keys = Object.keys(node);
      this.keys += keys.length;
      // The parts of an error stand in two objects that are none of the value.
      const isPart = frame.tag === '~e';
      this.#push(node as Frame['node'], keys, '', isPart ? frame.level : this.#checked(frame, level), 0);
      return;
    }
    const tag: unknown = node[0];
    if (typeof tag !== 'string' || !tag.startsWith('~') || tag.startsWith('~~')) {
      if (typeof tag === 'string' && tag.startsWith('~')) node[0] = tag.slice(1);
      this.#push(node, undefined, '', this.#checked(frame, level), 0);
    } else this.#readTag(frame, node, tag, level);
  }

  #readTag(frame: Frame, node: unknown[], tag: string, level: number): void {
    switch (tag) {
      case '~m':
      case '~s':
        this.#push(node, undefined, tag, this.#checked(frame, level), 1);
        return;
      case '~o':
        // One that holds properties of an error is, like any other that does, none of the value.
        this.#push(node, undefined, tag, frame.tag === '~e' ? frame.level : this.#checked(frame, level), 1);
        return;
      case '~e':
        this.#checkLength(node, 6);
        this.#push(node, undefined, tag, this.#checked(frame, level), 1);
        return;
      case '~=':
        this.#checkLength(node, 2);
        if (frame.tag === '~=') throw this.#refused('tag', 'an object that is numbered twice');
        this.#push(node, undefined, tag, frame.level, 1);
        return;
      case '~@': {
        this.#checkLength(node, 2);
        const found = Number.isInteger(node[1]) ? this.#shared[node[1] as number] : undefined;
        if (found === undefined || frame.tag === '~=')
          throw this.#refused('tag', 'a reference to no object before it');
        this.#checked(frame, level + found.height);
        put(frame, found.value);
        return;
      }
      default: {
        const value = this.#makeLeaf(node, tag);
        if (typeof value === 'object') this.#checked(frame, level);
        put(frame, value);
      }
    }
  }

  /** The level, if it is not too deep. */
  #checked(frame: Frame, level: number): number {
    if (level > this.#levels) throw this.#refused('depth', `nesting deeper than ${this.#levels} levels`);
    if (level > frame.deepest) frame.deepest = level;
    return level;
  }

  /** What stands for a value that has no other values in it. */
  #makeLeaf(node: readonly unknown[], tag: string): unknown {
    switch (tag) {
      case '~u':
        this.#checkLength(node, 1);
        return undefined;
      case '~n': {
        const number = ODD_NUMBERS.get(this.#textAt(node, 1, 2));
        if (number === undefined) throw this.#refused('tag', 'an unknown number');
        return number;
      }
      case '~b':
        return this.#makeBigint(this.#textAt(node, 1, 2));
      case '~d':
        return this.#makeDate(node);
      case '~a':
        return this.#bytes(this.#textAt(node, 1, 2)).buffer;
      case '~v':
        return new DataView(this.#bytes(this.#textAt(node, 1, 2)).buffer);
      case '~t': {
        const found = textToItems(this.#textAt(node, 1, 3), this.#textAt(node, 2, 3));
        if (found === undefined) throw this.#refused('tag', 'no typed array of a kind that is known here');
        return found;
      }
      case '~r': {
        const [id, bytes] = [this.#textAt(node, 1, 3), node[2]];
        if (!REFERENCE_ID.test(id) || !Number.isSafeInteger(bytes) || (bytes as number) < 0)
          throw this.#refused('tag', 'no reference');
        return new Reference(id, bytes as number);
      }
      default:
        throw this.#refused('tag', 'an unknown tag');
    }
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

  /** What a frame is, all parts of which are made. */
  #finish(frame: Frame): unknown {
    if (frame.tag === '') return Object.freeze(frame.node);
    const node = frame.node as readonly unknown[];
    switch (frame.tag) {
      case '~m':
        return this.#makeMap(node);
      case '~s': {
        const set = new Set(node.slice(1));
        if (set.size !== node.length - 1) throw this.#refused('duplicate_key', 'an item twice in one set');
        return set;
      }
      case '~o':
        return this.#makeObject(node);
      case '~e':
        return this.#makeError(node);
      default: {
        const value = node[1];
        if (typeof value !== 'object' || value === null)
          throw this.#refused('tag', 'no object of its own to refer to');
        this.#shared[frame.number] = { value, height: frame.deepest - frame.level - 1 };
        return value;
      }
    }
  }

  #makeMap(node: readonly unknown[]): object {
    const map = new Map<unknown, unknown>();
    if (node.length % 2 === 0) throw this.#refused('tag', 'a map with a key without a value');
    for (let i = 1; i < node.length; i += 2) map.set(node[i], node[i + 1]);
    if (map.size !== (node.length - 1) / 2) throw this.#refused('duplicate_key', 'a key twice in one map');
    return map;
  }

  #makeObject(node: readonly unknown[]): object {
    const out: Record<string, unknown> = {};
    if (node.length % 2 === 0) throw this.#refused('tag', 'an object with a key without a value');
    for (let i = 1; i < node.length; i += 2) {
      const key = node[i];
      if (typeof key !== 'string') throw this.#refused('tag', 'an object with a key that is no text');
      if (Object.hasOwn(out, key)) throw this.#refused('duplicate_key', 'a key twice in one object');
      setOwn(out, key, node[i + 1]);
    }
    return Object.freeze(out);
  }

  #makeError(node: readonly unknown[]): Error {
    const [name, message, stack] = [1, 2, 3].map((at) => this.#textAt(node, at, 6)) as [
      string,
      string,
      string,
    ];
    const [hidden, own] = node.slice(4);
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

  #bytes(text: string): Uint8Array<ArrayBuffer> {
    const found = textToBytes(text);
    if (found === undefined) throw this.#refused('tag', 'no text in base 64');
    return found;
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

  #refused(reason: 'number' | 'tag' | 'duplicate_key' | 'depth', found: string): CodecRefusal {
    // The outermost frame only holds the root.
    const path = this.#frames.slice(1).map(keyOf);
    return new CodecRefusal(reason, found, { offset: offsetOf(this.#text, this.#start, path) });
  }
}

/** The key or the index of the part that a frame has gone on to. */
function keyOf(frame: Frame): string | number {
  return frame.keys === undefined ? frame.next - 1 : (frame.keys[frame.next - 1] as string);
}

function partOf({ node, keys, next }: Frame): unknown {
  // An own `__proto__` hides the inherited accessor, so it reads like any other property.
  return keys === undefined
    ? (node as unknown[])[next - 1]
    : (node as Record<string, unknown>)[keys[next - 1] as string];
}

/** Replaces the part that a frame has gone on to. */
function put({ node, keys, next }: Frame, value: unknown): void {
  if (keys === undefined) (node as unknown[])[next - 1] = value;
  else setOwn(node as Record<string, unknown>, keys[next - 1] as string, value);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}
