/**
 * What it costs to use a store in which much is stored already. Every measurement is made in a fresh process, as after a
 * restart of the host; the pages of the file are in the memory of the operating system.
 */
import { performance } from 'node:perf_hooks';
import process from 'node:process';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { defineWorkflow, type ListRunsOptions, Orchestrator, task } from '@taskmaster-ai/orchestrator';
import { median } from '../summary.ts';
import { makeStore, type StoreKind } from './orchestrator-lane.ts';
import { FLOWS, fillStore, runIdOf, runsFor, tenantOf } from './stored-runs.ts';

export interface StoredAsk {
  readonly kind: StoreKind;
  readonly folder: string;
  /** How many events of finished runs it has, or is to get. */
  readonly events: number;
}

export interface Filled {
  readonly events: number;
  readonly ms: number;
}

/** In ms, but for the memory. */
export interface StoredSample {
  readonly claim: number;
  readonly unfinished: number;
  /** The whole of `Orchestrator.open`: claims, lists, reads the unfinished and begins them. */
  readonly open: number;
  /** From there to the end of the last of them. */
  readonly resume: number;
  readonly workflowFirst: number;
  readonly workflowMiddle: number;
  readonly completedFirst: number;
  readonly completedMiddle: number;
  readonly failedFirst: number;
  readonly tenantFirst: number;
  readonly tenantMiddle: number;
  /** One state of 23 events. */
  readonly history: number;
  /** Heap and external memory that the claimed store holds. */
  readonly claimedMb: number;
}

export const UNFINISHED_RUNS = 20;
/** Half of the unfinished have a checkpoint; each has so many steps behind it, and as many before it. */
const STEPS_DONE = 100;
const PAGE = 100;
const REPETITIONS = 7;
const OWNER = 'bench';
const UNFINISHED = ['created', 'in_progress', 'paused'];

export async function fillStored({ kind, folder, events }: StoredAsk): Promise<Filled> {
  const { store, end } = makeStore(kind, folder, 'os');
  const startedAt = performance.now();
  const stored = await fillStore(store, events);
  end();
  return { events: stored, ms: performance.now() - startedAt };
}

/** Half of its steps run at once; the one in the middle waits for `gate`. */
function longWorkflow(gate: (signal: AbortSignal) => Promise<void>) {
  const steps = Array.from({ length: 2 * STEPS_DONE }, (_, index) =>
    task(`step-${index}`, {
      dependencies: index === 0 ? [] : [`step-${index - 1}`],
      run: async ({ signal }) => {
        if (index === STEPS_DONE) await gate(signal);
        return { step: index };
      },
    }),
  );
  return defineWorkflow('long', { tasks: steps });
}

/** Leaves the runs behind that the next measurement goes on with, as a host does that is stopped. */
export async function leaveUnfinished({ kind, folder }: StoredAsk): Promise<null> {
  const { store, end } = makeStore(kind, folder, 'os');
  let waiting = 0;
  let all = (): void => {};
  const allWait = new Promise<void>((resolve) => {
    all = resolve;
  });
  const long = longWorkflow((signal) => {
    if (++waiting === UNFINISHED_RUNS) all();
    return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  });
  const host = await Orchestrator.open({ store, workflows: [long] });
  for (let i = 0; i < UNFINISHED_RUNS; i++) await host.manageWorkflow(long);
  await allWait;
  for (const [i, run] of host.runs().entries()) if (i % 2 === 0) await host.persistence.saveState(run.runId);
  await host.close({ grace: 0 });
  end();
  return null;
}

export async function measureStored(ask: StoredAsk): Promise<StoredSample> {
  const claimed = await measureClaim(ask);
  const { store, end } = makeStore(ask.kind, ask.folder, 'power');
  const long = longWorkflow(async () => {});
  const workflows = [long, ...FLOWS.map(({ workflow }) => workflow)];
  const [open, host] = await timed(() => Orchestrator.open({ store, workflows }));
  const runs = host.runs();
  const [resume] = await timed(() => Promise.all(runs.map((run) => run.result())));
  if (runs.length !== UNFINISHED_RUNS) throw new Error(`${runs.length} runs went on, not ${UNFINISHED_RUNS}`);
  const pages = await measurePages(host, ask.events);
  const history = await measureHistory(host, ask.events);
  await host.close();
  end();
  return { ...claimed, open, resume, ...pages, history };
}

async function measureClaim({ kind, folder }: StoredAsk) {
  const { store, end } = makeStore(kind, folder, 'power');
  const before = await bytesInUse();
  const [claim] = await timed(async () => store.claim(OWNER));
  const claimedMb = ((await bytesInUse()) - before) / 1e6;
  const [unfinished, found] = await timed(async () =>
    store.list({ prefix: 'run:', statuses: UNFINISHED, limit: 1_024 }),
  );
  if (found.length !== UNFINISHED_RUNS)
    throw new Error(`${found.length} unfinished runs were listed, not ${UNFINISHED_RUNS}`);
  await store.release(OWNER);
  end();
  return { claim, claimedMb, unfinished };
}

async function measurePages(host: Orchestrator, events: number) {
  const middle = runIdOf(runsFor(events) >> 1);
  const ask = (options: ListRunsOptions): Promise<number> =>
    medianOf(async () => {
      const found = await host.listRuns({ limit: PAGE, ...options });
      if (found.length === 0 && events >= 100_000)
        throw new Error(`nothing found by ${JSON.stringify(options)}`);
    });
  const byTenant = { attributes: { tenant: tenantOf(7) } };
  const byWorkflow = { workflowId: FLOWS[3]!.id };
  return {
    workflowFirst: await ask(byWorkflow),
    workflowMiddle: await ask({ ...byWorkflow, after: middle }),
    completedFirst: await ask({ status: 'completed' }),
    completedMiddle: await ask({ status: 'completed', after: middle }),
    failedFirst: await ask({ status: 'failed' }),
    tenantFirst: await ask(byTenant),
    tenantMiddle: await ask({ ...byTenant, after: middle }),
  };
}

async function measureHistory(host: Orchestrator, events: number): Promise<number> {
  const runs = runsFor(events);
  let next = 0;
  return medianOf(async () => {
    // Spread over the store, each read once.
    const runId = runIdOf(Math.floor((++next * runs) / (REPETITIONS + 2)));
    await host.persistence.loadState(runId);
  });
}

async function medianOf(body: () => Promise<void>): Promise<number> {
  await body();
  const all: number[] = [];
  for (let i = 0; i < REPETITIONS; i++) all.push((await timed(body))[0]);
  return median(all);
}

async function timed<Value>(body: () => Promise<Value>): Promise<[ms: number, value: Value]> {
  const startedAt = performance.now();
  const value = await body();
  return [performance.now() - startedAt, value];
}

/** The thread of a store has a heap of its own, which is not counted. */
async function bytesInUse(): Promise<number> {
  for (let i = 0; i < 2; i++) {
    globalThis.gc?.();
    await nextTurn();
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
