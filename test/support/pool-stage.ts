/** A pool of a module's threads that are played by the test, and what has to be true of it at any moment. */
import { expect, vi } from 'vitest';
import type { Call } from '../../src/adapters/worker-threads/call.ts';
import { ModulePool } from '../../src/adapters/worker-threads/module-pool.ts';
import {
  type WorkerHandlerLimits,
  type WorkerModule,
  workerModule,
} from '../../src/model/worker-handlers.ts';
import type { Invocation, Outcome } from '../../src/ports/executor.ts';
import { FakeThreads, UNSENDABLE } from './fake-threads.ts';

export const NO_LIMITS: WorkerHandlerLimits = {
  concurrent: 1,
  concurrency: undefined,
  queue: undefined,
  timeoutMs: undefined,
};

export interface PoolStageOptions {
  readonly threads?: number;
  readonly queue?: number;
  readonly handlers?: Readonly<Record<string, Partial<WorkerHandlerLimits>>>;
  readonly sharesMemory?: boolean;
  readonly warmUp?: number;
  /** In milliseconds. */
  readonly load?: number;
}

/** A module with limits, which no thread ever loads. */
export function moduleOf({
  threads = 1,
  queue = 1_000,
  handlers = {},
  warmUp = 0,
  load = 60_000,
}: PoolStageOptions): WorkerModule {
  return workerModule('file:///srv/handlers.js', {
    threads,
    warmUp,
    idleMs: 500,
    loadMs: load,
    memoryMb: undefined,
    queue,
    isolation: 'thread',
    reload: false,
    env: undefined,
    execArgv: undefined,
    entry: undefined,
    handlers: new Map(Object.entries(handlers).map(([name, limits]) => [name, { ...NO_LIMITS, ...limits }])),
  });
}

let made = 0;

/** A call of a handler; nobody executes it. */
export function invocationOf(name: string, inputData?: unknown): Invocation {
  const path = `${name}-${++made}`;
  const invocation = {
    runId: 'r',
    path,
    attempt: 1,
    handler: { kind: 'worker', name },
    run: undefined,
    context: {
      taskId: path,
      inputData,
      dependencies: {},
      restart: 0,
      idempotencyKey: path,
      locks: { names: [], token: () => 0 },
    },
    within: (work: (one: Invocation) => unknown) => work(invocation as unknown as Invocation),
  };
  return invocation as unknown as Invocation;
}

export interface StagedCall {
  readonly call: Call;
  readonly path: string;
  readonly outcomes: Outcome[];
}

export class PoolStage {
  readonly links: FakeThreads;
  readonly pool: ModulePool;
  readonly calls: StagedCall[] = [];
  readonly #limits: Readonly<Record<string, Partial<WorkerHandlerLimits>>>;
  #counted = 0;

  constructor(options: PoolStageOptions) {
    this.links = new FakeThreads(options.sharesMemory ?? true);
    this.#limits = options.handlers ?? {};
    this.pool = new ModulePool({
      module: moduleOf(options),
      links: this.links,
      now: () => 0,
      isVirtual: false,
      graceMs: 30,
      onCount: (change) => {
        this.#counted += change;
      },
    });
  }

  submit(name: string, what?: 'unsendable'): StagedCall {
    const outcomes: Outcome[] = [];
    const invocation = invocationOf(name, what === 'unsendable' ? UNSENDABLE : undefined);
    const call = this.pool.submit(invocation, (_, outcome) => outcomes.push(outcome));
    const staged = { call, path: invocation.path, outcomes };
    this.calls.push(staged);
    return staged;
  }

  /** What is submitted for a call that nobody follows. */
  invocation(name: string): Invocation {
    return invocationOf(name);
  }

  cancel(call: Call): void {
    this.pool.cancel(call, 'stop');
  }

  /** Lets everything happen that waits for the end of this turn. */
  async turn(): Promise<void> {
    for (let i = 0; i < 6; i++) await null;
  }

  /** What is true at any moment. */
  check(): void {
    expect(this.links.witness.wrongs).toEqual([]);
    const open = this.calls.filter(({ call }) => !call.isOver);
    for (const { call, outcomes } of this.calls) expect(outcomes.length).toBe(call.isOver ? 1 : 0);
    expect(this.#counted).toBe(open.length);
    const { queued, sent } = this.pool.stats();
    expect(queued + sent).toBe(open.length);
    this.#checkLimits();
  }

  /** Lets the threads do all that there is to do, until every call is over. */
  async finishAll(): Promise<void> {
    for (let round = 0; round < 400; round++) {
      await this.turn();
      let isBusy = false;
      for (const thread of [...this.links.living]) {
        if (thread.isKilled) isBusy = thread.die('asTold') || isBusy;
        else {
          if (!thread.isReady) isBusy = true;
          thread.load();
          while (thread.take()) isBusy = true;
          while (thread.begin()) isBusy = true;
          while (thread.finish()) isBusy = true;
          isBusy = thread.flush() || isBusy;
          if (thread.isEnded) isBusy = thread.die('asTold') || isBusy;
        }
        this.check();
      }
      if (!isBusy && this.calls.every(({ call }) => call.isOver)) break;
      // A call that nobody executes needs a timer at most.
      if (!isBusy) vi.advanceTimersByTime(5);
    }
    expect(this.calls.filter(({ call }) => !call.isOver).map(({ path }) => path)).toEqual([]);
  }

  /** What is true when all is over: nothing is left in any book. */
  checkEmpty(): void {
    this.check();
    expect(this.pool.stats()).toMatchObject({ queued: 0, sent: 0 });
    for (const attempts of this.links.witness.attempts.values()) expect([...attempts]).toEqual([1]);
    // What each thread still waits for is to be idle long enough.
    vi.advanceTimersByTime(501);
    for (const thread of [...this.links.living]) {
      expect(thread.isReady).toBe(true);
      thread.take();
    }
  }

  #checkLimits(): void {
    for (const [name, { concurrency }] of Object.entries(this.#limits)) {
      if (concurrency === undefined) continue;
      let executed = 0;
      for (const path of this.links.witness.executing.keys()) if (path.startsWith(`${name}-`)) executed++;
      expect(executed).toBeLessThanOrEqual(concurrency);
    }
  }
}

export function stage(options: PoolStageOptions): PoolStage {
  return new PoolStage(options);
}
