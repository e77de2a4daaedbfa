import type { TaskFailure } from './failure.ts';
import type { TaskPath } from './path.ts';

/** Names the code that a task runs. An inline function's name is `<workflow>/<taskId>`. */
export interface HandlerRef {
  /** `inline`: the function given as `run`. `registered`: a name in `open({ handlers })`. */
  readonly kind: 'inline' | 'registered';
  readonly name: string;
  /** Part of a workflow version's hash: change it when the code changes in a way that matters. */
  readonly version?: string;
}

/** Time as a handler sees it: the orchestrator's clock, which may be a virtual one. */
export interface HandlerClock {
  /** Milliseconds since 1970. */
  now(): number;
  /**
   * Waits; ends early, with the reason of the abort, when the attempt is cancelled or out of time.
   * @param duration - milliseconds, or a string such as `2m`
   */
  sleep(duration: number | string): Promise<void>;
  /**
   * Lets a virtual clock stand still until something real has settled, such as a file or a socket; on the
   * machine's own clock it changes nothing.
   */
  real<Value>(promise: PromiseLike<Value>): Promise<Value>;
}

/** The locks that the task holds while it runs, by name. */
export interface HeldLocks {
  /**
   * The fencing token of a lock that this task holds: greater than every token granted before it, so that
   * whatever the lock protects can refuse a late writer.
   * @throws OrchestratorError `LOCK_CONFLICT` when the task did not ask for this lock
   */
  token(name: string): number;
  readonly names: readonly string[];
}

/** Four levels of log lines, each with the run, path and attempt added. */
export interface HandlerLog {
  /** For whoever looks for a fault. */
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void;
  /** What happened. */
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  /** What may need somebody. */
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  /** What needs somebody. */
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** Everything that a handler is given. Take it apart at will: each field works on its own. */
export interface HandlerContext<In = unknown, Deps = Readonly<Record<string, unknown>>> {
  readonly runId: string;
  readonly path: TaskPath;
  readonly taskId: string;
  /** The input of the run, as its schema returned it; frozen. */
  readonly input: In;
  /** The `inputData` of the task; frozen. */
  readonly inputData: unknown;
  /** The outputs of the tasks that this one depends on, under the names it gave them; frozen. */
  readonly dependencies: Deps;
  /** From 1; counts every try of this task. */
  readonly attempt: number;
  /** The same for every attempt of this task in this run: hand it to services that can tell repeats. */
  readonly idempotencyKey: string;
  /** Aborted when the attempt is cancelled or out of time; the reason says which. */
  readonly signal: AbortSignal;
  /** Says that the handler is still at work; needed only with `heartbeatTimeout`. */
  readonly heartbeat: () => void;
  /** Records how far the work is, as an event that everybody sees. Any plain value. */
  readonly progress: (value: unknown) => void;
  readonly locks: HeldLocks;
  readonly log: HandlerLog;
  readonly clock: HandlerClock;
}

/** The code of a task: returns the output, or a promise of it. */
export type Handler<In = unknown, Deps = Readonly<Record<string, unknown>>, Out = unknown> = (
  context: HandlerContext<In, Deps>,
) => Out | PromiseLike<Out>;

/** A handler with its types forgotten, as the engine calls it. */
export type AnyHandler = Handler<never, never>;

/** What a dependent gets of a task that it names with `settled(…)`: the outcome, good or bad. */
export type SettledOutcome<Out> =
  | { readonly status: 'completed'; readonly output: Out }
  | { readonly status: 'failed'; readonly failure: TaskFailure }
  | { readonly status: 'skipped' | 'cancelled' };
