/** What can be wrong with the graph of a workflow, and the words for it. */
import { nearestName } from '../base/nearest.ts';
import { quote } from '../base/values.ts';
import type { DependencySpec } from './dependency.ts';
import { type OrchestratorError, refuse } from './errors.ts';
import { findCycles } from './find-cycles.ts';
import type { AnyTask } from './task.ts';
import type { Definition } from './workflow-data.ts';

const CYCLE_NAMES_SHOWN = 24;

/** The dependents of task `i` are `targets[start[i] … start[i + 1])`. */
interface Dependents {
  readonly start: Int32Array;
  readonly targets: Int32Array;
}

/** Everything that is wrong with the graph of a workflow; compiling stops at the first of it. */
export function graphFaults(workflow: Definition): readonly OrchestratorError[] {
  const at = `workflow ${JSON.stringify(workflow.name)}`;
  const faults: OrchestratorError[] = [];
  const tasks: AnyTask[] = [];
  const indexOf = new Map<string, number>();
  const add = (task: AnyTask, place: string): void => {
    if (indexOf.has(task.taskId)) faults.push(duplicate(task.taskId, place));
    else indexOf.set(task.taskId, tasks.push(task) - 1);
  };
  for (const [i, task] of workflow.tasks.entries()) add(task, `${at}/tasks/${i}`);
  for (const [i, task] of workflow.joined.entries()) add(task, `${at}/joined/${i}`);
  for (let i = 0; i < tasks.length; i++) {
    for (const { taskId, target } of (tasks[i] as AnyTask).dependencySpecs) {
      if (target === undefined) continue;
      const known = indexOf.get(taskId);
      if (known === undefined || tasks[known] !== target) add(target as AnyTask, `${at}/tasks`);
    }
  }
  const lists: number[][] = tasks.map(() => []);
  tasks.forEach((task, i) => {
    for (const spec of task.dependencySpecs) {
      const from = indexOf.get(spec.taskId);
      if (from === undefined || from === i) faults.push(badDependency(task, spec, indexOf, at));
      else lists[from]?.push(i);
    }
  });
  const start = new Int32Array(tasks.length + 1);
  lists.forEach((list, i) => {
    start[i + 1] = (start[i] as number) + list.length;
  });
  const dependents = { start, targets: Int32Array.from(lists.flat()) };
  if (findCycles({ size: tasks.length, ...dependents }).length > 0)
    faults.push(cycleError(tasks, dependents, at));
  return faults;
}

/** Two tasks have one id. */
export function duplicate(id: string, at: string): OrchestratorError {
  return refuse('ID_DUPLICATE', {
    at,
    found: `a second task with the id ${quote(id)}`,
    allowed: 'different ids',
    hint: 'Rename one of the two tasks.',
  });
}

/** A dependency on an unknown task, or on the task itself. */
export function badDependency(
  task: AnyTask,
  spec: DependencySpec,
  indexOf: ReadonlyMap<string, number>,
  at: string,
): OrchestratorError {
  const place = `${at} task ${JSON.stringify(task.taskId)}/dependencies`;
  if (spec.taskId === task.taskId) {
    return refuse('DEPENDENCY_SELF', {
      at: place,
      found: 'the task itself',
      allowed: 'other tasks',
      hint: 'Remove the dependency.',
    });
  }
  const nearest = nearestName(spec.taskId, indexOf.keys());
  return refuse(
    'DEPENDENCY_UNKNOWN',
    {
      at: place,
      found: `the unknown task ${quote(spec.taskId)}`,
      allowed: 'a task of this workflow',
      hint: nearest === undefined ? undefined : `Did you mean ${JSON.stringify(nearest)}?`,
    },
    {
      details: {
        taskId: task.taskId,
        dependency: spec.taskId,
        ...(nearest === undefined ? undefined : { nearest }),
      },
    },
  );
}

/** One shortest cycle of each part of the graph that has any. */
export function cycleError(tasks: readonly AnyTask[], dependents: Dependents, at: string): OrchestratorError {
  const found = findCycles({ size: tasks.length, start: dependents.start, targets: dependents.targets });
  const cycles = found.map((cycle) =>
    [...cycle, cycle[0] as number].map((i) => (tasks[i] as AnyTask).taskId),
  );
  const shown = cycles.slice(0, 10).map(printCycle).join('; ');
  const more = cycles.length > 10 ? `; and ${cycles.length - 10} more` : '';
  return refuse(
    'DEPENDENCY_CYCLE',
    {
      at,
      found: cycles.length === 1 ? `a cycle: ${shown}` : `${cycles.length} cycles: ${shown}${more}`,
      allowed: 'dependencies without a cycle',
      hint: 'Each task must run before the next one named; remove one dependency of each cycle.',
    },
    { details: { cycles } },
  );
}

function printCycle(names: readonly string[]): string {
  if (names.length <= CYCLE_NAMES_SHOWN) return names.join(' > ');
  const half = CYCLE_NAMES_SHOWN / 2;
  return [...names.slice(0, half), `… ${names.length - 2 * half} more …`, ...names.slice(-half)].join(' > ');
}
