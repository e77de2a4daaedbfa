import { nearestName } from '../base/nearest.ts';
import { describeName, quote } from '../base/values.ts';
import { checkHandler, checkHandlerRef, checkPlace } from './check-handler.ts';
import { checkKeys, checkNumber, checkRecord } from './checks.ts';
import {
  checkDependencies,
  DEPENDENCIES_MAX,
  type DependencyItem,
  type DependencySpec,
} from './dependency.ts';
import { countEdit, notLive, sealed } from './drafts.ts';
import { refuse, unreadable } from './errors.ts';
import type { AnyHandler, HandlerRef } from './handler.ts';
import { checkId } from './ids.ts';
import type { LockNeed } from './needs.ts';
import { readSimpleTask, type SimpleTask } from './simple-task.ts';
import type { TaskStatus } from './status.ts';
import { type AnyTaskOptions, PRIORITY_MAX, TASK_KEYS } from './task-options.ts';
import { checkPolicies, copyData, NO_POLICIES, type TaskPolicies } from './task-policies.ts';
import { isWorkerRef, placed } from './worker-handlers.ts';

const NO_DEPENDENCIES: readonly DependencySpec[] = Object.freeze([]);
const OPTIONS_ALLOWED = 'an object of task options such as { run }';

/**
 * A node of a workflow: what is to be done, after what, and with which needs. Made by `task` or `taskFor`.
 *
 * @typeParam Id - the literal id
 * @typeParam Out - what dependents get
 * @typeParam In - the input of the run that its handler needs
 */
export class Task<Id extends string = string, Out = unknown, in In = never> {
  /** Carries the output type; there is no such field at run time. */
  declare readonly '~output': Out;
  /** Carries the input type; there is no such field at run time. */
  declare readonly '~input': (input: In) => void;

  readonly taskId: Id;
  readonly priority: number;
  readonly inputData: unknown;
  /** @internal */ readonly dependencySpecs: readonly DependencySpec[];
  /** @internal */ readonly handlerRef: HandlerRef | undefined;
  /** @internal */ readonly run: AnyHandler | undefined;
  /** @internal */ readonly policies: TaskPolicies;
  /** @internal Whether it is part of a registered workflow, and so no longer a draft. */
  isSealed = false;

  /** @internal Use `task`. */
  constructor(taskId: unknown, given: unknown, where?: string) {
    this.taskId = checkId(taskId, where === undefined ? 'task' : `${where}/taskId`, 'a task id') as Id;
    if (where === undefined) {
      const simple = attemptSimple(given);
      if (simple !== undefined) {
        this.priority = simple.priority;
        this.dependencySpecs = simple.dependencySpecs;
        this.run = simple.run;
        this.handlerRef = undefined;
        this.inputData = undefined;
        this.policies = NO_POLICIES;
        return;
      }
    }
    const at = where ?? `task ${JSON.stringify(this.taskId)}`;
    try {
      const options = checkRecord(given, at, OPTIONS_ALLOWED, 'DEFINITION_INVALID') as AnyTaskOptions;
      let rare = false;
      for (const key in options) {
        if (key === 'run' || key === 'dependencies' || key === 'priority') continue;
        if (!TASK_KEYS.has(key)) checkKeys(options, TASK_KEYS, at);
        rare = true;
      }
      this.priority =
        options.priority === undefined
          ? 0
          : checkNumber(options.priority, `${at}/priority`, -PRIORITY_MAX, PRIORITY_MAX);
      this.dependencySpecs =
        options.dependencies === undefined
          ? NO_DEPENDENCIES
          : checkDependencies(options.dependencies, at, isTask);
      this.run = options.run as AnyHandler | undefined;
      if (rare) {
        const ref =
          options.handler === undefined ? undefined : checkHandlerRef(options.handler, `${at}/handler`);
        this.inputData = copyData(options.inputData, `${at}/inputData`);
        this.policies = checkPolicies(options, at);
        this.handlerRef = isWorkerRef(ref) ? placed(ref, this.policies.runOn) : ref;
      } else {
        this.handlerRef = undefined;
        this.inputData = undefined;
        this.policies = NO_POLICIES;
      }
      checkHandler(this.run, this.handlerRef, at);
      if (rare) checkPlace(this.run !== undefined, this.policies, at);
    } catch (thrown) {
      throw unreadable(thrown, 'DEFINITION_INVALID', at, OPTIONS_ALLOWED);
    }
  }

  /** For people; empty when none was given. */
  get description(): string {
    return this.policies.description;
  }

  /** The agent that does it, if one was named. */
  get agentAssigned(): string | undefined {
    return this.policies.agentAssigned;
  }

  /** The ids of the tasks that this one depends on, in the order in which they were given. */
  get dependencies(): readonly string[] {
    return this.dependencySpecs.map((dependency) => dependency.taskId);
  }

  /** In milliseconds. */
  get estimatedDuration(): number | undefined {
    return this.policies.estimatedDurationMs;
  }

  /** Amounts by resource name. */
  get resourceRequirements(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.policies.resources.map(({ name, amount }) => [name, amount]));
  }

  /** Locks with their modes, in the order of their names. */
  get locks(): readonly LockNeed[] {
    return this.policies.locks;
  }

  /**
   * Sets the priority of a draft. What waits in a run has a priority of its own: `run.setPriority(path, priority)`.
   *
   * @param priority - higher starts earlier: -1e9 to 1e9
   * @throws OrchestratorError `OPTION_INVALID`; `DEFINITION_SEALED` when it is part of a registered workflow
   */
  updatePriority(priority: number): void {
    const at = beginEdit(this, 'updatePriority');
    (this as { priority: number }).priority = checkNumber(
      priority,
      `${at}/priority`,
      -PRIORITY_MAX,
      PRIORITY_MAX,
    );
    countEdit();
  }

  /**
   * Adds a dependency to a draft. Whether the graph has a cycle then is found when the workflow is checked as a whole.
   *
   * @param dependency - a task, `settled(task)`, the id of a task, or `{ taskId, on, as }`
   * @throws OrchestratorError `DEPENDENCY_INVALID` (also for a second one of the same name), `DEPENDENCY_SELF`,
   *   `LIMIT_EXCEEDED`; `DEFINITION_SEALED` when it is part of a registered workflow
   */
  addDependency(dependency: DependencyItem): void {
    const at = beginEdit(this, 'addDependency');
    const specs = this.dependencySpecs;
    const [added] = readSpecs([dependency], at);
    if (added === undefined) return;
    const allowed = 'another task';
    if (added.taskId === this.taskId)
      throw refuse('DEPENDENCY_SELF', { at: `${at}/dependencies`, found: 'the task itself', allowed });
    if (specs.some((spec) => spec.taskId === added.taskId || spec.name === added.name))
      throw refuse('DEPENDENCY_INVALID', {
        at: `${at}/dependencies`,
        found: `a second dependency on ${quote(added.taskId)}, or of the same name`,
        allowed: 'each task and each name once',
        hint: 'Remove the other one first.',
      });
    if (specs.length >= DEPENDENCIES_MAX)
      throw refuse('LIMIT_EXCEEDED', {
        at: `${at}/dependencies`,
        found: `${specs.length + 1} dependencies`,
        allowed: `at most ${DEPENDENCIES_MAX}`,
      });
    (this as { dependencySpecs: readonly DependencySpec[] }).dependencySpecs = [...specs, added];
    countEdit();
  }

  /**
   * Removes a dependency from a draft; its handler no longer sees that output.
   *
   * @param taskId - of the task that it depends on
   * @throws OrchestratorError `DEPENDENCY_UNKNOWN`; `DEFINITION_SEALED` when it is part of a registered workflow
   */
  removeDependency(taskId: string | number): void {
    const at = beginEdit(this, 'removeDependency');
    const id = checkId(taskId, at, 'a task id');
    const kept = this.dependencySpecs.filter((spec) => spec.taskId !== id);
    if (kept.length === this.dependencySpecs.length) {
      const nearest = nearestName(id, this.dependencies);
      throw refuse('DEPENDENCY_UNKNOWN', {
        at: `${at}/dependencies`,
        found: `the task ${quote(id)}, on which it does not depend`,
        allowed: 'a dependency of the task',
        hint: nearest === undefined ? undefined : `Did you mean ${JSON.stringify(nearest)}?`,
      });
    }
    (this as { dependencySpecs: readonly DependencySpec[] }).dependencySpecs = kept;
    countEdit();
  }

  /**
   * Refuses: a definition has no status. That of a task in a run changes by what happens in the run.
   * @throws OrchestratorError `TASK_NOT_LIVE` always
   */
  updateStatus(status: TaskStatus): never {
    throw notLive(this.taskId, `the status ${describeName(status)}`);
  }

  /**
   * Refuses: a definition has no output. Each run of it has one, which its handler returns.
   * @throws OrchestratorError `TASK_NOT_LIVE` always
   */
  setOutputData(_output: unknown): never {
    throw notLive(this.taskId, 'an output');
  }

  /** @internal An editable copy, whose dependencies are ids. */
  copy(): AnyTask {
    const copy = new Task(this.taskId, PLACEHOLDER);
    return Object.assign(copy, {
      priority: this.priority,
      inputData: this.inputData,
      dependencySpecs: this.dependencySpecs.map((spec) => ({ ...spec, target: undefined })),
      handlerRef: this.handlerRef,
      run: this.run,
      policies: this.policies,
    });
  }
}

const PLACEHOLDER = { run: () => undefined };

/** Refuses when a task is no draft; returns where it stands, for refusals. */
function beginEdit(task: { readonly taskId: string; readonly isSealed: boolean }, method: string): string {
  const at = `task ${JSON.stringify(task.taskId)}`;
  if (task.isSealed) throw sealed(at, method);
  return at;
}

function readSpecs(list: readonly unknown[], at: string): readonly DependencySpec[] {
  try {
    return checkDependencies(list, at, isTask);
  } catch (thrown) {
    throw unreadable(thrown, 'DEPENDENCY_INVALID', `${at}/dependencies`, 'a task, or the id of one');
  }
}

/** The options of the simplest kind of task; `undefined` for any other, and for what cannot even be looked at. */
function attemptSimple(given: unknown): SimpleTask | undefined {
  try {
    return readSimpleTask(given, PRIORITY_MAX);
  } catch {
    return undefined;
  }
}

/** A task with its types forgotten; every task fits. */
export type AnyTask = Task<string, unknown, never>;

/** Whether a value was made by `task` or `taskFor`. */
export function isTask(value: unknown): value is AnyTask {
  try {
    return value instanceof Task;
  } catch {
    // The trap of a proxy.
    return false;
  }
}
