/**
 * Watches what happens, counts and times it, raises alerts, and draws the model of a dashboard.
 *
 * Owns: metrics, alerts, the newest events. Who may call it: the event hub tells it of events; the host asks. Nothing
 * waits for it, and nothing in the orchestrator depends on it.
 *
 * MS1  It is fed by events alone; how things stand now it reads when it is asked, by functions given to it.
 * MS2  Its memory is bounded, however long it watches.
 * MS3  Whatever a listener, a rule or a reading does, no event is lost to the others and nothing is thrown at the hub.
 * MS4  Its timers are few and finite: with no alert pending, firing or about to be cleared, and no event, there is none.
 */
import { Ring } from '../../base/ring.ts';
import { describeValue } from '../../base/values.ts';
import type { RunEvent } from '../../machine/events.ts';
import {
  checkChoice,
  checkDuration,
  checkFunction,
  checkKeys,
  checkRecord,
  type Duration,
  invalidOption,
  reading,
} from '../../model/checks.ts';
import { refuse } from '../../model/errors.ts';
import { checkId } from '../../model/ids.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Monitor } from '../../ports/monitor.ts';
import { type Alert, type AlertChange, Alerts } from './alerts.ts';
import { type Dashboard, drawDashboard, type RecentFailure } from './dashboard.ts';
import {
  briefOf,
  checkHostEvent,
  checkRunEvent,
  type HostEvent,
  isRunEvent,
  type LoggedEvent,
} from './logged-event.ts';
import { Metrics } from './metrics.ts';
import { type CheckedMonitoring, checkMonitoring, type MonitoringOptions } from './monitoring-options.ts';
import type { MonitoringSources } from './readings.ts';
import { lazySnapshot, type MetricsSnapshot, takeSnapshot } from './snapshot.ts';

/** What of a clock a monitoring service needs. Without `setTimer` alerts are looked at by events and on demand only. */
export type MonitoringClock = Pick<Clock, 'now'> & Partial<Pick<Clock, 'setTimer'>>;

/** What a monitoring service is made of. */
export interface MonitoringParts extends MonitoringOptions {
  /** Time. Default: `Date.now`, without timers. */
  readonly clock?: MonitoringClock | undefined;
  /** How things stand; an orchestrator gives them to its own service. */
  readonly sources?: MonitoringSources | undefined;
}

/** Which events to tell. */
export interface LoggedEventFilter {
  readonly type?: string | undefined;
  readonly runId?: string | undefined;
  /** Only those at or after this: milliseconds since 1970. */
  readonly since?: number | undefined;
  /** At most so many, the newest. Default: all that are kept. */
  readonly limit?: number | undefined;
}

/** Hears of alerts. */
export type AlertListener = (change: AlertChange) => void;

const FAILURES_MAX = 20;

/** Counters, gauges, histograms, alerts and the model of a dashboard; see docs/monitoring-service.md. */
export class MonitoringService implements Monitor {
  readonly #clock: MonitoringClock;
  readonly #sources: MonitoringSources;
  readonly #checked: CheckedMonitoring;
  readonly #metrics: Metrics;
  readonly #alerts: Alerts;
  readonly #events: Ring<LoggedEvent>;
  readonly #failures = new Ring<RecentFailure>(FAILURES_MAX);
  readonly #listeners = { AlertFired: new Set<AlertListener>(), AlertCleared: new Set<AlertListener>() };
  readonly #since: number;
  #lastEventAt = Number.NEGATIVE_INFINITY;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #timer: { readonly dueAt: number; readonly cancel: () => void } | undefined;
  #isLooking = false;
  #closed = false;

  /**
   * @param parts - everything has a default
   * @throws OrchestratorError `OPTION_INVALID`, `OPTION_UNKNOWN`, `ID_INVALID`, `ID_DUPLICATE`, `LIMIT_EXCEEDED`
   */
  constructor(parts: MonitoringParts = {}) {
    const at = 'new MonitoringService';
    const { clock, sources, ...options } = reading(at, 'an object of options', () => ({
      ...(checkRecord(parts, at, 'an object of options') as MonitoringParts),
    }));
    if (clock !== undefined && typeof (clock as MonitoringClock | null)?.now !== 'function')
      throw invalidOption(
        `${at}/clock`,
        clock,
        'an object with now(), and setTimer(delayMs, callback) if there is one',
      );
    this.#checked = checkMonitoring(options, at);
    this.#clock = clock ?? { now: () => Date.now() };
    this.#sources = sources ?? {};
    this.#metrics = new Metrics(
      this.#checked.labelsMax,
      this.#checked.windowMs,
      this.#sources.agentOf ?? (() => undefined),
    );
    this.#alerts = new Alerts(this.#checked.rules);
    this.#events = new Ring(this.#checked.eventsMax);
    this.#since = this.#clock.now();
  }

  /**
   * Takes an event of a run in: counts it, keeps its outline, and may look at the alert rules.
   * @throws OrchestratorError `OPTION_INVALID`
   */
  observe(event: RunEvent): void {
    checkRunEvent(event);
    this.#events.push(briefOf(event));
    this.#metrics.observe(event);
    if (event.type === 'TaskFailed' || event.type === 'TaskRetryScheduled') this.#keepFailure(event);
    this.#lookSoon();
  }

  /**
   * Records an event of the host's own, or, in a service that is used alone, one of a run. The newest are kept, as many
   * as the option `events` says; older ones make room and are counted (`droppedEvents`).
   *
   * @param event - `{ type, at?, … }` with a type of its own, at most 64 KiB of plain data; or an event of a run
   * @throws OrchestratorError `OPTION_INVALID`, `ID_INVALID`, `VALUE_UNSERIALISABLE`
   */
  logEvent(event: HostEvent | RunEvent): void {
    if (
      typeof event === 'object' &&
      event !== null &&
      reading('logEvent', 'plain data', () => isRunEvent(event))
    ) {
      this.observe(event as RunEvent);
      return;
    }
    const checked = checkHostEvent(event, this.#clock.now());
    this.#events.push(checked);
    this.#metrics.count(checked.type);
    this.#lookSoon();
  }

  /**
   * The newest events, oldest first: those of runs in outline, without inputs and outputs.
   * @throws OrchestratorError `OPTION_INVALID`, `OPTION_UNKNOWN`
   */
  events(filter: LoggedEventFilter = {}): readonly LoggedEvent[] {
    const { type, runId, since, limit } = checkFilter(filter, 'events');
    return this.#events.newest(
      limit ?? Number.POSITIVE_INFINITY,
      (event) =>
        (type === undefined || event.type === type) &&
        (runId === undefined || event.runId === runId) &&
        (since === undefined || event.at >= since),
    );
  }

  /** How many events had to make room for newer ones. */
  get droppedEvents(): number {
    return this.#events.dropped;
  }

  /** All metrics at this moment: counters and durations since the service watches, gauges as they stand now. */
  trackMetrics(): MetricsSnapshot {
    return takeSnapshot(this.#metrics, this.#sources, this.#clock.now(), this.#since);
  }

  /**
   * Adds a duration of something that the host did itself to those of attempts.
   *
   * @param taskId - the task it is counted under, in `durations.byTask`
   * @param duration - milliseconds from 0, or a string such as `250ms`
   * @param agent - the agent it is counted under too
   * @throws OrchestratorError `ID_INVALID`, `OPTION_INVALID`
   */
  recordTaskDuration(taskId: string, duration: Duration, agent?: string): void {
    const at = 'recordTaskDuration';
    this.#metrics.record(
      checkId(taskId, `${at}/taskId`, 'a task id'),
      agent === undefined ? undefined : checkId(agent, `${at}/agent`, 'the name of an agent'),
      checkDuration(duration, `${at}/duration`),
    );
    this.#lookSoon();
  }

  /**
   * Looks at all alert rules now, tells listeners what has changed, and returns where each rule stands. It need not be
   * called: rules are looked at after events and when a pending alert is due.
   */
  generateAlerts(): readonly Alert[] {
    this.#look();
    return this.#alerts.all();
  }

  /** The model of a dashboard at this moment. */
  createDashboard(): Dashboard {
    this.#look();
    return drawDashboard({
      now: this.#clock.now(),
      metrics: this.#metrics,
      sources: this.#sources,
      alerts: this.#alerts.all(),
      failures: this.#failures,
    });
  }

  /**
   * Calls a listener when an alert fires, or is cleared. One that throws keeps no other from hearing.
   *
   * @returns how to stop
   * @throws OrchestratorError `OPTION_INVALID`
   */
  on(type: AlertChange['type'], listener: AlertListener): () => void {
    checkChoice(type, 'on', ['AlertFired', 'AlertCleared']);
    checkFunction(listener, 'on', 'a function of the alert');
    this.#listeners[type].add(listener);
    return () => this.#listeners[type].delete(listener);
  }

  /** Stops its timers; it can still be asked, and fed. An orchestrator closes its own. */
  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #keepFailure(event: Extract<RunEvent, { readonly type: 'TaskFailed' | 'TaskRetryScheduled' }>): void {
    const { at, runId, path, attempt, failure, type } = event;
    const retried = type === 'TaskRetryScheduled';
    this.#failures.push({ at, runId, path, attempt, message: failure.message, code: failure.code, retried });
  }

  /** Looks after an event: now, or when the last look is long enough ago. */
  #lookSoon(): void {
    if (this.#alerts.isEmpty) return;
    const now = this.#clock.now();
    this.#lastEventAt = now;
    const dueAt = this.#lookedAt + this.#checked.everyMs;
    // A clock that was set back must not silence the alerts.
    if (dueAt <= now || this.#lookedAt > now || this.#clock.setTimer === undefined) this.#look();
    else this.#arm(dueAt, now);
  }

  #look(): void {
    // A listener or a rule may ask for the alerts, or log an event, while they are being looked at.
    if (this.#alerts.isEmpty || this.#isLooking) return;
    this.#isLooking = true;
    const now = this.#clock.now();
    this.#lookedAt = now;
    try {
      const seen = lazySnapshot(this.#metrics, this.#sources, now, this.#since);
      for (const change of this.#alerts.look(seen, now)) this.#tell(change);
    } finally {
      this.#isLooking = false;
    }
    this.#armNext(now);
  }

  /** What happened falls out of the window with time, so a firing alert is looked at once more when it has. */
  #armNext(now: number): void {
    const dueAt = this.#alerts.nextDueAt();
    if (dueAt !== undefined && dueAt > now) this.#arm(dueAt, now);
    const emptyAt = this.#lastEventAt + this.#checked.windowMs;
    if (this.#alerts.isFiring && emptyAt > now) this.#arm(emptyAt, now);
  }

  #arm(dueAt: number, now: number): void {
    const { setTimer } = this.#clock;
    if (setTimer === undefined || this.#closed) return;
    if (this.#timer !== undefined && this.#timer.dueAt <= dueAt) return;
    this.#timer?.cancel();
    const cancel = setTimer.call(this.#clock, Math.min(dueAt - now, TIMER_MS_MAX), () => {
      this.#timer = undefined;
      this.#look();
    });
    this.#timer = { dueAt, cancel };
  }

  #tell(change: AlertChange): void {
    for (const listener of [...this.#listeners[change.type]]) {
      try {
        const returned: unknown = listener(change);
        if (returned instanceof Promise) returned.catch(() => {});
      } catch {
        // An alert that nobody could be told of still stands in `generateAlerts`.
      }
    }
  }
}

/** The longest delay that a clock takes; a look that comes early changes nothing and sets the timer anew. */
const TIMER_MS_MAX = 2_147_483_647;

const FILTER_KEYS: ReadonlySet<string> = new Set(['type', 'runId', 'since', 'limit']);

function checkFilter(given: unknown, at: string): LoggedEventFilter {
  return reading(at, 'an object { type, runId, since, limit }', () => {
    const filter = checkRecord(given, at, 'an object { type, runId, since, limit }') as LoggedEventFilter;
    checkKeys(filter, FILTER_KEYS, at);
    const { type, runId, since, limit } = filter;
    for (const [name, text] of Object.entries({ type, runId }))
      if (text !== undefined && typeof text !== 'string')
        throw invalidOption(`${at}/${name}`, text, 'a string');
    if (since !== undefined && !(typeof since === 'number' && Number.isFinite(since)))
      throw invalidOption(`${at}/since`, since, 'milliseconds since 1970');
    if (limit !== undefined && !(typeof limit === 'number' && limit >= 0))
      throw refuse('OPTION_INVALID', {
        at: `${at}/limit`,
        found: describeValue(limit),
        allowed: 'a number from 0',
      });
    return { ...filter };
  });
}
