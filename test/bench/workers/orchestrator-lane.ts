/**
 * This package as its users meet it: a run of tasks whose handlers are exports of a module, default options but for the
 * number of threads, and `concurrency` where so many are to be in flight. A workflow is defined once and run again and
 * again; the time is that of `manageWorkflow` and `result`.
 */
import { performance } from 'node:perf_hooks';
import { defineWorkflow, Orchestrator, type RunOn, task, workerHandlers } from '@taskmaster-ai/orchestrator';
import type { PrimeRange } from './handlers.ts';
import { HANDLERS, type Lane, type Lap, MAP_THREADS } from './lane.ts';

type Handlers = typeof import('./handlers.ts');
type Isolation = 'thread' | 'process';

export function orchestratorLane(isolation: Isolation): Lane {
  const hosts = new Map<number, Promise<Orchestrator>>();
  const hostOf = (concurrency: number): Promise<Orchestrator> => {
    const open = hosts.get(concurrency) ?? Orchestrator.open({ concurrency });
    hosts.set(concurrency, open);
    return open;
  };
  const trips = workflowsOnce((texts: readonly string[]) => tripsOf(texts, isolation));
  const map = workflowsOnce((ranges: readonly PrimeRange[]) => mapOf(ranges, 'worker'));
  const mapHere = workflowsOnce((ranges: readonly PrimeRange[]) => mapOf(ranges, 'inline'));
  return {
    trips: async (texts, inFlight) => timed<string>(await hostOf(inFlight), trips(texts)),
    map: async (ranges, place) =>
      timed<number>(await hostOf(ranges.length), (place === 'inline' ? mapHere : map)(ranges)),
  };
}

type BenchWorkflow = ReturnType<typeof tripsOf> | ReturnType<typeof mapOf>;

/** One module of handlers, and so one pool, for all that is defined here. */
const onOne = workerHandlers<Handlers>(HANDLERS, { threads: 1 });
const inProcess = workerHandlers<Handlers>(HANDLERS, { threads: 1, isolation: 'process' });
const onSeveral = workerHandlers<Handlers>(HANDLERS, { threads: MAP_THREADS });

function tripsOf(texts: readonly string[], isolation: Isolation) {
  const { answer } = isolation === 'process' ? inProcess : onOne;
  return defineWorkflow('trips', {
    tasks: texts.map((text, index) => task(`task-${index}`, { inputData: text, handler: answer })),
  });
}

function mapOf(ranges: readonly PrimeRange[], runOn: RunOn) {
  return defineWorkflow('map', {
    tasks: ranges.map((range, index) =>
      task(`task-${index}`, { inputData: range, handler: onSeveral.primes, runOn }),
    ),
  });
}

/** The workflow for a list, made the first time that it is asked for. */
function workflowsOnce<Item>(
  define: (list: readonly Item[]) => BenchWorkflow,
): (list: readonly Item[]) => BenchWorkflow {
  const made = new WeakMap<readonly Item[], BenchWorkflow>();
  return (list) => {
    const workflow = made.get(list) ?? define(list);
    made.set(list, workflow);
    return workflow;
  };
}

async function timed<Answer>(host: Orchestrator, workflow: BenchWorkflow): Promise<Lap<Answer>> {
  const startedAt = performance.now();
  const run = await host.manageWorkflow(workflow);
  const { outputs } = await run.result();
  const ms = performance.now() - startedAt;
  const answers = workflow.tasks.map(
    ({ taskId }) => (outputs as Readonly<Record<string, Answer>>)[taskId] as Answer,
  );
  await run.release();
  return { ms, answers };
}
