import type { RunCommand } from '../machine/commands.ts';
import type { RunAttributes, RunEvent } from '../machine/events.ts';
import type { PersistenceManager } from '../managers/persistence/persistence-manager.ts';
import type { LargeOutputs } from '../managers/workflows/large-outputs.ts';
import { type LiveRun, runOfCaller } from '../managers/workflows/live-run.ts';
import type { MoveOptions, RunMove } from '../managers/workflows/run-move.ts';
import { checkNumber } from '../model/checks.ts';
import { OrchestratorError } from '../model/errors.ts';
import { describeFailure } from '../model/failure.ts';
import type { TaskPath } from '../model/path.ts';
import type { RunStatus } from '../model/status.ts';
import { PRIORITY_MAX } from '../model/task-options.ts';
import { durableStatus, undurableByPath } from './durable-view.ts';
import { type ExplainServices, explainTask } from './explain-task.ts';
import type { Explanation } from './explanation.ts';
import type { ForkOptions } from './persist-state.ts';
import type { RerunOptions } from './rerun-run.ts';
import { checkEvents, type EventsOptions, readEvents } from './run-events.ts';
import { outcomeOf, type RunResult, resultOf, type SettledRun } from './run-outcome.ts';
import { findTask, type TaskView, viewOf } from './task-view.ts';

/** What a handle needs of the orchestrator. */
export interface HandleServices extends ExplainServices {
  readonly persistence: PersistenceManager;
  readonly outputs: LargeOutputs;
  submit(run: LiveRun, command: RunCommand): Promise<void>;
  release(run: LiveRun): void;
  fork(run: LiveRun, options: ForkOptions): Promise<LiveRun>;
  rerun(run: LiveRun, from: { readonly path: TaskPath } | undefined, options: RerunOptions): Promise<LiveRun>;
  move(run: LiveRun, version: number, options: MoveOptions): Promise<RunMove>;
  /** Completes the current attempt of a task from outside. */
  complete(run: LiveRun, path: TaskPath, output: unknown): Promise<void>;
}

const NO_ATTRIBUTES: RunAttributes = Object.freeze({});

/** One run, for whoever started or found it. */
export class Run<Outputs = Readonly<Record<string, unknown>>> {
  readonly #run: LiveRun;
  readonly #services: HandleServices;

  /** @internal */
  constructor(run: LiveRun, services: HandleServices) {
    this.#run = run;
    this.#services = services;
  }

  /** Unique over processes and time. */
  get runId(): string {
    return this.#run.runId;
  }

  /** The id of its workflow. */
  get workflowId(): string {
    return this.#run.plan.workflowId;
  }

  /** The version of its workflow, from 1. */
  get workflowVersion(): number {
    return this.#run.state.workflowVersion;
  }

  /** What it can be found by, as it was started with. */
  get attributes(): RunAttributes {
    return this.#run.attributes ?? NO_ATTRIBUTES;
  }

  /** How it stands now, as far as it is durable. */
  get status(): RunStatus {
    return durableStatus(this.#run, this.#services.undurable(this.#run));
  }

  /**
   * Waits for the end of the run.
   *
   * @throws OrchestratorError `RUN_FAILED` (`details.failures`, `details.outputs`; the `cause` is what the first
   *   failed task threw), `RUN_CANCELLED` (the `cause` is the reason given), `SELF_WAIT`, `STORE_UNAVAILABLE`,
   *   `ORCHESTRATOR_CLOSED`, `RUN_RELEASED`, and as `settled`
   */
  result(): Promise<RunResult<Outputs>> {
    return new Promise((resolve, reject) => {
      this.#whenOver(reject, (settled) => {
        if (settled.error === undefined) resolve(resultOf(settled, this.#run.plan.listed));
        else reject(settled.error);
      });
    });
  }

  /**
   * Waits for the end of the run, however it ends.
   * @throws OrchestratorError `SELF_WAIT` from inside one of its own handlers; `RUN_RELEASED`; of a run with outputs that
   *   are kept beside the log `STORE_CORRUPT` when one is missing or damaged, `RUN_NOT_FOUND` when the run was removed, and
   *   what a store throws that fails again and again: then it can be asked once more
   */
  settled(): Promise<SettledRun<Outputs>> {
    return new Promise((resolve, reject) => this.#whenOver(reject, resolve));
  }

  #whenOver(reject: (error: unknown) => void, tell: (settled: SettledRun<Outputs>) => void): void {
    const run = this.#run;
    // A run that was only forgotten, as the oldest of many, can still be read by whoever holds it.
    if (run.isDiscarded)
      throw new OrchestratorError('RUN_RELEASED', `run ${run.runId} was released, so its outputs are gone`);
    if (!run.isOver && runOfCaller() === run) {
      throw new OrchestratorError(
        'SELF_WAIT',
        `a handler of run ${run.runId} waits for the end of that same run, which would never come. Wait outside of its handlers.`,
      );
    }
    run.onOver(() => {
      try {
        const large = run.lost === undefined ? this.#services.outputs.listed(run) : undefined;
        if (large instanceof Promise)
          large.then((loaded) => tell(outcomeOf<Outputs>(run, loaded))).catch(reject);
        else tell(outcomeOf<Outputs>(run, large));
      } catch (error) {
        reject(error);
      }
    });
  }

  /** The events of the run, from the first one on, until it ends. */
  events(options: EventsOptions = {}): AsyncGenerator<RunEvent, void, void> {
    return readEvents(this.#run, this.#services.persistence, checkEvents(options));
  }

  /**
   * Cancels the run: nothing new starts, running handlers are told to stop, and it ends as `cancelled`.
   *
   * @param reason - anything; it is the `cause` of what `result()` rejects with
   * @returns when that is durable; `false` when the run had ended before
   * @throws OrchestratorError what the run was given up for here: `ORCHESTRATOR_CLOSED`, `STORE_UNAVAILABLE`, `STORE_FENCED`;
   *   it goes on elsewhere, or when the store is opened again
   */
  async cancel(reason?: unknown): Promise<boolean> {
    const run = this.#run;
    if (run.isOver) return false;
    if (run.lost !== undefined) throw run.lost;
    run.cancelReason ??= reason;
    return this.#ask({
      type: 'CancelRun',
      at: 0,
      reason:
        reason === undefined
          ? { name: 'Cancelled', message: 'the run was cancelled' }
          : describeFailure(reason),
    });
  }

  /**
   * Cancels one task that has not ended. What depends on it is skipped, and the run ends as `failed`.
   * @returns `false` when the task or the run had ended before
   * @throws OrchestratorError `TASK_NOT_FOUND`
   */
  async cancelTask(path: TaskPath, reason?: unknown): Promise<boolean> {
    findTask(this.#run, path);
    const why =
      reason === undefined
        ? { name: 'Cancelled', message: `task ${JSON.stringify(path)} was cancelled` }
        : describeFailure(reason);
    return this.#ask({ type: 'CancelTask', at: 0, path, cause: 'task_cancelled', reason: why });
  }

  /** Starts no more tasks of this run; what runs goes on. `false` when it had ended before. */
  async pause(): Promise<boolean> {
    return this.#ask({ type: 'PauseRun', at: 0 });
  }

  /** Starts tasks again after `pause`. `false` when it had ended before. */
  async resume(): Promise<boolean> {
    return this.#ask({ type: 'ResumeRun', at: 0 });
  }

  /**
   * Changes the priority of a task that has not started; of one that runs or has ended nothing changes.
   * @param priority - from -1e9 to 1e9
   * @throws OrchestratorError `TASK_NOT_FOUND`, `OPTION_INVALID`
   */
  async setPriority(path: TaskPath, priority: number): Promise<void> {
    findTask(this.#run, path);
    await this.#ask({
      type: 'SetPriority',
      at: 0,
      path,
      priority: checkNumber(priority, 'setPriority', -PRIORITY_MAX, PRIORITY_MAX),
    });
  }

  /**
   * Why a task does not run: what it waits for, who holds that, and what would start it.
   * @throws OrchestratorError `TASK_NOT_FOUND`
   */
  explain(path: TaskPath): Explanation {
    return explainTask(this.#run, path, this.#services);
  }

  /** All tasks as they stand now, in the order of the definition. */
  tasks(): readonly TaskView[] {
    const { scheduler } = this.#services;
    const undurable = undurableByPath(this.#services.undurable(this.#run));
    const views: TaskView[] = [];
    for (const scope of this.#run.state.scopes) {
      // A scope whose opening is not durable is not there yet.
      if (undurable.get(scope.prefix)?.type === 'ScopeOpened') continue;
      for (let i = 0; i < scope.plan.size; i++) views.push(viewOf(this.#run, scope, i, undurable, scheduler));
    }
    return views;
  }

  /**
   * A new run, of the same plan, that goes on from an earlier state of this one; this one does not change. What was in
   * progress then runs again, under the same attempt number.
   *
   * @throws OrchestratorError `OPTION_INVALID`, `CHECKPOINT_NOT_FOUND`, `RUN_NOT_FOUND` (it was released),
   *   `INPUT_INVALID`
   */
  async fork(options: ForkOptions = {}): Promise<Run<Outputs>> {
    return new Run<Outputs>(await this.#services.fork(this.#run, options), this.#services);
  }

  /**
   * A new run, of the same version, that tries again what did not complete in this one, failed or cancelled; this one does
   * not change. Kept, with their outputs, are tasks that completed or that their own `when` skipped, if everything they
   * depend on is kept; all others are as if they had never started: their attempts and restarts count from 0.
   *
   * @returns when its beginning is durable
   * @throws OrchestratorError `TRANSITION_ILLEGAL` while this run goes on, and when it completed; `RUN_NOT_FOUND` (it was
   *   released), `INPUT_INVALID`, `OPTION_INVALID`, `OPTION_UNKNOWN`
   */
  async retry(options: RerunOptions = {}): Promise<Run<Outputs>> {
    return new Run<Outputs>(await this.#services.rerun(this.#run, undefined, options), this.#services);
  }

  /**
   * A new run, of the same version, that does a task of this one again, and everything that depends on it, directly or not;
   * what else did not complete is tried again too, failures that the workflow tolerates excepted. This run, which has to
   * have ended, does not change.
   *
   * @param path - a task of the workflow itself, not one of a child scope
   * @throws OrchestratorError `TASK_NOT_FOUND`; `TRANSITION_ILLEGAL` while this run goes on; and as `retry`
   */
  async rerunFrom(path: TaskPath, options: RerunOptions = {}): Promise<Run<Outputs>> {
    return new Run<Outputs>(await this.#services.rerun(this.#run, { path }, options), this.#services);
  }

  /**
   * Goes on with another version of its workflow, registered here, from where it stands: completed tasks that do the
   * same work in both, and depend on nothing that begins anew, keep their outputs; changed ones run again, new ones
   * join, removed ones are gone. It can be moved back the same way.
   *
   * @returns what begins anew, joins and is gone, once that is durable
   * @throws OrchestratorError `WORKFLOW_NOT_FOUND`; `RUN_MOVE_REFUSED` while a task that changes or is removed is in
   *   progress, or the run is ending; `RUN_FINISHED`, `TASK_NOT_FOUND`, `RESOURCE_UNSCHEDULABLE`, `OPTION_INVALID`
   */
  moveTo(version: number, options: MoveOptions = {}): Promise<RunMove> {
    return this.#services.move(this.#run, version, options);
  }

  /** Forgets an ended run: its log, its outputs. `false` when it has not ended, also when it was given up on here. */
  release(): boolean {
    if (!this.#run.isOver) return false;
    this.#run.isDiscarded = true;
    this.#services.release(this.#run);
    return true;
  }

  async #ask(command: RunCommand): Promise<boolean> {
    if (this.#run.isOver) return false;
    try {
      await this.#services.submit(this.#run, command);
      return true;
    } catch (error) {
      if (OrchestratorError.is(error, 'RUN_FINISHED') || OrchestratorError.is(error, 'TRANSITION_ILLEGAL'))
        return false;
      throw error;
    }
  }
}
