/**
 * In which order ready tasks start, as numbers that the queue compares.
 *
 * - `priority` (default): effective priority, then submission;
 * - `critical-path`: effective priority, then the longest remaining path, then submission;
 * - `fifo`: submission alone.
 *
 * Submission means that of the run, then the position in the definition.
 *
 * Who may call it: the task scheduler.
 *
 * O1  The order is total: no two tickets have the same place.
 */

import { pathIn, priorityOf } from '../../machine/state.ts';
import { checkFunction, invalidOption } from '../../model/checks.ts';
import { OrchestratorError } from '../../model/errors.ts';
import { type CompiledPlan, remainingPaths } from '../../model/plan.ts';
import type { AnyTask } from '../../model/task.ts';
import { TASKS_MAX } from '../../model/workflow-data.ts';
import type { WaiterComparator } from '../resources/need-group.ts';
import type { Ticket } from './ticket.ts';

/** The ready task as a host's comparator sees it. */
export interface ReadyTask {
  readonly runId: string;
  readonly path: string;
  readonly taskId: string;
  readonly agentAssigned: string | undefined;
  /** The highest of its own priority and of those that depend on it, plus that of its run. */
  readonly priority: number;
  /** Milliseconds, or tasks where no duration was estimated. */
  readonly remainingPath: number;
  /** The position of the run among all. */
  readonly submission: number;
}

/** Negative when `a` starts before `b`. */
export type ReadyTaskComparator = (a: ReadyTask, b: ReadyTask) => number;

/** The name of an order, or a comparator of the host. */
export type SchedulingPolicy = 'priority' | 'critical-path' | 'fifo' | ReadyTaskComparator;

/** The distance between two runs in the numbers that order tickets; positions lie between. */
const POSITIONS = 2 ** Math.ceil(Math.log2(TASKS_MAX + 1));

/** @throws OrchestratorError `OPTION_INVALID` */
export function checkPolicy(value: unknown, at: string): SchedulingPolicy {
  if (value === undefined) return 'priority';
  if (value === 'priority' || value === 'critical-path' || value === 'fifo') return value;
  if (typeof value === 'function') return checkFunction(value, at, 'a comparator') as SchedulingPolicy;
  throw invalidOption(
    at,
    value,
    'priority, critical-path, fifo, or a function that compares two ready tasks',
  );
}

const remaining = new WeakMap<CompiledPlan, Float64Array>();

/** The number that orders a ticket among equals. */
export function orderOf(submission: number, position: number): number {
  return submission * POSITIONS + Math.min(position, POSITIONS - 1);
}

/** Sets the numbers of a ticket by a policy that has a name. */
export function rankTicket(ticket: Ticket, policy: 'priority' | 'critical-path' | 'fifo'): void {
  if (policy === 'fifo') {
    ticket.rank = 0;
    ticket.subRank = 0;
    return;
  }
  ticket.rank = priorityOf(ticket.run.state, ticket.scope, ticket.index);
  ticket.subRank = policy === 'critical-path' ? remainingPathOf(ticket.scope.plan, ticket.index) : 0;
}

/** The longest remaining path from a task; computed once for a plan. */
export function remainingPathOf(plan: CompiledPlan, index: number): number {
  let paths = remaining.get(plan);
  if (paths === undefined) {
    paths = remainingPaths(plan);
    remaining.set(plan, paths);
  }
  return paths[index] as number;
}

/** The ready task that a ticket stands for. */
export function readyTaskOf(ticket: Ticket): ReadyTask {
  const { run, scope, index } = ticket;
  const task = scope.plan.tasks[index] as AnyTask;
  return {
    runId: run.runId,
    path: pathIn(scope, index),
    taskId: task.taskId,
    agentAssigned: task.agentAssigned,
    priority: priorityOf(run.state, scope, index),
    remainingPath: remainingPathOf(scope.plan, index),
    submission: run.submission,
  };
}

/**
 * Turns a comparator of the host into one for the queue. It is asked both ways; where it answers no number, or
 * the same way twice, or throws, their priorities decide and `complain` is told, once for each comparator.
 */
export function guardComparator(
  compare: ReadyTaskComparator,
  complain: (error: OrchestratorError) => void,
): WaiterComparator {
  let complained = false;
  const refuse = (a: ReadyTask, b: ReadyTask, forth: unknown, back: unknown, cause?: unknown): number => {
    if (!complained) complain(comparatorError(a, b, forth, back, cause));
    complained = true;
    return 0;
  };
  return (first, second) => {
    const a = readyTaskOf(first as Ticket);
    const b = readyTaskOf(second as Ticket);
    try {
      const forth: unknown = compare(a, b);
      const back: unknown = compare(b, a);
      const sound =
        typeof forth === 'number' && typeof back === 'number' && Math.sign(forth) === -Math.sign(back);
      return sound ? forth : refuse(a, b, forth, back);
    } catch (cause) {
      return refuse(a, b, 'nothing: it threw', 'nothing', cause);
    }
  };
}

function comparatorError(
  a: ReadyTask,
  b: ReadyTask,
  forth: unknown,
  back: unknown,
  cause: unknown,
): OrchestratorError {
  const found = `${String(forth)} for (${a.path}, ${b.path}) and ${String(back)} for (${b.path}, ${a.path})`;
  return new OrchestratorError(
    'OPTION_INVALID',
    `the comparator of ready tasks: found ${found}; allowed: numbers of opposite sign, or 0 and 0. Their priorities decided instead.`,
    { details: { a: a.path, b: b.path }, cause },
  );
}
