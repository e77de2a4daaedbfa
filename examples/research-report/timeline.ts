/**
 * Turns the record of a run into tables and charts: what ran when, by whom, and what waited for what.
 *
 * A run over hundreds of documents has over a thousand tasks. They are summed up by step: paths that differ
 * only in what stands after a colon (`read:chalk`), in square brackets (`documents[chalk]/read`) or after `#`
 * belong to the same step.
 */
import { compareText, formatDuration, groupBy, rounded } from './text.ts';

export type TimelineEntry = {
  path: string;
  /** Who did it: the role, such as `analyst`. */
  agent: string;
  /** Milliseconds since the epoch, or any other common origin; null when it has not started or ended. */
  startedAt: number | null;
  endedAt: number | null;
  attempts: number;
  status: string;
};

export type GraphEdge = { from: string; to: string };

export type StepSummary = {
  step: string;
  agent: string;
  tasks: number;
  /** Milliseconds since the start of the run. */
  start: number;
  end: number;
  /** Sum of the durations of its tasks. */
  busy: number;
  longest: number;
  /** Attempts beyond the first of each task. */
  extraAttempts: number;
  /** How many tasks ended in which way, sorted by status. */
  outcomes: { status: string; tasks: number }[];
};

export type AgentSummary = { agent: string; tasks: number; busy: number; share: number };

export type RunSummary = {
  startedAt: number;
  duration: number;
  tasks: number;
  busy: number;
  /** How many tasks ran at the same time, on average. */
  parallelism: number;
  steps: StepSummary[];
  agents: AgentSummary[];
  slowest: { path: string; agent: string; duration: number }[];
  /** Tasks that needed more than one attempt. */
  repeated: { path: string; attempts: number; status: string }[];
};

export type StepEdge = GraphEdge & { tasks: number };

type Span = { entry: TimelineEntry; start: number; end: number };

const SLOWEST = 5;
const LEVELS = '▁▂▃▄▅▆▇█';

/** The step a task belongs to: its path without what tells it apart from its siblings. */
export function stepOf(path: string): string {
  return path
    .replace(/\[[^\]]*\]/gu, '')
    .replace(/:[^/]*/gu, '')
    .replace(/#\d+/gu, '')
    .replace(/\/{2,}/gu, '/');
}

export function summarizeRun(entries: readonly TimelineEntry[]): RunSummary {
  const spans = spansOf(entries);
  const startedAt = spans.reduce((first, { entry }) => Math.min(first, entry.startedAt ?? first), Infinity);
  const duration = spans.reduce((last, { end }) => Math.max(last, end), 0);
  const busy = spans.reduce((sum, { start, end }) => sum + end - start, 0);
  const byDuration = [...spans].sort(
    (left, right) =>
      right.end - right.start - (left.end - left.start) || comparePaths(left.entry, right.entry),
  );
  return {
    startedAt: Number.isFinite(startedAt) ? startedAt : 0,
    duration,
    tasks: entries.length,
    busy,
    parallelism: duration === 0 ? 0 : rounded(busy / duration, 2),
    steps: stepsOf(entries, spans),
    agents: agentsOf(entries, spans, busy),
    slowest: byDuration.slice(0, SLOWEST).map(({ entry, start, end }) => ({
      path: entry.path,
      agent: entry.agent,
      duration: end - start,
    })),
    repeated: entries
      .filter(({ attempts }) => attempts > 1)
      .sort((left, right) => right.attempts - left.attempts || comparePaths(left, right))
      .map(({ path, attempts, status }) => ({ path, attempts, status })),
  };
}

/** Started tasks with times relative to the first start. One still running lasts until the latest time. */
function spansOf(entries: readonly TimelineEntry[]): Span[] {
  const times = entries
    .flatMap(({ startedAt, endedAt }) => [startedAt, endedAt])
    .filter((time) => time !== null);
  const origin = times.reduce((first, time) => Math.min(first, time), Infinity);
  const latest = times.reduce((last, time) => Math.max(last, time), -Infinity);
  const spans: Span[] = [];
  for (const entry of entries) {
    if (entry.startedAt === null) continue;
    const start = entry.startedAt - origin;
    spans.push({ entry, start, end: Math.max((entry.endedAt ?? latest) - origin, start) });
  }
  return spans;
}

function stepsOf(entries: readonly TimelineEntry[], spans: readonly Span[]): StepSummary[] {
  const spansByStep = groupBy(spans, ({ entry }) => stepOf(entry.path));
  const steps = [...groupBy(entries, ({ path }) => stepOf(path))].map(([step, tasks]): StepSummary => {
    const own = spansByStep.get(step) ?? [];
    const start = own.reduce((first, span) => Math.min(first, span.start), Infinity);
    return {
      step,
      agent: [...new Set(tasks.map(({ agent }) => agent))].sort(compareText).join(', '),
      tasks: tasks.length,
      start: Number.isFinite(start) ? start : 0,
      end: own.reduce((last, span) => Math.max(last, span.end), 0),
      busy: own.reduce((sum, span) => sum + span.end - span.start, 0),
      longest: own.reduce((most, span) => Math.max(most, span.end - span.start), 0),
      extraAttempts: tasks.reduce((sum, { attempts }) => sum + Math.max(attempts - 1, 0), 0),
      outcomes: [...groupBy(tasks, ({ status }) => status)]
        .map(([status, group]) => ({ status, tasks: group.length }))
        .sort((left, right) => compareText(left.status, right.status)),
    };
  });
  return steps.sort(
    (left, right) => left.start - right.start || left.end - right.end || compareText(left.step, right.step),
  );
}

function agentsOf(entries: readonly TimelineEntry[], spans: readonly Span[], busy: number): AgentSummary[] {
  const spansByAgent = groupBy(spans, ({ entry }) => entry.agent);
  return [...groupBy(entries, ({ agent }) => agent)]
    .map(([agent, tasks]) => {
      const own = (spansByAgent.get(agent) ?? []).reduce((sum, span) => sum + span.end - span.start, 0);
      return { agent, tasks: tasks.length, busy: own, share: busy === 0 ? 0 : rounded(own / busy, 3) };
    })
    .sort((left, right) => right.busy - left.busy || compareText(left.agent, right.agent));
}

/** Subtraction would give NaN for two infinite numbers. */
function compareNumbers(left: number, right: number): number {
  if (left === right) return 0;
  return left < right ? -1 : 1;
}

function comparePaths(left: { path: string }, right: { path: string }): number {
  return compareText(left.path, right.path);
}

/**
 * One line per agent, one column per slice of time; the taller a block, the more tasks ran in that slice
 * on average. Agents come in the order in which they started.
 */
export function activityChart(entries: readonly TimelineEntry[], columns = 60): string {
  const spans = spansOf(entries);
  const duration = spans.reduce((last, { end }) => Math.max(last, end), 0);
  if (duration === 0 || columns < 1) return '';
  const rows = new Map<string, Float64Array>();
  for (const { entry, start, end } of [...spans].sort((left, right) => left.start - right.start)) {
    const row = rows.get(entry.agent) ?? new Float64Array(columns);
    rows.set(entry.agent, row);
    const scale = columns / duration;
    const last = Math.min(Math.ceil(end * scale), columns);
    for (let column = Math.floor(start * scale); column < last; column += 1) {
      const overlap = Math.min(end * scale, column + 1) - Math.max(start * scale, column);
      row[column] = (row[column] ?? 0) + Math.max(overlap, 0);
    }
  }
  const width = Math.max(...[...rows.keys()].map((agent) => agent.length));
  const peak = Math.max(...[...rows.values()].map((row) => Math.max(...row)), 1e-9);
  const lines = [...rows].map(([agent, row]) => {
    const bar = [...row].map((busy) => levelOf(busy, peak)).join('');
    return `${agent.padEnd(width)} |${bar}|`;
  });
  const scaleEnd = formatDuration(duration);
  lines.push(`${' '.repeat(width)}  0${scaleEnd.padStart(columns - 1)}`);
  return lines.join('\n');
}

function levelOf(busy: number, peak: number): string {
  if (busy <= 0) return ' ';
  return LEVELS.charAt(Math.min(Math.floor((busy / peak) * LEVELS.length), LEVELS.length - 1));
}

/** A Gantt chart in Mermaid: a section per agent, a bar per step. */
export function mermaidGantt(run: RunSummary): string {
  const lines = ['gantt', '  dateFormat x', '  axisFormat %M:%S.%L'];
  const agents = [...new Set(run.steps.map(({ agent }) => agent))];
  for (const agent of agents) {
    lines.push(`  section ${ganttText(agent)}`);
    for (const { step, agent: owner, tasks, start, end } of run.steps) {
      if (owner !== agent) continue;
      const count = tasks === 1 ? '' : ` x${tasks}`;
      lines.push(
        `  ${ganttText(step)}${count} :${Math.round(start)}, ${Math.max(Math.round(end - start), 1)}ms`,
      );
    }
  }
  return lines.join('\n');
}

/** A colon ends the name of a bar, a semicolon or hash sign the line. */
function ganttText(text: string): string {
  return text.replace(/[:;#,%\s]+/gu, ' ').trim() || '-';
}

/** The edges between steps, with how many edges between tasks each stands for. */
export function stepEdges(edges: readonly GraphEdge[]): StepEdge[] {
  const counts = new Map<string, StepEdge>();
  const steps = new Map<string, string>();
  // Most tasks are at many edges.
  const known = (path: string): string => {
    const step = steps.get(path) ?? stepOf(path);
    steps.set(path, step);
    return step;
  };
  for (const edge of edges) {
    const [from, to] = [known(edge.from), known(edge.to)];
    const key = `${from}\n${to}`;
    const counted = counts.get(key);
    if (counted) counted.tasks += 1;
    else if (from !== to) counts.set(key, { from, to, tasks: 1 });
  }
  return [...counts.values()].sort(
    (left, right) => compareText(left.from, right.from) || compareText(left.to, right.to),
  );
}

/** A flowchart in Mermaid: a box per step with its agent, an arrow per dependency between steps. */
export function mermaidFlowchart(run: RunSummary, edges: readonly GraphEdge[]): string {
  const ids = new Map<string, string>();
  const idOf = (step: string): string => {
    const id = ids.get(step) ?? `s${ids.size + 1}`;
    ids.set(step, id);
    return id;
  };
  const lines = ['flowchart LR'];
  for (const { step, agent, tasks } of run.steps) {
    const count = tasks === 1 ? '' : ` x${tasks}`;
    lines.push(`  ${idOf(step)}["${flowText(step)}${count}<br/>${flowText(agent)}"]`);
  }
  const order = new Map(run.steps.map(({ step }, at) => [step, at]));
  const place = (step: string): number => order.get(step) ?? Infinity;
  const arrows = stepEdges(edges).sort((left, right) => {
    return (
      compareNumbers(place(left.from), place(right.from)) || compareNumbers(place(left.to), place(right.to))
    );
  });
  for (const { from, to, tasks } of arrows) {
    // Steps that are only known from an edge never ran; they get a rounded box.
    for (const step of [from, to]) if (!ids.has(step)) lines.push(`  ${idOf(step)}("${flowText(step)}")`);
    lines.push(`  ${idOf(from)} -->${tasks === 1 ? '' : `|${tasks}|`} ${idOf(to)}`);
  }
  return lines.join('\n');
}

/** Inside quotes Mermaid reads entities with a hash sign, and everything else as it is. */
function flowText(text: string): string {
  return text.replace(/[#"<>&\p{Cc}]/gu, (character) => `#${character.codePointAt(0)};`);
}
