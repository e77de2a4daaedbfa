/**
 * Splits text into sentences.
 *
 * A full stop also ends abbreviations (`e.g.`), initials (`D. E. Knuth`) and the numbers of lists, and
 * stands inside versions, file names and addresses. Those inside are easy: a sentence only ends before
 * white space. For the others the word before the stop decides, together with what follows.
 */

/** Never end a sentence. */
const OPEN_ABBREVIATIONS: ReadonlySet<string> = new Set(
  `e.g i.e eg ie cf vs viz approx resp incl fig eq sec dr mr mrs ms prof ca aka a.k.a w.r.t`.split(' '),
);
/** May end a sentence, and did when a capital follows. */
const CLOSING_ABBREVIATIONS: ReadonlySet<string> = new Set(
  `etc inc ltd co corp al jr sr min max misc ver vol pp ed eds dept est ext std avg temp no st`.split(' '),
);
const STOPS = '.!?';
const WIDE_STOPS = '。！？';
const CLOSERS = '"\')]”’»*';

/** The sentences of one paragraph, trimmed, in order. Joined by spaces they give the paragraph again. */
export function splitSentences(paragraph: string): string[] {
  const text = paragraph.replace(/\s+/gu, ' ').trim();
  const sentences: string[] = [];
  let start = 0;
  let i = 0;
  while (i < text.length) {
    const end = sentenceEnd(text, start, i);
    if (end < 0) {
      i += 1;
      continue;
    }
    const sentence = text.slice(start, end).trim();
    if (sentence !== '') sentences.push(sentence);
    start = end;
    i = end;
  }
  const rest = text.slice(start).trim();
  if (rest !== '') sentences.push(rest);
  return sentences;
}

/** Where the sentence ends when the mark at the position ends it, else -1. */
function sentenceEnd(text: string, start: number, at: number): number {
  const mark = text.charAt(at);
  if (WIDE_STOPS.includes(mark)) return at + 1;
  // A row of marks is looked at once, from its first.
  if (!STOPS.includes(mark) || (at > start && STOPS.includes(text.charAt(at - 1)))) return -1;
  let end = at + 1;
  while (end < text.length && STOPS.includes(text.charAt(end))) end += 1;
  const marks = text.slice(at, end);
  while (end < text.length && CLOSERS.includes(text.charAt(end))) end += 1;
  if (end >= text.length) return end;
  if (text.charAt(end) !== ' ') return -1;

  const next = firstLetter(text, end + 1);
  const continues = next !== next.toUpperCase();
  // `Yahoo! is`, `and so on... but`: only a single full stop ends a sentence before a small letter, as
  // many sentences of technical prose start with a name that is written small.
  if (marks !== '.') return continues ? -1 : end;
  return isAbbreviation(text, start, at, continues) ? -1 : end;
}

/**
 * A short name for a sentence that ignores case and marks, to recognise it in other documents (FNV-1a, 32
 * bits; two sentences that share a name by chance would merely be missing from summaries).
 */
export function fingerprint(sentence: string): string {
  let hash = 0x811c9dc5;
  for (const character of sentence.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, '')) {
    hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193);
  }
  return (hash >>> 0).toString(16).padStart(8, '0');
}

function firstLetter(text: string, from: number): string {
  let at = from;
  while (at < text.length && '"\'([“‘«*_'.includes(text.charAt(at))) at += 1;
  return text.charAt(at);
}

function isAbbreviation(text: string, start: number, stop: number, continues: boolean): boolean {
  const space = text.lastIndexOf(' ', stop - 1);
  const wordStart = Math.max(space + 1, start);
  const word = text.slice(wordStart, stop).replace(/^["'([“‘«]+/u, '');
  const lower = word.toLowerCase();
  if (OPEN_ABBREVIATIONS.has(lower)) return true;
  if (CLOSING_ABBREVIATIONS.has(lower)) return continues;
  // Only the white space after the sentence before may stand in front of the first word.
  const opens = wordStart - start <= 1;
  // `1. Install`: the number of an item that lost its line.
  if (/^\d{1,3}$/u.test(word)) return opens;
  if (!/^\p{Lu}$/u.test(word) || continues) return false;
  // An initial opens the sentence or follows another name; "written in C." does neither.
  return opens || /^\p{Lu}/u.test(text.slice(text.lastIndexOf(' ', wordStart - 2) + 1, wordStart));
}
