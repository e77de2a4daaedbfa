/** What a workflow manager is given, checked. */
import {
  checkBoolean,
  checkFunction,
  checkInteger,
  checkKeys,
  checkRecord,
  reading,
} from '../../model/checks.ts';
import type { AnyWorkflow } from '../../model/workflow.ts';

/** What a manager asks of those around it; alone it needs none of it. */
export interface WorkflowManagerParts {
  /** Refuses a workflow that could never run here, for its handlers or its needs. Default: none is refused. */
  readonly admit?: (workflow: AnyWorkflow) => void;
  /** The ids of the runs of a workflow that have not ended: of one version, or of any. Default: there are none. */
  readonly unfinishedRuns?: (workflowId: string, version?: number) => readonly string[];
}

const PARTS: ReadonlySet<string> = new Set(['admit', 'unfinishedRuns']);

/** @throws OrchestratorError `OPTION_INVALID`, `OPTION_UNKNOWN` */
export function checkParts(given: unknown): WorkflowManagerParts {
  const at = 'new WorkflowManager';
  return reading(at, 'an object of functions', () => {
    const parts = checkRecord(given, at, 'an object of functions');
    checkKeys(parts, PARTS, at);
    for (const key of PARTS)
      if (parts[key] !== undefined) checkFunction(parts[key], `${at}/${key}`, 'a function');
    return parts;
  });
}

const ROLLBACK: ReadonlySet<string> = new Set(['takeRuns']);

/** The number of a version. @throws OrchestratorError `OPTION_INVALID` */
export function checkVersion(given: unknown, at: string): number {
  return checkInteger(given, at, 1, Number.MAX_SAFE_INTEGER);
}

/** Whether a rollback takes runs along. @throws OrchestratorError `OPTION_INVALID`, `OPTION_UNKNOWN` */
export function checkRollback(given: unknown): boolean {
  if (given === undefined) return false;
  const at = 'rollbackWorkflow';
  return reading(at, 'an object of options such as { takeRuns: true }', () => {
    const options = checkRecord(given, at, 'an object of options such as { takeRuns: true }');
    checkKeys(options, ROLLBACK, at);
    return options.takeRuns === undefined ? false : checkBoolean(options.takeRuns, `${at}/takeRuns`);
  });
}
