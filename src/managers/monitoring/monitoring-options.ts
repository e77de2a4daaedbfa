/**
 * How a monitoring service is set up, checked.
 *
 * Owns: nothing. Who may call it: the monitoring service, and the facade for `open({ monitoring })`.
 *
 * MO1  Whatever is refused here names the place, what was found and what is allowed.
 */
import {
  checkDuration,
  checkInteger,
  checkKeys,
  checkRecord,
  checkTimeLimit,
  type Duration,
  reading,
} from '../../model/checks.ts';
import { type AlertRule, type CheckedRule, checkRules } from './alerts.ts';

/** How a monitoring service watches. Everything has a default. */
export interface MonitoringOptions {
  /** When to raise alerts; at most 1,000 rules. */
  readonly alerts?: readonly AlertRule[] | undefined;
  /** The span over which throughput is counted. Default 1 minute. */
  readonly window?: Duration | undefined;
  /** The least time between two looks at the alert rules because of events. Default 1 s. */
  readonly every?: Duration | undefined;
  /** How many events are kept, the newest: 1 to 1,000,000. Default 1,000. */
  readonly events?: number | undefined;
  /**
   * How many different labels a metric tells apart (agents, tasks, codes of failures, types of own events): 1 to
   * 100,000; others are counted together as `[other]`. Default 1,000.
   */
  readonly labels?: number | undefined;
}

/** `MonitoringOptions`, checked. */
export interface CheckedMonitoring {
  readonly rules: readonly CheckedRule[];
  readonly windowMs: number;
  readonly everyMs: number;
  readonly eventsMax: number;
  readonly labelsMax: number;
}

const KEYS: ReadonlySet<string> = new Set(['alerts', 'window', 'every', 'events', 'labels']);

/** @throws OrchestratorError `OPTION_INVALID`, `OPTION_UNKNOWN`, `ID_INVALID`, `ID_DUPLICATE`, `LIMIT_EXCEEDED` */
export function checkMonitoring(given: unknown, at: string): CheckedMonitoring {
  return reading(at, 'an object of options', () => {
    const options = checkRecord(given, at, 'an object of options') as MonitoringOptions;
    checkKeys(options, KEYS, at);
    const { alerts, window, every, events, labels } = options;
    return {
      rules: checkRules(alerts, `${at}/alerts`),
      windowMs: window === undefined ? 60_000 : checkTimeLimit(window, `${at}/window`),
      everyMs: every === undefined ? 1_000 : checkDuration(every, `${at}/every`),
      eventsMax: events === undefined ? 1_000 : checkInteger(events, `${at}/events`, 1, 1_000_000),
      labelsMax: labels === undefined ? 1_000 : checkInteger(labels, `${at}/labels`, 1, 100_000),
    };
  });
}
