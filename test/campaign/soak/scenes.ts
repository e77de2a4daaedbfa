/** What a user of the package does with its runs, one scene for each kind of use; each ends when its runs have ended. */
import { setTimeout as wait } from 'node:timers/promises';
import {
  type Orchestrator,
  OrchestratorError,
  type Run,
  type SettledRun,
  type StartSettings,
} from '@taskmaster-ai/orchestrator';
import { digestOf } from './digest.ts';
import { largeValue, oddValue } from './workload.ts';

export type Outputs = Readonly<Record<string, unknown>>;
export type Ending = SettledRun<Outputs>['status'];

/** One scene that is being played. */
export interface Act {
  readonly orchestrator: Orchestrator;
  readonly n: number;
  readonly isDurable: boolean;
  random(): number;
  /** Starts a run of a workflow; without a version, of its newest one. */
  start(name: string, options?: StartSettings & { readonly version?: number }): Promise<Run>;
  /** Waits for the end of a run, which has to be one of these. */
  end(run: Run, ...allowed: readonly Ending[]): Promise<SettledRun<Outputs>>;
  fault(what: string): void;
}

export interface Scene {
  readonly name: string;
  /** How often it comes, compared with the others. */
  readonly weight: number;
  play(act: Act): Promise<void>;
}

/** Swallows only the errors that such a race may end in. */
async function unless(codes: readonly string[], work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!OrchestratorError.is(error) || !codes.includes(error.code)) throw error;
  }
}

async function simple(act: Act, name: string, ...allowed: readonly Ending[]): Promise<void> {
  await act.end(await act.start(name), ...allowed);
}

async function values(act: Act): Promise<void> {
  const isLarge = act.n % 8 === 0;
  const { outputs } = await act.end(await act.start(isLarge ? 'large' : 'values'), 'completed');
  const expected = isLarge ? largeValue(act.n) : oddValue(act.n);
  const given = isLarge ? outputs.large : outputs.odd;
  if (digestOf(given) !== digestOf(expected))
    act.fault(`run ${act.n} does not give the value of its handler`);
}

/** Cancelled by its handle, by its id, by a signal, or only one task of it. */
async function cancel(act: Act): Promise<void> {
  const stop = new AbortController();
  const run = await act.start('endless', { signal: stop.signal });
  await wait(act.random() * 30);
  const way = act.n % 4;
  if (way === 0) await run.cancel(new Error('the user left'));
  if (way === 1) stop.abort(new Error('the user left'));
  if (way === 2) await act.orchestrator.cancelRun(run.runId, 'the user left');
  if (way === 3) await run.cancelTask('sleeps', 'not this one');
  await act.end(run, way === 3 ? 'failed' : 'cancelled');
}

async function pause(act: Act): Promise<void> {
  const run = await act.start('chain', { priority: 5 });
  await run.pause();
  await wait(act.random() * 20);
  run.explain('c3');
  await run.resume();
  await act.end(run, 'completed');
}

async function prioritize(act: Act): Promise<void> {
  const run = await act.start('fan', { priority: Math.floor(act.random() * 10) });
  await run.setPriority('f1', 50);
  for (const { path } of run.tasks()) run.explain(path);
  await act.end(run, 'completed');
}

/** A reader from the beginning, one that leaves early, one of a single task; listeners that go again. */
async function listen(act: Act): Promise<void> {
  const { orchestrator } = act;
  let heard = 0;
  const hear = (): void => {
    heard++;
  };
  const stops = [
    orchestrator.on('TaskProgressed', hear),
    orchestrator.on('RunCompleted', hear),
    orchestrator.observe({ observe: hear }),
  ];
  const run = await act.start('reports');
  const leaving = new AbortController();
  const early = (async () => {
    for await (const event of run.events({ signal: leaving.signal })) if (event.seq > 3) return;
  })();
  const single = (async () => {
    for await (const event of orchestrator.monitorTask(run.runId, 'reports').events()) void event.seq;
  })();
  let last = 0;
  for await (const event of run.events()) last = event.seq;
  await act.end(run, 'completed');
  leaving.abort();
  // A store in memory forgets a run with the hundredth that ends behind it, and a slow reader is told so.
  await unless(['RUN_RELEASED'], Promise.all([early, single]));
  for (const stop of stops) stop();
  if (heard === 0 || last === 0) act.fault(`run ${act.n}: ${heard} events heard, ${last} read`);
}

/** Two ask for the same run at the same moment, a third afterwards. */
async function once(act: Act): Promise<void> {
  const key = `once-${act.n}-${Math.floor(act.random() * 1e9)}`;
  const [a, b] = await Promise.all([act.start('chain', { key }), act.start('chain', { key })]);
  if (a.runId !== b.runId) act.fault(`key ${key} has the runs ${a.runId} and ${b.runId}`);
  await act.end(a, 'completed');
  const c = await act.start('chain', { key });
  if (c.runId !== a.runId && act.isDurable) act.fault(`key ${key} has the runs ${a.runId} and ${c.runId}`);
  await act.end(c, 'completed');
}

async function move(act: Act): Promise<void> {
  const run = await act.start('moving', { version: 1 });
  await wait(act.random() * 15);
  await unless(['RUN_MOVE_REFUSED', 'RUN_FINISHED'], run.moveTo(2));
  await act.end(run, 'completed');
}

/** A run that failed is tried again, from all or from one task; one that completed is done again from a task on. */
async function again(act: Act): Promise<void> {
  const failed = await act.start('failing');
  await act.end(failed, 'failed');
  const options = { input: { n: act.n, isMended: true } };
  const next = act.n % 2 === 0 ? await failed.retry(options) : await failed.rerunFrom('good', options);
  await act.end(next, 'completed');
  await act.end(await next.rerunFrom('never'), 'completed');
}

async function keepStates(act: Act): Promise<void> {
  const run = await act.start('long');
  const { persistence } = act.orchestrator;
  await persistence.saveState(run.runId);
  await wait(10);
  await persistence.createCheckpoint(run.runId, { name: 'once' });
  const fork = await run.fork();
  await act.end(run, 'completed');
  await act.end(fork, 'completed');
  if (act.n % 4 === 0) await act.orchestrator.persistState();
}

/** Code that is no task takes a lock, an amount, a place in the queue. */
async function host(act: Act): Promise<void> {
  const { concurrency, resources, scheduler } = act.orchestrator;
  const lock = await concurrency.acquireLock('whole', { timeout: '30s' });
  await wait(1);
  lock.release();
  const grant = await resources.allocateResource({ cpu: 1 }, { timeout: '30s' });
  grant.release();
  const task = { taskId: `host-${act.n}`, locks: ['whole'], agentAssigned: 'ann' };
  await scheduler.executeTask(task, () => wait(1));
  scheduler.queueByReason();
  resources.usage('cpu');
}

async function release(act: Act): Promise<void> {
  const run = await act.start('fan');
  await act.end(run, 'completed');
  if (!run.release()) act.fault(`run ${act.n} has ended and is not released`);
}

export const SCENES: readonly Scene[] = [
  { name: 'chain', weight: 20, play: (act) => simple(act, 'chain', 'completed') },
  { name: 'fan', weight: 15, play: (act) => simple(act, 'fan', 'completed') },
  { name: 'failing', weight: 8, play: (act) => simple(act, 'failing', 'failed') },
  { name: 'tolerant', weight: 4, play: (act) => simple(act, 'tolerant', 'completed') },
  { name: 'late', weight: 3, play: (act) => simple(act, 'late', 'failed') },
  { name: 'deaf', weight: 1, play: (act) => simple(act, 'deaf', 'failed') },
  { name: 'nested', weight: 3, play: (act) => simple(act, 'nested', 'completed', 'failed') },
  { name: 'threads', weight: 3, play: (act) => simple(act, 'threads', 'completed') },
  { name: 'stops', weight: 0.5, play: (act) => simple(act, 'stops', 'failed') },
  { name: 'values', weight: 8, play: values },
  { name: 'cancel', weight: 8, play: cancel },
  { name: 'pause', weight: 4, play: pause },
  { name: 'prioritize', weight: 4, play: prioritize },
  { name: 'listen', weight: 6, play: listen },
  { name: 'once', weight: 4, play: once },
  { name: 'move', weight: 3, play: move },
  { name: 'again', weight: 3, play: again },
  { name: 'keepStates', weight: 1, play: keepStates },
  { name: 'host', weight: 3, play: host },
  { name: 'release', weight: 4, play: release },
];
