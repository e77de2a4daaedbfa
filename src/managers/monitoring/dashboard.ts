/**
 * The model of a dashboard: plain data that any face can draw, a terminal as well as a page.
 *
 * Owns: nothing. Who may call it: the monitoring service.
 *
 * DB1  Every list in it is bounded; what was left out is counted.
 * DB2  It is a copy: nothing in it changes later, and all of it can be carried as JSON.
 */
import type { Alert } from './alerts.ts';
import type { HistogramSummary } from './histogram.ts';
import type { MetricRates, Metrics, SlowAttempt } from './metrics.ts';
import {
  type AgentReading,
  countRuns,
  type LockReading,
  type MonitoringSources,
  type ResourceReading,
  type RunReading,
  type TaskCounts,
} from './readings.ts';

/** One run of a dashboard. */
export interface DashboardRun extends RunReading {
  /** The share of its tasks that have ended, from 0 to 1; `undefined` when it is not known how many it has. */
  readonly progress: number | undefined;
  /** From its creation to its end, or until now. */
  readonly elapsedMs: number;
}

/** What one agent does and did. */
export interface DashboardAgent extends AgentReading {
  readonly completed: number;
  readonly failed: number;
  readonly attempts: HistogramSummary;
}

/** A failure that was heard of. Times are milliseconds since 1970. */
export interface RecentFailure {
  readonly at: number;
  readonly runId: string;
  readonly path: string;
  readonly attempt: number;
  readonly message: string;
  readonly code: string | undefined;
  /** Whether there will be, or was, another attempt. */
  readonly retried: boolean;
}

/** Everything that a dashboard shows. Times are milliseconds since 1970. */
export interface Dashboard {
  readonly at: number;
  /** Runs that go on, newest first, then those that ended last; at most 100. */
  readonly runs: readonly DashboardRun[];
  readonly runsHidden: number;
  /** All known runs by status, those included that are hidden. */
  readonly runsByStatus: Readonly<Record<string, number>>;
  /** All tasks of all known runs by status. */
  readonly tasksByStatus: TaskCounts;
  /** How many tasks wait, by reason. */
  readonly waits: Readonly<Record<string, number>>;
  readonly throughput: MetricRates;
  /** How long attempts took. */
  readonly attempts: HistogramSummary;
  /** At most 100, the busiest first. */
  readonly agents: readonly DashboardAgent[];
  readonly agentsHidden: number;
  readonly resources: readonly ResourceReading[];
  /** Locks that are held or waited for; at most 100, those that most wait for first. */
  readonly locks: readonly LockReading[];
  readonly locksHidden: number;
  /** Alerts that are pending or firing. */
  readonly alerts: readonly Alert[];
  /** The attempts that took longest, longest first; at most 20. */
  readonly slowest: readonly SlowAttempt[];
  /** Newest first; at most 20. */
  readonly failures: readonly RecentFailure[];
}

/** What a dashboard is drawn from. */
export interface DashboardParts {
  readonly now: number;
  readonly metrics: Metrics;
  readonly sources: MonitoringSources;
  readonly alerts: readonly Alert[];
  readonly failures: Iterable<RecentFailure>;
}

const LIST_MAX = 100;

/** How things stand now. */
export function drawDashboard({ now, metrics, sources, alerts, failures }: DashboardParts): Dashboard {
  const runs = [...(sources.runs?.() ?? metrics.runs())];
  const agents = [...(sources.agents?.() ?? [])].sort(
    (a, b) => b.running + b.waiting - (a.running + a.waiting),
  );
  const locks = [...(sources.locks?.() ?? [])].sort((a, b) => b.waiting - a.waiting || b.holders - a.holders);
  const { runsByStatus, tasksByStatus } = countRuns(runs);
  return {
    at: now,
    runs: orderRuns(runs)
      .slice(0, LIST_MAX)
      .map((run) => drawRun(run, now)),
    runsHidden: hidden(runs),
    runsByStatus,
    tasksByStatus,
    waits: sources.waits?.() ?? {},
    throughput: metrics.rates(now),
    attempts: metrics.durations().attempts,
    agents: agents.slice(0, LIST_MAX).map((agent) => drawAgent(agent, metrics)),
    agentsHidden: hidden(agents),
    resources: [...(sources.resources?.() ?? [])],
    locks: locks.slice(0, LIST_MAX),
    locksHidden: hidden(locks),
    alerts: alerts.filter(({ state }) => state === 'pending' || state === 'firing'),
    slowest: metrics.slowest(),
    failures: [...failures].reverse(),
  };
}

function orderRuns(runs: readonly RunReading[]): readonly RunReading[] {
  const open = runs.filter((run) => run.finishedAt === undefined);
  const ended = runs.filter((run) => run.finishedAt !== undefined);
  // Sorting is stable, so of runs of one moment the later one has to come first beforehand.
  return [
    ...open.reverse().sort((a, b) => b.createdAt - a.createdAt),
    ...ended.reverse().sort((a, b) => (b.finishedAt ?? 0) - (a.finishedAt ?? 0)),
  ];
}

function drawRun(run: RunReading, now: number): DashboardRun {
  const { completed, failed, skipped, cancelled } = run.counts;
  const over = completed + failed + skipped + cancelled;
  const progress = run.total === undefined ? undefined : run.total === 0 ? 1 : over / run.total;
  return { ...run, progress, elapsedMs: Math.max(0, (run.finishedAt ?? now) - run.createdAt) };
}

function drawAgent(reading: AgentReading, metrics: Metrics): DashboardAgent {
  const { tally, attempts } = metrics.agent(reading.agent);
  return { ...reading, ...tally, attempts };
}

function hidden(list: readonly unknown[]): number {
  return Math.max(0, list.length - LIST_MAX);
}
