/**
 * How one run stands, folded from its events.
 *
 * Owns: the counts of one run. Who may call it: the metrics fold.
 *
 * RT1  It keeps a mark only for tasks in progress or between two attempts, so its memory does not grow with the run.
 * RT2  Of a run whose beginning was not heard it knows what has happened since.
 */
import type { RunEvent } from '../../machine/events.ts';
import { leafOf, type TaskPath } from '../../model/path.ts';
import type { RunStatus } from '../../model/status.ts';
import { type LoggedTaskStatus, noTasks, type RunReading } from './readings.ts';

/** A task that has begun and not ended. */
interface Mark {
  /** When its current attempt began; `undefined` between two. */
  startedAt: number | undefined;
  /** When its first attempt began. */
  readonly firstAt: number;
}

/** An attempt, or a task, that has ended. */
export interface Ended {
  readonly runId: string;
  readonly workflowId: string;
  readonly path: TaskPath;
  readonly taskId: string;
  readonly attempt: number;
  readonly outcome: 'completed' | 'failed' | 'retried' | 'cancelled';
  /** Of the attempt; `undefined` when none was under way, or its start was not heard. */
  readonly attemptMs: number | undefined;
  /** From the first start of the task to its end; `undefined` while it has not ended. */
  readonly taskMs: number | undefined;
}

const OUTCOMES = {
  TaskCompleted: 'completed',
  TaskFailed: 'failed',
  TaskRetryScheduled: 'retried',
  TaskCancelled: 'cancelled',
} as const;

export class RunTally {
  readonly runId: string;
  workflowId = '';
  status: RunStatus = 'created';
  createdAt: number;
  finishedAt: number | undefined;
  readonly #counts = noTasks();
  readonly #marks = new Map<TaskPath, Mark>();

  constructor(runId: string, at: number) {
    this.runId = runId;
    this.createdAt = at;
  }

  /** Folds an event; tells of an attempt that has ended by it. */
  observe(event: RunEvent): Ended | undefined {
    switch (event.type) {
      case 'RunCreated':
        this.workflowId = event.workflowId;
        return undefined;
      case 'RunStarted':
      case 'RunResumed':
        this.status = 'in_progress';
        return undefined;
      case 'RunPaused':
        this.status = 'paused';
        return undefined;
      case 'RunCompleted':
        return this.#finish('completed', event.at);
      case 'RunFailed':
        return this.#finish('failed', event.at);
      case 'RunCancelled':
        return this.#finish('cancelled', event.at);
      case 'TaskStarted':
        this.#start(event.path, event.at);
        return undefined;
      case 'TaskRestarted':
        this.#restart(event.path, event.at);
        return undefined;
      case 'TaskSkipped':
        this.#counts.skipped++;
        return undefined;
      case 'TaskCompleted':
      case 'TaskFailed':
      case 'TaskRetryScheduled':
      case 'TaskCancelled':
        return this.#end(event);
      default:
        return undefined;
    }
  }

  reading(): RunReading {
    const { runId, workflowId, status, createdAt, finishedAt } = this;
    return {
      runId,
      workflowId,
      status,
      createdAt,
      finishedAt,
      total: undefined,
      counts: { ...this.#counts },
    };
  }

  #finish(status: RunStatus, at: number): undefined {
    this.status = status;
    this.finishedAt = at;
    this.#marks.clear();
  }

  #start(path: TaskPath, at: number): void {
    const mark = this.#marks.get(path);
    if (mark === undefined) this.#marks.set(path, { startedAt: at, firstAt: at });
    else {
      mark.startedAt = at;
      this.#counts.retrying--;
    }
    this.#counts.in_progress++;
  }

  /** The time that nobody worked between two processes is no part of its attempt. */
  #restart(path: TaskPath, at: number): void {
    const mark = this.#marks.get(path);
    if (mark === undefined) this.#start(path, at);
    else mark.startedAt = at;
  }

  #end(event: Extract<RunEvent, { readonly type: keyof typeof OUTCOMES; readonly attempt: number }>): Ended {
    const { path, at, runId, attempt } = event;
    const outcome = OUTCOMES[event.type];
    const mark = this.#marks.get(path);
    const attemptMs = mark?.startedAt === undefined ? undefined : at - mark.startedAt;
    if (mark !== undefined) this.#counts[mark.startedAt === undefined ? 'retrying' : 'in_progress']--;
    const next: LoggedTaskStatus = outcome === 'retried' ? 'retrying' : outcome;
    this.#counts[next]++;
    if (outcome === 'retried') {
      if (mark === undefined) this.#marks.set(path, { startedAt: undefined, firstAt: at });
      else mark.startedAt = undefined;
    } else this.#marks.delete(path);
    return {
      runId,
      workflowId: this.workflowId,
      path,
      taskId: taskIdOf(path),
      attempt,
      outcome,
      attemptMs,
      taskMs: mark === undefined || outcome === 'retried' ? undefined : at - mark.firstAt,
    };
  }
}

/** The task id alone: items of a map and iterations of a loop are told together. */
function taskIdOf(path: TaskPath): string {
  const leaf = leafOf(path);
  const end = leaf.search(/[[#]/);
  return end < 0 ? leaf : leaf.slice(0, end);
}
