// Defining

// Ports and their default adapters
export { MemoryStore } from './adapters/memory/memory-store.ts';
export type {
  CancelCause,
  ConditionEvaluated,
  RunCancelled,
  RunCancelRequested,
  RunCompleted,
  RunCreated,
  RunEvent,
  RunEventType,
  RunFailed,
  RunPaused,
  RunResumed,
  RunStarted,
  ScopeClosed,
  ScopeOpened,
  SkipCause,
  StopCause,
  TaskCancelled,
  TaskCompleted,
  TaskFailed,
  TaskPriorityChanged,
  TaskProgressed,
  TaskRetryScheduled,
  TaskSkipped,
  TaskStarted,
  TaskStopRequested,
} from './machine/events.ts';
export {
  ConcurrencyController,
  type LockGrant,
  type LockOptions,
} from './managers/concurrency/concurrency-controller.ts';
// What happened
export type { EventMap, Listener, ListenerFailed } from './managers/monitoring/event-hub.ts';
export type { Grant } from './managers/resources/claims.ts';
export {
  ResourceManager,
  type ResourceUsage,
  type WaitOptions,
} from './managers/resources/resource-manager.ts';
export type { ReadyTask, ReadyTaskComparator, SchedulingPolicy } from './managers/scheduling/policy.ts';
export type { Duration } from './model/checks.ts';
export { defineWorkflow, type NoDependencies, type TaskOf, task, taskFor } from './model/define.ts';
export {
  type DependencyData,
  type DependencyInput,
  type DependencyOutputs,
  type DependencySpec,
  type DependencyTarget,
  type OutputOf,
  type SettledDependency,
  settled,
} from './model/dependency.ts';
export { ERROR_CODES, type ErrorCode, type ErrorCodeEntry } from './model/error-codes.ts';
// Errors
export { NonRetryableError, OrchestratorError, type OrchestratorErrorOptions } from './model/errors.ts';
export type { TaskFailure } from './model/failure.ts';
export type {
  AnyHandler,
  Handler,
  HandlerClock,
  HandlerContext,
  HandlerLog,
  HandlerRef,
  HeldLocks,
  SettledOutcome,
} from './model/handler.ts';
export type { LockMode, LockNeed, LockRequest, ResourceNeed } from './model/needs.ts';
export type { PathStep, TaskPath } from './model/path.ts';
export { formatPath, parsePath } from './model/path.ts';
export type { FailedAttempt, RetryOptions, RetryPolicy } from './model/retry-policy.ts';
export type { RunStatus, TaskStatus, WaitReason } from './model/status.ts';
export {
  type AnyTask,
  type Condition,
  type ConditionContext,
  Task,
  type TaskOptions,
  type TaskPolicies,
} from './model/task.ts';
export {
  type AnyWorkflow,
  type FailurePolicy,
  type OutputsOf,
  type SchemaInput,
  type SchemaOutput,
  type TaskData,
  Workflow,
  type WorkflowData,
  type WorkflowOptions,
} from './model/workflow.ts';
export type { AgentOptions, OrchestratorOptions, ResourceOptions } from './orchestrator/options.ts';
// Running
export { Orchestrator } from './orchestrator/orchestrator.ts';
export type { EventsOptions } from './orchestrator/run-events.ts';
export { Run } from './orchestrator/run-handle.ts';
export type { FailedTask, RunResult, SettledRun } from './orchestrator/run-outcome.ts';
export type { CloseOptions } from './orchestrator/shut-down.ts';
export type { StartArguments, StartOptions, StartSettings } from './orchestrator/start-run.ts';
export type { TaskView } from './orchestrator/task-view.ts';
export type { CancelTimer, Clock } from './ports/clock.ts';
export type {
  EventRecord,
  EventStore,
  ListRequest,
  MaybePromise,
  ReadRequest,
  StoreCapabilities,
  StreamAppend,
  StreamInfo,
} from './ports/event-store.ts';
export type { Executor, ExecutorCapabilities, Invocation, Outcome, ReportOutcome } from './ports/executor.ts';
export type { IdSource } from './ports/id-source.ts';
export type { Logger } from './ports/logger.ts';
export type { Monitor } from './ports/monitor.ts';
export type { Random } from './ports/random.ts';
