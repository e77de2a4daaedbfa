/** Checks of the parts of a workflow: its list of tasks, the schema of its input, its text. */
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { nearestName } from '../base/nearest.ts';
import { describeValue, quote } from '../base/values.ts';
import { checkRecord, copyList, invalidOption } from './checks.ts';
import { type OrchestratorError, refuse } from './errors.ts';
import { type AnyTask, isTask, Task } from './task.ts';
import { type Definition, TASKS_MAX } from './workflow-data.ts';

/** A list of tasks, made by `task(…)` or in plain data. */
export function readTasks(value: unknown, at: string): AnyTask[] {
  return checkArray(value, at).map((item, i) => (isTask(item) ? item : readTask(item, `${at}/${i}`)));
}

/** One task in plain data. */
export function readTask(item: unknown, place: string): AnyTask {
  const { taskId, ...options } = checkRecord(item, place, 'an object { taskId, … }', 'DEFINITION_INVALID');
  return new Task(taskId, options, place) as AnyTask;
}

/** What a JSON text holds. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw refuse(
      'DEFINITION_INVALID',
      {
        at: 'workflow',
        found: 'text that is no JSON',
        allowed: 'an object { name, tasks }',
        hint: `${(cause as Error).message}.`,
      },
      { cause },
    );
  }
}

/** A list of tasks made by `task(…)`. */
export function checkTasks(value: unknown, at: string): readonly AnyTask[] {
  const list = checkArray(value, at);
  for (let i = 0; i < list.length; i++) {
    if (isTask(list[i])) continue;
    throw refuse('DEFINITION_INVALID', {
      at: `${at}/${i}`,
      found: describeValue(list[i]),
      allowed: 'a task made by task(…)',
    });
  }
  return list as readonly AnyTask[];
}

/** A copy of an array of tasks, not looked into yet. */
export function checkArray(value: unknown, at: string): readonly unknown[] {
  if (!Array.isArray(value))
    throw refuse('DEFINITION_INVALID', { at, found: describeValue(value), allowed: 'an array of tasks' });
  return copyList(value, at, TASKS_MAX, 'tasks');
}

/** Anything that speaks Standard Schema. */
export function checkSchema(value: unknown, at: string): StandardSchemaV1 {
  const standard: unknown =
    (typeof value === 'object' || typeof value === 'function') && value !== null && '~standard' in value
      ? value['~standard']
      : undefined;
  if (
    typeof standard === 'object' &&
    standard !== null &&
    'validate' in standard &&
    typeof standard.validate === 'function'
  ) {
    return value as StandardSchemaV1;
  }
  throw invalidOption(at, value, 'a Standard Schema, such as one of zod, valibot or arktype');
}

/** What a definition says beside its tasks, as it was given. */
export function optionsOf(definition: Definition): Readonly<Record<string, unknown>> {
  const { workflowId, description, failurePolicy, concurrency, tags, metadata, revision } = definition;
  return {
    workflowId,
    description,
    failurePolicy,
    concurrency,
    tags,
    metadata,
    revision,
    input: definition.inputSchema,
  };
}

/** The tasks of a definition that are not listed, found by following the dependencies. */
export function joinedOf({ tasks, joined }: Definition): readonly AnyTask[] {
  const known = new Set<string>();
  const all: AnyTask[] = [];
  const add = (task: AnyTask): void => {
    known.add(task.taskId);
    all.push(task);
  };
  tasks.forEach(add);
  joined.forEach(add);
  for (let i = 0; i < all.length; i++) {
    for (const { taskId, target } of (all[i] as AnyTask).dependencySpecs)
      if (target !== undefined && !known.has(taskId)) add(target as AnyTask);
  }
  return all.slice(tasks.length);
}

/**
 * Refuses to remove a task that a draft does not have, or that another task depends on.
 * @throws OrchestratorError `TASK_NOT_FOUND`, `DEPENDENCY_UNKNOWN`
 */
export function checkRemovable(
  definition: Definition,
  id: string,
  ids: ReadonlySet<string>,
  at: string,
): void {
  if (!ids.has(id)) {
    const nearest = nearestName(id, ids);
    throw refuse('TASK_NOT_FOUND', {
      at,
      found: `the unknown task ${quote(id)}`,
      allowed: 'a task of this workflow',
      hint: nearest === undefined ? undefined : `Did you mean ${JSON.stringify(nearest)}?`,
    });
  }
  for (const task of [...definition.tasks, ...definition.joined]) {
    if (task.taskId === id || !task.dependencySpecs.some((spec) => spec.taskId === id)) continue;
    throw refuse('DEPENDENCY_UNKNOWN', {
      at,
      found: `task ${quote(task.taskId)}, which depends on ${quote(id)}`,
      allowed: 'a task on which no other depends',
      hint: 'Remove that dependency first.',
    });
  }
}

/** The refusal of a workflow in plain data that has no name. */
export function unnamed(data: unknown, allowed: string): OrchestratorError {
  const found = describeValue(data);
  return refuse('DEFINITION_INVALID', {
    at: 'workflow',
    found: `${found} without a name`,
    allowed,
    hint: found === 'a promise' ? 'Await it first.' : undefined,
  });
}
