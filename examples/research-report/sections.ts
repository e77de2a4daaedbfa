/**
 * Tells the subject of a document from what surrounds it.
 *
 * A README also holds a licence, a list of sponsors, thanks and a way to report a vulnerability. Counted
 * as content, they would make `license`, `tidelift` and the names of authors the key terms of a corpus.
 */
import { isAppeal, isCommand } from './cues.ts';
import type { Heading, Paragraph, ParsedDocument } from './markdown.ts';

/** First words of headings under which a document no longer talks about its subject. */
const SIDE_WORDS: ReadonlySet<string> = new Set(
  `acknowledgements acknowledgment acknowledgments ack author authors backers badges changelog changes
  community contact contribute contributing contribution contributions contributor contributors copyright
  credit credits donate donation donations fund funding history licence license licenses licensing
  maintainer maintainers related release releases roadmap security sponsor sponsored sponsoring sponsors
  sponsorship support supporters team thanks todo`.split(/\s+/u),
);
/** Headings that are content but name no subject, so they cannot serve as the title of a document. */
const GENERIC_TITLES: ReadonlySet<string> = new Set(
  `about api contents description docs documentation example examples features getting started index install
  installation introduction overview quick start readme summary synopsis table of contents usage what is
  it why the a`.split(/\s+/u),
);
/** Fewer characters than this are no text of their own, but what is left over between side sections. */
const MIN_SUBJECT = 12;

/** For each heading whether it opens a side section. Deeper headings belong to the one they stand under. */
export function sideSections(headings: readonly Heading[]): boolean[] {
  let level = Number.POSITIVE_INFINITY;
  return headings.map((heading) => {
    if (heading.level > level) return true;
    const side = isSideHeading(heading.text);
    level = side ? heading.level : Number.POSITIVE_INFINITY;
    return side;
  });
}

function isSideHeading(text: string): boolean {
  const words = wordsOf(text);
  const [first = ''] = words;
  if (words.length <= 4 && (words.includes('enterprise') || words.includes('license'))) return true;
  return words.length <= 5 && SIDE_WORDS.has(first);
}

function wordsOf(text: string): string[] {
  return text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
}

/**
 * The paragraphs about the subject. When hardly anything is left (a guide for contributors has nothing
 * but side sections), everything counts.
 */
export function subjectParagraphs(parsed: ParsedDocument): Paragraph[] {
  const side = sideSections(parsed.headings);
  const kept = parsed.paragraphs.filter(({ section, text }) => {
    return !side[section] && !isAppeal(text) && !isCommand(text);
  });
  const size = (paragraphs: readonly Paragraph[]): number =>
    paragraphs.reduce((sum, { text }) => sum + text.length, 0);
  return size(kept) < MIN_SUBJECT ? parsed.paragraphs : kept;
}

/** The headings about the subject, under the same rule. */
export function subjectHeadings(parsed: ParsedDocument): Heading[] {
  const side = sideSections(parsed.headings);
  const kept = parsed.headings.filter((_, i) => !side[i]);
  return kept.length === 0 ? parsed.headings : kept;
}

/** The title of a document: its own, unless that says as little as "Installation"; else the guess. */
export function titleFor(parsed: ParsedDocument, guess: string): { title: string; own: boolean } {
  const title = parsed.title.replace(/\s+logo$/iu, '').trim();
  const words = wordsOf(title);
  const named = wordsOf(guess).join(' ').endsWith(words.join(' '));
  const generic = words.every((word) => GENERIC_TITLES.has(word) || SIDE_WORDS.has(word));
  return words.length === 0 || (generic && !named) ? { title: guess, own: false } : { title, own: true };
}
