/**
 * Gives what this process holds of a run its place in another plan.
 *
 * Owns: nothing. Who may call it: the instruction runner, when a run was moved; the reloader, when its state was read
 * again and may have another plan.
 *
 * RM1  What is in progress keeps its ticket, with all it holds; what waits is scheduled anew by the machine.
 * RM2  What was to be done by the old plan, and is done only now, finds its task by name or not at all.
 */
import type { RareInstruction } from '../../machine/instructions.ts';
import type { ScopeState } from '../../machine/state.ts';
import type { OrchestratorError } from '../../model/errors.ts';
import type { TaskPath } from '../../model/path.ts';
import type { AnyTask } from '../../model/task.ts';
import type { TaskScheduler } from '../scheduling/task-scheduler.ts';
import { type Ticket, watchOf } from '../scheduling/ticket.ts';
import type { AttemptManager } from './attempt-manager.ts';
import type { LiveRun } from './live-run.ts';
import type { RegisteredWorkflow } from './version-list.ts';

/** How a run is moved to another version. */
export interface MoveOptions {
  /** Tasks of the new version that begin anew although they have not changed, such as after their code has. Default: none. */
  readonly again?: readonly TaskPath[] | undefined;
  /** Only says what would become of it. Default `false`. */
  readonly dryRun?: boolean | undefined;
}

/** What a move does, or has done, to a run. Whatever is not named stands as it stood. */
export interface RunMove {
  readonly runId: string;
  /** The version that it leaves. */
  readonly from: number;
  /** The version that it goes on with. */
  readonly to: number;
  /** Tasks of both that had begun and begin anew: they, or something that they depend on, have changed. */
  readonly again: readonly TaskPath[];
  /** Tasks that only the new version has. */
  readonly added: readonly TaskPath[];
  /** Tasks that only the old one had. */
  readonly removed: readonly TaskPath[];
}

/** What became of the runs of a workflow that were to be moved. */
export interface MovedRuns {
  readonly moved: readonly RunMove[];
  /** Those that stay with their version, and why. */
  readonly refused: readonly { readonly runId: string; readonly error: OrchestratorError }[];
}

/** A version that was appended by a rollback, and the runs that were to go on with it. */
export interface RolledBack extends MovedRuns {
  readonly registered: RegisteredWorkflow;
}

/** The run has another plan: its running tickets move there, all others end. */
export function replanRun(run: LiveRun, scheduler: TaskScheduler, attempts: AttemptManager): void {
  const tickets = [...run.tickets()];
  run.forgetTickets();
  run.bind(scheduler.bind(run.state.plan));
  for (const ticket of tickets)
    if (isInProgress(ticket) && moveTicket(run, ticket)) attempts.moved(ticket);
    else attempts.end(ticket);
}

/** Its task has started, whether its body runs already or not. */
function isInProgress({ phase, started }: Ticket): boolean {
  return phase === 'admitted' || phase === 'running' || started;
}

/** Points a ticket at its task in the current state of its run; `false` when there is no such task. */
export function moveTicket(run: LiveRun, ticket: Ticket): boolean {
  const place = placeNow(run, ticket.scope, ticket.index);
  if (place === undefined) return false;
  if (place.scope.plan !== ticket.scope.plan)
    watchOf(ticket).begunAs ??= ticket.scope.plan.tasks[ticket.index] as AnyTask;
  ticket.scope = place.scope;
  ticket.index = place.index;
  run.setTicket(place.scope, place.index, ticket);
  return true;
}

/** Where a task of a state that may be gone stands now. */
export function placeNow(
  { state }: LiveRun,
  scope: ScopeState,
  index: number,
): { readonly scope: ScopeState; readonly index: number } | undefined {
  const now = scope.prefix === '' ? state.scopes[0] : state.scopeByPrefix.get(scope.prefix);
  const found = now?.plan.indexOf.get(scope.plan.ids[index] as string);
  return now === undefined || found === undefined ? undefined : { scope: now, index: found };
}

/** An instruction that was given by a state that is gone, as it is to be carried out now; nothing if it is not. */
export function instructionNow(run: LiveRun, instruction: RareInstruction): RareInstruction | undefined {
  if (!('scope' in instruction) || run.state.scopes[instruction.scope.number] === instruction.scope)
    return instruction;
  // The new state has given all that waits anew; only what is under way has nobody else to stop it.
  if (instruction.type !== 'Abort') return undefined;
  const place = placeNow(run, instruction.scope, instruction.index);
  return place === undefined ? undefined : { ...instruction, ...place };
}
