import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { DependencyInput } from './dependency.ts';
import { type AnyTask, Task } from './task.ts';
import type { TaskOptions } from './task-options.ts';
import { type AnyWorkflow, Workflow, workflowFromData } from './workflow.ts';
import type { OutputsOf, SchemaInput, SchemaOutput, WorkflowData, WorkflowOptions } from './workflow-data.ts';

/**
 * A task with `when` may be skipped, and then its dependents see `undefined`. `Answer` is inferred from what `when`
 * returns, so that its parameter gets its type from the dependencies; without `when` it stays `never`.
 */
type OutputWith<Out, Answer> = [Answer] extends [never] ? Out : Out | undefined;

/** No dependencies. */
export type NoDependencies = Readonly<Record<never, never>>;

/**
 * Defines a task.
 *
 * @param taskId - its id, unique in the workflow
 * @param options - what it depends on, needs and does; see `TaskOptions`
 * @throws OrchestratorError `ID_INVALID`, `HANDLER_INVALID`, `OPTION_UNKNOWN`, `OPTION_INVALID`, `DEPENDENCY_INVALID` …
 * @example
 * const parse = task('parse', { run: () => ({ words: 3 }) });
 * const write = task('write', { dependencies: { parse }, run: ({ dependencies: { parse } }) => `${parse.words} words` });
 */
export function task<
  const Id extends string,
  Out = unknown,
  const Deps extends DependencyInput = NoDependencies,
  Answer extends boolean = never,
>(taskId: Id, options: TaskOptions<unknown, Out, Deps, Answer>): Task<Id, OutputWith<Out, Answer>, unknown> {
  return new Task(taskId, options);
}

/** `task` for runs whose input has a known type; made by `taskFor`. */
export type TaskOf<In> = <
  const Id extends string,
  Out = unknown,
  const Deps extends DependencyInput = NoDependencies,
  Answer extends boolean = never,
>(
  taskId: Id,
  options: TaskOptions<In, Out, Deps, Answer>,
) => Task<Id, OutputWith<Out, Answer>, In>;

/**
 * `task` with the input type of a schema: handlers see `input` typed. The workflow validates the input, so its
 * `input` option should name the same schema.
 *
 * @param _schema - any Standard Schema; only its type is used
 */
export function taskFor<Schema extends StandardSchemaV1>(
  _schema: Schema,
): TaskOf<StandardSchemaV1.InferOutput<Schema>> {
  return (taskId, options) => new Task(taskId, options);
}

/**
 * Defines a workflow from tasks, or from plain data such as parsed JSON.
 *
 * @param name - its name, which is also its id unless `workflowId` is given
 * @throws OrchestratorError `DEFINITION_INVALID`, `ID_INVALID`, `OPTION_UNKNOWN`, `OPTION_INVALID`, `LIMIT_EXCEEDED`
 */
export function defineWorkflow<
  const Schema extends StandardSchemaV1 | undefined = undefined,
  const Tasks extends readonly Task<string, unknown, SchemaOutput<Schema>>[] = readonly Task<
    string,
    unknown,
    SchemaOutput<Schema>
  >[],
>(name: string, options: WorkflowOptions<Tasks, Schema>): Workflow<SchemaInput<Schema>, OutputsOf<Tasks>>;
export function defineWorkflow(data: WorkflowData): Workflow<unknown, Readonly<Record<string, unknown>>>;
export function defineWorkflow(
  nameOrData: string | WorkflowData,
  options?: WorkflowOptions<readonly AnyTask[], StandardSchemaV1 | undefined>,
): AnyWorkflow {
  if (typeof nameOrData === 'string' || options !== undefined) return new Workflow(nameOrData, options);
  return workflowFromData(nameOrData);
}
