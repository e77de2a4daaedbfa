import { Fingerprint } from '../base/hash.ts';
import type { CompiledPlan } from './plan.ts';
import type { AnyTask } from './task.ts';

const hashes = new WeakMap<CompiledPlan, string>();

/**
 * What tells one version of a workflow from another: structure, policies, and the names and versions of
 * handlers; never the source of a function. Worked out once for a plan.
 */
export function definitionHash(plan: CompiledPlan): string {
  let hash = hashes.get(plan);
  if (hash === undefined) {
    hash = compute(plan);
    hashes.set(plan, hash);
  }
  return hash;
}

function compute(plan: CompiledPlan): string {
  const print = new Fingerprint()
    .text(plan.workflowId)
    .text(plan.failurePolicy)
    .number(plan.concurrency ?? -1)
    .number(plan.listed);
  for (let i = 0; i < plan.size; i++) addTask(print, plan, i);
  return print.digest();
}

function addTask(print: Fingerprint, plan: CompiledPlan, index: number): void {
  const task = plan.tasks[index] as AnyTask;
  print.text(task.taskId).number(task.priority);
  for (const { name, taskId, settled } of task.dependencySpecs)
    print
      .text(name)
      .text(taskId)
      .number(settled ? 1 : 0);
  const { handlerRef } = task;
  print.text(
    handlerRef === undefined ? '' : `${handlerRef.kind}:${handlerRef.name}@${handlerRef.version ?? ''}`,
  );
  const { when, retry, ...data } = task.policies;
  print.number(when === undefined ? 0 : 1);
  if (retry !== undefined) {
    const { retryOn, ...numbers } = retry;
    print.text(JSON.stringify(numbers)).number(retryOn === undefined ? 0 : 1);
  }
  print.text(JSON.stringify(data)).text(stable(task.inputData));
}

/** Data as text; what JSON cannot tell apart is not told apart here either. */
function stable(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) => (typeof part === 'bigint' ? `${part}n` : part)) ?? '';
}
