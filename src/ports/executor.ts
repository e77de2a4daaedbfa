import type { AnyHandler, HandlerContext, HandlerRef } from '../model/handler.ts';
import type { TaskPath } from '../model/path.ts';

/** One attempt that is to be run. */
export interface Invocation {
  readonly runId: string;
  readonly path: TaskPath;
  readonly attempt: number;
  /** For a worker: a `WorkerRef`, with the module. */
  readonly handler: HandlerRef;
  /** The function itself, for an executor in this thread; `undefined` where it is to be found by `handler`. */
  readonly run: AnyHandler | undefined;
  /** Whether the outputs of dependencies may be moved to where it is executed, and so be gone here. Default `false`. */
  readonly transfer?: boolean;
  readonly context: HandlerContext<never, never>;
  /** Calls a function in the async context of the run. */
  within<Result>(call: (invocation: Invocation) => Result): Result;
}

/** How an attempt ended. */
export type Outcome =
  | { readonly ok: true; readonly output: unknown }
  | { readonly ok: false; readonly thrown: unknown };

/** Takes the outcome of an invocation; each invocation has one, later ones are dropped. */
export type ReportOutcome = (invocation: Invocation, outcome: Outcome) => void;

/** What an executor can do. */
export interface ExecutorCapabilities {
  /** Handlers run in another process or machine, so that they live on when this process dies. */
  readonly remote: boolean;
  /** Handlers that wait do so on the orchestrator's clock, so that virtual time may pass meanwhile. */
  readonly virtualTime: boolean;
}

/** Runs the bodies of attempts. */
export interface Executor {
  readonly capabilities: ExecutorCapabilities;
  /**
   * Starts all of them, in order. Outcomes are reported at once, during the call, or later. A report and not a
   * promise, since after a crash an outcome may come from an invocation that this process never submitted.
   */
  submit(invocations: readonly Invocation[], report: ReportOutcome): void;
  /** Tells an invocation to stop, by whatever is stronger than its signal; a no-op where nothing is. */
  cancel(invocation: Invocation, reason: unknown): void;
  /** Ends everything the executor owns. */
  close(): void | Promise<void>;
}
