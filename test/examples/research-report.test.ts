import { describe, expect, it } from 'vitest';
import { countDocumentTerms, type DocumentTerms } from '../../examples/research-report/document-terms.ts';
import { parseMarkdown } from '../../examples/research-report/markdown.ts';
import { logLikelihood, significantPhrases } from '../../examples/research-report/phrases.ts';
import { cosine, findTopics, similarDocuments, vectorOf } from '../../examples/research-report/similarity.ts';
import {
  buildCorpusIndex,
  type CorpusIndex,
  corpusKeyTerms,
  documentFrequencyOf,
  indexFor,
  inverseDocumentFrequency,
  keyTermsOf,
  labelFor,
  weighTerms,
} from '../../examples/research-report/terms.ts';
import { normalizeTerm, readWords, termsOf } from '../../examples/research-report/tokens.ts';

const termsIn = (id: string, text: string): DocumentTerms => countDocumentTerms(id, parseMarkdown(text));

describe('words and terms', () => {
  it('keeps the words of technical prose whole', () => {
    const words = readWords(
      "Node.js, C++/C# and .env: utf-8 snake_case @types/node's don’t React.Component (e.g. x86_64)",
    );
    expect(words.map(({ word }) => word)).toEqual([
      'node.js',
      'c++',
      'c#',
      'and',
      '.env',
      'utf-8',
      'snake_case',
      '@types/node',
      "don't",
      'react',
      'component',
      'e.g',
      'x86_64',
    ]);
  });

  it('drops addresses, numbers, versions, digests, adverbs and stop words', () => {
    expect(
      termsOf(
        'The https://a.b/c www.x.org me@host.org 42 1.2.3 v2.x 3x 10kb 2nd deadbeef12 significantly of it’ll v8 es2015',
      ),
    ).toEqual(['v8', 'es2015']);
  });

  it.each([
    ['files', 'file'],
    ['libraries', 'library'],
    ['classes', 'class'],
    ['matches', 'match'],
    ['caches', 'cache'],
    ['boxes', 'box'],
    ['releases', 'release'],
    ['status', 'status'],
    ['analysis', 'analysis'],
    ['apis', 'api'],
    ['children', 'child'],
    ['css', 'css'],
    ['nodejs', 'nodejs'],
    ["package's", 'package'],
    ['cookies', 'cookie'],
    ['aliases', 'alias'],
    ['types.d.ts', 'types.d.ts'],
    ['bus', 'bus'],
  ])('reduces %s to %s', (word, term) => {
    expect(normalizeTerm(word)).toBe(term);
  });

  it('lets no phrase run over stop words and punctuation', () => {
    const { pairs } = termsIn(
      'a',
      'Source map reader. Worker thread, pool of threads (task queue) and/or fast lane',
    );
    expect(pairs.map(({ term }) => term)).toEqual([
      'fast lane',
      'map reader',
      'source map',
      'task queue',
      'worker thread',
    ]);
  });

  it('shows terms as the document writes them', () => {
    const { terms } = termsIn('a', 'JavaScript and TypeScripts. Yargs parses; parse it. ASTs AST');
    expect(terms).toEqual([
      { term: 'ast', count: 2, label: 'AST' },
      { term: 'javascript', count: 1, label: 'JavaScript' },
      { term: 'parse', count: 2 },
      { term: 'typescript', count: 1, label: 'TypeScripts' },
      { term: 'yarg', count: 1, label: 'yargs' },
    ]);
  });

  it('counts only what is about the subject, unless nothing is', () => {
    const side = termsIn(
      'a',
      '# Tool\n\nParses grammar.\n\n## License\n\nMIT by Someone.\n\n### Notes\n\nHidden.\n\n## Use\n\nVisible.',
    );
    expect(side.terms.map(({ term }) => term)).toEqual(['grammar', 'parse', 'tool', 'visible']);
    const only = termsIn('b', '# Contributing\n\nFork the repository and send patches.');
    expect(only.terms.map(({ term }) => term)).toContain('repository');
  });
});

describe('TF-IDF on a corpus worked out by hand', () => {
  // Three documents: df(apple) = df(banana) = df(cherry) = 2, df(dragonfruit) = 1.
  //   idf(2) = ln(4/3) + 1 = 1.287682,  idf(1) = ln(4/2) + 1 = 1.693147
  //   one:   apple (1 + ln 2) * 1.287682 = 2.180235, banana 1.287682; length 2.532104
  //   three: banana 1.287682, cherry 2.180235, dragonfruit 1.693147; length 3.046030
  const documents = [
    termsIn('one', 'apple apple banana'),
    termsIn('two', 'apple cherry'),
    termsIn('three', 'banana cherry cherry dragonfruit'),
  ];
  const [one, two, three] = documents as [DocumentTerms, DocumentTerms, DocumentTerms];
  const index = buildCorpusIndex(documents);

  it('indexes the corpus', () => {
    expect(index).toEqual<CorpusIndex>({
      documents: 3,
      length: 9,
      terms: ['apple', 'banana', 'cherry', 'dragonfruit'],
      documentFrequency: [2, 2, 2, 1],
      occurrences: [3, 2, 3, 1],
      labels: ['apple', 'banana', 'cherry', 'dragonfruit'],
      phrases: [],
      boilerplate: [],
    });
    expect(documentFrequencyOf(index, 'cherry')).toBe(2);
    expect(documentFrequencyOf(index, 'constructor')).toBe(0);
  });

  it('computes smooth idf', () => {
    expect(inverseDocumentFrequency(3, 2)).toBeCloseTo(1.287682, 6);
    expect(inverseDocumentFrequency(3, 1)).toBeCloseTo(1.693147, 6);
    expect(inverseDocumentFrequency(3, 3)).toBe(1);
    expect(inverseDocumentFrequency(0, 0)).toBe(1);
  });

  it('weighs terms', () => {
    expect(weighTerms(one, index)).toEqual([
      { term: 'apple', weight: 0.861037, count: 2, documents: 2 },
      { term: 'banana', weight: 0.508542, count: 1, documents: 2 },
    ]);
    expect(weighTerms(three, index).map(({ term, weight }) => [term, weight])).toEqual([
      ['cherry', 0.715763],
      ['dragonfruit', 0.555854],
      ['banana', 0.422741],
    ]);
  });

  it('compares documents', () => {
    const vectors = documents.map((terms) => vectorOf(terms.id, weighTerms(terms, index)));
    // one and two share apple: 0.861037 / sqrt 2; two and three share cherry: 0.715763 / sqrt 2.
    const [first, second] = vectors as [(typeof vectors)[0], (typeof vectors)[0]];
    expect(cosine(first, second)).toBeCloseTo(0.608845, 5);
    expect(cosine(first, first)).toBeCloseTo(1, 5);
    expect(similarDocuments(vectors, { minScore: 0 })).toEqual([
      {
        id: 'one',
        similar: [
          { id: 'two', score: 0.609, shared: ['apple'] },
          { id: 'three', score: 0.215, shared: ['banana'] },
        ],
      },
      {
        id: 'two',
        similar: [
          { id: 'one', score: 0.609, shared: ['apple'] },
          { id: 'three', score: 0.506, shared: ['cherry'] },
        ],
      },
      {
        id: 'three',
        similar: [
          { id: 'two', score: 0.506, shared: ['cherry'] },
          { id: 'one', score: 0.215, shared: ['banana'] },
        ],
      },
    ]);
    expect(
      similarDocuments(vectors, { limit: 1, minScore: 0.55 }).map(({ similar }) => similar.length),
    ).toEqual([1, 1, 0]);
  });

  it('ranks key terms, without those that go without saying', () => {
    expect(keyTermsOf(three, index, { limit: 2, except: ['cherry'] }).map(({ term }) => term)).toEqual([
      'dragonfruit',
      'banana',
    ]);
    expect(two.length).toBe(2);
  });

  it('copes with terms named like properties of objects', () => {
    const odd = [
      termsIn('__proto__', 'constructor __proto__ hasOwnProperty'),
      termsIn('b', 'constructor toString'),
    ];
    const weighed = weighTerms(odd[0] as DocumentTerms, buildCorpusIndex(odd));
    expect(weighed.map(({ term, documents: df }) => [term, df])).toEqual([
      ['hasownproperty', 1],
      ['proto', 1],
      ['constructor', 2],
    ]);
  });
});

describe('phrases', () => {
  it('computes the log-likelihood ratio of Dunning', () => {
    // Table 2 x 2: 10, 5, 5, 80. 2 * sum k ln(k N / (row * column)) = 43.97
    expect(logLikelihood(10, 15, 15, 100)).toBeCloseTo(
      2 *
        (10 * Math.log((10 * 100) / 225) +
          10 * Math.log((5 * 100) / (15 * 85)) +
          80 * Math.log((80 * 100) / (85 * 85))),
      6,
    );
    expect(logLikelihood(1, 10, 10, 100)).toBe(0);
    expect(logLikelihood(0, 0, 0, 0)).toBe(0);
  });

  it('keeps pairs that meet too often for chance', () => {
    const pairs = [
      [
        { term: 'source map', count: 3 },
        { term: 'fast map', count: 1 },
      ],
      [{ term: 'source map', count: 1 }],
    ];
    const totals = new Map([
      ['source', 4],
      ['map', 5],
      ['fast', 30],
      ['other', 400],
    ]);
    expect(
      significantPhrases(pairs, totals).map(({ phrase, count, documents }) => [phrase, count, documents]),
    ).toEqual([['source map', 4, 2]]);
  });

  it('prefers a phrase to its words, unless a word is frequent without it', () => {
    const text = 'Source map here. Source map there. Source map again. '.repeat(2);
    const corpus = [
      termsIn('a', `${text} Map. Map. Map. Map. Map. Map. Map. Map. Tiny.`),
      termsIn('b', 'Alpha, beta, gamma, delta. '.repeat(10)),
    ];
    const keys = keyTermsOf(corpus[0] as DocumentTerms, buildCorpusIndex(corpus)).map(({ term }) => term);
    expect(keys).toContain('source map');
    expect(keys).toContain('map');
    expect(keys).not.toContain('source');
  });
});

describe('the corpus as a whole', () => {
  const corpus = [
    termsIn('red', '# Red\n\nPaints terminal colors. Colors for the terminal, with ANSI escapes.'),
    termsIn('blue', '# Blue\n\nTerminal colors done right: ANSI colors and styles.'),
    termsIn('glob', '# Glob\n\nMatches glob patterns against paths. Patterns with braces.'),
    termsIn('match', '# Match\n\nA glob matcher: patterns, braces and paths.'),
    termsIn('alone', '# Alone\n\nSolves sudoku puzzles quickly.'),
  ];
  const index = buildCorpusIndex(corpus);
  const vectors = corpus.map((terms) => vectorOf(terms.id, weighTerms(terms, index)));

  it('finds topics and names them', () => {
    const topics = findTopics(vectors, similarDocuments(vectors));
    expect(topics.map(({ ids }) => ids)).toEqual([
      ['blue', 'red'],
      ['glob', 'match'],
    ]);
    expect(topics[0]?.name).toContain('color');
    expect(topics[0]?.name.map((term) => labelFor(index, term))).toContain('colors');
  });

  it('ranks terms that characterise several documents', () => {
    const terms = corpusKeyTerms(
      corpus.map((one) => ({ id: one.id, length: one.length, keyTerms: keyTermsOf(one, index) })),
    );
    expect(terms.length).toBeGreaterThan(3);
    expect(terms.every(({ keyIn, documents }) => keyIn > 1 && documents >= keyIn)).toBe(true);
    expect(terms.map(({ term }) => term)).not.toContain('sudoku');
  });

  it('analyses a document by the part of the index that is about it as by the whole', () => {
    // Given documents of which one has a phrase, and none has all terms
    const text = 'Source map here. Source map there. Source map again. '.repeat(2);
    const phrases = [...corpus, termsIn('maps', text), termsIn('greek', 'Alpha, beta, gamma. '.repeat(10))];
    const whole = buildCorpusIndex(phrases);
    for (const terms of phrases) {
      // When it is weighed by its own part of the index
      const part = indexFor(terms, whole);
      // Then nothing differs, though the part is smaller
      expect(weighTerms(terms, part)).toEqual(weighTerms(terms, whole));
      expect(keyTermsOf(terms, part)).toEqual(keyTermsOf(terms, whole));
      expect(part.terms).toEqual(terms.terms.map(({ term }) => term));
      expect(part.terms.length).toBeLessThan(whole.terms.length);
    }
    expect(whole.phrases.map(({ phrase }) => phrase)).toEqual(['source map']);
  });

  it('does not depend on the order of the documents', () => {
    const backwards = [...corpus].reverse();
    expect(buildCorpusIndex(backwards)).toEqual(index);
    expect(findTopics([...vectors].reverse(), similarDocuments([...vectors].reverse()))).toEqual(
      findTopics(vectors, similarDocuments(vectors)),
    );
  });
});
