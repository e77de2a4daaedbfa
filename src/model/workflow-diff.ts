/** What differs between two versions of a workflow. */
import { isSameValue } from '../base/same-value.ts';
import type { DependencySpec } from './dependency.ts';
import type { CompiledPlan } from './plan.ts';
import type { AnyTask } from './task.ts';
import { type Fields, taskFields, workflowFields } from './version-fields.ts';

/** One field that differs. Of code it says only whether there is any: `'a function'`, `'a schema'` or `undefined`. */
export interface FieldChange {
  readonly field: string;
  readonly from: unknown;
  readonly to: unknown;
}

/** A dependency, as plain data. */
export interface DependencyView {
  readonly taskId: string;
  /** `completed`: it has to succeed. `settled`: any end will do. */
  readonly on: 'completed' | 'settled';
  /** The name under which the handler sees it. */
  readonly as: string;
}

/** What differs between the dependencies of a task. */
export interface DependencyChanges {
  readonly added: readonly DependencyView[];
  readonly removed: readonly DependencyView[];
  /** Whether those that both have stand in another order. */
  readonly reordered: boolean;
}

/** A task that both versions have, and that differs. */
export interface TaskChange {
  readonly taskId: string;
  /** In the order of their names: options of the task, `handler`, and `listed` for whether it is among the outputs. */
  readonly fields: readonly FieldChange[];
  readonly dependencies: DependencyChanges;
}

/** What differs between two versions of a workflow. */
export interface WorkflowDiff {
  /** Whether nothing differs of what makes a version. */
  readonly isSame: boolean;
  /** Options of the workflow, in the order of their names. */
  readonly fields: readonly FieldChange[];
  /** Ids of tasks that only the second has, in its order. */
  readonly added: readonly string[];
  /** Ids of tasks that only the first has, in its order. */
  readonly removed: readonly string[];
  readonly changed: readonly TaskChange[];
  /** Whether tasks that both have stand in another order, which decides between equal priorities. */
  readonly reordered: boolean;
}

/** What differs between two versions, and whom it concerns. */
export interface VersionDiff extends WorkflowDiff {
  /** The ids of the unfinished runs of the first version. */
  readonly affectedRuns: readonly string[];
}

/** Compares two versions, task by task and field by field. */
export function diffPlans(a: CompiledPlan, b: CompiledPlan): WorkflowDiff {
  const fields = changesOf(workflowFields(a), workflowFields(b));
  const removed = a.ids.filter((id) => !b.indexOf.has(id));
  const added = b.ids.filter((id) => !a.indexOf.has(id));
  const changed: TaskChange[] = [];
  let last = -1;
  let reordered = false;
  for (let i = 0; i < b.size; i++) {
    const before = a.indexOf.get(b.ids[i] as string);
    if (before === undefined) continue;
    if (before < last) reordered = true;
    last = before;
    const change = diffTasks(a, before, b, i);
    if (change !== undefined) changed.push(change);
  }
  const isSame = fields.length + removed.length + added.length + changed.length === 0 && !reordered;
  return { isSame, fields, added, removed, changed, reordered };
}

function diffTasks(a: CompiledPlan, before: number, b: CompiledPlan, after: number): TaskChange | undefined {
  const mine = a.tasks[before] as AnyTask;
  const other = b.tasks[after] as AnyTask;
  const listed: FieldChange[] = changesOf({ listed: before < a.listed }, { listed: after < b.listed });
  if (mine === other && listed.length === 0) return undefined;
  const fields = [...changesOf(taskFields(mine), taskFields(other)), ...listed].sort(byField);
  const dependencies = diffDependencies(mine.dependencySpecs, other.dependencySpecs);
  const { added, removed, reordered } = dependencies;
  if (fields.length + added.length + removed.length === 0 && !reordered) return undefined;
  return { taskId: mine.taskId, fields, dependencies };
}

function diffDependencies(a: readonly DependencySpec[], b: readonly DependencySpec[]): DependencyChanges {
  const mine = countByKey(a);
  const other = countByKey(b);
  const removed = takeUnmatched(a, other);
  const added = takeUnmatched(b, mine);
  const isKept = (gone: readonly DependencySpec[]) => (spec: DependencySpec) => !gone.includes(spec);
  const keptBefore = removed.length === 0 ? a : a.filter(isKept(removed));
  const keptAfter = added.length === 0 ? b : b.filter(isKept(added));
  const reordered = keptBefore.some((spec, i) => keyOf(spec) !== keyOf(keptAfter[i] as DependencySpec));
  return { added: added.map(viewOf), removed: removed.map(viewOf), reordered };
}

/** How often each dependency is listed: it may be named twice. */
function countByKey(specs: readonly DependencySpec[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const spec of specs) counts.set(keyOf(spec), (counts.get(keyOf(spec)) ?? 0) + 1);
  return counts;
}

/** Those for which the other list has no partner left; uses up its counts. */
function takeUnmatched(specs: readonly DependencySpec[], partners: Map<string, number>): DependencySpec[] {
  return specs.filter((spec) => {
    const left = partners.get(keyOf(spec)) ?? 0;
    if (left === 0) return true;
    partners.set(keyOf(spec), left - 1);
    return false;
  });
}

/** Ids hold no line breaks, so no two dependencies have the same key. */
function keyOf({ taskId, name, settled }: DependencySpec): string {
  return `${taskId}\n${name}\n${settled}`;
}

function viewOf({ taskId, name, settled }: DependencySpec): DependencyView {
  return { taskId, on: settled ? 'settled' : 'completed', as: name };
}

function changesOf(a: Fields, b: Fields): FieldChange[] {
  return Object.keys(a)
    .filter((field) => !isSameValue(a[field], b[field]))
    .map((field) => ({ field, from: a[field], to: b[field] }));
}

function byField(a: FieldChange, b: FieldChange): number {
  return a.field < b.field ? -1 : 1;
}
