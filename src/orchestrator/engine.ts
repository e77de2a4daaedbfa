/**
 * Everything behind the facade, behind one door, so that it is loaded when the first orchestrator is opened and not
 * when the package is imported.
 *
 * Owns: nothing but the composition. Who may call it: the facade.
 *
 * EN1  Nothing here is imported by the facade but by its `open`, types excepted.
 */

import type { Grant } from '../managers/resources/claims.ts';
import { type LiveRun, runOfCaller } from '../managers/workflows/live-run.ts';
import { checkRecord, reading } from '../model/checks.ts';
import { OrchestratorError, refuse } from '../model/errors.ts';
import type { WorkerModule } from '../model/worker-handlers.ts';
import { allocateForTask } from './allocate-for-task.ts';
import { type Composition, compose } from './compose.ts';
import { listRuns, type RunInfo } from './list-runs.ts';
import { moveRuns } from './move-run.ts';
import { Observers } from './observers.ts';
import { type CheckedOptions, checkHandlers, checkOptions, modulesOf } from './options.ts';
import {
  connectPersistence,
  type PersistedState,
  type PersistOptions,
  persistState,
} from './persist-state.ts';
import { checkPrune } from './prune-options.ts';
import { type PrunedRuns, pruneRuns } from './prune-runs.ts';
import { type RecoveredState, recoverRuns, whenRecovered } from './recover-runs.ts';
import { Retention } from './retention.ts';
import { RunStarter } from './run-starter.ts';
import { checkGrace, shutDown } from './shut-down.ts';

/**
 * Checks the options and joins the parts.
 * @throws OrchestratorError `OPTION_UNKNOWN`, `OPTION_INVALID`, `STORE_OWNED` …
 */
export async function openEngine(options: unknown): Promise<Engine> {
  const checked = checkOptions(options);
  return new Engine(await compose(checked), checked);
}

export class Engine {
  readonly parts: Composition;
  readonly starter: RunStarter;
  readonly observers: Observers;
  readonly #options: CheckedOptions;
  #closing: Promise<void> | undefined;

  constructor(parts: Composition, options: CheckedOptions) {
    this.parts = parts;
    this.#options = options;
    this.starter = new RunStarter(parts, () => this.checkOpen());
    this.observers = new Observers(parts);
    connectPersistence(parts);
    const retention = options.retention === undefined ? undefined : new Retention(parts, options.retention);
    if (retention !== undefined) parts.directory.onEnded = () => retention.onEnded();
    parts.workflows.connect((workflowId, version) => moveRuns(parts, workflowId, version));
  }

  /** Registers the workflows of the options, and goes on with what the store has unfinished. */
  async begin(): Promise<void> {
    await this.#nameExports(this.#options.modules);
    await this.parts.definitions?.load();
    this.observers.begin(this.#options);
    const { admission } = this.parts;
    admission.isLenient = this.#options.missingHandlers === 'leave';
    try {
      for (const workflow of this.#options.workflows) this.starter.register(workflow);
    } finally {
      admission.isLenient = false;
    }
    await recoverRuns(this.parts);
  }

  async registerHandlers(given: unknown): Promise<RecoveredState> {
    this.checkOpen();
    const { handlers } = this.parts;
    const at = 'registerHandlers';
    const allowed = 'an object from name to function';
    const { named, modules } = reading(at, allowed, () => {
      const record = checkRecord(given, at, allowed);
      return { named: checkHandlers(record, at), modules: modulesOf(record) };
    });
    for (const name of named.keys())
      if (handlers.has(name))
        throw refuse('OPTION_CONFLICT', {
          at: `registerHandlers/${name}`,
          found: `the name ${JSON.stringify(name)}, which means a handler already`,
          allowed: 'names that are not registered',
        });
    for (const [name, handler] of named) handlers.register(name, handler);
    await this.#nameExports(modules);
    this.checkOpen();
    // One that is under way may have passed by what can go on only now.
    await whenRecovered(this.parts);
    return recoverRuns(this.parts);
  }

  /** Makes the exports of modules known by their names, in the order of the modules. */
  async #nameExports(modules: readonly WorkerModule[]): Promise<void> {
    if (modules.length === 0) return;
    const { handlers, workers, clock } = this.parts;
    // Threads are real: virtual time must not pass while they begin.
    const letGo = clock.hold();
    try {
      const opened = await workers.open();
      const names = await Promise.all(modules.map((module) => opened.exportsOf(module)));
      for (const [i, module] of modules.entries()) handlers.registerModule(module, names[i] ?? []);
    } finally {
      letGo();
    }
  }

  /** Whether it is closing or closed. */
  get isClosing(): boolean {
    return this.#closing !== undefined;
  }

  /** @throws OrchestratorError `ORCHESTRATOR_CLOSED` */
  checkOpen(): void {
    if (this.isClosing)
      throw new OrchestratorError(
        'ORCHESTRATOR_CLOSED',
        'this orchestrator is closing or closed; nothing new can be started. Open another one.',
      );
  }

  listRuns(options: unknown): Promise<readonly RunInfo[]> {
    return listRuns(this.parts, options);
  }

  async pruneRuns(options: unknown): Promise<PrunedRuns> {
    this.checkOpen();
    return pruneRuns(this.parts, checkPrune(options, 'pruneRuns'));
  }

  async persistState(options: PersistOptions): Promise<PersistedState> {
    this.checkOpen();
    return persistState(this.parts, options);
  }

  async allocateResources(task: unknown, options: unknown): Promise<Grant> {
    this.checkOpen();
    return allocateForTask(this.parts, task, options);
  }

  async recoverState(): Promise<RecoveredState> {
    this.checkOpen();
    return recoverRuns(this.parts);
  }

  /** @throws OrchestratorError `SELF_WAIT` from inside a handler, which it would wait for */
  close(options: unknown): Promise<void> {
    const own = runOfCaller();
    if (own !== undefined && !own.isFinished && own.lost === undefined && this.#knows(own)) {
      return Promise.reject(
        new OrchestratorError(
          'SELF_WAIT',
          `a handler of run ${own.runId} closes the orchestrator that runs it, which would wait for the handler. Close it outside of handlers.`,
        ),
      );
    }
    if (this.#closing !== undefined) return this.#closing;
    try {
      this.#closing = shutDown(this.parts, checkGrace(options));
      this.observers.close();
    } catch (refused) {
      return Promise.reject(refused);
    }
    return this.#closing;
  }

  /** Whether a run is one of this orchestrator, and not of another one in the same process. */
  #knows(run: LiveRun): boolean {
    return this.parts.directory.find(run.runId) === run;
  }
}
