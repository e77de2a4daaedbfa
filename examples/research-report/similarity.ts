/**
 * Compares documents by the cosine of their term vectors (Salton, Wong and Yang, "A vector space model for
 * automatic indexing", Communications of the ACM 18, 1975) and gathers those that belong together.
 *
 * Only documents that share a term are ever compared: an inverted index lists the documents of each term,
 * and going through the lists of a document's own terms adds up its products with all others.
 */
import type { TermWeight } from './terms.ts';
import { compareText, rounded } from './text.ts';

/** Parallel arrays, heaviest term first; the squares of the weights add up to 1. */
export type SparseVector = { id: string; terms: string[]; weights: number[] };

export type Neighbour = {
  id: string;
  /** Cosine, from 0 (nothing in common) to 1 (the same words in the same proportions). */
  score: number;
  /** The terms that contribute most to the score. */
  shared: string[];
};

export type Neighbours = { id: string; similar: Neighbour[] };

/** Documents about the same subject, named after the terms they have in common. */
export type Topic = { name: string[]; ids: string[] };

export type SimilarityOptions = { limit: number; minScore: number };

type Posting = { at: number; weight: number };

const DEFAULTS: SimilarityOptions = { limit: 5, minScore: 0.12 };
/** Beyond its heaviest terms, a vector only gains terms that most documents share. */
const MAX_TERMS = 200;
const SHARED_TERMS = 3;

/** Keeps the heaviest terms of a document and scales them to length 1 again. */
export function vectorOf(id: string, weights: readonly TermWeight[], maxTerms = MAX_TERMS): SparseVector {
  const kept = [...weights]
    .sort((left, right) => right.weight - left.weight || compareText(left.term, right.term))
    .slice(0, maxTerms);
  const length = Math.sqrt(kept.reduce((sum, { weight }) => sum + weight * weight, 0)) || 1;
  return {
    id,
    terms: kept.map(({ term }) => term),
    weights: kept.map(({ weight }) => rounded(weight / length, 6)),
  };
}

export function cosine(left: SparseVector, right: SparseVector): number {
  const weightOf = new Map(right.terms.map((term, i) => [term, right.weights[i] ?? 0]));
  let product = 0;
  for (const [i, term] of left.terms.entries()) product += (left.weights[i] ?? 0) * (weightOf.get(term) ?? 0);
  const lengths = vectorLength(left) * vectorLength(right);
  return lengths === 0 ? 0 : product / lengths;
}

function vectorLength({ weights }: SparseVector): number {
  return Math.sqrt(weights.reduce((sum, weight) => sum + weight * weight, 0));
}

/** For each document the ones most like it, best first, in the order of the vectors given. */
export function similarDocuments(
  vectors: readonly SparseVector[],
  options: Partial<SimilarityOptions> = {},
): Neighbours[] {
  const { limit, minScore } = { ...DEFAULTS, ...options };
  const postings = invert(vectors);
  return vectors.map((vector, at) => {
    const scores = new Float64Array(vectors.length);
    for (const [i, term] of vector.terms.entries()) {
      const own = vector.weights[i] ?? 0;
      for (const posting of postings.get(term) ?? []) {
        scores[posting.at] = (scores[posting.at] ?? 0) + own * posting.weight;
      }
    }
    const best: { at: number; id: string; score: number }[] = [];
    for (const [other, { id }] of vectors.entries()) {
      const score = rounded(Math.min(scores[other] ?? 0, 1), 3);
      if (other !== at && score > 0 && score >= minScore) best.push({ at: other, id, score });
    }
    best.sort((left, right) => right.score - left.score || compareText(left.id, right.id));
    const similar = best
      .slice(0, limit)
      .map(({ at: other, id, score }) => ({ id, score, shared: sharedTerms(vector, vectors[other]) }));
    return { id: vector.id, similar };
  });
}

function invert(vectors: readonly SparseVector[]): Map<string, Posting[]> {
  const postings = new Map<string, Posting[]>();
  for (const [at, vector] of vectors.entries()) {
    for (const [i, term] of vector.terms.entries()) {
      const list = postings.get(term);
      const posting = { at, weight: vector.weights[i] ?? 0 };
      if (list) list.push(posting);
      else postings.set(term, [posting]);
    }
  }
  return postings;
}

function sharedTerms(left: SparseVector, right: SparseVector | undefined): string[] {
  if (!right) return [];
  const weightOf = new Map(right.terms.map((term, i) => [term, right.weights[i] ?? 0]));
  return left.terms
    .map((term, i) => ({ term, product: (left.weights[i] ?? 0) * (weightOf.get(term) ?? 0) }))
    .filter(({ product }) => product > 0)
    .sort((first, second) => second.product - first.product || compareText(first.term, second.term))
    .slice(0, SHARED_TERMS)
    .map(({ term }) => term);
}

/**
 * Gathers documents into topics. Starting with the most similar pair, two groups merge when their members
 * are similar on average: joining on a single pair alone would chain everything into one heap. What stays
 * alone is in no topic.
 */
export function findTopics(
  vectors: readonly SparseVector[],
  neighbours: readonly Neighbours[],
  { minScore = 0.12, maxSize = 25 }: { minScore?: number; maxSize?: number } = {},
): Topic[] {
  const byId = new Map(vectors.map((vector) => [vector.id, vector]));
  const holders = countHolders(vectors);
  const groupOf = new Map<string, SparseVector[]>();
  for (const pair of pairsOf(neighbours, minScore)) {
    const [left, right] = pair.ids.map((id) => groupOf.get(id) ?? groupStart(byId.get(id)));
    if (!left?.length || !right?.length || left === right || left.length + right.length > maxSize) continue;
    if (averageCosine(left, right) < minScore) continue;
    const merged = [...left, ...right];
    for (const { id } of merged) groupOf.set(id, merged);
  }
  return [...new Set(groupOf.values())]
    .map((group) => ({ name: nameOf(group, holders), ids: group.map(({ id }) => id).sort(compareText) }))
    .sort(
      (left, right) =>
        right.ids.length - left.ids.length || compareText(left.ids[0] ?? '', right.ids[0] ?? ''),
    );
}

function pairsOf(neighbours: readonly Neighbours[], minScore: number): { ids: string[]; score: number }[] {
  const pairs = new Map<string, { ids: string[]; score: number }>();
  for (const { id, similar } of neighbours) {
    for (const { id: other, score } of similar) {
      const ids = [id, other].sort(compareText);
      if (score >= minScore) pairs.set(ids.join('\n'), { ids, score });
    }
  }
  return [...pairs]
    .sort(([leftKey, left], [rightKey, right]) => right.score - left.score || compareText(leftKey, rightKey))
    .map(([, pair]) => pair);
}

function groupStart(vector: SparseVector | undefined): SparseVector[] {
  return vector ? [vector] : [];
}

/** The mean cosine of all pairs across two groups, as vectors of length 1 let sums stand for members. */
function averageCosine(left: readonly SparseVector[], right: readonly SparseVector[]): number {
  const sums = sumOf(right);
  let product = 0;
  for (const [term, weight] of sumOf(left)) product += weight * (sums.get(term) ?? 0);
  return product / (left.length * right.length);
}

function sumOf(group: readonly SparseVector[]): Map<string, number> {
  const sums = new Map<string, number>();
  for (const { terms, weights } of group) {
    for (const [i, term] of terms.entries()) sums.set(term, (sums.get(term) ?? 0) + (weights[i] ?? 0));
  }
  return sums;
}

function countHolders(vectors: readonly SparseVector[]): Map<string, number> {
  const holders = new Map<string, number>();
  for (const { terms } of vectors) for (const term of terms) holders.set(term, (holders.get(term) ?? 0) + 1);
  return holders;
}

/**
 * The heaviest terms that most of the group has and few documents outside of it. The root tempers the
 * share: a group about colours may well not be the only documents to mention them.
 */
function nameOf(group: readonly SparseVector[], holders: ReadonlyMap<string, number>): string[] {
  const within = countHolders(group);
  const share = (term: string): number => Math.sqrt((within.get(term) ?? 0) / (holders.get(term) ?? 1));
  return [...sumOf(group)]
    .filter(([term]) => (within.get(term) ?? 0) >= Math.max(2, group.length / 2))
    .map(([term, sum]): [string, number] => [term, sum * share(term)])
    .sort(([leftTerm, left], [rightTerm, right]) => right - left || compareText(leftTerm, rightTerm))
    .slice(0, 3)
    .map(([term]) => term);
}
