/**
 * What keeps a processor busy: these handlers are executed on worker threads. A thread loads this module by itself, so
 * it must not import the file that builds the tasks.
 */
import type { HandlerContext } from '@taskmaster-ai/orchestrator';
import { analyzeDocument, type DocumentAnalysis, vectorsOf } from './analysis.ts';
import { countDocumentTerms, type DocumentTerms } from './document-terms.ts';
import type { DocumentListing, FoundDocument } from './find-documents.ts';
import { highlightsOf } from './highlights.ts';
import { type ParsedDocument, parseMarkdown } from './markdown.ts';
import { buildReport, renderReport } from './report.ts';
import type { Review } from './review.ts';
import type { RunRecord } from './run-record.ts';
import { findTopics, type Neighbours, similarDocuments, type Topic } from './similarity.ts';
import { buildCorpusIndex, type CorpusIndex, type CorpusTerm } from './terms.ts';

type Given<Dependencies> = HandlerContext<unknown, Dependencies>;

export function parse({ dependencies: { read } }: Given<{ readonly read: { readonly text: string } }>) {
  return parseMarkdown(read.text);
}

/** `inputData` is the id of the document. */
export function terms({ inputData, dependencies: { parse } }: Given<{ readonly parse: ParsedDocument }>) {
  return countDocumentTerms(String(inputData), parse);
}

export function index({
  dependencies: { collect },
}: Given<{ readonly collect: readonly DocumentTerms[] }>): CorpusIndex {
  return buildCorpusIndex(collect);
}

export function compare({
  dependencies: { collect, index },
}: Given<{ readonly collect: readonly DocumentTerms[]; readonly index: CorpusIndex }>) {
  const vectors = vectorsOf(collect, index);
  const neighbours = similarDocuments(vectors);
  return { neighbours, topics: findTopics(vectors, neighbours) };
}

/** What is known of one document; `focus` is the part of the index that is about it. */
type Known = { readonly parse: ParsedDocument; readonly terms: DocumentTerms; readonly focus: CorpusIndex };

/** `inputData` is the document as it was found. */
export function analyse({ inputData, dependencies: { parse, terms, focus } }: Given<Known>) {
  return analyzeDocument(inputData as FoundDocument, parse, terms, focus);
}

export function revise({
  inputData,
  dependencies: { parse, terms, focus, review },
}: Given<Known & { readonly review: Review }>) {
  return analyzeDocument(inputData as FoundDocument, parse, terms, focus, review.advice);
}

type Gathered = {
  readonly analyses: readonly DocumentAnalysis[];
  readonly reviews: readonly Review[];
  readonly corpusTerms: readonly CorpusTerm[];
  readonly unreadable: readonly string[];
};

type Material = {
  readonly index: CorpusIndex;
  readonly compare: { readonly neighbours: readonly Neighbours[]; readonly topics: readonly Topic[] };
  readonly gather: Gathered;
  readonly record: RunRecord;
};

/** `inputData` is what was found to read. */
export function compose({
  inputData,
  clock,
  dependencies: { index, compare, gather, record },
}: Given<Material>) {
  const listing = inputData as DocumentListing;
  const report = buildReport({
    generatedAt: new Date(clock.now()).toISOString(),
    listing: { ...listing, unreadable: [...listing.unreadable, ...gather.unreadable] },
    index,
    ...gather,
    ...compare,
    run: record,
  });
  return { ...renderReport(report), highlights: highlightsOf(report) };
}
