import { nearestName } from '../base/nearest.ts';
import type { RunCommand } from '../machine/commands.ts';
import { outputsOf } from '../machine/decide-scope.ts';
import type { RunEvent } from '../machine/events.ts';
import { pathIn, type ScopeState } from '../machine/state.ts';
import { CREATED, FAILED, IN_PROGRESS, isTerminal, RETRYING, statusName } from '../machine/transitions.ts';
import type { PersistenceManager } from '../managers/persistence/persistence-manager.ts';
import { readable } from '../managers/workflows/attempt.ts';
import { type LiveRun, runOfCaller } from '../managers/workflows/live-run.ts';
import { checkInteger, checkKeys, checkNumber, checkRecord, checkSignal } from '../model/checks.ts';
import { OrchestratorError } from '../model/errors.ts';
import { describeFailure, reviveFailure, type TaskFailure } from '../model/failure.ts';
import type { TaskPath } from '../model/path.ts';
import type { RunStatus, TaskStatus, WaitReason } from '../model/status.ts';
import { PRIORITY_MAX } from '../model/task.ts';
import { type EventsOptions, readEvents } from './run-events.ts';

/** A task that failed for good. */
export interface FailedTask {
  readonly path: TaskPath;
  readonly attempt: number;
  readonly failure: TaskFailure;
}

/** How a run ended well. */
export interface RunResult<Outputs> {
  readonly runId: string;
  readonly status: 'completed';
  /** The outputs of the listed tasks, by id. A task that its `when` skipped is not among them. */
  readonly outputs: Outputs;
}

/** How a run ended, well or not. */
export interface SettledRun<Outputs> {
  readonly runId: string;
  readonly status: 'completed' | 'failed' | 'cancelled' | 'lost';
  /** The outputs of those listed tasks that completed. */
  readonly outputs: Partial<Outputs>;
  readonly failures: readonly FailedTask[];
  /** What `result()` rejects with; `undefined` when it completed. */
  readonly error: OrchestratorError | undefined;
}

/** A task of a run, as it stands now. */
export interface TaskView {
  readonly path: TaskPath;
  readonly taskId: string;
  readonly status: TaskStatus;
  /** Why it does not run, when it waits. */
  readonly reason: WaitReason | undefined;
  /** The attempt that is under way or was the last one; 0 before the first. */
  readonly attempt: number;
}

/** What a handle needs of the orchestrator. */
export interface HandleServices {
  readonly persistence: PersistenceManager;
  submit(run: LiveRun, command: RunCommand): Promise<void>;
  release(run: LiveRun): void;
}

/** One run, for whoever started or found it. */
export class Run<Outputs = Readonly<Record<string, unknown>>> {
  readonly #run: LiveRun;
  readonly #services: HandleServices;

  /** @internal */
  constructor(run: LiveRun, services: HandleServices) {
    this.#run = run;
    this.#services = services;
  }

  get runId(): string {
    return this.#run.runId;
  }

  /** The id of its workflow. */
  get workflowId(): string {
    return this.#run.plan.workflowId;
  }

  /** The version of its workflow, from 1. */
  get workflowVersion(): number {
    return this.#run.state.workflowVersion;
  }

  get status(): RunStatus {
    return this.#run.state.status;
  }

  /**
   * Waits for the end of the run.
   *
   * @throws OrchestratorError `RUN_FAILED` (`details.failures`, `details.outputs`; the `cause` is what the first
   *   failed task threw), `RUN_CANCELLED` (the `cause` is the reason given), `SELF_WAIT`, `STORE_UNAVAILABLE`,
   *   `ORCHESTRATOR_CLOSED`, `RUN_RELEASED`
   */
  async result(): Promise<RunResult<Outputs>> {
    const settled = await this.settled();
    if (settled.error !== undefined) throw settled.error;
    return { runId: settled.runId, status: 'completed', outputs: settled.outputs as Outputs };
  }

  /**
   * Waits for the end of the run, however it ends.
   * @throws OrchestratorError `SELF_WAIT` from inside one of its own handlers; `RUN_RELEASED`
   */
  settled(): Promise<SettledRun<Outputs>> {
    const run = this.#run;
    return new Promise((resolve, reject) => {
      if (run.isReleased)
        throw new OrchestratorError('RUN_RELEASED', `run ${run.runId} was released, so its outputs are gone`);
      if (!run.isOver && runOfCaller() === run) {
        throw new OrchestratorError(
          'SELF_WAIT',
          `a handler of run ${run.runId} waits for the end of that same run, which would never come. Wait outside of its handlers.`,
        );
      }
      run.onOver(() => {
        try {
          resolve(settle<Outputs>(run));
        } catch (error) {
          reject(error);
        }
      });
    });
  }

  /** The events of the run, from the first one on, until it ends. */
  events(options: EventsOptions = {}): AsyncGenerator<RunEvent, void, void> {
    checkKeys(
      checkRecord(options, 'events', 'an object of options'),
      new Set(['fromSeq', 'signal']),
      'events',
    );
    if (options.fromSeq !== undefined)
      checkInteger(options.fromSeq, 'events/fromSeq', 1, Number.MAX_SAFE_INTEGER);
    checkSignal(options.signal, 'events/signal');
    return readEvents(this.#run, this.#services.persistence, options);
  }

  /**
   * Cancels the run: nothing new starts, running handlers are told to stop, and it ends as `cancelled`.
   *
   * @param reason - anything; it is the `cause` of what `result()` rejects with
   * @returns when that is durable; `false` when the run had ended before
   */
  async cancel(reason?: unknown): Promise<boolean> {
    const run = this.#run;
    if (run.isFinished || run.lost !== undefined) return false;
    run.cancelReason ??= reason;
    return this.#ask({
      type: 'CancelRun',
      at: 0,
      reason:
        reason === undefined
          ? { name: 'Cancelled', message: 'the run was cancelled' }
          : describeFailure(reason),
    });
  }

  /**
   * Cancels one task that has not ended. What depends on it is skipped, and the run ends as `failed`.
   * @returns `false` when the task or the run had ended before
   * @throws OrchestratorError `TASK_NOT_FOUND`
   */
  async cancelTask(path: TaskPath, reason?: unknown): Promise<boolean> {
    this.#find(path);
    const why =
      reason === undefined
        ? { name: 'Cancelled', message: `task ${JSON.stringify(path)} was cancelled` }
        : describeFailure(reason);
    return this.#ask({ type: 'CancelTask', at: 0, path, cause: 'task_cancelled', reason: why });
  }

  /** Starts no more tasks of this run; what runs goes on. `false` when it had ended before. */
  async pause(): Promise<boolean> {
    return this.#ask({ type: 'PauseRun', at: 0 });
  }

  /** Starts tasks again after `pause`. `false` when it had ended before. */
  async resume(): Promise<boolean> {
    return this.#ask({ type: 'ResumeRun', at: 0 });
  }

  /**
   * Changes the priority of a task that has not started; of one that runs or has ended nothing changes.
   * @param priority - from -1e9 to 1e9
   * @throws OrchestratorError `TASK_NOT_FOUND`, `OPTION_INVALID`
   */
  async setPriority(path: TaskPath, priority: number): Promise<void> {
    this.#find(path);
    await this.#ask({
      type: 'SetPriority',
      at: 0,
      path,
      priority: checkNumber(priority, 'setPriority', -PRIORITY_MAX, PRIORITY_MAX),
    });
  }

  /** All tasks as they stand now, in the order of the definition. */
  tasks(): readonly TaskView[] {
    const views: TaskView[] = [];
    for (const scope of this.#run.state.scopes) {
      for (let i = 0; i < scope.plan.size; i++) views.push(viewOf(this.#run, scope, i));
    }
    return views;
  }

  /** Forgets an ended run: its log, its outputs. `false` when it has not ended. */
  release(): boolean {
    if (!this.#run.isOver && this.#run.lost === undefined) return false;
    this.#services.release(this.#run);
    return true;
  }

  async #ask(command: RunCommand): Promise<boolean> {
    if (this.#run.isFinished) return false;
    try {
      await this.#services.submit(this.#run, command);
      return true;
    } catch (error) {
      if (OrchestratorError.is(error, 'RUN_FINISHED') || OrchestratorError.is(error, 'TRANSITION_ILLEGAL'))
        return false;
      throw error;
    }
  }

  #find(path: TaskPath): void {
    const { state } = this.#run;
    for (const scope of state.scopes) {
      const id =
        scope.prefix === ''
          ? path
          : path.startsWith(`${scope.prefix}/`)
            ? path.slice(scope.prefix.length + 1)
            : undefined;
      if (id !== undefined && scope.plan.indexOf.has(id)) return;
    }
    const nearest = nearestName(String(path), this.#run.plan.ids);
    const hint = nearest === undefined ? '' : ` Did you mean ${JSON.stringify(nearest)}?`;
    throw new OrchestratorError(
      'TASK_NOT_FOUND',
      `run ${this.runId} has no task at ${JSON.stringify(String(path).slice(0, 120))}.${hint}`,
      { details: { path } },
    );
  }
}

function settle<Outputs>(run: LiveRun): SettledRun<Outputs> {
  const { runId } = run;
  const root = run.state.scopes[0] as ScopeState;
  const outputs = readOutputs(root) as Partial<Outputs>;
  const failures = failedTasks(run);
  if (run.lost !== undefined) return { runId, status: 'lost', outputs, failures, error: run.lost };
  const status = run.state.status as 'completed' | 'failed' | 'cancelled';
  const error =
    status === 'completed'
      ? undefined
      : status === 'cancelled'
        ? cancelled(run, outputs)
        : failed(run, outputs, failures);
  return { runId, status, outputs, failures, error };
}

function readOutputs(root: ScopeState): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(outputsOf(root)).map(([id, output]) => [id, readable(output)]));
}

function failedTasks(run: LiveRun): readonly FailedTask[] {
  const failures: FailedTask[] = [];
  for (const scope of run.state.scopes) {
    for (const [index, { failure }] of scope.details) {
      if (scope.status[index] !== FAILED || failure === undefined) continue;
      failures.push({ path: pathIn(scope, index), attempt: scope.attempts[index] as number, failure });
    }
  }
  return failures;
}

function failed(run: LiveRun, outputs: unknown, failures: readonly FailedTask[]): OrchestratorError {
  const { failure, failedPath } = run.state;
  const path = failedPath ?? '';
  // The value as it was thrown, if that was in this process; else what the log has of it.
  const cause = run.thrown.has(path)
    ? run.thrown.get(path)
    : failure === undefined
      ? undefined
      : reviveFailure(failure);
  const others = failures.length > 1 ? ` (and ${failures.length - 1} more)` : '';
  const message = `run ${run.runId} of ${JSON.stringify(run.plan.workflowId)} failed: task ${JSON.stringify(path)}: ${failure?.message ?? 'no reason known'}${others}`;
  return new OrchestratorError('RUN_FAILED', message, {
    cause,
    details: { runId: run.runId, path, failures, outputs },
  });
}

function cancelled(run: LiveRun, outputs: unknown): OrchestratorError {
  const { cancelReason } = run.state;
  const cause =
    run.cancelReason !== undefined || cancelReason === undefined
      ? run.cancelReason
      : reviveFailure(cancelReason);
  const message = `run ${run.runId} of ${JSON.stringify(run.plan.workflowId)} was cancelled: ${cancelReason?.message ?? 'no reason given'}`;
  return new OrchestratorError('RUN_CANCELLED', message, { cause, details: { runId: run.runId, outputs } });
}

function viewOf(run: LiveRun, scope: ScopeState, index: number): TaskView {
  const code = scope.status[index] as number;
  const attempt = scope.attempts[index] as number;
  const about = { path: pathIn(scope, index), taskId: scope.plan.ids[index] as string, attempt };
  if (isTerminal(code) || code === IN_PROGRESS)
    return { ...about, status: statusName(code), reason: undefined };
  const ticket = run.ticketOf(scope, index);
  if (ticket?.queued) {
    const row = ticket.group.parkedAt ?? ticket.group.blockedBy();
    return row === undefined
      ? { ...about, status: 'ready', reason: undefined }
      : { ...about, status: 'waiting', reason: row.kind };
  }
  if (code === RETRYING && ticket?.phase === 'delayed')
    return { ...about, status: 'retrying', reason: 'timer' };
  const isReady = code === RETRYING || (code === CREATED && scope.unmet[index] === 0);
  if (isReady && run.isHeld) return { ...about, status: 'waiting', reason: 'paused' };
  if (isReady) return { ...about, status: 'ready', reason: undefined };
  return { ...about, status: 'created', reason: 'dependency' };
}
