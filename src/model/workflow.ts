import type { StandardSchemaV1 } from '@standard-schema/spec';
import { describeValue } from '../base/values.ts';
import {
  checkChoice,
  checkInteger,
  checkKeys,
  checkRecord,
  checkTags,
  checkText,
  invalidOption,
} from './checks.ts';
import type { OutputOf } from './dependency.ts';
import { refuse } from './errors.ts';
import { checkId } from './ids.ts';
import { type AnyTask, checkMetadata, Task, type TaskOptions } from './task.ts';

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
  readonly input?: Schema;
  /** The id under which it is registered. Default: its name. */
  readonly workflowId?: string;
  /** For people. At most 10,000 characters. */
  readonly description?: string;
  readonly failurePolicy?: FailurePolicy;
  /** How many of its tasks may be in progress at once, over all its runs. Default: no limit. */
  readonly concurrency?: number;
  readonly tags?: readonly string[];
  readonly metadata?: Readonly<Record<string, unknown>>;
}

/** A task in plain data, from JSON or YAML. */
export type TaskData = Omit<
  TaskOptions<never, unknown, readonly string[], undefined>,
  'run' | 'dependencies'
> & {
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

  /** @internal Use `defineWorkflow`. */
  constructor(name: unknown, given: unknown, tasks?: readonly AnyTask[]) {
    this.name = checkId(name, 'workflow/name', 'a workflow name');
    const at = `workflow ${JSON.stringify(this.name)}`;
    const options = checkRecord(given, at, 'an object of workflow options', 'DEFINITION_INVALID');
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
        : checkChoice(options.failurePolicy, `${at}/failurePolicy`, [
            'fail-fast',
            'finish-running',
            'continue',
          ]);
    this.concurrency =
      options.concurrency === undefined
        ? undefined
        : checkInteger(options.concurrency, `${at}/concurrency`, 1, 1_000_000);
    this.tags = options.tags === undefined ? [] : checkTags(options.tags, `${at}/tags`);
    this.metadata = options.metadata === undefined ? {} : checkMetadata(options.metadata, `${at}/metadata`);
  }
}

/** A workflow with its types forgotten; every workflow fits. */
export type AnyWorkflow = Workflow<never, unknown>;

/** Builds a workflow from plain data. */
export function workflowFromData(data: unknown): AnyWorkflow {
  const record = checkRecord(data, 'workflow', 'an object { name, tasks }', 'DEFINITION_INVALID');
  const name = checkId(record.name, 'workflow/name', 'a workflow name');
  const at = `workflow ${JSON.stringify(name)}`;
  checkKeys(record, DATA_KEYS, at);
  const list = checkArray(record.tasks, `${at}/tasks`);
  const tasks = list.map((item, i) => {
    if (item instanceof Task) return item as AnyTask;
    const task = checkRecord(item, `${at}/tasks/${i}`, 'an object { taskId, … }', 'DEFINITION_INVALID');
    const { taskId, ...options } = task;
    return new Task(taskId, options, `${at}/tasks/${i}`) as AnyTask;
  });
  return new Workflow(name, record, tasks) as AnyWorkflow;
}

function checkTasks(value: unknown, at: string): readonly AnyTask[] {
  const list = checkArray(value, at);
  for (let i = 0; i < list.length; i++) {
    if (list[i] instanceof Task) continue;
    throw refuse('DEFINITION_INVALID', {
      at: `${at}/${i}`,
      found: describeValue(list[i]),
      allowed: 'a task made by task(…)',
    });
  }
  return (list as readonly AnyTask[]).slice();
}

function checkArray(value: unknown, at: string): readonly unknown[] {
  if (!Array.isArray(value))
    throw refuse('DEFINITION_INVALID', { at, found: describeValue(value), allowed: 'an array of tasks' });
  if (value.length > TASKS_MAX) {
    throw refuse('LIMIT_EXCEEDED', { at, found: `${value.length} tasks`, allowed: `at most ${TASKS_MAX}` });
  }
  return value;
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
