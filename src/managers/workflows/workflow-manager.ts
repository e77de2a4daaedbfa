/**
 * The workflows that are known, with their versions.
 *
 * Owns: the list of versions of each workflow. Who may call it: the host, the facade and recovery. Works alone.
 *
 * WM1  A version never changes, and neither does its number; a changed workflow is a new version.
 * WM2  The same definition registered again is the same version.
 * WM3  Numbers are never used twice, not even after a workflow was deleted.
 * WM4  A run is pinned to the plan of its version; nothing here reaches it. What is refused changes nothing.
 */
import { nearestName } from '../../base/nearest.ts';
import { describeName, quote } from '../../base/values.ts';
import { checkFunction, checkKeys, checkRecord, reading } from '../../model/checks.ts';
import { compile } from '../../model/compile.ts';
import { refuse } from '../../model/errors.ts';
import { checkId } from '../../model/ids.ts';
import type { CompiledPlan } from '../../model/plan.ts';
import { isSamePlan } from '../../model/same-plan.ts';
import type { AnyTask } from '../../model/task.ts';
import { type Finding, findFaults } from '../../model/validate.ts';
import { type AnyWorkflow, type OpenWorkflow, Workflow, workflowFromData } from '../../model/workflow.ts';
import type { TaskData, WorkflowData, WorkflowOptions } from '../../model/workflow-data.ts';
import { diffPlans, type WorkflowDiff } from '../../model/workflow-diff.ts';
import { archived, changedMeanwhile, inUse, notAtOnce } from './workflow-refusals.ts';

/** One version of a workflow. It never changes. */
export interface RegisteredWorkflow {
  readonly workflowId: string;
  readonly name: string;
  /** From 1, in the order of registration. */
  readonly version: number;
  /** The definition; `draft()` makes an editable copy. */
  readonly workflow: OpenWorkflow;
  /** The version whose content it took over, when it is a rollback. */
  readonly rollbackOf: number | undefined;
}

/** @internal A version with the plan that its runs share. */
export interface WorkflowVersion extends RegisteredWorkflow {
  readonly plan: CompiledPlan;
}

/** Tasks, or a whole workflow, or a function that edits a copy of the newest version. */
export type WorkflowChange =
  | AnyWorkflow
  | WorkflowData
  | readonly (AnyTask | TaskData)[]
  | ((draft: OpenWorkflow) => void);

/** What a manager asks of those around it; alone it needs none of it. */
export interface WorkflowManagerParts {
  /** Refuses a workflow that could never run here, for its handlers or its needs. Default: none is refused. */
  readonly admit?: (workflow: AnyWorkflow) => void;
  /** The ids of the runs of a workflow that have not ended. Default: there are none. */
  readonly unfinishedRuns?: (workflowId: string) => readonly string[];
}

/** What `validateWorkflow` found. */
export interface WorkflowValidation {
  readonly isValid: boolean;
  /** Everything that is wrong, in the order of the definition. */
  readonly findings: readonly Finding[];
}

/** Everything that is known under one id. */
interface Entry {
  /** Version `first` is at 0. */
  readonly versions: WorkflowVersion[];
  readonly first: number;
  readonly byWorkflow: WeakMap<AnyWorkflow, WorkflowVersion>;
}

/** How many versions of one workflow are kept. */
export const VERSIONS_MAX = 10_000;

/**
 * Keeps workflows with their versions. The one of an orchestrator is `orchestrator.workflows`.
 *
 * @example
 * const workflows = new WorkflowManager();
 * workflows.createWorkflow('report', [search, parse]);
 * workflows.updateWorkflow('report', (draft) => draft.addTask(write));
 */
export class WorkflowManager {
  readonly #entries = new Map<string, Entry>();
  /** The number of the next version of a workflow that was deleted. */
  readonly #nextVersion = new Map<string, number>();
  readonly #admit: (workflow: AnyWorkflow) => void;
  readonly #unfinishedRuns: (workflowId: string) => readonly string[];

  /** @throws OrchestratorError `OPTION_INVALID`, `OPTION_UNKNOWN` */
  constructor(parts: WorkflowManagerParts = {}) {
    const { admit = () => {}, unfinishedRuns = () => [] } = checkParts(parts);
    this.#admit = admit;
    this.#unfinishedRuns = unfinishedRuns;
  }

  /**
   * Registers a new workflow.
   *
   * @param tasks - made by `task(…)`, or plain data
   * @param options - as for `defineWorkflow`
   * @returns version 1, or the next number if one of this name was deleted before
   * @throws OrchestratorError `WORKFLOW_EXISTS`, and whatever is wrong with the definition
   */
  createWorkflow(
    name: string,
    tasks: readonly (AnyTask | TaskData)[],
    options: Omit<WorkflowOptions<readonly AnyTask[], undefined>, 'tasks' | 'input'> = {},
  ): RegisteredWorkflow {
    const given = reading('createWorkflow', 'an object of workflow options', () => ({ ...options }));
    const workflow = workflowFromData({ ...given, name, tasks });
    const { workflowId } = workflow;
    if (this.#entries.has(workflowId))
      throw refuse('WORKFLOW_EXISTS', {
        at: `createWorkflow(${JSON.stringify(workflowId)})`,
        found: `a workflow of this name, at version ${this.#newest(workflowId).version}`,
        allowed: 'a name that is not registered',
        hint: 'Use updateWorkflow for a new version.',
      });
    return this.register(workflow);
  }

  /**
   * A version of a workflow.
   *
   * @param version - default: the newest
   * @throws OrchestratorError `WORKFLOW_NOT_FOUND`
   */
  getWorkflow(name: string, version?: number): RegisteredWorkflow {
    return this.get(name, version);
  }

  /** The names of all workflows, in the order of their registration. */
  names(): readonly string[] {
    return [...this.#entries.keys()];
  }

  /** All versions of a workflow, oldest first. @throws OrchestratorError `WORKFLOW_NOT_FOUND` */
  versions(name: string): readonly RegisteredWorkflow[] {
    return [...this.#entry(name).versions];
  }

  /**
   * Changes a workflow: appends a version with the changed content, or gives the newest one when nothing has changed.
   * Runs under way keep the version that they were started with.
   *
   * @param change - the new tasks, the new workflow, or a function that edits a draft of the newest version
   * @throws OrchestratorError `WORKFLOW_NOT_FOUND`; `WORKFLOW_CHANGED` when the function itself makes a version of the
   *   same workflow; `LIMIT_EXCEEDED`; whatever is wrong with the definition
   */
  updateWorkflow(name: string, change: WorkflowChange): RegisteredWorkflow {
    return this.register(this.#changed(name, change, 'updateWorkflow'));
  }

  /**
   * Appends a version, also when nothing that can be compared has changed.
   *
   * @param change - as for `updateWorkflow`; default: the content of the newest version
   * @throws OrchestratorError as `updateWorkflow`
   */
  versionWorkflow(name: string, change?: WorkflowChange): RegisteredWorkflow {
    const newest = this.#newest(name);
    const workflow =
      change === undefined ? newest.workflow.again() : this.#changed(name, change, 'versionWorkflow');
    return this.#append(workflow, compile(workflow), undefined);
  }

  /**
   * Appends a version whose content is that of an earlier one.
   * @throws OrchestratorError `WORKFLOW_NOT_FOUND`, `LIMIT_EXCEEDED`
   */
  rollbackWorkflow(name: string, version: number): RegisteredWorkflow {
    const workflow = this.get(name, version).workflow.again();
    return this.#append(workflow, compile(workflow), version);
  }

  /**
   * Forgets a workflow with all its versions. Its numbers are not used again.
   * @throws OrchestratorError `WORKFLOW_NOT_FOUND`; `WORKFLOW_IN_USE` while a run of it has not ended
   */
  deleteWorkflow(name: string): void {
    const { workflowId, version } = this.#newest(name);
    const runs = this.#unfinishedRuns(workflowId);
    if (runs.length > 0) throw inUse(workflowId, runs);
    this.#entries.delete(workflowId);
    this.#nextVersion.set(workflowId, version + 1);
  }

  /**
   * Looks for everything that is wrong with a workflow, and registers nothing.
   * @param definition - a workflow, plain data, or anything else
   */
  validateWorkflow(definition: unknown): WorkflowValidation {
    const findings = findFaults(definition, (workflow) => this.#admit(workflow));
    return { isValid: findings.length === 0, findings };
  }

  /**
   * What differs between two versions.
   * @throws OrchestratorError `WORKFLOW_NOT_FOUND`
   */
  diff(name: string, from: number, to: number): WorkflowDiff {
    return diffPlans(this.get(name, from).plan, this.get(name, to).plan);
  }

  /**
   * @internal The version of a workflow, which is new if the workflow is or if it differs from the newest version.
   * @throws OrchestratorError what `compile` and the host's rules throw; `LIMIT_EXCEEDED`
   */
  register(workflow: AnyWorkflow): WorkflowVersion {
    // Checked as a whole first: what is refused is no version, and changes no limit.
    const plan = compile(workflow);
    this.#admit(workflow);
    const entry = this.#entries.get(plan.workflowId);
    const known = entry?.byWorkflow.get(workflow);
    if (known !== undefined) return known;
    const newest = entry?.versions[entry.versions.length - 1];
    if (entry === undefined || newest === undefined || !isSamePlan(newest.plan, plan))
      return this.#append(workflow, plan, undefined);
    // The newest object stands for the version: its functions are the ones that the host means now.
    const again = Object.freeze({ ...newest, workflow: workflow as OpenWorkflow, plan });
    if (newest.workflow.status === 'archived') throw archived(workflow.workflowId, newest.version);
    entry.versions[entry.versions.length - 1] = again;
    entry.byWorkflow.set(workflow, again);
    workflow.seal(plan.tasks);
    return again;
  }

  /**
   * @internal The version of which a run is to be started.
   * @throws OrchestratorError as `register`; `WORKFLOW_ARCHIVED`
   */
  forRun(workflow: AnyWorkflow): WorkflowVersion {
    const version = this.register(workflow);
    if (workflow.status === 'archived') throw archived(version.workflowId, version.version);
    return version;
  }

  /** @internal As `getWorkflow`, with its plan. @throws OrchestratorError `WORKFLOW_NOT_FOUND` */
  get(workflowId: string, version?: number): WorkflowVersion {
    const entry = this.#entry(workflowId);
    if (version === undefined) return entry.versions[entry.versions.length - 1] as WorkflowVersion;
    const found = Number.isSafeInteger(version) ? entry.versions[version - entry.first] : undefined;
    if (found !== undefined) return found;
    const last = entry.first + entry.versions.length - 1;
    throw refuse('WORKFLOW_NOT_FOUND', {
      at: `workflow ${JSON.stringify(workflowId)}`,
      found: `the version ${describeName(version)}`,
      allowed: entry.first === last ? `${last}` : `${entry.first} to ${last}`,
    });
  }

  /** Whether a version is registered. */
  has(workflowId: string, version: number): boolean {
    const entry = this.#entries.get(workflowId);
    return Number.isSafeInteger(version) && entry?.versions[version - entry.first] !== undefined;
  }

  #entry(workflowId: string): Entry {
    const entry = this.#entries.get(workflowId);
    if (entry !== undefined) return entry;
    const nearest =
      typeof workflowId === 'string' ? nearestName(workflowId, this.#entries.keys()) : undefined;
    throw refuse('WORKFLOW_NOT_FOUND', {
      at: 'workflow',
      found: `the unknown name ${describeName(workflowId)}`,
      allowed: 'the name of a registered workflow',
      hint: nearest === undefined ? undefined : `Did you mean ${JSON.stringify(nearest)}?`,
    });
  }

  #newest(workflowId: string): WorkflowVersion {
    return this.get(workflowId);
  }

  /** The definition that a change makes of the newest version. */
  #changed(name: string, change: WorkflowChange, method: string): AnyWorkflow {
    const { workflow, workflowId, version } = this.#newest(name);
    const at = `${method}(${JSON.stringify(workflowId)})`;
    if (typeof change === 'function') {
      const draft = workflow.draft();
      const answer: unknown = change(draft);
      if (answer instanceof Promise) throw notAtOnce(answer, at);
      const newest = this.#newest(name).version;
      if (newest !== version) throw changedMeanwhile(at, version, newest);
      return draft;
    }
    const changed = reading(at, 'tasks, a workflow, or a function that edits a draft', () =>
      Array.isArray(change) ? workflow.withTasks(change) : asWorkflow(change),
    );
    const id = checkId(changed.workflowId, at, 'a workflow id');
    if (id === workflowId) return changed;
    throw refuse('OPTION_INVALID', {
      at,
      found: `a workflow with the id ${quote(id)}`,
      allowed: `one with the id ${quote(workflowId)}`,
      hint: 'Use createWorkflow for another workflow.',
    });
  }

  #append(workflow: AnyWorkflow, plan: CompiledPlan, rollbackOf: number | undefined): WorkflowVersion {
    const { workflowId, name } = plan;
    this.#admit(workflow);
    const entry = this.#entries.get(workflowId) ?? {
      versions: [],
      first: this.#nextVersion.get(workflowId) ?? 1,
      byWorkflow: new WeakMap(),
    };
    const count = entry.versions.length;
    if (count >= VERSIONS_MAX)
      throw refuse('LIMIT_EXCEEDED', {
        at: `workflow ${JSON.stringify(workflowId)}`,
        found: `${count} versions`,
        allowed: `at most ${VERSIONS_MAX}`,
      });
    const version = Object.freeze({
      workflowId,
      name,
      version: entry.first + count,
      workflow: workflow as OpenWorkflow,
      rollbackOf,
      plan,
    });
    entry.versions.push(version);
    entry.byWorkflow.set(workflow, version);
    this.#entries.set(workflowId, entry);
    workflow.seal(plan.tasks);
    return version;
  }
}

const PARTS: ReadonlySet<string> = new Set(['admit', 'unfinishedRuns']);

function checkParts(given: unknown): WorkflowManagerParts {
  const at = 'new WorkflowManager';
  return reading(at, 'an object of functions', () => {
    const parts = checkRecord(given, at, 'an object of functions');
    checkKeys(parts, PARTS, at);
    for (const key of PARTS)
      if (parts[key] !== undefined) checkFunction(parts[key], `${at}/${key}`, 'a function');
    return parts;
  });
}

function asWorkflow(change: unknown): AnyWorkflow {
  return Workflow.is(change) ? change : workflowFromData(change);
}
