/**
 * What a handler may not do to the thread, or process, that it shares with others.
 *
 * Owns: what was replaced of `process` and of the thread's port. Who may call it: the entries, once each.
 *
 * GP1  Ending the process ends the attempt only; an error that nobody catches still ends the thread, which says so.
 * GP2  Whoever owns the thread hears nothing from handlers: it takes anything that it does not know for a crash, or
 *      crashes itself.
 */
import { parentPort } from 'node:worker_threads';
import { OrchestratorError } from '../../../model/errors.ts';

let isGuarded = false;

let sayDying: (error: unknown) => void = () => {};

/** Guards this thread, or this process; who has called last is told of the error that ends it. */
export function guardProcess(onDying: (error: unknown) => void): void {
  sayDying = onDying;
  if (isGuarded) return;
  isGuarded = true;
  const exit = process.exit;
  forbidExit();
  keepListener('uncaughtExceptionMonitor', (error) => {
    // Code that listens to such errors goes on living.
    if (process.listenerCount('uncaughtException') > 0 || process.hasUncaughtExceptionCaptureCallback())
      return;
    // It ends the thread by the same function, and has to.
    process.exit = exit;
    sayDying(error);
  });
  if (parentPort !== null) forbidPosts(parentPort);
}

/** Ending the process is not for a handler: the thread, and in it the calls that wait, would go with it. */
function forbidExit(): void {
  process.exit = ((code?: number | string | null): never => {
    throw new OrchestratorError(
      'WORKER_CRASHED',
      `a handler called process.exit(${code === undefined ? '' : String(code)}); only its attempt has ended. Throw an error, or return.`,
      { details: { exitCode: code ?? 0 } },
    );
  }) as typeof process.exit;
}

/** Without its listener a thread could not say what it dies of. */
function keepListener(event: 'uncaughtExceptionMonitor', heard: (error: unknown) => void): void {
  process.on(event, heard);
  // Node's own stay too.
  const mine = new Map<string | symbol, readonly unknown[]>(
    process.eventNames().map((event) => [event, process.rawListeners(event as 'exit')]),
  );
  process.removeAllListeners = ((event?: string | symbol) => {
    for (const one of event === undefined ? process.eventNames() : [event])
      for (const listener of process.rawListeners(one as 'exit'))
        if (!mine.get(one)?.includes(listener)) process.removeListener(one, listener as () => void);
    return process;
  }) as typeof process.removeAllListeners;
}

/** The port by which a thread was started is no way to the host. */
function forbidPosts(port: NonNullable<typeof parentPort>): void {
  port.postMessage = () => {
    throw new OrchestratorError(
      'WORKER_CRASHED',
      'a handler called parentPort.postMessage(); only its attempt has ended. Nobody listens there: return a value, or call progress().',
    );
  };
  port.close = () => {};
}
