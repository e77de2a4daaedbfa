import { ENDED, UNFINISHED } from '../managers/persistence/run-facts.ts';
import { checkChoice, copyList } from '../model/checks.ts';
import type { RunStatus } from '../model/status.ts';

/** All that a run can have. */
export const STATUSES: readonly RunStatus[] = [...UNFINISHED, ...ENDED];

/** Statuses of runs, as one or as a list. @throws OrchestratorError `OPTION_INVALID` */
export function checkStatuses(
  value: unknown,
  at: string,
  allowed: readonly RunStatus[] = STATUSES,
): readonly RunStatus[] {
  if (!Array.isArray(value)) return [checkChoice(value, at, allowed)];
  return copyList(value, at, STATUSES.length, 'statuses').map((one, i) =>
    checkChoice(one, `${at}/${i}`, allowed),
  );
}
