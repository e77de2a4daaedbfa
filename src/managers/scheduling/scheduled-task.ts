/**
 * The handle of a task that the host has scheduled by itself.
 *
 * Owns: nothing. Who may call it: the host.
 */
import type { TaskStatus, WaitReason } from '../../model/status.ts';
import type { Wait } from './explain.ts';
import type { HostTask } from './host-task.ts';
import type { TaskRecord } from './task-record.ts';

/** What a handle needs of the scheduler. */
export interface ScheduledTaskServices {
  reasonOf(task: HostTask): WaitReason | undefined;
  explain(task: HostTask): Wait | undefined;
  cancel(task: HostTask, reason: unknown): boolean;
  setPriority(task: HostTask, priority: number): void;
}

/** A task that was given to `scheduleTask` or `executeTask`: live, so each question is answered as of now. */
export class ScheduledTask implements TaskRecord {
  readonly runId: string;
  readonly path: string;
  readonly taskId: string;
  readonly #task: HostTask;
  readonly #services: ScheduledTaskServices;

  /** @internal */
  constructor(task: HostTask, services: ScheduledTaskServices) {
    this.runId = task.runId;
    this.path = task.taskId;
    this.taskId = task.taskId;
    this.#task = task;
    this.#services = services;
  }

  /** How it stands now. */
  get status(): TaskStatus {
    const { status } = this.#task;
    return status === 'waiting' && this.reason === undefined ? 'ready' : status;
  }

  /** Why it does not run, when it waits; `undefined` also when it starts in the next turn. */
  get reason(): WaitReason | undefined {
    return this.#services.reasonOf(this.#task);
  }

  /** 1 once it has started. */
  get attempt(): number {
    return this.#task.ticket.attempt;
  }

  /**
   * What its function returned.
   * @throws what the function threw; OrchestratorError `TASK_CANCELLED` when it was cancelled, or skipped because a
   *   dependency did not complete; `ORCHESTRATOR_CLOSED`
   */
  result(): Promise<unknown> {
    return this.#task.result();
  }

  /** Why it waits in the queue: everything it lacks and who holds it; `undefined` when it does not wait there. */
  explain(): Wait | undefined {
    return this.#services.explain(this.#task);
  }

  /** Ends it when it waits, or aborts its signal when it runs; `false` when it had ended. */
  cancel(reason?: unknown): boolean {
    return this.#services.cancel(this.#task, reason);
  }

  /**
   * Changes its place among those that wait; of one that runs or has ended nothing changes.
   * @param priority - -1e9 to 1e9
   * @throws OrchestratorError `OPTION_INVALID`
   */
  setPriority(priority: number): void {
    this.#services.setPriority(this.#task, priority);
  }
}
