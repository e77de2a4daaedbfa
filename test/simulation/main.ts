/**
 * The campaign of the simulation: many seeds, on all processors, each played twice; what fails is made small and shown.
 */
import { fork } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type Batch, type BatchResult, type FailedSeed, warmUp } from './batch.ts';
import { type Counts, EXPECTED } from './counters.ts';
import { drawScenario } from './draw.ts';
import { reportSmallest, show } from './report.ts';
import type { Scenario } from './scenario.ts';

const USAGE = `npm run campaign:simulate -- [options]

  --seeds N      how many seeds (default 20000)
  --from N       the first one (default 1)
  --jobs N       processes at the same time (default: one for each processor)
  --once         plays each seed once, and not twice to see that it is the same
  --seed N       plays one seed and shows it
  --replay FILE  plays a scenario of a file and shows it
  --keep FOLDER  where scenarios that fail are kept (default: a folder for temporary files)
  --help`;

const FAILURES_MAX = 5;
/** Fewer seeds than this need not have met everything. */
const ENOUGH_SEEDS = 5_000;

function readOptions() {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string', default: '20000' },
      from: { type: 'string', default: '1' },
      jobs: { type: 'string', default: String(availableParallelism()) },
      once: { type: 'boolean', default: false },
      seed: { type: 'string' },
      replay: { type: 'string' },
      keep: { type: 'string', default: join(tmpdir(), 'simulation-failures') },
      help: { type: 'boolean', default: false },
    },
  });
  return values;
}

function integer(name: string, text: string, least: number): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < least)
    throw new Error(`--${name}: found ${text}; allowed: an integer from ${least}`);
  return value;
}

interface Message {
  readonly seeds?: number;
  readonly failed?: FailedSeed;
  readonly result?: BatchResult;
  readonly error?: string;
}

function runBatch(batch: Batch, tell: (seeds: number) => void): Promise<BatchResult> {
  return new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(new URL('./batch-process.ts', import.meta.url)), {
      // What a play leaves behind dies young: more room for it means fewer collections.
      execArgv: ['--max-semi-space-size=64'],
    });
    let isDone = false;
    child.on('message', ({ seeds, failed, result, error }: Message) => {
      if (failed !== undefined)
        console.log(`seed ${failed.seed} fails: ${failed.invariant} ${failed.message}`);
      if (seeds !== undefined) tell(seeds);
      if (error !== undefined) reject(new Error(error));
      if (result === undefined) return;
      isDone = true;
      resolve(result);
    });
    child.on('exit', (code) => {
      if (!isDone) reject(new Error(`a process of the campaign has ended with ${code}`));
    });
    child.send(batch);
  });
}

async function runSeeds(from: number, seeds: number, jobs: number, isTwice: boolean): Promise<boolean> {
  const started = performance.now();
  const done = new Array<number>(jobs).fill(0);
  let told = 0;
  const tell = (job: number, count: number): void => {
    done[job] = count;
    const sum = done.reduce((a, b) => a + b, 0);
    if (sum - told < 100_000) return;
    told = sum;
    console.log(`${sum} seeds in ${((performance.now() - started) / 1_000).toFixed(0)} s`);
  };
  const results = await Promise.all(
    done.map((_, job) =>
      runBatch(
        { from: from + job, end: from + seeds, step: jobs, isTwice, failuresMax: FAILURES_MAX },
        (count) => tell(job, count),
      ),
    ),
  );
  return conclude(results, from, jobs, (performance.now() - started) / 1_000);
}

async function conclude(
  results: readonly BatchResult[],
  from: number,
  jobs: number,
  seconds: number,
): Promise<boolean> {
  const sum = (of: (one: BatchResult) => number): number => results.reduce((a, one) => a + of(one), 0);
  const [seeds, plays, events] = [sum((one) => one.seeds), sum((one) => one.plays), sum((one) => one.events)];
  const counts: Counts = new Map();
  for (const one of results)
    for (const [name, n] of one.counts) counts.set(name, (counts.get(name) ?? 0) + n);
  for (const name of EXPECTED) console.log(`${String(counts.get(name) ?? 0).padStart(9)} times ${name}`);
  const failed = results.flatMap((one) => one.failed).sort((a, b) => a.seed - b.seed);
  const blind = seeds < ENOUGH_SEEDS ? [] : EXPECTED.filter((name) => (counts.get(name) ?? 0) === 0);
  console.log(
    `\nNode ${process.version}: ${seeds} seeds from ${from} on, ${plays} plays with ${events} events in the first of each seed, ${seconds.toFixed(1)} s on ${jobs} processes: ${(plays / seconds / jobs).toFixed(0)} plays/s each`,
  );
  const medianMs = sum((one) => one.medianMs) / jobs;
  console.log(
    `The median scenario is played and checked in ${medianMs.toFixed(2)} ms: ${(1_000 / medianMs).toFixed(0)} a second`,
  );
  if (blind.length > 0) console.log(`Never came about: ${blind.join('; ')}`);
  console.log(`${failed.length} seeds fail`);
  await showFailed(failed);
  return failed.length === 0 && blind.length === 0;
}

async function showFailed(failed: readonly FailedSeed[]): Promise<void> {
  for (const { seed, invariant, message } of failed) console.log(`  ${seed}: ${invariant} ${message}`);
  const [first] = failed;
  if (first === undefined) return;
  await warmUp();
  await reportSmallest(drawScenario(first.seed), options.keep, () => performance.now());
}

const options = readOptions();

async function main(): Promise<boolean> {
  if (options.help) {
    console.log(USAGE);
    return true;
  }
  if (options.replay !== undefined || options.seed !== undefined) {
    await warmUp();
    const scenario =
      options.replay === undefined
        ? drawScenario(integer('seed', options.seed ?? '', 0))
        : (JSON.parse(await readFile(options.replay, 'utf8')) as Scenario);
    return !(await show(scenario));
  }
  const from = integer('from', options.from, 0);
  return runSeeds(from, integer('seeds', options.seeds, 1), integer('jobs', options.jobs, 1), !options.once);
}

process.exitCode = (await main()) ? 0 : 1;
