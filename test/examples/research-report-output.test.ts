import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { analyzeDocument, vectorsOf } from '../../examples/research-report/analysis.ts';
import { countDocumentTerms } from '../../examples/research-report/document-terms.ts';
import { parseMarkdown } from '../../examples/research-report/markdown.ts';
import {
  buildReport,
  type Report,
  type ReportInput,
  renderReport,
  writeReport,
} from '../../examples/research-report/report.ts';
import { renderMarkdown } from '../../examples/research-report/report-markdown.ts';
import { reviewAnalysis } from '../../examples/research-report/review.ts';
import { findTopics, similarDocuments } from '../../examples/research-report/similarity.ts';
import { buildCorpusIndex, corpusKeyTerms } from '../../examples/research-report/terms.ts';
import {
  codeBlock,
  codeCell,
  codeSpan,
  counted,
  enumerate,
  escapeMarkdown,
  formatBytes,
  formatDuration,
  formatNumber,
  shorten,
} from '../../examples/research-report/text.ts';
import {
  activityChart,
  mermaidFlowchart,
  mermaidGantt,
  stepEdges,
  stepOf,
  summarizeRun,
  type TimelineEntry,
} from '../../examples/research-report/timeline.ts';

describe('writing Markdown', () => {
  it('escapes what Markdown would take for markup', () => {
    expect(escapeMarkdown('a*b_c_ [x](y) <b> # | `c` ~ $1 \\ {d}')).toBe(
      'a\\*b_c\\_ \\[x\\](y) \\<b\\> \\# \\| \\`c\\` \\~ \\$1 \\\\ \\{d\\}',
    );
    expect(escapeMarkdown('snake_case & &copy; !\u005bz]')).toBe('snake_case & &amp;copy; \\!\\[z\\]');
    expect(escapeMarkdown('- item\n- item')).toBe('\\- item - item');
    expect(escapeMarkdown('1. one')).toBe('1\\. one');
    expect(escapeMarkdown('1.5 is a number')).toBe('1.5 is a number');
  });

  it('escaped text reads back as it was', () => {
    const text = 'Use `a|b`, **not** <i>this</i> & [that](x) #5 ~~or~~ 2 * 3 __init__ \\n ![i](j)';
    expect(parseMarkdown(escapeMarkdown(text)).paragraphs[0]?.text).toBe(text);
  });

  it('writes code with fences that fit', () => {
    expect(codeSpan('a`b')).toBe('`` a`b ``');
    expect(codeSpan('')).toBe('');
    expect(codeCell('a|b')).toBe('`a\\|b`');
    expect(codeBlock('text', 'x\n```\ny')).toBe('````text\nx\n```\ny\n````');
  });

  it('prints numbers the same on every machine', () => {
    expect([formatNumber(1234567), formatNumber(-1000.5), formatNumber(999)]).toEqual([
      '1,234,567',
      '-1,000.5',
      '999',
    ]);
    expect([formatBytes(1), formatBytes(2048), formatBytes(3 << 20)]).toEqual([
      '1 byte',
      '2.0 KiB',
      '3.0 MiB',
    ]);
    expect([formatDuration(12.4), formatDuration(1500), formatDuration(125_000)]).toEqual([
      '12 ms',
      '1.5 s',
      '2 min 5 s',
    ]);
    expect([counted(1, 'retry', 'retries'), counted(2, 'retry', 'retries')]).toEqual([
      '1 retry',
      '2 retries',
    ]);
    expect([enumerate([]), enumerate(['a']), enumerate(['a', 'b', 'c'])]).toEqual(['', 'a', 'a, b and c']);
    expect([shorten('one two three', 9), shorten('short', 9), shorten('💡💡💡', 4)]).toEqual([
      'one two…',
      'short',
      '💡…',
    ]);
  });
});

const timeline: TimelineEntry[] = [
  { path: 'find', agent: 'researcher', startedAt: 1_000, endedAt: 1_100, attempts: 1, status: 'succeeded' },
  {
    path: 'documents[a]/read',
    agent: 'researcher',
    startedAt: 1_100,
    endedAt: 1_300,
    attempts: 1,
    status: 'succeeded',
  },
  {
    path: 'documents[b]/read',
    agent: 'researcher',
    startedAt: 1_100,
    endedAt: 1_200,
    attempts: 3,
    status: 'failed',
  },
  {
    path: 'documents[a]/analyse#2',
    agent: 'analyst',
    startedAt: 1_300,
    endedAt: 1_500,
    attempts: 2,
    status: 'succeeded',
  },
  {
    path: 'documents[b]/analyse',
    agent: 'analyst',
    startedAt: null,
    endedAt: null,
    attempts: 0,
    status: 'skipped',
  },
  { path: 'write "it"', agent: 'writer', startedAt: 1_500, endedAt: null, attempts: 1, status: 'running' },
];
const edges = [
  { from: 'find', to: 'documents[a]/read' },
  { from: 'find', to: 'documents[b]/read' },
  { from: 'documents[a]/read', to: 'documents[a]/analyse' },
  { from: 'documents[a]/analyse', to: 'write "it"' },
];

describe('the timeline', () => {
  it('sums tasks up by step', () => {
    expect(['a', 'm[x y]/b#3/c', 'a[1][2]/b', 'read:chalk', 'a:b:c/d:e'].map(stepOf)).toEqual([
      'a',
      'm/b/c',
      'a/b',
      'read',
      'a/d',
    ]);
    const run = summarizeRun(timeline);
    expect(run).toMatchObject({ startedAt: 1_000, duration: 500, tasks: 6, busy: 600, parallelism: 1.2 });
    expect(
      run.steps.map(({ step, tasks, start, end, extraAttempts }) => [step, tasks, start, end, extraAttempts]),
    ).toEqual([
      ['find', 1, 0, 100, 0],
      ['documents/read', 2, 100, 300, 2],
      ['documents/analyse', 2, 300, 500, 1],
      ['write "it"', 1, 500, 500, 0],
    ]);
    expect(run.steps[1]?.outcomes).toEqual([
      { status: 'failed', tasks: 1 },
      { status: 'succeeded', tasks: 1 },
    ]);
    expect(run.agents.map(({ agent, tasks, busy }) => [agent, tasks, busy])).toEqual([
      ['researcher', 3, 400],
      ['analyst', 2, 200],
      ['writer', 1, 0],
    ]);
    expect(run.repeated.map(({ path: place, attempts }) => [place, attempts])).toEqual([
      ['documents[b]/read', 3],
      ['documents[a]/analyse#2', 2],
    ]);
    expect(run.slowest[0]).toEqual({ path: 'documents[a]/analyse#2', agent: 'analyst', duration: 200 });
  });

  it('draws how busy each agent was', () => {
    expect(activityChart(timeline, 10)).toBe(
      [
        'researcher |▄▄██▄▄    |',
        'analyst    |      ▄▄▄▄|',
        'writer     |          |',
        '            0   500 ms',
      ]
        .join('\n')
        .replaceAll('▄', '▅'),
    );
    expect(activityChart([], 10)).toBe('');
  });

  it('writes Mermaid charts', () => {
    const run = summarizeRun(timeline);
    expect(mermaidGantt(run)).toBe(
      [
        'gantt',
        '  dateFormat x',
        '  axisFormat %M:%S.%L',
        '  section researcher',
        '  find :0, 100ms',
        '  documents/read x2 :100, 200ms',
        '  section analyst',
        '  documents/analyse x2 :300, 200ms',
        '  section writer',
        '  write "it" :500, 1ms',
      ].join('\n'),
    );
    expect(mermaidFlowchart(run, edges)).toBe(
      [
        'flowchart LR',
        '  s1["find<br/>researcher"]',
        '  s2["documents/read x2<br/>researcher"]',
        '  s3["documents/analyse x2<br/>analyst"]',
        '  s4["write #34;it#34;<br/>writer"]',
        '  s1 -->|2| s2',
        '  s2 --> s3',
        '  s3 --> s4',
      ].join('\n'),
    );
    expect(stepEdges(edges)).toContainEqual({ from: 'find', to: 'documents/read', tasks: 2 });
  });

  it('accepts an empty record', () => {
    expect(summarizeRun([])).toEqual({
      startedAt: 0,
      duration: 0,
      tasks: 0,
      busy: 0,
      parallelism: 0,
      steps: [],
      agents: [],
      slowest: [],
      repeated: [],
    });
  });
});

const sources: Record<string, string> = {
  'chalk-lines':
    '# Chalk lines\n\nChalk lines is a library that draws colored lines in a terminal. Colors of lines follow the theme of the terminal, and the lines can be styled.\n\n```js\ndraw()\n```\n\nSee [more](https://x.org).',
  ink_pen:
    '# Ink | *pen* sketches\n\nInk pen is a library that draws colored text in a terminal. Colors of the text follow the theme of the terminal, and it can be styled with `<b>`.',
  empty: '# Empty',
};

function inputFor(names: readonly string[]): ReportInput {
  const documents = names.map((id) => ({
    id,
    path: `${id}.md`,
    title: id,
    bytes: (sources[id] ?? '').length,
  }));
  const parsed = names.map((id) => parseMarkdown(sources[id] ?? ''));
  const terms = names.map((id, i) => countDocumentTerms(id, parsed[i] ?? parseMarkdown('')));
  const index = buildCorpusIndex(terms);
  const analyses = documents.map((document, i) =>
    analyzeDocument(
      document,
      parsed[i] ?? parseMarkdown(''),
      terms[i] ?? countDocumentTerms('', parseMarkdown('')),
      index,
    ),
  );
  const vectors = vectorsOf(terms, index);
  const neighbours = similarDocuments(vectors);
  return {
    generatedAt: '2026-01-02T03:04:05.000Z',
    listing: { folder: 'docs', layout: 'tree', documents, truncated: false, unreadable: [] },
    index,
    analyses,
    reviews: analyses.map((analysis) => reviewAnalysis(analysis, 2)),
    neighbours,
    topics: findTopics(vectors, neighbours),
    corpusTerms: corpusKeyTerms(analyses),
    run: { timeline: names.length > 2 ? timeline : [...timeline].reverse(), edges },
  };
}

describe('the report', () => {
  const report = buildReport(inputFor(['chalk-lines', 'empty', 'ink_pen']));
  const markdown = renderMarkdown(report);

  it('sums up the corpus', () => {
    expect(report.overview).toMatchObject({
      documents: 3,
      codeBlocks: 1,
      externalLinks: 1,
      languages: [{ language: 'JavaScript', blocks: 1 }],
      findings: { error: 1, warning: 0, note: 0 },
      documentsWithFindings: 1,
    });
    expect(report.topics).toMatchObject([{ ids: ['chalk-lines', 'ink_pen'] }]);
    expect(report.closestPairs.map(({ ids }) => ids)).toEqual([['chalk-lines', 'ink_pen']]);
    expect(report.documents.map(({ id, verdict }) => [id, verdict])).toEqual([
      ['chalk-lines', 'accepted'],
      ['empty', 'rejected'],
      ['ink_pen', 'accepted'],
    ]);
  });

  it('has all its sections, with escaped text and links that lead somewhere', () => {
    const titles = markdown.split('\n').filter((line) => line.startsWith('## '));
    expect(titles).toEqual([
      '## At a glance',
      '## Key terms',
      '## Topics',
      '## Closest pairs',
      '## What the reviewer found',
      '## Documents',
      '## How this report was made',
    ]);
    expect(markdown).toContain('*Ink \\| pen sketches*');
    expect(markdown).toContain('> (no summary)');
    const anchors = [...markdown.matchAll(/\(#(doc-\d+)\)/g)].map(([, anchor]) => anchor);
    expect(anchors.length).toBeGreaterThan(4);
    for (const anchor of anchors) expect(markdown).toContain(`<a id="${anchor}"></a>`);
    // Its own Markdown can be parsed again, and every table has rows of the same width.
    expect(parseMarkdown(markdown).title).toBe('What 3 documents say');
    for (const block of markdown.split('\n\n').filter((text) => text.startsWith('|'))) {
      const widths = block.split('\n').map((line) => line.replaceAll('\\|', '').split('|').length);
      expect(new Set(widths).size).toBe(1);
    }
  });

  it('is the same whatever the order of its input', () => {
    const { analyses, reviews, neighbours, run, ...rest } = inputFor(['chalk-lines', 'empty', 'ink_pen']);
    const backwards = buildReport({
      ...rest,
      analyses: [...analyses].reverse(),
      reviews: [...reviews].reverse(),
      neighbours: [...neighbours].reverse(),
      run: { timeline: [...run.timeline].reverse(), edges: [...run.edges].reverse() },
    });
    expect(backwards).toEqual(report);
    expect(renderMarkdown(backwards)).toBe(markdown);
  });

  it('survives JSON and having nothing to say', () => {
    expect(JSON.parse(JSON.stringify(report)) as Report).toEqual(report);
    const empty = buildReport({ ...inputFor([]), run: { timeline: [], edges: [] } });
    expect(renderMarkdown(empty)).toMatch(/^# What 0 documents say\n/);
    const one = buildReport(inputFor(['empty']));
    expect(renderMarkdown(one)).toContain('# What 1 document says');
  });

  it('writes both files and leaves nothing else behind', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'research-report-'));
    try {
      const written = await writeReport(path.join(folder, 'out'), renderReport(report));
      expect(await readdir(path.join(folder, 'out'))).toEqual(['report.json', 'report.md']);
      expect(await readFile(written.markdownPath, 'utf8')).toBe(markdown);
      expect(JSON.parse(await readFile(written.jsonPath, 'utf8'))).toEqual(report);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
