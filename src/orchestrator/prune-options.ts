import { ENDED } from '../managers/persistence/run-facts.ts';
import {
  checkDuration,
  checkInteger,
  checkKeys,
  checkRecord,
  checkSignal,
  type Duration,
  invalidOption,
  reading,
} from '../model/checks.ts';
import { refuse } from '../model/errors.ts';
import { checkId } from '../model/ids.ts';
import type { RunStatus } from '../model/status.ts';
import { checkStatuses } from './check-statuses.ts';

/** Which ended runs are removed: those that all of this is true of. One of `olderThan` and `keepLast` has to be given. */
export interface PruneOptions {
  /** Those that ended at least so long ago. */
  readonly olderThan?: Duration | undefined;
  /** Those that are not among the last so many ended ones of their workflow, by their start: 0 to 1,000,000. */
  readonly keepLast?: number | undefined;
  /** Those of this workflow. */
  readonly workflowId?: string | undefined;
  /** Those with this end, or one of these. Default: all three. */
  readonly status?:
    | 'completed'
    | 'failed'
    | 'cancelled'
    | readonly ('completed' | 'failed' | 'cancelled')[]
    | undefined;
  /** At most so many: 1 to 1,000,000. Default 10,000. */
  readonly limit?: number | undefined;
  /** Only tells what would be removed. */
  readonly dryRun?: boolean | undefined;
  /** Ends it with `WAIT_ABORTED`; what is removed already stays removed. */
  readonly signal?: AbortSignal | undefined;
}

/** The same, checked. */
export interface CheckedPrune {
  readonly olderThanMs: number | undefined;
  readonly keepLast: number | undefined;
  readonly workflowId: string | undefined;
  readonly statuses: readonly RunStatus[];
  readonly limit: number;
  readonly dryRun: boolean;
  readonly signal: AbortSignal | undefined;
}

/** How many ended runs one call can remove. */
export const PRUNE_MAX = 1_000_000;

const KEYS: ReadonlySet<string> = new Set([
  'olderThan',
  'keepLast',
  'workflowId',
  'status',
  'limit',
  'dryRun',
  'signal',
]);

/** @throws OrchestratorError `OPTION_INVALID`, `OPTION_UNKNOWN`, `ID_INVALID` */
export function checkPrune(given: unknown, at: string): CheckedPrune {
  return reading(at, 'an object of options', () => {
    const options = checkRecord(given, at, 'an object of options');
    checkKeys(options, KEYS, at);
    const { olderThan, keepLast, workflowId, status, limit, dryRun, signal } = options;
    if (olderThan === undefined && keepLast === undefined)
      throw refuse('OPTION_INVALID', {
        at,
        found: 'neither olderThan nor keepLast',
        allowed: 'at least one of them',
        hint: 'To remove all that have ended, say keepLast: 0.',
      });
    if (dryRun !== undefined && typeof dryRun !== 'boolean')
      throw invalidOption(`${at}/dryRun`, dryRun, 'true or false');
    return {
      olderThanMs: olderThan === undefined ? undefined : checkDuration(olderThan, `${at}/olderThan`),
      keepLast: keepLast === undefined ? undefined : checkInteger(keepLast, `${at}/keepLast`, 0, PRUNE_MAX),
      workflowId:
        workflowId === undefined
          ? undefined
          : checkId(workflowId, `${at}/workflowId`, 'the id of a workflow'),
      statuses: status === undefined ? ENDED : checkStatuses(status, `${at}/status`, ENDED),
      limit: limit === undefined ? 10_000 : checkInteger(limit, `${at}/limit`, 1, PRUNE_MAX),
      dryRun: dryRun === true,
      signal: checkSignal(signal, `${at}/signal`),
    };
  });
}

/** Which ended runs are removed by themselves: as `pruneRuns`, and how often that is looked at. */
export interface RetentionOptions extends Pick<PruneOptions, 'olderThan' | 'keepLast' | 'limit'> {
  /** When a run ends and the last look was so long ago. 1 s to 24 days; default 1 minute. */
  readonly every?: Duration | undefined;
}

/** The same, checked. */
export interface CheckedRetention {
  readonly prune: CheckedPrune;
  readonly everyMs: number;
}

const EVERY_MS = 60_000;
const EVERY_MS_MIN = 1_000;
const RETENTION_KEYS: ReadonlySet<string> = new Set(['olderThan', 'keepLast', 'limit', 'every']);

/** @throws OrchestratorError `OPTION_INVALID`, `OPTION_UNKNOWN` */
export function checkRetention(given: unknown, at: string): CheckedRetention | undefined {
  if (given === undefined) return undefined;
  const options = checkRecord(given, at, 'an object { olderThan, keepLast, limit, every }');
  checkKeys(options, RETENTION_KEYS, at);
  const { every, ...prune } = options;
  return {
    prune: checkPrune(prune, at),
    everyMs: every === undefined ? EVERY_MS : checkEvery(every, `${at}/every`),
  };
}

function checkEvery(every: unknown, at: string): number {
  const everyMs = checkDuration(every, at);
  if (everyMs < EVERY_MS_MIN) throw invalidOption(at, every, 'a duration of at least 1s');
  return everyMs;
}
