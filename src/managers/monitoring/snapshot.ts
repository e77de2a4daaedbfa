/**
 * All metrics at one moment, as plain data.
 *
 * Owns: nothing. Who may call it: the monitoring service; alert rules get what it makes.
 *
 * SN1  A snapshot is a copy: nothing in it changes later.
 * SN2  For alert rules its parts are read when they are first asked for, so that a rule pays only for what it looks at.
 */
import type { MetricCounters, MetricDurations, MetricRates, Metrics } from './metrics.ts';
import {
  type AgentReading,
  countRuns,
  type LockReading,
  type MonitoringSources,
  type ResourceReading,
  type TaskCounts,
} from './readings.ts';

/** How things stand now. What nobody tells the service is empty. */
export interface MetricGauges {
  /** Known runs by status. */
  readonly runs: Readonly<Record<string, number>>;
  /** Tasks of known runs by status. */
  readonly tasks: TaskCounts;
  /** Tasks that wait, by reason. */
  readonly waits: Readonly<Record<string, number>>;
  readonly resources: readonly ResourceReading[];
  readonly locks: readonly LockReading[];
  readonly agents: readonly AgentReading[];
}

/** All metrics at one moment. Times are milliseconds since 1970. */
export interface MetricsSnapshot {
  readonly at: number;
  /** Since when counters and durations are kept. */
  readonly since: number;
  readonly counters: MetricCounters;
  readonly durations: MetricDurations;
  readonly rates: MetricRates;
  readonly gauges: MetricGauges;
}

/** Reads the gauges. */
export function readGauges(metrics: Metrics, sources: MonitoringSources): MetricGauges {
  const { runsByStatus, tasksByStatus } = countRuns(sources.runs?.() ?? metrics.runs());
  return {
    runs: runsByStatus,
    tasks: tasksByStatus,
    waits: sources.waits?.() ?? {},
    resources: [...(sources.resources?.() ?? [])],
    locks: [...(sources.locks?.() ?? [])],
    agents: [...(sources.agents?.() ?? [])],
  };
}

/** Everything at once. */
export function takeSnapshot(
  metrics: Metrics,
  sources: MonitoringSources,
  at: number,
  since: number,
): MetricsSnapshot {
  return {
    at,
    since,
    counters: metrics.counters(),
    durations: metrics.durations(),
    rates: metrics.rates(at),
    gauges: readGauges(metrics, sources),
  };
}

/** The same for one look at alert rules: each part is read when it is first asked for. */
export function lazySnapshot(
  metrics: Metrics,
  sources: MonitoringSources,
  at: number,
  since: number,
): MetricsSnapshot {
  const parts: { -readonly [Part in keyof MetricsSnapshot]?: MetricsSnapshot[Part] } = {};
  return {
    at,
    since,
    get counters() {
      parts.counters ??= metrics.counters();
      return parts.counters;
    },
    get durations() {
      parts.durations ??= metrics.durations();
      return parts.durations;
    },
    get rates() {
      parts.rates ??= metrics.rates(at);
      return parts.rates;
    },
    get gauges() {
      parts.gauges ??= readGauges(metrics, sources);
      return parts.gauges;
    },
  };
}
