import type { RunCreated } from '../machine/events.ts';
import { RUN_STREAM_PREFIX } from '../managers/persistence/persistence-manager.ts';
import { type Tombstone, tombstoneOf, writeTombstones } from '../managers/persistence/tombstones.ts';
import type { ErrorCode } from '../model/error-codes.ts';
import { OrchestratorError, refuse } from '../model/errors.ts';
import type { RunStatus } from '../model/status.ts';
import type { StreamInfo } from '../ports/event-store.ts';
import type { Composition } from './compose.ts';
import type { CheckedPrune } from './prune-options.ts';
import { headOf } from './recover-runs.ts';

/** What was removed, and why what was kept was kept. */
export interface PrunedRuns {
  readonly removed: number;
  /** How many ended runs were looked at and kept, by the first reason that holds. */
  readonly kept: {
    /** They ended later than `olderThan` says. */
    readonly tooRecent: number;
    /** They are among the last of their workflow. */
    readonly inKeepLast: number;
    /** Somebody asked for a checkpoint of them. */
    readonly hasCheckpoint: number;
    /** This process knows them: a handle may read them. */
    readonly inUse: number;
    /** Their logs cannot be read, so that nobody knows whether they have a key. */
    readonly unreadable: number;
  };
  /** Whether `limit` was reached, so that there may be more to remove. */
  readonly more: boolean;
}

const PAGE = 1_000;
/** Runs that are removed together. */
const AT_ONCE = 64;

/** So many calls may wait for one another. */
export const PRUNES_MAX = 1_000;

/** By orchestrator, the calls that have not ended, and the end of the last one: what two count at once, both would remove. */
const underWay = new WeakMap<Composition, { calls: number; last: Promise<unknown> }>();

/**
 * Removes ended runs, one call after the other.
 * @throws OrchestratorError `WAIT_ABORTED`, `QUEUE_FULL`, and what the store throws
 */
export async function pruneRuns(parts: Composition, options: CheckedPrune): Promise<PrunedRuns> {
  const queue = underWay.get(parts) ?? { calls: 0, last: Promise.resolve() };
  underWay.set(parts, queue);
  if (queue.calls >= PRUNES_MAX)
    throw refuse('QUEUE_FULL', {
      at: 'pruneRuns',
      found: `${queue.calls} calls that have not ended`,
      allowed: `at most ${PRUNES_MAX}`,
    });
  queue.calls++;
  const before = queue.last;
  const pruning = (async () => {
    await before;
    return pruneNow(parts, options);
  })();
  const settle = (): void => {
    queue.calls--;
  };
  queue.last = pruning.then(settle, settle);
  await turnOf(before, options.signal);
  return pruning;
}

/** Until those before have ended, or the signal says that nobody waits any more: then its own turn does nothing. */
async function turnOf(before: Promise<unknown>, signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) return;
  let stop = (): void => {};
  await new Promise<void>((resolve) => {
    stop = resolve;
    signal.addEventListener('abort', stop);
    if (signal.aborted) resolve();
    void before.then(stop);
  });
  signal.removeEventListener('abort', stop);
  checkAborted(signal);
}

async function pruneNow(parts: Composition, options: CheckedPrune): Promise<PrunedRuns> {
  checkAborted(options.signal);
  const kept = { tooRecent: 0, inKeepLast: 0, hasCheckpoint: 0, inUse: 0, unreadable: 0 };
  const surplus =
    options.keepLast === undefined ? undefined : await surplusOf(parts, options, options.keepLast);
  const before = parts.clock.now() - (options.olderThanMs ?? 0);
  const found: StreamInfo[] = [];
  let more = false;
  for await (const info of ended(parts, options)) {
    const left = surplus?.get(info.facts?.workflowId ?? '') ?? 0;
    if (surplus !== undefined) surplus.set(info.facts?.workflowId ?? '', left - 1);
    if (surplus !== undefined && left <= 0) kept.inKeepLast++;
    else if (options.olderThanMs !== undefined && info.lastAt > before) kept.tooRecent++;
    else if (parts.directory.find(runIdOf(info)) !== undefined) kept.inUse++;
    else if (await hasCheckpoint(parts, runIdOf(info))) kept.hasCheckpoint++;
    else if (found.push(info) >= options.limit) {
      more = true;
      break;
    }
  }
  let removed = options.dryRun ? found.length : 0;
  for (let i = 0; i < found.length && !options.dryRun; i += AT_ONCE) {
    if (parts.directory.isClosing) return { removed, kept, more: true };
    checkAborted(options.signal);
    const some = found.slice(i, i + AT_ONCE);
    removed += await parts.persistence.gate.remove(() => remove(parts, some, kept), options.signal);
    // Whoever closes waits until none is under way.
    parts.loop.wake();
    await nextTurn();
  }
  return { removed, kept, more };
}

/** The ended runs that are asked for, in the order of their start. */
async function* ended(
  { persistence }: Composition,
  { workflowId, statuses, signal }: CheckedPrune,
): AsyncGenerator<StreamInfo> {
  for (let after: string | undefined; ; ) {
    checkAborted(signal);
    const page = await persistence.listRuns({ workflowId, statuses, limit: PAGE, after });
    yield* page;
    if (page.length < PAGE) return;
    await nextTurn();
    after = page.at(-1)?.stream;
  }
}

/** How many of each workflow are more than are to be kept. */
async function surplusOf(
  parts: Composition,
  options: CheckedPrune,
  keepLast: number,
): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  for await (const { facts } of ended(parts, options)) {
    const id = facts?.workflowId ?? '';
    counts.set(id, (counts.get(id) ?? -keepLast) + 1);
  }
  return counts;
}

/** Whether somebody asked for one; that which is kept by itself does not count. */
async function hasCheckpoint({ persistence }: Composition, runId: string): Promise<boolean> {
  const all = await persistence.listCheckpoints(runId);
  return all.some(({ id }) => id !== `${runId}/latest`);
}

/** Removes some; of those with a key what is left is written first. */
async function remove(
  parts: Composition,
  infos: readonly StreamInfo[],
  kept: { unreadable: number; inUse: number; hasCheckpoint: number },
): Promise<number> {
  const { persistence, directory, clock } = parts;
  const tombstones: Tombstone[] = [];
  const gone: string[] = [];
  for (const info of infos) {
    const runId = runIdOf(info);
    // Somebody may have asked for it meanwhile.
    if (directory.find(runId) !== undefined) {
      kept.inUse++;
      continue;
    }
    if (await hasCheckpoint(parts, runId)) {
      kept.hasCheckpoint++;
      continue;
    }
    const end = { status: info.facts?.status as RunStatus, endedAt: info.lastAt };
    const created = await createdOf(parts, runId);
    if (created === undefined) {
      kept.unreadable++;
      continue;
    }
    const tombstone = tombstoneOf(created, end);
    if (tombstone !== undefined) tombstones.push(tombstone);
    gone.push(runId);
  }
  if (directory.isClosing) return 0;
  await writeTombstones(persistence, tombstones, clock.now());
  await persistence.remove(gone);
  return gone.length;
}

/** The first event of a run; nothing when it cannot be read. */
async function createdOf(parts: Composition, runId: string): Promise<RunCreated | undefined> {
  try {
    return await headOf(parts, runId);
  } catch (error) {
    if (isOneOf(error, ['EVENT_UNKNOWN', 'HISTORY_INVALID', 'STORE_CORRUPT'])) return undefined;
    throw error;
  }
}

function isOneOf(error: unknown, codes: readonly ErrorCode[]): boolean {
  return codes.some((code) => OrchestratorError.is(error, code));
}

function runIdOf({ stream }: StreamInfo): string {
  return stream.slice(RUN_STREAM_PREFIX.length);
}

/** A store that answers at once would hold the event loop of the host until the last one is removed. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function checkAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted)
    throw new OrchestratorError('WAIT_ABORTED', 'pruneRuns: it was ended by its signal', {
      cause: signal.reason,
    });
}
