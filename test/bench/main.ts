/**
 * The bench: `npm run bench -- --help`. It measures, it is no test: nothing in the test suite runs it, and only
 * `--gate` turns a missed target into a failure. What is measured and what is not: README.md beside this file.
 */
import process from 'node:process';
import { PEER_PACKAGES, type PeerName } from './adapter.ts';
import { assertBuilt, versionsLine } from './built-package.ts';
import { type Options, readOptions, USAGE, UsageError, writeJson } from './options.ts';
import { loadLine, machineLine, verdictLines, verificationLines, workloadTable } from './report.ts';
import { playRounds, type Samples, soundPeers, type Verifications, verifyPeers } from './rounds.ts';
import { coldSuite, largeSuite, memorySuite, type SuiteResult } from './single-suites.ts';
import { STORE_PACKAGES, storesSuite } from './stores/store-suite.ts';
import { judge, type Verdict } from './targets.ts';
import { WORKER_PACKAGES, workersSuite } from './workers/worker-suite.ts';
import type { WorkloadName } from './workloads.ts';

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

const OURS: readonly PeerName[] = ['orchestrator', 'orchestrator-cpu'];

async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2));
  if (options === undefined) {
    console.log(USAGE);
    return 0;
  }
  const packages = packagesOf(options);
  if (OURS.some((name) => packages.includes(PEER_PACKAGES[name] ?? ''))) assertBuilt();
  console.log(`${machineLine()}\n${versionsLine(packages)}`);
  if (options.suite === 'workers' || options.suite === 'stores') return benchLanes(options);
  return options.suite === 'workloads' ? benchWorkloads(options) : benchSuite(options);
}

async function benchWorkloads(options: Options): Promise<number> {
  const plan = { ...options, say: progress };
  progress('verifying');
  const verifications = await verifyPeers(plan);
  const peers = soundPeers(verifications);
  progress('warming up');
  const samples = await playRounds({ ...plan, peers });
  progress('');
  const verdicts = judge(options.workloads, samples, verifications);
  console.log(`${verificationLines(verifications)}\n`);
  for (const workload of options.workloads) console.log(`${workloadTable(workload, peers, samples)}\n`);
  if (verdicts.some(({ result }) => result !== 'not judged'))
    console.log(`Targets\n${verdictLines(verdicts)}\n`);
  else
    console.log('Targets: none judged, since orchestrator or those it is judged against were not measured\n');
  console.log(
    `load at the end ${loadLine()}; medians of ${options.rounds} rounds, ratios taken within a round`,
  );
  writeJson(options.json, workloadsJson(samples, verifications, verdicts));
  const unsound = peers.length < options.peers.length;
  return unsound || (options.gate && !passes(verdicts)) ? EXIT_FAILED : 0;
}

/** A target that could not be judged does not pass: a gate that measured nothing must not be green. */
function passes(verdicts: readonly Verdict[]): boolean {
  return verdicts.every(({ kind, result }) => kind === 'goal' || result === 'pass');
}

function packagesOf({ suite, peers }: Options): readonly string[] {
  if (suite === 'workers') return WORKER_PACKAGES;
  if (suite === 'stores') return STORE_PACKAGES;
  return peers.flatMap((peer) => PEER_PACKAGES[peer] ?? []);
}

async function benchLanes(options: Options): Promise<number> {
  const run = options.suite === 'workers' ? workersSuite : storesSuite;
  const { text, verdicts, json } = await run({ ...options, say: progress });
  progress('');
  console.log(`${text}\n\nTargets\n${verdictLines(verdicts)}\n`);
  console.log(
    `load at the end ${loadLine()}; medians of ${options.rounds} rounds, ratios taken within a round`,
  );
  writeJson(options.json, { machine: machineLine(), ...json, verdicts });
  return options.gate && !passes(verdicts) ? EXIT_FAILED : 0;
}

async function benchSuite(options: Options): Promise<number> {
  const { text, failed, json }: SuiteResult = await runSuite(options);
  console.log(`\n${text}\n\nload at the end ${loadLine()}`);
  writeJson(options.json, { machine: machineLine(), suite: options.suite, results: json });
  return failed ? EXIT_FAILED : 0;
}

function runSuite(options: Options): Promise<SuiteResult> {
  if (options.suite === 'large') return largeSuite(options);
  return options.suite === 'memory' ? memorySuite(options) : coldSuite(options);
}

function workloadsJson(
  samples: Samples,
  verifications: Verifications,
  verdicts: readonly Verdict[],
): unknown {
  const nested = <Value>(of: ReadonlyMap<WorkloadName | PeerName, ReadonlyMap<string, Value>>) =>
    Object.fromEntries([...of].map(([outer, inner]) => [outer, Object.fromEntries(inner)]));
  return {
    machine: machineLine(),
    unit: 'microseconds per task',
    samples: nested(samples),
    verifications: nested(verifications),
    verdicts,
  };
}

/** Rewrites one line of a terminal; a log gets no progress at all. */
function progress(line: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${line}`);
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof UsageError ? `${error.message}\n--help tells what there is` : error);
  process.exitCode = error instanceof UsageError ? EXIT_USAGE : EXIT_FAILED;
}
