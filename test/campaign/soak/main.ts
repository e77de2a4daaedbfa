/**
 * The soak: everything that the package can do, mixed, for half an hour on each store. On a store that keeps its records
 * the process is killed now and then, and goes on. Nothing may grow, nothing that was acknowledged may be lost, everything
 * has to end.
 */
import { parseArgs } from 'node:util';
import { PLANTS, type Plant, type StoreKind } from './protocol.ts';
import { medianOf } from './slope.ts';
import { Story } from './story.ts';
import { HORIZON_S, judge, type Measured, RULE, type Trend, type Verdict } from './verdict.ts';

const USAGE = `npm run campaign:soak -- [options]

  --minutes N      how long each store is soaked (default 30)
  --runs N         how many runs have to end in 30 minutes on the store in memory (default 100000)
  --store KIND     memory, file, sqlite or all, one after the other (default all)
  --rate N         scenes that are begun by the second; most are one run (default 150 in memory, 50 on the others)
  --seed N         of what is chosen by chance (default 1)
  --keep-seconds N how long ended runs are kept on a durable store (default 60)
  --plant FAULT    plants a fault that has to be found: ${PLANTS.join(', ')}
  --scenes A,B     plays only these, to find out which of them leaks
  --keep           keeps the folders, also when nothing is wrong
  --help`;

const KINDS: readonly StoreKind[] = ['memory', 'file', 'sqlite'];
const RATES: Readonly<Record<StoreKind, number>> = { memory: 150, file: 50, sqlite: 50 };
const ROWS = 12;
const MB = 1e6;

interface Options {
  readonly minutes: number;
  readonly runs: number;
  readonly rate: number | undefined;
  readonly seed: number;
  readonly keepMs: number;
  readonly isKept: boolean;
  readonly plant: Plant | undefined;
  readonly scenes: readonly string[];
}

function table(rows: readonly (readonly string[])[]): void {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => (row[i] ?? '').length)));
  for (const row of rows)
    console.log(
      `  ${row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join('  ')}`,
    );
}

/** So many rows, evenly spread over the time. */
function printSamples(measured: readonly Measured[]): void {
  const rest = measured.filter(({ isAtRest }) => isAtRest);
  const step = Math.max(1, rest.length / ROWS);
  const chosen = Array.from({ length: Math.min(ROWS, rest.length) }, (_, i) => rest[Math.floor(i * step)]);
  const head = [
    'at s',
    'process',
    'age s',
    'heap MB',
    'rss MB',
    'external MB',
    'handles',
    'lag p99',
    'lag max',
    'runs',
    'kept',
  ];
  table([
    head,
    ...chosen.flatMap((sample) => {
      if (sample === undefined) return [];
      const { at, process, ageMs, heap, rss, external, handles, lagP99Ms, lagMaxMs, finished, kept } = sample;
      const sizes = [heap, rss, external].map((bytes) => (bytes / MB).toFixed(1));
      const times = [lagP99Ms, lagMaxMs].map((ms) => ms.toFixed(0));
      return [
        [
          at.toFixed(0),
          `${process}`,
          (ageMs / 1_000).toFixed(0),
          ...sizes,
          `${handles}`,
          ...times,
          `${finished}`,
          `${kept}`,
        ],
      ];
    }),
  ]);
}

function printTrends(trends: readonly Trend[]): void {
  table([
    ['', 'median', 'in 30 min', '95 of 100', 'limit', ''],
    ...trends.map(({ name, unit, median, growth, limit, verdict }) => {
      const told = (value: number): string => `${value.toFixed(unit === '' ? 1 : 2)} ${unit}`.trim();
      const by = growth === undefined ? '-' : told(growth.by);
      const range = growth === undefined ? '-' : `${growth.low.toFixed(1)} to ${growth.high.toFixed(1)}`;
      return [name, told(median), by, range, told(limit), verdict];
    }),
  ]);
}

function printStory(story: Story, kind: StoreKind, verdict: Verdict, seconds: number): void {
  const { evidence, finished, measured, deaths, recovered, openMs } = story;
  console.log(`\n${kind}: at rest`);
  printSamples(measured);
  printTrends(verdict.trends);
  const kinds = measured.findLast(({ isAtRest }) => isAtRest)?.kinds ?? {};
  console.log(`  open at the last rest: ${list(kinds)}; after close(): ${list(story.left)}`);
  console.log(
    `  lag p99 ${verdict.lagP99Ms.toFixed(0)} ms, worst ${verdict.lagWorstMs.toFixed(0)} ms; ${finished} runs ended, ${(finished / seconds).toFixed(0)} by the second`,
  );
  if (kind !== 'memory') {
    console.log(
      `  ${deaths} deaths, ${recovered} runs recovered; open() ${medianOf(openMs).toFixed(0)} ms, worst ${Math.max(0, ...openMs).toFixed(0)} ms; ${evidence.acknowledged} acknowledged results, ${evidence.verified} runs looked up; store ${(story.bytes / MB).toFixed(0)} MB`,
    );
    console.log(
      story.canPrune
        ? `  pruned: ${evidence.pruned} of ${evidence.ended} ended runs are gone as they may`
        : `  ended runs pile up: this version has no pruneRuns()`,
    );
  }
  console.log(`  scenes of the last process: ${list(story.scenes)}`);
}

function list(counts: Readonly<Record<string, number>>): string {
  const entries = Object.entries(counts);
  return entries.length === 0 ? 'nothing' : entries.map(([name, count]) => `${count} ${name}`).join(', ');
}

async function soak(kind: StoreKind, options: Options): Promise<boolean> {
  const { minutes, runs, seed, keepMs, isKept, plant, scenes } = options;
  const runsPerSecond = options.rate ?? RATES[kind];
  const story = new Story({ kind, minutes, runsPerSecond, seed, keepMs, isKept, plant, scenes });
  await story.run();
  const verdict = judge(story.measured, minutes);
  printStory(story, kind, verdict, minutes * 60);
  const problems = [...verdict.problems];
  const wanted = Math.floor((runs * minutes * 60) / HORIZON_S);
  if (kind === 'memory' && story.finished < wanted)
    problems.push(`${story.finished} runs ended; there should have been ${wanted}`);
  if (story.evidence.count > 0) problems.push(`${story.evidence.count} violations`);
  for (const violation of story.evidence.violations) console.log(`  VIOLATION: ${violation}`);
  for (const problem of problems) console.log(`  PROBLEM: ${problem}`);
  console.log(`${kind}: ${problems.length === 0 ? 'passed' : 'FAILED'}`);
  return problems.length === 0;
}

function numberIn(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0)
    throw new Error(`--${name}: found ${text}; allowed: a number above 0`);
  return value;
}

async function main(): Promise<boolean> {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '30' },
      runs: { type: 'string', default: '100000' },
      store: { type: 'string', default: 'all' },
      rate: { type: 'string' },
      seed: { type: 'string', default: '1' },
      'keep-seconds': { type: 'string', default: '60' },
      plant: { type: 'string' },
      scenes: { type: 'string', default: '' },
      keep: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(USAGE);
    return true;
  }
  const kinds = KINDS.filter((kind) => values.store === 'all' || values.store === kind);
  if (kinds.length === 0)
    throw new Error(`--store: found ${values.store}; allowed: ${KINDS.join(', ')}, all`);
  const plant = PLANTS.find((one) => one === values.plant);
  if (values.plant !== undefined && plant === undefined)
    throw new Error(`--plant: found ${values.plant}; allowed: ${PLANTS.join(', ')}`);
  const minutes = numberIn('minutes', values.minutes);
  const options: Options = {
    ...{ minutes, plant, isKept: values.keep },
    scenes: values.scenes.split(',').filter((name) => name !== ''),
    runs: numberIn('runs', values.runs),
    rate: values.rate === undefined ? undefined : numberIn('rate', values.rate),
    seed: numberIn('seed', values.seed),
    keepMs: 1_000 * numberIn('keep-seconds', values['keep-seconds']),
  };
  console.log(`Node ${process.version}, ${minutes} minutes a store, seed ${options.seed}`);
  console.log(RULE);
  let isGood = true;
  for (const kind of kinds) isGood = (await soak(kind, options)) && isGood;
  return isGood;
}

process.exitCode = (await main()) ? 0 : 1;
