/**
 * What must be true of every event, given the log before it and what handlers have done: I4, I5, I7, I10, I11, I12, I19,
 * I24, I37, I38, I39.
 *
 * Who may call it: the checker, before the event is folded.
 */

import { behaviourOf } from '../behaviour.ts';
import type { LogEvent, LogRow } from '../rows.ts';
import type { Scenario, TaskSpec } from '../scenario.ts';
import type { Judge } from './judge.ts';
import type { Ledger } from './ledger.ts';
import { isEnded, isTolerated, letsOn, type RunModel, specOf, specsOf, type TaskModel } from './run-model.ts';

/** Everything that judging an event of a task needs. */
interface Case {
  readonly run: RunModel;
  readonly event: LogEvent;
  readonly task: TaskModel;
  readonly spec: TaskSpec;
  readonly process: number;
  readonly isHistory: boolean;
}

export class LogRules {
  readonly #scenario: Scenario;
  readonly #judge: Judge;
  readonly #ledger: Ledger;
  /** Whether the clock can be trusted to say how long something took. */
  readonly #isSteady: boolean;

  constructor(scenario: Scenario, judge: Judge, ledger: Ledger) {
    this.#scenario = scenario;
    this.#judge = judge;
    this.#ledger = ledger;
    this.#isSteady = !scenario.faults.some(({ type }) => type === 'skew');
  }

  /** Judges an event of a run that has begun. */
  judge(run: RunModel, { event, process }: LogRow): void {
    const { runId, seq, type, path } = event;
    this.#must(seq === run.seq + 1, 'I19', `${runId}: event ${seq} comes after ${run.seq}`);
    this.#must(run.end === undefined, 'I11', `${runId}: ${type} after its end`);
    if (path === undefined || type.startsWith('Run')) {
      this.#judgeRun(run, event);
      return;
    }
    const task = run.tasks.get(path);
    const spec = specOf(run, path);
    if (task === undefined || spec === undefined) {
      this.#must(false, 'I12', `${runId}: ${type} of ${path}, which it does not have`);
      return;
    }
    if (type === 'TaskPriorityChanged') return;
    this.#must(!isEnded(task), 'I5', `${runId}: ${type} of ${path}, which is ${task.state}`);
    this.#judgeTask({ run, event, task, spec, process, isHistory: seq <= run.history });
  }

  #must(isTrue: boolean, invariant: string, message: string): void {
    if (!isTrue) this.#judge.wrong(invariant, message);
  }

  #judgeRun(run: RunModel, { type, runId }: LogEvent): void {
    const tasks = [...run.tasks];
    const isEnd = type === 'RunCompleted' || type === 'RunFailed' || type === 'RunCancelled';
    if (!isEnd) return;
    const open = tasks.filter(([, task]) => !isEnded(task)).map(([path]) => path);
    this.#must(open.length === 0, 'I11', `${runId}: ${type} while ${open.join(', ')} have not ended`);
    const bad = tasks.some(
      ([path, { state }]) => (state === 'failed' || state === 'cancelled') && !isTolerated(run, path),
    );
    const fit = run.isCancelled ? 'RunCancelled' : bad ? 'RunFailed' : 'RunCompleted';
    this.#must(type === fit, 'I10', `${runId}: ${type}, but its tasks say ${fit}`);
  }

  #judgeTask(one: Case): void {
    switch (one.event.type) {
      case 'TaskStarted':
        this.#started(one);
        return;
      case 'TaskRestarted':
        this.#restarted(one);
        return;
      case 'TaskCompleted':
        this.#completed(one);
        return;
      case 'TaskRetryScheduled':
        this.#retried(one);
        return;
      case 'TaskFailed':
        this.#failed(one);
        return;
      case 'TaskStopRequested':
        this.#stopped(one);
        return;
      case 'TaskCancelled':
        this.#cancelled(one);
        return;
      case 'TaskSkipped':
        this.#skipped(one);
        return;
      case 'ConditionEvaluated':
        this.#ready(one);
        this.#must(one.event.result === (one.spec.when === true), 'I10', `${at(one)} says the condition`);
    }
  }

  #ready({ run, spec, event }: Case): void {
    for (const { id, settled } of spec.dependencies) {
      const needed = run.tasks.get(id);
      const isMet = needed !== undefined && (settled ? isEnded(needed) : letsOn(needed));
      this.#must(isMet, 'I12', `${run.runId}: ${event.type} of ${spec.id} while ${id} is ${needed?.state}`);
    }
  }

  #started(one: Case): void {
    const { run, event, task, spec } = one;
    this.#ready(one);
    this.#must(!run.isCancelled, 'I37', `${at(one)} after the run was cancelled`);
    this.#must(!run.isPaused, 'C06', `${at(one)} while the run is paused`);
    this.#must(!run.isHalted, 'I10', `${at(one)} after a failure that ends the run`);
    this.#must(event.attempt === task.attempt + 1, 'I4', `${at(one)}, after attempt ${task.attempt}`);
    this.#must(
      (event.attempt as number) - task.earlier <= maxAttempts(spec),
      'I4',
      `${at(one)}; allowed: ${maxAttempts(spec)}`,
    );
    this.#must(
      task.state === 'created' || task.state === 'retrying',
      'I4',
      `${at(one)} while it is ${task.state}`,
    );
    this.#must(spec.when === undefined || task.condition === true, 'I10', `${at(one)} against its condition`);
    if (!this.#isTimed(one)) return;
    this.#must(
      task.dueAt === undefined || event.at >= task.dueAt,
      'I24',
      `${at(one)} at ${event.at}, due ${task.dueAt}`,
    );
    if (spec.totalTimeout === undefined) return;
    const deadline = task.deadlineAt ?? event.at + spec.totalTimeout;
    this.#must(event.deadlineAt === deadline, 'I24', `${at(one)} moves its deadline from ${deadline}`);
  }

  #restarted(one: Case): void {
    const { event, task, spec, process } = one;
    const cap = spec.maxRestarts ?? this.#scenario.options.maxRestarts;
    this.#must(
      task.state === 'in_progress' && event.attempt === task.attempt,
      'I4',
      `${at(one)}, but it is ${task.state}`,
    );
    this.#must(
      event.restart === task.restarts + 1,
      'I14',
      `${at(one)} ${event.restart} after ${task.restarts}`,
    );
    this.#must(task.restarts < cap, 'I39', `${at(one)} ${event.restart}; allowed: ${cap}`);
    this.#must(process !== task.process, 'I14', `${at(one)} in the process that has started it`);
    this.#must(task.stop === undefined, 'I37', `${at(one)} although it was told to stop`);
  }

  #completed(one: Case): void {
    const { event, task, isHistory } = one;
    this.#current(one);
    this.#must(
      task.stop === undefined || task.stop === 'run_failed',
      'I38',
      `${at(one)} after it was told to stop (${task.stop})`,
    );
    if (!isHistory) this.#ledger.judgeOutput(event);
  }

  #current(one: Case): void {
    const { event, task } = one;
    const isCurrent = task.state === 'in_progress' && event.attempt === task.attempt;
    this.#must(isCurrent, 'I7', `${at(one)} while attempt ${task.attempt} is ${task.state}`);
  }

  #retried(one: Case): void {
    const { run, event, task, spec, isHistory } = one;
    this.#current(one);
    this.#must(!run.isCancelled && !run.isHalted, 'I37', `${at(one)} in a run that starts nothing any more`);
    this.#must(task.stop === undefined || isTimeLimit(task.stop), 'I38', `${at(one)} after ${task.stop}`);
    const counted = (event.attempt as number) - task.earlier;
    this.#must(counted < maxAttempts(spec), 'I4', `${at(one)}; allowed: ${maxAttempts(spec)} attempts`);
    this.#must(isRetryable(event), 'I39', `${at(one)} of a failure that is not to be retried`);
    if (!isHistory) this.#ledger.judgeFailure(event, task);
    const { retry } = spec;
    if (retry === undefined || isHistory) return;
    const longest = Math.min(retry.delay * retry.factor ** (counted - 1), retry.delay * 100);
    const wait = (event.dueAt as number) - event.at;
    const isWithin = wait <= longest + 1 && wait >= longest * (1 - retry.jitter) - 1;
    this.#must(
      isWithin,
      'I39',
      `${at(one)} in ${wait} ms; allowed: up to ${longest}, jitter ${retry.jitter}`,
    );
  }

  #failed(one: Case): void {
    const { run, event, task, spec, isHistory } = one;
    const { code } = event.failure as { readonly code?: string };
    if (task.condition === 'throws') {
      this.#must(task.state === 'created', 'I10', `${at(one)} by its condition while it is ${task.state}`);
      return;
    }
    if (task.state === 'retrying') {
      this.#must(spec.totalTimeout !== undefined, 'I38', `${at(one)} while it waits for its next attempt`);
      this.#notEarly(one, task.deadlineAt ?? 0);
      return;
    }
    this.#current(one);
    if (code === 'TASK_DEAD_LETTER') {
      const cap = spec.maxRestarts ?? this.#scenario.options.maxRestarts;
      this.#must(task.restarts >= cap, 'I39', `${at(one)}: dead letter after ${task.restarts} of ${cap}`);
      this.#must(one.process !== task.process, 'I14', `${at(one)}: dead letter without a death`);
      return;
    }
    if (!isHistory) this.#ledger.judgeFailure(event, task);
    const counted = (event.attempt as number) - task.earlier;
    // A body that says that trying again is of no use is believed, also when its time was up a moment before.
    const isFatal = task.stop !== undefined && behaviourOf(spec, counted + task.earlier).end === 'fatal';
    const isSpent =
      isFatal ||
      // What was kept of a run that halted was not tried again because of a failure that is not kept.
      (isHistory && run.spec.failurePolicy !== 'continue') ||
      counted >= maxAttempts(spec) ||
      !isRetryable(event) ||
      run.isCancelled ||
      run.isHalted ||
      task.stop === 'total_timeout';
    this.#must(isSpent, 'I39', `${at(one)} for good; allowed: ${maxAttempts(spec)} attempts`);
  }

  #stopped(one: Case): void {
    const { run, event, task, spec, isHistory } = one;
    this.#current(one);
    switch (event.cause) {
      case 'timeout':
        this.#must(task.startedUnder?.timeout !== undefined, 'I38', `${at(one)}: it has no time limit`);
        this.#notEarly(one, task.startedAt + (task.startedUnder?.timeout ?? 0));
        return;
      case 'total_timeout':
        this.#must(task.deadlineAt !== undefined, 'I38', `${at(one)}: it has no total time limit`);
        this.#notEarly(one, task.deadlineAt ?? 0);
        return;
      case 'heartbeat':
        this.#must(
          task.startedUnder?.heartbeatTimeout !== undefined,
          'I38',
          `${at(one)}: it needs no heartbeat`,
        );
        this.#notEarly(one, task.startedAt + (task.startedUnder?.heartbeatTimeout ?? 0));
        return;
      case 'run_failed':
        // What was kept of a run that failed was told to stop by a failure that is not kept.
        this.#must(
          isHistory || (run.isHalted && run.spec.failurePolicy === 'fail-fast'),
          'I10',
          `${at(one)} although no failure ends the run`,
        );
        return;
      default:
        this.#must(run.isCancelled || this.#isUnwanted(run, spec.id), 'I37', `${at(one)}: nobody asked`);
    }
  }

  /** Times can be compared: no clock was changed, and nothing comes from another run, whose waits a fork begins anew. */
  #isTimed({ isHistory }: Case): boolean {
    return this.#isSteady && !isHistory;
  }

  #notEarly(one: Case, dueAt: number): void {
    if (this.#isTimed(one))
      this.#must(one.event.at >= dueAt, 'I24', `${at(one)} at ${one.event.at}, due ${dueAt}`);
  }

  #cancelled(one: Case): void {
    const { run, event, spec } = one;
    const { cause } = event;
    if (cause === 'run_cancelled') this.#must(run.isCancelled, 'I37', `${at(one)}: nobody cancelled the run`);
    if (cause === 'task_cancelled')
      this.#must(this.#isUnwanted(run, spec.id), 'I37', `${at(one)}: nobody asked`);
    if (cause === 'run_failed')
      this.#must(run.isHalted, 'I10', `${at(one)} although no failure ends the run`);
  }

  #isUnwanted(run: RunModel, path: string): boolean {
    return (
      run.history > 0 ||
      this.#scenario.actions.some(({ deed }) => deed.type === 'cancelTask' && deed.task === path)
    );
  }

  #skipped(one: Case): void {
    const { run, event, spec, task } = one;
    const { kind } = event.cause as { readonly kind: string };
    if (kind === 'condition') {
      this.#must(task.condition === false, 'I10', `${at(one)} against its condition`);
      return;
    }
    const isCut = spec.dependencies.some(({ id, settled }) => {
      const needed = run.tasks.get(id);
      return !settled && needed !== undefined && isEnded(needed) && !letsOn(needed);
    });
    this.#must(isCut, 'I10', `${at(one)} although nothing that it needs has failed`);
  }
}

/** Whether the tasks of a finished run have what their failure policy promises: judged at the end of all. */
export function judgeEnds(judge: Judge, run: RunModel): void {
  if (run.end === undefined || run.isCancelled || run.spec.failurePolicy !== 'continue') return;
  for (const { id, dependencies } of specsOf(run)) {
    const task = run.tasks.get(id) as TaskModel;
    const mayStart = dependencies.every(({ id: needed, settled }) => {
      const found = run.tasks.get(needed) as TaskModel;
      return settled || letsOn(found);
    });
    judge.must(
      !(mayStart && task.state === 'skipped' && !task.isPassedOver),
      'I10',
      () => `${run.runId}: ${id} is skipped although everything that it needs is there`,
    );
  }
}

function at({ run, event }: Case): string {
  return `${run.runId}: ${event.type} of ${event.path}, attempt ${event.attempt}`;
}

function maxAttempts({ retry }: TaskSpec): number {
  return retry?.maxAttempts ?? 1;
}

function isTimeLimit(cause: string): boolean {
  return cause === 'timeout' || cause === 'heartbeat' || cause === 'total_timeout';
}

function isRetryable({ failure }: LogEvent): boolean {
  return (failure as { readonly retryable?: boolean } | undefined)?.retryable !== false;
}
