import { quote } from '../base/values.ts';
import { type OrchestratorError, refuse } from './errors.ts';
import type { CompiledPlan } from './plan.ts';
import type { AnyTask } from './task.ts';

/** What of a plan says who needs which output. */
type Edges = Pick<CompiledPlan, 'tasks' | 'listed' | 'dependencyStart' | 'dependencies' | 'dependentStart'>;

/**
 * Checks that nobody else needs what tasks with `transfer` are given by moving it.
 *
 * @returns whether there is such a task
 * @throws OrchestratorError `OPTION_CONFLICT`
 */
export function checkTransfers(edges: Edges, at: string): boolean {
  const { tasks } = edges;
  let found = false;
  for (let i = 0; i < tasks.length; i++) {
    if (!(tasks[i] as AnyTask).policies.transfer) continue;
    found = true;
    checkSoleReader(edges, i, at);
  }
  return found;
}

function checkSoleReader(edges: Edges, index: number, at: string): void {
  const { tasks, listed, dependencyStart, dependencies, dependentStart } = edges;
  const end = dependencyStart[index + 1] as number;
  for (let e = dependencyStart[index] as number; e < end; e++) {
    const from = dependencies[e] as number;
    const readers = (dependentStart[from + 1] as number) - (dependentStart[from] as number);
    if (readers === 1 && from >= listed) continue;
    const name = quote((tasks[from] as AnyTask).taskId);
    throw refuse('OPTION_CONFLICT', {
      at: `${at} task ${JSON.stringify((tasks[index] as AnyTask).taskId)}/transfer`,
      found:
        readers > 1
          ? `true, with ${name}, on which ${readers} tasks depend`
          : `true, with ${name}, which is an output of the run`,
      allowed: 'true where no other task and no output of the run needs what is moved',
      hint:
        readers > 1
          ? 'Leave transfer out: the value is copied then.'
          : 'Leave that task out of `tasks`: it joins as a dependency.',
    });
  }
}

/** The refusal of a run whose values cannot be moved, since the store keeps the values themselves. */
export function unmovable({ name, tasks }: Pick<CompiledPlan, 'name' | 'tasks'>): OrchestratorError {
  const task = tasks.find(({ policies }) => policies.transfer);
  return refuse('OPTION_CONFLICT', {
    at: `workflow ${JSON.stringify(name)} task ${JSON.stringify(task?.taskId)}/transfer`,
    found: 'true, with a store that keeps the values themselves',
    allowed: 'true with a store that keeps them in another form, such as in files',
    hint: 'Leave transfer out, or open the orchestrator with such a store.',
  });
}
