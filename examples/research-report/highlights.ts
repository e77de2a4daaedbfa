/** What is worth telling of a report in a few lines, and how that looks on a console. */
import type { HostLoad } from './host-load.ts';
import type { DocumentReport, Report, WrittenReport } from './report.ts';
import type { Finding, Severity } from './review.ts';
import type { Tally } from './run-record.ts';
import { counted, enumerate, formatBytes, formatDuration, groupBy, shorten } from './text.ts';

export type Highlights = {
  documents: number;
  words: number;
  topTerms: string[];
  /** At most three sentences. */
  findings: string[];
};

const TERMS = 10;
const FINDINGS = 3;
const NAMES = 4;
/** Documents that are one text under several names are no news; related ones are. */
const SAME_TEXT = 0.98;
const SEVERITIES: readonly Severity[] = ['error', 'warning', 'note'];

export function highlightsOf(report: Report): Highlights {
  const nameOf = new Map(report.documents.map(({ id, name }) => [id, name]));
  const name = (id: string): string => nameOf.get(id) ?? id;
  const findings = [
    topicFinding(report, name),
    pairFinding(report, name),
    reviewFinding(report.documents),
    quoteFinding(report),
  ];
  return {
    documents: report.overview.documents,
    words: report.overview.words,
    topTerms: topTermsOf(report),
    findings: findings.filter((finding) => finding !== undefined).slice(0, FINDINGS),
  };
}

/** A few documents on different subjects share no key term; then the first of each will do. */
function topTermsOf({ keyTerms, documents }: Report): string[] {
  const shared = keyTerms.map(({ label }) => label);
  const single = documents.flatMap(({ keyTerms: [first] }) => (first === undefined ? [] : [first.label]));
  return [...new Set(shared.length > 0 ? shared : single)].slice(0, TERMS);
}

type NameOf = (id: string) => string;

function topicFinding({ topics }: Report, name: NameOf): string | undefined {
  const [largest] = topics;
  if (largest === undefined) return undefined;
  const about = largest.name.length > 0 ? enumerate(largest.name) : 'one subject';
  return `The largest of ${counted(topics.length, 'topic')} is ${about}: ${some(largest.ids.map(name))}`;
}

function pairFinding({ closestPairs }: Report, name: NameOf): string | undefined {
  const pair = closestPairs.find(({ score }) => score < SAME_TEXT) ?? closestPairs[0];
  if (pair === undefined) return undefined;
  const [left, right] = pair.ids.map(name);
  return `${left} and ${right} are much alike (${pair.score.toFixed(2)}): both are about ${enumerate(pair.shared)}`;
}

/** The most serious kind of finding, and where the reviewer met it. */
function reviewFinding(documents: readonly DocumentReport[]): string | undefined {
  const all = documents.flatMap(({ name, findings }) => findings.map((finding) => ({ name, finding })));
  const groups = [...groupBy(all, ({ finding }) => `${finding.severity} ${finding.check}`).values()];
  const rank = ([first]: { finding: Finding }[]): number =>
    first === undefined ? SEVERITIES.length : SEVERITIES.indexOf(first.finding.severity);
  groups.sort((left, right) => rank(left) - rank(right) || right.length - left.length);
  const [worst] = groups;
  const example = worst?.[0];
  if (worst === undefined || example === undefined) return undefined;
  const { message } = example.finding;
  if (worst.length === 1) return `The reviewer on ${example.name}: ${message}`;
  return `The reviewer on ${counted(worst.length, 'document')}, such as ${example.name}: ${message}`;
}

/** The first sentence that sums up the longest document. */
function quoteFinding({ documents, overview }: Report): string | undefined {
  const longest = documents.find(({ id }) => id === overview.longest[0]?.id);
  const quoted = longest?.summary.sentences[0];
  return quoted && `In the words of ${longest.name}: ${quoted.text}`;
}

function some(names: readonly string[]): string {
  const shown = names.slice(0, NAMES);
  const rest = names.length - shown.length;
  return rest > 0 ? `${shown.join(', ')} and ${rest} more` : enumerate(shown);
}

/** The last words of the program. */
export function renderHighlights(highlights: Highlights, files: WrittenReport, tally: Tally): string {
  const { documents, words, topTerms, findings } = highlights;
  const run = [
    counted(documents, 'document'),
    counted(words, 'word'),
    `${counted(tally.tasks, 'task')}${tally.skipped > 0 ? ` (and ${tally.skipped} not needed)` : ''}`,
    counted(tally.retries, 'retry', 'retries'),
    formatDuration(tally.elapsed),
  ];
  const rows: [string, string][] = [
    ['Run', run.join(', ')],
    ['Top terms', topTerms.join(', ')],
    ...findings.map((finding, at): [string, string] => [at === 0 ? 'Findings' : '', `${at + 1}. ${finding}`]),
    ['Report', `${files.markdownPath} (${formatBytes(files.markdownBytes)})`],
    ['', `${files.jsonPath} (${formatBytes(files.jsonBytes)})`],
  ];
  const lines = rows
    .filter(([, text]) => text !== '')
    .map(([head, text]) => `${head.padEnd(10)} ${shorten(text, 200)}`);
  return `\n${lines.join('\n')}\n`;
}

/** How long a run took, and what it took of the thread of the host; in milliseconds. */
export type Figures = HostLoad & { elapsed: number };

/** What it has gained to work on threads: the same work inline stands in brackets. */
export function renderGain(threads: Figures, inline: Figures): string {
  const both = (of: keyof Figures): string =>
    `${formatDuration(Math.round(threads[of]))} (inline ${formatDuration(Math.round(inline[of]))})`;
  const gain = row(
    'On threads',
    `${both('elapsed')}; host busy for ${both('busy')}, longest pause ${both('pause')}`,
  );
  return threads.elapsed < inline.elapsed ? gain : gain + row('', NO_TIME_WON);
}

/** Threads are started, load and compile these modules once each, and are sent copies: that has to be earned first. */
const NO_TIME_WON =
  'No time is won: to start threads and to copy what they work on takes as long as they save here. They keep the host free.';

export function renderNoGain(why: string): string {
  return row('On threads', `not compared with the same work inline: ${why}`);
}

function row(head: string, text: string): string {
  return `${head.padEnd(10)} ${text}\n`;
}
