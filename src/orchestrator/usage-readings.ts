import { CREATED, statusName } from '../machine/transitions.ts';
import {
  type AgentReading,
  type LockReading,
  type LoggedTaskStatus,
  type MonitoringSources,
  noTasks,
  type ResourceReading,
  type RunReading,
} from '../managers/monitoring/readings.ts';
import { CAPACITY_MAX, type Row } from '../managers/resources/row.ts';
import { Ticket } from '../managers/scheduling/ticket.ts';
import type { LiveRun } from '../managers/workflows/live-run.ts';
import { leafOf, scopeOf } from '../model/path.ts';
import type { AnyTask } from '../model/task.ts';
import type { Composition } from './compose.ts';
import { durableStatus, type Undurable, undurableByPath } from './durable-view.ts';
import { viewOf } from './task-view.ts';

/** What is read of an orchestrator. */
type Parts = Pick<Composition, 'directory' | 'loop' | 'ledger' | 'scheduler' | 'timers'>;

/** How the parts of an orchestrator stand, read when monitoring asks. */
export function usageReadings(parts: Parts): MonitoringSources {
  return {
    runs: () => readRuns(parts),
    resources: () => readResources(parts),
    locks: () => readLocks(parts),
    agents: () => readAgents(parts),
    waits: () => readWaits(parts),
    agentOf: (runId, path) => taskAt(parts.directory.find(runId), path)?.agentAssigned,
  };
}

/** The definition of the task at a path of a run, if there is one. */
function taskAt(run: LiveRun | undefined, path: string): AnyTask | undefined {
  if (run === undefined) return undefined;
  const { plan, state } = run;
  const index = plan.indexOf.get(path);
  if (index !== undefined) return plan.tasks[index];
  const inner = state.scopeByPrefix.get(scopeOf(path))?.plan;
  return inner?.tasks[inner.indexOf.get(leafOf(path)) ?? -1];
}

function* readRuns({ directory, loop, scheduler }: Parts): IterableIterator<RunReading> {
  for (const run of directory.all()) {
    // A run whose start is not durable is not there yet.
    if (run.durableSeq === 0) continue;
    const { runId, plan, state } = run;
    const events = loop.undurable(run);
    let total = 0;
    for (const scope of state.scopes) total += scope.plan.size;
    yield {
      runId,
      workflowId: plan.workflowId,
      status: durableStatus(run, events),
      createdAt: state.createdAt,
      finishedAt: run.isOver ? state.finishedAt : undefined,
      total,
      counts: events.length === 0 ? countTasks(run) : countDurable(run, undurableByPath(events), scheduler),
    };
  }
}

function countTasks({ state }: LiveRun): Record<LoggedTaskStatus, number> {
  const counts = noTasks();
  for (const { status, plan } of state.scopes)
    for (let i = 0; i < plan.size; i++) counts[statusName(status[i] as number) as LoggedTaskStatus]++;
  return counts;
}

/** The same while an append is under way: without what is not durable. */
function countDurable(
  run: LiveRun,
  undurable: Undurable,
  scheduler: Parts['scheduler'],
): Record<LoggedTaskStatus, number> {
  const counts = noTasks();
  for (const scope of run.state.scopes) {
    for (let i = 0; i < scope.plan.size; i++) {
      const { status, attempt } = viewOf(run, scope, i, undurable, scheduler);
      const isDerived = status === 'ready' || status === 'waiting';
      counts[isDerived ? (attempt > 0 ? 'retrying' : 'created') : status]++;
    }
  }
  return counts;
}

/** How many wait for each row, the host's own requests included. */
function countByRow({ ledger }: Parts): ReadonlyMap<Row, number> {
  const waiting = new Map<Row, number>();
  for (const { group } of ledger.waiters()) {
    const row = group.parkedAt ?? group.blockedBy();
    if (row !== undefined) waiting.set(row, (waiting.get(row) ?? 0) + 1);
  }
  return waiting;
}

function* rowsOf({ ledger }: Parts, prefix: string): IterableIterator<Row> {
  for (const row of ledger.rows()) if (row.key.startsWith(prefix)) yield row;
}

function* readResources(parts: Parts): IterableIterator<ResourceReading> {
  const waiting = countByRow(parts);
  const now = parts.timers.monotonic();
  for (const row of rowsOf(parts, 'resource:')) {
    const { name, kind, scale } = row;
    // What time has given back of a rate is taken back by whoever waits for it, and perhaps nobody does.
    const used = row.usedAt(now);
    yield {
      name,
      kind,
      capacity: row.declaredCapacity / scale,
      used: used / scale,
      free: Math.max(0, row.capacity - used) / scale,
      waiting: waiting.get(row) ?? 0,
    };
  }
}

function* readLocks(parts: Parts): IterableIterator<LockReading> {
  const waiting = countByRow(parts);
  for (const row of rowsOf(parts, 'lock:')) {
    const waiters = waiting.get(row) ?? 0;
    if (row.used === 0 && waiters === 0) continue;
    const isExclusive = row.used === row.declaredCapacity;
    const mode = row.used === 0 ? 'free' : isExclusive ? 'exclusive' : 'shared';
    yield { name: row.name, mode, holders: isExclusive ? 1 : row.used / row.scale, waiting: waiters };
  }
}

function* readAgents(parts: Parts): IterableIterator<AgentReading> {
  const waiting = countByRow(parts);
  for (const row of rowsOf(parts, 'agent:')) {
    const rate = parts.ledger.row(`rate:${row.name}`);
    const capacity = row.declaredCapacity / row.scale;
    yield {
      agent: row.name,
      running: row.used / row.scale,
      capacity: capacity >= CAPACITY_MAX ? undefined : capacity,
      waiting: (waiting.get(row) ?? 0) + (rate === undefined ? 0 : (waiting.get(rate) ?? 0)),
    };
  }
}

/** Tasks that wait, by reason; those that are ready are not among them. */
function readWaits({ directory, ledger, scheduler }: Parts): Readonly<Record<string, number>> {
  const waits: Record<string, number> = {};
  const add = (reason: string, count: number): void => {
    if (count > 0) waits[reason] = (waits[reason] ?? 0) + count;
  };
  for (const { waiter, group } of ledger.waiters()) {
    if (!(waiter instanceof Ticket)) continue;
    const row = group.parkedAt ?? group.blockedBy();
    if (row !== undefined) add(row.isPaused ? 'paused' : row.kind, 1);
    else if (scheduler.isPaused) add('paused', 1);
  }
  for (const run of directory.unfinished()) {
    add('paused', run.held.length);
    for (const ticket of run.tickets()) if (ticket.phase === 'delayed') add('timer', 1);
    for (const { status, unmet, plan } of run.state.scopes)
      for (let i = 0; i < plan.size; i++)
        if (status[i] === CREATED && (unmet[i] as number) > 0) add('dependency', 1);
  }
  return waits;
}
