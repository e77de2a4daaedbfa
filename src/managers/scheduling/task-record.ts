/**
 * What the scheduler tells of tasks, and what it has to be told of runs.
 *
 * Owns: nothing. Who may use it: the task scheduler, and whoever composes it.
 */
import type { TaskPath } from '../../model/path.ts';
import type { TaskStatus, WaitReason } from '../../model/status.ts';
import type { Ticket } from './ticket.ts';

/** Names a task. */
export interface TaskRef {
  readonly runId: string;
  readonly path: TaskPath;
}

/** A task as it stands now. */
export interface TaskRecord extends TaskRef {
  readonly taskId: string;
  readonly status: TaskStatus;
  /** Why it does not run, when it waits. */
  readonly reason: WaitReason | undefined;
  /** The attempt that is under way or was the last one; 0 before the first. */
  readonly attempt: number;
}

/** A dependency of a task, as it stands now. */
export interface DependencyState extends TaskRef {
  readonly taskId: string;
  readonly status: TaskStatus;
  /** Whether any end of it is enough (`settled`), instead of completion. */
  readonly anyOutcome: boolean;
}

/** Which dependencies of a task are met, and which are not. */
export interface DependencyReport {
  readonly met: readonly DependencyState[];
  /** Those that have not ended, or have ended so that the task will never start. */
  readonly unmet: readonly DependencyState[];
}

/** What a scheduler has to know of the runs whose tasks it serves. */
export interface RunTable {
  /** How many runs have not ended. */
  readonly unfinished: number;
  has(runId: string): boolean;
  /** The tickets of a run; none of one that is not known. */
  tickets(runId: string): Iterable<Ticket>;
  /** The tasks that are ready and wait for their run to be resumed: no tickets of theirs are in the queue. */
  held(): Iterable<TaskRef & { readonly taskId: string }>;
  /** @throws OrchestratorError `RUN_NOT_FOUND`, `TASK_NOT_FOUND` */
  record(ref: TaskRef): TaskRecord;
  /** What a task belongs to. @throws OrchestratorError `RUN_NOT_FOUND`, `TASK_NOT_FOUND` */
  about(ref: TaskRef): { readonly workflowId: string; readonly agent: string | undefined };
  /** @throws OrchestratorError `RUN_NOT_FOUND`, `TASK_NOT_FOUND` */
  dependencies(ref: TaskRef): DependencyReport;
  /** @throws OrchestratorError `RUN_NOT_FOUND`, `TASK_NOT_FOUND` */
  setPriority(ref: TaskRef, priority: number): Promise<void>;
  /** @returns whether it had not ended before */
  cancel(ref: TaskRef, reason: unknown): Promise<boolean>;
}
