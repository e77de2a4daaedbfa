/** What makes a version of a workflow: what is compared between two of them, and what the digest of one covers. */
import { digestOf } from '../base/digest.ts';
import type { CompiledPlan } from './plan.ts';
import type { AnyTask } from './task.ts';

/** What makes a version, by the names that a host knows it by. Of code it holds only whether there is any. */
export type Fields = Readonly<Record<string, unknown>>;

/** What makes a version of a workflow, beside its tasks. */
export function workflowFields(plan: CompiledPlan): Fields {
  const { workflowId, name, failurePolicy, concurrency, revision } = plan;
  const { description, input, metadata, tags } = plan.about;
  return { concurrency, description, failurePolicy, input, metadata, name, revision, tags, workflowId };
}

/** What makes a task of a version, beside its id and its dependencies. */
export function taskFields({ priority, inputData, handlerRef, policies }: AnyTask): Fields {
  const { retry, when, resources, locks } = policies;
  return {
    agentAssigned: policies.agentAssigned,
    description: policies.description,
    estimatedDuration: policies.estimatedDurationMs,
    handler: handlerRef === undefined ? 'a function' : named(handlerRef),
    heartbeatTimeout: policies.heartbeatMs,
    inputData,
    locks,
    maxRestarts: policies.maxRestarts,
    metadata: policies.metadata,
    priority,
    resourceRequirements: Object.fromEntries(resources.map(({ name, amount }) => [name, amount])),
    retry: retry === undefined ? undefined : { ...retry, retryOn: present(retry.retryOn) },
    runOn: policies.runOn,
    tags: policies.tags,
    timeout: policies.timeoutMs,
    totalTimeout: policies.totalTimeoutMs,
    transfer: policies.transfer,
    when: present(when),
  };
}

function named({ name, version }: { readonly name: string; readonly version?: string }): Fields {
  return version === undefined ? { name } : { name, version };
}

function present(code: unknown): string | undefined {
  return code === undefined ? undefined : 'a function';
}

const digests = new WeakMap<CompiledPlan, string>();

/**
 * A digest of everything that makes a version: structure, policies, what is said of it, and the names and versions of
 * handlers; never the source of functions and schemas. Equal versions have equal digests, in every process.
 *
 * @returns 16 hexadecimal digits, worked out once
 */
export function versionDigest(plan: CompiledPlan): string {
  let digest = digests.get(plan);
  if (digest === undefined) {
    digest = digestOf({
      ...workflowFields(plan),
      listed: plan.listed,
      tasks: plan.tasks.map((task) => ({
        ...taskFields(task),
        taskId: task.taskId,
        dependencies: task.dependencySpecs.map(({ taskId, name, settled }) => [taskId, name, settled]),
      })),
    });
    digests.set(plan, digest);
  }
  return digest;
}
