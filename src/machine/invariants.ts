/**
 * What is true of every state of a run that any list of commands can lead to.
 *
 * Who may call it: tests and simulations; it looks at every task, so the loop does not.
 *
 * The list of violations is empty for a sound state; each entry names the invariant that is broken:
 *
 * I1   a task in progress, retrying or completed had all its dependencies' ends
 * I2   a task was started again only if it has started
 * I4   attempts are counted from 1 and only by tasks that have started
 * I10  in a run that has not ended something can still happen
 * I11  a run has ended if and only if all its tasks have
 * N1   `open` and `unmet` are what a recount gives
 */
import { isSettledEdge } from '../model/plan.ts';
import { isRunFinished } from '../model/status.ts';
import { peekDetails, type RunState, type ScopeState } from './state.ts';
import {
  CANCELLED,
  COMPLETED,
  CREATED,
  FAILED,
  IN_PROGRESS,
  isTerminal,
  RETRYING,
  SKIPPED,
} from './transitions.ts';

/** The invariants that a state breaks, in words; empty when it is sound. */
export function checkInvariants(state: RunState): readonly string[] {
  const broken: string[] = [];
  for (const scope of state.scopes) checkScope(scope, broken);
  if (state.seq === 0) return broken;
  const open = state.scopes.some((scope) => scope.open > 0);
  if (isRunFinished(state.status) === open)
    broken.push(`I11: the run is ${state.status} and ${open ? 'some tasks are open' : 'no task is open'}`);
  if (open && !canProceed(state))
    broken.push('I10: the run has open tasks, and none of them can ever start or end');
  return broken;
}

function checkScope(scope: ScopeState, broken: string[]): void {
  let open = 0;
  for (let i = 0; i < scope.plan.size; i++) {
    const status = scope.status[i] as number;
    if (!isTerminal(status)) open++;
    checkTask(scope, i, status, broken);
  }
  if (open !== scope.open)
    broken.push(`N1: scope "${scope.prefix}" counts ${scope.open} open tasks, a recount gives ${open}`);
}

function checkTask(scope: ScopeState, index: number, status: number, broken: string[]): void {
  const id = scope.plan.ids[index];
  const unmet = recountUnmet(scope, index);
  if (unmet !== scope.unmet[index])
    broken.push(`N1: task "${id}" counts ${scope.unmet[index]} unmet dependencies, a recount gives ${unmet}`);
  const started = status === IN_PROGRESS || status === RETRYING || status === COMPLETED;
  if (started && unmet !== 0) broken.push(`I1: task "${id}" has started before ${unmet} of its dependencies`);
  const attempts = (scope.attempts[index] as number) - (peekDetails(scope, index)?.earlierAttempts ?? 0);
  if (started !== attempts > 0 && status !== FAILED && status !== CANCELLED)
    broken.push(`I4: task "${id}" has made ${attempts} attempts`);
  if (peekDetails(scope, index)?.restarts !== undefined && scope.attempts[index] === 0)
    broken.push(`I2: task "${id}" was started again, and has not started`);
  if (status === RETRYING && peekDetails(scope, index)?.dueAt === undefined)
    broken.push(`I10: task "${id}" waits for an attempt that has no time`);
}

function recountUnmet(scope: ScopeState, index: number): number {
  const { plan, status } = scope;
  let unmet = 0;
  for (let e = plan.dependencyStart[index] as number; e < (plan.dependencyStart[index + 1] as number); e++) {
    const dependency = plan.dependencies[e] as number;
    if (!isMet(scope, dependency, index, status[dependency] as number)) unmet++;
  }
  return unmet;
}

function isMet(scope: ScopeState, dependency: number, index: number, status: number): boolean {
  if (status === COMPLETED) return true;
  if (status === SKIPPED && peekDetails(scope, dependency)?.condition === false) return true;
  return isTerminal(status) && isSettledEdge(scope.plan, dependency, index);
}

/** Whether some task is under way, waits for a time, or has all its dependencies. */
function canProceed(state: RunState): boolean {
  return state.scopes.some((scope) => {
    for (let i = 0; i < scope.plan.size; i++) {
      const status = scope.status[i];
      if (status === IN_PROGRESS || status === RETRYING || (status === CREATED && scope.unmet[i] === 0))
        return true;
    }
    return false;
  });
}
