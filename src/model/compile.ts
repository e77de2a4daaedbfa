import { nearestName } from '../base/nearest.ts';
import { quote } from '../base/values.ts';
import type { DependencySpec } from './dependency.ts';
import { type OrchestratorError, refuse, unreadable } from './errors.ts';
import { findCycles } from './find-cycles.ts';
import type { CompiledPlan } from './plan.ts';
import type { AnyTask } from './task.ts';
import { type AnyWorkflow, TASKS_MAX } from './workflow.ts';

/** The most dependencies that one workflow can have, over all its tasks. */
export const EDGES_MAX = 10_000_000;
const CYCLE_NAMES_SHOWN = 24;

const compiled = new WeakMap<AnyWorkflow, CompiledPlan>();

/**
 * Checks a workflow as a whole and turns it into flat arrays. A workflow is compiled once; asking again gives
 * the same plan.
 *
 * @throws OrchestratorError `ID_DUPLICATE`, `DEPENDENCY_UNKNOWN`, `DEPENDENCY_SELF`, `DEPENDENCY_CYCLE`, `LIMIT_EXCEEDED`
 */
export function compile(workflow: AnyWorkflow): CompiledPlan {
  let plan = compiled.get(workflow);
  if (plan === undefined) {
    const at = `workflow ${JSON.stringify(workflow.name)}`;
    try {
      plan = build(workflow, at);
    } catch (thrown) {
      throw unreadable(thrown, 'DEFINITION_INVALID', at, 'tasks made by task(…)');
    }
    compiled.set(workflow, plan);
  }
  return plan;
}

function build(workflow: AnyWorkflow, at: string): CompiledPlan {
  const { tasks, indexOf } = gather(workflow, at);
  const size = tasks.length;
  const edges = link(tasks, indexOf, at);
  const reversed = reverse(size, edges);
  const order = sort(size, edges.unmet, reversed);
  if (order.length < size) throw cycleError(tasks, reversed, at);
  return {
    name: workflow.name,
    workflowId: workflow.workflowId,
    failurePolicy: workflow.failurePolicy,
    concurrency: workflow.concurrency,
    size,
    listed: workflow.tasks.length,
    ids: tasks.map((task) => task.taskId),
    indexOf,
    tasks,
    dependencyStart: edges.start,
    dependencies: edges.targets,
    dependentStart: reversed.start,
    dependents: reversed.targets,
    dependentSettled: reversed.settled,
    unmet: edges.unmet,
    order,
    priority: effectivePriorities(tasks, order, reversed),
    children: undefined,
  };
}

/** Lists the tasks, then those that joined as dependencies, each once. */
function gather(workflow: AnyWorkflow, at: string): { tasks: AnyTask[]; indexOf: Map<string, number> } {
  const tasks: AnyTask[] = workflow.tasks.slice();
  const indexOf = new Map<string, number>();
  for (let i = 0; i < tasks.length; i++) {
    const id = (tasks[i] as AnyTask).taskId;
    indexOf.set(id, i);
    // One look-up instead of two: an id that is known leaves the size as it was.
    if (indexOf.size === i) throw duplicate(id, `${at}/tasks/${i}`);
  }
  for (let i = 0; i < tasks.length; i++) {
    const specs = (tasks[i] as AnyTask).dependencySpecs;
    for (let d = 0; d < specs.length; d++) join(specs[d] as DependencySpec, tasks, indexOf, at);
  }
  if (tasks.length > TASKS_MAX) {
    throw refuse('LIMIT_EXCEEDED', { at, found: `${tasks.length} tasks`, allowed: `at most ${TASKS_MAX}` });
  }
  return { tasks, indexOf };
}

function join(spec: DependencySpec, tasks: AnyTask[], indexOf: Map<string, number>, at: string): void {
  if (spec.target === undefined) return;
  const known = indexOf.get(spec.taskId);
  if (known === undefined) {
    indexOf.set(spec.taskId, tasks.length);
    tasks.push(spec.target as AnyTask);
  } else if (tasks[known] !== spec.target) {
    throw duplicate(spec.taskId, `${at}/tasks`);
  }
}

interface Edges {
  readonly start: Int32Array;
  readonly targets: Int32Array;
  readonly settled: Uint8Array | undefined;
  readonly unmet: Int32Array;
}

/** Looks up every dependency; one that is named twice counts once, and the stricter of the two wins. */
function link(tasks: readonly AnyTask[], indexOf: ReadonlyMap<string, number>, at: string): Edges {
  const size = tasks.length;
  let total = 0;
  for (let i = 0; i < size; i++) total += (tasks[i] as AnyTask).dependencySpecs.length;
  if (total > EDGES_MAX) {
    throw refuse('LIMIT_EXCEEDED', {
      at,
      found: `${total} dependencies`,
      allowed: `at most ${EDGES_MAX} in one workflow`,
    });
  }
  const start = new Int32Array(size + 1);
  const targets = new Int32Array(total);
  const unmet = new Int32Array(size);
  const placeOf = new Int32Array(size).fill(-1);
  let settled: Uint8Array | undefined;
  let end = 0;
  for (let i = 0; i < size; i++) {
    const specs = (tasks[i] as AnyTask).dependencySpecs;
    const first = end;
    start[i] = first;
    for (let d = 0; d < specs.length; d++) {
      const spec = specs[d] as DependencySpec;
      const target = indexOf.get(spec.taskId);
      if (target === undefined || target === i) throw badDependency(tasks[i] as AnyTask, spec, indexOf, at);
      const place = placeOf[target] as number;
      if (place >= first) {
        if (!spec.settled && settled !== undefined) settled[place] = 0;
        continue;
      }
      placeOf[target] = end;
      if (spec.settled) {
        settled ??= new Uint8Array(total);
        settled[end] = 1;
      }
      targets[end++] = target;
    }
    unmet[i] = end - first;
  }
  start[size] = end;
  return { start, targets: end === total ? targets : targets.slice(0, end), settled, unmet };
}

interface Reversed {
  readonly start: Int32Array;
  readonly targets: Int32Array;
  readonly settled: Uint8Array | undefined;
}

/** Turns "depends on" into "is depended on by", with a counting sort. */
function reverse(size: number, edges: Edges): Reversed {
  const total = edges.targets.length;
  const start = new Int32Array(size + 1);
  for (let e = 0; e < total; e++) {
    const at = (edges.targets[e] as number) + 1;
    start[at] = (start[at] as number) + 1;
  }
  for (let i = 0; i < size; i++) start[i + 1] = (start[i + 1] as number) + (start[i] as number);
  const next = start.slice(0, size);
  const targets = new Int32Array(total);
  const settled = edges.settled === undefined ? undefined : new Uint8Array(total);
  for (let i = 0; i < size; i++) {
    const end = edges.start[i + 1] as number;
    for (let e = edges.start[i] as number; e < end; e++) {
      const from = edges.targets[e] as number;
      const place = next[from] as number;
      next[from] = place + 1;
      targets[place] = i;
      if (settled !== undefined) settled[place] = edges.settled?.[e] as number;
    }
  }
  return { start, targets, settled };
}

/** Kahn's topological sort (1962); shorter than `size` when there is a cycle. */
function sort(size: number, unmet: Int32Array, reversed: Reversed): Int32Array {
  const left = unmet.slice();
  const order = new Int32Array(size);
  let count = 0;
  for (let i = 0; i < size; i++) if (left[i] === 0) order[count++] = i;
  for (let k = 0; k < count; k++) {
    const i = order[k] as number;
    const end = reversed.start[i + 1] as number;
    for (let e = reversed.start[i] as number; e < end; e++) {
      const j = reversed.targets[e] as number;
      const rest = (left[j] as number) - 1;
      left[j] = rest;
      if (rest === 0) order[count++] = j;
    }
  }
  return count === size ? order : order.slice(0, count);
}

function effectivePriorities(tasks: readonly AnyTask[], order: Int32Array, reversed: Reversed): Float64Array {
  const size = tasks.length;
  const priority = new Float64Array(size);
  let flat = true;
  for (let i = 0; i < size; i++) {
    const own = (tasks[i] as AnyTask).priority;
    priority[i] = own;
    if (own !== 0) flat = false;
  }
  if (flat) return priority;
  for (let k = size - 1; k >= 0; k--) {
    const i = order[k] as number;
    let highest = priority[i] as number;
    const end = reversed.start[i + 1] as number;
    for (let e = reversed.start[i] as number; e < end; e++) {
      const above = priority[reversed.targets[e] as number] as number;
      if (above > highest) highest = above;
    }
    priority[i] = highest;
  }
  return priority;
}

function duplicate(id: string, at: string): OrchestratorError {
  return refuse('ID_DUPLICATE', {
    at,
    found: `a second task with the id ${quote(id)}`,
    allowed: 'different ids',
    hint: 'Rename one of the two tasks.',
  });
}

function badDependency(
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

function cycleError(tasks: readonly AnyTask[], reversed: Reversed, at: string): OrchestratorError {
  const found = findCycles({ size: tasks.length, start: reversed.start, targets: reversed.targets });
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
