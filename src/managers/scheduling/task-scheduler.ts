/**
 * The scheduler of tasks: those of runs, and those that the host schedules by itself, in one queue.
 *
 * Owns: nothing beyond its two halves: the queue, which is busy with every task, and the host side, which is asked now
 * and then. Who may call it: the run loop, the facade, the host.
 *
 * TS1  What holds of the queue holds of it: all needs or none, best first, a pause touches nothing that runs.
 * TS2  What the host asks costs a task of a run nothing.
 */
import { OrchestratorError } from '../../model/errors.ts';
import type { WaitReason } from '../../model/status.ts';
import type { Group } from '../resources/ledger.ts';
import { checkComposed } from '../resources/stand-alone.ts';
import type { DrainOptions } from './drain.ts';
import type { Wait } from './explain.ts';
import type { PausedBy, PauseTarget } from './holds.ts';
import { type ClearOptions, HostSide } from './host-side.ts';
import type { StartTask } from './host-task.ts';
import type { TaskRequest } from './host-tasks.ts';
import { checkPolicy, type SchedulingPolicy } from './policy.ts';
import type { QueuedTask } from './queue-view.ts';
import type { ScheduledTask } from './scheduled-task.ts';
import { standAlone, type TaskSchedulerOptions, type TaskSchedulerParts } from './scheduler-parts.ts';
import type { DependencyReport, TaskRecord, TaskRef } from './task-record.ts';
import type { ScheduledRun, Ticket } from './ticket.ts';
import { TicketQueue } from './ticket-queue.ts';

/** Schedules tasks: which one starts next, and why another one does not. An orchestrator has one. */
export class TaskScheduler extends TicketQueue {
  readonly #host: HostSide;
  #closed = false;

  /** @internal Use `TaskScheduler.create`, or `orchestrator.scheduler`. */
  constructor(parts: TaskSchedulerParts) {
    super(checkComposed(parts, 'TaskScheduler'));
    this.#host = new HostSide(
      {
        ...this.view,
        wake: () => this.wake(),
        onTurn: parts.onTurn ?? ((watcher) => this.onTurn(watcher)),
        arrivals: () => this.arrivals,
        enqueue: (ticket) => this.enqueue(ticket),
        withdraw: (ticket) => this.withdraw(ticket),
        requeue: (ticket) => this.requeue(ticket),
        release: (ticket) => this.release(ticket),
      },
      parts,
    );
  }

  /**
   * A scheduler of its own, outside of an orchestrator: it serves the tasks that are given to `scheduleTask`.
   * @throws OrchestratorError `OPTION_UNKNOWN`, `OPTION_INVALID`, `ID_INVALID`
   */
  static create(options: TaskSchedulerOptions): TaskScheduler {
    return new TaskScheduler(standAlone(options));
  }

  /**
   * Lets a task of the host wait for its needs, in one queue with the tasks of runs; `start` is called when everything
   * was taken for it, and what it returns ends it.
   *
   * @returns its live handle: status, reason, `result()`, `cancel()`
   * @throws OrchestratorError `OPTION_INVALID`, `OPTION_UNKNOWN`, `ID_INVALID`, `ID_DUPLICATE`, `DEPENDENCY_UNKNOWN`,
   *   `RESOURCE_UNKNOWN`, `RESOURCE_UNSCHEDULABLE`, `RESOURCE_AMOUNT_INVALID`, `LOCK_CONFLICT`, `QUEUE_FULL`,
   *   `ORCHESTRATOR_CLOSED`
   */
  scheduleTask(task: TaskRequest, start: StartTask): ScheduledTask {
    this.#checkOpen();
    return this.#host.schedule(task, start, 'scheduleTask');
  }

  /**
   * Dispatches a task now if its needs are free, else lets it wait with its reason. It never overtakes who comes first.
   *
   * @param task - one of the host's own with its `start`, or `{ runId, path }` of one that is scheduled already
   * @returns once that is decided: the handle, or the record, whose status is `in_progress` or says why not
   * @throws OrchestratorError as `scheduleTask`; `RUN_NOT_FOUND`, `TASK_NOT_FOUND`
   */
  async executeTask(task: TaskRequest, start: StartTask): Promise<ScheduledTask>;
  async executeTask(task: TaskRef): Promise<TaskRecord>;
  async executeTask(task: TaskRequest | TaskRef, start?: StartTask): Promise<TaskRecord> {
    this.#checkOpen();
    const host = this.#host;
    if (start === undefined) return host.decided(() => host.record(task as TaskRef, 'executeTask'));
    const scheduled = host.schedule(task as TaskRequest, start, 'executeTask');
    return host.decided(() => scheduled);
  }

  /**
   * Orders what waits, and whatever comes, by another policy; a comparator is asked both ways, and where it gives no
   * order, priorities decide.
   * @throws OrchestratorError `OPTION_INVALID`
   */
  prioritizeTasks(policy: SchedulingPolicy = 'priority'): void {
    const tickets = this.setPolicy(checkPolicy(policy, 'prioritizeTasks'));
    for (const ticket of tickets) ticket.run.setTicket(ticket.scope, ticket.index, ticket);
    this.wake();
  }

  /** Which dependencies of a task are met, and which are not. @throws OrchestratorError `RUN_NOT_FOUND`, `TASK_NOT_FOUND` */
  handleTaskDependencies(task: TaskRef): DependencyReport {
    return this.#host.dependencies(task, 'handleTaskDependencies');
  }

  /** A task as it stands now. @throws OrchestratorError `RUN_NOT_FOUND`, `TASK_NOT_FOUND` */
  getTaskById(runId: string, path: string): TaskRecord {
    return this.#host.record({ runId, path }, 'getTaskById');
  }

  /** All that wait in the queue, in the order of service, then those that are held back by a pause. */
  queue(): readonly QueuedTask[] {
    return this.#host.queue();
  }

  /** The same by what they wait for; `ready` are those that start in the next turn. */
  queueByReason(): ReadonlyMap<WaitReason | 'ready', readonly QueuedTask[]> {
    const groups = new Map<WaitReason | 'ready', QueuedTask[]>();
    for (const task of this.queue()) {
      const known = groups.get(task.reason ?? 'ready');
      if (known === undefined) groups.set(task.reason ?? 'ready', [task]);
      else known.push(task);
    }
    return groups;
  }

  /**
   * Changes the priority of a task that has not started; of one that runs or has ended nothing changes.
   * @param priority - -1e9 to 1e9
   * @throws OrchestratorError `RUN_NOT_FOUND`, `TASK_NOT_FOUND`, `OPTION_INVALID`
   */
  setPriority(runId: string, path: string, priority: number): Promise<void> {
    return this.#host.setPriority({ runId, path }, priority);
  }

  /** Calls back at the end of every drain: nothing waits in the queue any more. Returns how to stop it. */
  whenEmpty(listener: () => void): () => void {
    return this.#host.empty.on(listener);
  }

  /** Calls back at the end of every drain: nothing waits, nothing runs, no run is unfinished. Returns how to stop it. */
  whenIdle(listener: () => void): () => void {
    return this.#host.idle.on(listener);
  }

  /** Resolves when nothing waits in the queue. @throws OrchestratorError `WAIT_ABORTED`, `QUEUE_FULL`, `ORCHESTRATOR_CLOSED` */
  onEmpty(options: DrainOptions = {}): Promise<void> {
    return this.#host.empty.until(options);
  }

  /** Resolves when nothing waits, nothing runs and no run is unfinished. @throws OrchestratorError as `onEmpty` */
  onIdle(options: DrainOptions = {}): Promise<void> {
    return this.#host.idle.until(options);
  }

  /**
   * Ends what waits in the queue as `cancelled`, and leaves alone what runs. What depends on it is skipped.
   * @returns how many were ended, once that is durable
   * @throws OrchestratorError `OPTION_INVALID`, `OPTION_UNKNOWN`
   */
  clear(options: ClearOptions = {}): Promise<number> {
    return this.#host.clear(options);
  }

  /** @internal Why a ticket that waits does not start. */
  explain(ticket: Ticket): Wait {
    return this.#host.explain(ticket);
  }

  /** @internal Why a task does not start whose run is paused, so that it does not stand in the queue. */
  explainHeld(run: ScheduledRun, group: Group): Wait {
    return this.#host.explainHeld(run, group);
  }

  /** @internal Everything that is paused and holds back those of a run who have these needs. */
  pausesFor(run: ScheduledRun, group: Group): readonly PausedBy[] {
    return this.#host.pausesFor(run, group);
  }

  /** @internal Of a run only its own tickets are looked at, however many others wait. */
  protected override ticketsOf(by: PausedBy): Iterable<Ticket> {
    return by.what === 'run' ? this.#host.ticketsOf(by.name) : super.ticketsOf(by);
  }

  /** @internal The tickets of the host's own tasks that have not ended. */
  hostTickets(): IterableIterator<Ticket> {
    return this.#host.tasks.tickets();
  }

  /** Whether it was closed. */
  get isClosed(): boolean {
    return this.#closed;
  }

  /** Starts nothing any more, and ends every wait of the host. */
  close(error: OrchestratorError): void {
    if (this.#closed) return;
    this.#closed = true;
    this.pause();
    this.#host.close(error);
  }

  #checkOpen(): void {
    if (this.#closed)
      throw new OrchestratorError(
        'ORCHESTRATOR_CLOSED',
        'this scheduler is closed; nothing new can be scheduled',
      );
  }

  /**
   * Stops starting tasks: all, or those of one agent, workflow or run. What runs goes on. It lasts until `resume` with
   * the same target, at most as long as the process.
   * @throws OrchestratorError `OPTION_INVALID`, `OPTION_UNKNOWN`, `ID_INVALID`, `LIMIT_EXCEEDED`
   */
  override pause(target?: PauseTarget): void {
    const { holds } = this.view;
    // Names of runs that are not known any more hold nobody back.
    if (target !== undefined && holds.isFull) holds.sweep((runId) => this.#host.hasRun(runId));
    super.pause(target);
  }

  /** Starts tasks again, in their order; a closed scheduler starts none. @throws OrchestratorError as `pause` */
  override resume(target?: PauseTarget): void {
    if (!this.#closed) super.resume(target);
  }
}
