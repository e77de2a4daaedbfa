/**
 * Puts together what is known about one document: the analyst's result, which the reviewer judges and the
 * writer prints.
 */
import type { DocumentTerms, LanguageEvidence } from './document-terms.ts';
import type { FoundDocument } from './find-documents.ts';
import type { ParsedDocument } from './markdown.ts';
import { subjectHeadings, titleFor } from './sections.ts';
import { type SparseVector, vectorOf } from './similarity.ts';
import { type Summary, type SummaryOptions, summarize } from './summary.ts';
import { type CorpusIndex, type KeyTerm, keyTermsOf, weighTerms } from './terms.ts';
import { normalizeTerm } from './tokens.ts';

export type DocumentAnalysis = {
  id: string;
  path: string;
  /** The name of the package or file. */
  name: string;
  /** Its own title, or the name when it has none that says anything. */
  title: string;
  hasTitle: boolean;
  bytes: number;
  words: number;
  /** How many terms it has, repetitions included. */
  length: number;
  /** The first headings below the title. */
  outline: string[];
  paragraphs: number;
  code: ParsedDocument['code'];
  links: ParsedDocument['links'];
  language: LanguageEvidence;
  keyTerms: KeyTerm[];
  summary: Summary;
};

const OUTLINE = 8;

/**
 * Analyses one document against the index of its corpus. `summaryOptions` is how a reviewer's advice
 * reaches the second attempt.
 */
export function analyzeDocument(
  document: FoundDocument,
  parsed: ParsedDocument,
  terms: DocumentTerms,
  index: CorpusIndex,
  summaryOptions: Partial<SummaryOptions> = {},
): DocumentAnalysis {
  const { title, own } = titleFor(parsed, document.title);
  const weights = weighTerms(terms, index);
  return {
    id: document.id,
    path: document.path,
    name: document.title,
    title,
    hasTitle: own,
    bytes: document.bytes,
    words: parsed.words,
    length: terms.length,
    outline: outlineOf(parsed, title),
    paragraphs: parsed.paragraphs.length,
    code: parsed.code,
    links: parsed.links,
    language: terms.language,
    keyTerms: keyTermsOf(terms, index, { except: namesOf(document.title), weights }),
    summary: summarize(parsed, weights, title, { boilerplate: index.boilerplate, ...summaryOptions }),
  };
}

/** The vectors of all documents, for `similarDocuments` and `findTopics`. */
export function vectorsOf(documents: readonly DocumentTerms[], index: CorpusIndex): SparseVector[] {
  return documents.map((terms) => vectorOf(terms.id, weighTerms(terms, index)));
}

/** That `chalk` is a key term of `chalk` goes without saying. */
function namesOf(name: string): string[] {
  const lower = name.toLowerCase();
  return [...new Set([lower, normalizeTerm(lower), lower.replaceAll(' ', '-')])];
}

function outlineOf(parsed: ParsedDocument, title: string): string[] {
  const headings = subjectHeadings(parsed).filter(({ text }) => text !== title && text !== parsed.title);
  const top = headings.reduce((lowest, { level }) => Math.min(lowest, level), 6);
  return headings
    .filter(({ level }) => level === top)
    .slice(0, OUTLINE)
    .map(({ text }) => text);
}
