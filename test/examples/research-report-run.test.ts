import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type AnyTask, Orchestrator, type RunEvent } from '@taskmaster-ai/orchestrator';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findDocuments } from '../../examples/research-report/find-documents.ts';
import { flakyDisk, type ReadText } from '../../examples/research-report/flaky-disk.ts';
import { renderGain } from '../../examples/research-report/highlights.ts';
import { main, run } from '../../examples/research-report/main.ts';
import type { Report } from '../../examples/research-report/report.ts';
import { AGENTS, RESOURCES } from '../../examples/research-report/team.ts';
import { defineResearch } from '../../examples/research-report/workflow.ts';
import { runsTypeScript } from '../support/workers.ts';

const DOCUMENTS = 40;
/** Two of 40: the 17th and the 34th. */
const BUSY = 2;
/** For each document: read, parse, terms, focus, analyse, review, revise, approve. */
const STEPS = 8;
/** collect, index, compare, prepare, gather, record, compose, write. */
const BARRIERS = 8;

const SUBJECTS = [
  [
    'color',
    'Paints text on the terminal',
    'Terminal colors are turned into ANSI escapes, one style at a time.',
  ],
  ['glob', 'Matches paths against patterns', 'A glob pattern may hold braces, stars and negation of paths.'],
  ['queue', 'Runs promises in order', 'The queue limits concurrency, so that few promises run at a time.'],
  ['parser', 'Reads a grammar', 'The parser builds a syntax tree from tokens and reports every error.'],
] as const;

let root: string;
let folder: string;

beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'research-report-'));
  folder = path.join(root, 'documents');
  await mkdir(folder);
  for (let at = 0; at < DOCUMENTS; at++) {
    const [name, claim, detail] = SUBJECTS[at % SUBJECTS.length] as (typeof SUBJECTS)[number];
    const text = `# ${name} ${at}\n\n${claim}, as part ${at} of a collection of small tools.\n\n${detail}\n\nIt is made for programs that handle a ${name} and for nothing else.\n`;
    await writeFile(path.join(folder, `${name}-${String(at).padStart(2, '0')}.md`), text);
  }
  await writeFile(path.join(folder, `${'long-'.repeat(23)}name.md`), '# Long\n\nA name of 119 characters.\n');
});

afterAll(() => rm(root, { recursive: true, force: true }));

/** What the monitors of an orchestrator were told. */
function eventLog(): { events: RunEvent[]; monitors: { observe: (event: RunEvent) => void }[] } {
  const events: RunEvent[] = [];
  return { events, monitors: [{ observe: (event) => void events.push(event) }] };
}

async function readReport(out: string): Promise<Report> {
  return JSON.parse(await readFile(path.join(out, 'report.json'), 'utf8')) as Report;
}

/** The JSON of a report, byte for byte, without what tells of time. */
async function timelessReport(out: string): Promise<string> {
  const { generatedAt: _, run: record, ...report } = await readReport(out);
  const tasks = record.timeline
    .map(({ path, agent, attempts, status }) => `${path} ${agent} ${attempts} ${status}`)
    .sort();
  return JSON.stringify({ ...report, tasks, edges: record.edges, stepEdges: record.stepEdges }, null, 2);
}

/** The Markdown of a report, without the chapter about its own run, and without the moment. */
async function timelessPage(out: string): Promise<string> {
  const { generatedAt } = await readReport(out);
  const page = await readFile(path.join(out, 'report.md'), 'utf8');
  const end = page.indexOf('\n## How this report was made');
  expect(end).toBeGreaterThan(0);
  return page.slice(0, end).replaceAll(generatedAt, 'then');
}

/** The most tasks that were in progress at the same time, for each row that a task takes part in. */
function mostAtOnce(
  events: readonly RunEvent[],
  rowsOf: (path: string) => Readonly<Record<string, number>>,
): Record<string, number> {
  const now = new Map<string, number>();
  const most: Record<string, number> = {};
  const add = (path: string, sign: 1 | -1): void => {
    for (const [row, amount] of Object.entries(rowsOf(path))) {
      const sum = (now.get(row) ?? 0) + sign * amount;
      now.set(row, sum);
      most[row] = Math.max(most[row] ?? 0, sum);
    }
  };
  for (const event of events) {
    if (event.type === 'TaskStarted') add(event.path, 1);
    if (event.type === 'TaskCompleted' || event.type === 'TaskRetryScheduled') add(event.path, -1);
  }
  return most;
}

function rowsOf({ agentAssigned, resourceRequirements, locks }: AnyTask): Record<string, number> {
  const held = locks.map(({ name }) => [`lock ${name}`, 1]);
  return { [`agent ${agentAssigned}`]: 1, ...resourceRequirements, ...Object.fromEntries(held) };
}

/** Runs the program with streams that remember. */
async function runMain(args: string[], signal?: AbortSignal) {
  const stdout: string[] = [];
  const stderr: string[] = [];
  const code = await main(args, {
    stdout: { write: (text) => void stdout.push(text) },
    stderr: { write: (text) => void stderr.push(text) },
    ...(signal && { signal }),
  });
  return { code, stdout: stdout.join(''), stderr: stderr.join('') };
}

describe('the research report', () => {
  it('goes from documents to a report', async () => {
    const out = path.join(root, 'whole');
    const { events, monitors } = eventLog();
    const { tally, highlights, files } = await run({ folder, out, retryDelay: '1ms', monitors });
    const report = await readReport(out);

    expect(await readdir(out)).toEqual(['report.json', 'report.md']);
    expect(files.jsonPath).toBe(path.join(out, 'report.json'));
    expect(report.overview.documents).toBe(DOCUMENTS + 1);
    expect(report.documents.every(({ verdict }) => verdict !== 'not reviewed' && verdict !== 'revise')).toBe(
      true,
    );
    expect(report.documents.find(({ id }) => id === 'glob-01')).toMatchObject({
      title: 'glob 1',
      verdict: 'accepted',
      similar: expect.arrayContaining([expect.objectContaining({ id: expect.stringMatching(/^glob-/) })]),
    });
    expect(report.documents.find(({ id }) => id === 'glob-01')?.summary.text).toContain('Matches paths');
    expect(report.topics.map(({ ids }) => ids.length).sort()).toEqual([10, 10, 10, 10]);
    expect(report.keyTerms.map(({ term }) => term)).toEqual(
      expect.arrayContaining(['color', 'glob', 'queue']),
    );
    expect(highlights.findings).toHaveLength(3);
    expect(highlights.topTerms.length).toBeGreaterThan(5);

    expect(tally.tasks + tally.skipped).toBe((DOCUMENTS + 1) * STEPS + BARRIERS);
    expect(tally.retries).toBe(BUSY);
    expect(events.filter(({ type }) => type === 'TaskRetryScheduled')).toHaveLength(BUSY);
    expect(await readFile(files.markdownPath, 'utf8')).toContain('```mermaid\nflowchart LR');
  });

  it('tells of its own run, up to the writing of the report', async () => {
    const out = path.join(root, 'record');
    await run({ folder, out, retryDelay: '1ms' });
    const { run: record } = await readReport(out);
    const of = (id: string) => record.timeline.find((entry) => entry.path === id);

    expect(record.tasks).toBe((DOCUMENTS + 1) * STEPS + BARRIERS);
    expect(record.timeline.filter(({ status }) => status === 'running').map((entry) => entry.path)).toEqual([
      'record',
    ]);
    expect(of('read:glob-25')).toMatchObject({ agent: 'researcher', attempts: 2, status: 'succeeded' });
    expect(of('revise:glob-01')).toMatchObject({ startedAt: null, attempts: 0, status: 'skipped' });
    expect(record.repeated).toHaveLength(BUSY);
    expect(record.stepEdges).toContainEqual({ from: 'parse', to: 'terms', tasks: DOCUMENTS + 1 });
    expect(record.stepEdges).toContainEqual({ from: 'compose', to: 'write', tasks: 1 });
  });

  it('is the same for the same documents, but for the times', async () => {
    const [first, second] = [path.join(root, 'first'), path.join(root, 'second')];
    await Promise.all([first, second].map((out) => run({ folder, out, retryDelay: '1ms' })));
    expect(await timelessReport(first)).toBe(await timelessReport(second));
  });

  it.skipIf(!runsTypeScript)('is the same on threads and inline, but for the times', async () => {
    const [threads, inline] = [path.join(root, 'threads'), path.join(root, 'inline')];
    await run({ folder, out: threads, retryDelay: '1ms', runOn: 'worker' });
    await run({ folder, out: inline, retryDelay: '1ms', runOn: 'inline' });
    expect(await timelessReport(threads)).toBe(await timelessReport(inline));
    expect(await timelessPage(threads)).toBe(await timelessPage(inline));
  });

  it('keeps to the lanes, the resources and the lock', async () => {
    const out = path.join(root, 'lanes');
    const listing = await findDocuments(folder);
    const { events, monitors } = eventLog();
    await using orchestrator = await Orchestrator.open({ agents: AGENTS, resources: RESOURCES, monitors });
    const research = defineResearch({
      listing,
      readText: flakyDisk(listing.documents),
      retryDelay: '1ms',
      runOn: 'inline',
      readLog: (runId) => orchestrator.getRun(runId).events(),
    });
    // Two at once: they share everything.
    const runs = await Promise.all(
      [1, 2].map(() => orchestrator.manageWorkflow(research, { input: { folder, out } })),
    );
    await Promise.all(runs.map((one) => one.result()));

    const tasks = new Map(research.tasks.map((task) => [task.taskId, task]));
    const most = mostAtOnce(events, (id) => rowsOf(tasks.get(id) as AnyTask));
    expect(most).toEqual({
      'agent researcher': expect.toSatisfy((count: number) => count > 2 && count <= 8),
      'agent analyst': expect.toSatisfy((count: number) => count > 2 && count <= 8),
      'agent reviewer': 2,
      'agent writer': 1,
      cpu: expect.toSatisfy((count: number) => count > 2 && count <= 8),
      io: 4,
      'memory.mb': expect.toSatisfy((amount: number) => amount > 0 && amount <= 64),
      'lock report': 1,
    });
  });

  it('leaves out a document that is gone, and says so', async () => {
    const out = path.join(root, 'gone');
    const listing = await findDocuments(folder);
    const disk = flakyDisk(listing.documents);
    const readText: ReadText = async (from, document, attempt) => {
      const place = document.id === 'glob-01' ? 'nowhere' : from;
      return disk(place, document, attempt);
    };
    await using orchestrator = await Orchestrator.open({ agents: AGENTS, resources: RESOURCES });
    const research = defineResearch({
      listing,
      readText,
      retryDelay: '1ms',
      runOn: 'inline',
      readLog: (runId) => orchestrator.getRun(runId).events(),
    });
    await (await orchestrator.manageWorkflow(research, { input: { folder, out } })).result();
    const report = await readReport(out);
    expect(report.unreadable).toEqual(['glob-01.md']);
    expect(report.overview.documents).toBe(DOCUMENTS);
  });

  it('refuses an input that names no folder', async () => {
    const listing = await findDocuments(folder);
    await using orchestrator = await Orchestrator.open({ agents: AGENTS, resources: RESOURCES });
    const research = defineResearch({
      listing,
      readText: flakyDisk(listing.documents),
      retryDelay: 0,
      runOn: 'inline',
      readLog: (runId) => orchestrator.getRun(runId).events(),
    });
    await expect(orchestrator.manageWorkflow(research, { input: { folder, out: '' } })).rejects.toMatchObject(
      { code: 'INPUT_INVALID', message: expect.stringContaining('/out') },
    );
  });
});

describe('the program', () => {
  it('shows how far it is, and ends with what is worth knowing', async () => {
    const out = path.join(root, 'console');
    const { code, stdout, stderr } = await runMain([folder, '--out', out]);
    expect(code).toBe(0);
    expect(stderr).toMatch(/336\/336 tasks, 2 retries \(researcher 124\/124, .*writer 5\/5\)\n$/);
    expect(stdout).toMatch(
      /^\nRun +41 documents, [\d,]+ words, [\d,]+ tasks \(and \d+ not needed\), 2 retries, /,
    );
    expect(stdout).toMatch(/\nTop terms +\S+, .+\nFindings +1\. .+\n +2\. .+\n +3\. .+\nReport +/);
    expect(stdout).toContain(`Report     ${path.join(out, 'report.md')}`);
  });

  it('tells what a run has taken of the host', async () => {
    const out = path.join(root, 'figures');
    const { code, stdout } = await runMain([folder, '--out', out, '--inline', '--compare', '--figures']);
    expect(code).toBe(0);
    const { elapsed, busy, pause } = JSON.parse(stdout) as Record<string, number>;
    expect(elapsed).toBeGreaterThan(0);
    expect(busy).toBeGreaterThan(0);
    expect(pause).toBeGreaterThanOrEqual(0);
  });

  it('compares threads with the same work inline', () => {
    const threads = { elapsed: 2_100, busy: 600.4, pause: 41.2 };
    const inline = { elapsed: 2_900, busy: 2_800, pause: 310 };
    expect(renderGain(threads, inline)).toBe(
      'On threads 2.1 s (inline 2.9 s); host busy for 600 ms (inline 2.8 s), longest pause 41 ms (inline 310 ms)\n',
    );
  });

  it('says so when threads have won no time', () => {
    const figures = { elapsed: 2_100, busy: 600, pause: 41 };
    const slower = renderGain(figures, { ...figures, elapsed: 2_100 });
    expect(slower).toMatch(/^On threads 2\.1 s \(inline 2\.1 s\).*\n {11}No time is won: .*\.\n$/);
    expect(renderGain(figures, { ...figures, elapsed: 2_101 })).not.toContain('No time is won');
  });

  it('stops when it is asked to, and leaves no report', async () => {
    const out = path.join(root, 'cancelled');
    const stop = new AbortController();
    const running = runMain([folder, '--out', out], stop.signal);
    setTimeout(() => stop.abort(new Error('stopped by Ctrl-C')), 10);
    const { code, stdout, stderr } = await running;
    expect([code, stdout]).toEqual([130, '']);
    expect(stderr).toMatch(/was cancelled: stopped by Ctrl-C \[RUN_CANCELLED\]\n$/);
    expect(await readdir(out).catch(() => [])).toEqual([]);
  });

  it.each([
    [
      'a folder that is missing',
      () => ['no/such/folder'],
      'There is no folder no/such/folder [missing-folder]',
    ],
    ['a file', () => [path.join(folder, 'glob-01.md')], 'is not a folder [not-a-folder]'],
    ['a folder without documents', () => [path.join(root, 'empty')], '[no-documents]'],
    ['an output that is a file', () => [folder, '--out', path.join(folder, 'glob-01.md')], '[EEXIST]'],
    ['an unknown option', () => ['--ouch'], "Unknown option '--ouch'"],
    ['two folders', () => ['a', 'b'], 'One folder at a time, please: a, b [usage]'],
    ['an empty name', () => [''], '[usage]'],
  ])('says in one line what is wrong with %s', async (_, args, message) => {
    await mkdir(path.join(root, 'empty'), { recursive: true });
    const { code, stdout, stderr } = await runMain(args());
    expect([code, stdout]).toEqual([1, '']);
    const lines = stderr.trim().split('\n');
    expect(lines.at(-1)).toMatch(/^research-report: /);
    expect(lines.at(-1)).toContain(message);
    expect(lines.filter((line) => line.startsWith('research-report: '))).toHaveLength(1);
  });

  it('explains itself', async () => {
    const { code, stdout } = await runMain(['--help']);
    expect(code).toBe(0);
    expect(stdout).toContain('Usage: npm run demo -- [folder] [--out dir]');
  });
});
