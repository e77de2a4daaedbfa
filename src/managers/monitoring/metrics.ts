/**
 * Counts and times everything that runs, tasks and attempts do, by folding their events.
 *
 * Owns: counters, histograms, sliding counts, the tallies of runs. Who may call it: the monitoring service.
 *
 * ME1  Its memory is bounded: labels, runs, slowest attempts and slots have limits; what is beyond a limit of labels
 *      is counted under `[other]`.
 * ME2  It asks nobody anything: gauges are read elsewhere.
 */
import type { RunEvent, StopCause } from '../../machine/events.ts';
import type { TaskFailure } from '../../model/failure.ts';
import { Histogram, type HistogramSummary } from './histogram.ts';
import { createTally, Labelled, type Tally } from './labelled.ts';
import type { RunReading } from './readings.ts';
import { type Ended, RunTally } from './run-tally.ts';
import { SlidingCount } from './sliding-count.ts';

/** What only grows, since the service began to watch. */
export interface MetricCounters {
  readonly runs: Readonly<Record<'created' | 'completed' | 'failed' | 'cancelled', number>>;
  /** Tasks that ended, by how. */
  readonly tasks: Readonly<Record<'completed' | 'failed' | 'skipped' | 'cancelled', number>>;
  /** `failed` includes those that were `retried`; `abandoned` are bodies that did not end within their grace. */
  readonly attempts: Readonly<
    Record<'started' | 'completed' | 'failed' | 'retried' | 'cancelled' | 'abandoned', number>
  >;
  /** Bodies that were told to stop, by cause. */
  readonly stops: Readonly<Record<StopCause, number>>;
  /** Failed attempts by the code of what was thrown, or by its name when it has no code. */
  readonly failures: Readonly<Record<string, number>>;
  /** The host's own events by type. */
  readonly events: Readonly<Record<string, number>>;
}

/** How long things took, in milliseconds. */
export interface MetricDurations {
  /** Attempts, from start to end, however they ended. */
  readonly attempts: HistogramSummary;
  /** Tasks, from their first start to their end, with the waits between attempts. */
  readonly tasks: HistogramSummary;
  /** Runs, from creation to end. */
  readonly runs: HistogramSummary;
  /** Attempts by agent. */
  readonly byAgent: Readonly<Record<string, HistogramSummary>>;
  /** Attempts by task id, over all workflows. */
  readonly byTask: Readonly<Record<string, HistogramSummary>>;
}

/** What happened within the last window. */
export interface MetricRates {
  readonly windowMs: number;
  readonly tasksCompleted: number;
  readonly tasksFailed: number;
  readonly runsEnded: number;
  readonly tasksPerSecond: number;
}

/** How tasks of one agent ended. */
export interface AgentTally {
  completed: number;
  failed: number;
}

/** One attempt that took long. */
export interface SlowAttempt {
  readonly runId: string;
  readonly path: string;
  readonly attempt: number;
  readonly agent: string | undefined;
  readonly durationMs: number;
}

/** How many runs are followed at once, and how many ended ones are remembered. */
const OPEN_RUNS_MAX = 100_000;
const ENDED_RUNS_MAX = 100;
const SLOWEST_MAX = 20;

export class Metrics {
  readonly #runs = { created: 0, completed: 0, failed: 0, cancelled: 0 };
  readonly #tasks = { completed: 0, failed: 0, skipped: 0, cancelled: 0 };
  readonly #attempts = { started: 0, completed: 0, failed: 0, retried: 0, cancelled: 0, abandoned: 0 };
  readonly #stops = { timeout: 0, total_timeout: 0, heartbeat: 0, cancelled: 0, run_failed: 0 };
  readonly #failures: Labelled<Tally>;
  readonly #events: Labelled<Tally>;
  readonly #attemptMs = new Histogram();
  readonly #taskMs = new Histogram();
  readonly #runMs = new Histogram();
  readonly #byAgent: Labelled<Histogram>;
  readonly #byTask: Labelled<Histogram>;
  readonly #agents: Labelled<AgentTally>;
  readonly #windowMs: number;
  readonly #completed: SlidingCount;
  readonly #failed: SlidingCount;
  readonly #ended: SlidingCount;
  readonly #tallies = new Map<string, RunTally>();
  readonly #past = new Map<string, RunTally>();
  readonly #slowest: SlowAttempt[] = [];
  readonly #agentOf: (runId: string, path: string) => string | undefined;

  constructor(
    labelsMax: number,
    windowMs: number,
    agentOf: (runId: string, path: string) => string | undefined,
  ) {
    this.#failures = new Labelled(labelsMax, createTally);
    this.#events = new Labelled(labelsMax, createTally);
    this.#byAgent = new Labelled(labelsMax, () => new Histogram());
    this.#byTask = new Labelled(labelsMax, () => new Histogram());
    this.#agents = new Labelled(labelsMax, () => ({ completed: 0, failed: 0 }));
    this.#windowMs = windowMs;
    this.#completed = new SlidingCount(windowMs);
    this.#failed = new SlidingCount(windowMs);
    this.#ended = new SlidingCount(windowMs);
    this.#agentOf = agentOf;
  }

  /** Folds an event of a run. */
  observe(event: RunEvent): void {
    const tally = this.#tallyOf(event);
    const ended = tally?.observe(event);
    if (ended !== undefined) this.#end(ended, event);
    switch (event.type) {
      case 'RunCreated':
        this.#runs.created++;
        return;
      case 'RunCompleted':
        this.#endRun(tally, event, 'completed');
        return;
      case 'RunFailed':
        this.#endRun(tally, event, 'failed');
        return;
      case 'RunCancelled':
        this.#endRun(tally, event, 'cancelled');
        return;
      case 'TaskStarted':
        this.#attempts.started++;
        return;
      case 'TaskSkipped':
        this.#tasks.skipped++;
        return;
      case 'TaskStopRequested':
        this.#stops[event.cause]++;
        return;
      case 'TaskFailed':
      case 'TaskRetryScheduled':
        this.#failures.of(labelOf(event.failure)).count++;
    }
  }

  /** Counts an event of the host. */
  count(type: string): void {
    this.#events.of(type).count++;
  }

  /** Counts how long something took that the host did itself. */
  record(task: string, agent: string | undefined, durationMs: number): void {
    this.#attemptMs.record(durationMs);
    this.#byTask.of(task).record(durationMs);
    if (agent !== undefined) this.#byAgent.of(agent).record(durationMs);
  }

  counters(): MetricCounters {
    return {
      runs: { ...this.#runs },
      tasks: { ...this.#tasks },
      attempts: { ...this.#attempts },
      stops: { ...this.#stops },
      failures: this.#failures.plain(({ count }) => count),
      events: this.#events.plain(({ count }) => count),
    };
  }

  durations(): MetricDurations {
    const summary = (histogram: Histogram): HistogramSummary => histogram.summary();
    return {
      attempts: this.#attemptMs.summary(),
      tasks: this.#taskMs.summary(),
      runs: this.#runMs.summary(),
      byAgent: this.#byAgent.plain(summary),
      byTask: this.#byTask.plain(summary),
    };
  }

  rates(now: number): MetricRates {
    const tasksCompleted = this.#completed.sum(now);
    return {
      windowMs: this.#windowMs,
      tasksCompleted,
      tasksFailed: this.#failed.sum(now),
      runsEnded: this.#ended.sum(now),
      tasksPerSecond: (tasksCompleted * 1_000) / this.#windowMs,
    };
  }

  /** How the tasks of an agent ended, and how long its attempts took. */
  agent(name: string): { readonly tally: AgentTally; readonly attempts: HistogramSummary } {
    return {
      tally: { ...(this.#agents.peek(name) ?? { completed: 0, failed: 0 }) },
      attempts: (this.#byAgent.peek(name) ?? EMPTY).summary(),
    };
  }

  /** The attempts that took longest, longest first. */
  slowest(): readonly SlowAttempt[] {
    return [...this.#slowest];
  }

  /** How the runs stand whose events were heard: those that go on, and the last that ended. */
  *runs(): IterableIterator<RunReading> {
    for (const tally of this.#past.values()) yield tally.reading();
    for (const tally of this.#tallies.values()) yield tally.reading();
  }

  #tallyOf(event: RunEvent): RunTally | undefined {
    const known = this.#tallies.get(event.runId);
    if (known !== undefined || this.#tallies.size >= OPEN_RUNS_MAX) return known;
    const tally = new RunTally(event.runId, event.at);
    this.#tallies.set(event.runId, tally);
    return tally;
  }

  #end(ended: Ended, event: RunEvent): void {
    const { runId, path, taskId, attempt, outcome, attemptMs, taskMs } = ended;
    const agent = this.#agentOf(runId, path);
    if (outcome === 'retried') this.#attempts.retried++;
    else this.#tasks[outcome]++;
    if (attemptMs !== undefined) {
      this.#attempts[outcome === 'retried' ? 'failed' : outcome]++;
      this.record(taskId, agent, attemptMs);
      this.#rank({ runId, path, attempt, agent, durationMs: attemptMs });
    }
    if ('abandoned' in event && event.abandoned === true) this.#attempts.abandoned++;
    if (taskMs !== undefined) this.#taskMs.record(taskMs);
    if (outcome === 'completed') this.#completed.add(event.at);
    if (outcome === 'failed') this.#failed.add(event.at);
    if (agent !== undefined && (outcome === 'completed' || outcome === 'failed'))
      this.#agents.of(agent)[outcome]++;
  }

  #endRun(
    tally: RunTally | undefined,
    { runId, at }: RunEvent,
    how: 'completed' | 'failed' | 'cancelled',
  ): void {
    this.#runs[how]++;
    this.#ended.add(at);
    if (tally === undefined) return;
    if (tally.workflowId !== '') this.#runMs.record(at - tally.createdAt);
    this.#tallies.delete(runId);
    this.#past.set(runId, tally);
    if (this.#past.size <= ENDED_RUNS_MAX) return;
    const [oldest] = this.#past.keys();
    this.#past.delete(oldest as string);
  }

  #rank(attempt: SlowAttempt): void {
    const last = this.#slowest[this.#slowest.length - 1];
    const isFull = this.#slowest.length >= SLOWEST_MAX;
    if (isFull && last !== undefined && last.durationMs >= attempt.durationMs) return;
    if (isFull) this.#slowest.pop();
    const place = this.#slowest.findIndex(({ durationMs }) => durationMs < attempt.durationMs);
    this.#slowest.splice(place < 0 ? this.#slowest.length : place, 0, attempt);
  }
}

const EMPTY = new Histogram();

function labelOf({ code, name }: TaskFailure): string {
  return code ?? name;
}
