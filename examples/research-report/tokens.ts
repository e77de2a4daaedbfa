/**
 * Cuts text into words and words into terms.
 *
 * Technical prose has words that an ordinary splitter breaks: `node.js`, `c++`, `.env`, `utf-8`,
 * `@types/node`, `snake_case`. They stay whole; addresses, versions and numbers are no terms at all.
 */
import { STOP_WORDS } from './stop-words.ts';

export type Word = {
  /** In lower case. */
  word: string;
  /** As written. */
  surface: string;
  /** True when punctuation separates it from the word before, so that no phrase joins the two. */
  apart: boolean;
};

const MAX_TERM = 40;

/**
 * Letters and digits, joined by single marks, perhaps with a leading dot or trailing `++` or `#`. No
 * alternative overlaps with its neighbour, so the match takes linear time.
 */
const WORD = /(?:(?<![\p{L}\p{N}\p{M}.])\.)?[\p{L}\p{N}\p{M}]+(?:[.'_-][\p{L}\p{N}\p{M}]+)*[+#]*/gu;
const PLAIN_WORD = /^[A-Za-z]+$/u;
const PACKAGE_NAME = /^["'(]?(@[a-z0-9][a-z0-9._-]{0,60}\/[a-z0-9][a-z0-9_-]*(?:\.[a-z0-9_-]+)*)/u;
const OPENS_APART = /^[([{"'“‘|–—-]/u;
const CLOSES_APART = /[.,;:!?)\]}"'”’|–—…]$/u;

/** All words of a text, stop words included, in order. */
export function readWords(text: string): Word[] {
  const words: Word[] = [];
  let apart = true;
  for (const chunk of text.split(/\s+/u)) {
    // Most words of a text are nothing but letters, and need none of the care below.
    if (PLAIN_WORD.test(chunk)) {
      words.push({ word: chunk.toLowerCase(), surface: chunk, apart });
      apart = false;
      continue;
    }
    if (chunk === '') continue;
    const surfaces = surfacesOf(chunk);
    // `and/or`, `a=b`: the parts do not follow each other as the words of a sentence do.
    const several = surfaces.length !== 1;
    for (const surface of surfaces) {
      const separate = apart || several || OPENS_APART.test(chunk);
      words.push({ word: surface.toLowerCase(), surface, apart: separate });
    }
    apart = several || CLOSES_APART.test(chunk);
  }
  return words;
}

/** The terms of a text in order: normalised, without stop words and numbers. */
export function termsOf(text: string): string[] {
  const terms: string[] = [];
  for (const { word } of readWords(text)) {
    const term = normalizeTerm(word);
    if (term !== '') terms.push(term);
  }
  return terms;
}

function surfacesOf(chunk: string): string[] {
  if (isAddress(chunk)) return [];
  const scoped = PACKAGE_NAME.exec(chunk)?.[1];
  if (scoped !== undefined) return [scoped];
  const surfaces: string[] = [];
  for (const match of chunk.replaceAll('’', "'").match(WORD) ?? []) {
    for (const part of separateSentences(match)) surfaces.push(dropMarks(part));
  }
  return surfaces;
}

function isAddress(chunk: string): boolean {
  if (chunk.includes('://') || chunk.startsWith('www.') || chunk.startsWith('mailto:')) return true;
  const at = chunk.indexOf('@');
  return at > 0 && chunk.indexOf('.', at) > 0 && !/["'(]/u.test(chunk.charAt(at - 1));
}

/** `file.The` is a forgotten space, `React.Component` an access: two words. `Node.js` is one. */
function separateSentences(word: string): string[] {
  return word.includes('.') ? word.split(/(?<=\p{Ll})\.(?=\p{Lu}\p{Ll})/u) : [word];
}

/** `c++` and `c#` are names; after a longer word the marks are a footnote or a count. */
function dropMarks(word: string): string {
  let end = word.length;
  while (end > 0 && '+#'.includes(word.charAt(end - 1))) end -= 1;
  const bare = word.slice(0, end);
  return /^\p{L}{1,2}$/u.test(bare) && word.length - end <= 2 ? word : bare;
}

/** The form under which a word in lower case is counted; empty when it is not worth counting. */
export function normalizeTerm(word: string): string {
  if (STOP_WORDS.has(word)) return '';
  let owner = word;
  if (word.endsWith("'s")) owner = word.slice(0, -2);
  else if (word.endsWith("'")) owner = word.slice(0, -1);
  // What is left with an apostrophe is a contraction (`it'll`).
  if (owner.includes("'")) return '';
  if (owner.length < 2 || owner.length > MAX_TERM || isNumeric(owner) || isAdverb(owner)) return '';
  const term = singular(owner);
  return STOP_WORDS.has(term) ? '' : term;
}

/** Numbers, amounts, versions and digests. `v8`, `utf-8`, `es2015` and `64-bit` are terms. */
function isNumeric(word: string): boolean {
  if (PLAIN_WORD.test(word)) return false;
  if (!/\p{L}/u.test(word)) return true;
  if (/^v?\d+\.[\dx]/u.test(word) || /^v(?:\d\d|[0-79])$/u.test(word)) return true;
  if (/^\d+(?:x|k|kb|kib|mb|mib|gb|ms|s|px|m|th|st|nd|rd)$/u.test(word)) return true;
  return word.length >= 7 && /^(?=\D*\d\D*\d)[\da-f]+$/u.test(word);
}

/** `significantly` is rare, and yet no topic. */
function isAdverb(word: string): boolean {
  return word.length > 5 && word.endsWith('ly') && !NO_ADVERBS.has(word);
}

const NO_ADVERBS: ReadonlySet<string> = new Set(
  'anomaly assembly disassembly family friendly monthly daily reply supply weekly'.split(' '),
);
const SAME_IN_PLURAL: ReadonlySet<string> = new Set(
  `alias always aws bias canvas chaos css dns https ios kubernetes lens macos news os perhaps postgres sas
  series species tls windows`.split(/\s+/u),
);
const IRREGULAR: ReadonlyMap<string, string> = new Map([
  ['apis', 'api'],
  ['clis', 'cli'],
  ['uris', 'uri'],
  ['children', 'child'],
  ['cookies', 'cookie'],
  ['indices', 'index'],
  ['matrices', 'matrix'],
  ['movies', 'movie'],
  ['vertices', 'vertex'],
]);

/**
 * Plural to singular, and no more: a full stemmer (Porter 1980) would print `librari` and `cach`. The
 * idea follows the S-stemmer of Harman, "How effective is suffixing?" (JASIS 42, 1991). Names that end in
 * s lose it as well (`yargs`); reports show the form that was written, see `countDocumentTerms`.
 */
function singular(word: string): string {
  if (!word.endsWith('s')) return IRREGULAR.get(word) ?? word;
  if (word.length < 4 || /[\d.@]/u.test(word) || SAME_IN_PLURAL.has(word)) return word;
  const irregular = IRREGULAR.get(word);
  if (irregular !== undefined) return irregular;
  if (/(?:ss|us|is|js)$/u.test(word)) return word;
  if (word.endsWith('ies')) return word.length > 5 ? `${word.slice(0, -3)}y` : word.slice(0, -1);
  // matches, boxes, classes, approaches, aliases; but caches, releases, sizes.
  const extended = /(?:ss|sh|[tnr]ch|[eo]ach|x|zz|tus|ias|vas|bus)es$/u.test(word);
  return word.slice(0, extended ? -2 : -1);
}
