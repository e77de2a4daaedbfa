/**
 * Counts the terms of one document. This is the larger part of the work on a corpus, and it needs nothing
 * but the document itself, so it is done once per document and its result handed on.
 */
import type { Paragraph, ParsedDocument } from './markdown.ts';
import { sortedCounts, type TermCount } from './phrases.ts';
import { subjectHeadings, subjectParagraphs } from './sections.ts';
import { fingerprint, splitSentences } from './sentences.ts';
import { FUNCTION_WORDS } from './stop-words.ts';
import { compareText } from './text.ts';
import { normalizeTerm, readWords, type Word } from './tokens.ts';

/** What tells whether a text is English; judged in `review.ts`. */
export type LanguageEvidence = {
  words: number;
  functionWords: number;
  letters: number;
  latinLetters: number;
};

export type LabelledCount = TermCount & {
  /** How the document writes the term (`JavaScript`, `ASTs`), where that differs. */
  label?: string;
};

export type DocumentTerms = {
  id: string;
  /** How many terms the document has, repetitions included. */
  length: number;
  /** Sorted by term. */
  terms: LabelledCount[];
  /** Neighbouring terms, sorted; candidates for phrases. */
  pairs: TermCount[];
  /** Distinct terms of its title and headings, sorted. */
  headingTerms: string[];
  /** Fingerprints of its first sentences, to find those that many documents share. */
  sentences: string[];
  language: LanguageEvidence;
};

const MAX_FINGERPRINTS = 80;

type Tally = {
  normalized: Map<string, string>;
  counts: Map<string, number>;
  /** How often each term is written in which way. */
  surfaces: Map<string, Map<string, number>>;
  pairs: Map<string, number>;
  language: LanguageEvidence;
};

/** Counts the terms in what a document says about its subject. */
export function countDocumentTerms(id: string, parsed: ParsedDocument): DocumentTerms {
  const headings = subjectHeadings(parsed).map((heading) => heading.text);
  const tally: Tally = {
    normalized: new Map(),
    counts: new Map(),
    surfaces: new Map(),
    pairs: new Map(),
    language: { words: 0, functionWords: 0, letters: 0, latinLetters: 0 },
  };
  const headingTerms = new Set<string>();
  for (const heading of headings) for (const term of tallyText(tally, heading)) headingTerms.add(term);
  const paragraphs = subjectParagraphs(parsed);
  for (const { text } of paragraphs) tallyText(tally, text);

  const terms = sortedCounts(tally.counts).map((entry): LabelledCount => {
    const label = labelOf(entry.term, tally.surfaces.get(entry.term));
    return label === entry.term ? entry : { ...entry, label };
  });
  return {
    id,
    length: terms.reduce((sum, { count }) => sum + count, 0),
    terms,
    pairs: sortedCounts(tally.pairs),
    headingTerms: [...headingTerms].sort(compareText),
    sentences: fingerprintsOf(paragraphs),
    language: tally.language,
  };
}

function fingerprintsOf(paragraphs: readonly Paragraph[]): string[] {
  const fingerprints = new Set<string>();
  for (const { text } of paragraphs) {
    if (fingerprints.size >= MAX_FINGERPRINTS) break;
    for (const sentence of splitSentences(text)) fingerprints.add(fingerprint(sentence));
  }
  return [...fingerprints].sort(compareText);
}

/** Adds a text to the tally and returns its terms. */
function tallyText(tally: Tally, text: string): string[] {
  const terms: string[] = [];
  const { language } = tally;
  let previous = '';
  for (const word of readWords(text)) {
    language.words += 1;
    if (FUNCTION_WORDS.has(word.word)) language.functionWords += 1;
    const term = normalizedTerm(tally, word.word);
    if (term !== '') {
      terms.push(term);
      add(tally.counts, term);
      countSurface(tally, term, word);
      // A term right after itself ("very, very") is no phrase.
      if (previous !== '' && !word.apart && previous !== term) add(tally.pairs, `${previous} ${term}`);
    }
    previous = term;
  }
  for (const character of text.match(/\p{L}+/gu) ?? []) {
    language.letters += character.length;
    if (/^[\p{Script=Latin}]+$/u.test(character)) language.latinLetters += character.length;
  }
  return terms;
}

/** Words repeat, and looking one up is cheaper than normalising it again. */
function normalizedTerm(tally: Tally, word: string): string {
  let term = tally.normalized.get(word);
  if (term === undefined) {
    term = normalizeTerm(word);
    tally.normalized.set(word, term);
  }
  return term;
}

function countSurface(tally: Tally, term: string, { surface, word }: Word): void {
  // A capital at the start may be due to the sentence; one inside (`JavaScript`, `AST`) is spelling.
  const written = surface.slice(1) === word.slice(1) ? word : surface;
  const surfaces = tally.surfaces.get(term);
  if (surfaces) add(surfaces, written);
  else tally.surfaces.set(term, new Map([[written, 1]]));
}

function add(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

/**
 * The most frequent spelling of a term. Forms that differ from it only in case come first: a plural is
 * shown when the singular never occurs, so that `yargs` is not called `yarg`.
 */
function labelOf(term: string, surfaces: ReadonlyMap<string, number> | undefined): string {
  let best = term;
  let bestRank = -1;
  for (const [surface, count] of surfaces ?? []) {
    if (surface.endsWith("'s") || surface.endsWith("'")) continue;
    const rank = count + (surface.toLowerCase() === term ? 1e9 : 0);
    if (rank < bestRank || (rank === bestRank && compareText(surface, best) > 0)) continue;
    best = surface;
    bestRank = rank;
  }
  return best;
}
