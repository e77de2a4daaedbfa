/**
 * Picks the sentences that tell best what a document is about.
 *
 * Extracts follow Luhn, "The automatic creation of literature abstracts" (IBM Journal 2, 1958): a sentence
 * matters when it gathers the significant words of its document. Edmundson, "New methods in automatic
 * extracting" (Journal of the ACM 16, 1969), found that position, the words of the title and cue words
 * predict good sentences even better, so these count as well. Sentences that repeat what has already been
 * picked are passed over by maximal marginal relevance: Carbonell and Goldstein, "The use of MMR,
 * diversity-based reranking" (SIGIR 1998).
 */
import { cueOf, isAppeal, isCommand, isInstallation, isPointer } from './cues.ts';
import type { Paragraph, ParsedDocument } from './markdown.ts';
import { subjectParagraphs } from './sections.ts';
import { fingerprint, splitSentences } from './sentences.ts';
import type { TermWeight } from './terms.ts';
import { rounded, shorten } from './text.ts';
import { termsOf } from './tokens.ts';

export type SummarySentence = { text: string; score: number };
export type Summary = {
  /** The sentences as one paragraph; empty when the document has none worth quoting. */
  text: string;
  /** In reading order. */
  sentences: SummarySentence[];
  /** Among how many sentences these were chosen. */
  candidates: number;
};
export type SummaryOptions = {
  sentences: number;
  maxCharacters: number;
  /** A sentence whose score is below this share of the best score would only pad the summary. */
  worthAdding: number;
  /** Fingerprints of sentences that other documents contain as well; they are not quoted. */
  boilerplate: readonly string[];
};

type Candidate = {
  text: string;
  words: number;
  terms: Set<string>;
  rank: number;
  place: number;
  score: number;
};

const DEFAULTS: SummaryOptions = { sentences: 3, maxCharacters: 420, worthAdding: 0.58, boilerplate: [] };
const NOTHING: ReadonlySet<string> = new Set();
const MAX_SENTENCE = 280;
/** Enough for any summary; reading on would only find what documents say late. */
const MAX_CANDIDATES = 200;
/** Weight of relevance against novelty. */
const LAMBDA = 0.72;
const NEAR_DUPLICATE = 0.6;

const WEIGHTS = { key: 0.34, position: 0.38, title: 0.12, cue: 0.16 };

/** `weights` are the terms of the document as `weighTerms` gives them, `title` what it is called. */
export function summarize(
  parsed: ParsedDocument,
  weights: readonly TermWeight[],
  title: string,
  options: Partial<SummaryOptions> = {},
): Summary {
  const { sentences: wanted, maxCharacters, worthAdding, boilerplate } = { ...DEFAULTS, ...options };
  const candidates = collectCandidates(parsed, new Set(boilerplate));
  scoreCandidates(candidates, weights, title);

  const picked: Candidate[] = [];
  let length = 0;
  while (picked.length < wanted) {
    const bar = picked.reduce((best, { score }) => Math.max(best, score), 0) * worthAdding;
    const next = mostRelevant(candidates, picked, bar);
    if (!next) break;
    if (picked.length > 0 && length + next.text.length > maxCharacters) break;
    picked.push(next);
    length += next.text.length;
  }
  picked.sort((left, right) => left.place - right.place);
  return {
    text: picked.map(({ text }) => asSentence(text)).join(' '),
    sentences: picked.map(({ text, score }) => ({ text, score: rounded(score, 3) })),
    candidates: candidates.length,
  };
}

/** Prose first. List items are quoted only when they are whole sentences, or when there is no prose. */
function collectCandidates(parsed: ParsedDocument, common: ReadonlySet<string>): Candidate[] {
  const paragraphs = subjectParagraphs(parsed);
  const prose = sentencesOf(
    paragraphs.filter(({ kind }) => kind !== 'item'),
    common,
  );
  if (prose.length >= 3) return prose;
  const whole = paragraphs.filter(({ kind, text }) => kind !== 'item' || /[.!?]$/u.test(text));
  for (const [choice, skip] of [
    [whole, common],
    [paragraphs, common],
    [paragraphs, NOTHING],
  ] as const) {
    const candidates = sentencesOf(choice, skip);
    if (candidates.length > 0) return candidates;
  }
  return [];
}

function sentencesOf(paragraphs: readonly Paragraph[], common: ReadonlySet<string>): Candidate[] {
  const candidates: Candidate[] = [];
  for (const [paragraphAt, paragraph] of paragraphs.entries()) {
    if (candidates.length >= MAX_CANDIDATES) break;
    for (const [sentenceAt, sentence] of splitSentences(paragraph.text).entries()) {
      const words = sentence.split(' ').length;
      if (!isQuotable(sentence, words)) continue;
      if (common.size > 0 && common.has(fingerprint(sentence))) continue;
      candidates.push({
        text: shorten(sentence, MAX_SENTENCE),
        words,
        terms: new Set(termsOf(sentence)),
        rank: paragraphAt + sentenceAt * 0.7,
        place: candidates.length,
        score: 0,
      });
    }
  }
  return candidates;
}

/** Leaves out introductions to code, code itself, menus, appeals and what is not a sentence at all. */
function isQuotable(sentence: string, words: number): boolean {
  if (words < 3 || words > 70 || /:$/u.test(sentence)) return false;
  if (isCommand(sentence) || isInstallation(sentence) || isAppeal(sentence)) return false;
  const letters = sentence.match(/[\p{L}\s]/gu)?.length ?? 0;
  const bars = sentence.match(/[|•·]/gu)?.length ?? 0;
  const code = sentence.match(/=>|[{}=<>$\\]|\/\//gu)?.length ?? 0;
  return letters >= sentence.length * 0.75 && bars < 2 && code < 3;
}

function scoreCandidates(candidates: Candidate[], weights: readonly TermWeight[], title: string): void {
  const weightOf = new Map(weights.map(({ term, weight }) => [term, weight]));
  const titleTerms = new Set(termsOf(title));
  const keys = candidates.map(({ terms }) => density(terms, weightOf));
  const strongest = Math.max(...keys, 1e-9);
  for (const [i, candidate] of candidates.entries()) {
    const shared = [...titleTerms].filter((term) => candidate.terms.has(term)).length;
    candidate.score =
      WEIGHTS.key * ((keys[i] ?? 0) / strongest) +
      WEIGHTS.position / (1 + candidate.rank / 2) +
      WEIGHTS.title * (titleTerms.size === 0 ? 0 : shared / titleTerms.size) +
      WEIGHTS.cue * cueOf(candidate.text) -
      lengthPenalty(candidate.words);
  }
}

/** Luhn divides by the span of a cluster; the square root keeps long sentences from losing outright. */
function density(terms: ReadonlySet<string>, weightOf: ReadonlyMap<string, number>): number {
  let sum = 0;
  for (const term of terms) sum += weightOf.get(term) ?? 0;
  return terms.size === 0 ? 0 : sum / Math.sqrt(terms.size + 2);
}

function lengthPenalty(words: number): number {
  if (words < 6) return 0.03 * (6 - words);
  return words > 30 ? Math.min(0.2, 0.008 * (words - 30)) : 0;
}

function mostRelevant(
  candidates: readonly Candidate[],
  picked: readonly Candidate[],
  bar: number,
): Candidate | undefined {
  let best: Candidate | undefined;
  let bestValue = Number.NEGATIVE_INFINITY;
  for (const candidate of candidates) {
    if (picked.includes(candidate)) continue;
    if (picked.length > 0 && (candidate.score < bar || isPointer(candidate.text))) continue;
    const repeated = picked.reduce((most, { terms }) => Math.max(most, overlap(terms, candidate.terms)), 0);
    if (repeated >= NEAR_DUPLICATE) continue;
    const value = LAMBDA * candidate.score - (1 - LAMBDA) * repeated;
    // Strictly greater: of equals, the earlier sentence wins.
    if (value > bestValue) {
      best = candidate;
      bestValue = value;
    }
  }
  return best;
}

/** Cosine of two sets of terms. */
function overlap(left: ReadonlySet<string>, right: ReadonlySet<string>): number {
  if (left.size === 0 || right.size === 0) return 0;
  let shared = 0;
  for (const term of left) if (right.has(term)) shared += 1;
  return shared / Math.sqrt(left.size * right.size);
}

function asSentence(text: string): string {
  return /[.!?…。！？]["')\]”’]*$/u.test(text) ? text : `${text}.`;
}
