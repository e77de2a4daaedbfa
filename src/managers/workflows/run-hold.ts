/**
 * Pausing of one run: its ready tasks leave the queue and come back.
 *
 * Owns: nothing. Who may call it: the run loop, when it carries out `Hold` and `Unhold`.
 *
 * RH1  While a run is held no ticket of it waits in the queue; what runs by its log goes on.
 * RH2  Each task that was ready comes back exactly once.
 */
import { CREATED, RETRYING } from '../../machine/transitions.ts';
import type { TaskScheduler } from '../scheduling/task-scheduler.ts';
import type { LiveRun } from './live-run.ts';

/** Takes the ready tasks of a run out of the queue. */
export function holdRun(run: LiveRun, scheduler: TaskScheduler): void {
  run.isHeld = true;
  for (const ticket of run.tickets()) {
    // By its log it runs already: only this process has still to give it a body, after a reload.
    if (ticket.started || !scheduler.withdraw(ticket)) continue;
    run.held.push({ scope: ticket.scope, index: ticket.index });
  }
}

/** Puts them back. */
export function unholdRun(run: LiveRun, scheduler: TaskScheduler): void {
  run.isHeld = false;
  for (const { scope, index } of run.held.splice(0)) {
    const status = scope.status[index];
    // It may have been cancelled while it was held.
    if (status !== CREATED && status !== RETRYING) continue;
    const ticket = scheduler.createTicket(run, scope, index);
    // Its total time limit went on while it was held.
    ticket.watch = run.ticketOf(scope, index)?.watch;
    run.setTicket(scope, index, ticket);
    scheduler.enqueue(ticket);
  }
}
