import { ErrorHandler } from '../managers/monitoring/error-handler.ts';
import type { Recovery } from '../managers/monitoring/error-record.ts';
import type { MonitoringOptions } from '../managers/monitoring/monitoring-options.ts';
import { MonitoringService } from '../managers/monitoring/monitoring-service.ts';
import type { TaskPath } from '../model/path.ts';
import type { Composition } from './compose.ts';
import { failRun, failTask } from './report-outcome.ts';
import { usageReadings } from './usage-readings.ts';

/**
 * The monitoring service and the error handler of one orchestrator: each is made, and begins to hear events, when it is
 * first asked for, so that an orchestrator that nobody watches tells nobody.
 */
export class Observers {
  readonly #parts: Composition;
  #monitoring: MonitoringService | undefined;
  #errors: ErrorHandler | undefined;
  #closed = false;

  constructor(parts: Composition) {
    this.#parts = parts;
  }

  /** Begins to watch from the start, if the options of the orchestrator say so. */
  begin(options: MonitoringOptions | undefined): void {
    if (options !== undefined) this.#monitoring = this.#watch(options);
  }

  get monitoring(): MonitoringService {
    this.#monitoring ??= this.#watch({});
    return this.#monitoring;
  }

  get errors(): ErrorHandler {
    if (this.#errors === undefined) {
      const parts = this.#parts;
      this.#errors = new ErrorHandler({
        clock: parts.clock,
        logger: parts.logger,
        actions: {
          failTask: (runId, path, error) => failTask(parts, runId, path, error),
          failRun: (runId, error) => failRun(parts, runId, error),
          workflowOf: (runId) => parts.directory.find(runId)?.plan.workflowId,
        },
      });
      parts.hub.watch(this.#errors);
    }
    return this.#errors;
  }

  /** Reports a failure from outside; with nobody who remembers errors, nothing is remembered. */
  handleTaskError(runId: string, path: TaskPath, error: unknown): Promise<Recovery> {
    return this.#errors === undefined
      ? failTask(this.#parts, runId, path, error)
      : this.#errors.handleTaskError(runId, path, error);
  }

  close(): void {
    this.#closed = true;
    this.#monitoring?.close();
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
