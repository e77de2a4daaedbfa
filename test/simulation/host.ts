/**
 * The program around the orchestrator, as one process runs it: it opens, goes on with what it finds, does what the
 * scenario wants done, and writes down what it is told.
 *
 * Owns: the orchestrator of its process. Who may call it: the play.
 *
 * HO1  What is not answered when a process dies is done again by the next one, if that cannot do harm twice.
 * HO2  Only what the orchestrator has answered is written down as acknowledged.
 */

import type { AnyWorkflow, EventStore, Run, RunEvent } from '@taskmaster-ai/orchestrator';
import { Orchestrator, OrchestratorError, Reference } from '@taskmaster-ai/orchestrator';
import { handlersOf, workflowsOf } from './bodies.ts';
import { Deeds } from './deeds.ts';
import type { LogEvent, OverRow, StateRow } from './rows.ts';
import type { Scenario } from './scenario.ts';
import type { SimulatedProcess } from './simulated-process.ts';
import type { World } from './world.ts';

/** What is larger is kept beside the log: as little as may be. */
const INLINE_BYTES = 1_024;

const ENDED: ReadonlySet<string> = new Set(['completed', 'failed', 'cancelled']);

/** What all processes of a play know. */
export interface Common {
  readonly world: World;
  readonly scenario: Scenario;
  /** The run that the action of this number has started. */
  readonly runOf: Map<number, string>;
  /** Actions that were answered. */
  readonly done: Set<number>;
  nextRun: number;
  /** Runs that somebody has been told of. */
  readonly known: Set<string>;
}

export class Host {
  readonly process: SimulatedProcess;
  readonly workflows: readonly (readonly AnyWorkflow[])[];
  readonly common: Common;
  orchestrator: Orchestrator | undefined;
  /** Why it did not open. */
  failure: unknown;
  isClosed = false;
  #isClosing = false;
  /** Runs that this process reports the end of. */
  readonly #watched = new Set<string>();
  readonly #deeds: Deeds;
  readonly #store: EventStore;

  constructor(common: Common, process: SimulatedProcess, store: EventStore) {
    this.common = common;
    this.process = process;
    this.#store = store;
    this.workflows = common.scenario.workflows.map(workflowsOf);
    this.#deeds = new Deeds(this);
  }

  /** Opens, and goes on with the runs that it finds. */
  async open(): Promise<void> {
    const { process } = this;
    try {
      const orchestrator = await Orchestrator.open(this.#options());
      if (!process.isAlive) return;
      this.orchestrator = orchestrator;
    } catch (error) {
      if (process.isAlive) this.failure = error;
      return;
    }
    process.isOpen = true;
    this.#tellWhatIsThere(this.orchestrator);
  }

  /** Does what is to be done at this moment. */
  act(action: number): void {
    void this.#deeds.act(action);
  }

  /** Closes in good order. */
  async close(grace: number): Promise<void> {
    const { process } = this;
    this.#isClosing = true;
    await this.orchestrator?.close({ grace });
    if (!process.isAlive) return;
    this.isClosed = true;
  }

  /** Writes down how all runs that are known by now end. */
  watchAll(): void {
    for (const run of this.orchestrator?.runs() ?? []) this.watch(run);
  }

  /** Writes down how a run ends. */
  watch(run: Run<unknown>): void {
    const { runId } = run;
    if (this.#watched.has(runId)) return;
    this.#watched.add(runId);
    this.common.known.add(runId);
    const { world } = this.common;
    const wasOver = ENDED.has(run.status);
    run.settled().then(
      (settled) => {
        if (!this.process.isAlive) return;
        if (settled.status === 'lost') this.#watched.delete(runId);
        const row: OverRow = {
          kind: 'over',
          process: this.process.number,
          t: world.now,
          run: runId,
          status: settled.status,
          outputs: settled.outputs as Readonly<Record<string, unknown>>,
          failures: settled.failures.map(({ path, failure }) => `${path}: ${failure.message}`),
        };
        world.note(row);
      },
      (error: unknown) => {
        if (!this.process.isAlive) return;
        // A run that was released has nothing to tell any more.
        if (OrchestratorError.is(error, 'RUN_RELEASED')) return;
        // Nor has one that the new owner of the store has removed, or that was removed before anybody asked.
        if (OrchestratorError.is(error, 'RUN_NOT_FOUND') && (this.process.isFenced || wasOver)) return;
        // Closing ends the waits for a store that fails to read an output from beside the log.
        if (this.#isClosing && OrchestratorError.is(error, 'STORE_UNAVAILABLE')) return;
        this.wrong('I49', `settled() of ${runId} rejects: ${String(error)}`);
      },
    );
  }

  /** Looks at everything after the end of all runs, and closes. */
  async lookAround(): Promise<void> {
    const orchestrator = this.orchestrator as Orchestrator;
    const { world } = this.common;
    // What the host holds itself comes back meanwhile.
    await new Promise<void>((resolve) => world.after(1_000, resolve));
    const again = await orchestrator.recoverState();
    for (const { runId } of await orchestrator.listRuns()) {
      const last = await this.#tellState(orchestrator, runId);
      await this.#tellState(orchestrator, runId, world.chance.int(1, last));
    }
    const about = { process: this.process.number };
    const used = orchestrator.resources.monitorResourceUsage().filter((one) => one.used !== 0);
    world.note({
      kind: 'idle',
      ...about,
      t: world.now,
      left: [
        ...[...this.#deeds.open].map((action) => `no answer to action ${action}`),
        ...again.recovered.map((runId) => `${runId} is recovered again`),
        ...used.map((one) => `${one.used} of ${one.name} in use`),
        ...orchestrator.concurrency.locks().map(({ name }) => `the lock ${name}`),
        ...(orchestrator.concurrency.running === 0 ? [] : [`${orchestrator.concurrency.running} running`]),
      ],
    });
    await this.close(0);
    // A turn that the loop has given away comes back in one of the next.
    for (let i = 0; i < 4; i++)
      await new Promise<void>((resolve) => {
        setImmediate(resolve);
      });
    const { timers, holds } = this.process;
    world.note({
      kind: 'closed',
      ...about,
      t: world.now,
      left: [
        ...(timers === 0 ? [] : [`${timers} timers`]),
        ...(holds === 0 ? [] : [`${holds} holds of the clock`]),
      ],
    });
  }

  async #tellState(orchestrator: Orchestrator, runId: string, at?: number): Promise<number> {
    const { world } = this.common;
    const state = await orchestrator.persistence.loadState(runId, { seq: at });
    const { seq, status, finishedAt, cancelReason } = state;
    const tasks: StateRow['tasks'][number][] = [];
    for (const { path, status: taskStatus, attempt, output } of state.tasks) {
      const value = Reference.is(output) ? await orchestrator.persistence.loadOutput(runId, output) : output;
      tasks.push({
        path,
        status: taskStatus,
        attempt,
        ...(value === undefined ? undefined : { output: value }),
      });
    }
    const row: StateRow = {
      kind: 'state',
      process: this.process.number,
      t: world.now,
      run: runId,
      seq,
      status,
      finishedAt,
      isCancelled: cancelReason !== undefined,
      tasks,
    };
    world.note(row);
    return seq;
  }

  wrong(invariant: string, message: string): void {
    const { world } = this.common;
    world.note({ kind: 'wrong', process: this.process.number, t: world.now, invariant, message });
  }

  #options(): Parameters<typeof Orchestrator.open>[0] {
    const { common, process } = this;
    const { world, scenario } = common;
    const { options } = scenario;
    return {
      store: this.#store,
      clock: process.clock,
      workflows: this.workflows.flat(),
      handlers: handlersOf(scenario, { world, process }) as never,
      idSource: { nextRunId: () => `r${++common.nextRun}` },
      random: { next: () => world.chance.next() },
      monitors: [{ observe: (event: RunEvent) => this.#observe(event) }],
      policy: options.policy,
      concurrency: options.concurrency,
      cancelGrace: options.cancelGrace,
      maxRestarts: options.maxRestarts,
      retainRuns: options.retainRuns,
      inlineLimit: INLINE_BYTES,
      resources: options.resources,
      agents: Object.fromEntries(
        Object.entries(options.agents).map(([name, concurrency]) => [name, { concurrency }]),
      ),
    };
  }

  #observe(event: RunEvent): void {
    const { process } = this;
    const { world, scenario } = this.common;
    if (!process.isAlive) return;
    const { type, seq, runId } = event as unknown as LogEvent;
    if (typeof seq === 'number')
      world.note({ kind: 'told', process: process.number, t: world.now, run: runId, seq, type });
    if (scenario.hasBadMonitor && seq % 3 === 0) throw new Error('this monitor is at fault');
  }

  #tellWhatIsThere(orchestrator: Orchestrator): void {
    const { world } = this.common;
    const about = { process: this.process.number, t: world.now };
    const runs = orchestrator.runs();
    world.note({ kind: 'open', ...about, recovered: runs.map(({ runId }) => runId) });
    for (const run of runs) {
      const tasks = run.tasks().map(({ path, status, attempt }) => ({ path, status, attempt }));
      world.note({ kind: 'view', ...about, run: run.runId, tasks });
      this.watch(run);
    }
  }
}
