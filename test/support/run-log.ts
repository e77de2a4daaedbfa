/** Reading the log of a run in tests: the events of a type, who ran when, how many at once. */
import type { Run, RunEvent, RunEventType } from '@taskmaster-ai/orchestrator';

/** Everything that happened in a run, once it has ended. */
export async function logOf(run: Pick<Run, 'events'>): Promise<readonly RunEvent[]> {
  const events: RunEvent[] = [];
  for await (const event of run.events()) events.push(event);
  return events;
}

/** The events of one type, in order. */
export function ofType<Type extends RunEventType>(
  events: readonly RunEvent[],
  type: Type,
): readonly Extract<RunEvent, { readonly type: Type }>[] {
  return events.filter((event): event is Extract<RunEvent, { readonly type: Type }> => event.type === type);
}

/** The types of the events of one task, in order. */
export function typesOf(events: readonly RunEvent[], path: string): readonly RunEventType[] {
  return events.filter((event) => 'path' in event && event.path === path && !isOfRun(event)).map(typeOf);
}

/** The paths of the tasks that were started, in the order of their starts. */
export function startsOf(events: readonly RunEvent[]): readonly string[] {
  return ofType(events, 'TaskStarted').map((event) => event.path);
}

/** One attempt: when it was in progress. */
export interface Span {
  readonly path: string;
  readonly attempt: number;
  readonly from: number;
  readonly to: number;
}

const ENDS: ReadonlySet<RunEventType> = new Set<RunEventType>([
  'TaskCompleted',
  'TaskFailed',
  'TaskCancelled',
  'TaskRetryScheduled',
]);

/** When each attempt was in progress, in the order of their starts. */
export function spansOf(events: readonly RunEvent[]): readonly Span[] {
  return ofType(events, 'TaskStarted').map(({ path, attempt, at: from, seq }) => {
    const end = events.find(
      (event) => event.seq > seq && ENDS.has(event.type) && 'path' in event && event.path === path,
    );
    return { path, attempt, from, to: end?.at ?? Number.POSITIVE_INFINITY };
  });
}

/** The spans by path, for runs in which each task is tried once: `[from, to]`. */
export function timesOf(events: readonly RunEvent[]): Readonly<Record<string, readonly [number, number]>> {
  return Object.fromEntries(spansOf(events).map(({ path, from, to }) => [path, [from, to]]));
}

/** The greatest number of attempts in progress at once, counted over the log. */
export function peakOf(events: readonly RunEvent[]): number {
  let running = 0;
  let peak = 0;
  for (const event of events) {
    if (event.type === 'TaskStarted') running++;
    else if (ENDS.has(event.type) && 'attempt' in event && event.attempt > 0) {
      // A task that is cancelled while it waits for its next attempt is not in progress.
      if (event.type !== 'TaskCancelled' || isInProgress(events, event)) running--;
    }
    peak = Math.max(peak, running);
  }
  return peak;
}

function isInProgress(events: readonly RunEvent[], event: RunEvent & { readonly path: string }): boolean {
  const before = events.filter(
    (other) => other.seq < event.seq && 'path' in other && other.path === event.path,
  );
  return (
    before.findLast((other) => other.type === 'TaskStarted' || ENDS.has(other.type))?.type === 'TaskStarted'
  );
}

function isOfRun(event: RunEvent): boolean {
  return event.type === 'RunFailed';
}

function typeOf(event: RunEvent): RunEventType {
  return event.type;
}
