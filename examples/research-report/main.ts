/**
 * The main example: reads every Markdown document below a folder and reports on what they say.
 *
 *   npm run demo -- [folder] [--out dir] [--inline]
 *
 * Here the orchestrator is opened and a run is started; the pipeline itself is in workflow.ts.
 */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  type Duration,
  type Monitor,
  Orchestrator,
  OrchestratorError,
  type RunOn,
} from '@taskmaster-ai/orchestrator';
import { parseCommandLine, USAGE } from './command-line.ts';
import { findDocuments } from './find-documents.ts';
import { codeOf, flakyDisk } from './flaky-disk.ts';
import { type Highlights, renderGain, renderHighlights } from './highlights.ts';
import { watchPauses } from './pauses.ts';
import type { WrittenReport } from './report.ts';
import { type Tally, tallyOf } from './run-record.ts';
import { type Screen, showProgress } from './show-progress.ts';
import { AGENTS, RESOURCES } from './team.ts';
import { defineResearch } from './workflow.ts';

export type RunOptions = {
  folder: string;
  out: string;
  /** Cancels the run when it is aborted. */
  signal?: AbortSignal;
  /** Where progress is shown. Default: nowhere. */
  screen?: Screen;
  retryDelay?: Duration;
  /** Where documents are parsed, indexed and compared. Default: on worker threads where Node loads TypeScript in them. */
  runOn?: RunOn;
  monitors?: readonly Monitor[];
};

export type Research = {
  files: WrittenReport;
  highlights: Highlights;
  tally: Tally;
  /** The longest time for which the main thread was busy, in milliseconds. */
  pause: number;
};

/** Node 20 cannot load TypeScript, so there its threads cannot either. */
const HOME: RunOn = (process.features as { typescript?: unknown }).typescript ? 'worker' : 'inline';

/** Finds the documents, runs the workflow, and says what came of it. */
export async function run(options: RunOptions): Promise<Research> {
  const { folder, out, signal, screen, retryDelay = '80ms', runOn = HOME, monitors = [] } = options;
  const listing = await findDocuments(folder);
  const orchestrator = await Orchestrator.open({
    agents: AGENTS,
    resources: RESOURCES,
    policy: 'critical-path',
    monitors,
  });
  const research = defineResearch({
    listing,
    readText: flakyDisk(listing.documents),
    retryDelay,
    runOn,
    readLog: (runId) => orchestrator.getRun(runId).events(),
  });
  const endPauses = watchPauses();
  const endProgress = screen && showProgress(orchestrator, research.tasks, screen);
  try {
    const run = await orchestrator.manageWorkflow(research, {
      input: { folder, out },
      ...(signal && { signal }),
    });
    const { outputs } = await run.result();
    return { ...outputs.write, tally: await tallyOf(run.events()), pause: endPauses() };
  } finally {
    endPauses();
    endProgress?.();
    await orchestrator.close();
  }
}

type Streams = { stdout: Pick<Screen, 'write'>; stderr: Screen; signal?: AbortSignal };

/** The program: prints what came of it, and gives the exit code. */
export async function main(args: readonly string[], { stdout, stderr, signal }: Streams): Promise<number> {
  try {
    const { help, folder, out, inline, compare } = parseCommandLine(args);
    if (help) {
      stdout.write(`${USAGE}\n`);
      return 0;
    }
    const options = { folder, out, ...(signal && { signal }) };
    const research = await run({ ...options, screen: stderr, ...(inline && { runOn: 'inline' }) });
    stdout.write(renderHighlights(research.highlights, research.files, research.tally));
    if (compare) stdout.write(renderGain(research, await runInline(options)));
    return 0;
  } catch (error) {
    const { code, message } = explain(error);
    stderr.write(`research-report: ${message} [${code}]\n`);
    return code === 'RUN_CANCELLED' ? 130 : 1;
  }
}

/** The same work once more, all of it in the main thread; the report goes nowhere. */
async function runInline(options: RunOptions): Promise<Research> {
  const out = await mkdtemp(join(tmpdir(), 'research-'));
  try {
    return await run({ ...options, out, runOn: 'inline' });
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
