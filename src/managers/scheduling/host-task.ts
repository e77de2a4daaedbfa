/**
 * One task that the host schedules by itself: needs and a function, without a workflow and without a log.
 *
 * Owns: its status and who waits for its end. Who may call it: the table of such tasks.
 *
 * HT1  Its function is called once, after everything it needs was taken, and never inside a turn of the loop.
 * HT2  What it holds is given back in the turn in which it ends, and it ends once.
 */
import { AsyncResource } from 'node:async_hooks';
import { initialState, type RunState, type ScopeState } from '../../machine/state.ts';
import { OrchestratorError } from '../../model/errors.ts';
import type { CompiledPlan } from '../../model/plan.ts';
import { isTaskFinished, type TaskStatus } from '../../model/status.ts';
import type { Group } from '../resources/ledger.ts';
import type { BoundPlan } from './needs-book.ts';
import { type ScheduledRun, Ticket } from './ticket.ts';

/** What the function of a scheduled task gets. */
export interface StartContext {
  readonly runId: string;
  readonly path: string;
  readonly taskId: string;
  /** Aborted when the task is cancelled. */
  readonly signal: AbortSignal;
  /** The fencing token of its locks; 0 when it needs none. */
  readonly token: number;
}

/** Called when a task has everything it needs; what it needs is held until what it returns has settled. */
export type StartTask = (context: StartContext) => unknown;

/** What a host task needs of the scheduler. */
export interface HostTaskOwner {
  ended(task: HostTask): void;
}

const NOTHING_HELD: ScheduledRun['held'] = Object.freeze([]);

/** The ticket of a host task: it starts by itself instead of through the log. */
class HostTicket extends Ticket {
  declare readonly run: HostTask;

  override begin(): void {
    this.run.begin(this);
  }

  override renew(): Ticket {
    return new HostTicket(this.run, this.scope, this.index, this.order);
  }
}

/** How a host task is made. */
export interface HostTaskParts {
  readonly runId: string;
  readonly plan: CompiledPlan;
  readonly bound: BoundPlan;
  readonly submission: number;
  readonly order: number;
  readonly dependencies: readonly HostTask[];
  readonly start: StartTask;
  readonly owner: HostTaskOwner;
}

/** A run of one task, for the queue. */
export class HostTask implements ScheduledRun {
  readonly runId: string;
  readonly taskId: string;
  readonly submission: number;
  /** Never logged and never folded: it orders the task, and holds its priority. */
  readonly state: RunState;
  readonly isHeld = false;
  readonly held = NOTHING_HELD;
  readonly dependencies: readonly HostTask[];
  status: TaskStatus = 'created';
  ticket: Ticket;
  output: unknown;
  /** What it threw, or why it was cancelled or skipped. */
  error: unknown;
  readonly #bound: BoundPlan;
  readonly #owner: HostTaskOwner;
  readonly #start: StartTask;
  readonly #controller = new AbortController();
  readonly #waiters: (() => void)[] = [];

  constructor(parts: HostTaskParts) {
    this.runId = parts.runId;
    this.taskId = parts.plan.ids[0] as string;
    this.submission = parts.submission;
    this.state = initialState(parts.runId, parts.plan);
    this.dependencies = parts.dependencies;
    this.#bound = parts.bound;
    this.#owner = parts.owner;
    this.#start = AsyncResource.bind(parts.start);
    this.ticket = new HostTicket(this, this.scope, 0, parts.order);
  }

  get scope(): ScopeState {
    return this.state.scopes[0] as ScopeState;
  }

  get isOver(): boolean {
    return isTaskFinished(this.status);
  }

  groupOf(): Group {
    return this.#bound.groups[0] as Group;
  }

  ticketOf(): Ticket {
    return this.ticket;
  }

  setTicket(_scope: ScopeState, _index: number, ticket: Ticket | undefined): void {
    if (ticket !== undefined) this.ticket = ticket;
  }

  /** Everything was taken: its function is called once this turn is over. */
  begin(ticket: Ticket): void {
    ticket.phase = 'running';
    ticket.attempt = 1;
    this.status = 'in_progress';
    queueMicrotask(() => void this.#run(ticket));
  }

  async #run(ticket: Ticket): Promise<void> {
    const { runId, taskId } = this;
    try {
      const signal = this.#controller.signal;
      // Cancelled before it began: it does not begin.
      if (signal.aborted) throw signal.reason;
      const output = await this.#start({ runId, path: taskId, taskId, signal, token: ticket.fence });
      this.end(this.#controller.signal.aborted ? 'cancelled' : 'completed', output);
    } catch (thrown) {
      this.end(this.#controller.signal.aborted ? 'cancelled' : 'failed', thrown);
    }
  }

  /** Tells its function to stop. */
  abort(reason: OrchestratorError): void {
    this.error = reason;
    this.#controller.abort(reason);
  }

  /** @param outcome - the output of a completed task, else why it ended so */
  end(status: TaskStatus, outcome: unknown): void {
    if (this.isOver) return;
    this.status = status;
    if (status === 'completed') this.output = outcome;
    else this.error ??= outcome;
    this.#owner.ended(this);
    for (const waiter of this.#waiters.splice(0)) waiter();
  }

  /** The output; rejects with what it threw, or with why it did not run. */
  result(): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        if (this.status === 'completed') resolve(this.output);
        else reject(this.error);
      };
      if (this.isOver) settle();
      else this.#waiters.push(settle);
    });
  }
}

/** Why a host task ended without being asked to run. */
export function cancelled(path: string, reason: unknown): OrchestratorError {
  return new OrchestratorError('TASK_CANCELLED', `task ${JSON.stringify(path)} was cancelled`, {
    cause: reason,
  });
}
