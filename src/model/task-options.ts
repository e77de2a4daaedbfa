/** What can be said of a task when it is defined. */
import type { Duration } from './checks.ts';
import type { DependencyInput, DependencyOutputs } from './dependency.ts';
import type { HandlerContext, RegisteredRef } from './handler.ts';
import type { LockRequest } from './needs.ts';
import type { RetryOptions } from './retry-policy.ts';
import type { RunOn, WorkerHandler } from './worker-handlers.ts';

/** Priorities reach from minus to plus this number. */
export const PRIORITY_MAX = 1_000_000_000;

/** What `when` is told: the same input and outputs that the handler would see. */
export interface ConditionContext<In, Deps> {
  readonly input: In;
  readonly dependencies: Deps;
}

/** A predicate over input and dependencies; it must answer at once. */
export type Condition<In, Deps> = (context: ConditionContext<In, Deps>) => boolean;

/** What is said of a task when it is defined. */
export interface TaskOptions<In, Out, Deps extends DependencyInput, Answer = boolean> {
  /** For people. At most 10,000 characters. */
  readonly description?: string | undefined;
  /** Tasks that must end before this one starts, by the name under which the handler sees their output. */
  readonly dependencies?: Deps | undefined;
  /** Who does it: the name of an agent, whose concurrency and rate limits apply. */
  readonly agentAssigned?: string | undefined;
  /** Plain data for the handler, copied here and now. */
  readonly inputData?: unknown;
  /** Higher starts earlier: a number from -1e9 to 1e9. Default 0. */
  readonly priority?: number | undefined;
  /** How long it is thought to take; used by the policy `critical-path`. */
  readonly estimatedDuration?: Duration | undefined;
  /** Amounts of resources, all taken at once before it starts. */
  readonly resourceRequirements?: Readonly<Record<string, number>> | undefined;
  /** Locks, all taken at once, together with the resources. */
  readonly locks?: readonly LockRequest[] | undefined;
  /** The code, as a function. Give this or `handler`. */
  readonly run?:
    | ((context: HandlerContext<In, DependencyOutputs<Deps>>) => Out | PromiseLike<Out>)
    | undefined;
  /** The code, as an export of `workerHandlers(…)` or by the name under which it is registered. Give this or `run`. */
  readonly handler?:
    | string
    | RegisteredRef
    | WorkerHandler<In, NoInfer<DependencyOutputs<Deps>>, Out>
    | undefined;
  /**
   * Where the code is executed: `inline` is the host's own thread. Default: there for functions, and where its module
   * says for an export of `workerHandlers(…)`. A function can only be executed inline.
   */
  readonly runOn?: RunOn | undefined;
  /**
   * Moves the outputs of the dependencies to the worker instead of copying them: bytes cost no copy, and are gone
   * here. Only where nobody else needs them: one attempt, no other dependents, not among the outputs of the run, a
   * store that keeps no values in memory. Default `false`.
   */
  readonly transfer?: boolean | undefined;
  /** Whether and when to try again after a failure. Default: one attempt. */
  readonly retry?: RetryOptions | undefined;
  /** The time limit of one attempt, from its start. Default: none. */
  readonly timeout?: Duration | undefined;
  /** The time limit of all attempts together, with the waits between, from the first start. Default: none. */
  readonly totalTimeout?: Duration | undefined;
  /** The longest time between two calls of `heartbeat()`. Default: none. */
  readonly heartbeatTimeout?: Duration | undefined;
  /**
   * How often it is started again after the process ended while it was in progress: 0 to 1,000. Once more fails it with
   * `TASK_DEAD_LETTER`, whatever `retry` says. Default: that of `open`.
   */
  readonly maxRestarts?: number | undefined;
  /** Asked once, when all dependencies have ended; `false` skips the task, and dependents see `undefined`. */
  readonly when?: ((context: ConditionContext<In, DependencyOutputs<Deps>>) => Answer) | undefined;
  /** Labels for people and dashboards: at most 64. */
  readonly tags?: readonly string[] | undefined;
  /** Plain data for people and tools, at most 64 KiB. */
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
}

/** The names of all options of a task. */
export const TASK_KEYS: ReadonlySet<string> = new Set([
  'description',
  'dependencies',
  'agentAssigned',
  'inputData',
  'priority',
  'estimatedDuration',
  'resourceRequirements',
  'locks',
  'run',
  'handler',
  'runOn',
  'transfer',
  'retry',
  'timeout',
  'totalTimeout',
  'heartbeatTimeout',
  'maxRestarts',
  'when',
  'tags',
  'metadata',
]);

/** Options of a task with their types forgotten. */
export type AnyTaskOptions = TaskOptions<never, unknown, DependencyInput>;
