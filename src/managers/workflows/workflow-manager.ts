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
import { reading } from '../../model/checks.ts';
import { compile } from '../../model/compile.ts';
import { refuse } from '../../model/errors.ts';
import { checkId } from '../../model/ids.ts';
import type { CompiledPlan } from '../../model/plan.ts';
import type { AnyTask } from '../../model/task.ts';
import { type Finding, findFaults } from '../../model/validate.ts';
import { type AnyWorkflow, type OpenWorkflow, Workflow, workflowFromData } from '../../model/workflow.ts';
import type { TaskData, WorkflowData, WorkflowOptions } from '../../model/workflow-data.ts';
import { diffPlans, type VersionDiff } from '../../model/workflow-diff.ts';
import type { VersionNumbers } from './definitions.ts';
import type { MovedRuns, RolledBack } from './run-move.ts';
import { type RegisteredWorkflow, VersionList, type WorkflowVersion } from './version-list.ts';
import {
  checkParts,
  checkRollback,
  checkVersion,
  type WorkflowManagerParts,
} from './workflow-manager-parts.ts';
import { archived, changedMeanwhile, inUse, notAtOnce } from './workflow-refusals.ts';

/** Tasks, or a whole workflow, or a function that edits a copy of the newest version. */
export type WorkflowChange =
  | AnyWorkflow
  | WorkflowData
  | readonly (AnyTask | TaskData)[]
  | ((draft: OpenWorkflow) => void);

/** What `validateWorkflow` found. */
export interface WorkflowValidation {
  readonly isValid: boolean;
  /** Everything that is wrong, in the order of the definition. */
  readonly findings: readonly Finding[];
}

/**
 * Keeps workflows with their versions. The one of an orchestrator is `orchestrator.workflows`.
 *
 * @example
 * const workflows = new WorkflowManager();
 * workflows.createWorkflow('report', [search, parse]);
 * workflows.updateWorkflow('report', (draft) => draft.addTask(write));
 */
export class WorkflowManager {
  readonly #lists = new Map<string, VersionList>();
  /** The highest number of a workflow that was deleted. */
  readonly #deleted = new Map<string, number>();
  readonly #numbers: VersionNumbers | undefined;
  readonly #admit: (workflow: AnyWorkflow) => void;
  readonly #unfinishedRuns: (workflowId: string, version?: number) => readonly string[];
  #moveRuns: (workflowId: string, version: number) => Promise<MovedRuns> = moveNone;

  /**
   * @param numbers - @internal what numbers mean in the store; none when they last no longer than this process
   * @throws OrchestratorError `OPTION_INVALID`, `OPTION_UNKNOWN`
   */
  constructor(parts: WorkflowManagerParts = {}, numbers?: VersionNumbers) {
    const { admit = () => {}, unfinishedRuns = () => [] } = checkParts(parts);
    this.#numbers = numbers;
    this.#admit = admit;
    this.#unfinishedRuns = unfinishedRuns;
  }

  /** @internal Gives it what moves runs; without it there are none. */
  connect(moveRuns: (workflowId: string, version: number) => Promise<MovedRuns>): void {
    this.#moveRuns = moveRuns;
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
    options?: Omit<WorkflowOptions<readonly AnyTask[], undefined>, 'tasks' | 'input'>,
  ): RegisteredWorkflow;
  /** The same of a workflow that `defineWorkflow` has made, or of its plain data. */
  createWorkflow(workflow: AnyWorkflow | WorkflowData): RegisteredWorkflow;
  createWorkflow(
    name: string | AnyWorkflow | WorkflowData,
    ...[tasks, options]: [tasks?: readonly (AnyTask | TaskData)[], options?: object]
  ): RegisteredWorkflow {
    const given = reading('createWorkflow', 'an object of workflow options', () => ({ ...options }));
    const workflow =
      typeof name === 'object' && name !== null && tasks === undefined
        ? asWorkflow(name)
        : workflowFromData({ ...given, name, tasks });
    const { workflowId } = workflow;
    if (this.#lists.has(workflowId))
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
    return [...this.#lists.keys()];
  }

  /** All versions of a workflow, oldest first. @throws OrchestratorError `WORKFLOW_NOT_FOUND` */
  versions(name: string): readonly RegisteredWorkflow[] {
    return this.#list(name).all();
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
  rollbackWorkflow(name: string, version: number): RegisteredWorkflow;
  /** The same, and moves the unfinished runs there; those that cannot go on with it stay as they are. */
  rollbackWorkflow(name: string, version: number, options: { takeRuns: true }): Promise<RolledBack>;
  rollbackWorkflow(
    name: string,
    version: number,
    options?: { takeRuns: true },
  ): RegisteredWorkflow | Promise<RolledBack> {
    const takes = checkRollback(options);
    const workflow = this.get(name, checkVersion(version, 'rollbackWorkflow')).workflow.again();
    const registered = this.#append(workflow, compile(workflow), version);
    if (!takes) return registered;
    return this.#moveRuns(name, registered.version).then((runs) => ({ registered, ...runs }));
  }

  /**
   * Moves the unfinished runs of a workflow, of whatever version, to one version.
   *
   * @param version - default: the newest
   * @returns the runs that go on with it, and those that cannot, with the reason of each
   * @throws OrchestratorError `WORKFLOW_NOT_FOUND`
   */
  async moveRuns(name: string, version?: number): Promise<MovedRuns> {
    const to = this.get(name, version);
    return this.#moveRuns(to.workflowId, to.version);
  }

  /**
   * Forgets a workflow with all its versions. Its numbers are not used again.
   * @throws OrchestratorError `WORKFLOW_NOT_FOUND`; `WORKFLOW_IN_USE` while a run of it has not ended
   */
  deleteWorkflow(name: string): void {
    const { workflowId, version } = this.#newest(name);
    const runs = this.#unfinishedRuns(workflowId);
    if (runs.length > 0) throw inUse(workflowId, runs);
    this.#lists.delete(workflowId);
    this.#deleted.set(workflowId, version);
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
   * What differs between two versions, and which runs under way have the first of them.
   * @throws OrchestratorError `WORKFLOW_NOT_FOUND`
   */
  diff(name: string, from: number, to: number): VersionDiff {
    const { plan } = this.get(name, checkVersion(from, 'diff/from'));
    const affectedRuns = this.#unfinishedRuns(plan.workflowId, from);
    return { ...diffPlans(plan, this.get(name, checkVersion(to, 'diff/to')).plan), affectedRuns };
  }

  /**
   * @internal The version of a workflow, which is new if the workflow is or if it differs from the newest version.
   * @param isAny - takes any version that has this content, not only the newest
   * @throws OrchestratorError what `compile` and the host's rules throw; `LIMIT_EXCEEDED`
   */
  register(workflow: AnyWorkflow, isAny = false): WorkflowVersion {
    // Checked as a whole first: what is refused is no version, and changes no limit.
    const plan = compile(workflow);
    this.#admit(workflow);
    const list = this.#lists.get(plan.workflowId);
    const known = list?.of(workflow);
    if (known !== undefined) return known;
    const same = list?.withContent(plan, isAny);
    if (list === undefined || same === undefined) return this.#add(workflow, plan);
    if (same.workflow.status === 'archived') throw archived(workflow.workflowId, same.version);
    workflow.seal(plan.tasks);
    // The newest object stands for the version: its functions are the ones that the host means now.
    return list.put({ ...same, workflow: workflow as OpenWorkflow, plan });
  }

  /**
   * @internal The version of which a run is to be started.
   * @throws OrchestratorError as `register`; `WORKFLOW_ARCHIVED`
   */
  forRun(workflow: AnyWorkflow): WorkflowVersion {
    const version = this.register(workflow, true);
    if (workflow.status === 'archived') throw archived(version.workflowId, version.version);
    return version;
  }

  /** @internal As `getWorkflow`, with its plan. @throws OrchestratorError `WORKFLOW_NOT_FOUND` */
  get(workflowId: string, version?: number): WorkflowVersion {
    return this.#list(workflowId).get(version);
  }

  /** @internal The plan of a version, if that is registered. */
  readonly planOf = (workflowId: string, version: number): CompiledPlan | undefined =>
    this.has(workflowId, version) ? this.get(workflowId, version).plan : undefined;

  /** Whether a version is registered. */
  has(workflowId: string, version: number): boolean {
    return this.#lists.get(workflowId)?.has(version) === true;
  }

  #list(workflowId: string): VersionList {
    const list = this.#lists.get(workflowId);
    if (list !== undefined) return list;
    const nearest = typeof workflowId === 'string' ? nearestName(workflowId, this.#lists.keys()) : undefined;
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

  /** Content that differs from that of the newest version: known to the store by its numbers, or new. */
  #add(workflow: AnyWorkflow, plan: CompiledPlan): WorkflowVersion {
    const { workflowId } = plan;
    const list = this.#lists.get(workflowId);
    const known = (this.#numbers?.numbersOf(plan) ?? []).filter((version) => list?.has(version) !== true);
    if (known.length === 0) return this.#append(workflow, plan, undefined);
    let newest: WorkflowVersion | undefined;
    for (const version of known) newest = this.#put(workflow, plan, version, undefined);
    return newest as WorkflowVersion;
  }

  #append(workflow: AnyWorkflow, plan: CompiledPlan, rollbackOf: number | undefined): WorkflowVersion {
    const { workflowId } = plan;
    this.#admit(workflow);
    const last = this.#lists.get(workflowId)?.newest.version ?? this.#deleted.get(workflowId) ?? 0;
    const version = Math.max(last, this.#numbers?.lastOf(workflowId) ?? 0) + 1;
    const added = this.#put(workflow, plan, version, rollbackOf);
    this.#numbers?.add(plan, version);
    return added;
  }

  #put(
    workflow: AnyWorkflow,
    plan: CompiledPlan,
    version: number,
    rollbackOf: number | undefined,
  ): WorkflowVersion {
    const { workflowId, name } = plan;
    const list = this.#lists.get(workflowId) ?? new VersionList(workflowId);
    list.checkRoom();
    workflow.seal(plan.tasks);
    this.#lists.set(workflowId, list);
    return list.put({ workflowId, name, version, workflow: workflow as OpenWorkflow, rollbackOf, plan });
  }
}

async function moveNone(): Promise<MovedRuns> {
  return { moved: [], refused: [] };
}

function asWorkflow(change: unknown): AnyWorkflow {
  return Workflow.is(change) ? change : workflowFromData(change);
}
