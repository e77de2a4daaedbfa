import { describeValue } from '../base/values.ts';
import type { RunCommand } from '../machine/commands.ts';
import type { RunEvent } from '../machine/events.ts';
import type { LiveRun } from '../managers/workflows/live-run.ts';
import { checkNumber } from '../model/checks.ts';
import { OrchestratorError } from '../model/errors.ts';
import { describeFailure } from '../model/failure.ts';
import type { TaskPath } from '../model/path.ts';
import { isTaskFinished, type TaskStatus, type WaitReason } from '../model/status.ts';
import { PRIORITY_MAX } from '../model/task-options.ts';
import { undurableByPath } from './durable-view.ts';
import { explainTask } from './explain-task.ts';
import type { Explanation } from './explanation.ts';
import { checkEvents, type EventsOptions, readEvents } from './run-events.ts';
import type { HandleServices } from './run-handle.ts';
import { findTask, type TaskPlace, type TaskView, viewOf } from './task-view.ts';

/** One task of a run, watched while it goes on; each question is answered as of now, as far as it is durable. */
export class TaskMonitor {
  readonly runId: string;
  readonly path: TaskPath;
  readonly #run: LiveRun;
  readonly #services: HandleServices;

  /**
   * @internal
   * @throws OrchestratorError `TASK_NOT_FOUND`
   */
  constructor(run: LiveRun, path: TaskPath, services: HandleServices) {
    this.runId = run.runId;
    this.path = path;
    this.#run = run;
    this.#services = services;
    this.#place();
  }

  /** Its id, the last part of its path. */
  get taskId(): string {
    return this.#view().taskId;
  }

  /** How it stands now. */
  get status(): TaskStatus {
    return this.#view().status;
  }

  /** Why it does not run, when it waits; `explain()` tells more. */
  get reason(): WaitReason | undefined {
    return this.#view().reason;
  }

  /** How many attempts have been started. */
  get attempts(): number {
    return this.#view().attempt;
  }

  /** Why it does not run, and what would start it. */
  explain(): Explanation {
    return explainTask(this.#run, this.path, this.#services);
  }

  /**
   * The events of this task, from its first one on, until it ends; those of tasks in its child scopes are not among
   * them. They have the `seq` of the run.
   *
   * @throws OrchestratorError `OPTION_INVALID`, `OPTION_UNKNOWN`; while reading `RUN_RELEASED`
   */
  events(options: EventsOptions = {}): AsyncGenerator<RunEvent, void, void> {
    return this.#read(checkEvents(options));
  }

  /**
   * Changes its priority, which is an event in the log of the run.
   *
   * @param priority - -1e9 to 1e9
   * @throws OrchestratorError `TRANSITION_ILLEGAL` when it has started or ended, `OPTION_INVALID`
   */
  async updatePriority(priority: number): Promise<void> {
    checkNumber(priority, 'updatePriority', -PRIORITY_MAX, PRIORITY_MAX);
    const { status } = this.#view();
    if (status === 'in_progress' || isTaskFinished(status)) throw this.#illegal('have its priority changed');
    const command = { type: 'SetPriority', at: 0, path: this.path, priority } as const;
    await this.#command(command, 'have its priority changed');
  }

  /**
   * Asks for another status, judged by the table of transitions: from outside a task can be cancelled, and nothing else.
   *
   * @param reason - anything; why it was cancelled
   * @returns when that is durable; a task in progress is told to stop, and is `cancelled` once it has
   * @throws OrchestratorError `TRANSITION_ILLEGAL`
   */
  async updateStatus(status: TaskStatus, reason?: unknown): Promise<void> {
    if (status !== 'cancelled') {
      throw this.#illegal(
        `become ${describeValue(status)} from outside: only its handler completes it. Allowed: "cancelled"; handleTaskError reports a failure`,
      );
    }
    const message = `task ${JSON.stringify(this.path)} was cancelled`;
    const why = reason === undefined ? { name: 'Cancelled', message } : describeFailure(reason);
    const command = {
      type: 'CancelTask',
      at: 0,
      path: this.path,
      cause: 'task_cancelled',
      reason: why,
    } as const;
    await this.#command(command, 'be cancelled');
  }

  /**
   * Completes the task from outside: a person, or a machine far away, has done what its handler was to do. The handler is
   * told to stop, and dependents get this output.
   *
   * @param output - plain data; a copy is taken
   * @returns when that is durable
   * @throws OrchestratorError `TRANSITION_ILLEGAL` unless it is in progress and was not told to stop, `RUN_FINISHED`,
   *   `VALUE_UNSERIALISABLE`
   */
  setOutputData(output: unknown): Promise<void> {
    return this.#services.complete(this.#run, this.path, output);
  }

  async *#read(options: EventsOptions): AsyncGenerator<RunEvent, void, void> {
    for await (const event of readEvents(this.#run, this.#services.persistence, options)) {
      if (!('path' in event) || event.path !== this.path || event.type === 'RunFailed') continue;
      yield event;
      if (event.type in ENDS) return;
    }
  }

  #place(): TaskPlace {
    return findTask(this.#run, this.path);
  }

  #view(): TaskView {
    const { scope, index } = this.#place();
    const undurable = undurableByPath(this.#services.undurable(this.#run));
    return viewOf(this.#run, scope, index, undurable, this.#services.scheduler);
  }

  async #command(command: RunCommand, what: string): Promise<void> {
    try {
      await this.#services.submit(this.#run, command);
    } catch (error) {
      // A run that has ended has only tasks that have.
      if (OrchestratorError.is(error, 'RUN_FINISHED')) throw this.#illegal(what);
      throw error;
    }
  }

  #illegal(what: string): OrchestratorError {
    const { runId, path } = this;
    const { status } = this.#view();
    return new OrchestratorError(
      'TRANSITION_ILLEGAL',
      `task ${JSON.stringify(path)} is ${status}, so it cannot ${what}`,
      { details: { runId, path, status } },
    );
  }
}

const ENDS = { TaskCompleted: true, TaskFailed: true, TaskCancelled: true, TaskSkipped: true } as const;
