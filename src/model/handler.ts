import type { TaskFailure } from './failure.ts';
import type { LockMode } from './needs.ts';
import type { TaskPath } from './path.ts';
import type { TraceCarrier } from './trace.ts';

/** Names the code that a task runs. An inline function's name is `<workflow>/<taskId>`. */
export interface HandlerRef {
  /**
   * `inline`: the function given as `run`. `registered`: a name in `open({ handlers })`. `worker`: an export of a module
   * of handlers.
   */
  readonly kind: 'inline' | 'registered' | 'worker';
  readonly name: string;
  /** Part of a workflow version's hash: change it when the code changes in a way that matters. */
  readonly version?: string;
}

/** Names a handler of `open({ handlers })`. */
export interface RegisteredRef extends HandlerRef {
  readonly kind: 'registered';
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

/** How a handler asks for locks while it runs. */
export interface LockWaitOptions {
  /** Default `exclusive`. */
  readonly mode?: LockMode | undefined;
  /** Higher is served earlier: -1e9 to 1e9. Default: that of the task. */
  readonly priority?: number | undefined;
  /** How long to wait: milliseconds, or a string such as `5s`. Default: as long as the attempt may run. */
  readonly timeout?: number | string | undefined;
  /** Ends the wait, beside the signal of the attempt. */
  readonly signal?: AbortSignal | undefined;
  /** Takes the locks back when they were not renewed for so long: at least 1 ms. Default: never. */
  readonly lease?: number | string | undefined;
  /** Renews the lease by itself this often, until `signal` is aborted; at most a third of the lease. Default: never. */
  readonly heartbeat?: number | string | undefined;
}

/** Locks that a handler took while it runs; given back by `release`, by `using`, or at the end of the attempt. */
export interface NestedLock {
  readonly names: readonly string[];
  /** The fencing token: greater than every one granted before. */
  readonly token: number;
  /** Whether they are held still. */
  readonly isHeld: boolean;
  /** Aborted with `LOCK_STALE` when they are taken back, such as at the end of a lease; not when they are given back. */
  readonly signal: AbortSignal;
  /** @throws OrchestratorError `GRANT_RELEASED` the second time, `LOCK_STALE` when they were taken back */
  release(): void;
  /** Begins the lease anew. @throws OrchestratorError as `release` */
  renew(): void;
  /** Gives them back at the end of `using`; does nothing when they are no longer held. */
  [Symbol.dispose](): void;
}

/** The locks that the task holds while it runs, by name; and more of them, if it has to. */
export interface HeldLocks {
  /**
   * The fencing token of a lock that this task holds: greater than every token granted before it, so that
   * whatever the lock protects can refuse a late writer.
   * @throws OrchestratorError `LOCK_CONFLICT` when the task did not ask for this lock
   */
  token(name: string): number;
  readonly names: readonly string[];
  /**
   * Waits for locks on top of those that the task holds, all together. A circle of such waits is a deadlock: it is
   * found at once, and its member of lowest priority (of equals the one submitted last) is ended: the wait rejects,
   * and the attempt fails, whatever the handler makes of that.
   *
   * A lock that is held shared can be asked for exclusively: granted when nobody else holds it, and taken back when the
   * shared lock is.
   * @throws OrchestratorError `DEADLOCK_VICTIM`, `LOCK_CONFLICT` for a lock that is held or waited for already,
   *   `LOCK_STALE` when the shared lock was taken back meanwhile, `WAIT_TIMEOUT`, `WAIT_ABORTED`, `QUEUE_FULL`; the reason of `signal` when the attempt is told to stop
   */
  acquire(name: string | readonly string[], options?: LockWaitOptions): Promise<NestedLock>;
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
  /**
   * How often the process ended while this task was in progress, so that it was started again, in all its attempts; 0 for
   * never. More than 0 says that an earlier start may have done some of the work.
   */
  readonly restart: number;
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
  /** The trace that the run belongs to, as `open({ trace })` gave it: the same on every executor. Empty without one. */
  readonly trace: TraceCarrier;
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
