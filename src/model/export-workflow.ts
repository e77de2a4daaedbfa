/** A workflow as plain data that JSON can hold, from which an equal workflow is made again. */
import { quote } from '../base/values.ts';
import { type Compilable, compile } from './compile.ts';
import type { DependencySpec } from './dependency.ts';
import { refuse } from './errors.ts';
import { plainJson } from './plain-json.ts';
import type { AnyTask } from './task.ts';
import type { TaskData, WorkflowData } from './workflow-data.ts';

type Written<Data> = { -readonly [Key in keyof Data]: Data[Key] };

/**
 * Writes a workflow down. Durations are in milliseconds; what has its default is left out.
 *
 * @throws OrchestratorError `EXPORT_IMPOSSIBLE`, `VALUE_UNSERIALISABLE`, and what `compile` throws
 */
export function exportWorkflow(workflow: Compilable): WorkflowData {
  const at = `workflow ${JSON.stringify(workflow.name)}`;
  if (workflow.inputSchema !== undefined)
    throw impossible(`${at}/input`, 'a schema', 'no schema for the input');
  const plan = compile(workflow);
  const tasks = plan.tasks.map((task) => exportTask(task, `${at} task ${JSON.stringify(task.taskId)}`));
  const data: Written<WorkflowData> = { name: workflow.name, tasks: tasks.slice(0, plan.listed) };
  if (plan.listed < plan.size) data.joined = tasks.slice(plan.listed);
  if (workflow.workflowId !== workflow.name) data.workflowId = workflow.workflowId;
  if (workflow.description !== '') data.description = workflow.description;
  if (workflow.failurePolicy !== 'fail-fast') data.failurePolicy = workflow.failurePolicy;
  if (workflow.concurrency !== undefined) data.concurrency = workflow.concurrency;
  if (workflow.tags.length > 0) data.tags = [...workflow.tags];
  if (Object.keys(workflow.metadata).length > 0)
    data.metadata = plainJson(workflow.metadata, `${at}/metadata`) as Record<string, unknown>;
  if (workflow.revision !== 0) data.revision = workflow.revision;
  return data;
}

function exportTask(task: AnyTask, at: string): TaskData {
  const { handlerRef, policies } = task;
  if (handlerRef === undefined)
    throw impossible(
      `${at}/run`,
      task.run?.name ? `the function ${quote(task.run.name)}` : 'a function',
      'handler: the name of one',
    );
  if (policies.when !== undefined) throw impossible(`${at}/when`, 'a function', 'no condition');
  const { version, name } = handlerRef;
  const data: Written<TaskData> = {
    taskId: task.taskId,
    handler: version === undefined ? name : { kind: 'registered', name, version },
  };
  if (task.dependencySpecs.length > 0) data.dependencies = task.dependencySpecs.map(exportDependency);
  if (task.priority !== 0) data.priority = task.priority;
  if (policies.runOn !== undefined) data.runOn = policies.runOn;
  if (policies.transfer) data.transfer = true;
  if (task.inputData !== undefined) data.inputData = plainJson(task.inputData, `${at}/inputData`);
  exportPolicies(task, data, at);
  return data;
}

function exportPolicies({ policies }: AnyTask, data: Written<TaskData>, at: string): void {
  if (policies.description !== '') data.description = policies.description;
  if (policies.agentAssigned !== undefined) data.agentAssigned = policies.agentAssigned;
  if (policies.estimatedDurationMs !== undefined) data.estimatedDuration = policies.estimatedDurationMs;
  if (policies.resources.length > 0)
    data.resourceRequirements = Object.fromEntries(
      policies.resources.map(({ name, amount }) => [name, amount]),
    );
  if (policies.locks.length > 0)
    data.locks = policies.locks.map(({ name, mode }) => (mode === 'exclusive' ? name : { name, mode }));
  if (policies.retry !== undefined) {
    const { maxAttempts, delayMs, factor, maxDelayMs, jitter, retryOn } = policies.retry;
    if (retryOn !== undefined) throw impossible(`${at}/retry/retryOn`, 'a function', 'no predicate');
    data.retry = { maxAttempts, delay: delayMs, factor, maxDelay: maxDelayMs, jitter };
  }
  if (policies.timeoutMs !== undefined) data.timeout = policies.timeoutMs;
  if (policies.totalTimeoutMs !== undefined) data.totalTimeout = policies.totalTimeoutMs;
  if (policies.heartbeatMs !== undefined) data.heartbeatTimeout = policies.heartbeatMs;
  if (policies.maxRestarts !== undefined) data.maxRestarts = policies.maxRestarts;
  if (policies.tags.length > 0) data.tags = [...policies.tags];
  if (Object.keys(policies.metadata).length > 0)
    data.metadata = plainJson(policies.metadata, `${at}/metadata`) as Record<string, unknown>;
}

function exportDependency({
  name,
  taskId,
  settled,
}: DependencySpec): NonNullable<TaskData['dependencies']>[number] {
  if (name === taskId && !settled) return taskId;
  return {
    taskId,
    ...(settled ? { on: 'settled' as const } : undefined),
    ...(name === taskId ? undefined : { as: name }),
  };
}

function impossible(at: string, found: string, allowed: string): Error {
  return refuse('EXPORT_IMPOSSIBLE', {
    at,
    found,
    allowed: `in plain data, ${allowed}`,
    hint: 'Code is exported by name: register it in open({ handlers }) and name it.',
  });
}
