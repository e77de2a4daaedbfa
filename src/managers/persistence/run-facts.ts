/**
 * What the stream of a run can be found by, as its events say.
 *
 * Owns: nothing. Who may call it: whoever appends events of a run.
 *
 * RF1  The facts of a stream say what the fold of its log says; they are told with the events that change them.
 */
import type { RunEvent } from '../../machine/events.ts';
import type { RunStatus } from '../../model/status.ts';
import type { StreamFacts } from '../../ports/event-store.ts';

/** The statuses of runs that go on. */
export const UNFINISHED: readonly RunStatus[] = ['created', 'in_progress', 'paused'];

/** The statuses of runs that have ended. */
export const ENDED: readonly RunStatus[] = ['completed', 'failed', 'cancelled'];

const STATUS_AFTER: ReadonlyMap<RunEvent['type'], RunStatus> = new Map([
  ['RunStarted', 'in_progress'],
  ['RunPaused', 'paused'],
  ['RunResumed', 'in_progress'],
  ['RunCompleted', 'completed'],
  ['RunFailed', 'failed'],
  ['RunCancelled', 'cancelled'],
]);

/** The facts of a run whose log is these events; nothing if they do not begin with the first one. */
export function factsOfLog(events: readonly RunEvent[]): StreamFacts | undefined {
  const [created] = events;
  if (created?.type !== 'RunCreated') return undefined;
  let status: RunStatus = 'created';
  for (const { type } of events) status = STATUS_AFTER.get(type) ?? status;
  const { workflowId, attributes } = created;
  const startedAt = created.forkedFrom?.at ?? created.at;
  return { workflowId, status, startedAt, ...(attributes === undefined ? undefined : { attributes }) };
}
