/**
 * The writer: gathers everything into one plain report, the content of report.json, and saves it together
 * with report.md, which `report-markdown.ts` makes from it.
 */
import { mkdir, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { DocumentAnalysis } from './analysis.ts';
import type { DocumentListing } from './find-documents.ts';
import { renderMarkdown } from './report-markdown.ts';
import type { Finding, Review, Severity } from './review.ts';
import type { Neighbour, Neighbours, Topic } from './similarity.ts';
import { type CorpusIndex, type CorpusTerm, labelFor } from './terms.ts';
import { compareText, groupBy } from './text.ts';
import {
  type GraphEdge,
  type RunSummary,
  type StepEdge,
  stepEdges,
  summarizeRun,
  type TimelineEntry,
} from './timeline.ts';

export type ReportInput = {
  /** When the report is written, in ISO 8601. It is passed in so that equal input gives an equal report. */
  generatedAt: string;
  listing: DocumentListing;
  index: CorpusIndex;
  analyses: readonly DocumentAnalysis[];
  reviews: readonly Review[];
  neighbours: readonly Neighbours[];
  topics: readonly Topic[];
  corpusTerms: readonly CorpusTerm[];
  /** The record of the run so far; the task that writes the report is usually still in it as running. */
  run: { timeline: readonly TimelineEntry[]; edges: readonly GraphEdge[] };
};

export type Overview = {
  documents: number;
  bytes: number;
  words: number;
  vocabulary: number;
  phrases: number;
  codeBlocks: number;
  languages: { language: string; blocks: number }[];
  internalLinks: number;
  externalLinks: number;
  medianWords: number;
  longest: { id: string; words: number }[];
  /** Findings of the reviewer by severity. */
  findings: Record<Severity, number>;
  documentsWithFindings: number;
};

export type DocumentReport = Omit<DocumentAnalysis, 'hasTitle' | 'language' | 'length'> & {
  similar: Neighbour[];
  verdict: Review['verdict'] | 'not reviewed';
  findings: Finding[];
};

export type Pair = { ids: [string, string]; score: number; shared: string[] };

export type Report = {
  generatedAt: string;
  folder: string;
  layout: DocumentListing['layout'];
  truncated: boolean;
  unreadable: string[];
  overview: Overview;
  keyTerms: CorpusTerm[];
  topics: Topic[];
  closestPairs: Pair[];
  documents: DocumentReport[];
  run: RunSummary & { timeline: TimelineEntry[]; edges: GraphEdge[]; stepEdges: StepEdge[] };
};

export type WrittenReport = {
  markdownPath: string;
  jsonPath: string;
  markdownBytes: number;
  jsonBytes: number;
};

const PAIRS = 12;
const LONGEST = 3;
const LANGUAGES = 6;
const SEVERITIES: readonly Severity[] = ['error', 'warning', 'note'];

/** Builds the report. Everything in it is sorted, so the order in which tasks finished leaves no trace. */
export function buildReport(input: ReportInput): Report {
  const label = (term: string): string => labelFor(input.index, term);
  const analyses = [...input.analyses].sort((left, right) => compareText(left.id, right.id));
  const reviews = new Map(input.reviews.map((review) => [review.id, review]));
  const neighbours = new Map(input.neighbours.map(({ id, similar }) => [id, similar]));
  const documents = analyses.map(({ hasTitle: _, language: _language, length: _length, ...analysis }) => {
    const review = reviews.get(analysis.id);
    const similar = neighbours.get(analysis.id) ?? [];
    return {
      ...analysis,
      similar: similar.map((one) => ({ ...one, shared: one.shared.map(label) })),
      verdict: review?.verdict ?? ('not reviewed' as const),
      findings: bySeverity(review?.findings ?? []),
    };
  });
  const timeline = [...input.run.timeline].sort(byStart);
  const edges = [...input.run.edges].sort(
    (left, right) => compareText(left.from, right.from) || compareText(left.to, right.to),
  );
  return {
    generatedAt: input.generatedAt,
    folder: input.listing.folder,
    layout: input.listing.layout,
    truncated: input.listing.truncated,
    unreadable: [...input.listing.unreadable].sort(compareText),
    overview: overviewOf(documents, input.index),
    keyTerms: input.corpusTerms.map((term) => ({ ...term, label: label(term.term) })),
    topics: input.topics.map(({ name, ids }) => ({ name: name.map(label), ids })),
    closestPairs: closestPairs(documents),
    documents,
    run: { ...summarizeRun(timeline), timeline, edges, stepEdges: stepEdges(edges) },
  };
}

function overviewOf(documents: readonly DocumentReport[], index: CorpusIndex): Overview {
  const sum = (measure: (document: DocumentReport) => number): number =>
    documents.reduce((total, document) => total + measure(document), 0);
  const bySize = [...documents].sort(
    (left, right) => right.words - left.words || compareText(left.id, right.id),
  );
  const findings = documents.flatMap((document) => document.findings);
  const count = (severity: Severity): number =>
    findings.filter((finding) => finding.severity === severity).length;
  return {
    documents: documents.length,
    bytes: sum(({ bytes }) => bytes),
    words: sum(({ words }) => words),
    vocabulary: index.terms.length,
    phrases: index.phrases.length,
    codeBlocks: sum(({ code }) => code.blocks),
    languages: languagesOf(documents),
    internalLinks: sum(({ links }) => links.internal),
    externalLinks: sum(({ links }) => links.external),
    medianWords: bySize[Math.floor(bySize.length / 2)]?.words ?? 0,
    longest: bySize.slice(0, LONGEST).map(({ id, words }) => ({ id, words })),
    findings: { error: count('error'), warning: count('warning'), note: count('note') },
    documentsWithFindings: documents.filter((document) => document.findings.length > 0).length,
  };
}

/** `js` and `javascript` are the same language under two names. */
function languagesOf(documents: readonly DocumentReport[]): Overview['languages'] {
  const all = documents.flatMap(({ code }) => code.languages);
  return [...groupBy(all, ({ language }) => LANGUAGE_NAMES.get(language) ?? language)]
    .map(([language, group]) => ({ language, blocks: group.reduce((sum, { blocks }) => sum + blocks, 0) }))
    .sort((left, right) => right.blocks - left.blocks || compareText(left.language, right.language))
    .slice(0, LANGUAGES);
}

const LANGUAGE_NAMES: ReadonlyMap<string, string> = new Map([
  ['js', 'JavaScript'],
  ['javascript', 'JavaScript'],
  ['mjs', 'JavaScript'],
  ['cjs', 'JavaScript'],
  ['jsx', 'JavaScript'],
  ['ts', 'TypeScript'],
  ['typescript', 'TypeScript'],
  ['tsx', 'TypeScript'],
  ['sh', 'shell'],
  ['bash', 'shell'],
  ['shell', 'shell'],
  ['console', 'shell'],
  ['zsh', 'shell'],
  ['json', 'JSON'],
  ['jsonc', 'JSON'],
  ['json5', 'JSON'],
  ['yml', 'YAML'],
  ['yaml', 'YAML'],
  ['html', 'HTML'],
  ['css', 'CSS'],
  ['py', 'Python'],
  ['python', 'Python'],
  ['diff', 'diff'],
  ['text', 'plain text'],
  ['txt', 'plain text'],
]);

/**
 * Each document in one pair at most: six documents written from one template would fill the list with the
 * fifteen pairs among them.
 */
function closestPairs(documents: readonly DocumentReport[]): Pair[] {
  const pairs = new Map<string, Pair>();
  for (const { id, similar } of documents) {
    for (const { id: other, score, shared } of similar) {
      const ids: [string, string] = compareText(id, other) < 0 ? [id, other] : [other, id];
      const key = ids.join('\n');
      if (!pairs.has(key)) pairs.set(key, { ids, score, shared });
    }
  }
  const ranked = [...pairs]
    .sort(([leftKey, left], [rightKey, right]) => right.score - left.score || compareText(leftKey, rightKey))
    .map(([, pair]) => pair);
  const named = new Set<string>();
  return ranked
    .filter(({ ids }) => {
      if (ids.some((id) => named.has(id))) return false;
      for (const id of ids) named.add(id);
      return true;
    })
    .slice(0, PAIRS);
}

function bySeverity(findings: readonly Finding[]): Finding[] {
  return [...findings].sort(
    (left, right) =>
      SEVERITIES.indexOf(left.severity) - SEVERITIES.indexOf(right.severity) ||
      compareText(left.check, right.check) ||
      compareText(left.message, right.message),
  );
}

/** What never started comes last. */
function byStart(left: TimelineEntry, right: TimelineEntry): number {
  const [leftStart, rightStart] = [left.startedAt ?? Infinity, right.startedAt ?? Infinity];
  if (leftStart !== rightStart) return leftStart - rightStart;
  return compareText(left.path, right.path);
}

export function renderJson(report: Report): string {
  return `${JSON.stringify(report, null, 2)}\n`;
}

/** The text of both files. */
export type RenderedReport = { markdown: string; json: string };

export function renderReport(report: Report): RenderedReport {
  return { markdown: renderMarkdown(report), json: renderJson(report) };
}

/** Writes both files. Each appears whole or not at all, so that an interrupted run leaves no half report. */
export async function writeReport(
  folder: string,
  { markdown, json }: RenderedReport,
): Promise<WrittenReport> {
  await mkdir(folder, { recursive: true });
  const markdownPath = path.join(folder, 'report.md');
  const jsonPath = path.join(folder, 'report.json');
  await replaceFile(markdownPath, markdown);
  await replaceFile(jsonPath, json);
  return {
    markdownPath,
    jsonPath,
    markdownBytes: Buffer.byteLength(markdown),
    jsonBytes: Buffer.byteLength(json),
  };
}

async function replaceFile(file: string, content: string): Promise<void> {
  const draft = `${file}.${process.pid}.tmp`;
  await writeFile(draft, content);
  await rename(draft, file);
}
