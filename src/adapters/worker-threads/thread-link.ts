/**
 * Worker threads by tinypool: it starts, limits and ends them; what is said goes over a port of our own. Only for a host in
 * a bundle, where tinypool finds no file for them, threads are started without it.
 *
 * Owns: the threads of one module of handlers. Who may call it: the module pool.
 *
 * TL1  A session is one long task of tinypool, alone in a thread that no session had before: what handlers have left there,
 *      such as timers and modules, is gone with it.
 * TL2  A thread that ends in whatever way ends its session: tinypool alone would wait for ever for one that exited.
 * TL3  The end is told when no code runs in the thread any more, and after all that it has posted.
 */
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { Tinypool } from 'tinypool';
import type { WorkerSettings } from '../../model/worker-handlers.ts';
import { isBundled, workerEntry } from './entry-url.ts';
import { threadArguments } from './host-arguments.ts';
import type { Link, LinkEnd, LinkFactory } from './link.ts';
import { OwnThreads, type SessionThreads } from './own-threads.ts';
import type { SessionGiven, SessionStart, ToHost, ToThread } from './protocol.ts';

/** A thread, as far as tinypool shows it. */
interface Thread {
  on(event: 'exit', listener: (code: number) => void): unknown;
  emit(event: 'error', error: unknown): unknown;
}

export class ThreadLinks implements LinkFactory {
  readonly sharesMemory = true;
  readonly #threads: SessionThreads;
  readonly #links = new Set<ThreadLink>();

  /** @throws OrchestratorError `HANDLER_LOAD_FAILED` when there is no file for threads to run */
  constructor(settings: WorkerSettings) {
    const entry = workerEntry(settings.entry, 'worker');
    const { memoryMb, env, execArgv, threads } = settings;
    const given = execArgv ?? threadArguments();
    const options = {
      ...(memoryMb === undefined ? undefined : { resourceLimits: { maxOldGenerationSizeMb: memoryMb } }),
      ...(env === undefined ? undefined : { env: { ...process.env, ...env } as Record<string, string> }),
      ...(given === undefined ? undefined : { execArgv: [...given] }),
    };
    this.#threads =
      settings.entry !== undefined || isBundled()
        ? new OwnThreads(entry, options)
        : new PooledThreads(entry, threads, options);
  }

  start(start: SessionStart): Link {
    const { port1, port2 } = new MessageChannel();
    const stop = new AbortController();
    const session = this.#threads.run({ port: port2, start }, stop.signal);
    const link = new ThreadLink(port1, stop, session, () => this.#links.delete(link));
    // A port that no thread has taken closes here, and the host's with it; one that was handed over is empty here.
    session.then(
      () => {},
      () => port2.close(),
    );
    this.#links.add(link);
    return link;
  }

  async close(): Promise<void> {
    const ended = [...this.#links].map((link) => link.over);
    for (const link of [...this.#links]) link.kill();
    await this.#threads.close();
    // What ends a thread may say so before its last word has come.
    await Promise.all(ended);
  }
}

class PooledThreads implements SessionThreads {
  readonly #entry: string;
  readonly #pool: Tinypool;
  readonly #watched = new WeakSet<object>();

  constructor(entry: string, threads: number, options: object) {
    this.#entry = entry;
    this.#pool = new Tinypool({
      ...options,
      minThreads: 0,
      maxThreads: threads,
      concurrentTasksPerWorker: 1,
      // With atomics an idle thread's event loop would stand still: no timers, no sockets kept alive.
      useAtomics: false,
      // A session lives as long as it is of use; the thread has no other. By a timeout alone it would be given the next
      // session when that begins at once.
      isolateWorkers: true,
      idleTimeout: 0,
    });
    // A thread that fails between two sessions concerns nobody.
    this.#pool.on('error', () => {});
  }

  run(given: SessionGiven, signal: AbortSignal): Promise<unknown> {
    const session: Promise<unknown> = this.#pool.run(given, {
      filename: this.#entry,
      transferList: [given.port],
      signal,
    });
    this.#watchThreads();
    return session;
  }

  close(): Promise<void> {
    return this.#pool.destroy();
  }

  #watchThreads(): void {
    for (const thread of this.#pool.threads as unknown as readonly Thread[]) {
      if (this.#watched.has(thread)) continue;
      this.#watched.add(thread);
      thread.on('exit', (code) => {
        // Still listed: nobody has ended it, so tinypool does not know.
        if ((this.#pool.threads as unknown as readonly Thread[]).includes(thread))
          thread.emit('error', new Error(`the thread ended by itself with exit code ${code}`));
      });
    }
  }
}

/** How long the port of a thread that has ended may stay open, in milliseconds: one that never began closes nothing. */
const CLOSE_MS_MAX = 2_000;

class ThreadLink implements Link {
  /** Its end was told. */
  readonly over: Promise<void>;
  #tellOver: () => void = () => {};
  readonly #port: MessagePort;
  readonly #stop: AbortController;
  readonly #forget: () => void;
  #listener: (batch: readonly ToHost[]) => void = () => {};
  #onEnd: (end: LinkEnd) => void = () => {};
  #isKilled = false;
  #isClosed = false;
  #isOver = false;
  #end: LinkEnd | undefined;

  constructor(port: MessagePort, stop: AbortController, session: Promise<unknown>, forget: () => void) {
    this.#port = port;
    this.#stop = stop;
    this.#forget = forget;
    this.over = new Promise((resolve) => {
      this.#tellOver = resolve;
    });
    port.on('message', (batch: readonly ToHost[]) => this.#listener(batch));
    // The other side is closed when no code runs in the thread any more: later than tinypool says.
    port.on('close', () => {
      this.#isClosed = true;
      this.#endWhenOver();
    });
    const settled = (end: LinkEnd): void => {
      this.#end = end;
      setTimeout(() => port.close(), CLOSE_MS_MAX).unref();
      this.#endWhenOver();
    };
    session.then(
      () => settled({ kind: 'ended' }),
      (cause: unknown) => settled(this.#isKilled ? { kind: 'killed' } : endOf(cause)),
    );
  }

  post(batch: readonly ToThread[], transfer: readonly ArrayBuffer[]): void {
    this.#port.postMessage(batch, transfer);
  }

  onBatch(listener: (batch: readonly ToHost[]) => void): void {
    this.#listener = listener;
  }

  onEnd(listener: (end: LinkEnd) => void): void {
    this.#onEnd = listener;
  }

  kill(): void {
    this.#isKilled = true;
    this.#stop.abort();
  }

  #endWhenOver(): void {
    if (!this.#isClosed || this.#end === undefined || this.#isOver) return;
    this.#isOver = true;
    this.#forget();
    this.#onEnd(this.#end);
    this.#tellOver();
  }
}

function endOf(cause: unknown): LinkEnd {
  const code = (cause as { readonly code?: unknown } | null | undefined)?.code;
  return code === 'ERR_WORKER_OUT_OF_MEMORY' ? { kind: 'memory', cause } : { kind: 'crashed', cause };
}
