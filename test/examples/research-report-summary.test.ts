import { describe, expect, it } from 'vitest';
import { analyzeDocument, type DocumentAnalysis } from '../../examples/research-report/analysis.ts';
import { countDocumentTerms } from '../../examples/research-report/document-terms.ts';
import { parseMarkdown } from '../../examples/research-report/markdown.ts';
import { reviewAnalysis } from '../../examples/research-report/review.ts';
import { sideSections, titleFor } from '../../examples/research-report/sections.ts';
import { fingerprint, splitSentences } from '../../examples/research-report/sentences.ts';
import { type Summary, type SummaryOptions, summarize } from '../../examples/research-report/summary.ts';
import { buildCorpusIndex, weighTerms } from '../../examples/research-report/terms.ts';

describe('splitSentences', () => {
  it.each([
    ['One. Two! Three? Four', ['One.', 'Two!', 'Three?', 'Four']],
    [
      'Works with e.g. Node.js 18.2.0 vs. Deno, etc. and more. Really.',
      ['Works with e.g. Node.js 18.2.0 vs. Deno, etc. and more.', 'Really.'],
    ],
    ['It parses files, etc. The rest follows.', ['It parses files, etc.', 'The rest follows.']],
    ['See https://a.org/b.html. webpack is next.', ['See https://a.org/b.html.', 'webpack is next.']],
    [
      'By Donald E. Knuth in 1984. It is written in C. It runs.',
      ['By Donald E. Knuth in 1984.', 'It is written in C.', 'It runs.'],
    ],
    ['He said "stop." Then (it stopped.) Done.', ['He said "stop."', 'Then (it stopped.)', 'Done.']],
    ['Yahoo! is a name. Wait... what? Yes.', ['Yahoo! is a name.', 'Wait... what?', 'Yes.']],
    ['1. First point. 2. Second point.', ['1. First point.', '2. Second point.']],
    ['Version v1.2.3. Next', ['Version v1.2.3.', 'Next']],
    ['这是一句。这是另一句！', ['这是一句。', '这是另一句！']],
    ['', []],
    ['...', ['...']],
  ])('splits %j', (text, sentences) => {
    expect(splitSentences(text)).toEqual(sentences);
  });

  it('loses nothing and takes linear time', () => {
    const text = 'A. b! C? e.g. x.y 1. Z... '.repeat(2_000).trim();
    const start = performance.now();
    expect(splitSentences(text).join(' ')).toBe(text);
    expect(splitSentences('a. '.repeat(100_000))).toHaveLength(100_000);
    expect(splitSentences('.'.repeat(500_000))).toHaveLength(1);
    expect(splitSentences('A. '.repeat(100_000))).toHaveLength(1);
    expect(performance.now() - start).toBeLessThan(5_000);
  });

  it('recognises a sentence whatever its marks', () => {
    expect(fingerprint('Hello, World!')).toBe(fingerprint('hello world'));
    expect(fingerprint('Hello, World!')).not.toBe(fingerprint('Hello, Word!'));
    expect(fingerprint('')).toMatch(/^[0-9a-f]{8}$/);
  });
});

describe('sections', () => {
  const headings = (...list: [number, string][]) => list.map(([level, text]) => ({ level, text }));

  it('tells side sections, with what stands below them, from the subject', () => {
    expect(
      sideSections(
        headings(
          [1, 'Tool'],
          [2, 'Usage'],
          [2, 'License'],
          [3, 'Details'],
          [2, 'Options'],
          [2, 'tool for enterprise'],
        ),
      ),
    ).toEqual([false, false, true, true, false, true]);
  });

  it('falls back on the name when the title is no title', () => {
    const titled = (text: string, guess: string) => titleFor(parseMarkdown(text), guess).title;
    expect(titled('# Installation', 'chalk')).toBe('chalk');
    expect(titled('', 'chalk')).toBe('chalk');
    expect(titled('# Chalk logo', 'chalk')).toBe('Chalk');
    // Generic words are fine where they are the name.
    expect(titleFor(parseMarkdown('# is'), '@sindresorhus/is')).toEqual({ title: 'is', own: true });
  });
});

const summaryOf = (text: string, title = 'tool', options: Partial<SummaryOptions> = {}): Summary => {
  const parsed = parseMarkdown(text);
  const terms = countDocumentTerms('x', parsed);
  return summarize(parsed, weighTerms(terms, buildCorpusIndex([terms])), title, options);
};

const README = `# glob-cache

[![badge](https://x/y.svg)](https://x)

glob-cache is a library that matches glob patterns and caches the results on disk.

Please star this repository. Follow me on the network.

## Install

npm install glob-cache --save

## Usage

Here is an example:

Patterns are compiled once and the compiled patterns are cached in memory.
The patterns are compiled once, and the compiled patterns are then cached in memory.
Entries of the cache expire when a file below the pattern changes on disk.

- short item

## License

MIT, which is a license that allows a lot of things in many places.
`;

describe('summarize', () => {
  it('quotes what the document is about, in reading order, without repetition', () => {
    const { text, sentences, candidates } = summaryOf(README, 'glob-cache', { worthAdding: 0.2 });
    expect(sentences[0]?.text).toBe(
      'glob-cache is a library that matches glob patterns and caches the results on disk.',
    );
    expect(sentences.map((sentence) => sentence.text).join(' ')).toBe(text);
    expect(text.match(/compiled once/g)).toHaveLength(1);
    expect(text).toContain('Entries of the cache expire');
    expect(text).not.toMatch(/star this|npm install|MIT|example/);
    expect(candidates).toBe(4);
  });

  it('keeps to its limits', () => {
    expect(summaryOf(README, 'glob-cache', { sentences: 1 }).sentences).toHaveLength(1);
    expect(summaryOf(README, 'glob-cache', { maxCharacters: 100 }).text.length).toBeLessThan(100);
    const long = `A tool ${'that goes on and on '.repeat(12)}and on.`;
    expect(summaryOf(long).text.length).toBeLessThanOrEqual(281);
  });

  it('does not quote what other documents say in the same words', () => {
    const shared = 'This is one of the packages of the great project.';
    const text = `${shared} It sorts numbers in linear time without comparing them.`;
    expect(summaryOf(text).text).toContain('great project');
    expect(summaryOf(text, 'tool', { boilerplate: [fingerprint(shared)] }).text).not.toContain(
      'great project',
    );
    // Better said by many than nothing said at all.
    expect(summaryOf(shared, 'tool', { boilerplate: [fingerprint(shared)] }).text).toBe(shared);
  });

  it('falls back on list items and gives up on code', () => {
    expect(summaryOf('# T\n\n- Sorts numbers in linear time\n- Uses little memory for it').text).toBe(
      'Sorts numbers in linear time. Uses little memory for it.',
    );
    expect(summaryOf('# T\n\nfoo(bar) => { baz: 1 } == $x')).toEqual({
      text: '',
      sentences: [],
      candidates: 0,
    });
    expect(summaryOf('')).toEqual({ text: '', sentences: [], candidates: 0 });
  });

  it('gives the same result every time', () => {
    expect(summaryOf(README)).toEqual(summaryOf(README));
  });
});

const analysisOf = (
  text: string,
  name = 'thing',
  options: Partial<SummaryOptions> = {},
): DocumentAnalysis => {
  const parsed = parseMarkdown(text);
  const terms = countDocumentTerms(name, parsed);
  const document = { id: name, path: `${name}.md`, title: name, bytes: text.length };
  return analyzeDocument(document, parsed, terms, buildCorpusIndex([terms]), options);
};

const checksOf = (text: string, name?: string): string[] =>
  reviewAnalysis(analysisOf(text, name), 2).findings.map(({ severity, check }) => `${severity} ${check}`);

describe('reviewAnalysis', () => {
  const good = `# Glob cache\n\nGlob cache is a library that matches glob patterns against the files on a disk and keeps the results in a cache. The cache is written to the disk when the program ends, so that the next start of it is fast.`;

  it('accepts a sound analysis', () => {
    expect(reviewAnalysis(analysisOf(good, 'glob-cache'))).toEqual({
      id: 'glob-cache',
      verdict: 'accepted',
      findings: [],
    });
  });

  it('finds what is missing', () => {
    expect(checksOf('# Title only')).toEqual(['error prose']);
    expect(checksOf('')).toEqual(['note title', 'error prose']);
    expect(checksOf('## Usage\n\nSorts numbers in linear time, whatever they are.')).toEqual([
      'note title',
      'warning length',
    ]);
    expect(checksOf('# Fast sorter\n\nA fast sorter.')).toEqual(['warning length', 'warning summary']);
    expect(checksOf(`# T\n\n${'x(y) => {z} '.repeat(30)}`)).toContain('error summary');
    expect(checksOf(`${good}\n\n\`\`\`\n${'code\n'.repeat(200)}\`\`\``, 'glob-cache')).toEqual([
      'note balance',
    ]);
  });

  it('notices other languages', () => {
    const german = `# Werkzeug\n\n${'Dieses kleine Werkzeug sortiert beliebige Zahlen sehr schnell und braucht dabei kaum Speicher. '.repeat(4)}`;
    const chinese = `# 工具\n\n${'这个工具可以快速地对数字进行排序，并且几乎不占用内存。'.repeat(8)}`;
    expect(checksOf(german)).toContain('warning language');
    expect(checksOf(chinese)).toContain('warning language');
    expect(checksOf(good)).not.toContain('warning language');
  });

  it('asks once for a longer summary where there is more to say', () => {
    const text = `# Sorter\n\nSorter sorts numbers in linear time.\n\n${'Filler about nothing much follows here, with words that no one needs to know about today. Another remark in passing. '.repeat(1)}`;
    const weak = analysisOf(text, 'sorter', { sentences: 1 });
    const first = reviewAnalysis(weak);
    expect(first.verdict).toBe('revise');
    expect(first.advice).toMatchObject({ sentences: 2 });
    const second = analysisOf(text, 'sorter', first.advice);
    expect(second.summary.text.length).toBeGreaterThan(weak.summary.text.length);
    expect(reviewAnalysis(second, 2).verdict).not.toBe('revise');
    expect(reviewAnalysis(weak, 2).advice).toBeUndefined();
  });

  it('leaves out the name of the document among its key terms and gives plain data', () => {
    const analysis = analysisOf(good, 'cache');
    expect(analysis.keyTerms.map(({ term }) => term)).not.toContain('cache');
    expect(JSON.parse(JSON.stringify(analysis))).toEqual(analysis);
  });
});
