/**
 * How many keys a text has: a parser keeps one of those that occur twice in an object, and does not say so.
 */

import { CodecRefusal } from './refusal.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;

const OPEN_OBJECT = 0x7b;
const OPEN_ARRAY = 0x5b;
const CLOSE_OBJECT = 0x7d;
const CLOSE_ARRAY = 0x5d;

/**
 * Counts the keys of all objects of a text that is JSON; of any other one it says nothing of use. It comes before the
 * parser, which takes far more memory for what is nested than for what stands side by side.
 *
 * @throws CodecRefusal `depth` where an array or object is deeper than so many levels of the text
 */
export function countKeys(text: string, start: number, levels: number): number {
  let keys = 0;
  let level = 0;
  for (let i = start; i < text.length; i += 1) {
    const unit = text.charCodeAt(i);
    if (unit === QUOTE) i = endOfString(text, i);
    else if (unit === COLON) keys += 1;
    else if (unit === OPEN_OBJECT || unit === OPEN_ARRAY) {
      level += 1;
      if (level > levels)
        throw new CodecRefusal('depth', `nesting deeper than ${levels} levels`, { offset: i });
    } else if (unit === CLOSE_OBJECT || unit === CLOSE_ARRAY) level -= 1;
  }
  return keys;
}

/** So many letters are looked at one by one; a search is faster, but takes longer to begin. */
const FEW = 32;

/** The place of the quote that ends the string which begins at `start`; the length of the text if there is none. */
function endOfString(text: string, start: number): number {
  let i = start + 1;
  for (const few = i + FEW; i < few; i += 1) {
    const unit = text.charCodeAt(i);
    if (unit === QUOTE) return i;
    if (unit === BACKSLASH) i += 1;
  }
  for (let at = text.indexOf('"', i); at >= 0; at = text.indexOf('"', at + 1)) {
    let before = at;
    while (before > i && text.charCodeAt(before - 1) === BACKSLASH) before -= 1;
    if ((at - before) % 2 === 0) return at;
  }
  return text.length;
}
