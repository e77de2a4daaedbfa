/**
 * The main example: reads every Markdown document below a folder and reports on what they say.
 *
 *   npm run demo -- [folder] [--out dir] [--store dir] [--inline] [--compare]
 *
 * Here the orchestrator is opened and a run is started; the pipeline itself is in workflow.ts.
 */

import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import {
  type Duration,
  type Monitor,
  Orchestrator,
  OrchestratorError,
  type RunOn,
} from '@taskmaster-ai/orchestrator';
import { fileStore } from '@taskmaster-ai/orchestrator/file';
import { parseCommandLine, USAGE } from './command-line.ts';
import { findDocuments } from './find-documents.ts';
import { codeOf, flakyDisk } from './flaky-disk.ts';
import { type Figures, type Highlights, renderGain, renderHighlights, renderNoGain } from './highlights.ts';
import { type HostLoad, watchHost } from './host-load.ts';
import type { WrittenReport } from './report.ts';
import { type Tally, tallyOf } from './run-record.ts';
import { type Screen, showProgress } from './show-progress.ts';
import { AGENTS, RESOURCES } from './team.ts';
import { defineResearch } from './workflow.ts';

export type RunOptions = {
  folder: string;
  out: string;
  /** A folder in which the run is kept, so that it goes on when the process was killed. Default: it is not kept. */
  store?: string;
  /** Cancels the run when it is aborted. */
  signal?: AbortSignal;
  /** Where progress is shown. Default: nowhere. */
  screen?: Screen;
  retryDelay?: Duration;
  /** Where everything is done that keeps a processor busy. Default: on worker threads where Node loads TypeScript in them. */
  runOn?: RunOn;
  monitors?: readonly Monitor[];
};

export type Research = {
  files: WrittenReport;
  highlights: Highlights;
  tally: Tally;
  /** Tasks that an earlier process had done, and that were not done again. */
  kept: number;
  /** What the run took of the thread of the host. */
  host: HostLoad;
};

/** Node 20 cannot load TypeScript, so there its threads cannot either. */
const HOME: RunOn = (process.features as { typescript?: unknown }).typescript ? 'worker' : 'inline';

/** Finds the documents, runs the workflow, and says what came of it. */
export async function run(options: RunOptions): Promise<Research> {
  const { folder, out, store, signal, screen, retryDelay = '80ms', runOn = HOME, monitors = [] } = options;
  const listing = await findDocuments(folder);
  const research = defineResearch({
    listing,
    readText: flakyDisk(listing.documents),
    retryDelay,
    runOn,
    readLog: (runId) => orchestrator.getRun(runId).events(),
  });
  const orchestrator = await Orchestrator.open({
    agents: AGENTS,
    resources: RESOURCES,
    policy: 'critical-path',
    monitors,
    workflows: [research],
    // What is not kept needs no disk.
    ...(store !== undefined && { store: fileStore(store), maxRestarts: 100 }),
  });
  const hostLoad = watchHost();
  const endProgress = screen && showProgress(orchestrator, research.tasks, screen);
  try {
    const run = await orchestrator.manageWorkflow(research, {
      input: { folder, out },
      // One report, however often it is asked for: what was begun under this key is gone on with.
      ...(store !== undefined && { key: `${folder} to ${out}` }),
      ...(signal && { signal }),
    });
    const kept = run.tasks().filter(({ status }) => status === 'completed').length;
    const { outputs } = await run.result();
    const host = hostLoad();
    return { ...outputs.write, tally: await tallyOf(run.events()), kept, host };
  } finally {
    hostLoad();
    endProgress?.();
    await orchestrator.close();
  }
}

type Streams = { stdout: Pick<Screen, 'write'>; stderr: Screen; signal?: AbortSignal };

/** The program: prints what came of it, and gives the exit code. */
export async function main(args: readonly string[], { stdout, stderr, signal }: Streams): Promise<number> {
  try {
    const { help, folder, out, store, inline, compare, figures } = parseCommandLine(args);
    if (help) {
      stdout.write(`${USAGE}\n`);
      return 0;
    }
    const runOn = inline ? 'inline' : HOME;
    const kept = store === undefined ? undefined : { store };
    const research = await run({ folder, out, screen: stderr, runOn, ...kept, ...(signal && { signal }) });
    if (figures) {
      stdout.write(`${JSON.stringify(figuresOf(research))}\n`);
      return 0;
    }
    stdout.write(renderHighlights(research.highlights, research.files, research.tally));
    if (store !== undefined) stdout.write(renderKept(research.kept, research.tally.tasks));
    if (compare && runOn !== 'inline') stdout.write(await gainOf(research, folder, signal));
    return 0;
  } catch (error) {
    const { code, message } = explain(error);
    stderr.write(`research-report: ${message} [${code}]\n`);
    return code === 'RUN_CANCELLED' ? 130 : 1;
  }
}

function renderKept(kept: number, tasks: number): string {
  const count = kept.toLocaleString('en');
  return kept === 0
    ? `Kept       nothing was done before\n`
    : `Kept       ${count} of ${tasks.toLocaleString('en')} tasks were done by an earlier process, and not done again\n`;
}

function figuresOf({ tally: { elapsed }, host }: Research): Figures {
  return { elapsed, ...host };
}

/** Whoever waited so long, in milliseconds, does not want to wait once more. */
const COMPARED_MAX = 10_000;

/** Does the same work inline, and says what threads have gained. */
async function gainOf(research: Research, folder: string, signal?: AbortSignal): Promise<string> {
  const figures = figuresOf(research);
  if (figures.elapsed > COMPARED_MAX) return renderNoGain('the run took too long to do it again');
  return renderGain(figures, await inlineFigures(folder, signal));
}

/** In a process of its own: here, the code is compiled and the files are known by now. The report goes nowhere. */
async function inlineFigures(folder: string, signal?: AbortSignal): Promise<Figures> {
  const out = await mkdtemp(join(tmpdir(), 'research-'));
  try {
    const args = [fileURLToPath(import.meta.url), folder, '--out', out, '--inline', '--figures'];
    const { stdout } = await promisify(execFile)(process.execPath, args, {
      encoding: 'utf8',
      ...(signal && { signal }),
    });
    return JSON.parse(stdout) as Figures;
  } finally {
    await rm(out, { recursive: true, force: true });
  }
}

/** One line that says what went wrong; a fault of the program itself keeps its stack. */
function explain(error: unknown): { code: string; message: string } {
  const code = codeOf(error);
  if (code === undefined) throw error;
  // What a task threw says more than that the run failed.
  const reason = OrchestratorError.is(error, 'RUN_FAILED') ? (error.cause ?? error) : error;
  const text = reason instanceof Error ? reason.message : String(reason);
  return { code: codeOf(reason) ?? code, message: text.replace(/\s+/gu, ' ') };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const stop = new AbortController();
  // Only once: whoever presses Ctrl-C again wants to leave at once.
  process.once('SIGINT', () => stop.abort(new Error('stopped by Ctrl-C')));
  const { stdout, stderr } = process;
  process.exitCode = await main(process.argv.slice(2), { stdout, stderr, signal: stop.signal });
}
