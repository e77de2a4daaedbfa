import { checkTransfers } from './check-transfers.ts';
import type { DependencySpec } from './dependency.ts';
import { editCount } from './drafts.ts';
import { refuse, unreadable } from './errors.ts';
import { badDependency, cycleError, duplicate } from './graph-faults.ts';
import type { CompiledPlan, PlanAbout } from './plan.ts';
import type { AnyTask } from './task.ts';
import { type Definition, TASKS_MAX } from './workflow-data.ts';

/** The most dependencies that one workflow can have, over all its tasks. */
export const EDGES_MAX = 10_000_000;

interface Compiled {
  readonly plan: CompiledPlan;
  /** How many edits there had been when it was compiled. */
  readonly edits: number;
}

/** Where a definition keeps its plan: in a table beside it, a collection of young objects would take it for alive. */
export interface CompiledPlace {
  latest: Compiled | undefined;
}

/** A definition that is a draft until it is registered; `Workflow` fits it. */
export type Compilable = Definition & { readonly status: string; readonly compiled: CompiledPlace };

/**
 * Checks a workflow as a whole and turns it into flat arrays. A workflow is compiled once; asking again gives
 * the same plan. Only a draft that may have been edited since is compiled anew.
 *
 * @throws OrchestratorError `ID_DUPLICATE`, `DEPENDENCY_UNKNOWN`, `DEPENDENCY_SELF`, `DEPENDENCY_CYCLE`,
 *   `LIMIT_EXCEEDED`, `OPTION_CONFLICT` for a value that cannot be moved
 */
export function compile(workflow: Compilable): CompiledPlan {
  const known = workflow.compiled.latest;
  if (known !== undefined && (known.edits === editCount() || workflow.status !== 'draft')) return known.plan;
  const at = `workflow ${JSON.stringify(workflow.name)}`;
  try {
    const plan = build(workflow, at);
    workflow.compiled.latest = { plan, edits: editCount() };
    return plan;
  } catch (thrown) {
    throw unreadable(thrown, 'DEFINITION_INVALID', at, 'tasks made by task(…)');
  }
}

function build(workflow: Definition, at: string): CompiledPlan {
  const { tasks, indexOf } = gather(workflow, at);
  const size = tasks.length;
  const edges = link(tasks, indexOf, at);
  const reversed = reverse(size, edges);
  const order = sort(size, edges.unmet, reversed);
  if (order.length < size) throw cycleError(tasks, reversed, at);
  const listed = workflow.tasks.length;
  const { start: dependencyStart, targets: dependencies } = edges;
  const { start: dependentStart } = reversed;
  return {
    name: workflow.name,
    workflowId: workflow.workflowId,
    failurePolicy: workflow.failurePolicy,
    concurrency: workflow.concurrency,
    revision: workflow.revision,
    about: aboutOf(workflow),
    size,
    listed,
    ids: tasks.map((task) => task.taskId),
    indexOf,
    tasks,
    dependencyStart,
    dependencies,
    dependentStart,
    dependents: reversed.targets,
    dependentSettled: reversed.settled,
    unmet: edges.unmet,
    order,
    priority: effectivePriorities(tasks, order, reversed),
    children: undefined,
    transfers: checkTransfers({ tasks, listed, dependencyStart, dependencies, dependentStart }, at),
  };
}

function aboutOf({ description, inputSchema, metadata, tags }: Definition): PlanAbout {
  return { description, input: inputSchema === undefined ? undefined : 'a schema', metadata, tags };
}

/** Lists the tasks, then those that joined as dependencies, each once. */
function gather(workflow: Definition, at: string): { tasks: AnyTask[]; indexOf: Map<string, number> } {
  const tasks: AnyTask[] = workflow.tasks.slice();
  for (let i = 0; i < workflow.joined.length; i++) tasks.push(workflow.joined[i] as AnyTask);
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
