/**
 * The tasks that the host schedules by itself, beside those of runs and in one queue with them.
 *
 * Owns: these tasks, by run id and task id. Who may call it: the task scheduler.
 *
 * HS1  A task waits for its needs only after all its dependencies have completed; when one of them ends otherwise, it is
 *      skipped.
 * HS2  What has not ended is never forgotten; of what has, the last `HOST_TASKS_KEPT` are kept.
 */
import { LinkedSet } from '../../base/linked-set.ts';
import { nearestName } from '../../base/nearest.ts';
import { describeName, describeValue } from '../../base/values.ts';
import { checkFunction, checkKeys, checkRecord, copyList, reading } from '../../model/checks.ts';
import { compile } from '../../model/compile.ts';
import { OrchestratorError, refuse } from '../../model/errors.ts';
import { checkId } from '../../model/ids.ts';
import type { LockRequest } from '../../model/needs.ts';
import { isTask, Task } from '../../model/task.ts';
import { Workflow } from '../../model/workflow.ts';
import type { Ledger } from '../resources/ledger.ts';
import { cancelled, HostTask, type StartTask } from './host-task.ts';
import type { NeedsBook } from './needs-book.ts';
import { orderOf } from './policy.ts';
import type { Ticket } from './ticket.ts';

/** A task that the host schedules by itself; a `Task` fits. */
export interface TaskRequest {
  readonly taskId: string;
  /** What its task id is unique in. Default `host`. */
  readonly runId?: string | undefined;
  /** -1e9 to 1e9; higher starts first. Default 0. */
  readonly priority?: number | undefined;
  readonly agentAssigned?: string | undefined;
  /** Amounts by resource name. */
  readonly resourceRequirements?: Readonly<Record<string, number>> | undefined;
  readonly locks?: readonly LockRequest[] | undefined;
  /** Ids of tasks of the same `runId` that were scheduled before and have to complete first. */
  readonly dependencies?: readonly string[] | undefined;
}

/** What the table needs of the scheduler. */
export interface HostTasksParts {
  readonly ledger: Ledger;
  readonly needs: NeedsBook;
  /** The position of a request among all submissions. */
  readonly nextSubmission: () => number;
  readonly enqueue: (ticket: Ticket) => void;
  readonly withdraw: (ticket: Ticket) => boolean;
  readonly release: (ticket: Ticket) => void;
  readonly wake: () => void;
}

/** How many tasks of the host may be unfinished at once. */
export const HOST_TASKS_MAX = 100_000;
/** How many of them are kept after their end. */
export const HOST_TASKS_KEPT = 1_000;
const DEFAULT_RUN = 'host';
/** How many dependencies one of them may have. */
export const HOST_DEPENDENCIES_MAX = 10_000;
const KEYS: ReadonlySet<string> = new Set([
  'taskId',
  'runId',
  'priority',
  'agentAssigned',
  'resourceRequirements',
  'locks',
  'dependencies',
]);

interface Skipped {
  readonly task: HostTask;
  readonly lost: HostTask;
}

export class HostTasks {
  readonly #parts: HostTasksParts;
  readonly #runs = new Map<string, Map<string, HostTask>>();
  readonly #ended = new LinkedSet<HostTask>();
  readonly #dependents = new Map<HostTask, HostTask[]>();
  readonly #skipping: Skipped[] = [];
  #unfinished = 0;

  constructor(parts: HostTasksParts) {
    this.#parts = parts;
  }

  /** How many have not ended. */
  get unfinished(): number {
    return this.#unfinished;
  }

  has(runId: string): boolean {
    return this.#runs.has(runId);
  }

  /** @throws OrchestratorError `TASK_NOT_FOUND` */
  get(runId: string, taskId: string): HostTask {
    const tasks = this.#runs.get(runId);
    const task = tasks?.get(taskId);
    if (task !== undefined) return task;
    const nearest = typeof taskId === 'string' ? nearestName(taskId, tasks?.keys() ?? []) : undefined;
    const hint = nearest === undefined ? '' : ` Did you mean ${JSON.stringify(nearest)}?`;
    throw new OrchestratorError('TASK_NOT_FOUND', `${runId} has no task ${describeName(taskId)}.${hint}`, {
      details: { runId, path: taskId },
    });
  }

  /** The tickets of those that have not ended: of all, or of one run. */
  *tickets(runId?: string): IterableIterator<Ticket> {
    const runs =
      runId === undefined ? this.#runs.values() : [this.#runs.get(runId) ?? new Map<string, HostTask>()];
    for (const tasks of runs) for (const task of tasks.values()) if (!task.isOver) yield task.ticket;
  }

  /** @throws OrchestratorError what `TaskScheduler.scheduleTask` throws */
  add(given: TaskRequest, start: StartTask, at: string): HostTask {
    const { needs, nextSubmission } = this.#parts;
    checkFunction(start, `${at}/start`, 'a function that is called when the task may start');
    const { task, runId, dependencies } = reading(at, 'a task with needs', () =>
      this.#read(given, start, at),
    );
    if (this.#unfinished >= HOST_TASKS_MAX)
      throw new OrchestratorError(
        'QUEUE_FULL',
        `${at}: found ${this.#unfinished} unfinished tasks; allowed: ${HOST_TASKS_MAX}. Wait until some have ended.`,
      );
    const plan = compile(new Workflow(runId, { tasks: [task] }));
    const submission = nextSubmission();
    const host = new HostTask({
      runId,
      plan,
      bound: needs.bind(plan),
      submission,
      order: orderOf(submission, 0),
      dependencies,
      start,
      owner: this,
    });
    this.#keep(host);
    this.#unfinished++;
    const lost = dependencies.find((dependency) => dependency.isOver && dependency.status !== 'completed');
    if (lost !== undefined) this.#skip(host, lost);
    else if (dependencies.every((dependency) => dependency.status === 'completed')) this.#enqueue(host);
    else for (const dependency of dependencies) this.#await(host, dependency);
    return host;
  }

  /** Ends a task that waits, or tells one that runs to stop; `false` when it had ended. */
  cancel(task: HostTask, reason: unknown): boolean {
    if (task.isOver) return false;
    const error = cancelled(task.taskId, reason);
    if (task.status === 'in_progress') task.abort(error);
    else task.end('cancelled', error);
    return true;
  }

  /** Gives back what a task held, and lets those go on that waited for it. */
  ended(task: HostTask): void {
    const { withdraw, release, ledger, wake } = this.#parts;
    const { ticket } = task;
    ticket.phase = 'over';
    withdraw(ticket);
    release(ticket);
    ticket.group.holders--;
    ledger.dropGroup(ticket.group);
    this.#unfinished--;
    const dependents = this.#dependents.get(task);
    this.#dependents.delete(task);
    for (const dependent of dependents ?? []) {
      if (dependent.status !== 'created') continue;
      if (task.status !== 'completed') this.#skip(dependent, task);
      else if (dependent.dependencies.every(({ status }) => status === 'completed')) this.#enqueue(dependent);
    }
    this.#ended.add(task);
    if (this.#ended.size > HOST_TASKS_KEPT) this.#forgetOldest();
    wake();
  }

  /** Ends everything that has not ended: what waits is cancelled, what runs is told to stop. */
  close(error: OrchestratorError): void {
    for (const ticket of [...this.tickets()]) {
      const task = ticket.run as HostTask;
      if (task.status === 'in_progress') task.abort(error);
      task.end('cancelled', error);
    }
  }

  #enqueue(task: HostTask): void {
    task.status = 'waiting';
    this.#parts.enqueue(task.ticket);
    this.#parts.wake();
  }

  #skip(task: HostTask, lost: HostTask): void {
    this.#skipping.push({ task, lost });
    // The end of each brings about that of the next: one after the other, not one inside the other.
    if (this.#skipping.length > 1) return;
    for (let i = 0; i < this.#skipping.length; i++) {
      const next = this.#skipping[i] as Skipped;
      const message = `task ${JSON.stringify(next.task.taskId)} was skipped: ${JSON.stringify(next.lost.taskId)}, on which it depends, is ${next.lost.status}`;
      next.task.end('skipped', new OrchestratorError('TASK_CANCELLED', message, { cause: next.lost.error }));
    }
    this.#skipping.length = 0;
  }

  #await(task: HostTask, dependency: HostTask): void {
    if (dependency.isOver) return;
    const dependents = this.#dependents.get(dependency);
    if (dependents === undefined) this.#dependents.set(dependency, [task]);
    else dependents.push(task);
  }

  #keep(task: HostTask): void {
    let tasks = this.#runs.get(task.runId);
    if (tasks === undefined) {
      tasks = new Map();
      this.#runs.set(task.runId, tasks);
    }
    const earlier = tasks.get(task.taskId);
    if (earlier !== undefined) this.#ended.delete(earlier);
    tasks.set(task.taskId, task);
  }

  #forgetOldest(): void {
    const oldest = this.#ended.oldest as HostTask;
    this.#ended.delete(oldest);
    const tasks = this.#runs.get(oldest.runId);
    tasks?.delete(oldest.taskId);
    if (tasks?.size === 0) this.#runs.delete(oldest.runId);
  }

  #read(
    given: TaskRequest,
    start: StartTask,
    at: string,
  ): { readonly task: Task; readonly runId: string; readonly dependencies: readonly HostTask[] } {
    const request: TaskRequest & { readonly runId?: string | undefined } = isTask(given)
      ? given
      : (checkRecord(given, at, 'a task with needs') as unknown as TaskRequest);
    if (!isTask(given)) checkKeys(given, KEYS, at);
    const { taskId, runId = DEFAULT_RUN, dependencies = [] } = request;
    checkId(taskId, `${at}/taskId`, 'a task id');
    checkId(runId, `${at}/runId`, 'a run id');
    const { priority, agentAssigned, resourceRequirements, locks } = request;
    const options = { priority, agentAssigned, resourceRequirements, locks, run: start };
    const task = new Task(taskId, options);
    const known = this.#runs.get(runId)?.get(taskId);
    if (known !== undefined && !known.isOver)
      throw refuse('ID_DUPLICATE', {
        at: `${at}/taskId`,
        found: `${describeName(taskId)}, which waits or runs already`,
        allowed: 'an id that no unfinished task of the same runId has',
      });
    if (!Array.isArray(dependencies))
      throw refuse('DEPENDENCY_INVALID', {
        at: `${at}/dependencies`,
        found: describeValue(dependencies),
        allowed: 'an array of task ids',
      });
    const ids = copyList(dependencies, `${at}/dependencies`, HOST_DEPENDENCIES_MAX, 'dependencies');
    return { task, runId, dependencies: [...new Set(ids)].map((id) => this.#dependency(runId, id, at)) };
  }

  #dependency(runId: string, id: unknown, at: string): HostTask {
    const tasks = this.#runs.get(runId);
    const task = tasks?.get(id as string);
    if (task !== undefined) return task;
    const nearest = typeof id === 'string' ? nearestName(id, tasks?.keys() ?? []) : undefined;
    throw refuse('DEPENDENCY_UNKNOWN', {
      at: `${at}/dependencies`,
      found: describeName(id),
      allowed: `tasks of ${runId} that were scheduled before`,
      hint: nearest === undefined ? undefined : `Did you mean ${JSON.stringify(nearest)}?`,
    });
  }
}
