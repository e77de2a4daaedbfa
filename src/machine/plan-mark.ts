/**
 * A mark of everything in a plan that the fold of a log depends on. States count tasks by number, so one that was
 * kept can only be used with the plan it was made with; logs name tasks by path and need no mark.
 *
 * Who may call it: `snapshot`.
 */
import { digestOf } from '../base/digest.ts';
import type { CompiledPlan } from '../model/plan.ts';

const marks = new WeakMap<CompiledPlan, string>();

/** The mark of a plan: 16 hexadecimal digits, worked out once. */
export function planMark(plan: CompiledPlan): string {
  let mark = marks.get(plan);
  if (mark === undefined) {
    mark = digestOf({
      ids: plan.ids,
      failurePolicy: plan.failurePolicy,
      dependencyStart: plan.dependencyStart,
      dependencies: plan.dependencies,
      dependentSettled: plan.dependentSettled,
      priorities: plan.tasks.map((task) => task.priority),
      children: [...(plan.children ?? [])].map(([taskId, child]) => [taskId, planMark(child)]),
    });
    marks.set(plan, mark);
  }
  return mark;
}
