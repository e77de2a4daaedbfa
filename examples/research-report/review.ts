/**
 * The reviewer: checks an analysis before it goes into the report, and says what to do about a weak one.
 *
 * A check never changes anything. It gives findings, a verdict and, where a second attempt of the analyst
 * could do better, the options for it.
 */
import type { DocumentAnalysis } from './analysis.ts';
import type { LanguageEvidence } from './document-terms.ts';
import type { SummaryOptions } from './summary.ts';
import { counted } from './text.ts';
import { termsOf } from './tokens.ts';

export type Severity = 'error' | 'warning' | 'note';

export type Finding = {
  check: 'title' | 'prose' | 'length' | 'language' | 'summary' | 'balance';
  severity: Severity;
  message: string;
};

export type Review = {
  id: string;
  /**
   * `accepted` has no finding above a note, `doubtful` has warnings, `rejected` an error: there is nothing
   * to report. `revise` asks for a second analysis with `advice`.
   */
  verdict: 'accepted' | 'doubtful' | 'rejected' | 'revise';
  findings: Finding[];
  advice?: Partial<SummaryOptions>;
};

const MIN_WORDS = 20;
const MIN_SUMMARY_WORDS = 8;
/** Half of English running text is function words; lists of names and other languages stay below this. */
const MIN_FUNCTION_WORDS = 0.07;
/** Too little text for a share to mean anything. */
const MIN_LANGUAGE_WORDS = 25;
const MIN_LATIN = 0.6;
const CODE_PER_WORD = 2;

/** `attempt` counts from 1; advice is only given on the first, so a review never asks twice. */
export function reviewAnalysis(analysis: DocumentAnalysis, attempt = 1): Review {
  const findings = [
    ...checkTitle(analysis),
    ...checkProse(analysis),
    ...checkLanguage(analysis.language),
    ...checkSummary(analysis),
    ...checkBalance(analysis),
  ];
  const advice = attempt === 1 ? adviceFor(analysis) : undefined;
  if (advice) return { id: analysis.id, verdict: 'revise', findings, advice };
  return { id: analysis.id, verdict: verdictOf(findings), findings };
}

function verdictOf(findings: readonly Finding[]): Review['verdict'] {
  if (findings.some(({ severity }) => severity === 'error')) return 'rejected';
  return findings.some(({ severity }) => severity === 'warning') ? 'doubtful' : 'accepted';
}

function checkTitle({ hasTitle, name }: DocumentAnalysis): Finding[] {
  if (hasTitle) return [];
  const message = `No title of its own; it goes by the name "${name}"`;
  return [{ check: 'title', severity: 'note', message }];
}

function checkProse({ paragraphs, words }: DocumentAnalysis): Finding[] {
  if (paragraphs === 0) {
    return [{ check: 'prose', severity: 'error', message: 'No prose at all: nothing to summarise' }];
  }
  if (words >= MIN_WORDS) return [];
  return [{ check: 'length', severity: 'warning', message: `Very short: ${counted(words, 'word')}` }];
}

function checkLanguage({ words, functionWords, letters, latinLetters }: LanguageEvidence): Finding[] {
  if (letters >= 40 && latinLetters < letters * MIN_LATIN) {
    const share = Math.round((latinLetters / letters) * 100);
    const message = `Hardly English: ${share} % of its letters are Latin; do not rely on terms and summary`;
    return [{ check: 'language', severity: 'warning', message }];
  }
  if (words < MIN_LANGUAGE_WORDS || functionWords >= words * MIN_FUNCTION_WORDS) return [];
  const share = Math.round((functionWords / words) * 100);
  const message = `Hardly English sentences: ${share} % of its words are function words`;
  return [{ check: 'language', severity: 'warning', message }];
}

function checkSummary({
  summary,
  title,
  name,
  paragraphs,
  keyTerms,
  words: size,
}: DocumentAnalysis): Finding[] {
  if (paragraphs === 0) return [];
  if (summary.text === '') {
    return [{ check: 'summary', severity: 'error', message: 'No sentence worth quoting was found' }];
  }
  const terms = new Set(termsOf(summary.text));
  const known = new Set([...termsOf(title), ...termsOf(name)]);
  if ([...terms].every((term) => known.has(term))) {
    return [{ check: 'summary', severity: 'warning', message: 'The summary says no more than the title' }];
  }
  const words = wordCount(summary.text);
  // In a document that is very short itself there is nothing more to say.
  if (words < MIN_SUMMARY_WORDS && size >= MIN_WORDS * 2) {
    const message = `The summary has only ${counted(words, 'word')}`;
    return [{ check: 'summary', severity: 'note', message }];
  }
  const top = keyTerms.slice(0, 6).flatMap(({ term }) => term.split(' '));
  if (top.length === 0 || top.some((term) => terms.has(term))) return [];
  return [{ check: 'summary', severity: 'note', message: 'The summary mentions none of its key terms' }];
}

function checkBalance({ code, words }: DocumentAnalysis): Finding[] {
  if (code.lines < 40 || code.lines < words * CODE_PER_WORD) return [];
  const message = `Mostly code: ${counted(code.lines, 'line')} of it for ${counted(words, 'word')}`;
  return [{ check: 'balance', severity: 'note', message }];
}

/** A short summary can be improved when the document has sentences that were left out as too weak. */
function adviceFor({ summary }: DocumentAnalysis): Partial<SummaryOptions> | undefined {
  const short = wordCount(summary.text) < MIN_SUMMARY_WORDS * 2;
  if (!short || summary.sentences.length === 0 || summary.candidates <= summary.sentences.length)
    return undefined;
  return { worthAdding: 0.3, sentences: summary.sentences.length + 1 };
}

function wordCount(text: string): number {
  return text.split(/\s+/u).filter((word) => /[\p{L}\p{N}]/u.test(word)).length;
}
