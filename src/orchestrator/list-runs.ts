import type { RunAttributes } from '../machine/events.ts';
import { RUN_STREAM_PREFIX, streamOf } from '../managers/persistence/persistence-manager.ts';
import { checkInteger, checkKeys, checkRecord, checkText, reading } from '../model/checks.ts';
import { checkId } from '../model/ids.ts';
import { isRunFinished, type RunStatus } from '../model/status.ts';
import type { ListRequest, StreamInfo } from '../ports/event-store.ts';
import { checkStatuses, STATUSES } from './check-statuses.ts';
import type { Composition } from './compose.ts';
import { checkAttributes } from './run-attributes.ts';

/** Which runs of the store are asked for: those that all of this is true of. */
export interface ListRunsOptions {
  /** Runs of this workflow. */
  readonly workflowId?: string | undefined;
  /** Runs with this status, or one of these. */
  readonly status?: RunStatus | readonly RunStatus[] | undefined;
  /** Runs started then or later: milliseconds since 1970. */
  readonly startedFrom?: number | undefined;
  /** Runs started before: milliseconds since 1970. */
  readonly startedBefore?: number | undefined;
  /** Runs that were started with all of these attributes. */
  readonly attributes?: RunAttributes | undefined;
  /** At most so many: 1 to 1,000. Default 100. */
  readonly limit?: number | undefined;
  /**
   * Only runs that come after this one: the `runId` of the last one of the page before. One that was removed since then
   * still says where to go on, unless that was long ago: then `PAGE_LOST`.
   */
  readonly after?: string | undefined;
}

/** A run of the store. */
export interface RunInfo {
  readonly runId: string;
  readonly workflowId: string;
  readonly status: RunStatus;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  /** When its last event was decided: milliseconds since 1970. */
  readonly lastAt: number;
  /** How many events it has. */
  readonly lastSeq: number;
  /** Milliseconds since 1970; absent while it goes on. */
  readonly endedAt?: number;
  /** What it was started with; empty if it was with nothing. */
  readonly attributes: RunAttributes;
}

/** The longest id of a run that is looked for, in UTF-16 code units. */
const RUN_ID_LENGTH_MAX = 1_024;

const KEYS: ReadonlySet<string> = new Set([
  'workflowId',
  'status',
  'startedFrom',
  'startedBefore',
  'attributes',
  'limit',
  'after',
]);

/** @throws OrchestratorError `OPTION_INVALID`, `OPTION_UNKNOWN`, `ID_INVALID`, `LIMIT_EXCEEDED`, and what the store throws */
export async function listRuns({ persistence }: Composition, given: unknown): Promise<readonly RunInfo[]> {
  const request = reading('listRuns', 'an object of options', () => readOptions(given, 'listRuns'));
  return (await persistence.listRuns(request)).flatMap(infoOf);
}

function readOptions(given: unknown, at: string): Omit<ListRequest, 'prefix'> {
  const options = checkRecord(given, at, 'an object of options');
  checkKeys(options, KEYS, at);
  const { workflowId, status, limit, after, attributes } = options;
  return {
    workflowId:
      workflowId === undefined ? undefined : checkId(workflowId, `${at}/workflowId`, 'the id of a workflow'),
    // A stream without facts belongs to no run that was started here.
    statuses: status === undefined ? STATUSES : checkStatuses(status, `${at}/status`),
    startedFrom: checkTime(options.startedFrom, `${at}/startedFrom`),
    startedBefore: checkTime(options.startedBefore, `${at}/startedBefore`),
    attributes: checkAttributes(attributes, `${at}/attributes`),
    limit: limit === undefined ? 100 : checkInteger(limit, `${at}/limit`, 1, 1_000),
    after: after === undefined ? undefined : streamOf(checkText(after, `${at}/after`, RUN_ID_LENGTH_MAX)),
  };
}

/** A time, if one is given. @throws OrchestratorError `OPTION_INVALID` */
export function checkTime(value: unknown, at: string): number | undefined {
  return value === undefined ? undefined : checkInteger(value, at, 0, Number.MAX_SAFE_INTEGER);
}

function infoOf({ stream, facts, lastAt, lastSeq }: StreamInfo): readonly RunInfo[] {
  if (facts === undefined) return [];
  const { workflowId, startedAt, attributes = {} } = facts;
  const status = facts.status as RunStatus;
  const runId = stream.slice(RUN_STREAM_PREFIX.length);
  const info = { runId, workflowId, status, startedAt, lastAt, lastSeq, attributes: { ...attributes } };
  return [isRunFinished(status) ? { ...info, endedAt: lastAt } : info];
}
