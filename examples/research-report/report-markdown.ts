/**
 * Renders a report as Markdown. Every word that comes from a document is escaped, and every list has the
 * order of the report, so equal reports give equal text.
 */

import type { DocumentReport, Report } from './report.ts';
import { renderRun } from './report-run.ts';
import type { Finding, Severity } from './review.ts';
import {
  codeSpan,
  compareText,
  counted,
  enumerate,
  escapeMarkdown,
  formatBytes,
  formatNumber,
  groupBy,
  table,
} from './text.ts';

/** Knows the name and the place of each document, for links within the report. */
type Links = (id: string) => string;

const TERMS_IN_LEAD = 6;
const TOPICS_IN_LEAD = 4;
const WORDS_PER_MINUTE = 220;
/** Documents named per kind of finding; each names its own findings below. */
const MAX_PLACES = 12;
const SIMILAR = 3;

const SEVERITY_ORDER: readonly Severity[] = ['error', 'warning', 'note'];
const SEVERITY_NAMES: Record<Severity, string> = { error: 'Error', warning: 'Warning', note: 'Note' };
const CHECKS: Record<Finding['check'], string> = {
  title: 'No title of its own',
  prose: 'No prose',
  length: 'Very short',
  language: 'Hardly English',
  summary: 'Weak summary',
  balance: 'Mostly code',
};

export function renderMarkdown(report: Report): string {
  const link = createLinks(report.documents);
  const sections = [
    renderLead(report, link),
    renderOverview(report, link),
    renderKeyTerms(report, link),
    renderTopics(report, link),
    renderPairs(report, link),
    renderReview(report, link),
    renderDocuments(report, link),
    renderRun(report),
  ];
  return `${sections.filter((section) => section !== '').join('\n\n')}\n`;
}

function createLinks(documents: readonly DocumentReport[]): Links {
  const places = new Map(documents.map(({ id, name }, at) => [id, { name, anchor: `doc-${at + 1}` }]));
  return (id) => {
    const place = places.get(id);
    return place ? `[${escapeMarkdown(place.name)}](#${place.anchor})` : escapeMarkdown(id);
  };
}

function renderLead(report: Report, link: Links): string {
  const { overview, topics, keyTerms, layout } = report;
  const what = layout === 'packages' ? 'package' : 'document';
  const terms = keyTerms.slice(0, TERMS_IN_LEAD).map(({ label }) => `**${escapeMarkdown(label)}**`);
  const lines = [
    `# What ${counted(overview.documents, what)} ${overview.documents === 1 ? 'says' : 'say'}`,
    '',
    `This report covers ${counted(overview.documents, 'Markdown document')} below ` +
      `${codeSpan(report.folder)}: ${counted(overview.words, 'word')}, ` +
      `about ${readingTime(overview.words)} of reading.`,
  ];
  if (terms.length > 0) lines.push(`The terms that stand out most are ${enumerate(terms)}.`);
  const grouped = topics.reduce((sum, { ids }) => sum + ids.length, 0);
  const largest = topics
    .slice(0, TOPICS_IN_LEAD)
    .map(({ name, ids }) => `*${topicName(name)}* (${ids.length})`);
  if (largest.length > 0) {
    const lead = topics.length > largest.length ? ', such as' : ':';
    lines.push(
      `${formatNumber(grouped)} of the documents fall into ${counted(topics.length, 'topic')}${lead} ` +
        `${enumerate(largest)}.`,
    );
  }
  const [pair] = report.closestPairs;
  if (pair) {
    lines.push(
      `Closest to each other are ${link(pair.ids[0])} and ${link(pair.ids[1])} (${score(pair.score)}).`,
    );
  }
  if (report.truncated) lines.push('A limit was reached: the folder holds more documents than were read.');
  if (report.unreadable.length > 0) {
    lines.push(`Could not be read: ${enumerate(report.unreadable.slice(0, 5).map(codeSpan))}.`);
  }
  return lines.join('\n');
}

function readingTime(words: number): string {
  const minutes = Math.max(Math.round(words / WORDS_PER_MINUTE), 1);
  if (minutes < 60) return counted(minutes, 'minute');
  return `${(minutes / 60).toFixed(1)} hours`;
}

function renderOverview({ overview }: Report, link: Links): string {
  const languages = overview.languages.map(
    ({ language, blocks }) => `${escapeMarkdown(language)} ${formatNumber(blocks)}`,
  );
  const longest = overview.longest.map(({ id, words }) => `${link(id)} (${formatNumber(words)})`);
  const { error, warning, note } = overview.findings;
  const rows = [
    ['Documents', `${formatNumber(overview.documents)} (${formatBytes(overview.bytes)})`],
    ['Words', `${formatNumber(overview.words)}, median ${formatNumber(overview.medianWords)} per document`],
    ['Longest', longest.join(', ')],
    [
      'Vocabulary',
      `${counted(overview.vocabulary, 'term')}, ${counted(overview.phrases, 'significant phrase')}`,
    ],
    ['Code blocks', [formatNumber(overview.codeBlocks), ...languages].join(' · ')],
    [
      'Links',
      `${formatNumber(overview.externalLinks)} external, ${formatNumber(overview.internalLinks)} internal`,
    ],
    ['Review', [counted(error, 'error'), counted(warning, 'warning'), counted(note, 'note')].join(', ')],
  ];
  return ['## At a glance', '', table(['', ''], rows)].join('\n');
}

function renderKeyTerms({ keyTerms }: Report, link: Links): string {
  const intro =
    'Terms that characterise more than one document. The score adds up the weights of a term where it is ' +
    'among the key terms of a document; *key in* counts those documents, *occurs in* all that contain it.';
  if (keyTerms.length === 0) return '';
  const top = keyTerms[0]?.score ?? 1;
  const rows = keyTerms.map(({ label, score: value, keyIn, documents, strongestIn }, at) => [
    String(at + 1),
    `**${escapeMarkdown(label)}**`,
    `${value.toFixed(2)} ${bar(value / top)}`,
    formatNumber(keyIn),
    formatNumber(documents),
    strongestIn.map(link).join(', '),
  ]);
  const head = ['#', 'Term', 'Score', 'Key in', 'Occurs in', 'Strongest in'];
  return ['## Key terms', '', intro, '', table(head, rows, 'rllrrl')].join('\n');
}

function bar(share: number): string {
  return '█'.repeat(Math.max(Math.round(share * 10), 1));
}

function renderTopics({ topics }: Report, link: Links): string {
  if (topics.length === 0) return '';
  const lines = ['## Topics', '', 'Documents whose words are alike, named after what they share.', ''];
  const couples: string[] = [];
  for (const { name, ids } of topics) {
    const members = ids.map(link);
    if (ids.length > 2) lines.push(`- **${topicName(name)}** (${ids.length}): ${members.join(', ')}`);
    else couples.push(`${members.join(' and ')} (*${topicName(name)}*)`);
  }
  if (couples.length > 0) lines.push(`- In pairs: ${couples.join('; ')}`);
  return lines.join('\n');
}

function topicName(name: readonly string[]): string {
  return name.length === 0 ? 'no common term' : name.map(escapeMarkdown).join(', ');
}

function renderPairs({ closestPairs }: Report, link: Links): string {
  if (closestPairs.length === 0) return '';
  const rows = closestPairs.map(({ ids, score: value, shared }) => [
    link(ids[0]),
    link(ids[1]),
    score(value),
    shared.map(escapeMarkdown).join(', '),
  ]);
  const intro = 'The cosine of their term vectors: 1 would be the same words in the same proportions.';
  const head = ['Document', 'Document', 'Similarity', 'Mainly because of'];
  return ['## Closest pairs', '', intro, '', table(head, rows, 'llrl')].join('\n');
}

function score(value: number): string {
  return value.toFixed(2);
}

function renderReview({ documents, overview }: Report, link: Links): string {
  const lines = ['## What the reviewer found', ''];
  if (overview.documentsWithFindings === 0) return [...lines, 'Nothing to object to.'].join('\n');
  lines.push(
    `${formatNumber(overview.documents - overview.documentsWithFindings)} of ` +
      `${counted(overview.documents, 'document')} passed without any remark.`,
    '',
  );
  const all = documents.flatMap(({ id, findings }) => findings.map((finding) => ({ id, ...finding })));
  const groups = [...groupBy(all, ({ check, severity }) => `${SEVERITY_ORDER.indexOf(severity)} ${check}`)]
    .sort(([left], [right]) => compareText(left, right))
    .map(([, group]) => group);
  const rows = groups.map((group) => {
    const [{ check, severity } = { check: 'title' as const, severity: 'note' as const }] = group;
    const places = group.slice(0, MAX_PLACES).map(({ id }) => link(id));
    if (group.length > MAX_PLACES) places.push(`and ${formatNumber(group.length - MAX_PLACES)} more`);
    return [severity, CHECKS[check], formatNumber(group.length), places.join(', ')];
  });
  lines.push(table(['Severity', 'Finding', 'Documents', 'Where'], rows, 'llrl'));
  return lines.join('\n');
}

function renderDocuments({ documents }: Report, link: Links): string {
  return ['## Documents', ...documents.map((document, at) => renderDocument(document, at, link))].join(
    '\n\n',
  );
}

function renderDocument(document: DocumentReport, at: number, link: Links): string {
  const { name, title, summary, keyTerms, similar, outline, findings } = document;
  const blocks = [`<a id="doc-${at + 1}"></a>\n\n### ${escapeMarkdown(name)}`, factsOf(document)];
  if (!bare(name).includes(bare(title))) blocks.push(`*${escapeMarkdown(title)}*`);
  blocks.push(summary.text === '' ? '> (no summary)' : `> ${escapeMarkdown(summary.text)}`);
  const details: string[] = [];
  if (keyTerms.length > 0) {
    details.push(`- **Key terms:** ${keyTerms.map(({ label }) => escapeMarkdown(label)).join(', ')}`);
  }
  if (outline.length > 1) details.push(`- **Sections:** ${outline.map(escapeMarkdown).join(' · ')}`);
  if (similar.length > 0) {
    const entries = similar
      .slice(0, SIMILAR)
      .map(
        ({ id, score: value, shared }) =>
          `${link(id)} ${score(value)} (${shared.map(escapeMarkdown).join(', ')})`,
      );
    details.push(`- **Similar:** ${entries.join('; ')}`);
  }
  for (const { severity, message } of findings) {
    details.push(`- **${SEVERITY_NAMES[severity]}:** ${escapeMarkdown(message)}`);
  }
  if (details.length > 0) blocks.push(details.join('\n'));
  return blocks.join('\n\n');
}

/** Whether a title says more than the name does not depend on its marks: `@babel/parser`, Babel Parser. */
function bare(text: string): string {
  return text.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, '');
}

function factsOf({ path, words, code, links }: DocumentReport): string {
  const facts = [codeSpan(path), counted(words, 'word')];
  if (code.blocks > 0) facts.push(counted(code.blocks, 'code block'));
  const all = links.internal + links.external;
  if (all > 0) facts.push(counted(all, 'link'));
  return facts.join(' · ');
}
