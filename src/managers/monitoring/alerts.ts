/**
 * Alert rules, and where each of them stands.
 *
 * Owns: the state of each rule. Who may call it: the monitoring service, which says when to look.
 *
 * AL1  A rule fires only after its condition has held at every look for its whole `for`, and is cleared only after it
 *      has not held at any look for its whole `clearAfter`: a condition that flickers raises one alert, not many.
 * AL2  A rule whose condition throws, or answers neither true nor false (a promise, for instance), stays where it is,
 *      and shows what was wrong until it answers again.
 * AL3  States follow each other in this order only: inactive, pending, firing, cleared; from pending back to what it was.
 *
 * Source: the life of an alert is that of Prometheus's alerting rules (`for`, `keep_firing_for`).
 */
import {
  checkChoice,
  checkDuration,
  checkFunction,
  checkKeys,
  checkRecord,
  copyList,
  type Duration,
  invalidOption,
  reading,
} from '../../model/checks.ts';
import { refuse } from '../../model/errors.ts';
import { describeFailure, type TaskFailure } from '../../model/failure.ts';
import { checkId } from '../../model/ids.ts';
import type { MetricsSnapshot } from './snapshot.ts';

/** How bad it is. */
export type AlertSeverity = 'info' | 'warning' | 'critical';

/** When to raise an alert. */
export interface AlertRule {
  /** Unique among the rules of a service; an id. */
  readonly name: string;
  /** Whether something is amiss. It is asked at each look and must be quick, and free of effects. */
  readonly when: (metrics: MetricsSnapshot) => boolean;
  /** How long it has to be amiss before the alert fires. Default 0. */
  readonly for?: Duration | undefined;
  /** How long it has to be well again before the alert is cleared. Default 0. */
  readonly clearAfter?: Duration | undefined;
  /** Default `warning`. */
  readonly severity?: AlertSeverity | undefined;
  /** What to tell whoever is called. Default: the name. */
  readonly message?: string | undefined;
}

/** Where a rule stands. Times are milliseconds since 1970. */
export interface Alert {
  readonly name: string;
  readonly severity: AlertSeverity;
  readonly message: string;
  readonly state: 'inactive' | 'pending' | 'firing' | 'cleared';
  /** Since when it is in this state. */
  readonly since: number;
  /** When it fired last. */
  readonly firedAt: number | undefined;
  /** When it was cleared last. */
  readonly clearedAt: number | undefined;
  /** What its condition threw when it last failed to answer; `OPTION_INVALID` when it gave neither true nor false. */
  readonly fault: TaskFailure | undefined;
}

/** An alert has begun to fire, or was cleared. */
export interface AlertChange {
  readonly type: 'AlertFired' | 'AlertCleared';
  readonly at: number;
  readonly alert: Alert;
}

/** A rule, checked. */
export interface CheckedRule {
  readonly name: string;
  readonly when: (metrics: MetricsSnapshot) => unknown;
  readonly forMs: number;
  readonly clearAfterMs: number;
  readonly severity: AlertSeverity;
  readonly message: string;
}

/** How many rules one service may have. */
export const ALERT_RULES_MAX = 1_000;

const KEYS: ReadonlySet<string> = new Set(['name', 'when', 'for', 'clearAfter', 'severity', 'message']);

/** @throws OrchestratorError `OPTION_INVALID`, `OPTION_UNKNOWN`, `ID_INVALID`, `ID_DUPLICATE`, `LIMIT_EXCEEDED` */
export function checkRules(given: unknown, at: string): readonly CheckedRule[] {
  if (given === undefined) return [];
  if (!Array.isArray(given)) throw invalidOption(at, given, 'an array of alert rules');
  const names = new Set<string>();
  return copyList(given, at, ALERT_RULES_MAX, 'alert rules').map((one, i) => {
    const place = `${at}/${i}`;
    const rule = reading(place, 'an alert rule', () => checkRule(one, place));
    if (names.has(rule.name))
      throw refuse('ID_DUPLICATE', {
        at: place,
        found: `a second rule with the name ${JSON.stringify(rule.name)}`,
        allowed: 'different names',
      });
    names.add(rule.name);
    return rule;
  });
}

function checkRule(given: unknown, at: string): CheckedRule {
  const rule = checkRecord(given, at, 'an object { name, when, for, clearAfter, severity, message }');
  checkKeys(rule, KEYS, at);
  const name = checkId(rule.name, `${at}/name`, 'the name of an alert rule');
  const { message } = rule;
  if (message !== undefined && typeof message !== 'string')
    throw invalidOption(`${at}/message`, message, 'a string');
  return {
    name,
    when: checkFunction(
      rule.when,
      `${at}/when`,
      'a function of the metrics that says whether something is amiss',
    ) as CheckedRule['when'],
    forMs: rule.for === undefined ? 0 : checkDuration(rule.for, `${at}/for`),
    clearAfterMs: rule.clearAfter === undefined ? 0 : checkDuration(rule.clearAfter, `${at}/clearAfter`),
    severity:
      rule.severity === undefined
        ? 'warning'
        : checkChoice(rule.severity, `${at}/severity`, ['info', 'warning', 'critical']),
    message: message ?? name,
  };
}

/** The rules of one service. */
export class Alerts {
  readonly #lives: readonly AlertLife[];

  constructor(rules: readonly CheckedRule[]) {
    this.#lives = rules.map((rule) => new AlertLife(rule));
  }

  get isEmpty(): boolean {
    return this.#lives.length === 0;
  }

  /** Whether any of them is firing. */
  get isFiring(): boolean {
    return this.#lives.some(({ state }) => state === 'firing');
  }

  /** Looks at all conditions, and tells what has changed. */
  look(metrics: MetricsSnapshot, now: number): readonly AlertChange[] {
    const changes: AlertChange[] = [];
    for (const life of this.#lives) {
      const type = life.look(metrics, now);
      if (type !== undefined) changes.push({ type, at: now, alert: life.alert() });
    }
    return changes;
  }

  /** When a look could change something by the mere passing of time; `undefined` when never. */
  nextDueAt(): number | undefined {
    let next: number | undefined;
    for (const { dueAt } of this.#lives)
      if (dueAt !== undefined && (next === undefined || dueAt < next)) next = dueAt;
    return next;
  }

  /** All rules, in their order. */
  all(): readonly Alert[] {
    return this.#lives.map((life) => life.alert());
  }
}

class AlertLife {
  readonly #rule: CheckedRule;
  #state: Alert['state'] = 'inactive';
  #since = 0;
  /** What it was before it became pending. */
  #before: 'inactive' | 'cleared' = 'inactive';
  #wellSince: number | undefined;
  #firedAt: number | undefined;
  #clearedAt: number | undefined;
  #fault: TaskFailure | undefined;

  constructor(rule: CheckedRule) {
    this.#rule = rule;
  }

  get state(): Alert['state'] {
    return this.#state;
  }

  /** When it fires, or is cleared, if nothing changes until then. */
  get dueAt(): number | undefined {
    if (this.#state === 'pending') return this.#since + this.#rule.forMs;
    return this.#wellSince === undefined ? undefined : this.#wellSince + this.#rule.clearAfterMs;
  }

  look(metrics: MetricsSnapshot, now: number): AlertChange['type'] | undefined {
    const isAmiss = this.#ask(metrics);
    if (isAmiss === undefined) return undefined;
    if (this.#state === 'firing') return this.#lookWhileFiring(isAmiss, now);
    if (!isAmiss) {
      if (this.#state === 'pending') this.#enter(this.#before, now);
      return undefined;
    }
    if (this.#state !== 'pending') {
      this.#before = this.#state;
      this.#enter('pending', now);
    }
    if (now - this.#since < this.#rule.forMs) return undefined;
    this.#enter('firing', now);
    this.#firedAt = now;
    return 'AlertFired';
  }

  #lookWhileFiring(isAmiss: boolean, now: number): AlertChange['type'] | undefined {
    if (isAmiss) {
      this.#wellSince = undefined;
      return undefined;
    }
    this.#wellSince ??= now;
    if (now - this.#wellSince < this.#rule.clearAfterMs) return undefined;
    this.#wellSince = undefined;
    this.#enter('cleared', now);
    this.#clearedAt = now;
    return 'AlertCleared';
  }

  #enter(state: Alert['state'], now: number): void {
    this.#state = state;
    this.#since = now;
  }

  #ask(metrics: MetricsSnapshot): boolean | undefined {
    try {
      const answer = this.#rule.when(metrics);
      if (typeof answer !== 'boolean') throw noAnswer(this.#rule.name, answer);
      this.#fault = undefined;
      return answer;
    } catch (thrown) {
      this.#fault ??= describeFailure(thrown);
      return undefined;
    }
  }

  alert(): Alert {
    const { name, severity, message } = this.#rule;
    return {
      name,
      severity,
      message,
      state: this.#state,
      since: this.#since,
      firedAt: this.#firedAt,
      clearedAt: this.#clearedAt,
      fault: this.#fault,
    };
  }
}

/** The fault of a rule that says neither; a promise that it gave is heard to its end, so that nothing is unhandled. */
function noAnswer(name: string, answer: unknown): Error {
  if (answer instanceof Promise) answer.catch(() => {});
  return invalidOption(
    `alert rule ${JSON.stringify(name)}/when`,
    answer,
    'true or false, at once',
    'Look at the metrics that it is given.',
  );
}
