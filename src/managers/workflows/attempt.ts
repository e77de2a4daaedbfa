/**
 * One attempt as its executor and its handler see it, and, when its body has ended well, the report of that.
 *
 * Owns: nothing; it looks at the ticket and the run. Who may call it: executors take it as an invocation,
 * handlers get its context, the loop takes it as a command.
 *
 * AT1  What a handler may never ask for is made only when it asks: signal, dependencies, log, clock.
 * AT2  Every field of the context works when it is taken out of the context.
 * AT3  It is given to the loop once, with its output: a report of its own would be one more object for every task.
 */
import type { ReportSuccess } from '../../machine/commands.ts';
import { pathIn, peekDetails, pointAt, type ScopeState } from '../../machine/state.ts';
import { COMPLETED, FAILED, statusName } from '../../machine/transitions.ts';
import { checkDuration } from '../../model/checks.ts';
import type { DependencySpec } from '../../model/dependency.ts';
import { OrchestratorError } from '../../model/errors.ts';
import type {
  AnyHandler,
  HandlerClock,
  HandlerContext,
  HandlerLog,
  HandlerRef,
  HeldLocks,
  SettledOutcome,
} from '../../model/handler.ts';
import type { AnyTask } from '../../model/task.ts';
import type { TraceCarrier } from '../../model/trace.ts';
import type { Executor, Invocation, Outcome } from '../../ports/executor.ts';
import type { NestedLocks } from '../concurrency/nested-locks.ts';
import type { Ticket } from '../scheduling/ticket.ts';
import type { HandlerCode } from './handlers.ts';
import { heldLocks } from './held-locks.ts';
import { type LargeValues, largeOr } from './large-outputs.ts';
import type { Envelope, LiveRun } from './live-run.ts';
import { readable } from './taken-values.ts';

/** What an attempt can ask of the world. */
export interface AttemptServices {
  signalOf(ticket: Ticket): AbortSignal;
  heartbeat(attempt: Attempt): void;
  /** Fails an attempt whose body has not ended. */
  giveUp(attempt: Attempt, thrown: OrchestratorError): void;
  progress(attempt: Attempt, value: unknown): void;
  logOf(attempt: Attempt): HandlerLog;
  now(): number;
  sleep(durationMs: number, signal: AbortSignal): Promise<void>;
  real<Value>(promise: PromiseLike<Value>): Promise<Value>;
  /** Locks beside those that the task holds. */
  readonly locks: NestedLocks;
  traceOf(attempt: Attempt): TraceCarrier;
}

export class Attempt implements Invocation, Envelope, ReportSuccess {
  readonly type = 'ReportSuccess';
  /** When the report was decided. */
  at = 0;
  output: unknown;
  readonly liveRun: LiveRun;
  readonly ticket: Ticket;
  readonly path: string;
  readonly attempt: number;
  readonly code: HandlerCode | undefined;
  readonly executor: Executor;
  readonly context: HandlerContext<never, never>;
  /** Its outcome was handed in. */
  reported = false;
  /** Its body has ended. */
  ended = false;
  progressed = 0;
  /** The outputs of its dependencies that were not in memory. */
  large: LargeValues | undefined;

  constructor(
    liveRun: LiveRun,
    ticket: Ticket,
    code: HandlerCode | undefined,
    executor: Executor,
    services: AttemptServices,
  ) {
    this.liveRun = liveRun;
    this.ticket = ticket;
    this.path = pathIn(ticket.scope, ticket.index);
    this.attempt = ticket.attempt;
    this.code = code;
    this.executor = executor;
    this.context = new AttemptContext(this, services) as HandlerContext<unknown, unknown> as HandlerContext<
      never,
      never
    >;
  }

  get runId(): string {
    return this.liveRun.runId;
  }

  get command(): ReportSuccess {
    return this;
  }

  get acknowledge(): undefined {
    return undefined;
  }

  get repeated(): boolean {
    return false;
  }

  get refusal(): undefined {
    return undefined;
  }

  get task(): AnyTask {
    return this.ticket.scope.plan.tasks[this.ticket.index] as AnyTask;
  }

  /** Its task as the attempt began with it: a move gives the task other retries, and this attempt no other locks and limits. */
  get begunAs(): AnyTask {
    return this.ticket.watch?.begunAs ?? this.task;
  }

  get run(): AnyHandler | undefined {
    return typeof this.code === 'function' ? this.code : undefined;
  }

  get handler(): HandlerRef {
    if (typeof this.code === 'object') return this.code;
    return (
      this.task.handlerRef ?? { kind: 'inline', name: `${this.ticket.scope.plan.name}/${this.task.taskId}` }
    );
  }

  get transfer(): boolean {
    return this.begunAs.policies.transfer;
  }

  /** Points the cursor of the state of its run at its task, so that its report needs no look-up. */
  pointAt(): void {
    const { scope, index } = this.ticket;
    const { state } = this.liveRun;
    // After a reload a ticket that is over still has a scope of the state that was forgotten.
    if (state.scopes[scope.number] === scope) pointAt(state, scope, index, this.path);
  }

  within<Result>(call: (invocation: Invocation) => Result): Result {
    return this.liveRun.within(call, this);
  }
}

class AttemptContext implements HandlerContext<unknown, unknown> {
  readonly #attempt: Attempt;
  readonly #services: AttemptServices;
  #dependencies: unknown;

  constructor(attempt: Attempt, services: AttemptServices) {
    this.#attempt = attempt;
    this.#services = services;
  }

  get runId(): string {
    return this.#attempt.liveRun.runId;
  }

  get path(): string {
    return this.#attempt.path;
  }

  get taskId(): string {
    return this.#attempt.task.taskId;
  }

  get input(): unknown {
    return readable(this.#attempt.liveRun.state.input);
  }

  get inputData(): unknown {
    return readable(this.#attempt.task.inputData);
  }

  get dependencies(): unknown {
    const { large, ticket, transfer } = this.#attempt;
    const { scope, index } = ticket;
    // What is to be moved away must not be what is given the next time.
    if (transfer) return collectDependencies(scope, index, large);
    this.#dependencies ??= collectDependencies(scope, index, large);
    return this.#dependencies;
  }

  get attempt(): number {
    return this.#attempt.attempt;
  }

  get restart(): number {
    const { scope, index } = this.#attempt.ticket;
    return peekDetails(scope, index)?.restarts ?? 0;
  }

  get idempotencyKey(): string {
    const { scope, index } = this.#attempt.ticket;
    const earlier = peekDetails(scope, index)?.earlierAttempts ?? 0;
    const key = `${this.#attempt.liveRun.runId}/${this.#attempt.path}`;
    // What begins anew after a move does other work: nobody may take it for the same.
    // The id of no task has a #.
    return earlier === 0 ? key : `${key}#${earlier + 1}`;
  }

  get signal(): AbortSignal {
    return this.#services.signalOf(this.#attempt.ticket);
  }

  get heartbeat(): () => void {
    return () => this.#services.heartbeat(this.#attempt);
  }

  get progress(): (value: unknown) => void {
    return (value) => this.#services.progress(this.#attempt, value);
  }

  get locks(): HeldLocks {
    return heldLocks(this.#attempt, this.#services);
  }

  get log(): HandlerLog {
    return this.#services.logOf(this.#attempt);
  }

  get trace(): TraceCarrier {
    return this.#services.traceOf(this.#attempt);
  }

  get clock(): HandlerClock {
    const services = this.#services;
    const attempt = this.#attempt;
    return {
      now: () => services.now(),
      real: (promise) => services.real(promise),
      sleep: async (duration) =>
        services.sleep(checkDuration(duration, 'clock.sleep'), services.signalOf(attempt.ticket)),
    };
  }
}

/** The outputs that a task may see, by the names it gave its dependencies; `large` has those that are kept beside the log. */
export function collectDependencies(
  scope: ScopeState,
  index: number,
  large: LargeValues | undefined,
): Readonly<Record<string, unknown>> {
  const task = scope.plan.tasks[index] as AnyTask;
  const entries: [string, unknown][] = [];
  for (const spec of task.dependencySpecs) entries.push([spec.name, outputFor(scope, spec, large)]);
  // fromEntries makes an own property of every name, also of `__proto__`.
  return Object.freeze(Object.fromEntries(entries));
}

function outputFor(scope: ScopeState, spec: DependencySpec, large: LargeValues | undefined): unknown {
  const index = scope.plan.indexOf.get(spec.taskId) as number;
  return spec.settled ? outcomeOf(scope, index, large) : readable(largeOr(scope.outputs[index], large));
}

function outcomeOf(
  scope: ScopeState,
  index: number,
  large: LargeValues | undefined,
): SettledOutcome<unknown> {
  const status = scope.status[index] as number;
  if (status === COMPLETED)
    return { status: 'completed', output: readable(largeOr(scope.outputs[index], large)) };
  const failure = peekDetails(scope, index)?.failure;
  if (status === FAILED && failure !== undefined) return { status: 'failed', failure };
  return { status: statusName(status) as 'skipped' | 'cancelled' };
}

/** Whether a body ended because the orchestrator closes, such as while it asked for a lock. */
export function isCutOffByClose(outcome: Outcome): boolean {
  return !outcome.ok && OrchestratorError.is(outcome.thrown, 'ORCHESTRATOR_CLOSED');
}
