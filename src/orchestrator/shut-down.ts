import { watchOf } from '../managers/scheduling/ticket.ts';
import { checkDuration, checkKeys, checkRecord, type Duration, reading } from '../model/checks.ts';
import { OrchestratorError } from '../model/errors.ts';
import type { Composition } from './compose.ts';

/** How long handlers that were told to stop at the end may take. */
const ABORT_GRACE_MS = 1_000;

/** How an orchestrator is closed. */
export interface CloseOptions {
  /** How long running handlers may take to end by themselves, before they are told to stop. Default 10 s. */
  readonly grace?: Duration;
}

/** @throws OrchestratorError `OPTION_INVALID`, `OPTION_UNKNOWN` */
export function checkGrace(given: unknown): number {
  return reading('close', 'an object of options', () => {
    const options = checkRecord(given, 'close', 'an object of options');
    checkKeys(options, new Set(['grace']), 'close');
    return options.grace === undefined ? 10_000 : checkDuration(options.grace, 'close/grace');
  });
}

/** Ends everything that an orchestrator owns. Never rejects because of a handler. */
export async function shutDown(parts: Composition, graceMs: number): Promise<void> {
  const {
    scheduler,
    claims,
    attempts,
    loop,
    reloader,
    directory,
    timers,
    outputs,
    executor,
    workers,
    persistence,
    hub,
  } = parts;
  const error = new OrchestratorError('ORCHESTRATOR_CLOSED', 'the orchestrator was closed');
  directory.isClosing = true;
  attempts.beginClose();
  scheduler.close(error);
  claims.close(error);
  parts.concurrency.close(error);
  await untilQuiet(parts, graceMs);
  // What ends from here on was cut off by the end of the process; it is not recorded as failed.
  attempts.close();
  let told = false;
  for (const run of directory.unfinished()) {
    for (const ticket of run.tickets()) {
      if (ticket.phase !== 'running') continue;
      // A handler that has not asked for its signal yet finds it aborted when it does.
      const watch = watchOf(ticket);
      watch.controller ??= new AbortController();
      watch.controller.abort(error);
      told = true;
    }
  }
  if (told && graceMs > 0) {
    await new Promise<void>((resolve) => {
      timers.set(Math.min(ABORT_GRACE_MS, graceMs), resolve);
      attempts.whenIdle(resolve);
    });
  }
  outputs.close();
  timers.clear();
  for (const run of directory.unfinished()) {
    run.lost ??= error;
    reloader.abandon(run, run.lost);
    run.settle();
  }
  // Whoever still waits for an answer of the store is told; an answer that comes later changes nothing.
  loop.abandon(error);
  loop.wake();
  hub.clear();
  try {
    await executor.close();
    // Beside an executor of the host they may have been asked for the names of a module.
    await workers.close();
  } finally {
    // Whatever an executor does, the store is given back.
    await persistence.close();
  }
}

/** Waits until no body runs, nothing waits to become durable and no checkpoint is being kept, or the time is over. */
async function untilQuiet(
  { attempts, loop, reloader, checkpoints, persistence, timers }: Composition,
  graceMs: number,
): Promise<void> {
  const isQuiet = (): boolean =>
    attempts.running === 0 &&
    loop.isQuiet &&
    reloader.isQuiet &&
    checkpoints?.isQuiet !== false &&
    !persistence.gate.isRemoving;
  if (isQuiet() || graceMs === 0) return;
  await new Promise<void>((resolve) => {
    const finish = (): void => {
      timers.stop(timer);
      unwatch();
      resolve();
    };
    const timer = timers.set(graceMs, finish);
    const unwatch = loop.onTurn(() => {
      if (isQuiet()) finish();
    });
  });
}
