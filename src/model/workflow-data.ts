/** The words in which a workflow is described: options, plain data, and the types that follow from them. */
import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { OutputOf } from './dependency.ts';
import type { RegisteredRef } from './handler.ts';
import type { AnyTask } from './task.ts';
import type { TaskOptions } from './task-options.ts';
import type { WorkerHandler } from './worker-handlers.ts';

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
  /**
   * Raise it when the code of a task changed in a way that a comparison does not see: it is part of the version.
   * An integer from 0 to 1,000,000. Default 0.
   */
  readonly revision?: number | undefined;
}

/** A task in plain data, from JSON or YAML. */
export type TaskData = Omit<
  TaskOptions<never, unknown, readonly string[]>,
  'run' | 'dependencies' | 'handler'
> & {
  readonly taskId: string | number;
  /** The code, by the name under which it is registered, or as an export of `workerHandlers(…)`. */
  readonly handler?: string | RegisteredRef | WorkerHandler | undefined;
  readonly dependencies?: readonly (
    | string
    | number
    | { readonly taskId: string; readonly on?: 'completed' | 'settled'; readonly as?: string }
  )[];
};

/** A workflow in plain data, from JSON or YAML. */
export interface WorkflowData
  extends Omit<WorkflowOptions<readonly AnyTask[], undefined>, 'tasks' | 'input'> {
  /** Where docs/workflow.schema.json is found, for editors. */
  readonly $schema?: string;
  readonly name: string;
  readonly tasks: readonly TaskData[];
  /** Tasks that others depend on and whose outputs are not among those of a run. Default: none. */
  readonly joined?: readonly TaskData[];
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

/** The most tasks that one workflow can have. */
export const TASKS_MAX = 1_000_000;

/** What a workflow says of itself; `Workflow` fits it, and whoever reads it need not know that class. */
export interface Definition {
  readonly name: string;
  readonly workflowId: string;
  readonly description: string;
  /** The tasks that were listed, in their order. */
  readonly tasks: readonly AnyTask[];
  /** Tasks that joined as dependencies and are known before the dependencies are followed. */
  readonly joined: readonly AnyTask[];
  readonly failurePolicy: FailurePolicy;
  readonly concurrency: number | undefined;
  readonly tags: readonly string[];
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly revision: number;
  readonly inputSchema: StandardSchemaV1 | undefined;
}
