/**
 * Where a text is wrong. The engine's own parser is fast but does not always say; this one is slow, says it, and is
 * asked only when it is known that something is wrong. It calls nothing of itself, so no depth can end it.
 */

import { CodecRefusal } from './refusal.ts';

/** One array or object that the scan is in. */
interface Frame {
  /** The keys so far; undefined in an array. */
  readonly keys: Set<string> | undefined;
  key: string;
  index: number;
}

/** What may come next. */
type Next = 'value' | 'first item' | 'first key' | 'key' | 'colon' | 'end of value';

const QUOTE = 0x22;

const BLANK = /[ \t\n\r]*/y;
// biome-ignore lint/suspicious/noControlCharactersInRegex: exactly these may not stand in a string of JSON.
const LETTERS = /[^"\\\u0000-\u001f]*/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const WORD = /true|false|null/y;

/** The first fault of a text that should be JSON from `start` on; nothing if there is none. */
export function findFault(text: string, start: number): CodecRefusal | undefined {
  const scan = new Scan(text, start, undefined);
  return scan.run();
}

/**
 * Where the value begins that a path of keys and indices leads to, in a text that is JSON from `start` on. Of a key
 * that occurs twice the last one counts, as in the parsed tree.
 */
export function offsetOf(text: string, start: number, path: readonly (string | number)[]): number {
  const scan = new Scan(text, start, path);
  scan.run();
  return scan.offset;
}

/** One way through a text. */
class Scan {
  readonly #text: string;
  readonly #wanted: readonly (string | number)[] | undefined;
  readonly #frames: Frame[] = [];
  #at: number;
  #next: Next = 'value';
  #fault: CodecRefusal | undefined;
  /** Where the wanted value begins; the start of the text until it was met. */
  offset: number;

  constructor(text: string, start: number, wanted: readonly (string | number)[] | undefined) {
    this.#text = text;
    this.#wanted = wanted;
    this.#at = start;
    this.offset = start;
  }

  run(): CodecRefusal | undefined {
    while (this.#fault === undefined) {
      this.#take(BLANK);
      const isOver = this.#next === 'end of value' && this.#frames.length === 0;
      if (isOver && this.#at === this.#text.length) return undefined;
      if (isOver || this.#at === this.#text.length) this.#refuse(isOver ? 'more behind the end' : 'no end');
      else this.#step();
    }
    return this.#fault;
  }

  #step(): void {
    const sign = this.#text[this.#at] as string;
    const frame = this.#frames[this.#frames.length - 1];
    if (this.#next === 'colon') {
      this.#next = 'value';
      this.#expect(sign === ':', 'no colon behind a key');
    } else if (this.#next === 'end of value') {
      const isList = frame?.keys === undefined;
      if (sign === (isList ? ']' : '}')) this.#close();
      else {
        if (frame !== undefined) frame.index += 1;
        this.#next = isList ? 'value' : 'key';
        this.#expect(sign === ',', 'neither a comma nor an end');
      }
    } else if (this.#next === 'first key' && sign === '}') this.#close();
    else if (this.#next === 'first item' && sign === ']') this.#close();
    else if (this.#next === 'first key' || this.#next === 'key') this.#readKey(frame as Frame);
    else this.#readValue(sign);
  }

  #readKey(frame: Frame): void {
    const start = this.#at;
    if (!this.#takeString()) {
      this.#refuse('no key');
      return;
    }
    const key = JSON.parse(this.#text.slice(start, this.#at)) as string;
    if (frame.keys?.has(key) && this.#wanted === undefined) {
      this.#fault = new CodecRefusal('duplicate_key', 'a key twice in one object', { offset: start });
      return;
    }
    frame.keys?.add(key);
    frame.key = key;
    this.#next = 'colon';
  }

  #readValue(sign: string): void {
    if (this.#isWanted()) this.offset = this.#at;
    if (sign === '{' || sign === '[') {
      this.#frames.push({ keys: sign === '{' ? new Set() : undefined, key: '', index: 0 });
      this.#next = sign === '{' ? 'first key' : 'first item';
      this.#at += 1;
      return;
    }
    const start = this.#at;
    this.#next = 'end of value';
    if (sign === '"') {
      if (!this.#takeString()) this.#refuse('a string that is wrong or has no end');
    } else if (this.#take(WORD) === '') {
      const number = this.#take(NUMBER);
      if (number === '') this.#refuse('no value');
      else if (!Number.isFinite(Number(number)) && this.#wanted === undefined)
        this.#fault = new CodecRefusal('number', 'a number that is too large', { offset: start });
    }
  }

  #close(): void {
    this.#frames.pop();
    this.#next = 'end of value';
    this.#at += 1;
  }

  #isWanted(): boolean {
    const wanted = this.#wanted;
    if (wanted === undefined || wanted.length !== this.#frames.length) return false;
    // From the innermost one on: those next to it differ there already, and most of a text stands next to it.
    for (let i = wanted.length - 1; i >= 0; i -= 1) {
      const frame = this.#frames[i] as Frame;
      if ((frame.keys === undefined ? frame.index : frame.key) !== wanted[i]) return false;
    }
    return true;
  }

  #expect(isThere: boolean, otherwise: string): void {
    if (isThere) this.#at += 1;
    else this.#refuse(otherwise);
  }

  /** Takes a string in pieces: a pattern for all of it would need a stack as long as the string. */
  #takeString(): boolean {
    const isOpen = this.#text.charCodeAt(this.#at) === QUOTE;
    if (isOpen) this.#at += 1;
    while (isOpen) {
      this.#take(LETTERS);
      if (this.#text.charCodeAt(this.#at) === QUOTE) {
        this.#at += 1;
        return true;
      }
      if (this.#take(ESCAPE) === '') return false;
    }
    return false;
  }

  /** Takes what fits here, if anything does. */
  #take(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0] ?? '';
    this.#at += found.length;
    return found;
  }

  #refuse(found: string): void {
    this.#fault ??= new CodecRefusal('syntax', found, { offset: this.#at });
  }
}
