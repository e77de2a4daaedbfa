/**
 * What can be said when locks are asked for, checked.
 *
 * Who may call it: the concurrency controller, and handlers through their context, in whatever thread they are.
 */
import { formatDuration } from '../base/duration.ts';
import { describeValue } from '../base/values.ts';
import {
  checkChoice,
  checkDuration,
  checkKeys,
  checkNumber,
  checkRecord,
  checkSignal,
  copyList,
  DURATION_MS_MAX,
  invalidOption,
  reading,
} from './checks.ts';
import { OrchestratorError, refuse } from './errors.ts';
import type { LockWaitOptions } from './handler.ts';
import { checkLockNeeds, LOCKS_MAX, type LockNeed, nameRequest } from './needs.ts';

/** How long locks may be held without a sign of life. */
export interface Lease {
  readonly leaseMs: number;
  /** Renews by itself this often, until `signal` is aborted. */
  readonly heartbeatMs: number | undefined;
  readonly signal: AbortSignal | undefined;
}

/** How locks are waited for and held, read and found right. */
export interface CheckedWait {
  readonly priority: number | undefined;
  readonly timeoutMs: number | undefined;
  readonly signal: AbortSignal | undefined;
  readonly lease: Lease | undefined;
}

/** A request for locks, read and found right. */
export interface CheckedAsk extends CheckedWait {
  readonly locks: readonly LockNeed[];
  readonly what: string;
}

const KEYS: ReadonlySet<string> = new Set(['mode', 'priority', 'timeout', 'signal', 'lease', 'heartbeat']);
/** A lease has to outlast two heartbeats that come late. */
const HEARTBEATS_IN_LEASE = 3;

/** @throws OrchestratorError `ID_INVALID`, `OPTION_INVALID`, `OPTION_UNKNOWN`, `LOCK_CONFLICT`, `LIMIT_EXCEEDED` */
export function checkLockAsk(name: unknown, given: unknown, at: string, keys = KEYS): CheckedAsk {
  return reading(at, 'lock names and options', () => {
    const wait = checkLockWait(given, at, keys);
    const locks = checkLocks(name, (given as LockWaitOptions).mode, at);
    if (locks.length === 0) throw invalidOption(at, name, 'at least one lock name');
    return { ...wait, locks, what: nameRequest(at, locks) };
  });
}

/** @throws OrchestratorError `OPTION_INVALID`, `OPTION_UNKNOWN` */
export function checkLockWait(given: unknown, at: string, keys = KEYS): CheckedWait {
  return reading(at, 'an object of options', () => {
    const options = checkRecord(given, at, 'an object of options') as LockWaitOptions;
    checkKeys(options, keys, at);
    const { priority, timeout } = options;
    const signal = checkSignal(options.signal, `${at}/signal`);
    return {
      priority: priority === undefined ? undefined : checkNumber(priority, `${at}/priority`, -1e9, 1e9),
      timeoutMs: timeout === undefined ? undefined : checkDuration(timeout, `${at}/timeout`),
      signal,
      lease: checkLease(options.lease, options.heartbeat, signal, at),
    };
  });
}

/** One name, several, or `{ name, mode }` of each; `mode` is that of bare names. */
export function checkLocks(name: unknown, given: unknown, at: string): readonly LockNeed[] {
  const mode = given === undefined ? 'exclusive' : checkChoice(given, `${at}/mode`, ['exclusive', 'shared']);
  const asked = typeof name === 'string' ? [name] : name;
  const list = Array.isArray(asked) ? copyList(asked, at, LOCKS_MAX, 'locks') : undefined;
  return checkLockNeeds(
    list?.map((one) => (typeof one === 'object' && one !== null ? one : { name: one, mode })) ?? asked,
    at,
  );
}

function checkLease(
  lease: unknown,
  heartbeat: unknown,
  signal: AbortSignal | undefined,
  at: string,
): Lease | undefined {
  if (lease === undefined && heartbeat === undefined) return undefined;
  const leaseMs = spanOf(lease);
  const heartbeatMs = heartbeat === undefined ? undefined : spanOf(heartbeat);
  const isRight =
    leaseMs !== undefined &&
    (heartbeat === undefined || (heartbeatMs !== undefined && leaseMs >= heartbeatMs * HEARTBEATS_IN_LEASE));
  if (isRight) return { leaseMs, heartbeatMs, signal };
  const show = (value: unknown, ms: number | undefined): string =>
    value === undefined ? 'none' : ms === undefined ? describeValue(value) : formatDuration(ms);
  throw refuse('OPTION_INVALID', {
    at: `${at}/lease`,
    found: `lease ${show(lease, leaseMs)}, heartbeat ${show(heartbeat, heartbeatMs)}`,
    allowed: `a lease of at least 1 ms, and of at least ${HEARTBEATS_IN_LEASE} heartbeats if it has any; a heartbeat of at least 1 ms`,
  });
}

/** A span of at least a millisecond; `undefined` for anything else. */
function spanOf(value: unknown): number | undefined {
  try {
    const ms = checkDuration(value, '');
    return ms >= 1 && ms <= DURATION_MS_MAX ? ms : undefined;
  } catch {
    return undefined;
  }
}

/** A wait that its own signal has ended. */
export function waitAborted(what: string, reason: unknown): OrchestratorError {
  return new OrchestratorError('WAIT_ABORTED', `${what}: the wait was ended by its signal`, {
    cause: reason,
  });
}

/** A wait, or a lock, of an attempt that is over. */
export function attemptOver({
  path,
  attempt,
}: {
  readonly path: string;
  readonly attempt: number;
}): OrchestratorError {
  return new OrchestratorError(
    'WAIT_ABORTED',
    `attempt ${attempt} of task ${JSON.stringify(path)} has ended; a lock can be taken only while it runs`,
  );
}

/** Locks that were given back before. */
export function givenBackBefore(): OrchestratorError {
  return new OrchestratorError(
    'GRANT_RELEASED',
    'the grant was given back before; found a second release, allowed: one',
  );
}

/** Locks that were taken back meanwhile; `what` is what was to be done with them. */
export function takenBackMeanwhile(what: string, names: readonly string[], token: number): OrchestratorError {
  return new OrchestratorError(
    'LOCK_STALE',
    `${what}(${names.join(', ')}): found the token ${token}, whose locks were taken back; allowed: the token of the holder. Stop what the locks protect, and take them again.`,
    { details: { names, token } },
  );
}
