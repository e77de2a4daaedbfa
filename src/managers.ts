// The managers, for whoever uses one alone; an orchestrator has its own as `orchestrator.workflows`, `.scheduler` …

export { ConcurrencyController } from './managers/concurrency/concurrency-controller.ts';
// What it tells
export type { Alert, AlertChange, AlertRule, AlertSeverity } from './managers/monitoring/alerts.ts';
export type {
  Dashboard,
  DashboardAgent,
  DashboardRun,
  RecentFailure,
} from './managers/monitoring/dashboard.ts';
export {
  type ErrorActions,
  ErrorHandler,
  type ErrorHandlerParts,
} from './managers/monitoring/error-handler.ts';
export type { ErrorAbout, ErrorFilter, ErrorRecord, Recovery } from './managers/monitoring/error-record.ts';
export { HISTOGRAM_ERROR_MAX, type HistogramSummary } from './managers/monitoring/histogram.ts';
export { OTHER_LABEL } from './managers/monitoring/labelled.ts';
export type { HostEvent, LoggedEvent } from './managers/monitoring/logged-event.ts';
export type {
  MetricCounters,
  MetricDurations,
  MetricRates,
  SlowAttempt,
} from './managers/monitoring/metrics.ts';
export type { MonitoringOptions } from './managers/monitoring/monitoring-options.ts';
export {
  type AlertListener,
  type LoggedEventFilter,
  type MonitoringClock,
  type MonitoringParts,
  MonitoringService,
} from './managers/monitoring/monitoring-service.ts';
export type {
  AgentReading,
  LockReading,
  LoggedTaskStatus,
  MonitoringSources,
  ResourceReading,
  RunReading,
  TaskCounts,
} from './managers/monitoring/readings.ts';
export type { MetricGauges, MetricsSnapshot } from './managers/monitoring/snapshot.ts';
export type { PersistenceContext } from './managers/persistence/persistence-context.ts';
export { PersistenceManager } from './managers/persistence/persistence-manager.ts';
export { ResourceManager } from './managers/resources/resource-manager.ts';
export type { ResourceManagerOptions } from './managers/resources/stand-alone.ts';
export type { TaskSchedulerOptions } from './managers/scheduling/scheduler-parts.ts';
export { TaskScheduler } from './managers/scheduling/task-scheduler.ts';
export { WorkflowManager } from './managers/workflows/workflow-manager.ts';
export type { WorkflowManagerParts } from './managers/workflows/workflow-manager-parts.ts';
export type { CompiledPlan } from './model/plan.ts';
