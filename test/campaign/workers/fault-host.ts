/**
 * The host of one fault: a program of its own, in which that fault happens in one trial after another. It tells what came
 * of each on a line of its own, and ends by itself: nothing here calls `close()`.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  defineWorkflow,
  Orchestrator,
  type Run,
  type RunEvent,
  task,
  workerHandlers,
} from '@taskmaster-ai/orchestrator';
import { type Ends, FAULTS, type Fault, type Isolation } from './fault-table.ts';
import { leftAfter, openNow, settleProcess } from './leftovers.ts';

/** What came of one trial. */
export interface TrialReport {
  readonly trial: number;
  /** What was not as it has to be; empty when all was. */
  readonly wrongs: readonly string[];
  /** From the start of the faulty task to the end of the run, in milliseconds. */
  readonly ms: number;
  /** How long the faulty task took beyond its time limit and the grace; `undefined` where nothing of it was limited. */
  readonly lateMs: number | undefined;
}

export const GRACE_MS = 100;
const NEIGHBOURS = 3;
/** How often a trial is begun anew whose task had no time to begin. */
const TRIES_MAX = 20;

const [index, isolationGiven, trials] = process.argv.slice(2);
const fault = FAULTS[Number(index)] as Fault;
const isolation = isolationGiven as Isolation;
const folder = mkdtempSync(join(tmpdir(), 'fault-host-'));

const options = {
  isolation,
  threads: 1,
  idle: '20ms',
  ...(fault.memory === undefined ? undefined : { memory: fault.memory }),
} as const;
const limits = fault.limitMs === undefined ? undefined : { timeout: fault.limitMs };
const healthy = workerHandlers(new URL('./handlers.mjs', import.meta.url), {
  ...options,
  handlers: { plain: limits, locked: limits },
});
const faulty =
  fault.module === undefined
    ? healthy
    : workerHandlers(new URL(`./${fault.module}`, import.meta.url), options);

/** The faulty task holds a part of a resource and a lock; behind it in the same thread wait its neighbours. */
function workflowOf(trial: number, marker: string) {
  // The thread is there before the time of the faulty task begins.
  const first = task('first', { handler: healthy.echo, inputData: trial });
  const bad = task('bad', {
    dependencies: { first },
    // Every other one takes a second lock while it runs, and is then in the middle of something asynchronous.
    handler: trial % 2 === 0 ? faulty.locked : faulty.plain,
    inputData: { shape: fault.shape, data: fault.data ?? marker },
    priority: 10,
    resourceRequirements: { slots: 2 },
    locks: ['desk'],
    ...(fault.timeoutMs === undefined ? undefined : { timeout: fault.timeoutMs }),
  });
  const behind = Array.from({ length: NEIGHBOURS }, (_, i) =>
    task(`neighbour-${i}`, {
      dependencies: { first },
      handler: healthy.echo,
      inputData: { trial, i },
      resourceRequirements: { slots: 1 },
    }),
  );
  // One of them cannot start before the lock of the faulty task is back.
  const heir = task('heir', {
    dependencies: { first },
    handler: healthy.echo,
    inputData: trial,
    locks: ['desk', 'nested'],
  });
  return defineWorkflow(`trial-${trial}`, {
    failurePolicy: 'continue',
    tasks: [first, bad, ...behind, heir],
  });
}

async function interfere(run: Run, marker: string): Promise<void> {
  if (fault.act === undefined) return;
  while (!existsSync(marker) || readFileSync(marker, 'utf8') === '') await sleep(2);
  if (fault.act === 'cancelTask') await run.cancelTask('bad', 'it is not wanted any more');
  else process.kill(Number(readFileSync(marker, 'utf8')), fault.act);
}

function matches(ends: Ends, event: RunEvent | undefined): boolean {
  if ('output' in ends) return event?.type === 'TaskCompleted' && Object.is(event.output, ends.output);
  if (event?.type === 'TaskCancelled') return ends.failure.code === 'TASK_CANCELLED';
  if (event?.type !== 'TaskFailed') return false;
  const failure = event.failure as unknown as Readonly<Record<string, unknown>>;
  return Object.entries(ends.failure).every(([field, value]) => failure[field] === value);
}

const ENDS: ReadonlySet<string> = new Set(['TaskCompleted', 'TaskFailed', 'TaskCancelled', 'TaskSkipped']);

async function checkRun(run: Run, trial: number, wrongs: string[]): Promise<readonly RunEvent[]> {
  const { outputs } = await run.settled();
  const events: RunEvent[] = [];
  for await (const event of run.events()) events.push(event);
  const ends = events.filter((event) => ENDS.has(event.type)) as (RunEvent & { readonly path: string })[];
  const own = ends.filter(({ path }) => path === 'bad');
  if (own.length !== 1) wrongs.push(`the faulty task has ${own.length} ends`);
  if (!matches(fault.ends, own[0])) wrongs.push(`the faulty task: ${brief(own[0])}`);
  for (let i = 0; i < NEIGHBOURS; i++) {
    const found = JSON.stringify(outputs[`neighbour-${i}`]);
    if (found !== JSON.stringify({ trial, i })) wrongs.push(`neighbour ${i} has ${found}`);
  }
  if (outputs.heir !== trial) wrongs.push(`the next holder of the lock has ${String(outputs.heir)}`);
  return events;
}

function brief(event: RunEvent | undefined): string {
  if (event === undefined) return 'no end';
  if (event.type !== 'TaskFailed') return JSON.stringify(event);
  const { name, code, message } = event.failure;
  return `failed with ${name} ${code ?? ''} ${message}`;
}

/** How long the faulty task took, and how much of it was more than it may. */
function lateness(events: readonly RunEvent[]): number | undefined {
  const limitMs = fault.timeoutMs ?? fault.limitMs;
  const isOfBad = (event: RunEvent): boolean => 'path' in event && event.path === 'bad';
  const started = events.find((event) => event.type === 'TaskStarted' && isOfBad(event));
  const ended = events.find((event) => ENDS.has(event.type) && isOfBad(event));
  if (limitMs === undefined || started === undefined || ended === undefined) return undefined;
  // Whoever is over its own limit is not told to stop, and has no grace.
  return ended.at - started.at - limitMs - (fault.timeoutMs === undefined ? 0 : GRACE_MS);
}

async function tryOnce(orchestrator: Orchestrator, trial: number): Promise<TrialReport> {
  const wrongs: string[] = [];
  const marker = join(folder, `trial-${trial}`);
  process.env.TASKMASTER_CAMPAIGN_MARKER = marker;
  const startedAt = performance.now();
  const run = await orchestrator.manageWorkflow(workflowOf(trial, marker));
  const [events] = await Promise.all([checkRun(run as Run, trial, wrongs), interfere(run as Run, marker)]);
  const ms = performance.now() - startedAt;
  const { used } = orchestrator.resources.usage('slots');
  if (used !== 0) wrongs.push(`${used} slots are not back`);
  const locks = orchestrator.concurrency.locks();
  if (locks.length > 0) wrongs.push(`locks are not back: ${JSON.stringify(locks)}`);
  run.release();
  return { trial, wrongs, ms, lateMs: lateness(events) };
}

/** One that was told to stop before it had begun, as on a busy machine, proves nothing, and is tried again. */
async function tryTillBegun(orchestrator: Orchestrator, trial: number): Promise<TrialReport> {
  for (let i = 0; i < TRIES_MAX; i++) {
    const report = await tryOnce(orchestrator, trial + i * 2_000);
    if (fault.tellsBegin !== true || existsSync(join(folder, `trial-${trial + i * 2_000}`)))
      return { ...report, trial };
  }
  return { trial, wrongs: ['the faulty task was never begun in time'], ms: 0, lateMs: undefined };
}

async function main(): Promise<void> {
  await settleProcess();
  const before = openNow();
  const orchestrator = await Orchestrator.open({ cancelGrace: GRACE_MS, resources: { slots: 16 } });
  for (let trial = 0; trial < Number(trials); trial++) {
    const report = await tryTillBegun(orchestrator, trial);
    const left = await leftAfter(before);
    const wrongs = left === undefined ? report.wrongs : [...report.wrongs, `left over: ${left}`];
    // Not console.log: that would open a stream.
    writeSync(1, `${JSON.stringify({ ...report, wrongs })}\n`);
  }
  rmSync(folder, { recursive: true, force: true });
}

await main();
