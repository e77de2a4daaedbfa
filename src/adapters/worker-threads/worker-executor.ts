/**
 * Runs handlers in worker threads and child processes.
 *
 * Owns: a pool for each module of handlers. Who may call it: the orchestrator, which routes calls here.
 *
 * WE1  Each invocation is reported once.
 * WE2  A virtual clock stands still while a call is executed, unless all that it does is to wait on that clock.
 * WE3  Nothing of it keeps the process alive when its threads have been idle for a while.
 */

import type { WorkerModule, WorkerRef, WorkerSettings } from '../../model/worker-handlers.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Executor, Invocation, ReportOutcome } from '../../ports/executor.ts';
import type { Call } from './call.ts';
import type { Link, LinkFactory } from './link.ts';
import { changeWatcher } from './module-changes.ts';
import { ModulePool } from './module-pool.ts';
import type { PoolStats } from './pool-parts.ts';
import { ProcessLinks } from './process-link.ts';
import type { SessionStart } from './protocol.ts';
import { ThreadLinks } from './thread-link.ts';

/** What an executor of workers is made of. */
export interface WorkerExecutorParts {
  readonly clock: Clock;
  /** Whether the clock is another than that of the machine. */
  readonly isVirtual: boolean;
  /** How long a call that was told to stop may take to end, in milliseconds. */
  readonly graceMs: number;
}

export class WorkerExecutor implements Executor {
  readonly capabilities = { remote: false, virtualTime: true };
  readonly #parts: WorkerExecutorParts;
  readonly #pools = new Map<WorkerModule, ModulePool>();
  readonly #calls = new Map<Invocation, { readonly pool: ModulePool; readonly call: Call }>();
  readonly #changed = changeWatcher();
  #busy = 0;
  #letGo: (() => void) | undefined;
  #isClosed = false;

  constructor(parts: WorkerExecutorParts) {
    this.#parts = parts;
  }

  submit(invocations: readonly Invocation[], report: ReportOutcome): void {
    for (const invocation of invocations) {
      const { module } = invocation.handler as WorkerRef;
      const pool = this.#poolOf(module);
      if (module.settings.reload && this.#changed(module.url)) pool.reload();
      const call = pool.submit(invocation, (of, outcome) => {
        this.#calls.delete(of);
        report(of, outcome);
      });
      if (!call.isOver) this.#calls.set(invocation, { pool, call });
    }
  }

  cancel(invocation: Invocation, reason: unknown): void {
    const found = this.#calls.get(invocation);
    found?.pool.cancel(found.call, reason);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([...this.#pools.values()].map((pool) => pool.close()));
  }

  /** The names of the functions that a module exports; a thread is started for it if there is none. */
  exportsOf(module: WorkerModule): Promise<readonly string[]> {
    return this.#poolOf(module).names();
  }

  /** Starts threads of a module before the first call. */
  warmUp(module: WorkerModule, count = module.settings.warmUp): void {
    this.#poolOf(module).warmUp(count);
  }

  /** How the pools stand, one for each module. */
  stats(): readonly PoolStats[] {
    return [...this.#pools.values()].map((pool) => pool.stats());
  }

  #poolOf(module: WorkerModule): ModulePool {
    let pool = this.#pools.get(module);
    if (pool === undefined) {
      const { clock, isVirtual, graceMs } = this.#parts;
      pool = new ModulePool({
        module,
        links: new LazyLinks(module.settings),
        now: () => clock.now(),
        isVirtual,
        graceMs,
        onCount: (change) => this.#count(change),
      });
      this.#pools.set(module, pool);
      pool.warmUp(module.settings.warmUp);
    }
    return pool;
  }

  #count(change: 1 | -1): void {
    this.#busy += change;
    if (this.#busy > 0 && this.#letGo === undefined && !this.#isClosed)
      this.#letGo = this.#parts.clock.hold();
    else if (this.#busy === 0) {
      this.#letGo?.();
      this.#letGo = undefined;
    }
  }
}

/** Made when the first is started: what is wrong with the file that they run, or their options, fails calls, not the host. */
class LazyLinks implements LinkFactory {
  readonly sharesMemory: boolean;
  readonly #settings: WorkerSettings;
  #made: LinkFactory | undefined;

  constructor(settings: WorkerSettings) {
    this.#settings = settings;
    this.sharesMemory = settings.isolation === 'thread';
  }

  start(start: SessionStart): Link {
    this.#made ??=
      this.#settings.isolation === 'process'
        ? new ProcessLinks(this.#settings)
        : new ThreadLinks(this.#settings);
    return this.#made.start(start);
  }

  async close(): Promise<void> {
    await this.#made?.close();
  }
}
