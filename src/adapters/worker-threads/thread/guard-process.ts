/**
 * What a handler may not do to the thread, or process, that it shares with others.
 *
 * Owns: what was replaced of `process` and of the thread's port. Who may call it: the entries, once each.
 *
 * GP1  Ending the process ends the attempt only; an error that nobody catches still ends the thread.
 * GP2  Whoever owns the thread hears nothing from handlers: it takes anything that it does not know for a crash, or
 *      crashes itself.
 */
import { parentPort } from 'node:worker_threads';
import { OrchestratorError } from '../../../model/errors.ts';

let isGuarded = false;

/** Guards this thread, or this process; `listeners` are those that no handler can remove, by event. */
export function guardProcess(listeners: Readonly<Record<string, (value: never) => void>> = {}): void {
  if (isGuarded) return;
  isGuarded = true;
  const exit = process.exit;
  const kept: Readonly<Record<string, (value: never) => void>> = {
    ...listeners,
    // An error that nobody catches ends the thread by the same function, and has to.
    uncaughtExceptionMonitor: () => {
      process.exit = exit;
    },
  };
  forbidExit();
  keepListeners(kept);
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

/** Without its listeners a child process would hear no host, and end. */
function keepListeners(kept: Readonly<Record<string, (value: never) => void>>): void {
  const entries = Object.entries(kept) as [string, () => void][];
  for (const [event, listener] of entries) process.on(event, listener);
  // Node's own stay too: by them it knows whether anybody listens to the channel.
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
