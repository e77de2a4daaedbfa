/**
 * Text to values. The text may be anything: a damaged file, or one that somebody wrote to do harm.
 *
 * C4  Whatever the text, the answer is a value or a `CodecRefusal`, in a time that grows with the length of the text.
 * C5  Nothing but the kinds of the format is made: no class is looked up, no prototype set, no code of the text run.
 * C6  What is made shares nothing with anything else, and is frozen as the guard freezes it.
 */

import { countKeys } from './count-keys.ts';
import { findFault } from './find-fault.ts';
import { MOST_CHARACTERS, MOST_LEVELS, TAGGED } from './format.ts';
import { CodecRefusal } from './refusal.ts';
import { TaggedReader } from './tagged-reader.ts';

/** How much {@link decodeValue} accepts. */
export interface DecodeLimits {
  /** The most objects of the value inside each other: 1 to 1,100; 1,100 when absent. */
  readonly depth?: number | undefined;
  /** The most UTF-16 units of the text; 2^28 when absent. */
  readonly characters?: number | undefined;
}

/**
 * Reads what `encodeValue` wrote. Plain objects and arrays are frozen; dates, maps, sets, buffers and errors are new.
 *
 * @throws CodecRefusal for anything else, with its `reason` and the `offset` in the text
 */
export function decodeValue(text: string, limits?: DecodeLimits): unknown {
  try {
    return decode(text, limits?.characters ?? MOST_CHARACTERS, limits?.depth ?? MOST_LEVELS);
  } catch (error) {
    if (error instanceof CodecRefusal) throw error;
    // The rest of the caller's stack was too short, or the memory for a buffer is gone.
    throw new CodecRefusal('depth', `more than can be read here (${String(error)})`, { offset: 0 });
  }
}

function decode(text: string, characters: number, depth: number): unknown {
  if (typeof text !== 'string') throw new CodecRefusal('syntax', 'no text', { offset: 0 });
  if (text.length > characters)
    throw new CodecRefusal('size', `more than ${characters} characters`, { offset: characters });
  const levels = Math.min(depth, MOST_LEVELS);
  const start = text.startsWith(TAGGED) ? TAGGED.length : 0;
  // A level of a tagged value takes up to three of the text, and a tag in the last one a further level.
  const keys = countKeys(text, start, start === 0 ? levels : levels * 3 + 1);
  let tree: unknown;
  try {
    tree = JSON.parse(start === 0 ? text : text.slice(start));
  } catch (error) {
    throw findFault(text, start) ?? error;
  }
  let keysLeft: number;
  if (start > 0) {
    const reader = new TaggedReader(text, start, levels);
    tree = reader.run(tree);
    keysLeft = reader.keys;
  } else keysLeft = freezeTree(text, tree);
  // Of those that occur twice in an object the parser keeps one.
  if (keysLeft === keys) return tree;
  throw (
    findFault(text, start) ?? new CodecRefusal('duplicate_key', 'a key twice in one object', { offset: 0 })
  );
}

/** Freezes all that was parsed of a plain text. Returns the number of keys in it. */
function freezeTree(text: string, node: unknown): number {
  // Too large for a double, so it is not what was written.
  if (typeof node === 'number' && node - node !== 0) throw findFault(text, 0);
  if (typeof node !== 'object' || node === null) return 0;
  const isArray = Array.isArray(node);
  const items: readonly unknown[] = isArray ? node : Object.values(node);
  let keys = isArray ? 0 : items.length;
  for (let i = 0; i < items.length; i += 1) {
    const item = items[i];
    if (typeof item === 'number') {
      if (item - item !== 0) throw findFault(text, 0);
    } else if (typeof item === 'object' && item !== null) keys += freezeTree(text, item);
  }
  Object.freeze(node);
  return keys;
}
