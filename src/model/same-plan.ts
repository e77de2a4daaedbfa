import { isSameValue } from '../base/same-value.ts';
import type { DependencySpec } from './dependency.ts';
import type { CompiledPlan } from './plan.ts';
import type { AnyTask } from './task.ts';

/**
 * Whether two plans are the same version of a workflow: in structure, policies, what is said of it, and the names and
 * versions of handlers. The source of functions and schemas is not compared, only whether there is one.
 */
export function isSamePlan(a: CompiledPlan, b: CompiledPlan): boolean {
  if (a.workflowId !== b.workflowId || a.name !== b.name || a.failurePolicy !== b.failurePolicy) return false;
  if (a.concurrency !== b.concurrency || a.revision !== b.revision) return false;
  if (a.size !== b.size || a.listed !== b.listed || !isSameValue(a.about, b.about)) return false;
  for (let i = 0; i < a.size; i++)
    if (!isSameTask(a.tasks[i] as AnyTask, b.tasks[i] as AnyTask)) return false;
  return true;
}

/**
 * A number that is the same for plans of the same structure: FNV-1a over sizes, edges and priorities (Fowler, Noll and
 * Vo, RFC 9923). It costs a pass over flat arrays; plans that differ in something else have the same one.
 */
export function structureMark(plan: CompiledPlan): number {
  let mark = mixed(mixed(FNV_BASIS, plan.size), plan.listed);
  for (let i = 0; i < plan.size; i++) mark = mixed(mark, (plan.ids[i] as string).length);
  for (let i = 0; i < plan.size; i++) mark = mixed(mark, plan.unmet[i] as number);
  for (let i = 0; i < plan.size; i++) mark = mixed(mark, plan.priority[i] as number);
  for (let e = 0; e < plan.dependencies.length; e++) mark = mixed(mark, plan.dependencies[e] as number);
  return mark;
}

const FNV_BASIS = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/** By whole numbers of 32 bits instead of bytes; a priority counts by its integer part. */
function mixed(mark: number, value: number): number {
  return Math.imul(mark ^ value, FNV_PRIME);
}

function isSameTask(a: AnyTask, b: AnyTask): boolean {
  if (a === b) return true;
  if (a.taskId !== b.taskId || a.priority !== b.priority) return false;
  if (!areSameDependencies(a.dependencySpecs, b.dependencySpecs)) return false;
  if (a.handlerRef?.name !== b.handlerRef?.name || a.handlerRef?.version !== b.handlerRef?.version)
    return false;
  // Functions count as equal: their source is no part of a version, only whether there is one.
  // Mostly it is the same object, and then not even a call is needed.
  return (
    (a.inputData === b.inputData || isSameValue(a.inputData, b.inputData)) &&
    (a.policies === b.policies || isSameValue(a.policies, b.policies))
  );
}

/**
 * Whether two definitions of a task do the same work, so that the output of one stands for that of the other: the same
 * dependencies, the same handler in the same version, the same data. How it is scheduled, retried or described does not
 * matter, and the source of functions is not compared.
 */
export function isSameWork(a: AnyTask, b: AnyTask): boolean {
  if (a === b) return true;
  if (!areSameDependencies(a.dependencySpecs, b.dependencySpecs)) return false;
  if (a.handlerRef?.name !== b.handlerRef?.name || a.handlerRef?.version !== b.handlerRef?.version)
    return false;
  if ((a.policies.when === undefined) !== (b.policies.when === undefined)) return false;
  return isSameValue(a.inputData, b.inputData);
}

function areSameDependencies(a: readonly DependencySpec[], b: readonly DependencySpec[]): boolean {
  if (a.length !== b.length) return false;
  for (let d = 0; d < a.length; d++) {
    const mine = a[d] as DependencySpec;
    const other = b[d] as DependencySpec;
    if (mine.taskId !== other.taskId || mine.name !== other.name || mine.settled !== other.settled)
      return false;
  }
  return true;
}
