/**
 * Shows a run while it lasts: a block of bars on a terminal, a line now and then anywhere else.
 *
 * It is fed with plain events and takes its time from them, and it writes through a function. It sets no
 * timer and reads no clock, so a test can drive it with made-up events and read what it wrote.
 */
import { styleText } from 'node:util';
import { counted, formatDuration, formatNumber, shorten } from './text.ts';

export type ProgressEvent = {
  type: 'planned' | 'started' | 'retrying' | 'succeeded' | 'failed' | 'skipped' | 'cancelled';
  path: string;
  /** Milliseconds, from any origin that all events share. */
  at: number;
  attempt?: number;
  /** The role that does the task; without it, `roleOf` decides. */
  agent?: string;
  message?: string;
};

export type ProgressOptions = {
  write: (text: string) => void;
  isTty: boolean;
  /** Width of the terminal; a function, as it may change. */
  columns?: () => number;
  /** Colours are used on a terminal unless NO_COLOR is set (no-color.org). */
  env?: Readonly<Record<string, string | undefined>>;
  roleOf?: (path: string) => string;
  title?: string;
  /** Least time between two drawings, and between two lines off a terminal, in milliseconds. */
  redrawEvery?: number;
  lineEvery?: number;
};

export type Progress = {
  onEvent: (event: ProgressEvent) => void;
  /** Lets the elapsed time move on while nothing happens. */
  tick: (at: number) => void;
  /** Draws the last state, which then stays. Later events are ignored. */
  finish: (at: number) => void;
};

type Status = 'waiting' | 'running' | 'done' | 'failed' | 'cancelled';
type Task = { role: string; status: Status; attempt: number };
type State = { startedAt: number; now: number; retries: number; tasks: Map<string, Task> };
type Counts = Record<Status, number> & { role: string; total: number };
type Paint = (format: Parameters<typeof styleText>[0], text: string) => string;

const CURRENT_TASKS = 3;
const MIN_COLUMNS = 30;
/** A block taller than the screen could not be redrawn in place. */
const MAX_ROLES = 12;
const STATUS_AFTER: Readonly<Record<ProgressEvent['type'], Status>> = {
  planned: 'waiting',
  started: 'running',
  retrying: 'waiting',
  succeeded: 'done',
  skipped: 'done',
  cancelled: 'cancelled',
  failed: 'failed',
};

export function createProgress(options: ProgressOptions): Progress {
  const { write, isTty, columns = () => 80, env = process.env, roleOf = firstSegment } = options;
  const { title = 'progress', redrawEvery = 80, lineEvery = 2_000 } = options;
  const color = isTty && !env.NO_COLOR;
  const paint: Paint = (format, text) =>
    color && text !== '' ? styleText(format, text, { validateStream: false }) : text;
  const state: State = { startedAt: Number.NaN, now: 0, retries: 0, tasks: new Map() };
  const interval = isTty ? redrawEvery : lineEvery;
  let drawnLines = 0;
  let drawnAt = Number.NEGATIVE_INFINITY;
  let finished = false;

  const show = (above = ''): void => {
    // A failure off a terminal is a line of its own and no reason to put off the next summary.
    if (isTty || above === '') drawnAt = state.now;
    if (!isTty) {
      write(above === '' ? `${summaryLine(state, title)}\n` : above);
      return;
    }
    const lines = renderBlock(state, title, Math.max(columns(), MIN_COLUMNS) - 1, paint);
    // One write per drawing, so that no half-drawn block is ever seen.
    const back = drawnLines === 0 ? '' : `\u001b[${drawnLines}A\r\u001b[0J`;
    write(`${back}${above}${lines.join('\n')}\n`);
    drawnLines = lines.length;
  };
  const advance = (at: number): void => {
    if (Number.isNaN(state.startedAt)) {
      state.startedAt = at;
      // Off a terminal, the first line comes after a while: at the start there is nothing to tell.
      if (!isTty) drawnAt = at;
    }
    state.now = Math.max(state.now, at);
  };

  return {
    onEvent(event) {
      if (finished) return;
      advance(event.at);
      applyEvent(state, event, roleOf);
      // A failure stays on the screen, above the block; what can be seen for 80 ms only is not reported.
      if (event.type === 'failed') show(`${paint('red', `failed ${describe(event)}`)}\n`);
      else if (state.now - drawnAt >= interval) show();
    },
    tick(at) {
      if (finished) return;
      advance(at);
      if (state.now - drawnAt >= interval) show();
    },
    finish(at) {
      if (finished) return;
      advance(at);
      finished = true;
      show();
    },
  };
}

function firstSegment(path: string): string {
  return path.split(/[/[]/u, 1)[0] ?? path;
}

function applyEvent(state: State, event: ProgressEvent, roleOf: (path: string) => string): void {
  const { path, type, attempt } = event;
  const task = state.tasks.get(path) ?? {
    role: printable(event.agent ?? roleOf(path)),
    status: 'waiting',
    attempt: 1,
  };
  // The role may only become known once an agent takes the task.
  if (event.agent !== undefined) task.role = printable(event.agent);
  task.status = STATUS_AFTER[type];
  if (attempt !== undefined) task.attempt = attempt;
  if (type === 'retrying') state.retries += 1;
  state.tasks.set(path, task);
}

function describe({ path, attempt = 1, message }: ProgressEvent): string {
  const reason = message === undefined ? '' : `: ${shorten(printable(message), 160)}`;
  return `${printable(path)}${attempt > 1 ? ` (attempt ${attempt})` : ''}${reason}`;
}

/** Names come from files and messages from anywhere: none of them may move the cursor. */
function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}]/gu, ' ');
}

/** In the order in which the roles first appeared. */
function countRoles(state: State): Counts[] {
  const roles = new Map<string, Counts>();
  for (const { role, status } of state.tasks.values()) {
    const counts = roles.get(role) ?? {
      role,
      total: 0,
      waiting: 0,
      running: 0,
      done: 0,
      failed: 0,
      cancelled: 0,
    };
    counts.total += 1;
    counts[status] += 1;
    roles.set(role, counts);
  }
  return [...roles.values()];
}

function totalOf(roles: readonly Counts[], key: Exclude<keyof Counts, 'role'>): number {
  return roles.reduce((sum, counts) => sum + counts[key], 0);
}

function headline(state: State, roles: readonly Counts[]): string {
  const ended = totalOf(roles, 'done') + totalOf(roles, 'failed');
  const parts = [`${formatNumber(ended)}/${counted(totalOf(roles, 'total'), 'task')}`];
  const running = totalOf(roles, 'running');
  const failed = totalOf(roles, 'failed');
  if (running > 0) parts.push(`${running} running`);
  if (state.retries > 0) parts.push(counted(state.retries, 'retry', 'retries'));
  const cancelled = totalOf(roles, 'cancelled');
  if (failed > 0) parts.push(`${formatNumber(failed)} failed`);
  if (cancelled > 0) parts.push(`${formatNumber(cancelled)} cancelled`);
  return parts.join(', ');
}

function elapsed(state: State): string {
  return formatDuration(Math.max(state.now - (state.startedAt || 0), 0));
}

function summaryLine(state: State, title: string): string {
  const roles = countRoles(state);
  const each = roles.map(({ role, done, failed, total }) => `${role} ${done + failed}/${total}`).join(', ');
  return `${printable(title)} ${elapsed(state)}: ${headline(state, roles)}${each === '' ? '' : ` (${each})`}`;
}

/** Lines are cut before they are painted, so that no line wraps and no colour is cut in half. */
function renderBlock(state: State, title: string, width: number, paint: Paint): string[] {
  const roles = countRoles(state);
  const head = shorten(`${printable(title)}  ${elapsed(state)}  ${headline(state, roles)}`, width);
  const lines = [paint('bold', head)];
  const longest = Math.max(...roles.map(({ role }) => role.length), 0);
  const names = Math.min(longest, Math.floor(width / 3), 16);
  const digits = String(Math.max(...roles.map(({ total }) => total), 0)).length;
  const barWidth = Math.max(Math.min(width - names - digits * 2 - 18, 40), 5);
  for (const counts of roles.slice(0, MAX_ROLES)) {
    const { role, total, done, failed, running } = counts;
    const ended = `${String(done + failed).padStart(digits)}/${String(total).padStart(digits)}`;
    const name = shorten(role, names).padEnd(names);
    const room = width - names - barWidth - digits * 2 - 3;
    const tail = running > 0 ? shorten(` ${running} running`, Math.max(room, 0)) : '';
    lines.push(`${name} ${renderBar(counts, barWidth, paint)} ${ended}${paint('dim', tail)}`);
  }
  const current = currentTasks(state, width);
  if (current !== '') lines.push(paint('dim', current));
  return lines;
}

function renderBar({ done, failed, running, total }: Counts, width: number, paint: Paint): string {
  const cells = (count: number): number => (total === 0 ? 0 : Math.round((count / total) * width));
  // Cumulative rounding: the parts always add up to the width.
  const doneCells = cells(done);
  const failedCells = cells(done + failed) - doneCells;
  const runningCells = cells(done + failed + running) - doneCells - failedCells;
  const rest = width - doneCells - failedCells - runningCells;
  return [
    paint('green', '█'.repeat(doneCells)),
    paint('red', '█'.repeat(failedCells)),
    paint('yellow', '▒'.repeat(runningCells)),
    paint('dim', '░'.repeat(rest)),
  ].join('');
}

function currentTasks(state: State, width: number): string {
  const running = [...state.tasks].filter(([, { status }]) => status === 'running');
  if (running.length === 0) return '';
  const shown = running
    .slice(0, CURRENT_TASKS)
    .map(([path, { attempt }]) => `${printable(path)}${attempt > 1 ? ` (attempt ${attempt})` : ''}`);
  const more = running.length > shown.length ? ` and ${running.length - shown.length} more` : '';
  return shorten(`now: ${shown.join(', ')}${more}`, width);
}
