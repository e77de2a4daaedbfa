/**
 * Counts terms, indexes a corpus and weighs the terms of its documents by TF-IDF.
 *
 *     weight(t, d) = (1 + ln tf) * idf(t), scaled so that the vector of each document has length 1
 *     idf(t)       = ln((1 + N) / (1 + df)) + 1
 *
 * tf is how often t occurs in d, df in how many of the N documents it occurs.
 *
 * - Damped term frequency and vectors of length 1: Salton and Buckley, "Term-weighting approaches in
 *   automatic text retrieval" (Information Processing & Management 24, 1988); "lt" and "c" in their scheme.
 * - Inverse document frequency: Spärck Jones, "A statistical interpretation of term specificity and its
 *   application in retrieval" (Journal of Documentation 28, 1972), and why it works: Robertson,
 *   "Understanding inverse document frequency" (Journal of Documentation 60, 2004).
 * - The smoothed form acts as if one more document held every term. It never divides by zero and leaves
 *   a term that occurs everywhere a weight of 1 instead of 0, which matters in a corpus of five documents.
 *
 * All results are plain data: they travel between tasks. Terms are kept in sorted arrays and found by
 * binary search, so no task has to build a map of the whole vocabulary first (and a term such as
 * `constructor` cannot be mistaken for a property of an object).
 */
import type { DocumentTerms } from './document-terms.ts';
import { type Phrase, significantPhrases } from './phrases.ts';
import { compareText, rounded } from './text.ts';

export type CorpusIndex = {
  documents: number;
  length: number;
  /** The vocabulary, sorted; the three arrays below run parallel to it. */
  terms: string[];
  documentFrequency: number[];
  occurrences: number[];
  /** How the documents mostly write each term. */
  labels: string[];
  phrases: Phrase[];
  /** Fingerprints of sentences that many documents share, sorted: templates, notices, advertising. */
  boilerplate: string[];
};

export type TermWeight = { term: string; weight: number; count: number; documents: number };

/** A term that stands out in one document, with the form in which the document writes it. */
export type KeyTerm = TermWeight & { label: string; phrase: boolean };

/** A term that stands out in several documents. */
export type CorpusTerm = {
  term: string;
  label: string;
  score: number;
  /** In how many documents it occurs, and in how many of those it is a key term. */
  documents: number;
  keyIn: number;
  /** The documents where it weighs most. */
  strongestIn: string[];
};

/** Words in headings are named on purpose; compare the title method of Edmundson (1969). */
const HEADING_BOOST = 1.25;
/** From this many terms on, a word that occurs once and in no heading is too weak to be a key term. */
const LONG_DOCUMENT = 150;
const SHORT_DOCUMENT = 40;

export type KeyTermOptions = {
  limit?: number;
  except?: readonly string[];
  /** What `weighTerms` gave for the document, where that is at hand already. */
  weights?: readonly TermWeight[];
};

type Place = { id: string; weight: number };
type Frequency = { documents: number; occurrences: number; labels: Map<string, number> };

export function buildCorpusIndex(documents: readonly DocumentTerms[]): CorpusIndex {
  const frequencies = new Map<string, Frequency>();
  let length = 0;
  for (const document of documents) {
    length += document.length;
    for (const { term, count, label = term } of document.terms) {
      const entry = frequencies.get(term) ?? { documents: 0, occurrences: 0, labels: new Map() };
      entry.documents += 1;
      entry.occurrences += count;
      entry.labels.set(label, (entry.labels.get(label) ?? 0) + 1);
      frequencies.set(term, entry);
    }
  }
  const sorted = [...frequencies].sort(([left], [right]) => compareText(left, right));
  const totals = new Map(sorted.map(([term, entry]) => [term, entry.occurrences]));
  return {
    documents: documents.length,
    length,
    terms: sorted.map(([term]) => term),
    documentFrequency: sorted.map(([, entry]) => entry.documents),
    occurrences: sorted.map(([, entry]) => entry.occurrences),
    labels: sorted.map(([term, entry]) => commonLabel(term, entry.labels)),
    phrases: significantPhrases(
      documents.map((document) => document.pairs),
      totals,
    ),
    boilerplate: boilerplateOf(documents),
  };
}

/** What three documents say in the same words tells nothing about any of them. */
function boilerplateOf(documents: readonly DocumentTerms[]): string[] {
  const counts = new Map<string, number>();
  for (const { sentences } of documents) {
    for (const sentence of sentences) counts.set(sentence, (counts.get(sentence) ?? 0) + 1);
  }
  return [...counts]
    .filter(([, count]) => count >= 3)
    .map(([sentence]) => sentence)
    .sort(compareText);
}

/** A form that differs only in case comes before a plural; of those, the one that most documents use. */
function commonLabel(term: string, labels: ReadonlyMap<string, number>): string {
  const rank = ([label, count]: [string, number]): number => count + (label.toLowerCase() === term ? 1e9 : 0);
  const ranked = [...labels].sort(
    (left, right) => rank(right) - rank(left) || compareText(left[0], right[0]),
  );
  return ranked[0]?.[0] ?? term;
}

/** How a term is written, for reports. Phrases are translated word by word. */
export function labelFor(index: Pick<CorpusIndex, 'terms' | 'labels'>, term: string): string {
  const words = term.split(' ').map((word) => {
    return index.labels[placeOf(index, word)] ?? word;
  });
  return words.join(' ');
}

/** How much a term tells about the documents that hold it. */
export function inverseDocumentFrequency(documents: number, containing: number): number {
  return Math.log((1 + documents) / (1 + containing)) + 1;
}

export function documentFrequencyOf(index: CorpusIndex, term: string): number {
  const at = placeOf(index, term);
  return at < 0 ? 0 : (index.documentFrequency[at] ?? 0);
}

function placeOf({ terms }: Pick<CorpusIndex, 'terms'>, term: string): number {
  return findSorted(terms.length, (i) => compareText(terms[i] ?? '', term));
}

/** The part of an index that is about one document: all that its analysis asks for, and small enough to be sent along. */
export function indexFor(document: DocumentTerms, index: CorpusIndex): CorpusIndex {
  const places = document.terms.map(({ term }) => placeOf(index, term)).filter((at) => at >= 0);
  const pairs = new Set(document.pairs.map(({ term }) => term));
  const part = <Item>(all: readonly Item[]): Item[] => places.map((at) => all[at] as Item);
  return {
    documents: index.documents,
    length: index.length,
    terms: part(index.terms),
    documentFrequency: part(index.documentFrequency),
    occurrences: part(index.occurrences),
    labels: part(index.labels),
    phrases: index.phrases.filter(({ phrase }) => pairs.has(phrase)),
    boilerplate: index.boilerplate,
  };
}

/** The terms of a document by falling weight; the squares of the weights add up to 1. */
export function weighTerms(document: DocumentTerms, index: CorpusIndex): TermWeight[] {
  const weighed = document.terms.map(({ term, count }) => {
    const documents = documentFrequencyOf(index, term);
    return { term, weight: rawWeight(count, documents, index), count, documents };
  });
  const length = vectorLength(weighed);
  for (const entry of weighed) entry.weight = rounded(entry.weight / length, 6);
  return weighed.sort(byWeight);
}

/**
 * The words and phrases that set a document apart. `except` holds terms that go without saying, such as
 * the document's own name.
 *
 * A phrase replaces its words, and phrases that overlap with it, unless they also occur often without it:
 * the list does not say `source map, source, map` or `property based, based testing`.
 */
export function keyTermsOf(
  document: DocumentTerms,
  index: CorpusIndex,
  { limit = 8, except = [], weights = weighTerms(document, index) }: KeyTermOptions = {},
): KeyTerm[] {
  const chosen: KeyTerm[] = [];
  const covered = new Map<string, number>();
  for (const candidate of keyTermCandidates(document, index, weights)) {
    if (chosen.length >= limit) break;
    if (except.includes(candidate.term)) continue;
    const parts = candidate.term.split(' ');
    if (parts.some((part) => (covered.get(part) ?? 0) * 2 > candidate.count)) continue;
    chosen.push(candidate);
    if (!candidate.phrase) continue;
    for (const part of parts) {
      covered.set(part, (covered.get(part) ?? 0) + candidate.count);
      // The phrase may come after one of its words, which then says nothing more.
      const word = chosen.findIndex((entry) => entry.term === part);
      if (word >= 0 && (chosen[word]?.count ?? 0) < 2 * candidate.count) chosen.splice(word, 1);
    }
  }
  return chosen;
}

function keyTermCandidates(
  document: DocumentTerms,
  index: CorpusIndex,
  weighed: readonly TermWeight[],
): KeyTerm[] {
  const inHeading = new Set(document.headingTerms);
  const labels = new Map(document.terms.map(({ term, label }) => [term, label ?? term]));
  const words = weighed
    .filter(({ term, count }) => count > 1 || inHeading.has(term) || document.length < LONG_DOCUMENT)
    .map((entry) => ({
      ...entry,
      label: labels.get(entry.term) ?? entry.term,
      weight: rounded(entry.weight * (inHeading.has(entry.term) ? HEADING_BOOST : 1)),
      phrase: false,
    }));
  return [...words, ...phrasesOf(document, index, weighed, labels)].sort(byWeight);
}

function phrasesOf(
  document: DocumentTerms,
  index: CorpusIndex,
  weighed: readonly TermWeight[],
  labels: ReadonlyMap<string, string>,
): KeyTerm[] {
  const length = vectorLength(
    weighed.map(({ count, documents }) => ({ weight: rawWeight(count, documents, index) })),
  );
  const phrases: KeyTerm[] = [];
  for (const { term, count } of document.pairs) {
    if (count < 2) continue;
    const at = findSorted(index.phrases.length, (i) => compareText(index.phrases[i]?.phrase ?? '', term));
    const phrase = index.phrases[at];
    if (!phrase) continue;
    const weight = rounded(rawWeight(count, phrase.documents, index) / length);
    const label = term
      .split(' ')
      .map((part) => labels.get(part) ?? part)
      .join(' ');
    phrases.push({ term, label, weight, count, documents: phrase.documents, phrase: true });
  }
  return phrases;
}

/**
 * Ranks terms over all documents by the sum of their weights where they are key terms. A word such as
 * `install` occurs nearly everywhere and characterises nothing; summing over all documents would put it
 * first. Terms of a single document are left to that document.
 *
 * In a document of ten words every word weighs a lot, so short documents count for less.
 */
export function corpusKeyTerms(
  documents: readonly { id: string; length: number; keyTerms: readonly KeyTerm[] }[],
  limit = 30,
): CorpusTerm[] {
  const found = new Map<string, { label: string; score: number; documents: number; places: Place[] }>();
  for (const { id, length, keyTerms } of documents) {
    for (const { term, label, weight, documents: frequency } of keyTerms) {
      const entry = found.get(term) ?? { label, score: 0, documents: frequency, places: [] };
      const share = weight * (length / (length + SHORT_DOCUMENT));
      entry.score += share;
      entry.places.push({ id, weight: share });
      // Where one document has the singular, that is the better name.
      if (label.toLowerCase() === term && entry.label.toLowerCase() !== term) entry.label = label;
      found.set(term, entry);
    }
  }
  return [...found]
    .filter(([, entry]) => entry.places.length > 1 || documents.length < 3)
    .map(([term, { label, score, documents: frequency, places }]) => ({
      term,
      label,
      score: rounded(score, 3),
      documents: frequency,
      keyIn: places.length,
      strongestIn: places
        .sort((left, right) => right.weight - left.weight || compareText(left.id, right.id))
        .slice(0, 3)
        .map((place) => place.id),
    }))
    .sort((left, right) => right.score - left.score || compareText(left.term, right.term))
    .slice(0, limit);
}

function rawWeight(count: number, documents: number, index: CorpusIndex): number {
  return (1 + Math.log(count)) * inverseDocumentFrequency(index.documents, documents);
}

function vectorLength(entries: readonly { weight: number }[]): number {
  return Math.sqrt(entries.reduce((sum, { weight }) => sum + weight * weight, 0)) || 1;
}

function byWeight(left: TermWeight, right: TermWeight): number {
  return right.weight - left.weight || compareText(left.term, right.term);
}

/** Binary search; `compare` says how the entry at an index relates to what is looked for. */
function findSorted(length: number, compare: (index: number) => number): number {
  let low = 0;
  let high = length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const order = compare(middle);
    if (order === 0) return middle;
    if (order < 0) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}
