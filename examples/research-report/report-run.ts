/** Renders the part of the report that tells how it was made: method, sources, timeline and graph. */

import type { Report } from './report.ts';
import {
  codeBlock,
  codeCell,
  codeSpan,
  counted,
  enumerate,
  escapeMarkdown,
  formatDuration,
  formatNumber,
  table,
} from './text.ts';
import { activityChart, mermaidFlowchart, mermaidGantt } from './timeline.ts';

type Run = Report['run'];

const MAX_REPEATED = 10;
/** More boxes than this are no longer a picture of anything. */
const MAX_FLOWCHART_STEPS = 60;

const METHOD: readonly string[] = [
  'Each document is parsed into headings, prose and lists. Code, tables, badges and HTML are left out, and ' +
    'so are sections that do not belong to its subject, such as licence, sponsors and credits.',
  'Terms are words in lower case without stop words, reduced to the singular. Their weight in a document ' +
    'is (1 + ln tf) · (ln((1 + N) / (1 + df)) + 1), scaled so that the document vector has length 1. ' +
    'Salton and Buckley (1988); Spärck Jones (1972); Robertson (2004).',
  'Two words are a phrase when they meet too often for chance, by the log-likelihood ratio at p < 0.001. ' +
    'Dunning (1993).',
  'A summary consists of sentences of the document, word for word. They are picked by the weight of their ' +
    'terms, their position, the words of the title and cue phrases, and must not repeat each other. ' +
    'Luhn (1958); Edmundson (1969); Carbonell and Goldstein (1998).',
  'Similarity is the cosine of two vectors; topics join the most similar documents first, as long as the ' +
    'members stay similar on average. Salton, Wong and Yang (1975).',
];

/** Empty sections are left out: a run that recorded nothing still gives a report. */
export function renderRun({ run, generatedAt }: Report): string {
  const sections = ['## How this report was made', METHOD.map((line) => `- ${escapeProse(line)}`).join('\n')];
  if (run.tasks > 0)
    sections.push(renderRunLead(run), renderSteps(run), renderTimeline(run), renderGraph(run));
  sections.push(`*Written ${escapeMarkdown(generatedAt)}.*`);
  return sections.filter((section) => section !== '').join('\n\n');
}

/** Text of our own needs no full escaping, only what Markdown would take for HTML. */
function escapeProse(text: string): string {
  return text.replaceAll('<', '\\<');
}

function renderRunLead(run: Run): string {
  const agents = run.agents.map(
    ({ agent, tasks, share }) =>
      `the ${escapeMarkdown(agent)} (${counted(tasks, 'task')}, ${Math.round(share * 100)} % of the work)`,
  );
  const sentences = [
    `The run took ${formatDuration(run.duration)} for ${counted(run.tasks, 'task')} in ` +
      `${counted(run.steps.length, 'step')}, done by ${enumerate(agents)}.`,
    `Together they were busy for ${formatDuration(run.busy)}: on average ` +
      `${run.parallelism.toFixed(1)} tasks ran at the same time.`,
  ];
  if (run.repeated.length > 0) {
    const extra = run.steps.reduce((sum, step) => sum + step.extraAttempts, 0);
    sentences.push(
      `${counted(run.repeated.length, 'task')} needed more than one attempt, ` +
        `${counted(extra, 'attempt')} in addition to the first.`,
    );
  }
  return sentences.join(' ');
}

function renderSteps({ steps }: Run): string {
  const rows = steps.map((step) => [
    codeCell(step.step),
    escapeMarkdown(step.agent),
    formatNumber(step.tasks),
    formatDuration(step.start),
    formatDuration(step.end),
    formatDuration(step.busy),
    formatDuration(step.longest),
    step.extraAttempts === 0 ? '' : `+${formatNumber(step.extraAttempts)}`,
    step.outcomes.map(({ status, tasks }) => `${escapeMarkdown(status)} ${formatNumber(tasks)}`).join(', '),
  ]);
  const head = ['Step', 'Agent', 'Tasks', 'From', 'To', 'Busy', 'Longest task', 'Retries', 'Outcome'];
  return ['### Timeline', '', table(head, rows, 'llrrrrrrl')].join('\n');
}

function renderTimeline(run: Run): string {
  if (run.duration === 0) return '';
  const blocks = [
    'How many tasks of each agent ran over time (the tallest block is the busiest moment):',
    codeBlock('text', activityChart(run.timeline)),
    codeBlock('mermaid', mermaidGantt(run)),
  ];
  const slowest = run.slowest.map(({ path, duration }) => `${codeSpan(path)} ${formatDuration(duration)}`);
  blocks.push(`Slowest tasks: ${slowest.join(', ')}.`);
  if (run.repeated.length > 0) {
    const lines = run.repeated
      .slice(0, MAX_REPEATED)
      .map(
        ({ path, attempts, status }) =>
          `- ${codeSpan(path)}: ${counted(attempts, 'attempt')}, ${escapeMarkdown(status)}`,
      );
    const rest = run.repeated.length - MAX_REPEATED;
    if (rest > 0) lines.push(`- … and ${counted(rest, 'more task', 'more tasks')}`);
    blocks.push('Tasks with more than one attempt:', lines.join('\n'));
  }
  return blocks.join('\n\n');
}

function renderGraph(run: Run): string {
  if (run.stepEdges.length === 0 || run.steps.length > MAX_FLOWCHART_STEPS) return '';
  const intro =
    'An arrow leads from a step to the steps that wait for it; the number on it counts the dependencies ' +
    'between single tasks that it stands for.';
  return ['### Task graph', intro, codeBlock('mermaid', mermaidFlowchart(run, run.edges))].join('\n\n');
}
