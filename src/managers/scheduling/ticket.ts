/**
 * One attempt of one task on its way: waiting for its needs, in progress, over.
 *
 * Owns: what an attempt needs while it lives (its signal, its timers, what it holds). Who may change it: the
 * task scheduler (where it waits) and the attempt manager (while its body runs).
 *
 * TK1  A ticket holds its needs exactly from `admitted` to the end of `running`.
 * TK2  It goes through its phases forwards only: delayed, waiting, admitted, running, over.
 */

import type { RestartTask } from '../../machine/commands.ts';
import type { StopCause } from '../../machine/events.ts';
import type { RunState, ScopeState } from '../../machine/state.ts';
import type { TaskFailure } from '../../model/failure.ts';
import type { AnyTask } from '../../model/task.ts';
import type { Invocation } from '../../ports/executor.ts';
import type { Group } from '../resources/ledger.ts';
import type { Waiter, WaiterComparator } from '../resources/need-group.ts';
import type { Timer } from './timers.ts';

/** What the scheduler needs to know of a run. */
export interface ScheduledRun {
  readonly runId: string;
  /** Runs are numbered in the order of their submission. */
  readonly submission: number;
  readonly state: RunState;
  /** Whether it was paused by itself, so that none of its tasks waits in the queue. */
  readonly isHeld: boolean;
  /** Its ready tasks while it is held. */
  readonly held: readonly { readonly scope: ScopeState; readonly index: number }[];
  /** The needs of the tasks of a plan, by task number. */
  groupOf(scope: ScopeState, index: number): Group;
  ticketOf(scope: ScopeState, index: number): Ticket | undefined;
  setTicket(scope: ScopeState, index: number, ticket: Ticket | undefined): void;
}

export type TicketPhase = 'delayed' | 'waiting' | 'admitted' | 'running' | 'over';

/** What watches over an attempt. */
export interface TicketWatch {
  /** Why its body was told to stop. */
  stop: { readonly cause: StopCause; readonly reason: TaskFailure; readonly thrown: unknown } | undefined;
  controller: AbortController | undefined;
  /** The time limit of the attempt, or the wait for its start. */
  timer: Timer | undefined;
  /** The total time limit of the task. */
  deadlineTimer: Timer | undefined;
  heartbeatTimer: Timer | undefined;
  /** The grace of a body that was told to stop. */
  graceTimer: Timer | undefined;
  /** Ends what its handler took beside its needs. */
  onEnd: (() => void) | undefined;
  /** Its task as it was when the attempt began, if the run was moved to another version since. */
  begunAs: AnyTask | undefined;
}

/** What watches over the attempt of a ticket; made when it is first asked for. */
export function watchOf(ticket: Ticket): TicketWatch {
  ticket.watch ??= {
    stop: undefined,
    controller: undefined,
    timer: undefined,
    deadlineTimer: undefined,
    heartbeatTimer: undefined,
    graceTimer: undefined,
    onEnd: undefined,
    begunAs: undefined,
  };
  return ticket.watch;
}

export class Ticket implements Waiter {
  readonly run: ScheduledRun;
  /** Both change only when the state of the run is read again, or the run is moved to another version. */
  scope: ScopeState;
  index: number;
  readonly group: Group;
  rank = 0;
  subRank = 0;
  readonly order: number;
  by: WaiterComparator | undefined;
  queued = false;
  phase: TicketPhase = 'waiting';
  /** The attempt it stands for; 0 until it has started. */
  attempt = 0;
  /** Whether `TaskStarted` is in the log although the body was never run; after a reload. */
  started = false;
  /** By which its body is to run again, when another process may have begun it. */
  restart: RestartTask | undefined;
  /** What it holds was not given back yet. */
  holding = false;
  /** What its executor was given. */
  invocation: Invocation | undefined;
  /** Its signal and timers; most attempts have none. */
  watch: TicketWatch | undefined;
  /** The fencing token of its locks; greater than those of all earlier holders. */
  fence = 0;

  /** Whether it is to hold locks, and so needs a token. */
  get hasLocks(): boolean {
    return (this.scope.plan.tasks[this.index]?.policies.locks.length ?? 0) > 0;
  }

  constructor(run: ScheduledRun, scope: ScopeState, index: number, order: number) {
    this.run = run;
    this.scope = scope;
    this.index = index;
    this.group = run.groupOf(scope, index);
    this.order = order;
  }

  /** Goes the way of its kind when everything was taken for it. */
  begin(start: (ticket: Ticket) => void): void {
    start(this);
  }

  /** A ticket that takes its place: one that has left the queue stands in it, dead, until it is swept out. */
  renew(): Ticket {
    const fresh = new Ticket(this.run, this.scope, this.index, this.order);
    fresh.watch = this.watch;
    fresh.started = this.started;
    fresh.restart = this.restart;
    fresh.attempt = this.attempt;
    return fresh;
  }
}
