/**
 * What the host asks of the scheduler, beside what runs need of it: tasks of its own, what waits and why, when there is
 * nothing left to do, and that nothing of it be done.
 *
 * Owns: the host's own tasks, and those who wait for a drain. Who may call it: the task scheduler.
 *
 * HI1  Nothing here is paid for by a task of a run: it is worked out when somebody asks.
 * HI2  Clearing ends what waits and touches nothing that runs.
 */
import { describeName } from '../../base/values.ts';
import { checkKeys, checkNumber, checkRecord, invalidOption, reading } from '../../model/checks.ts';
import { OrchestratorError } from '../../model/errors.ts';
import type { WaitReason } from '../../model/status.ts';
import { PRIORITY_MAX } from '../../model/task-options.ts';
import { Holders } from '../resources/holders.ts';
import type { Group } from '../resources/ledger.ts';
import { Drain } from './drain.ts';
import { type ExplainParts, explainHeld, explainWait, pausesFor, type Wait } from './explain.ts';
import { checkTarget, type Holds, type PausedBy, type PauseTarget } from './holds.ts';
import type { HostTask, StartTask } from './host-task.ts';
import { HostTasks, type TaskRequest } from './host-tasks.ts';
import { type QueuedTask, type QueueParts, queueOf, reasonOf } from './queue-view.ts';
import { ScheduledTask, type ScheduledTaskServices } from './scheduled-task.ts';
import type { TaskSchedulerParts } from './scheduler-parts.ts';
import { Surveyor } from './survey.ts';
import type { DependencyReport, DependencyState, RunTable, TaskRecord, TaskRef } from './task-record.ts';
import type { ScheduledRun, Ticket } from './ticket.ts';

/** What is cleared, and why. Without a target: everything that waits. */
export type ClearOptions = (
  | PauseTarget
  | { readonly agent?: undefined; readonly workflowId?: undefined; readonly runId?: undefined }
) & {
  /** The cause of the errors that the tasks end with. */
  readonly reason?: unknown;
};

/** What the host side needs of the scheduler itself. */
export interface SchedulerCore extends QueueParts {
  readonly holds: Holds;
  readonly wake: () => void;
  readonly onTurn: (watcher: () => void) => () => void;
  readonly arrivals: () => number;
  enqueue(ticket: Ticket): void;
  withdraw(ticket: Ticket): boolean;
  requeue(ticket: Ticket): Ticket;
  release(ticket: Ticket): void;
}

const CLEAR_KEYS: ReadonlySet<string> = new Set(['agent', 'workflowId', 'runId', 'reason']);
const REF = '{ runId, path } of a task that is scheduled already';

export class HostSide {
  readonly tasks: HostTasks;
  readonly idle: Drain;
  readonly empty: Drain;
  readonly #core: SchedulerCore;
  readonly #runs: RunTable | undefined;
  readonly #explain: ExplainParts;
  readonly #services: ScheduledTaskServices;
  #knownGroup: Group | undefined;
  #submissions = 0;

  constructor(core: SchedulerCore, parts: TaskSchedulerParts) {
    this.#core = core;
    this.#runs = parts.runs;
    const { ledger, needs, timers, complain } = parts;
    this.tasks = new HostTasks({
      ledger,
      needs,
      nextSubmission: parts.nextSubmission ?? (() => this.#submissions++),
      enqueue: (ticket) => core.enqueue(ticket),
      withdraw: (ticket) => core.withdraw(ticket),
      release: (ticket) => core.release(ticket),
      wake: core.wake,
    });
    const holders = parts.holders ?? new Holders({ tickets: () => this.tasks.tickets(), claims: () => [] });
    const asked = parts.asked ?? (() => 0);
    this.#explain = {
      ...core,
      surveyor: new Surveyor({ ledger, holders, arrivals: core.arrivals, asked }),
      monotonic: () => timers.monotonic(),
    };
    const { arrivals, onTurn } = core;
    this.empty = new Drain('onEmpty', { arrivals, onTurn, complain, isDrained: () => this.#isEmpty() });
    this.idle = new Drain('onIdle', { arrivals, onTurn, complain, isDrained: () => this.#isIdle() });
    this.#services = {
      reasonOf: (task) => this.#reasonOf(task),
      explain: (task) => (task.status === 'waiting' ? this.explain(task.ticket) : undefined),
      cancel: (task, reason) => this.tasks.cancel(task, reason),
      setPriority: (task, priority) => this.#setPriority(task, checkPriority(priority)),
    };
  }

  /** Schedules a task of the host. */
  schedule(request: TaskRequest, start: StartTask, at: string): ScheduledTask {
    return new ScheduledTask(this.tasks.add(request, start, at), this.#services);
  }

  /** Resolves once it is decided whether a task starts: it runs, has ended, or waits with a reason. */
  async decided<Task extends TaskRecord>(look: () => Task): Promise<Task> {
    // Woken once: whoever waits for the store to answer is not to be asked in every microtask until it has.
    for (let isWoken = false; ; isWoken = true) {
      const task = look();
      if (task.status !== 'ready') return task;
      await new Promise<void>((resolve) => {
        const stop = this.#core.onTurn(() => {
          stop();
          resolve();
        });
        if (!isWoken) this.#core.wake();
      });
    }
  }

  record(ref: TaskRef, at: string): TaskRecord {
    const { runId, path } = checkRef(ref, at);
    if (!this.tasks.has(runId)) return this.#table(runId).record({ runId, path });
    const { taskId, status, reason, attempt } = new ScheduledTask(
      this.tasks.get(runId, path),
      this.#services,
    );
    return { runId, path, taskId, status, reason, attempt };
  }

  dependencies(ref: TaskRef, at: string): DependencyReport {
    const { runId, path } = checkRef(ref, at);
    if (!this.tasks.has(runId)) return this.#table(runId).dependencies({ runId, path });
    const met: DependencyState[] = [];
    const unmet: DependencyState[] = [];
    for (const { taskId, status } of this.tasks.get(runId, path).dependencies)
      (status === 'completed' ? met : unmet).push({ runId, path: taskId, taskId, status, anyOutcome: false });
    return { met, unmet };
  }

  async setPriority(ref: TaskRef, priority: number): Promise<void> {
    const { runId, path } = checkRef(ref, 'setPriority');
    checkPriority(priority);
    if (this.tasks.has(runId)) this.#setPriority(this.tasks.get(runId, path), priority);
    else await this.#table(runId).setPriority({ runId, path }, priority);
  }

  queue(): readonly QueuedTask[] {
    return queueOf(this.#core, this.#runs);
  }

  explain(ticket: Ticket): Wait {
    return explainWait(ticket, this.#explain);
  }

  explainHeld(run: ScheduledRun, group: Group): Wait {
    return explainHeld(run, group, this.#explain);
  }

  pausesFor(run: ScheduledRun, group: Group): readonly PausedBy[] {
    return pausesFor(run, group, this.#explain);
  }

  ticketsOf(runId: string): Iterable<Ticket> {
    return this.tasks.has(runId) ? this.tasks.tickets(runId) : (this.#runs?.tickets(runId) ?? []);
  }

  hasRun(runId: string): boolean {
    return this.tasks.has(runId) || this.#runs?.has(runId) === true;
  }

  /** Ends everything that waits in the queue, or is held back there. */
  async clear(given: ClearOptions): Promise<number> {
    const target = checkClear(given);
    const { reason } = given;
    const chosen = this.queue().filter((task) => target === undefined || this.#concerns(target, task));
    const cancelled = await Promise.all(
      chosen.map(({ runId, path }) =>
        this.tasks.has(runId)
          ? this.tasks.cancel(this.tasks.get(runId, path), reason)
          : this.#table(runId).cancel({ runId, path }, reason),
      ),
    );
    return cancelled.filter(Boolean).length;
  }

  close(error: OrchestratorError): void {
    this.tasks.close(error);
    this.idle.close(error);
    this.empty.close(error);
  }

  #concerns({ what, name }: PausedBy, { runId, path }: QueuedTask): boolean {
    if (what === 'run') return runId === name;
    const about = this.tasks.has(runId)
      ? { workflowId: runId, agent: this.tasks.get(runId, path).state.plan.tasks[0]?.agentAssigned }
      : this.#table(runId).about({ runId, path });
    return (what === 'agent' ? about.agent : about.workflowId) === name;
  }

  #reasonOf(task: HostTask): WaitReason | undefined {
    if (task.status === 'created') return 'dependency';
    return task.status === 'waiting' ? reasonOf(task.ticket, this.#core) : undefined;
  }

  #setPriority(task: HostTask, priority: number): void {
    if (task.isOver || task.status === 'in_progress') return;
    // The state of a host task is its own alone, and says nothing but its place.
    task.scope.effective = Float64Array.of(priority);
    task.ticket = this.#core.requeue(task.ticket);
    this.#core.wake();
  }

  #isEmpty(): boolean {
    const { ledger, holds } = this.#core;
    this.#knownGroup = ledger.taskGroup(this.#knownGroup);
    if (this.#knownGroup !== undefined || holds.size > 0) return false;
    for (const _ of this.#runs?.held() ?? []) return false;
    return true;
  }

  #isIdle(): boolean {
    return this.tasks.unfinished === 0 && (this.#runs === undefined || this.#runs.unfinished === 0);
  }

  #table(runId: string): RunTable {
    if (this.#runs !== undefined) return this.#runs;
    throw new OrchestratorError('RUN_NOT_FOUND', `no run ${describeName(runId)} is known here`, {
      details: { runId },
    });
  }
}

/** @throws OrchestratorError `OPTION_INVALID` */
function checkRef(given: unknown, at: string): TaskRef {
  return reading(at, REF, () => {
    const { runId, path } = (given ?? {}) as Partial<TaskRef>;
    if (typeof runId === 'string' && typeof path === 'string') return { runId, path };
    if (typeof given !== 'object' || given === null) throw invalidOption(at, given, REF);
    const isPath = typeof runId === 'string';
    throw invalidOption(`${at}/${isPath ? 'path' : 'runId'}`, isPath ? path : runId, REF);
  });
}

function checkPriority(priority: unknown): number {
  return checkNumber(priority, 'setPriority', -PRIORITY_MAX, PRIORITY_MAX);
}

function checkClear(given: unknown): PausedBy | undefined {
  return reading('clear', 'an object of options', () => {
    const { reason: _, ...target } = checkRecord(given, 'clear', 'an object of options');
    checkKeys(given as object, CLEAR_KEYS, 'clear');
    return Object.keys(target).length === 0 ? undefined : checkTarget(target, 'clear');
  });
}
