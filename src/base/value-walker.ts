/**
 * The walk of the guard over a host's value: it checks and copies in one pass.
 */

import { defineData, setOwn } from './copy-guarded.ts';
import { AWAIT_HINT, describeOther, describeValue, hintForOther } from './describe-value.ts';
import { type ErrorText, readErrorText } from './error-text.ts';
import { byteLengthOf, copyLeaf, isPrimitive, kindOf, primitiveBytes } from './value-kinds.ts';

/** A value that may be kept and handed out. */
export interface GuardedValue {
  readonly ok: true;
  /** A primitive itself, else a deep copy that shares nothing mutable with the original. */
  readonly value: unknown;
  /**
   * Whether all readers may get this one copy: true when it is frozen through and through. False when there
   * is a date, map, set, buffer or error in it; then each reader needs its own `copyGuarded(value)`.
   */
  readonly shareable: boolean;
  /** The estimated size in bytes. */
  readonly bytes: number;
}

/** Why a value cannot be kept. */
export interface ValueRefusal {
  readonly ok: false;
  /** A JSON pointer (RFC 6901) to the place, '' for the root; entries of maps and sets count by index. */
  readonly pointer: string;
  /** What was found there: 'a function', 'a class instance of Foo', 'a getter', 'a cycle'. */
  readonly found: string;
  /** What to do about it. */
  readonly hint: string;
}

/** The longest array that is carried. */
const LONGEST_ARRAY = 2 ** 24;

/** What to do about too much data. */
export const SIZE_HINT = 'keep large data outside and pass a reference to it';

/** The properties of an error that are not taken over like the others. */
const ERROR_KEYS: ReadonlySet<string> = new Set(['name', 'message', 'stack', 'cause', 'errors']);

/** The estimate in bytes: what an object costs by itself, and what each slot of it costs. */
const OBJECT_BYTES = 32;
const SLOT_BYTES = 8;

/** What `#tolerate` returns for a value that cannot be carried. */
const LEFT_OUT: object = Object.freeze({});

/** What ends a walk; the walker holds the reason. One object, because it never needs a stack of its own. */
const STOP: Error = Object.freeze(new Error('The walk over a value ended.'));

/** An object that the walk has met: `height` is -1 while the walk is still inside it. */
interface Seen {
  copy: object | undefined;
  height: number;
}

export type LookupGetter = (this: unknown, key: PropertyKey) => unknown;

/**
 * Finds a getter without calling it, several times faster than a property descriptor does. It is a part of
 * the language's annex for browsers, hence the replacement for an engine that was stripped of it.
 */
export const lookupGetter: LookupGetter =
  (Object.prototype as { __lookupGetter__?: LookupGetter }).__lookupGetter__ ??
  function slowLookup(this: unknown, key: PropertyKey): unknown {
    return Object.getOwnPropertyDescriptor(this, key)?.get;
  };

const mapEntries = Map.prototype.entries;
const setValues = Set.prototype.values;

/** One walk over one value; it is used once. */
export class Walker {
  readonly #root: object;
  readonly #maxDepth: number;
  readonly #maxBytes: number;
  #bytes = 0;
  #shareable = true;
  /** The objects met so far; absent until there is one inside the root, as most values are small. */
  #seen: Map<object, Seen> | undefined = undefined;
  /** The key that leads from level i + 1 to the next one. */
  readonly #path: (string | number)[] = [];
  /** The objects in `#seen` that the walk is inside of, from the outermost to the innermost. */
  readonly #inside: object[] = [];
  #level = 0;
  #deepest = 0;
  #refusal: ValueRefusal | undefined = undefined;

  constructor(root: object, maxDepth: number, maxBytes: number) {
    this.#root = root;
    this.#maxDepth = maxDepth;
    this.#maxBytes = maxBytes;
  }

  run(): GuardedValue | ValueRefusal {
    try {
      const value = this.#visit(this.#root, 1);
      return { ok: true, value, shareable: this.#shareable, bytes: this.#bytes };
    } catch {
      // What was thrown is not looked at: it may be the host's, and as hostile as the value.
      if (this.#refusal !== undefined) return this.#refusal;
      const hint = 'pass plain data: a proxy or a detached buffer may throw on being read';
      return { ok: false, pointer: this.#pointer(), found: 'an object that cannot be read', hint };
    }
  }

  /** The copy of an object at the given level, or of a function or symbol, which end the walk. */
  #visit(value: object, level: number): object {
    this.#level = level;
    if (typeof value !== 'object') throw this.#refusedCallable(value);
    let seen: Seen | undefined;
    if (level > 1) {
      if (this.#seen === undefined) {
        this.#seen = new Map<object, Seen>();
        this.#seen.set(this.#root, { copy: undefined, height: -1 });
      }
      const known = this.#seen.get(value);
      if (known !== undefined) return this.#reuse(known, level);
      this.#checkDepth(level);
      seen = { copy: undefined, height: -1 };
      this.#seen.set(value, seen);
      this.#inside.push(value);
    }
    const outerDeepest = this.#deepest;
    this.#deepest = level;
    const copy = this.#copy(value, level);
    if (seen !== undefined) {
      seen.copy = copy;
      seen.height = this.#deepest - level;
      this.#inside.pop();
    }
    if (outerDeepest > this.#deepest) this.#deepest = outerDeepest;
    return copy;
  }

  /** The copy that was made before; its height counts, or shared references could hide any depth. */
  #reuse(known: Seen, level: number): object {
    if (known.height < 0) throw this.#refused('a cycle', 'refer to the other object by a name or an id');
    const deepest = level + known.height;
    this.#checkDepth(deepest);
    if (deepest > this.#deepest) this.#deepest = deepest;
    return known.copy as object;
  }

  #copy(value: object, level: number): object {
    const kind = kindOf(value);
    if (kind === 'plain') return this.#copyPlain(value as Record<string, unknown>, level);
    if (kind === 'array') return this.#copyArray(value as readonly unknown[], level);
    if (kind === 'other') throw this.#refusedOther(value);
    this.#shareable = false;
    this.#charge(OBJECT_BYTES);
    if (kind === 'map') return this.#copyMap(value as Map<unknown, unknown>, level);
    if (kind === 'set') return this.#copySet(value as Set<unknown>, level);
    if (kind === 'error') return this.#copyError(value, level);
    if (kind !== 'date') this.#charge(byteLengthOf(value, kind));
    return copyLeaf(value, kind);
  }

  /** The copy of anything that stands in an object at `level` under `key`. */
  #child(value: unknown, key: string | number, level: number): unknown {
    if (isPrimitive(value)) {
      this.#bytes += primitiveBytes(value);
      return value;
    }
    this.#path[level - 1] = key;
    const copy = this.#visit(value as object, level + 1);
    this.#level = level;
    return copy;
  }

  #copyPlain(value: Record<string, unknown>, level: number): object {
    const keys = Object.keys(value);
    this.#charge(OBJECT_BYTES + keys.length * SLOT_BYTES);
    const out: Record<string, unknown> = {};
    for (let i = 0; i < keys.length; i += 1) {
      const key = keys[i] as string;
      if (lookupGetter.call(value, key) !== undefined) throw this.#refusedAccessor('a getter', key, level);
      const item = value[key];
      if (item === undefined && hasSetter(value, key)) throw this.#refusedAccessor('a setter', key, level);
      if (key === 'then' && typeof item === 'function') throw this.#refused('a promise', AWAIT_HINT);
      this.#bytes += key.length * 2;
      setOwn(out, key, this.#child(item, key, level));
    }
    const symbols = Object.getOwnPropertySymbols(value);
    if (symbols.length > 0) this.#checkSymbolKeys(value, symbols);
    this.#charge(0);
    return Object.freeze(out);
  }

  #copyArray(value: readonly unknown[], level: number): object {
    const length: unknown = value.length;
    // Through a proxy the length can be anything.
    if (typeof length !== 'number' || !(length <= LONGEST_ARRAY)) {
      throw this.#refused(`an array longer than ${LONGEST_ARRAY}`, SIZE_HINT);
    }
    this.#charge(OBJECT_BYTES + length * SLOT_BYTES);
    const out: unknown[] = [];
    for (let i = 0; i < length; i += 1) {
      if (lookupGetter.call(value, i) !== undefined) throw this.#refusedAccessor('a getter', i, level);
      out.push(this.#child(value[i], i, level));
    }
    this.#charge(0);
    return Object.freeze(out);
  }

  #copyMap(value: Map<unknown, unknown>, level: number): object {
    const out = new Map<unknown, unknown>();
    let index = 0;
    for (const [key, item] of mapEntries.call(value)) {
      this.#charge(OBJECT_BYTES);
      out.set(this.#child(key, index, level), this.#child(item, index, level));
      index += 1;
    }
    this.#charge(0);
    return out;
  }

  #copySet(value: Set<unknown>, level: number): object {
    const out = new Set<unknown>();
    let index = 0;
    for (const item of setValues.call(value)) {
      this.#charge(OBJECT_BYTES);
      out.add(this.#child(item, index, level));
      index += 1;
    }
    this.#charge(0);
    return out;
  }

  #copyError(value: object, level: number): object {
    const text: ErrorText = readErrorText(value);
    this.#charge((text.name.length + text.message.length + (text.stack?.length ?? 0)) * 2);
    const out = new Error(text.message);
    if (text.name !== 'Error') defineData(out, 'name', text.name, false);
    defineData(out, 'stack', text.stack ?? `${text.name}: ${text.message}`, false);
    const cause = Object.getOwnPropertyDescriptor(value, 'cause');
    if (cause !== undefined && 'value' in cause) {
      const copy = this.#tolerate(cause.value, 'cause', level);
      defineData(out, 'cause', copy === LEFT_OUT ? describeValue(cause.value) : copy, false);
    }
    const errors: unknown = Object.getOwnPropertyDescriptor(value, 'errors')?.value;
    if (Array.isArray(errors)) defineData(out, 'errors', this.#copyErrors(errors, level), false);
    for (const key of Object.keys(value)) {
      if (ERROR_KEYS.has(key)) continue;
      const found = Object.getOwnPropertyDescriptor(value, key);
      if (found === undefined || !('value' in found)) continue;
      this.#charge(SLOT_BYTES + key.length * 2);
      const copy = this.#tolerate(found.value, key, level);
      if (copy !== LEFT_OUT) defineData(out, key, copy, true);
    }
    this.#charge(0);
    return out;
  }

  /** The errors of an AggregateError, each carried or described: their number and order stay the same. */
  #copyErrors(errors: readonly unknown[], level: number): readonly unknown[] {
    const out: unknown[] = [];
    this.#path[level - 1] = 'errors';
    this.#checkDepth(level + 1);
    for (let i = 0; i < errors.length; i += 1) {
      this.#charge(SLOT_BYTES);
      const isGetter = lookupGetter.call(errors, i) !== undefined;
      const error = isGetter ? undefined : errors[i];
      const copy = this.#tolerate(error, i, level + 1);
      out.push(copy === LEFT_OUT ? describeValue(error) : copy);
    }
    this.#level = level;
    return Object.freeze(out);
  }

  /** The copy of a part of an error, or LEFT_OUT when it cannot be carried; only too much data stops. */
  #tolerate(value: unknown, key: string | number, level: number): unknown {
    const inside = this.#inside.length;
    const deepest = this.#deepest;
    try {
      return this.#child(value, key, level);
    } catch (thrown) {
      if (this.#bytes > this.#maxBytes) throw thrown;
      this.#refusal = undefined;
      this.#level = level;
      this.#deepest = deepest;
      // The objects that the walk was thrown out of are forgotten, or the next reference to one of them
      // would look like a cycle.
      while (this.#inside.length > inside) this.#seen?.delete(this.#inside.pop() as object);
      return LEFT_OUT;
    }
  }

  #charge(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes > this.#maxBytes) throw this.#refused(`more than ${this.#maxBytes} bytes`, SIZE_HINT);
  }

  #checkDepth(level: number): void {
    if (level <= this.#maxDepth) return;
    throw this.#refused(`nesting deeper than ${this.#maxDepth}`, 'flatten the data, or keep it outside');
  }

  #checkSymbolKeys(value: object, symbols: readonly symbol[]): void {
    for (const symbol of symbols) {
      if (Object.prototype.propertyIsEnumerable.call(value, symbol)) {
        throw this.#refused('a symbol key', 'use text keys: a symbol has no meaning elsewhere');
      }
    }
  }

  #refusedAccessor(found: string, key: string | number, level: number): Error {
    this.#path[level - 1] = key;
    this.#level = level + 1;
    return this.#refused(found, 'pass plain data: read the property and pass its value');
  }

  #refusedCallable(value: unknown): Error {
    if (typeof value === 'symbol') return this.#refused('a symbol', 'use a text instead');
    return this.#refused('a function', 'pass plain data: code belongs in the handler, not in a value');
  }

  #refusedOther(value: object): Error {
    const found = describeOther(value);
    return this.#refused(found, hintForOther(found));
  }

  /** Notes why the walk ends; what it returns is to be thrown. */
  #refused(found: string, hint: string): Error {
    this.#refusal = { ok: false, pointer: this.#pointer(), found, hint };
    return STOP;
  }

  #pointer(): string {
    let pointer = '';
    for (let i = 0; i < this.#level - 1; i += 1) {
      pointer += `/${String(this.#path[i]).replaceAll('~', '~0').replaceAll('/', '~1')}`;
    }
    return pointer;
  }
}

/** Whether a property that reads as undefined is an accessor without a getter. */
function hasSetter(value: object, key: string): boolean {
  return Object.getOwnPropertyDescriptor(value, key)?.set !== undefined;
}
