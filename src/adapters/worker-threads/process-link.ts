/**
 * Child processes: for code that a thread cannot contain, such as native code that crashes, or code that is not trusted.
 *
 * Owns: the processes of one module of handlers. Who may call it: the module pool.
 *
 * PL1  A process that ends in whatever way ends its session, after all that it has said.
 * PL2  A process that says what no session of ours can say is ended; what other code sends is not heard.
 * PL3  No process outlives its host: one whose channel is closed ends by itself.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { WorkerSettings } from '../../model/worker-handlers.ts';
import { workerEntry } from './entry-url.ts';
import { batchOf, isBatch } from './heard.ts';
import type { Link, LinkEnd, LinkFactory } from './link.ts';
import { SESSION_ARGUMENT, type SessionStart, type ToHost, type ToThread } from './protocol.ts';

export class ProcessLinks implements LinkFactory {
  readonly sharesMemory = false;
  readonly #entry: string;
  readonly #settings: WorkerSettings;
  readonly #links = new Set<ProcessLink>();

  constructor(settings: WorkerSettings) {
    this.#settings = settings;
    this.#entry = fileURLToPath(workerEntry(settings.entry, 'worker-process'));
  }

  start(start: SessionStart): Link {
    const { memoryMb, env, execArgv } = this.#settings;
    const child = fork(this.#entry, [SESSION_ARGUMENT], {
      serialization: 'advanced',
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      execArgv: [
        ...(execArgv ?? []),
        ...(memoryMb === undefined ? [] : [`--max-old-space-size=${memoryMb}`]),
      ],
      ...(env === undefined ? undefined : { env: { ...process.env, ...env } }),
    });
    const link = new ProcessLink(child, start, memoryMb !== undefined, () => this.#links.delete(link));
    this.#links.add(link);
    return link;
  }

  async close(): Promise<void> {
    const ended = [...this.#links].map((link) => link.over);
    for (const link of [...this.#links]) link.kill();
    await Promise.all(ended);
  }
}

class ProcessLink implements Link {
  /** Resolves when the process is gone. */
  readonly over: Promise<void>;
  readonly #child: ChildProcess;
  readonly #hasMemoryLimit: boolean;
  #listener: (batch: readonly ToHost[]) => void = () => {};
  #onEnd: (end: LinkEnd) => void = () => {};
  #isKilled = false;
  #wasTold = false;
  #breach: Error | undefined;

  constructor(child: ChildProcess, start: SessionStart, hasMemoryLimit: boolean, forget: () => void) {
    this.#child = child;
    this.#hasMemoryLimit = hasMemoryLimit;
    child.on('message', (said) => this.#hear(batchOf(said)));
    this.over = new Promise((resolve) => {
      const end = (how: LinkEnd): void => {
        forget();
        this.#onEnd(how);
        resolve();
      };
      let failed: unknown;
      child.on('error', (error) => {
        failed = error;
        // A program that could not be started has no exit.
        if (child.pid === undefined) end({ kind: 'crashed', cause: error });
      });
      // `close` comes after `exit`, when everything that was said has been heard.
      child.on('close', (code, signal) => end(this.#endOf(code, signal, failed)));
    });
    this.#send({ start });
  }

  post(batch: readonly ToThread[]): void {
    if (batch.some(({ type }) => type === 'end')) this.#wasTold = true;
    this.#send({ batch });
  }

  onBatch(listener: (batch: readonly ToHost[]) => void): void {
    this.#listener = listener;
  }

  onEnd(listener: (end: LinkEnd) => void): void {
    this.#onEnd = listener;
  }

  kill(): void {
    this.#isKilled = true;
    this.#child.kill('SIGKILL');
  }

  #hear(batch: unknown): void {
    if (batch === undefined || this.#breach !== undefined) return;
    if (isBatch(batch)) {
      this.#listener(batch);
      return;
    }
    this.#breach = new Error('the process said what only other code than that of handlers can say');
    this.#child.kill('SIGKILL');
  }

  #send(message: object): void {
    // The channel of a process that has just died is closed; its end says the rest.
    if (this.#child.connected) this.#child.send(message, () => {});
  }

  #endOf(code: number | null, signal: NodeJS.Signals | null, failed: unknown): LinkEnd {
    if (this.#isKilled) return { kind: 'killed' };
    if (this.#wasTold && code === 0) return { kind: 'ended' };
    const how = signal === null ? `exit code ${code}` : `the signal ${signal}`;
    const cause = this.#breach ?? failed ?? new Error(`the process ended by itself with ${how}`);
    // V8 aborts a process whose heap is full.
    return { kind: signal === 'SIGABRT' && this.#hasMemoryLimit ? 'memory' : 'crashed', cause };
  }
}
