// Defining

// Ports and their default adapters
export { MemoryStore } from './adapters/memory/memory-store.ts';
export { SystemClock } from './adapters/system/system-clock.ts';
export { toRecord } from './base/event-record.ts';
export { Reference } from './base/reference.ts';
export { isAskedFor } from './base/stream-filter.ts';
export type {
  CancelCause,
  ConditionEvaluated,
  RunAttributes,
  RunCancelled,
  RunCancelRequested,
  RunCompleted,
  RunCreated,
  RunEvent,
  RunEventType,
  RunFailed,
  RunMoved,
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
  TaskRestarted,
  TaskRetryScheduled,
  TaskSkipped,
  TaskStarted,
  TaskStopRequested,
} from './machine/events.ts';
export type {
  ConcurrencyController,
  ExecuteOptions,
  Held,
  HeldWork,
  LockGrant,
  LockHolding,
  LockOptions,
} from './managers/concurrency/concurrency-controller.ts';
export type {
  Deadlock,
  DeadlockMember,
  LockInMode,
  ResolvedDeadlock,
} from './managers/concurrency/deadlocks.ts';
export type { LaneOptions, LaneState } from './managers/concurrency/lanes.ts';
export type { LockHolder, LockState, LockWaiter } from './managers/concurrency/lock-view.ts';
export type { ConcurrencyControllerOptions } from './managers/concurrency/stand-alone.ts';
// What happened
export type { Alert, AlertChange, AlertRule } from './managers/monitoring/alerts.ts';
export type { Dashboard } from './managers/monitoring/dashboard.ts';
export type { ErrorHandler } from './managers/monitoring/error-handler.ts';
export type { ErrorRecord, Recovery } from './managers/monitoring/error-record.ts';
export type { EventMap, Listener, ListenerFailed } from './managers/monitoring/event-hub.ts';
export type { MonitoringOptions } from './managers/monitoring/monitoring-options.ts';
export type { MonitoringService } from './managers/monitoring/monitoring-service.ts';
export type { MetricsSnapshot } from './managers/monitoring/snapshot.ts';
export type { Checkpoint } from './managers/persistence/checkpoints.ts';
export type { PersistenceContext } from './managers/persistence/persistence-context.ts';
export type { PersistenceManager } from './managers/persistence/persistence-manager.ts';
export type {
  CheckpointOptions,
  ForkedRun,
  LoadOptions,
  RestoreOptions,
} from './managers/persistence/run-states.ts';
export type { SavedRun, SavedTask } from './managers/persistence/saved-run.ts';
export type { AllocationPlan, OptimizeOptions, PlannedTask } from './managers/resources/allocation-plan.ts';
export type { Grant } from './managers/resources/claims.ts';
export type { HolderRef } from './managers/resources/holders.ts';
export type { ResourceManager, WaitOptions } from './managers/resources/resource-manager.ts';
export type { ResourceReport, ResourceSample, ResourceUsage } from './managers/resources/resource-usage.ts';
export type { RowKind } from './managers/resources/row.ts';
export type { ResourceManagerOptions } from './managers/resources/stand-alone.ts';
export type { DrainOptions } from './managers/scheduling/drain.ts';
export type { HeldBy, Lacked, Wait } from './managers/scheduling/explain.ts';
export type { PausedBy, PauseTarget } from './managers/scheduling/holds.ts';
export type { ClearOptions } from './managers/scheduling/host-side.ts';
export type { StartContext, StartTask } from './managers/scheduling/host-task.ts';
export type { TaskRequest } from './managers/scheduling/host-tasks.ts';
export type { ReadyTask, ReadyTaskComparator, SchedulingPolicy } from './managers/scheduling/policy.ts';
export type { QueuedTask } from './managers/scheduling/queue-view.ts';
export type { ScheduledTask } from './managers/scheduling/scheduled-task.ts';
export type { TaskSchedulerOptions } from './managers/scheduling/scheduler-parts.ts';
export type {
  DependencyReport,
  DependencyState,
  TaskRecord,
  TaskRef,
} from './managers/scheduling/task-record.ts';
export type { TaskScheduler } from './managers/scheduling/task-scheduler.ts';
export type { MovedRuns, MoveOptions, RolledBack, RunMove } from './managers/workflows/run-move.ts';
export type { RegisteredWorkflow } from './managers/workflows/version-list.ts';
export type {
  WorkflowChange,
  WorkflowManager,
  WorkflowValidation,
} from './managers/workflows/workflow-manager.ts';
export type { WorkflowManagerParts } from './managers/workflows/workflow-manager-parts.ts';
export type { Duration } from './model/checks.ts';
export { defineWorkflow, type NoDependencies, type TaskOf, task, taskFor } from './model/define.ts';
export {
  type DependencyData,
  type DependencyInput,
  type DependencyItem,
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
  CriticalPath,
  DrawOptions,
  GraphData,
  GraphEdge,
  GraphNode,
  TaskChangeKind,
} from './model/graph/graph-data.ts';
export type { WorkflowGraph } from './model/graph/workflow-graph.ts';
export type {
  AnyHandler,
  Handler,
  HandlerClock,
  HandlerContext,
  HandlerLog,
  HandlerRef,
  HeldLocks,
  LockWaitOptions,
  NestedLock,
  RegisteredRef,
  SettledOutcome,
} from './model/handler.ts';
export type { LockMode, LockNeed, LockRequest, ResourceNeed } from './model/needs.ts';
export type { PathStep, TaskPath } from './model/path.ts';
export { formatPath, parsePath } from './model/path.ts';
export type { FailedAttempt, RetryOptions, RetryPolicy } from './model/retry-policy.ts';
export type { RunStatus, TaskStatus, WaitReason } from './model/status.ts';
export { type AnyTask, Task } from './model/task.ts';
export type { Condition, ConditionContext, TaskOptions } from './model/task-options.ts';
export type { TaskPolicies } from './model/task-policies.ts';
export type { TraceCarrier, TracedAttempt, TraceSource } from './model/trace.ts';
export type { Finding } from './model/validate.ts';
export type {
  AroundHandlers,
  HandlerOutput,
  RunOn,
  WorkerHandler,
  WorkerHandlerLimits,
  WorkerHandlers,
  WorkerModule,
  WorkerRef,
  WorkerSettings,
} from './model/worker-handlers.ts';
export {
  type AnyWorkflow,
  type DefinitionStatus,
  type GraphOptions,
  type OpenWorkflow,
  Workflow,
} from './model/workflow.ts';
export type {
  FailurePolicy,
  OutputsOf,
  SchemaInput,
  SchemaOutput,
  TaskData,
  WorkflowData,
  WorkflowOptions,
} from './model/workflow-data.ts';
export type {
  DependencyChanges,
  DependencyView,
  FieldChange,
  TaskChange,
  VersionDiff,
  WorkflowDiff,
} from './model/workflow-diff.ts';
export type { ExplainedTask, Explanation, StartStep, UnmetDependency } from './orchestrator/explanation.ts';
export type { AgentOptions, ResourceOptions } from './orchestrator/limit-options.ts';
export type { ListRunsOptions, RunInfo } from './orchestrator/list-runs.ts';
export type { OrchestratorOptions } from './orchestrator/options.ts';
// Running
export { Orchestrator } from './orchestrator/orchestrator.ts';
export type { ForkOptions, PersistedState, PersistOptions } from './orchestrator/persist-state.ts';
export type { PruneOptions, RetentionOptions } from './orchestrator/prune-options.ts';
export type { PrunedRuns } from './orchestrator/prune-runs.ts';
export type { LeftRun, LostRun, RecoveredState } from './orchestrator/recover-runs.ts';
export type { RerunOptions } from './orchestrator/rerun-run.ts';
export type { EventsOptions } from './orchestrator/run-events.ts';
export type { Run } from './orchestrator/run-handle.ts';
export type { FailedTask, RunResult, SettledRun } from './orchestrator/run-outcome.ts';
export type { CloseOptions } from './orchestrator/shut-down.ts';
export type { StartArguments, StartOptions, StartSettings } from './orchestrator/start-run.ts';
export type { TaskMonitor } from './orchestrator/task-monitor.ts';
export type { TaskView } from './orchestrator/task-view.ts';
export {
  type WorkerHandlerOptions,
  type WorkerHandlersOptions,
  workerHandlers,
} from './orchestrator/worker-handlers.ts';
export type { CancelTimer, Clock } from './ports/clock.ts';
export type {
  BlobRecord,
  CheckpointInfo,
  CheckpointRecord,
  Durability,
  EventRecord,
  EventStore,
  ListRequest,
  LoggedEvent,
  MaybePromise,
  ReadRequest,
  SchemaVersions,
  StoreCapabilities,
  StreamAppend,
  StreamFacts,
  StreamInfo,
} from './ports/event-store.ts';
export type { Executor, ExecutorCapabilities, Invocation, Outcome, ReportOutcome } from './ports/executor.ts';
export type { IdSource } from './ports/id-source.ts';
export type { Logger } from './ports/logger.ts';
export type { Monitor } from './ports/monitor.ts';
export type { Random } from './ports/random.ts';
