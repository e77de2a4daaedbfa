/**
 * A process of the soak: goes on with what is in the store, answers what the store has of what was acknowledged, and plays
 * scenes until it is killed or its time is over.
 */
import { readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { type EventStore, Orchestrator, type Run, type RunEvent } from '@taskmaster-ai/orchestrator';
import { seededRandom } from '../../support/seeded-random.ts';
import { digestOf } from './digest.ts';
import { Load } from './load.ts';
import type { Line, Orders, Question } from './protocol.ts';
import { openNow, Sampler } from './sampler.ts';
import type { Act } from './scenes.ts';
import { HANDLERS, LIMITS, WORKFLOWS } from './workload.ts';

const orders = JSON.parse(process.argv[2] ?? '') as Orders;
const { kind, folder, plant } = orders;
const isDurable = kind !== 'memory';
/** Of the samples every third is taken while nothing is under way. */
const SAMPLES_UNTIL_REST = 3;
const STATES_AT_ONCE = 16;
const PRUNE_MS = 10_000;
const KEPT = 100;
/** More tasks of the host than a scheduler remembers. */
const HOST_TASKS = 1_100;
const RUNS_OF_A_PLANT = 200;

/** Writes a line at once: what was said before a death is heard. */
function say(line: Line): void {
  const bytes = Buffer.from(`${JSON.stringify(line)}\n`);
  for (let written = 0; written < bytes.length; ) {
    try {
      written += writeSync(1, bytes, written);
    } catch (error) {
      // The pipe is full until the parent has read.
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
    }
  }
}

async function makeStore(): Promise<EventStore | undefined> {
  if (kind === 'sqlite') {
    const { sqliteStore } = await import('@taskmaster-ai/orchestrator/sqlite');
    return sqliteStore(join(folder, 'runs.db'));
  }
  if (kind === 'memory') return undefined;
  const { fileStore } = await import('@taskmaster-ai/orchestrator/file');
  return fileStore(join(folder, 'store'));
}

/** Tells what is durable as soon as a listener is told. */
function observe(event: RunEvent, recovered: ReadonlySet<string>): void {
  const run = event.runId;
  if (event.type === 'TaskCompleted')
    say({ type: 'task', run, path: event.path, digest: digestOf(event.output) });
  else if (event.type === 'RunMoved') say({ type: 'again', run, paths: [...event.again, ...event.removed] });
  else if (event.type === 'TaskStarted' || event.type === 'TaskRestarted') {
    if (recovered.has(run)) say({ type: 'begin', run, path: event.path });
  }
}

/** What the store has of a run. */
async function tellState({ persistence }: Orchestrator, run: string): Promise<void> {
  try {
    const { status, tasks } = await persistence.loadState(run);
    const done = tasks.filter((task) => task.status === 'completed');
    const shown = Object.fromEntries(done.map(({ path, output }) => [path, digestOf(output)]));
    say({ type: 'state', run, status, tasks: shown });
  } catch (error) {
    if ((error as { code?: string }).code !== 'RUN_NOT_FOUND') throw error;
    say({ type: 'state', run, status: undefined, tasks: {} });
  }
}

async function tellStates(orchestrator: Orchestrator, runs: readonly string[]): Promise<void> {
  for (let from = 0; from < runs.length; from += STATES_AT_ONCE)
    await Promise.all(runs.slice(from, from + STATES_AT_ONCE).map((run) => tellState(orchestrator, run)));
}

/** Looks up what the parent asks for; a key that is used again has to give the run that it gave. */
async function answer(orchestrator: Orchestrator): Promise<void> {
  const path = join(folder, `question-${orders.process}.json`);
  const { runs, keys } = JSON.parse(readFileSync(path, 'utf8')) as Question;
  await tellStates(orchestrator, runs);
  for (const { key } of keys) {
    const [, n, name] = key.split('-');
    const { workflow } = orchestrator.workflows.getWorkflow(name as string);
    const run = await orchestrator.manageWorkflow(workflow, { key, input: { n: Number(n) } });
    say({ type: 'key', run: run.runId, key });
  }
  say({ type: 'checked' });
}

async function tellAllStates(orchestrator: Orchestrator): Promise<void> {
  for (let after: string | undefined; ; ) {
    const page = await orchestrator.listRuns({ limit: 1_000, after });
    await tellStates(
      orchestrator,
      page.map(({ runId }) => runId),
    );
    if (page.length < 1_000) return;
    after = page.at(-1)?.runId;
  }
}

type Pruning = Orchestrator & { pruneRuns?(options: { olderThan: number; limit: number }): Promise<unknown> };

/** Ended runs are removed from the store now and then, if the package can do that. */
async function prune(orchestrator: Pruning): Promise<void> {
  if (!isDurable || orchestrator.pruneRuns === undefined) return;
  say({ type: 'prunes', keepMs: orders.keepMs });
  await orchestrator.pruneRuns({ olderThan: orders.keepMs, limit: 100_000 });
}

const leaked: unknown[] = [];

/** Faults that are planted, so that it can be seen that they are found. */
function misbehave(run: Run, load: Load): void {
  const { finished } = load;
  if (plant === 'leak')
    leaked.push({ run: run.runId, tasks: Array.from({ length: 100 }, (_, i) => i + 0.5) });
  if (finished % RUNS_OF_A_PLANT !== 0) return;
  if (plant === 'handles') setInterval(() => {}, 1e6);
  if (plant === 'loss') say({ type: 'end', run: `ghost-${finished}`, status: 'completed', digest: '' });
  if (plant === 'stuck') load.play({ name: 'planted', weight: 0, play: pauseForEver });
}

/** A scheduler remembers its last thousand tasks of the host: without this it would take minutes to have so many. */
async function fillUp({ scheduler }: Orchestrator): Promise<void> {
  for (let i = 0; i < HOST_TASKS; i++) await scheduler.executeTask({ taskId: `first-${i}` }, () => undefined);
}

async function pauseForEver(act: Act): Promise<void> {
  const run = await act.start('long');
  await run.pause();
  await act.end(run, 'completed');
}

async function work(orchestrator: Orchestrator, load: Load): Promise<void> {
  const sampler = new Sampler(globalThis.gc as () => void);
  let prunedAt = performance.now();
  load.begin();
  for (let count = 1; ; count++) {
    await new Promise((resolve) => setTimeout(resolve, orders.sampleMs));
    const isOver = orders.endAfterMs !== undefined && performance.now() > orders.endAfterMs;
    const rests = isOver || count % SAMPLES_UNTIL_REST === 0;
    const isAtRest = rests && (await load.rest());
    load.tellStuck();
    if (performance.now() - prunedAt > PRUNE_MS) {
      await prune(orchestrator);
      prunedAt = performance.now();
    }
    say({ type: 'sample', ...(await sampler.take(load.finished, isAtRest)) });
    if (isOver) return;
    if (rests) load.begin();
  }
}

async function main(): Promise<void> {
  const store = await makeStore();
  const recovered = new Set<string>();
  const begun: RunEvent[] = [];
  let isOpen = false;
  const watch = (event: RunEvent): void => void (isOpen ? observe(event, recovered) : begun.push(event));
  const openedAt = performance.now();
  const orchestrator = await Orchestrator.open({
    ...LIMITS,
    ...(store === undefined ? undefined : { store, monitors: [{ observe: watch }] }),
    handlers: HANDLERS,
    workflows: WORKFLOWS,
    maxRestarts: 1_000,
    // Whatever is kept of the past is kept in small numbers, so that it is full before anything is judged.
    monitoring: { events: KEPT },
    errors: { records: KEPT },
  });
  const runs = orchestrator.runs();
  for (const { runId } of runs) recovered.add(runId);
  isOpen = true;
  const canPrune = 'pruneRuns' in orchestrator;
  const openMs = performance.now() - openedAt;
  say({ type: 'open', recovered: runs.length, openMs, canPrune });
  for (const event of begun) observe(event, recovered);
  const random = seededRandom(orders.seed * 1_000 + orders.process);
  const { runsPerSecond: perSecond, stuckMs, scenes } = orders;
  const onEnd = (run: Run): void => misbehave(run, load);
  const load: Load = new Load({
    orchestrator,
    process: orders.process,
    isDurable,
    perSecond,
    stuckMs,
    scenes,
    random,
    say,
    onEnd,
  });
  load.recovered(runs);
  if (isDurable) await answer(orchestrator);
  await fillUp(orchestrator);
  await work(orchestrator, load);
  say({ type: 'last' });
  if (isDurable) await tellAllStates(orchestrator);
  await orchestrator.close();
  say({ type: 'done', scenes: load.scenes, left: openNow() });
}

await main();
