import type { StandardSchemaV1 } from '@standard-schema/spec';
import { describeValue } from '../base/values.ts';
import {
  checkChoice,
  checkInteger,
  checkKeys,
  checkRecord,
  checkTags,
  checkText,
  copyList,
  invalidOption,
} from './checks.ts';
import type { OutputOf } from './dependency.ts';
import { type OrchestratorError, refuse, unreadable } from './errors.ts';
import { checkId } from './ids.ts';
import { type AnyTask, checkMetadata, isTask, Task, type TaskOptions } from './task.ts';

/**
 * What the failure of a task means for the others of its run:
 * - `fail-fast` (default): nothing new starts, running tasks are aborted;
 * - `finish-running`: nothing new starts, running tasks end as they would have;
 * - `continue`: everything that does not depend on the failed task still runs.
 */
export type FailurePolicy = 'fail-fast' | 'finish-running' | 'continue';

/** What is said of a workflow, beside its name. */
export interface WorkflowOptions<
  Tasks extends readonly AnyTask[],
  Schema extends StandardSchemaV1 | undefined,
> {
  /** The tasks whose outputs are the outputs of a run. Tasks they depend on join by themselves. */
  readonly tasks: Tasks;
  /** A Standard Schema (zod, valibot, arktype …) that the input of every run must fit. */
  readonly input?: Schema | undefined;
  /** The id under which it is registered. Default: its name. */
  readonly workflowId?: string | undefined;
  /** For people. At most 10,000 characters. */
  readonly description?: string | undefined;
  readonly failurePolicy?: FailurePolicy | undefined;
  /** How many of its tasks may be in progress at once, over all its runs. Default: no limit. */
  readonly concurrency?: number | undefined;
  readonly tags?: readonly string[] | undefined;
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
}

/** A task in plain data, from JSON or YAML. */
export type TaskData = Omit<TaskOptions<never, unknown, readonly string[]>, 'run' | 'dependencies'> & {
  readonly taskId: string | number;
  readonly dependencies?: readonly (
    | string
    | number
    | { readonly taskId: string; readonly on?: 'completed' | 'settled'; readonly as?: string }
  )[];
};

/** A workflow in plain data, from JSON or YAML. */
export interface WorkflowData
  extends Omit<WorkflowOptions<readonly AnyTask[], undefined>, 'tasks' | 'input'> {
  readonly name: string;
  readonly tasks: readonly TaskData[];
}

/** The outputs of a run, by task id. */
export type OutputsOf<Tasks extends readonly AnyTask[]> = {
  readonly [Listed in Tasks[number] as Listed['taskId']]: OutputOf<Listed>;
};

/** The type of the input after its schema has passed it on. */
export type SchemaOutput<Schema> = Schema extends StandardSchemaV1
  ? StandardSchemaV1.InferOutput<Schema>
  : unknown;

/** The type of the input that a schema accepts. */
export type SchemaInput<Schema> = Schema extends StandardSchemaV1
  ? StandardSchemaV1.InferInput<Schema>
  : unknown;

const OPTION_KEYS: ReadonlySet<string> = new Set([
  'tasks',
  'input',
  'workflowId',
  'description',
  'failurePolicy',
  'concurrency',
  'tags',
  'metadata',
]);
const DATA_KEYS: ReadonlySet<string> = new Set([...OPTION_KEYS, 'name']);
const DATA_ALLOWED = 'an object { name, tasks }';
const OPTIONS_ALLOWED = 'an object of workflow options';
const FAILURE_POLICIES = ['fail-fast', 'finish-running', 'continue'] as const;

/** The most tasks that one workflow can have. */
export const TASKS_MAX = 1_000_000;

/**
 * A named graph of tasks. Made by `defineWorkflow`; it is checked as a whole when it is registered or first run.
 *
 * @typeParam In - what a run's input must be
 * @typeParam Outputs - what a run's outputs are, by task id
 */
export class Workflow<in In = never, out Outputs = unknown> {
  /** Carries the input type; there is no such field at run time. */
  declare readonly '~input': (input: In) => void;
  /** Carries the output type; there is no such field at run time. */
  declare readonly '~outputs': Outputs;

  readonly name: string;
  readonly workflowId: string;
  readonly description: string;
  /** The tasks that were listed, in their order; not those that joined as dependencies. */
  readonly tasks: readonly AnyTask[];
  readonly failurePolicy: FailurePolicy;
  readonly concurrency: number | undefined;
  readonly tags: readonly string[];
  readonly metadata: Readonly<Record<string, unknown>>;
  /** @internal */ readonly inputSchema: StandardSchemaV1 | undefined;
  /** No proxy and no look-alike has it. */
  readonly #isMade = true;

  /** @internal Use `defineWorkflow`. */
  constructor(name: unknown, given: unknown, tasks?: readonly AnyTask[]) {
    this.name = checkId(name, 'workflow/name', 'a workflow name');
    const at = `workflow ${JSON.stringify(this.name)}`;
    try {
      const options = checkRecord(given, at, OPTIONS_ALLOWED, 'DEFINITION_INVALID');
      if (tasks === undefined) checkKeys(options, OPTION_KEYS, at);
      this.tasks = tasks ?? checkTasks(options.tasks, `${at}/tasks`);
      this.inputSchema = options.input === undefined ? undefined : checkSchema(options.input, `${at}/input`);
      this.workflowId =
        options.workflowId === undefined
          ? this.name
          : checkId(options.workflowId, `${at}/workflowId`, 'a workflow id');
      this.description =
        options.description === undefined ? '' : checkText(options.description, `${at}/description`, 10_000);
      this.failurePolicy =
        options.failurePolicy === undefined
          ? 'fail-fast'
          : checkChoice(options.failurePolicy, `${at}/failurePolicy`, FAILURE_POLICIES);
      this.concurrency =
        options.concurrency === undefined
          ? undefined
          : checkInteger(options.concurrency, `${at}/concurrency`, 1, 1_000_000);
      this.tags = options.tags === undefined ? [] : checkTags(options.tags, `${at}/tags`);
      this.metadata = options.metadata === undefined ? {} : checkMetadata(options.metadata, `${at}/metadata`);
    } catch (thrown) {
      throw unreadable(thrown, 'DEFINITION_INVALID', at, OPTIONS_ALLOWED);
    }
  }

  /** Whether a value was made by `defineWorkflow`. */
  static is(value: unknown): value is AnyWorkflow {
    return typeof value === 'object' && value !== null && #isMade in value && value.#isMade;
  }
}

/** A workflow with its types forgotten; every workflow fits. */
export type AnyWorkflow = Workflow<never, unknown>;

/** Builds a workflow from plain data. */
export function workflowFromData(data: unknown): AnyWorkflow {
  try {
    return readData(data);
  } catch (thrown) {
    throw unreadable(thrown, 'DEFINITION_INVALID', 'workflow', DATA_ALLOWED);
  }
}

function readData(data: unknown): AnyWorkflow {
  const record = checkRecord(data, 'workflow', DATA_ALLOWED, 'DEFINITION_INVALID');
  if (record.name === undefined) throw unnamed(data);
  const name = checkId(record.name, 'workflow/name', 'a workflow name');
  const at = `workflow ${JSON.stringify(name)}`;
  checkKeys(record, DATA_KEYS, at);
  const tasks: AnyTask[] = [];
  for (const item of checkArray(record.tasks, `${at}/tasks`)) {
    if (isTask(item)) {
      tasks.push(item);
      continue;
    }
    const place = `${at}/tasks/${tasks.length}`;
    const { taskId, ...options } = checkRecord(item, place, 'an object { taskId, … }', 'DEFINITION_INVALID');
    tasks.push(new Task(taskId, options, place) as AnyTask);
  }
  return new Workflow(name, record, tasks) as AnyWorkflow;
}

function unnamed(data: unknown): OrchestratorError {
  const found = describeValue(data);
  return refuse('DEFINITION_INVALID', {
    at: 'workflow',
    found: `${found} without a name`,
    allowed: DATA_ALLOWED,
    hint: found === 'a promise' ? 'Await it first.' : undefined,
  });
}

function checkTasks(value: unknown, at: string): readonly AnyTask[] {
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

function checkArray(value: unknown, at: string): readonly unknown[] {
  if (!Array.isArray(value))
    throw refuse('DEFINITION_INVALID', { at, found: describeValue(value), allowed: 'an array of tasks' });
  return copyList(value, at, TASKS_MAX, 'tasks');
}

function checkSchema(value: unknown, at: string): StandardSchemaV1 {
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
