import type { AnyTask } from './task.ts';
import type { FailurePolicy } from './workflow-data.ts';

/** A part of a version, as its other options are. */
export interface PlanAbout {
  readonly description: string;
  /** Whether inputs are checked; the source of the schema is no part of the version. */
  readonly input: 'a schema' | undefined;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly tags: readonly string[];
}

/**
 * A workflow version in the form that runs: tasks are numbers, edges are flat arrays. It never changes; runs
 * share it.
 */
export interface CompiledPlan {
  readonly name: string;
  readonly workflowId: string;
  readonly failurePolicy: FailurePolicy;
  /** Raised by hand when code changed; a part of the version. */
  readonly revision: number;
  /** How many of this workflow's tasks may be in progress at once. */
  readonly concurrency: number | undefined;
  /** What it says of itself beside that; no run depends on it. */
  readonly about: PlanAbout;
  readonly size: number;
  /** How many tasks, from the first, were listed; their outputs are the outputs of the run. */
  readonly listed: number;
  /** Task ids by number. */
  readonly ids: readonly string[];
  /** Numbers by task id. */
  readonly indexOf: ReadonlyMap<string, number>;
  readonly tasks: readonly AnyTask[];
  /** The dependencies of task `i` are `dependencies[dependencyStart[i] … dependencyStart[i + 1])`. */
  readonly dependencyStart: Int32Array;
  readonly dependencies: Int32Array;
  /** The dependents of task `i`, in the same form. */
  readonly dependentStart: Int32Array;
  readonly dependents: Int32Array;
  /** 1 where the edge at the same place of `dependents` waits for any outcome, or `undefined` when there is none such. */
  readonly dependentSettled: Uint8Array | undefined;
  /** How many different dependencies each task has. */
  readonly unmet: Int32Array;
  /** Tasks in an order in which each stands behind its dependencies. */
  readonly order: Int32Array;
  /** The highest of a task's own priority and of those that depend on it. */
  readonly priority: Float64Array;
  /** Whether a task of it wants the outputs of its dependencies moved. */
  readonly transfers: boolean;
  /** Plans that tasks of this one open as child scopes, by task id. */
  readonly children: ReadonlyMap<string, CompiledPlan> | undefined;
}

/**
 * For each task, the time from its start to the end of the longest chain that begins with it, by
 * `estimatedDuration` where given (milliseconds), else one unit a task (Kelley and Walker, Critical-path
 * planning and scheduling, 1959).
 */
export function remainingPaths(plan: CompiledPlan): Float64Array {
  const remaining = new Float64Array(plan.size);
  for (let k = plan.size - 1; k >= 0; k--) {
    const i = plan.order[k] as number;
    let longest = 0;
    const end = plan.dependentStart[i + 1] as number;
    for (let e = plan.dependentStart[i] as number; e < end; e++) {
      const below = remaining[plan.dependents[e] as number] as number;
      if (below > longest) longest = below;
    }
    remaining[i] = longest + (plan.tasks[i]?.policies.estimatedDurationMs ?? 1);
  }
  return remaining;
}

/** Whether a dependent waits for any outcome of a dependency; its dependents stand in the order of their numbers. */
export function isSettledEdge(plan: CompiledPlan, dependency: number, dependent: number): boolean {
  const settled = plan.dependentSettled;
  if (settled === undefined) return false;
  let low = plan.dependentStart[dependency] as number;
  let high = plan.dependentStart[dependency + 1] as number;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((plan.dependents[middle] as number) < dependent) low = middle + 1;
    else high = middle;
  }
  return settled[low] === 1;
}

/** Whether a failure of the task fails nobody: it has dependents, and all of them take its outcome as it is. */
export function isFailureTolerated(plan: CompiledPlan, index: number): boolean {
  const settled = plan.dependentSettled;
  if (settled === undefined) return false;
  const start = plan.dependentStart[index] as number;
  const end = plan.dependentStart[index + 1] as number;
  for (let e = start; e < end; e++) if (settled[e] !== 1) return false;
  return end > start;
}
