import { describeValue } from '../base/values.ts';
import type { RunCommand } from '../machine/commands.ts';
import type { ConcurrencyController } from '../managers/concurrency/concurrency-controller.ts';
import type { EventMap, Listener } from '../managers/monitoring/event-hub.ts';
import type { ResourceManager } from '../managers/resources/resource-manager.ts';
import type { SchedulingPolicy } from '../managers/scheduling/policy.ts';
import { LiveRun, runOfCaller } from '../managers/workflows/live-run.ts';
import type { WorkflowVersion } from '../managers/workflows/workflow-registry.ts';
import { checkFunction } from '../model/checks.ts';
import { compile } from '../model/compile.ts';
import { OrchestratorError, refuse } from '../model/errors.ts';
import { type AnyTask, isTask, type Task } from '../model/task.ts';
import { type AnyWorkflow, Workflow, type WorkflowData } from '../model/workflow.ts';
import type { Monitor } from '../ports/monitor.ts';
import { type Composition, compose } from './compose.ts';
import { followSignal } from './follow-signal.ts';
import { asWorkflow, checkOptions, checkPolicy, type OrchestratorOptions } from './options.ts';
import { findRun, recoverRuns } from './recover-runs.ts';
import { type HandleServices, Run } from './run-handle.ts';
import { type CloseOptions, checkGrace, shutDown } from './shut-down.ts';
import {
  asError,
  type CheckedStart,
  checkInput,
  checkStart,
  type StartArguments,
  type StartSettings,
} from './start-run.ts';

/** The output of a run of one task. */
type SingleOutput<Of> = Of extends Task<infer Id, infer Out, never> ? { readonly [Key in Id]: Out } : never;

/** What `open` has composed: nobody else can construct an orchestrator. */
const opened = new WeakSet<Composition>();

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
  readonly #parts: Composition;
  readonly #services: HandleServices;
  readonly #workflowOf = new WeakMap<AnyTask, AnyWorkflow>();
  readonly #starting = new Map<string, Promise<LiveRun>>();
  #closing: Promise<void> | undefined;

  /** Use `Orchestrator.open`. */
  private constructor(parts: Composition) {
    if (!opened.delete(parts))
      throw refuse('OPTION_INVALID', {
        at: 'new Orchestrator',
        found: 'a call of the constructor',
        allowed: 'await Orchestrator.open(options)',
      });
    this.#parts = parts;
    this.#services = {
      persistence: parts.persistence,
      submit: (run, command) => this.#submit(run, command),
      undurable: (run) => parts.loop.undurable(run),
      release: (run) => parts.directory.release(run),
    };
  }

  /**
   * Opens an orchestrator: claims the store, and goes on with the unfinished runs that are in it.
   *
   * @throws OrchestratorError `OPTION_UNKNOWN`, `OPTION_INVALID`, `STORE_OWNED` …
   */
  static async open(options: OrchestratorOptions = {}): Promise<Orchestrator> {
    const checked = checkOptions(options);
    const parts = await compose(checked);
    opened.add(parts);
    const orchestrator = new Orchestrator(parts);
    try {
      for (const workflow of checked.workflows) orchestrator.#register(workflow);
      await recoverRuns(parts);
      return orchestrator;
    } catch (error) {
      await orchestrator.close({ grace: 0 });
      throw error;
    }
  }

  /** Resources: usage, capacity, grants for code that is not a task. */
  get resources(): ResourceManager {
    return this.#parts.resources;
  }

  /** Locks for code that is not a task, and the limit of tasks at once. */
  get concurrency(): ConcurrencyController {
    return this.#parts.concurrency;
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
    this.#checkOpen();
    const start = checkStart(options, 'manageWorkflow');
    const version = this.#register(asWorkflow(workflow));
    const checked = checkInput(version.workflow, start.input);
    const input = checked instanceof Promise ? await checked : checked;
    const run =
      start.key === undefined
        ? await this.#start(version, start, input)
        : await this.#startOnce(version, start, input, start.key);
    return new Run<Outputs>(run, this.#services);
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
    let workflow = this.#workflowOf.get(task);
    if (workflow === undefined) {
      workflow = new Workflow(task.taskId, { tasks: [task] });
      this.#workflowOf.set(task, workflow);
    }
    return this.manageWorkflow(workflow as Workflow<unknown, SingleOutput<Of>>, options);
  }

  /**
   * A run that this process knows.
   * @throws OrchestratorError `RUN_NOT_FOUND`
   */
  getRun(runId: string): Run {
    return new Run(this.#parts.directory.get(runId), this.#services);
  }

  /** All runs that this process knows, in the order of their start. */
  runs(): readonly Run[] {
    return [...this.#parts.directory.all()].map((run) => new Run(run, this.#services));
  }

  /**
   * Cancels a run by id.
   * @returns `false` when it has ended or is not known
   */
  async cancelRun(runId: string, reason?: unknown): Promise<boolean> {
    const run = this.#parts.directory.find(runId);
    return run === undefined ? false : new Run(run, this.#services).cancel(reason);
  }

  /** Starts no task of any run until `resume`; what runs goes on. */
  pause(): void {
    this.#parts.scheduler.pause();
  }

  /** Starts tasks again, in their order; a closing orchestrator starts none. */
  resume(): void {
    if (this.#closing === undefined) this.#parts.scheduler.resume();
  }

  /**
   * Orders what waits, and whatever comes, by another policy.
   * @throws OrchestratorError `OPTION_INVALID`
   */
  prioritizeTasks(policy: SchedulingPolicy = 'priority'): void {
    const { scheduler, loop } = this.#parts;
    const tickets = scheduler.setPolicy(checkPolicy(policy, 'prioritizeTasks'));
    for (const ticket of tickets) (ticket.run as LiveRun).setTicket(ticket.scope, ticket.index, ticket);
    loop.wake();
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

  /**
   * Ends everything: starts nothing new, lets running handlers end within `grace`, then tells them to stop.
   * Runs that have not ended stay in a durable store as they are, and go on when it is opened again; here,
   * waiting for them rejects with `ORCHESTRATOR_CLOSED`. Closing again gives the same promise.
   *
   * @throws OrchestratorError `SELF_WAIT` from inside a handler, which it would wait for
   */
  close(options: CloseOptions = {}): Promise<void> {
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
      this.#closing = shutDown(this.#parts, checkGrace(options));
    } catch (refused) {
      return Promise.reject(refused);
    }
    return this.#closing;
  }

  /** Closes it, at the end of `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Whether a run is one of this orchestrator, and not of another one in the same process. */
  #knows(run: LiveRun): boolean {
    return this.#parts.directory.find(run.runId) === run;
  }

  #checkOpen(): void {
    if (this.#closing !== undefined)
      throw new OrchestratorError(
        'ORCHESTRATOR_CLOSED',
        'this orchestrator is closing or closed; nothing new can be started. Open another one.',
      );
  }

  /** Registers a workflow, after checking that all it needs is there. */
  #register(workflow: AnyWorkflow): WorkflowVersion {
    // Checked as a whole first: what is refused is no version, and changes no limit.
    const plan = compile(workflow);
    this.#parts.handlers.check(plan);
    this.#parts.scheduler.bind(plan);
    return this.#parts.registry.register(workflow);
  }

  #start({ plan, version }: WorkflowVersion, start: CheckedStart, input: unknown): Promise<LiveRun> {
    const { directory, scheduler, loop, idSource } = this.#parts;
    this.#checkOpen();
    const runId = idSource.nextRunId();
    if (directory.find(runId) !== undefined)
      throw new OrchestratorError(
        'ID_DUPLICATE',
        `the idSource gave ${JSON.stringify(runId)}, which a known run has; allowed: a fresh id each time`,
      );
    const run = new LiveRun({
      runId,
      plan,
      bound: scheduler.bind(plan),
      submission: directory.nextSubmission(),
    });
    const cancel = (): void => this.#cancelBySignal(run, start.signal);
    const letGo = start.signal === undefined ? undefined : followSignal(run, start.signal, cancel);
    directory.add(run);
    const command: RunCommand = {
      type: 'StartRun',
      at: 0,
      workflowVersion: version,
      input,
      priority: start.priority,
      ...(start.key === undefined ? undefined : { key: start.key }),
    };
    return new Promise((resolve, reject) => {
      loop.submit(run, command, (refused) => {
        if (refused === undefined) resolve(run);
        else {
          letGo?.();
          directory.release(run);
          reject(asError(refused));
        }
      });
      if (start.signal?.aborted) cancel();
    });
  }

  #cancelBySignal(run: LiveRun, signal: AbortSignal | undefined): void {
    new Run(run, this.#services)
      .cancel(signal?.reason)
      .catch((error: unknown) =>
        this.#parts.logger.error({ runId: run.runId, error }, 'a run could not be cancelled'),
      );
  }

  /** Starts a run under a key, or finds the one that was. */
  async #startOnce(
    version: WorkflowVersion,
    start: CheckedStart,
    input: unknown,
    key: string,
  ): Promise<LiveRun> {
    const earlier = this.#starting.get(key);
    if (earlier !== undefined) return earlier;
    const starting = this.#findOrStart(version, start, input, key);
    this.#starting.set(key, starting);
    try {
      return await starting;
    } finally {
      this.#starting.delete(key);
    }
  }

  async #findOrStart(
    version: WorkflowVersion,
    start: CheckedStart,
    input: unknown,
    key: string,
  ): Promise<LiveRun> {
    const runId = await this.#parts.persistence.findKey(key);
    return runId === undefined ? this.#start(version, start, input) : findRun(this.#parts, runId);
  }

  #submit(run: LiveRun, command: RunCommand): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#parts.loop.submit(run, command, (refused) => {
        if (refused === undefined) resolve();
        else reject(asError(refused));
      });
    });
  }
}
