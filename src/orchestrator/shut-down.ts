import { OrchestratorError } from '../model/errors.ts';
import type { Composition } from './compose.ts';

/** How long handlers that were told to stop at the end may take. */
const ABORT_GRACE_MS = 1_000;

/** Ends everything that an orchestrator owns. Never rejects because of a handler. */
export async function shutDown(parts: Composition, graceMs: number): Promise<void> {
  const { scheduler, attempts, loop, directory, timers, executor, persistence, hub } = parts;
  scheduler.pause();
  await untilQuiet(parts, graceMs);
  // What ends from here on was cut off by the end of the process; it is not recorded as failed.
  attempts.close();
  const error = new OrchestratorError('ORCHESTRATOR_CLOSED', 'the orchestrator was closed');
  let told = false;
  for (const run of directory.unfinished()) {
    for (const ticket of run.tickets()) {
      if (ticket.phase !== 'running' || ticket.controller === undefined) continue;
      ticket.controller.abort(error);
      told = true;
    }
  }
  if (told)
    await new Promise<void>((resolve) => parts.clock.setTimer(Math.min(ABORT_GRACE_MS, graceMs), resolve));
  timers.clear();
  for (const run of directory.unfinished()) {
    run.lost ??= error;
    run.settle();
  }
  if (!loop.isQuiet) loop.wake();
  hub.clear();
  await executor.close();
  await persistence.close();
}

/** Waits until no body runs and nothing waits to become durable, or the time is over. */
async function untilQuiet({ attempts, loop, clock, hub }: Composition, graceMs: number): Promise<void> {
  const isQuiet = (): boolean => attempts.running === 0 && loop.isQuiet;
  if (isQuiet() || graceMs === 0) return;
  await new Promise<void>((resolve) => {
    const watcher = { observe: () => queueMicrotask(look) };
    const stop = clock.setTimer(graceMs, () => finish());
    const finish = (): void => {
      stop();
      hub.unwatch(watcher);
      resolve();
    };
    const look = (): void => {
      if (isQuiet()) finish();
    };
    hub.watch(watcher);
  });
}
