/** Drives the executor of workers without an orchestrator: calls of handlers, and what came of them. */
import { existsSync } from 'node:fs';
import { SystemClock } from '../../src/adapters/system/system-clock.ts';
import type { PoolStats } from '../../src/adapters/worker-threads/pool-parts.ts';
import { WorkerExecutor } from '../../src/adapters/worker-threads/worker-executor.ts';
import { OrchestratorError } from '../../src/model/errors.ts';
import type { HandlerContext } from '../../src/model/handler.ts';
import {
  type WorkerHandlerLimits,
  type WorkerModule,
  type WorkerSettings,
  workerModule,
} from '../../src/model/worker-handlers.ts';
import type { Clock } from '../../src/ports/clock.ts';
import type { Invocation, Outcome } from '../../src/ports/executor.ts';

/** Whether this Node executes TypeScript as it is. */
export const runsTypeScript = Boolean((process.features as { readonly typescript?: unknown }).typescript);

/** Why no thread can be started here; `undefined` when one can. */
export const noThreads: string | undefined =
  runsTypeScript || existsSync(new URL('../../dist/worker-process.js', import.meta.url))
    ? undefined
    : 'this Node does not execute TypeScript, and the package is not built';

/** The name of a group of tests that need threads, with the reason when they are skipped. */
export const needsThreads = (name: string): string =>
  noThreads === undefined ? name : `${name} (skipped: ${noThreads})`;

export const ISOLATIONS = ['thread', 'process'] as const;
export type Isolation = (typeof ISOLATIONS)[number];

/** A file of handlers among the fixtures. */
export const handlersFile = (name: string): string => new URL(`./handlers/${name}`, import.meta.url).href;

const NO_LIMITS: WorkerHandlerLimits = {
  concurrent: 1,
  concurrency: undefined,
  queue: undefined,
  timeoutMs: undefined,
};

export interface BenchOptions extends Partial<Omit<WorkerSettings, 'handlers'>> {
  /** The fixture of which handlers are called; `faults.mjs` when absent. */
  readonly file?: string;
  readonly handlers?: Readonly<Record<string, Partial<WorkerHandlerLimits>>>;
  readonly graceMs?: number;
  readonly clock?: Clock;
}

/** Something that a handler said by its context. */
export type Said =
  | { readonly what: 'heartbeat' }
  | { readonly what: 'progress'; readonly value: unknown }
  | { readonly what: 'log'; readonly level: string; readonly message: string; readonly fields: unknown };

/** A call under way. */
export interface BenchCall {
  readonly invocation: Invocation;
  readonly outcome: Promise<Outcome>;
  /** How often it was reported. */
  readonly reports: () => number;
  readonly said: Said[];
}

export class WorkerBench {
  readonly executor: WorkerExecutor;
  readonly module: WorkerModule;
  #calls = 0;

  constructor({ file = 'faults.mjs', handlers = {}, graceMs = 50, clock, ...settings }: BenchOptions = {}) {
    this.executor = new WorkerExecutor({
      clock: clock ?? new SystemClock(),
      isVirtual: clock !== undefined,
      graceMs,
    });
    this.module = workerModule(file.includes(':') ? file : handlersFile(file), {
      threads: 1,
      warmUp: 0,
      idleMs: 5_000,
      loadMs: 60_000,
      memoryMb: undefined,
      queue: 1_000,
      isolation: 'thread',
      reload: false,
      env: undefined,
      execArgv: undefined,
      entry: undefined,
      ...settings,
      handlers: new Map(
        Object.entries(handlers).map(([name, limits]) => [name, { ...NO_LIMITS, ...limits }]),
      ),
    });
  }

  /** Starts a call. */
  call(name: string, inputData?: unknown, given: Partial<HandlerContext<unknown, unknown>> = {}): BenchCall {
    const path = `${name}-${++this.#calls}`;
    const said: Said[] = [];
    let reported = 0;
    const invocation: Invocation = {
      runId: 'run-1',
      path,
      attempt: 1,
      handler: { kind: 'worker', name, module: this.module } as Invocation['handler'],
      run: undefined,
      context: { ...contextOf(path, inputData, said), ...given } as HandlerContext<never, never>,
      within: (call) => call(invocation),
    };
    const outcome = new Promise<Outcome>((resolve) => {
      this.executor.submit([invocation], (_, ended) => {
        reported++;
        resolve(ended);
      });
    });
    return { invocation, outcome, said, reports: () => reported };
  }

  /** Calls a handler that has to succeed. */
  async output(name: string, inputData?: unknown): Promise<unknown> {
    return outputOf(await this.call(name, inputData).outcome);
  }

  /** Calls a handler that has to fail, and gives what it threw. */
  async thrown(name: string, inputData?: unknown): Promise<unknown> {
    return thrownOf(await this.call(name, inputData).outcome);
  }

  cancel({ invocation }: BenchCall, reason: unknown): void {
    this.executor.cancel(invocation, reason);
  }

  get stats(): PoolStats {
    return this.executor.stats()[0] as PoolStats;
  }

  close(): Promise<void> {
    return this.executor.close();
  }
}

/** Does something with an executor of workers, and ends all that it has started. */
export async function withBench(
  options: BenchOptions,
  work: (bench: WorkerBench) => Promise<void>,
): Promise<void> {
  const bench = new WorkerBench(options);
  try {
    await work(bench);
  } finally {
    await bench.close();
  }
}

export function outputOf(outcome: Outcome): unknown {
  if (!outcome.ok) throw outcome.thrown;
  return outcome.output;
}

export function thrownOf(outcome: Outcome): unknown {
  if (outcome.ok) throw new Error(`it did not fail, it returned ${String(outcome.output)}`);
  return outcome.thrown;
}

/** The code of what was thrown, or what it is when it has none. */
export function codeOf(thrown: unknown): string {
  return OrchestratorError.is(thrown) ? thrown.code : `no code: ${String(thrown)}`;
}

function contextOf(path: string, inputData: unknown, said: Said[]): HandlerContext<unknown, unknown> {
  const line =
    (level: string) =>
    (message: string, fields?: Readonly<Record<string, unknown>>): void => {
      said.push({ what: 'log', level, message, fields });
    };
  return {
    runId: 'run-1',
    path,
    taskId: path,
    input: undefined,
    inputData,
    dependencies: {},
    attempt: 1,
    restart: 0,
    idempotencyKey: `run-1/${path}`,
    trace: {},
    signal: new AbortController().signal,
    heartbeat: () => said.push({ what: 'heartbeat' }),
    progress: (value) => said.push({ what: 'progress', value }),
    locks: { names: [], acquire: () => Promise.reject(new Error('no locks here')), token: () => 0 },
    log: { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') },
    clock: {
      now: () => 0,
      sleep: () => Promise.reject(new Error('no clock here')),
      real: async (promise) => promise,
    },
  };
}
