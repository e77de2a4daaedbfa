/**
 * Hands the requests of a store to its thread.
 *
 * Owns: the thread, and the requests that wait for its answers. Who may call it: the store.
 *
 * TD1  At most a given number of requests wait; one more is refused.
 * TD2  The thread keeps the process alive while a request waits, and at no other time.
 * TD3  A thread that ends in whatever way fails what waited for it, each once.
 */
import { Worker } from 'node:worker_threads';
import { OrchestratorError } from '../../model/errors.ts';
import { threadEntry } from './entry-url.ts';
import type { Desk, EngineSettings, Method, Requests, TextAppend } from './requests.ts';
import { carriedError, packAppends, SQLITE_THREAD, type ToHost, type ToThread } from './thread-messages.ts';

/** How long a thread may take to close its database, in milliseconds, before it is ended. */
const CLOSE_MS_MAX = 10_000;

export interface ThreadDeskParts {
  readonly settings: EngineSettings;
  readonly entry: URL | undefined;
  readonly pendingMax: number;
  /** Told when the thread ended and nobody had asked it to. */
  readonly onLost: (error: OrchestratorError) => void;
}

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: OrchestratorError) => void;
}

/** One thread, from its start to its end. */
interface Session {
  readonly worker: Worker;
  readonly waiting: Map<number, Waiting>;
  readonly ended: Promise<void>;
  isClosing: boolean;
  failure: unknown;
}

export class ThreadDesk implements Desk {
  readonly #parts: ThreadDeskParts;
  #session: Session | undefined;
  #lastId = 0;

  constructor(parts: ThreadDeskParts) {
    this.#parts = parts;
  }

  get isOpen(): boolean {
    return this.#session !== undefined;
  }

  /** How many requests wait for an answer. */
  get pending(): number {
    return this.#session?.waiting.size ?? 0;
  }

  ask<M extends Method>(method: M, ...given: Parameters<Requests[M]>): Promise<ReturnType<Requests[M]>> {
    const { pendingMax } = this.#parts;
    // What gives the claim back is never turned away: it makes room.
    if (this.pending >= pendingMax && method !== 'release')
      return Promise.reject(
        new OrchestratorError(
          'QUEUE_FULL',
          `sqliteStore/pendingMax: ${pendingMax} requests wait for the thread of the store already; wait for some of them`,
          { details: { limit: pendingMax } },
        ),
      );
    try {
      this.#session ??= this.#start();
      const carried = method === 'append' ? [packAppends(given[0] as readonly TextAppend[])] : given;
      return this.#post(this.#session, method, carried) as Promise<ReturnType<Requests[M]>>;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** What was asked before is answered before. */
  async close(): Promise<void> {
    const session = this.#session;
    if (session === undefined) return;
    this.#session = undefined;
    session.isClosing = true;
    const timer = setTimeout(() => void session.worker.terminate(), CLOSE_MS_MAX);
    // An answer that is an error is none to wait for: the thread ends all the same.
    this.#post(session, 'close', []).catch(() => {});
    await session.ended;
    clearTimeout(timer);
  }

  #post(session: Session, method: ToThread['method'], given: readonly unknown[]): Promise<unknown> {
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      session.worker.postMessage({ id, method, given } satisfies ToThread);
      if (session.waiting.size === 0) session.worker.ref();
      session.waiting.set(id, { resolve, reject });
    });
  }

  #start(): Session {
    const { settings, entry } = this.#parts;
    const worker = new Worker(threadEntry(entry), {
      name: 'sqlite-store',
      workerData: { [SQLITE_THREAD]: settings },
      execArgv: process.execArgv.filter((option) => FOR_THREAD.test(option)),
    });
    worker.unref();
    let hasEnded = (): void => {};
    const ended = new Promise<void>((resolve) => {
      hasEnded = resolve;
    });
    const session: Session = { worker, waiting: new Map(), ended, isClosing: false, failure: undefined };
    worker.on('message', (answer: ToHost) => settle(session, answer));
    worker.on('error', (error) => {
      session.failure ??= error;
    });
    worker.on('exit', (code) => {
      this.#lose(session, code);
      hasEnded();
    });
    return session;
  }

  #lose(session: Session, code: number): void {
    if (this.#session === session) this.#session = undefined;
    const error = new OrchestratorError(
      'STORE_UNAVAILABLE',
      `the thread of the SQLite store ended by itself (exit code ${code}); whether what was under way was written is not known. Close the store and open it again`,
      {
        details: { exitCode: code },
        ...(session.failure === undefined ? undefined : { cause: session.failure }),
      },
    );
    if (!session.isClosing) this.#parts.onLost(error);
    for (const { reject } of session.waiting.values()) reject(error);
    session.waiting.clear();
  }
}

/** Options of Node that its thread needs to run the source of this package; it takes no others over. */
const FOR_THREAD = /^--(?:experimental-strip-types|disable-warning=|no-warnings$)/;

function settle({ worker, waiting, isClosing }: Session, answer: ToHost): void {
  const found = waiting.get(answer.id);
  waiting.delete(answer.id);
  if (waiting.size === 0 && !isClosing) worker.unref();
  if ('error' in answer) found?.reject(carriedError(answer.error));
  else found?.resolve(answer.value);
}
