/**
 * How many keys a text has: a parser keeps one of those that occur twice in an object, and does not say so.
 */

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;

/** A colon behind white space, which the codec never writes. */
const SPACED = [' :', '\t:', '\n:', '\r:'];

/** Whether a text that is JSON has just so many keys. */
export function hasKeys(text: string, count: number): boolean {
  return hasAtMostKeys(text, count) || countKeys(text) === count;
}

/**
 * Whether it is plain to see that there are not more. Every key is followed by a colon, and without white space before
 * it that is counted here, with some texts that only look alike: so there can be fewer keys, but not more.
 */
function hasAtMostKeys(text: string, count: number): boolean {
  for (let i = 0; i < SPACED.length; i += 1) if (text.includes(SPACED[i] as string)) return false;
  let found = 0;
  for (let at = text.indexOf('":'); at >= 0; at = text.indexOf('":', at + 2)) found += 1;
  return found <= count;
}

function countKeys(text: string): number {
  let keys = 0;
  for (let i = 0; i < text.length; i += 1) {
    const unit = text.charCodeAt(i);
    if (unit === QUOTE) i = endOfString(text, i);
    else if (unit === COLON) keys += 1;
  }
  return keys;
}

/** So many letters are looked at one by one; a search is faster, but takes longer to begin. */
const FEW = 32;

/** The place of the quote that ends the string which begins at `start`; the length of the text if there is none. */
export function endOfString(text: string, start: number): number {
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
