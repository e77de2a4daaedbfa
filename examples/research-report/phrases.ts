/**
 * Finds two-word phrases that mean something together (`source map`, `worker thread`) as opposed to words
 * that stand side by side by chance.
 *
 * The test is the log-likelihood ratio of Dunning, "Accurate methods for the statistics of surprise and
 * coincidence" (Computational Linguistics 19, 1993). Unlike chi-square or mutual information it holds up
 * for the small counts that nearly all pairs of words have.
 */
import { compareText, rounded } from './text.ts';

export type TermCount = { term: string; count: number };

export type Phrase = {
  /** Two terms with a space in between. */
  phrase: string;
  count: number;
  documents: number;
  /** Log-likelihood ratio; above 10.83 chance is ruled out with p < 0.001. */
  surprise: number;
};

export type PhraseThresholds = { minCount: number; minSurprise: number };

const DEFAULT_THRESHOLDS: PhraseThresholds = { minCount: 3, minSurprise: 10.83 };

/** Counts as plain data in a stable order. */
export function sortedCounts(counts: ReadonlyMap<string, number>): TermCount[] {
  return [...counts]
    .map(([term, count]) => ({ term, count }))
    .sort((left, right) => compareText(left.term, right.term));
}

/**
 * The significant phrases of a corpus, sorted by phrase.
 *
 * `pairs` holds the pairs of each document, `termTotals` how often each term occurs in the whole corpus.
 */
export function significantPhrases(
  pairs: readonly (readonly TermCount[])[],
  termTotals: ReadonlyMap<string, number>,
  thresholds: Partial<PhraseThresholds> = {},
): Phrase[] {
  const { minCount, minSurprise } = { ...DEFAULT_THRESHOLDS, ...thresholds };
  const totals = new Map<string, { count: number; documents: number }>();
  for (const document of pairs) {
    for (const { term, count } of document) {
      const total = totals.get(term) ?? { count: 0, documents: 0 };
      total.count += count;
      total.documents += 1;
      totals.set(term, total);
    }
  }
  const size = [...termTotals.values()].reduce((sum, count) => sum + count, 0);
  const phrases: Phrase[] = [];
  for (const [phrase, { count, documents }] of totals) {
    if (count < minCount) continue;
    const [left = '', right = ''] = phrase.split(' ');
    const surprise = logLikelihood(count, termTotals.get(left) ?? 0, termTotals.get(right) ?? 0, size);
    if (surprise >= minSurprise) phrases.push({ phrase, count, documents, surprise: rounded(surprise, 2) });
  }
  return phrases.sort((left, right) => compareText(left.phrase, right.phrase));
}

/**
 * How surprising it is to see two terms together `together` times, when they occur `left` and `right`
 * times among `size` words. 0 when they meet no more often than chance would have it.
 */
export function logLikelihood(together: number, left: number, right: number, size: number): number {
  const onlyLeft = Math.max(left - together, 0);
  const onlyRight = Math.max(right - together, 0);
  const neither = Math.max(size - together - onlyLeft - onlyRight, 0);
  if (size === 0 || together * size <= left * right) return 0;
  const cells = entropy(together, onlyLeft, onlyRight, neither);
  const rows = entropy(together + onlyLeft, onlyRight + neither);
  const columns = entropy(together + onlyRight, onlyLeft + neither);
  return Math.max(2 * (rows + columns - cells), 0);
}

/** Unnormalised entropy of counts, as in Dunning's second formula. */
function entropy(...counts: number[]): number {
  const total = counts.reduce((sum, count) => sum + count, 0);
  let result = 0;
  for (const count of counts) if (count > 0) result -= count * Math.log(count / total);
  return result;
}
