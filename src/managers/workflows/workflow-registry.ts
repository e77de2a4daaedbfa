/**
 * The workflows that are known, with their versions.
 *
 * Owns: the list of versions of each workflow. Who may call it: the facade and recovery.
 *
 * WR1  A version never changes; a changed workflow is a new version.
 * WR2  The same definition registered again is the same version.
 */
import { nearestName } from '../../base/nearest.ts';
import { compile } from '../../model/compile.ts';
import { OrchestratorError } from '../../model/errors.ts';
import type { CompiledPlan } from '../../model/plan.ts';
import { isSamePlan } from '../../model/same-plan.ts';
import type { AnyWorkflow } from '../../model/workflow.ts';

/** One version of a workflow. */
export interface WorkflowVersion {
  readonly workflow: AnyWorkflow;
  readonly plan: CompiledPlan;
  /** From 1. */
  readonly version: number;
}

/** How many versions of one workflow are kept. */
export const VERSIONS_MAX = 10_000;

export class WorkflowRegistry {
  readonly #versions = new Map<string, WorkflowVersion[]>();
  readonly #byWorkflow = new WeakMap<AnyWorkflow, WorkflowVersion>();

  /**
   * The version of a workflow, which is new if the workflow is or if it differs from the newest version.
   * @throws OrchestratorError what `compile` throws; `LIMIT_EXCEEDED`
   */
  register(workflow: AnyWorkflow): WorkflowVersion {
    const known = this.#byWorkflow.get(workflow);
    if (known !== undefined) return known;
    const plan = compile(workflow);
    const versions = this.#versions.get(plan.workflowId) ?? [];
    const newest = versions[versions.length - 1];
    if (newest !== undefined && isSamePlan(newest.plan, plan)) {
      return this.#remember(
        workflow,
        { workflow, plan, version: newest.version },
        versions,
        versions.length - 1,
      );
    }
    if (versions.length >= VERSIONS_MAX) {
      throw new OrchestratorError(
        'LIMIT_EXCEEDED',
        `workflow ${JSON.stringify(plan.workflowId)}: found ${versions.length} versions; allowed: ${VERSIONS_MAX}`,
      );
    }
    return this.#remember(
      workflow,
      { workflow, plan, version: versions.length + 1 },
      versions,
      versions.length,
    );
  }

  /**
   * A version by id and number; the newest if no number is given.
   * @throws OrchestratorError `WORKFLOW_NOT_FOUND`
   */
  get(workflowId: string, version?: number): WorkflowVersion {
    const versions = this.#versions.get(workflowId);
    const found = versions?.[(version ?? versions.length) - 1];
    if (found !== undefined) return found;
    const nearest = nearestName(workflowId, this.#versions.keys());
    const hint =
      nearest === undefined || nearest === workflowId ? '' : ` Did you mean ${JSON.stringify(nearest)}?`;
    throw new OrchestratorError(
      'WORKFLOW_NOT_FOUND',
      `no workflow ${JSON.stringify(workflowId)}${version === undefined ? '' : ` version ${version}`} is registered.${hint}`,
      {
        details: { workflowId, version },
      },
    );
  }

  /** Whether a version is registered. */
  has(workflowId: string, version: number): boolean {
    return this.#versions.get(workflowId)?.[version - 1] !== undefined;
  }

  #remember(
    workflow: AnyWorkflow,
    entry: WorkflowVersion,
    versions: WorkflowVersion[],
    place: number,
  ): WorkflowVersion {
    // The newest object stands for the version: its functions are the ones that the host means now.
    versions[place] = entry;
    this.#versions.set(entry.plan.workflowId, versions);
    this.#byWorkflow.set(workflow, entry);
    return entry;
  }
}
