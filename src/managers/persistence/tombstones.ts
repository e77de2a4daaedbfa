/**
 * What is left of a run that was started under a key and was removed: so much that the key never starts another one.
 *
 * Owns: the streams that begin with `pruned:`. Who may call it: whoever removes runs, and whoever starts one under a key.
 *
 * TO1  A tombstone is durable before the log of its run is removed: at any moment one of the two is there.
 * TO2  It says by what the run was started, as far as a second start has to be judged, and how it ended; no values.
 */
import { digestOf } from '../../base/digest.ts';
import type { RunCreated } from '../../machine/events.ts';
import type { RunStatus } from '../../model/status.ts';
import type { StreamAppend } from '../../ports/event-store.ts';
import type { PersistenceManager } from './persistence-manager.ts';

/** What is known of a run that was removed. */
export interface Tombstone {
  readonly key: string;
  readonly runId: string;
  readonly workflowId: string;
  /** The mark of its input. */
  readonly input: string;
  readonly status: RunStatus;
  /** Milliseconds since 1970. */
  readonly endedAt: number;
}

const PREFIX = 'pruned:';
const TYPE = 'RunPruned';

/** How a run ended that is to be removed. */
export interface EndOfRun {
  readonly status: RunStatus;
  readonly endedAt: number;
}

/** What is to be left of a run; nothing when it was started without a key. */
export function tombstoneOf(
  { key, runId, workflowId, input }: RunCreated,
  end: EndOfRun,
): Tombstone | undefined {
  return key === undefined ? undefined : { key, runId, workflowId, input: digestOf(input), ...end };
}

/** Whether a second start means the same as the first one did. */
export function isSameStart(tombstone: Tombstone, workflowId: string, input: unknown): boolean {
  return tombstone.workflowId === workflowId && tombstone.input === digestOf(input);
}

/** What is left of the run that was started under a key, if it was removed. */
export async function findTombstone(
  persistence: PersistenceManager,
  key: string,
): Promise<Tombstone | undefined> {
  const [record] = await persistence.readStream(PREFIX + key);
  return record?.type === TYPE ? (record.payload as Tombstone) : undefined;
}

/** Writes tombstones; one that is there already stays. */
export async function writeTombstones(
  persistence: PersistenceManager,
  tombstones: readonly Tombstone[],
  at: number,
): Promise<void> {
  const group: StreamAppend[] = [];
  for (const tombstone of tombstones) {
    // A process has died between this and the removal.
    if ((await findTombstone(persistence, tombstone.key)) !== undefined) continue;
    const event = { type: TYPE, seq: 1, at, ...tombstone };
    group.push(persistence.firstOf(PREFIX + tombstone.key, [event], { [TYPE]: 1 }));
  }
  if (group.length > 0) await persistence.append(group);
}
