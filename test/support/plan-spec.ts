/** Plans from plain data: what golden logs keep beside them, and what random graphs are made of. */
import { defineWorkflow, type FailurePolicy, task } from '@taskmaster-ai/orchestrator';
import type { PlanOf } from '../../src/machine/state.ts';
import { compile } from '../../src/model/compile.ts';
import type { CompiledPlan } from '../../src/model/plan.ts';

/** One task. */
export interface TaskSpec {
  readonly taskId: string;
  readonly dependencies?: readonly { readonly taskId: string; readonly on?: 'completed' | 'settled' }[];
  readonly priority?: number;
  readonly retry?: { readonly maxAttempts: number; readonly delay?: number; readonly factor?: number };
  readonly timeout?: number;
  readonly totalTimeout?: number;
  readonly estimatedDuration?: number;
  /** Whether it has a condition; what it answers is in the commands. */
  readonly when?: boolean;
  /** What tells one definition of it from another. */
  readonly inputData?: unknown;
  /** The plan that it opens as a child scope. */
  readonly child?: PlanSpec;
}

/** A plan. */
export interface PlanSpec {
  readonly name: string;
  readonly failurePolicy?: FailurePolicy;
  readonly tasks: readonly TaskSpec[];
}

/** The plan of a specification, with the plans of its children. */
export function planOf(spec: PlanSpec): CompiledPlan {
  const workflow = defineWorkflow(spec.name, {
    ...(spec.failurePolicy === undefined ? undefined : { failurePolicy: spec.failurePolicy }),
    tasks: spec.tasks.map(({ taskId, child: _child, when, ...options }) =>
      task(taskId, { ...options, ...(when === true ? { when: () => true } : undefined), run: () => taskId }),
    ),
  });
  return withChildren(
    compile(workflow),
    new Map(
      spec.tasks.flatMap(({ taskId, child }) =>
        child === undefined ? [] : [[taskId, planOf(child)] as const],
      ),
    ),
  );
}

/** The plans of the versions of a workflow, from the first on. */
export function versionsOf(first: CompiledPlan, later: readonly PlanSpec[]): PlanOf {
  const plans = [first, ...later.map(planOf)];
  return (_workflowId, version) => plans[version - 1];
}

/** A plan whose tasks open these plans as child scopes. */
export function withChildren(plan: CompiledPlan, children: ReadonlyMap<string, CompiledPlan>): CompiledPlan {
  return children.size === 0 ? plan : { ...plan, children };
}

/** A task in one line: `t('b', 'a', 'c?')` depends on `a`, and on `c` whatever comes of it. */
export function t(taskId: string, ...dependencies: readonly string[]): TaskSpec {
  return {
    taskId,
    dependencies: dependencies.map((name) =>
      name.endsWith('?') ? { taskId: name.slice(0, -1), on: 'settled' } : { taskId: name },
    ),
  };
}

/** A plan of such tasks. */
export function plan(tasks: readonly TaskSpec[], failurePolicy: FailurePolicy = 'fail-fast'): CompiledPlan {
  return planOf({ name: 'plan', failurePolicy, tasks });
}
