import type { StandardSchemaV1 } from '@standard-schema/spec';
import { quote } from '../base/values.ts';
import {
  checkChoice,
  checkInteger,
  checkKeys,
  checkRecord,
  checkTags,
  checkText,
  invalidOption,
  reading,
} from './checks.ts';
import { type CompiledPlace, compile } from './compile.ts';
import { countEdit, freeze, sealed } from './drafts.ts';
import { refuse, unreadable } from './errors.ts';
import { exportWorkflow } from './export-workflow.ts';
import { loadGraph } from './graph/load-graph.ts';
import type { WorkflowGraph } from './graph/workflow-graph.ts';
import { checkId } from './ids.ts';
import { type AnyTask, isTask } from './task.ts';
import { checkMetadata } from './task-policies.ts';
import { type FailurePolicy, TASKS_MAX, type TaskData, type WorkflowData } from './workflow-data.ts';
import {
  checkRemovable,
  checkSchema,
  checkTasks,
  joinedOf,
  optionsOf,
  parseJson,
  readTask,
  readTasks,
  unnamed,
} from './workflow-parts.ts';

const OPTION_KEYS: ReadonlySet<string> = new Set([
  'tasks',
  'input',
  'workflowId',
  'description',
  'failurePolicy',
  'concurrency',
  'tags',
  'metadata',
  'revision',
]);
const DATA_KEYS: ReadonlySet<string> = new Set([...OPTION_KEYS, 'name', 'joined', '$schema']);
const DATA_ALLOWED = 'an object { name, tasks }';
const OPTIONS_ALLOWED = 'an object of workflow options such as { tasks }';
const FAILURE_POLICIES = ['fail-fast', 'finish-running', 'continue'] as const;

/** The highest `revision`. */
export const REVISION_MAX = 1_000_000;
const NO_TASKS: readonly AnyTask[] = Object.freeze([]);

/**
 * Where a definition stands: a `draft` can be edited; a `registered` one cannot and has a version; of an `archived`
 * one no new run is started, and those under way go on.
 */
export type DefinitionStatus = 'draft' | 'registered' | 'archived';

/** How the graph of a workflow is made. */
export interface GraphOptions {
  /** An earlier version: what was added, removed or changed since is marked, and removed tasks are shown. */
  readonly since?: AnyWorkflow;
}

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
  /** Raised by `incrementVersion`; a part of the version. */
  readonly revision: number;
  /** @internal */ readonly inputSchema: StandardSchemaV1 | undefined;
  /** @internal Tasks that are not listed and are known before the dependencies are followed. */
  readonly joined: readonly AnyTask[];
  #status: DefinitionStatus = 'draft';
  /** No proxy and no look-alike has it. */
  readonly #compiled: CompiledPlace = { latest: undefined };
  /** Made by the first edit. */
  #ids: Set<string> | undefined;

  /** @internal Use `defineWorkflow`. */
  constructor(name: unknown, given: unknown, tasks?: readonly AnyTask[], joined = NO_TASKS) {
    this.name = checkId(name, 'workflow/name', 'a workflow name');
    const at = `workflow ${JSON.stringify(this.name)}`;
    try {
      const options = checkRecord(given, at, OPTIONS_ALLOWED, 'DEFINITION_INVALID');
      if (tasks === undefined) checkKeys(options, OPTION_KEYS, at);
      this.joined = joined;
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
      this.revision =
        options.revision === undefined
          ? 0
          : checkInteger(options.revision, `${at}/revision`, 0, REVISION_MAX);
    } catch (thrown) {
      throw unreadable(thrown, 'DEFINITION_INVALID', at, OPTIONS_ALLOWED);
    }
  }

  /** @internal What it was compiled to; that is known also of one that is registered, and so frozen. */
  get compiled(): CompiledPlace {
    return this.#compiled;
  }

  /** Whether it is a draft, registered or archived. */
  get status(): DefinitionStatus {
    return this.#status;
  }

  /**
   * Adds a task to a draft, at the end of the list.
   *
   * @param task - made by `task(…)`, or plain data
   * @throws OrchestratorError `ID_DUPLICATE`, `LIMIT_EXCEEDED`, what `task` throws; `DEFINITION_SEALED` once registered
   */
  addTask(task: AnyTask | TaskData): void {
    const at = this.#beginEdit('addTask');
    const place = `${at}/tasks/${this.tasks.length}`;
    const added = isTask(task)
      ? task
      : reading(place, 'an object { taskId, … }', () => readTask(task, place));
    const ids = this.#knownIds();
    if (ids.has(added.taskId))
      throw refuse('ID_DUPLICATE', {
        at: place,
        found: `a second task with the id ${quote(added.taskId)}`,
        allowed: 'different ids',
        hint: 'Remove the other one first, or rename one of the two.',
      });
    if (this.tasks.length >= TASKS_MAX)
      throw refuse('LIMIT_EXCEEDED', {
        at,
        found: `${TASKS_MAX + 1} tasks`,
        allowed: `at most ${TASKS_MAX}`,
      });
    ids.add(added.taskId);
    (this.tasks as AnyTask[]).push(added);
    countEdit();
  }

  /**
   * Removes a task from a draft.
   *
   * @throws OrchestratorError `TASK_NOT_FOUND`; `DEPENDENCY_UNKNOWN` while another task depends on it;
   *   `DEFINITION_SEALED` once registered
   */
  removeTask(taskId: string | number): void {
    const at = this.#beginEdit('removeTask');
    const id = checkId(taskId, at, 'a task id');
    const ids = this.#knownIds();
    checkRemovable(this, id, ids, at);
    ids.delete(id);
    const kept = (task: AnyTask): boolean => task.taskId !== id;
    const edited = this as { tasks: readonly AnyTask[]; joined: readonly AnyTask[] };
    edited.tasks = this.tasks.filter(kept);
    edited.joined = this.joined.filter(kept);
    countEdit();
  }

  /**
   * Says of a draft that it is a new version although nothing of it that can be compared has changed, as when the
   * code of an inline function has.
   *
   * @returns the new `revision`
   * @throws OrchestratorError `LIMIT_EXCEEDED` above 1,000,000; `DEFINITION_SEALED` once registered
   */
  incrementVersion(): number {
    const at = this.#beginEdit('incrementVersion');
    if (this.revision >= REVISION_MAX)
      throw refuse('LIMIT_EXCEEDED', {
        at: `${at}/revision`,
        found: `${this.revision + 1}`,
        allowed: `at most ${REVISION_MAX}`,
      });
    (this as { revision: number }).revision += 1;
    countEdit();
    return this.revision;
  }

  /**
   * Archives a registered definition, so that no new run of it is started, or takes it back. Runs under way go on.
   * A run has a status of its own, which its tasks decide.
   *
   * @throws OrchestratorError `TRANSITION_ILLEGAL` for a draft, which is registered by a manager, and for going
   *   back to `draft`; `OPTION_INVALID`
   */
  updateStatus(status: DefinitionStatus): void {
    const at = `workflow ${JSON.stringify(this.name)}`;
    const to = checkChoice(status, `${at}/status`, ['draft', 'registered', 'archived'] as const);
    if (to === this.#status) return;
    if (this.#status === 'draft' || to === 'draft')
      throw refuse('TRANSITION_ILLEGAL', {
        at: `${at}/status`,
        found: `${to} after ${this.#status}`,
        allowed: 'registered and archived, in turn',
        hint:
          to === 'draft'
            ? 'Make a new version: workflows.updateWorkflow(name, (draft) => …).'
            : 'Register it first: workflows.createWorkflow, or manageWorkflow.',
      });
    this.#status = to;
  }

  /** An editable copy, of the workflow and of each of its tasks. Functions and data are shared. */
  draft(): Workflow<In, Outputs> {
    const copy = (task: AnyTask): AnyTask => task.copy();
    return new Workflow(this.name, optionsOf(this), this.tasks.map(copy), joinedOf(this).map(copy));
  }

  /** @internal The same with other tasks. */
  withTasks(tasks: unknown): AnyWorkflow {
    const at = `workflow ${JSON.stringify(this.name)}/tasks`;
    return new Workflow(
      this.name,
      optionsOf(this),
      reading(at, 'an array of tasks', () => readTasks(tasks, at)),
    );
  }

  /** @internal A definition of the same content, of which nothing can be edited either. */
  again(): Workflow<In, Outputs> {
    return new Workflow(this.name, optionsOf(this), this.tasks, joinedOf(this));
  }

  /** @internal Makes it and these tasks a registered definition. */
  seal(tasks: readonly AnyTask[]): void {
    if (this.#status === 'draft') this.#status = 'registered';
    freeze(this);
    for (let i = 0; i < tasks.length; i++) (tasks[i] as AnyTask).isSealed = true;
  }

  /**
   * The graph as an object, to look at and to draw; graphology is loaded for it the first time.
   *
   * @throws OrchestratorError what registering would throw for its graph; `LIMIT_EXCEEDED` above 200,000 tasks
   */
  graph(options: GraphOptions = {}): Promise<WorkflowGraph> {
    return loadGraph(() => {
      const since = sinceOf(options);
      return { plan: compile(this), since: since === undefined ? undefined : compile(since) };
    });
  }

  /**
   * The definition as plain data, from which `defineWorkflow` makes an equal one; see docs/workflow.schema.json.
   *
   * @throws OrchestratorError `EXPORT_IMPOSSIBLE` for functions and schemas, `VALUE_UNSERIALISABLE` for data that
   *   JSON does not have
   */
  toJSON(): WorkflowData {
    return exportWorkflow(this);
  }

  /**
   * A workflow from JSON text or from what was parsed of it.
   * @throws OrchestratorError `DEFINITION_INVALID`, and what `defineWorkflow` throws
   */
  static fromJSON(json: string | WorkflowData): OpenWorkflow {
    return workflowFromData(typeof json === 'string' ? parseJson(json) : json) as OpenWorkflow;
  }

  /** Refuses when it is no draft; returns where it stands, for refusals. */
  #beginEdit(method: string): string {
    const at = `workflow ${JSON.stringify(this.name)}`;
    if (this.#status !== 'draft') throw sealed(at, method);
    return at;
  }

  #knownIds(): Set<string> {
    this.#ids ??= new Set([...this.tasks, ...this.joined].map((task) => task.taskId));
    return this.#ids;
  }

  /** Whether a value was made by `defineWorkflow`. */
  static is(value: unknown): value is AnyWorkflow {
    return typeof value === 'object' && value !== null && #compiled in value;
  }
}

/** A workflow whose types are not known: any input will do, and outputs are found by id. */
export type OpenWorkflow = Workflow<unknown, Readonly<Record<string, unknown>>>;

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
  if (record.name === undefined) throw unnamed(data, DATA_ALLOWED);
  const name = checkId(record.name, 'workflow/name', 'a workflow name');
  const at = `workflow ${JSON.stringify(name)}`;
  checkKeys(record, DATA_KEYS, at);
  const { $schema } = record;
  if ($schema !== undefined && typeof $schema !== 'string')
    throw invalidOption(`${at}/$schema`, $schema, 'the address of a schema');
  const tasks = readTasks(record.tasks, `${at}/tasks`);
  const joined = record.joined === undefined ? NO_TASKS : readTasks(record.joined, `${at}/joined`);
  return new Workflow(name, record, tasks, joined) as AnyWorkflow;
}

function sinceOf(given: unknown): AnyWorkflow | undefined {
  return reading('graph', 'an object of options such as { since }', () => {
    const options = checkRecord(given, 'graph', 'an object of options such as { since }');
    checkKeys(options, new Set(['since']), 'graph');
    if (options.since === undefined || Workflow.is(options.since)) return options.since;
    throw invalidOption('graph/since', options.since, 'a workflow made by defineWorkflow');
  });
}
