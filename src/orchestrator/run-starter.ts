/**
 * Brings runs into being: checks and registers what is to be run, gives it an id, submits its start.
 *
 * Owns: the starts under a key that are under way. Who may call it: the facade.
 *
 * RS1  What is refused has started nothing, registered nothing and changed no limit.
 * RS2  Under one key one run is started, also by callers at the same moment; the signal of each of them cancels it.
 *      Who asks for another workflow or another input is refused, and that run is untouched.
 */
import type { RunCommand } from '../machine/commands.ts';
import { findTombstone } from '../managers/persistence/tombstones.ts';
import { LiveRun } from '../managers/workflows/live-run.ts';
import type { WorkflowVersion } from '../managers/workflows/version-list.ts';
import { unmovable } from '../model/check-transfers.ts';
import { OrchestratorError } from '../model/errors.ts';
import type { TaskPath } from '../model/path.ts';
import type { AnyTask } from '../model/task.ts';
import { type AnyWorkflow, Workflow } from '../model/workflow.ts';
import type { Composition } from './compose.ts';
import { followSignal } from './follow-signal.ts';
import { moveRun } from './move-run.ts';
import { asWorkflow } from './options.ts';
import { forkRun } from './persist-state.ts';
import { findRun, headOf } from './recover-runs.ts';
import { completeTask } from './report-outcome.ts';
import { rerunRun } from './rerun-run.ts';
import { type HandleServices, Run } from './run-handle.ts';
import { refuseOther, refusePruned } from './run-key.ts';
import { asError, type CheckedStart, checkInput, checkStart } from './start-run.ts';
import { TaskMonitor } from './task-monitor.ts';

export class RunStarter {
  readonly #parts: Composition;
  readonly #checkOpen: () => void;
  readonly #services: HandleServices;
  readonly #workflowOf = new WeakMap<AnyTask, AnyWorkflow>();
  readonly #starting = new Map<string, Promise<LiveRun>>();

  /** @param checkOpen - throws when nothing may be started any more */
  constructor(parts: Composition, checkOpen: () => void) {
    this.#parts = parts;
    this.#checkOpen = checkOpen;
    this.#services = {
      outputs: parts.outputs,
      persistence: parts.persistence,
      submit: (run, command) => this.#submit(run, command),
      scheduler: parts.scheduler,
      clock: parts.clock,
      undurable: (run) => parts.loop.undurable(run),
      release: (run) => parts.directory.release(run),
      fork: (run, options) => forkRun(parts, run, options),
      rerun: (run, from, options) => rerunRun(parts, run, from, options),
      move: (run, version, options) => moveRun(parts, run, version, options),
      complete: (run, path, output) => completeTask(parts, run, path, output),
    };
  }

  /** Starts a run of a workflow, registered on the way, or finds the one that was started under the same key. */
  async start<Outputs>(workflow: unknown, options: unknown): Promise<Run<Outputs>> {
    this.#checkOpen();
    const start = checkStart(options, 'manageWorkflow');
    const version = this.#parts.workflows.forRun(asWorkflow(workflow));
    // Awaited only where there is something to wait for: a store in memory keeps the whole start synchronous.
    const numbered = this.#parts.definitions?.whenDurable();
    if (numbered !== undefined) await numbered;
    const checked = checkInput(version.workflow, start.input);
    const input = checked instanceof Promise ? await checked : checked;
    // Meanwhile the workflow may have been deleted.
    if (numbered !== undefined || checked instanceof Promise)
      this.#parts.workflows.get(version.plan.workflowId, version.version);
    const run =
      start.key === undefined
        ? await this.#start(version, start, input)
        : await this.#startOnce(version, start, input, start.key);
    return this.handleOf<Outputs>(run);
  }

  /** The live view of a task. @throws OrchestratorError `RUN_NOT_FOUND`, `TASK_NOT_FOUND` */
  monitor(runId: string, path: TaskPath): TaskMonitor {
    return new TaskMonitor(this.#parts.directory.get(runId), path, this.#services);
  }

  /** The handle of a run. */
  handleOf<Outputs = Readonly<Record<string, unknown>>>(run: LiveRun): Run<Outputs> {
    return new Run<Outputs>(run, this.#services);
  }

  /** The workflow of one task and what it depends on; the same one each time. */
  workflowOf(task: AnyTask): AnyWorkflow {
    let workflow = this.#workflowOf.get(task);
    if (workflow === undefined) {
      workflow = new Workflow(task.taskId, { tasks: [task] });
      this.#workflowOf.set(task, workflow);
    }
    return workflow;
  }

  /** Registers a workflow, after checking that all it needs is there. */
  register(workflow: AnyWorkflow): WorkflowVersion {
    return this.#parts.workflows.register(workflow);
  }

  /** Gives a command to a run; resolves when it is carried out and durable. */
  #submit(run: LiveRun, command: RunCommand): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#parts.loop.submit(run, command, (refused) => {
        if (refused === undefined) resolve();
        else reject(asError(refused));
      });
    });
  }

  #start({ plan, version }: WorkflowVersion, start: CheckedStart, input: unknown): Promise<LiveRun> {
    const { directory, scheduler, loop, idSource, needs, persistence, workflows } = this.#parts;
    this.#checkOpen();
    const bound = scheduler.bind(plan);
    needs.refuseUnschedulable(bound);
    if (plan.transfers && persistence.keepsValues) throw unmovable(plan);
    const runId = idSource.nextRunId();
    if (directory.find(runId) !== undefined)
      throw new OrchestratorError(
        'ID_DUPLICATE',
        `the idSource gave ${JSON.stringify(runId)}, which a known run has; allowed: a fresh id each time`,
      );
    const run = new LiveRun({
      runId,
      plan,
      planOf: workflows.planOf,
      bound,
      submission: directory.nextSubmission(),
      attributes: start.attributes,
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
      ...(start.attributes === undefined ? undefined : { attributes: start.attributes }),
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
    this.handleOf(run)
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
    if (earlier !== undefined) return this.#join(await earlier, version, start, input);
    // A run that ends a key must not be removed while it is looked for.
    const starting = this.#parts.persistence.gate.read(() => this.#findOrStart(version, start, input, key));
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
    const { persistence } = this.#parts;
    const asked = { workflowId: version.plan.workflowId, input, key };
    let runId = await persistence.findKey(key);
    if (runId === undefined) {
      refusePruned(asked, await findTombstone(persistence, key));
      try {
        return await this.#start(version, start, input);
      } catch (error) {
        // Somebody else may have come first, or it was written after all.
        runId = await persistence.findKey(key).catch(() => undefined);
        if (runId === undefined) throw error;
      }
    }
    await this.#parts.directory.find(runId)?.whenRead;
    // Told by the log, since its workflow need not be registered here.
    const here = this.#parts.directory.find(runId);
    // One that was given up on here is read again: the store may be mended.
    const known = here?.lost === undefined ? here : undefined;
    if (known === undefined) refuseOther(asked, runId, await headOf(this.#parts, runId));
    return this.#join(known ?? (await findRun(this.#parts, runId)), version, start, input);
  }

  /** Gives a run that was started before, if it is the one that is asked for. */
  #join(
    run: LiveRun,
    { plan }: WorkflowVersion,
    { key = '', signal }: CheckedStart,
    input: unknown,
  ): LiveRun {
    const { workflowId } = run.plan;
    refuseOther({ workflowId: plan.workflowId, input, key }, run.runId, {
      workflowId,
      input: run.state.input,
    });
    return this.#follow(run, signal);
  }

  /** Whoever is given a run that was started before can cancel it by its signal too. */
  #follow(run: LiveRun, signal: AbortSignal | undefined): LiveRun {
    if (signal === undefined) return run;
    const cancel = (): void => this.#cancelBySignal(run, signal);
    followSignal(run, signal, cancel);
    if (signal.aborted) cancel();
    return run;
  }
}
