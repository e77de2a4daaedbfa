/**
 * The versions of one workflow that are registered here.
 *
 * Owns: the versions, by number. Who may call it: the workflow manager.
 *
 * VL1  A number stands for one content; only the object that stands for the version can be another one.
 * VL2  The newest version is the one with the highest number, in whatever order they came.
 */
import { describeName } from '../../base/values.ts';
import { compile } from '../../model/compile.ts';
import { refuse } from '../../model/errors.ts';
import type { CompiledPlan } from '../../model/plan.ts';
import { isSamePlan, structureMark } from '../../model/same-plan.ts';
import { versionDigest } from '../../model/version-fields.ts';
import type { AnyWorkflow, OpenWorkflow } from '../../model/workflow.ts';

/** One version of a workflow. It never changes. */
export interface RegisteredWorkflow {
  readonly workflowId: string;
  readonly name: string;
  /** From 1, in the order in which they were registered for the first time. */
  readonly version: number;
  /** The definition; `draft()` makes an editable copy. */
  readonly workflow: OpenWorkflow;
  /** The version whose content it took over, when it is a rollback of this process. A store does not keep it. */
  readonly rollbackOf: number | undefined;
}

/** @internal A version with the plan that its runs share. */
export interface WorkflowVersion extends RegisteredWorkflow {
  readonly plan: CompiledPlan;
}

/** How many versions of one workflow are kept. */
export const VERSIONS_MAX = 10_000;

/** How many versions of one structure are compared as they are. */
const COMPARED_MAX = 8;

export class VersionList {
  readonly #workflowId: string;
  readonly #byNumber = new Map<number, WorkflowVersion>();
  /** Numbers, since what a weak table leads to counts as alive until the next full collection. */
  readonly #byWorkflow = new WeakMap<AnyWorkflow, number>();
  /** The numbers for each mark of a structure, the highest last; made when it is first asked for. */
  readonly #byStructure = new Map<number, number[]>();
  /** Versions that are not in it yet. */
  readonly #unmarked: number[] = [];
  #newest: WorkflowVersion | undefined;

  constructor(workflowId: string) {
    this.#workflowId = workflowId;
  }

  /** The version with the highest number. */
  get newest(): WorkflowVersion {
    return this.#newest as WorkflowVersion;
  }

  /** The version for which this very object stands. */
  of(workflow: AnyWorkflow): WorkflowVersion | undefined {
    const number = this.#byWorkflow.get(workflow);
    if (number === undefined) return undefined;
    const version = this.get(number);
    if (version.workflow === workflow) return version;
    return Object.freeze({ ...version, workflow: workflow as OpenWorkflow, plan: compile(workflow) });
  }

  /**
   * The version with the content of a plan: the newest, or the newest of all that have it.
   * @param isAny - looks for it among all
   */
  withContent(plan: CompiledPlan, isAny: boolean): WorkflowVersion | undefined {
    if (isSamePlan(this.newest.plan, plan)) return this.newest;
    if (!isAny || this.#byNumber.size === 1) return undefined;
    this.#markAll();
    const alike = this.#byStructure.get(structureMark(plan)) ?? [];
    // Most of those that differ show it in their first tasks. Where only the digest of all can tell, it is worth its time.
    const isOne = alike.length > COMPARED_MAX ? hasDigestOf(plan) : () => true;
    for (let i = alike.length - 1; i >= 0; i--) {
      const version = this.get(alike[i]);
      if (isOne(version) && isSamePlan(version.plan, plan)) return version;
    }
    return undefined;
  }

  has(version: number): boolean {
    return this.#byNumber.has(version);
  }

  /** All, by number. */
  all(): readonly WorkflowVersion[] {
    return [...this.#byNumber.values()].sort((a, b) => a.version - b.version);
  }

  /**
   * A version; the newest when no number is given.
   * @throws OrchestratorError `WORKFLOW_NOT_FOUND`
   */
  get(version?: number): WorkflowVersion {
    const found = version === undefined ? this.#newest : this.#byNumber.get(version);
    if (found !== undefined) return found;
    throw refuse('WORKFLOW_NOT_FOUND', {
      at: `workflow ${JSON.stringify(this.#workflowId)}`,
      found: `the version ${describeName(version)}`,
      allowed: spans(this.all().map((known) => known.version)),
    });
  }

  /** @throws OrchestratorError `LIMIT_EXCEEDED` */
  checkRoom(): void {
    if (this.#byNumber.size < VERSIONS_MAX) return;
    throw refuse('LIMIT_EXCEEDED', {
      at: `workflow ${JSON.stringify(this.#workflowId)}`,
      found: `${this.#byNumber.size} versions`,
      allowed: `at most ${VERSIONS_MAX}`,
    });
  }

  /** Adds a version, or lets another object stand for one that is there. */
  put(given: WorkflowVersion): WorkflowVersion {
    const version = Object.freeze(given);
    if (!this.#byNumber.has(version.version)) this.#unmarked.push(version.version);
    this.#byNumber.set(version.version, version);
    this.#byWorkflow.set(version.workflow, version.version);
    if (this.#newest === undefined || version.version >= this.#newest.version) this.#newest = version;
    return version;
  }

  #markAll(): void {
    // Two objects of one version have one content, so a number is marked once.
    for (const version of this.#unmarked.splice(0).sort((a, b) => a - b)) {
      const mark = structureMark(this.get(version).plan);
      const alike = this.#byStructure.get(mark);
      if (alike === undefined) this.#byStructure.set(mark, [version]);
      else insertSorted(alike, version);
    }
  }
}

function insertSorted(numbers: number[], added: number): void {
  let at = numbers.length;
  while (at > 0 && (numbers[at - 1] as number) > added) at--;
  numbers.splice(at, 0, added);
}

/** Whether a version has the digest of a plan; both are worked out once. */
function hasDigestOf(plan: CompiledPlan): (version: WorkflowVersion) => boolean {
  const digest = versionDigest(plan);
  return (version) => versionDigest(version.plan) === digest;
}

/** Numbers as a reader would say them: `1 to 3, 5`. */
function spans(numbers: readonly number[]): string {
  const parts: string[] = [];
  for (let i = 0; i < numbers.length; ) {
    let end = i;
    while (numbers[end + 1] === (numbers[end] as number) + 1) end++;
    parts.push(i === end ? `${numbers[i]}` : `${numbers[i]} to ${numbers[end]}`);
    i = end + 1;
  }
  return parts.join(', ');
}
