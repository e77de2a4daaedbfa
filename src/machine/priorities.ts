/**
 * Priorities that change while a run goes on.
 *
 * Who may call it: `evolve`, which writes them, and `react`, which says whose place has changed.
 *
 * PR1  The effective priority of a task is the highest of its own and of those that depend on it.
 * PR2  A change costs as much as there are tasks above the changed one whose priority it moves, not the whole run.
 */
import type { AnyTask } from '../model/task.ts';
import { peekDetails, type ScopeState } from './state.ts';
import { isTerminal } from './transitions.ts';

/** Works out the effective priorities after the own one of a task has changed. */
export function spreadPriority(scope: ScopeState, index: number): void {
  scope.effective ??= scope.plan.priority.slice();
  const { plan, effective } = scope;
  const pending = [index];
  for (let i = pending.pop(); i !== undefined; i = pending.pop()) {
    const highest = highestOf(scope, i);
    if (highest === effective[i]) continue;
    effective[i] = highest;
    for (let e = plan.dependencyStart[i] as number; e < (plan.dependencyStart[i + 1] as number); e++) {
      pending.push(plan.dependencies[e] as number);
    }
  }
}

/** The task and all those above it that have not ended: the ones whose place a change may have moved. */
export function openAncestors(scope: ScopeState, index: number): readonly number[] {
  const { plan } = scope;
  const seen = new Set([index]);
  for (const i of seen) {
    for (let e = plan.dependencyStart[i] as number; e < (plan.dependencyStart[i + 1] as number); e++) {
      const dependency = plan.dependencies[e] as number;
      if (!isTerminal(scope.status[dependency] as number)) seen.add(dependency);
    }
  }
  return [...seen];
}

function highestOf(scope: ScopeState, index: number): number {
  const { plan } = scope;
  let highest = peekDetails(scope, index)?.priority ?? (plan.tasks[index] as AnyTask).priority;
  for (let e = plan.dependentStart[index] as number; e < (plan.dependentStart[index + 1] as number); e++) {
    const above = (scope.effective as Float64Array)[plan.dependents[e] as number] as number;
    if (above > highest) highest = above;
  }
  return highest;
}
