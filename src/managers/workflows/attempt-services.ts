/**
 * What handlers can ask of the orchestrator while they run: their signal, signs of life, progress, log lines,
 * the time.
 *
 * Owns: nothing. Who may call it: the contexts of attempts.
 *
 * AS1  Every wait ends early, with its reason, when the attempt is told to stop.
 * AS2  What a handler says after its attempt is over changes nothing.
 */
import type { RunCommand } from '../../machine/commands.ts';
import { OrchestratorError } from '../../model/errors.ts';
import type { HandlerLog } from '../../model/handler.ts';
import type { TraceCarrier } from '../../model/trace.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Logger } from '../../ports/logger.ts';
import type { NestedLocks } from '../concurrency/nested-locks.ts';
import { type Ticket, watchOf } from '../scheduling/ticket.ts';
import type { Timers } from '../scheduling/timers.ts';
import type { Attempt, AttemptServices } from './attempt.ts';
import type { LiveRun } from './live-run.ts';
import { takeIn } from './taken-values.ts';

/** How many progress events one attempt may record; each is an event in the log for ever. */
export const PROGRESS_EVENTS_MAX = 10_000;

/** What the services are made of. */
export interface ServiceParts {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  readonly submit: (run: LiveRun, command: RunCommand) => void;
  readonly heartbeat: (attempt: Attempt) => void;
  readonly giveUp: (attempt: Attempt, thrown: OrchestratorError) => void;
  readonly locks: NestedLocks;
  readonly traceOf: (attempt: Attempt) => TraceCarrier;
}

/** Builds the services; one set serves all attempts of an orchestrator. */
export function attemptServices(parts: ServiceParts): AttemptServices {
  const { clock, timers } = parts;
  return {
    signalOf,
    heartbeat: parts.heartbeat,
    giveUp: parts.giveUp,
    progress: (attempt, value) => recordProgress(parts, attempt, value),
    logOf: (attempt) => logOf(parts.logger, attempt),
    now: () => clock.now(),
    real: (promise) => real(clock, promise),
    sleep: (durationMs, signal) => sleep(timers, durationMs, signal),
    locks: parts.locks,
    traceOf: parts.traceOf,
  };
}

/** The signal of an attempt, made when it is first asked for. */
function signalOf(ticket: Ticket): AbortSignal {
  const watch = watchOf(ticket);
  if (watch.controller === undefined) {
    watch.controller = new AbortController();
    if (watch.stop !== undefined) watch.controller.abort(watch.stop.thrown);
  }
  return watch.controller.signal;
}

function recordProgress(parts: ServiceParts, attempt: Attempt, value: unknown): void {
  const name = `task ${JSON.stringify(attempt.path)}`;
  if (attempt.progressed >= PROGRESS_EVENTS_MAX) {
    throw new OrchestratorError(
      'LIMIT_EXCEEDED',
      `${name}: found more than ${PROGRESS_EVENTS_MAX} calls of progress() in one attempt; allowed: ${PROGRESS_EVENTS_MAX}. Report less often.`,
    );
  }
  const progress = takeIn(value, `progress of ${name} `, 'plain data');
  if (attempt.reported || attempt.ticket.phase !== 'running') return;
  attempt.progressed++;
  parts.heartbeat(attempt);
  parts.submit(attempt.liveRun, {
    type: 'RecordProgress',
    at: 0,
    path: attempt.path,
    attempt: attempt.attempt,
    progress,
  });
}

function logOf(logger: Logger, attempt: Attempt): HandlerLog {
  const about = { runId: attempt.runId, path: attempt.path, attempt: attempt.attempt };
  const line =
    (level: keyof Logger) =>
    (message: string, fields?: Readonly<Record<string, unknown>>): void =>
      logger[level]({ ...fields, ...about }, message);
  return { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') };
}

/** Waits on the orchestrator's clock. */
function sleep(timers: Timers, durationMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason);
      return;
    }
    const stop = (): void => {
      timers.stop(timer);
      reject(signal.reason);
    };
    const timer = timers.set(durationMs, () => {
      signal.removeEventListener('abort', stop);
      resolve();
    });
    signal.addEventListener('abort', stop, { once: true });
  });
}

/** Holds the clock while something real is under way. */
async function real<Value>(clock: Clock, promise: PromiseLike<Value>): Promise<Value> {
  const letGo = clock.hold();
  try {
    return await promise;
  } finally {
    letGo();
  }
}
