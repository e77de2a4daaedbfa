/**
 * What monitoring reads of the others when it is asked, and not before: how runs stand, what is used of what.
 *
 * Owns: nothing. Who may give them: whoever constructs a monitoring service; each is optional.
 *
 * RG1  A reading is taken at the moment of the question and costs nothing at any other time.
 */
import type { RunStatus } from '../../model/status.ts';

/** The statuses that a log can tell; `ready` and `waiting` are derived from `created` and `retrying`. */
export type LoggedTaskStatus =
  | 'created'
  | 'in_progress'
  | 'retrying'
  | 'completed'
  | 'failed'
  | 'skipped'
  | 'cancelled';

/** How many tasks have each status. */
export type TaskCounts = Readonly<Record<LoggedTaskStatus, number>>;

/** How one run stands. */
export interface RunReading {
  readonly runId: string;
  readonly workflowId: string;
  readonly status: RunStatus;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  /** Milliseconds since 1970; `undefined` until it has ended. */
  readonly finishedAt: number | undefined;
  /** How many tasks it has; `undefined` when only its events are known. */
  readonly total: number | undefined;
  readonly counts: TaskCounts;
}

/** How much of a resource is used, in what the host counts in. */
export interface ResourceReading {
  readonly name: string;
  readonly kind: string;
  readonly capacity: number;
  readonly used: number;
  readonly free: number;
  /** How many tasks and requests lack it. */
  readonly waiting: number;
}

/** Who has a lock that is held or waited for. */
export interface LockReading {
  readonly name: string;
  /** `free` when it is only waited for. */
  readonly mode: 'exclusive' | 'shared' | 'free';
  readonly holders: number;
  /** How many tasks and requests lack it. */
  readonly waiting: number;
}

/** How busy an agent is. */
export interface AgentReading {
  readonly agent: string;
  /** Its tasks in progress. */
  readonly running: number;
  /** How many may be in progress at once; `undefined` without a limit. */
  readonly capacity: number | undefined;
  /** How many tasks lack a slot, or a start within the rate. */
  readonly waiting: number;
}

/** Functions that read how things stand. Without one, what it would tell is empty, or folded from events. */
export interface MonitoringSources {
  /** The runs that are known, with their counts. */
  readonly runs?: (() => Iterable<RunReading>) | undefined;
  /** The declared resources. */
  readonly resources?: (() => Iterable<ResourceReading>) | undefined;
  /** The locks that are held or waited for. */
  readonly locks?: (() => Iterable<LockReading>) | undefined;
  /** The agents that have limits. */
  readonly agents?: (() => Iterable<AgentReading>) | undefined;
  /** How many tasks wait, by reason. */
  readonly waits?: (() => Readonly<Record<string, number>>) | undefined;
  /** The agent that a task is assigned to. */
  readonly agentOf?: ((runId: string, path: string) => string | undefined) | undefined;
}

/** No task of any status, to be counted up. */
export function noTasks(): Record<LoggedTaskStatus, number> {
  return { created: 0, in_progress: 0, retrying: 0, completed: 0, failed: 0, skipped: 0, cancelled: 0 };
}

/** Runs and all their tasks, by status. */
export interface StatusCounts {
  readonly runsByStatus: Readonly<Record<string, number>>;
  readonly tasksByStatus: TaskCounts;
}

/** Counts runs, and all their tasks, by status. */
export function countRuns(runs: Iterable<RunReading>): StatusCounts {
  const runsByStatus: Record<string, number> = {};
  const tasksByStatus = noTasks();
  const names = Object.keys(tasksByStatus) as LoggedTaskStatus[];
  for (const { status, counts } of runs) {
    runsByStatus[status] = (runsByStatus[status] ?? 0) + 1;
    for (const name of names) tasksByStatus[name] += counts[name];
  }
  return { runsByStatus, tasksByStatus };
}
