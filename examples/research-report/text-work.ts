/**
 * What keeps a processor busy: these handlers are executed on worker threads. A thread loads this module by itself, so
 * it must not import the file that builds the tasks.
 */
import type { HandlerContext } from '@taskmaster-ai/orchestrator';
import { vectorsOf } from './analysis.ts';
import { countDocumentTerms, type DocumentTerms } from './document-terms.ts';
import { type ParsedDocument, parseMarkdown } from './markdown.ts';
import { findTopics, similarDocuments } from './similarity.ts';
import { buildCorpusIndex, type CorpusIndex } from './terms.ts';

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
