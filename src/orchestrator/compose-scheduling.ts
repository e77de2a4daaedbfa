/**
 * Joins the ledger with the managers that share it.
 *
 * Owns: nothing. Who may call it: the composition.
 */

import { ConcurrencyController } from '../managers/concurrency/concurrency-controller.ts';
import type { ConcurrencyParts } from '../managers/concurrency/concurrency-parts.ts';
import { Claims } from '../managers/resources/claims.ts';
import { Holders } from '../managers/resources/holders.ts';
import type { Ledger } from '../managers/resources/ledger.ts';
import { ResourceManager } from '../managers/resources/resource-manager.ts';
import { NeedsBook } from '../managers/scheduling/needs-book.ts';
import { orderOf } from '../managers/scheduling/policy.ts';
import { TaskScheduler } from '../managers/scheduling/task-scheduler.ts';
import type { Ticket } from '../managers/scheduling/ticket.ts';
import type { Timers } from '../managers/scheduling/timers.ts';
import type { RunDirectory } from '../managers/workflows/run-directory.ts';
import type { RunLoop } from '../managers/workflows/run-loop.ts';
import type { Clock } from '../ports/clock.ts';
import type { Logger } from '../ports/logger.ts';
import { applyPriorities } from './apply-priorities.ts';
import { ledgerOf } from './ledger-of.ts';
import type { CheckedOptions } from './options.ts';
import { runTable } from './run-table.ts';

/** What they need of the others. */
export interface SchedulingContext {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly epoch: number;
  readonly wake: (late?: boolean) => void;
  readonly logger: Logger;
  readonly directory: RunDirectory;
  readonly loop: () => RunLoop;
}

/** What shares the ledger. */
export interface Scheduling {
  readonly ledger: Ledger;
  readonly scheduler: TaskScheduler;
  readonly resources: ResourceManager;
  readonly concurrency: ConcurrencyController;
  readonly claims: Claims;
  readonly holders: Holders;
  readonly needs: NeedsBook;
}

/** The one ledger, and the three managers that share it. */
export function composeScheduling(
  options: CheckedOptions,
  { clock, timers, epoch, wake, logger, directory, loop }: SchedulingContext,
): Scheduling {
  const ledger = ledgerOf(options.resources);
  const needs = new NeedsBook(ledger, options.concurrency, options.agents);
  const complain = (error: Error): void =>
    logger.error({ error: error.message }, 'a comparator or listener of the task scheduler is at fault');
  const holders = new Holders({
    tickets: () => liveTickets(directory, scheduler),
    claims: () => claims.records(),
  });
  const scheduler: TaskScheduler = new TaskScheduler({
    ledger,
    needs,
    timers,
    policy: options.policy,
    epoch,
    wake,
    complain,
    holders,
    asked: () => claims.asked,
    runs: runTable({ directory, loop, scheduler: () => scheduler }),
    nextSubmission: () => directory.nextSubmission(),
    onTurn: (watcher) => loop().onTurn(watcher),
  });
  const setTimer = (delayMs: number, callback: () => void): (() => void) => {
    const timer = timers.set(delayMs, callback);
    return () => timers.stop(timer);
  };
  const claims: Claims = new Claims({
    ledger,
    nextOrder: () => orderOf(directory.nextSubmission(), 0),
    nextToken: () => scheduler.nextToken(),
    setTimer,
    wake,
  });
  return {
    ledger,
    scheduler,
    claims,
    holders,
    needs,
    resources: new ResourceManager({
      ledger,
      claims,
      wake,
      holders,
      monotonic: () => timers.monotonic(),
      onTurn: (watcher) => loop().onTurn(watcher),
      globalRow: needs.global,
      agentRows: (agent) => needs.agentRows(agent),
      hold: () => clock.hold(),
      applyPriorities: (order) => applyPriorities(order, directory, scheduler),
    }),
    concurrency: new ConcurrencyController({
      nextOrder: () => orderOf(directory.nextSubmission(), 0),
      needsBeside: (task, at) =>
        needs.needsOf(task, [{ row: needs.global, amount: 1 }], at).filter(({ row }) => row.kind !== 'lock'),
      ...{ ledger, claims, global: needs.global, wake, setTimer, ...deadlocksTo(logger, options.deadlocks) },
      now: () => clock.now(),
      tickets: () => liveTickets(directory, scheduler),
    }),
  };
}

/** The logger is told of each deadlock, broken or not. */
function deadlocksTo(
  logger: Logger,
  deadlocks: 'resolve' | 'report',
): Pick<ConcurrencyParts, 'deadlocks' | 'onDeadlock'> {
  const onDeadlock = (deadlock: object): void =>
    logger.warn({ ...deadlock }, 'a deadlock of locks was found');
  return { deadlocks, onDeadlock };
}

/** The tickets of all runs, and of the tasks that the host has scheduled by itself. */
function* liveTickets(directory: RunDirectory, scheduler: TaskScheduler): IterableIterator<Ticket> {
  for (const run of directory.all()) yield* run.tickets();
  yield* scheduler.hostTickets();
}
