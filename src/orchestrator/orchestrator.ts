import { describeValue } from '../base/values.ts';
import type { ConcurrencyController } from '../managers/concurrency/concurrency-controller.ts';
import type { ErrorHandler } from '../managers/monitoring/error-handler.ts';
import type { Recovery } from '../managers/monitoring/error-record.ts';
import type { EventMap, Listener } from '../managers/monitoring/event-hub.ts';
import type { MonitoringService } from '../managers/monitoring/monitoring-service.ts';
import type { PersistenceManager } from '../managers/persistence/persistence-manager.ts';
import type { Grant } from '../managers/resources/claims.ts';
import type { ResourceManager, WaitOptions } from '../managers/resources/resource-manager.ts';
import type { SchedulingPolicy } from '../managers/scheduling/policy.ts';
import type { TaskScheduler } from '../managers/scheduling/task-scheduler.ts';
import type { WorkflowManager } from '../managers/workflows/workflow-manager.ts';
import { checkFunction } from '../model/checks.ts';
import { refuse } from '../model/errors.ts';
import type { Handler } from '../model/handler.ts';
import type { TaskPath } from '../model/path.ts';
import { type AnyTask, isTask, type Task } from '../model/task.ts';
import type { WorkerHandler } from '../model/worker-handlers.ts';
import type { Workflow } from '../model/workflow.ts';
import type { WorkflowData } from '../model/workflow-data.ts';
import type { Monitor } from '../ports/monitor.ts';
import type { Engine } from './engine.ts';
import type { ListRunsOptions, RunInfo } from './list-runs.ts';
import type { OrchestratorOptions } from './options.ts';
import type { PersistedState, PersistOptions } from './persist-state.ts';
import type { PruneOptions } from './prune-options.ts';
import type { PrunedRuns } from './prune-runs.ts';
import type { RecoveredState } from './recover-runs.ts';
import type { Run } from './run-handle.ts';
import type { CloseOptions } from './shut-down.ts';
import type { StartArguments, StartSettings } from './start-run.ts';
import type { TaskMonitor } from './task-monitor.ts';

/** The output of a run of one task. */
type SingleOutput<Of> = Of extends Task<infer Id, infer Out, never> ? { readonly [Key in Id]: Out } : never;

/** What `open` has composed: nobody else can construct an orchestrator. */
const opened = new WeakSet<Engine>();
/** The rest of the orchestrator; the loader is asked once. */
let loaded: typeof import('./engine.ts') | undefined;

/**
 * Runs workflows inside this process.
 *
 * @example
 * const orchestrator = await Orchestrator.open({ resources: { cpu: 4 } });
 * const run = await orchestrator.manageWorkflow(report, { input: { topic: 'tides' } });
 * const { outputs } = await run.result();
 * await orchestrator.close();
 */
export class Orchestrator {
  readonly #engine: Engine;

  /** Use `Orchestrator.open`. */
  private constructor(engine: Engine) {
    if (!opened.delete(engine))
      throw refuse('OPTION_INVALID', {
        at: 'new Orchestrator',
        found: 'a call of the constructor',
        allowed: 'await Orchestrator.open(options)',
      });
    this.#engine = engine;
  }

  /**
   * Opens an orchestrator: claims the store, and goes on with the unfinished runs that are in it.
   *
   * @throws OrchestratorError `OPTION_UNKNOWN`, `OPTION_INVALID`, `STORE_OWNED` …
   */
  static async open(options: OrchestratorOptions = {}): Promise<Orchestrator> {
    // Loaded when the first one is opened: who only defines workflows need not wait for it.
    loaded ??= await import('./engine.ts');
    const engine = await loaded.openEngine(options);
    opened.add(engine);
    const orchestrator = new Orchestrator(engine);
    try {
      await engine.begin();
      return orchestrator;
    } catch (error) {
      await orchestrator.close({ grace: 0 });
      throw error;
    }
  }

  /** Workflows with their versions. */
  get workflows(): WorkflowManager {
    return this.#parts.workflows;
  }

  /** Resources: usage, capacity, grants for code that is not a task. */
  get resources(): ResourceManager {
    return this.#parts.resources;
  }

  /** The queue of tasks: what waits and why, pauses, priorities, drains, tasks of the host's own. */
  get scheduler(): TaskScheduler {
    return this.#parts.scheduler;
  }

  /** Locks for code that is not a task, and the limit of tasks at once. */
  get concurrency(): ConcurrencyController {
    return this.#parts.concurrency;
  }

  /** States of runs: read at any point, kept as checkpoints, given back as forks. */
  get persistence(): PersistenceManager {
    return this.#parts.persistence;
  }

  /**
   * Waits until everything that was decided so far is durable, and keeps a checkpoint of each run that goes on.
   * @throws OrchestratorError `WAIT_ABORTED`, `ORCHESTRATOR_CLOSED`; what fails for one run is in `failed`
   */
  async persistState(options: PersistOptions = {}): Promise<PersistedState> {
    return this.#engine.persistState(options);
  }

  /**
   * Goes on with the unfinished runs of the store that are not live here, as `open` does: those whose workflow was
   * registered since, or that were given up on. Doing it again changes nothing.
   * @throws OrchestratorError `ORCHESTRATOR_CLOSED`, and what the store throws
   */
  async recoverState(): Promise<RecoveredState> {
    return this.#engine.recoverState();
  }

  /**
   * Makes more handlers known by their names, and goes on with the runs of the store that were left for want of them.
   *
   * @param handlers - as `handlers` of `open`
   * @returns as `recoverState`
   * @throws OrchestratorError `OPTION_CONFLICT` for a name that is known already, and no other one is registered then;
   *   `OPTION_INVALID`, `HANDLER_LOAD_FAILED`, and as `recoverState`
   */
  async registerHandlers(
    handlers: Readonly<Record<string, Handler<never, never> | WorkerHandler>>,
  ): Promise<RecoveredState> {
    return this.#engine.registerHandlers(handlers);
  }

  /**
   * Starts a run of a workflow, after registering the workflow if it is new or has changed.
   *
   * @param workflow - made by `defineWorkflow`, or plain data
   * @returns the run, once its start is durable
   * @throws OrchestratorError `DEPENDENCY_UNKNOWN`, `DEPENDENCY_CYCLE`, `INPUT_INVALID`, `HANDLER_UNKNOWN`,
   *   `RESOURCE_UNKNOWN`, `RESOURCE_UNSCHEDULABLE`, `ORCHESTRATOR_CLOSED` …; nothing has started then
   */
  async manageWorkflow<In = unknown, Outputs = Readonly<Record<string, unknown>>>(
    workflow: Workflow<In, Outputs> | WorkflowData,
    ...[options]: StartArguments<In>
  ): Promise<Run<Outputs>> {
    return this.#engine.starter.start<Outputs>(workflow, options);
  }

  /**
   * Runs one task, and what it depends on, as a run of its own.
   *
   * @param task - made by `task` or `taskFor`
   * @throws OrchestratorError as `manageWorkflow`
   */
  async scheduleTask<const Of extends AnyTask>(
    task: Of,
    options: StartSettings & { readonly input?: unknown } = {},
  ): Promise<Run<SingleOutput<Of>>> {
    if (!isTask(task))
      throw refuse('DEFINITION_INVALID', {
        at: 'scheduleTask',
        found: describeValue(task),
        allowed: 'a task made by task(…)',
      });
    const { starter } = this.#engine;
    return starter.start<SingleOutput<Of>>(starter.workflowOf(task), options);
  }

  /**
   * A run that this process knows.
   * @throws OrchestratorError `RUN_NOT_FOUND`
   */
  getRun(runId: string): Run {
    return this.#engine.starter.handleOf(this.#parts.directory.get(runId));
  }

  /**
   * The live view of one task: status, reason, attempts, events; and commands on it.
   * @throws OrchestratorError `RUN_NOT_FOUND`, `TASK_NOT_FOUND`
   */
  monitorTask(runId: string, path: TaskPath): TaskMonitor {
    return this.#engine.starter.monitor(runId, path);
  }

  /**
   * Runs of the store, known here or not, ended or not, in the order in which they came into the store; a page at a
   * time. What is not durable yet is not in it.
   * @throws OrchestratorError `OPTION_INVALID`, `OPTION_UNKNOWN`, `ID_INVALID`, `LIMIT_EXCEEDED`, `PAGE_LOST`, and what the
   *   store throws
   */
  async listRuns(options: ListRunsOptions = {}): Promise<readonly RunInfo[]> {
    return this.#engine.listRuns(options);
  }

  /**
   * Removes ended runs from the store, with their checkpoints and large outputs. Kept are runs that go on, runs of which
   * somebody asked for a checkpoint, and runs that this process knows (`retainRuns`). Of a run that was started under a key so
   * much is left that the key starts no other one.
   *
   * @param options - at least one of `olderThan` and `keepLast`
   * @returns how many were removed, and why others were kept
   * @throws OrchestratorError `OPTION_INVALID`, `OPTION_UNKNOWN`, `ID_INVALID`, `WAIT_ABORTED`, `QUEUE_FULL` (1,000 calls wait for
   *   one another), and what the store throws
   */
  async pruneRuns(options: PruneOptions): Promise<PrunedRuns> {
    return this.#engine.pruneRuns(options);
  }

  /** All runs that this process knows, in the order of their start. */
  runs(): readonly Run[] {
    return [...this.#parts.directory.all()].map((run) => this.#engine.starter.handleOf(run));
  }

  /**
   * Cancels a run by id.
   * @returns `false` when it has ended or is not known
   */
  async cancelRun(runId: string, reason?: unknown): Promise<boolean> {
    const run = this.#parts.directory.find(runId);
    return run === undefined ? false : this.#engine.starter.handleOf(run).cancel(reason);
  }

  /** Starts no task of any run until `resume`; what runs goes on. */
  pause(): void {
    this.#parts.scheduler.pause();
  }

  /** Starts tasks again, in their order; a closing orchestrator starts none. */
  resume(): void {
    if (!this.#engine.isClosing) this.#parts.scheduler.resume();
  }

  /**
   * Orders what waits, and whatever comes, by another policy.
   * @throws OrchestratorError `OPTION_INVALID`
   */
  prioritizeTasks(policy: SchedulingPolicy = 'priority'): void {
    this.#parts.scheduler.prioritizeTasks(policy);
  }

  /**
   * Calls a listener for each event of a type, of all runs, once it is durable. A listener that throws is
   * reported as `ListenerFailed` and changes nothing.
   *
   * @returns how to stop
   */
  on<const Type extends keyof EventMap>(type: Type, listener: Listener<Type>): () => void {
    checkFunction(listener, 'on', 'a function of the event');
    this.#parts.hub.on(type, listener);
    return () => this.#parts.hub.off(type, listener);
  }

  /** Stops calling a listener. */
  off<const Type extends keyof EventMap>(type: Type, listener: Listener<Type>): void {
    this.#parts.hub.off(type, listener);
  }

  /** Tells a monitor of every event of every run; returns how to stop. */
  observe(monitor: Monitor): () => void {
    this.#parts.hub.watch(monitor);
    return () => this.#parts.hub.unwatch(monitor);
  }

  /** Metrics, alerts, the model of a dashboard: since `open({ monitoring })`, else since this was first asked for. */
  get monitoring(): MonitoringService {
    return this.#engine.observers.monitoring;
  }

  /** What went wrong, and what was done about it: since `open({ errors })` or `open({ logger })`, else since this was first asked for. */
  get errors(): ErrorHandler {
    return this.#engine.observers.errors;
  }

  /**
   * Reports from outside that the current attempt of a task has failed, as if its handler had thrown.
   * @throws OrchestratorError as `ErrorHandler.handleTaskError`
   */
  async handleTaskError(runId: string, path: TaskPath, error: unknown): Promise<Recovery> {
    return this.#engine.observers.handleTaskError(runId, path, error);
  }

  /**
   * Takes everything that a task needs (resources, locks, a slot of its agent, a place under the limit), all at once.
   * @returns the grant, with the fencing token of the locks; it is given back exactly once
   * @throws OrchestratorError as `ResourceManager.allocateResource`
   */
  async allocateResources(task: AnyTask, options: WaitOptions = {}): Promise<Grant> {
    return this.#engine.allocateResources(task, options);
  }

  /**
   * Ends everything: starts nothing new, lets running handlers end within `grace`, then tells them to stop.
   * Runs that have not ended stay in a durable store as they are, and go on when it is opened again; here,
   * waiting for them rejects with `ORCHESTRATOR_CLOSED`. Closing again gives the same promise.
   *
   * @throws OrchestratorError `SELF_WAIT` from inside a handler, which it would wait for
   */
  close(options: CloseOptions = {}): Promise<void> {
    return this.#engine.close(options);
  }

  /** Closes it, at the end of `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  get #parts(): Engine['parts'] {
    return this.#engine.parts;
  }
}
