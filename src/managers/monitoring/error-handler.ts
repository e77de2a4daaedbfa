/**
 * Remembers what went wrong, with the task, the workflow and what was done about it, and takes reports of failures from
 * outside.
 *
 * Owns: the newest records. Who may call it: the event hub tells it of events; the host asks, logs and reports.
 *
 * EH1  Each failed attempt, each task and each run that failed has one record, made by its event; a report from outside
 *      makes no second one.
 * EH2  Its memory is bounded: records, and the runs and failed tasks it follows.
 * EH3  It decides nothing: what becomes of a reported failure is judged by the policy of the task.
 */
import { Ring } from '../../base/ring.ts';
import { describeName } from '../../base/values.ts';
import type { RunEvent } from '../../machine/events.ts';
import { checkInteger, checkKeys, checkRecord, invalidOption, reading } from '../../model/checks.ts';
import { OrchestratorError } from '../../model/errors.ts';
import { describeFailure, type TaskFailure } from '../../model/failure.ts';
import type { TaskPath } from '../../model/path.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Logger } from '../../ports/logger.ts';
import type { Monitor } from '../../ports/monitor.ts';
import {
  checkAbout,
  checkErrorFilter,
  type ErrorAbout,
  type ErrorFilter,
  type ErrorRecord,
  fits,
  type Recovery,
  SKIPPED_NAMED_MAX,
} from './error-record.ts';
import { checkRunEvent } from './logged-event.ts';

/** Who carries out what a report from outside asks for; an orchestrator is one. */
export interface ErrorActions {
  /**
   * Fails the current attempt of a task, as if its handler had thrown.
   * @returns what became of it, once that is durable
   */
  failTask(runId: string, path: TaskPath, error: unknown): Promise<Recovery>;
  /** Ends a run with the error as the reason. */
  failRun(runId: string, error: unknown): Promise<Recovery>;
  /** The workflow of a run, if the run is known. */
  workflowOf(runId: string): string | undefined;
}

/** What an error handler is made of. Everything has a default. */
export interface ErrorHandlerParts {
  /** Time, for what has no event. Default: `Date.now`. */
  readonly clock?: Pick<Clock, 'now'> | undefined;
  /** Where each record is written as a line: `error` for what is final, `warn` for what is tried again. Default: nowhere. */
  readonly logger?: Logger | undefined;
  /** How many records are kept, the newest: 1 to 1,000,000. Default 1,000. */
  readonly records?: number | undefined;
  /** Who carries out reports. Default: nobody, so that every run is unknown. */
  readonly actions?: ErrorActions | undefined;
}

/** A record that what happens later may add to. */
type OpenRecord = { -readonly [Key in keyof ErrorRecord]: ErrorRecord[Key] };

/** A run that has not ended. */
interface OpenRun {
  workflowId: string | undefined;
  skipped: number;
  cancelled: number;
  /** The records of its failed tasks, for what is skipped because of them. */
  readonly failed: Map<TaskPath, OpenRecord>;
}

/** How many runs are followed at once, and how many failed tasks of each. */
const OPEN_RUNS_MAX = 100_000;
const FAILED_TASKS_MAX = 10_000;

const KEYS: ReadonlySet<string> = new Set(['clock', 'logger', 'records', 'actions']);

/** What went wrong, with task, workflow and recovery; see docs/error-handler.md. */
export class ErrorHandler implements Monitor {
  readonly #now: () => number;
  readonly #logger: Logger | undefined;
  readonly #actions: ErrorActions | undefined;
  readonly #records: Ring<OpenRecord>;
  readonly #runs = new Map<string, OpenRun>();
  /** Reports on their way, by run and path. */
  readonly #reports = new Map<string, number>();
  #numbers = 0;

  /** @throws OrchestratorError `OPTION_INVALID`, `OPTION_UNKNOWN` */
  constructor(parts: ErrorHandlerParts = {}) {
    const at = 'new ErrorHandler';
    const { clock, logger, records, actions } = reading(at, 'an object of options', () => {
      const given = checkRecord(parts, at, 'an object of options') as ErrorHandlerParts;
      checkKeys(given, KEYS, at);
      return { ...given };
    });
    if (clock !== undefined && typeof (clock as Partial<Clock> | null)?.now !== 'function')
      throw invalidOption(`${at}/clock`, clock, 'an object with now()');
    this.#now = clock === undefined ? () => Date.now() : () => clock.now();
    this.#logger = logger;
    this.#actions = actions;
    this.#records = new Ring(
      records === undefined ? 1_000 : checkInteger(records, `${at}/records`, 1, 1_000_000),
    );
  }

  /** How many records had to make room for newer ones. */
  get dropped(): number {
    return this.#records.dropped;
  }

  /** Takes an event of a run in; those of failures make records. @throws OrchestratorError `OPTION_INVALID` */
  observe(event: RunEvent): void {
    checkRunEvent(event);
    switch (event.type) {
      case 'RunCreated':
        this.#open(event.runId).workflowId = event.workflowId;
        return;
      case 'TaskRetryScheduled':
        this.#keep(event, event.failure, {
          kind: 'retry',
          nextAttempt: event.attempt + 1,
          dueAt: event.dueAt,
        });
        return;
      case 'TaskFailed':
        this.#keepFailed(event);
        return;
      case 'TaskSkipped':
        this.#skip(event);
        return;
      case 'TaskCancelled':
        this.#open(event.runId).cancelled++;
        return;
      case 'RunFailed': {
        const { skipped, cancelled } = this.#open(event.runId);
        this.#keep(event, event.failure, {
          kind: 'run_failed',
          skippedCount: skipped,
          cancelledCount: cancelled,
        });
        this.#runs.delete(event.runId);
        return;
      }
      case 'RunCompleted':
      case 'RunCancelled':
        this.#runs.delete(event.runId);
    }
  }

  /**
   * Records an error of any kind, and writes it to the logger.
   *
   * @param error - anything
   * @param about - what it is about, if it is about a run or a task
   * @throws OrchestratorError `OPTION_INVALID`, `OPTION_UNKNOWN`
   */
  logError(error: unknown, about: ErrorAbout = {}): ErrorRecord {
    const { runId, workflowId, path, attempt } = checkAbout(about);
    return copyOf(
      this.#add({
        at: this.#now(),
        source: 'log',
        failure: describeFailure(error),
        runId,
        workflowId: workflowId ?? (runId === undefined ? undefined : this.#workflowOf(runId)),
        path,
        attempt,
        recovery: { kind: 'none' },
      }),
    );
  }

  /**
   * Reports from outside that the current attempt of a task has failed (a remote worker, a person), and applies the
   * error policy of the task: another attempt, or the failure of the task with all that follows from it. The body of
   * the attempt is told to stop; what it reports afterwards does not count.
   *
   * @returns what became of it, once that is durable
   * @throws OrchestratorError `RUN_NOT_FOUND`, `TASK_NOT_FOUND`, `RUN_FINISHED`, `TRANSITION_ILLEGAL` when the task is
   *   not in progress, `ATTEMPT_STALE` when its attempt ended meanwhile
   */
  async handleTaskError(runId: string, path: TaskPath, error: unknown): Promise<Recovery> {
    // What is no id is refused by whoever knows the runs.
    const key = typeof runId === 'string' && typeof path === 'string' ? `${runId}\n${path}` : '';
    this.#reports.set(key, (this.#reports.get(key) ?? 0) + 1);
    const before = this.#numbers;
    try {
      const recovery = await this.#act(runId).failTask(runId, path, error);
      // One that hears no events makes the record itself; a cancelled task makes no event of a failure.
      if (this.find({ runId, path }).every(({ number }) => number <= before))
        this.#report(runId, path, error, recovery);
      return recovery;
    } finally {
      const left = (this.#reports.get(key) ?? 1) - 1;
      if (left > 0) this.#reports.set(key, left);
      else this.#reports.delete(key);
    }
  }

  /**
   * Ends a run because of an error that is not one of its tasks: nothing of it starts any more, running handlers are
   * told to stop, and it ends as `cancelled`, where the reason is the error. (As `failed` a run ends by its tasks only:
   * its log says which one.)
   *
   * @returns once that is durable
   * @throws OrchestratorError `RUN_NOT_FOUND`, `RUN_FINISHED`
   */
  async handleWorkflowError(runId: string, error: unknown): Promise<Recovery> {
    const recovery = await this.#act(runId).failRun(runId, error);
    this.#report(runId, undefined, error, recovery);
    return recovery;
  }

  /**
   * The records that fit, oldest first.
   * @throws OrchestratorError `OPTION_INVALID`, `OPTION_UNKNOWN`
   */
  find(filter: ErrorFilter = {}): readonly ErrorRecord[] {
    const checked = checkErrorFilter(filter);
    return this.#records
      .newest(checked.limit ?? Number.POSITIVE_INFINITY, (record) => fits(record, checked))
      .map(copyOf);
  }

  /** Forgets all records. */
  clear(): void {
    this.#records.clear();
  }

  #act(runId: string): ErrorActions {
    if (this.#actions !== undefined) return this.#actions;
    throw new OrchestratorError(
      'RUN_NOT_FOUND',
      `no run ${describeName(runId)} is known here: this error handler stands alone. Use \`orchestrator.errors\`, or give it \`actions\`.`,
      { details: { runId } },
    );
  }

  #open(runId: string): OpenRun {
    const known = this.#runs.get(runId);
    if (known !== undefined) return known;
    const run = { workflowId: undefined, skipped: 0, cancelled: 0, failed: new Map() };
    if (this.#runs.size < OPEN_RUNS_MAX) this.#runs.set(runId, run);
    return run;
  }

  #workflowOf(runId: string): string | undefined {
    return this.#runs.get(runId)?.workflowId ?? this.#actions?.workflowOf(runId);
  }

  #keepFailed(event: Extract<RunEvent, { readonly type: 'TaskFailed' }>): void {
    const record = this.#keep(event, event.failure, { kind: 'failed', skipped: [], skippedCount: 0 });
    const { failed } = this.#open(event.runId);
    if (failed.size < FAILED_TASKS_MAX) failed.set(event.path, record);
  }

  /** What is skipped is told with the failure that is the first cause. */
  #skip({ runId, path, cause }: Extract<RunEvent, { readonly type: 'TaskSkipped' }>): void {
    if (cause.kind !== 'dependency') return;
    const run = this.#open(runId);
    run.skipped++;
    const record = run.failed.get(cause.path);
    if (record === undefined || record.recovery.kind !== 'failed') return;
    const { skipped, skippedCount } = record.recovery;
    // A record that was told before is a copy, so the list itself may grow.
    if (skipped.length < SKIPPED_NAMED_MAX) (skipped as TaskPath[]).push(path);
    record.recovery = { kind: 'failed', skipped, skippedCount: skippedCount + 1 };
  }

  #keep(
    event: Extract<RunEvent, { readonly type: 'TaskRetryScheduled' | 'TaskFailed' | 'RunFailed' }>,
    failure: TaskFailure,
    recovery: Recovery,
  ): OpenRecord {
    const { runId, path, at } = event;
    const isReport = event.type !== 'RunFailed' && this.#reports.has(`${runId}\n${path}`);
    return this.#add({
      at,
      source: isReport ? 'report' : 'event',
      failure,
      runId,
      workflowId: this.#workflowOf(runId),
      path,
      attempt: event.type === 'RunFailed' ? undefined : event.attempt,
      recovery,
    });
  }

  #report(runId: string, path: TaskPath | undefined, error: unknown, recovery: Recovery): void {
    this.#add({
      at: this.#now(),
      source: 'report',
      failure: describeFailure(error),
      runId,
      workflowId: this.#workflowOf(runId),
      path,
      attempt: undefined,
      recovery,
    });
  }

  #add(entry: Omit<ErrorRecord, 'number'>): OpenRecord {
    const record: OpenRecord = { number: ++this.#numbers, ...entry };
    this.#records.push(record);
    this.#write(record);
    return record;
  }

  #write(record: ErrorRecord): void {
    if (this.#logger === undefined) return;
    const { runId, workflowId, path, attempt, failure, recovery } = record;
    const fields = { runId, workflowId, path, attempt, recovery: recovery.kind, failure };
    try {
      this.#logger[recovery.kind === 'retry' ? 'warn' : 'error'](fields, failure.message);
    } catch {
      // The record is kept all the same.
    }
  }
}

/** What is told is a copy, so that nobody sees it change or changes it. */
function copyOf(record: ErrorRecord): ErrorRecord {
  const { recovery } = record;
  if (recovery.kind !== 'failed') return { ...record };
  return { ...record, recovery: { ...recovery, skipped: [...recovery.skipped] } };
}
