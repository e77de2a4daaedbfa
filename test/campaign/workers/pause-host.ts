/**
 * A host whose threads are all busy: it measures how long its own thread stands still meanwhile, first while they are
 * started, then while they are busy.
 */
import { writeSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import {
  type AnyWorkflow,
  defineWorkflow,
  Orchestrator,
  task,
  workerHandlers,
} from '@taskmaster-ai/orchestrator';

/** One phase; all in milliseconds. */
export interface Pause {
  /** The longest time in which the main thread made no turn. */
  readonly ms: number;
  /** The most that one turn took of a processor; `undefined` where Node does not tell, or the thread sleeps. */
  readonly cpuMs: number | undefined;
}

export interface PauseReport {
  /** With nothing to do: what the machine itself costs. */
  readonly quiet: Pause;
  readonly starting: Pause;
  readonly busy: Pause;
  readonly completed: boolean;
}

const THREADS = 8;
const QUIET_MS = 1_000;
const RESOLUTION_MS = 1;

/** The time that this thread has had of a processor, in milliseconds; `NaN` where Node does not tell. */
function threadCpu(): number {
  const { threadCpuUsage } = process as {
    readonly threadCpuUsage?: () => { readonly user: number; readonly system: number };
  };
  if (threadCpuUsage === undefined) return Number.NaN;
  const { user, system } = threadCpuUsage();
  return (user + system) / 1_000;
}

type Stop = () => Pause;

/** Turns all the time: the longest time between two turns of the event loop. */
function turning(): Stop {
  let last = performance.now();
  let lastCpu = threadCpu();
  let ms = 0;
  let cpuMs = 0;
  let next: NodeJS.Immediate;
  const turn = (): void => {
    const now = performance.now();
    const cpu = threadCpu();
    ms = Math.max(ms, now - last);
    cpuMs = Math.max(cpuMs, cpu - lastCpu);
    last = now;
    lastCpu = cpu;
    next = setImmediate(turn);
  };
  next = setImmediate(turn);
  return () => {
    clearImmediate(next);
    return { ms, cpuMs: Number.isNaN(cpuMs) ? undefined : cpuMs };
  };
}

/** Sleeps between events, as hosts do: by how much a short timer is late. */
function sleeping(): Stop {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delay.enable();
  return () => {
    delay.disable();
    return { ms: delay.max / 1e6 - RESOLUTION_MS, cpuMs: undefined };
  };
}

const measure = process.argv[2] === 'turning' ? turning : sleeping;
const handlers = workerHandlers(new URL('./handlers.mjs', import.meta.url), {
  threads: THREADS,
  idle: '1s',
});

function workOf(name: string, count: number, ms: number): AnyWorkflow {
  const long = Array.from({ length: count }, (_, i) =>
    task(`work-${i}`, { handler: handlers.work, inputData: { ms } }),
  );
  const short = Array.from({ length: 250 }, (_, i) =>
    task(`echo-${i}`, { handler: handlers.echo, inputData: i }),
  );
  return defineWorkflow(name, { tasks: [...long, ...short] }) as AnyWorkflow;
}

const orchestrator = await Orchestrator.open();
// What is loaded once is not what is measured.
await (await orchestrator.scheduleTask(task('first', { handler: handlers.echo }))).result();
const starting = workOf('starting', THREADS, 50);
const busy = workOf('busy', THREADS * 5, 500);

async function measured(what: Promise<unknown> | AnyWorkflow): Promise<Pause & { readonly isGood: boolean }> {
  const stop = measure();
  let isGood = true;
  if (what instanceof Promise) await what;
  else {
    const run = await orchestrator.manageWorkflow(what, {} as never);
    isGood = (await run.settled()).status === 'completed';
  }
  return { ...stop(), isGood };
}

const first = await measured(new Promise((resolve) => setTimeout(resolve, QUIET_MS)));
const second = await measured(starting);
const third = await measured(busy);
const told: PauseReport = {
  quiet: first,
  starting: second,
  busy: third,
  completed: second.isGood && third.isGood,
};
writeSync(1, `${JSON.stringify(told)}\n`);
