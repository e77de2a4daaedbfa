/**
 * Child processes: for code that a thread cannot contain, such as native code that crashes, or code that is not trusted.
 *
 * Owns: the processes of one module of handlers. Who may call it: the module pool.
 *
 * PL1  A process that ends in whatever way ends its session, after all that it has said.
 * PL2  A process that says what no session of ours can say is ended, whatever bytes it has written; nothing that it
 *      writes throws in the host.
 * PL3  No process outlives its host: one whose pipe is closed ends by itself as soon as its code lets it.
 * PL4  A process that does not listen is not listened to: what the host keeps for it, it cannot make grow.
 * PL5  A process that has closed its pipe ends within `HANG_UP_MS`, whatever it does meanwhile.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { WorkerSettings } from '../../model/worker-handlers.ts';
import { workerEntry } from './entry-url.ts';
import { FRAME_BYTES_MAX, FrameReader, frameOf } from './frames.ts';
import { isBatch } from './heard.ts';
import { hostArguments } from './host-arguments.ts';
import type { Link, LinkEnd, LinkFactory } from './link.ts';
import {
  FROM_HOST,
  SESSION_ARGUMENT,
  type SessionStart,
  TO_HOST,
  type ToHost,
  type ToThread,
} from './protocol.ts';

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
    const options = [...(execArgv ?? hostArguments())];
    if (memoryMb !== undefined) options.push(`--max-old-space-size=${memoryMb}`);
    const child = spawn(process.execPath, [...options, this.#entry, SESSION_ARGUMENT], {
      // Pipes of our own, one for each direction: on one that Node keeps for `fork`, bytes that are no message throw in
      // the host, and a failed write to one for both directions would lose what was said before.
      stdio: ['ignore', 'inherit', 'inherit', 'overlapped', 'overlapped'],
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

/** How long a process may live without its pipe, in milliseconds. */
const HANG_UP_MS = 2_000;

/** So many bytes that a process has not taken make the host stop to listen to it. */
const BACKLOG_BYTES_MAX = 1_048_576;

class ProcessLink implements Link {
  /** Resolves when the process is gone. */
  readonly over: Promise<void>;
  readonly #child: ChildProcess;
  readonly #hasMemoryLimit: boolean;
  /** Missing when no process could be started. */
  readonly #down: Socket | undefined;
  readonly #up: Socket | undefined;
  #listener: (batch: readonly ToHost[]) => void = () => {};
  #onEnd: (end: LinkEnd) => void = () => {};
  #isKilled = false;
  #wasTold = false;
  /** It had closed its pipe, and was still there. */
  #isLate = false;
  #breach: Error | undefined;
  #failed: unknown;
  #hangUp: NodeJS.Timeout | undefined;

  constructor(child: ChildProcess, start: SessionStart, hasMemoryLimit: boolean, forget: () => void) {
    this.#child = child;
    this.#hasMemoryLimit = hasMemoryLimit;
    this.#down = (child.stdio?.[FROM_HOST] ?? undefined) as Socket | undefined;
    this.#up = (child.stdio?.[TO_HOST] ?? undefined) as Socket | undefined;
    this.#listen();
    this.over = new Promise((resolve) => {
      let isOver = false;
      const end = (how: LinkEnd): void => {
        if (isOver) return;
        isOver = true;
        clearTimeout(this.#hangUp);
        forget();
        this.#onEnd(how);
        resolve();
      };
      child.on('error', (error) => {
        this.#failed = error;
        // A program that could not be started has no exit.
        if (child.pid === undefined) end({ kind: 'crashed', cause: error });
      });
      // `close` comes after `exit`, when everything that was said has been heard.
      child.on('close', (code, signal) => end(this.#endOf(code, signal)));
    });
    this.#send(start);
  }

  post(batch: readonly ToThread[]): void {
    if (batch.some(({ type }) => type === 'end')) this.#wasTold = true;
    this.#send(batch);
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

  #listen(): void {
    const reader = new FrameReader(
      {
        onValue: (value) => this.#hear(value),
        onBroken: (why) => this.#break(`wrote what is no message: ${why.message}`),
      },
      FRAME_BYTES_MAX,
    );
    this.#up?.on('data', (chunk) => reader.push(chunk));
    // Nobody has to say anything on the pipe to the process; bytes from there go nowhere.
    this.#down?.resume();
    // Without its reader there is nobody to wait for.
    this.#down?.on('close', () => this.#up?.resume());
    this.#down?.on('drain', () => this.#up?.resume());
    for (const pipe of [this.#down, this.#up]) {
      // What cannot be written or read any more has a reason, and the end of the process tells it.
      pipe?.on('error', () => {});
      pipe?.on('end', () => this.#closed());
    }
  }

  /** The process has closed a pipe: it is ending, or has to. */
  #closed(): void {
    this.#hangUp ??= setTimeout(() => {
      this.#isLate = true;
      if (!this.#wasTold) this.#breach ??= new Error('the process closed its pipe to the host');
      this.#child.kill('SIGKILL');
    }, HANG_UP_MS);
  }

  #hear(batch: unknown): void {
    if (this.#breach !== undefined) return;
    if (isBatch(batch)) this.#listener(batch);
    else this.#break('said what only other code than that of handlers can say');
  }

  #break(how: string): void {
    this.#breach ??= new Error(`the process ${how}`);
    this.#child.kill('SIGKILL');
  }

  /** @throws what the serializer throws for a value that cannot be cloned */
  #send(value: unknown): void {
    const frame = frameOf(value);
    // A process that has just died takes nothing; its end says the rest.
    if (this.#down === undefined || this.#down.destroyed) return;
    this.#down.write(frame);
    if (this.#down.writableLength > BACKLOG_BYTES_MAX) this.#up?.pause();
  }

  #endOf(code: number | null, signal: NodeJS.Signals | null): LinkEnd {
    if (this.#isKilled) return { kind: 'killed' };
    if (this.#wasTold && (code === 0 || this.#isLate)) return { kind: 'ended' };
    const how = signal === null ? `exit code ${code}` : `the signal ${signal}`;
    const own = new Error(`the process ended by itself with ${how}`);
    // One that ended before it could be killed has told why.
    const cause = (signal === 'SIGKILL' ? this.#breach : undefined) ?? this.#failed ?? own;
    // V8 aborts a process whose heap is full.
    return { kind: signal === 'SIGABRT' && this.#hasMemoryLimit ? 'memory' : 'crashed', cause };
  }
}
