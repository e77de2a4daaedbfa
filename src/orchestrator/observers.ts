import { ErrorHandler } from '../managers/monitoring/error-handler.ts';
import type { Recovery } from '../managers/monitoring/error-record.ts';
import type { MonitoringOptions } from '../managers/monitoring/monitoring-options.ts';
import { MonitoringService } from '../managers/monitoring/monitoring-service.ts';
import type { TaskPath } from '../model/path.ts';
import type { Composition } from './compose.ts';
import type { CheckedOptions } from './options.ts';
import { failRun, failTask } from './report-outcome.ts';
import { usageReadings } from './usage-readings.ts';

type ObserverOptions = Pick<CheckedOptions, 'monitoring' | 'errorRecords' | 'keepsErrors'>;

/**
 * The monitoring service and the error handler of one orchestrator: each is made, and begins to hear events, when the
 * options say so, or else when it is first asked for, so that an orchestrator that nobody watches tells nobody.
 */
export class Observers {
  readonly #parts: Composition;
  #monitoring: MonitoringService | undefined;
  #errors: ErrorHandler | undefined;
  #errorRecords: number | undefined;
  #closed = false;

  constructor(parts: Composition) {
    this.#parts = parts;
  }

  /** Begins to watch from the start, if the options of the orchestrator say so. */
  begin({ monitoring, errorRecords, keepsErrors }: ObserverOptions): void {
    this.#errorRecords = errorRecords;
    if (monitoring !== undefined) this.#monitoring = this.#watch(monitoring);
    if (keepsErrors) this.#errors = this.#remember();
  }

  get monitoring(): MonitoringService {
    this.#monitoring ??= this.#watch({});
    return this.#monitoring;
  }

  get errors(): ErrorHandler {
    this.#errors ??= this.#remember();
    return this.#errors;
  }

  /** Reports a failure from outside. */
  handleTaskError(runId: string, path: TaskPath, error: unknown): Promise<Recovery> {
    return this.errors.handleTaskError(runId, path, error);
  }

  close(): void {
    this.#closed = true;
    this.#monitoring?.close();
  }

  #remember(): ErrorHandler {
    const parts = this.#parts;
    const handler = new ErrorHandler({
      clock: parts.clock,
      logger: parts.logger,
      records: this.#errorRecords,
      actions: {
        failTask: (runId, path, error) => failTask(parts, runId, path, error),
        failRun: (runId, error) => failRun(parts, runId, error),
        workflowOf: (runId) => parts.directory.find(runId)?.plan.workflowId,
      },
    });
    parts.hub.watch(handler);
    return handler;
  }

  #watch(options: MonitoringOptions): MonitoringService {
    const { clock, timers, hub } = this.#parts;
    const service = new MonitoringService({
      ...options,
      clock: {
        now: () => clock.now(),
        setTimer: (delayMs, callback) => {
          const timer = timers.set(delayMs, callback);
          return () => timers.stop(timer);
        },
      },
      sources: usageReadings(this.#parts),
    });
    if (this.#closed) service.close();
    hub.watch(service);
    return service;
  }
}
