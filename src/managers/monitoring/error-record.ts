/**
 * What is kept of an error: what failed, where, and what was done about it.
 *
 * Owns: nothing. Who may make them: the error handler.
 *
 * ER1  A record is plain data: what was thrown is described, not kept alive.
 */
import { checkInteger, checkKeys, checkRecord, invalidOption, reading } from '../../model/checks.ts';
import type { TaskFailure } from '../../model/failure.ts';
import type { TaskPath } from '../../model/path.ts';

/** What was done about an error. Times are milliseconds since 1970. */
export type Recovery =
  /** There will be another attempt, not before `dueAt`. */
  | { readonly kind: 'retry'; readonly nextAttempt: number; readonly dueAt: number }
  /** The task failed for good. */
  | {
      readonly kind: 'failed';
      /** The tasks that were skipped because of it, as far as that has happened; the first 100. */
      readonly skipped: readonly TaskPath[];
      readonly skippedCount: number;
    }
  /** The task was cancelled before; the report only ended its attempt. */
  | { readonly kind: 'cancelled' }
  /** The run failed; so many of its tasks ended without a result. */
  | { readonly kind: 'run_failed'; readonly skippedCount: number; readonly cancelledCount: number }
  /** The run was cancelled with the error as its reason. */
  | { readonly kind: 'run_cancelled' }
  /** Nothing: it was only recorded. */
  | { readonly kind: 'none' };

/** An error that was recorded. */
export interface ErrorRecord {
  /** Counts from 1, over all records of this handler. */
  readonly number: number;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** Who told of it: an event of a run, a report from outside, or `logError`. */
  readonly source: 'event' | 'report' | 'log';
  readonly failure: TaskFailure;
  readonly runId: string | undefined;
  readonly workflowId: string | undefined;
  readonly path: TaskPath | undefined;
  readonly attempt: number | undefined;
  readonly recovery: Recovery;
}

/** What an error is about. */
export interface ErrorAbout {
  readonly runId?: string | undefined;
  readonly workflowId?: string | undefined;
  readonly path?: TaskPath | undefined;
  readonly attempt?: number | undefined;
}

/** Which records to tell. */
export interface ErrorFilter {
  readonly runId?: string | undefined;
  readonly workflowId?: string | undefined;
  readonly path?: TaskPath | undefined;
  /** The `code` of the failure or of one of its causes. */
  readonly code?: string | undefined;
  /** Only those at or after this: milliseconds since 1970. */
  readonly since?: number | undefined;
  /** At most so many, the newest. Default: all that are kept. */
  readonly limit?: number | undefined;
}

/** How many skipped tasks a record names. */
export const SKIPPED_NAMED_MAX = 100;

const ABOUT_KEYS: ReadonlySet<string> = new Set(['runId', 'workflowId', 'path', 'attempt']);
const FILTER_KEYS: ReadonlySet<string> = new Set(['runId', 'workflowId', 'path', 'code', 'since', 'limit']);

/** @throws OrchestratorError `OPTION_INVALID`, `OPTION_UNKNOWN` */
export function checkAbout(given: unknown): ErrorAbout {
  const at = 'logError/about';
  return reading(at, 'an object { runId, workflowId, path, attempt }', () => {
    const about = checkRecord(given, at, 'an object { runId, workflowId, path, attempt }') as ErrorAbout;
    checkKeys(about, ABOUT_KEYS, at);
    checkTexts(about, ['runId', 'workflowId', 'path'], at);
    const { runId, workflowId, path, attempt } = about;
    if (attempt !== undefined) checkInteger(attempt, `${at}/attempt`, 0, Number.MAX_SAFE_INTEGER);
    return { runId, workflowId, path, attempt };
  });
}

/** @throws OrchestratorError `OPTION_INVALID`, `OPTION_UNKNOWN` */
export function checkErrorFilter(given: unknown): ErrorFilter {
  const at = 'find';
  return reading(at, 'an object { runId, workflowId, path, code, since, limit }', () => {
    const filter = checkRecord(given, at, 'an object of what to look for') as ErrorFilter;
    checkKeys(filter, FILTER_KEYS, at);
    checkTexts(filter, ['runId', 'workflowId', 'path', 'code'], at);
    const { since, limit } = filter;
    if (since !== undefined && !(typeof since === 'number' && Number.isFinite(since)))
      throw invalidOption(`${at}/since`, since, 'milliseconds since 1970');
    if (limit !== undefined) checkInteger(limit, `${at}/limit`, 0, Number.MAX_SAFE_INTEGER);
    return { ...filter };
  });
}

function checkTexts<Key extends string>(
  object: Readonly<Partial<Record<Key, unknown>>>,
  keys: readonly Key[],
  at: string,
): void {
  for (const key of keys) {
    const value = object[key];
    if (value !== undefined && typeof value !== 'string')
      throw invalidOption(`${at}/${key}`, value, 'a string');
  }
}

/** Whether a record is one of those looked for. */
export function fits(record: ErrorRecord, filter: ErrorFilter): boolean {
  const { runId, workflowId, path, code, since } = filter;
  return (
    (runId === undefined || record.runId === runId) &&
    (workflowId === undefined || record.workflowId === workflowId) &&
    (path === undefined || record.path === path) &&
    (since === undefined || record.at >= since) &&
    (code === undefined || hasCode(record.failure, code))
  );
}

function hasCode(failure: TaskFailure, code: string): boolean {
  return failure.code === code || (failure.cause !== undefined && hasCode(failure.cause, code));
}
