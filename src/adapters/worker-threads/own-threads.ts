/**
 * Worker threads without tinypool, for hosts that bundle this package: tinypool looks for the first file of its threads
 * beside its own, where a bundler has left none.
 *
 * Owns: the threads. Who may call it: the thread links.
 *
 * OT1  A session is alone in its thread, which ends with it.
 * OT2  A thread that ends in whatever way settles its session.
 */
import { Worker, type WorkerOptions } from 'node:worker_threads';
import { OWN_SESSION, type SessionGiven } from './protocol.ts';

/** What executes sessions in threads, one in each. */
export interface SessionThreads {
  /** Resolves when the session has ended as it was told to; rejects with what ended its thread, or when `signal` did. */
  run(given: SessionGiven, signal: AbortSignal): Promise<unknown>;
  /** Resolves when all threads are gone. */
  close(): Promise<void>;
}

export class OwnThreads implements SessionThreads {
  readonly #entry: URL;
  readonly #options: WorkerOptions;
  readonly #threads = new Set<Worker>();

  constructor(entry: string, options: WorkerOptions) {
    this.#entry = new URL(entry);
    this.#options = options;
  }

  run(given: SessionGiven, signal: AbortSignal): Promise<unknown> {
    const thread = new Worker(this.#entry, {
      ...this.#options,
      workerData: { [OWN_SESSION]: given },
      transferList: [given.port],
    });
    this.#threads.add(thread);
    return new Promise((resolve, reject) => {
      const kill = (): void => void thread.terminate();
      let failed: unknown;
      let hasEnded = false;
      thread.on('error', (error) => {
        failed ??= error;
      });
      // The one thing that is said here: what a handler has left running must not keep the thread.
      thread.once('message', () => {
        hasEnded = true;
        kill();
      });
      thread.once('exit', (code) => {
        signal.removeEventListener('abort', kill);
        this.#threads.delete(thread);
        if (hasEnded) resolve(undefined);
        else reject(failed ?? new Error(`the thread ended by itself with exit code ${code}`));
      });
      if (signal.aborted) kill();
      else signal.addEventListener('abort', kill, { once: true });
    });
  }

  async close(): Promise<void> {
    await Promise.all([...this.#threads].map((thread) => thread.terminate()));
  }
}
