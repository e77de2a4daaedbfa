/** Folds the log of a run into what a report says about it: what ran when, and what waited for what. */
import type { AnyTask, RunEvent } from '@taskmaster-ai/orchestrator';
import type { GraphEdge, TimelineEntry } from './timeline.ts';

export type RunRecord = { timeline: TimelineEntry[]; edges: GraphEdge[] };

export type Tally = { tasks: number; skipped: number; retries: number; elapsed: number };

/** The log of a run that still goes on, up to the start of the given task. */
export async function logUntil(log: AsyncIterable<RunEvent>, startOf: string): Promise<RunEvent[]> {
  const events: RunEvent[] = [];
  for await (const event of log) {
    events.push(event);
    if (event.type === 'TaskStarted' && event.path === startOf) break;
  }
  return events;
}

/** Every task of a workflow that lists all its tasks, whether it has started or not. */
export function recordOf(tasks: readonly AnyTask[], events: readonly RunEvent[]): RunRecord {
  const timeline = new Map(tasks.map((task) => [task.taskId, entryOf(task)]));
  for (const event of events) {
    const entry = 'path' in event ? timeline.get(event.path) : undefined;
    if (entry !== undefined) applyEvent(entry, event);
  }
  const edges = tasks.flatMap((task) => task.dependencies.map((from) => ({ from, to: task.taskId })));
  return { timeline: [...timeline.values()], edges };
}

function entryOf({ taskId, agentAssigned }: AnyTask): TimelineEntry {
  const agent = agentAssigned ?? 'nobody';
  return { path: taskId, agent, startedAt: null, endedAt: null, attempts: 0, status: 'waiting' };
}

function applyEvent(entry: TimelineEntry, event: RunEvent): void {
  switch (event.type) {
    case 'TaskStarted':
      entry.startedAt ??= event.at;
      entry.attempts = event.attempt;
      entry.status = 'running';
      break;
    case 'TaskRetryScheduled':
      entry.status = 'retrying';
      break;
    case 'TaskCompleted':
      entry.endedAt = event.at;
      entry.status = 'succeeded';
      break;
    case 'TaskFailed':
      entry.endedAt = event.at;
      entry.status = 'failed';
      break;
    case 'TaskCancelled':
      entry.endedAt = event.at;
      entry.status = 'cancelled';
      break;
    case 'TaskSkipped':
      entry.status = 'skipped';
      break;
    default:
  }
}

/** Counts what happened in a run that has ended. */
export async function tallyOf(log: AsyncIterable<RunEvent>): Promise<Tally> {
  const tally: Tally = { tasks: 0, skipped: 0, retries: 0, elapsed: 0 };
  let startedAt: number | undefined;
  for await (const event of log) {
    startedAt ??= event.at;
    tally.elapsed = event.at - startedAt;
    if (event.type === 'TaskCompleted') tally.tasks += 1;
    if (event.type === 'TaskSkipped') tally.skipped += 1;
    if (event.type === 'TaskRetryScheduled') tally.retries += 1;
  }
  return tally;
}
