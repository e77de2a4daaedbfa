/**
 * The threads, or processes, of one module of handlers, and the calls that wait for them.
 *
 * Owns: the queue, the sessions, the limits of handlers. Who may call it: the executor.
 *
 * MP1  A call waits in the queue, or is in one session, or is over.
 * MP2  A session that has nothing to do takes over what waits behind a busy one.
 * MP3  A thread that died fails only what was executed in it: the rest is sent again, as the same attempt.
 * MP4  A module that cannot be loaded, or whose threads die before they are ready, fails its calls; it never starts
 *      threads for ever.
 */
import { OrchestratorError } from '../../model/errors.ts';
import type { WorkerHandlerLimits, WorkerModule } from '../../model/worker-handlers.ts';
import type { Invocation, ReportOutcome } from '../../ports/executor.ts';
import { Call } from './call.ts';
import { CallQueue } from './call-queue.ts';
import { Claims } from './claims.ts';
import type { Link, LinkEnd, LinkFactory } from './link.ts';
import { crashed, lost, terminated, unloadable } from './pool-errors.ts';
import { Session, type SessionListener } from './session.ts';

/** What a pool is made of. */
export interface ModulePoolParts {
  readonly module: WorkerModule;
  readonly links: LinkFactory;
  readonly now: () => number;
  readonly isVirtual: boolean;
  /** How long a call that was told to stop may take to end, in milliseconds. */
  readonly graceMs: number;
  /** A call began or ceased to be of this pool, or to keep the clock. */
  readonly onCount: (change: 1 | -1) => void;
}

/** How a pool stands. */
export interface PoolStats {
  readonly url: string;
  readonly threads: number;
  /** Calls that wait for a thread. */
  readonly queued: number;
  /** Calls that were sent to a thread. */
  readonly sent: number;
  /** Threads that were started so far. */
  readonly started: number;
  /** Threads that ended by themselves. */
  readonly crashed: number;
  /** Threads that were ended because a call in them had not. */
  readonly killed: number;
  /** Calls that failed because of a neighbour in their thread. */
  readonly lost: number;
  /** Calls that were sent again, since their thread died before it had begun them. */
  readonly resent: number;
}

const NO_LIMITS: WorkerHandlerLimits = {
  concurrent: 1,
  concurrency: undefined,
  queue: undefined,
  timeoutMs: undefined,
};

/** So many threads in a row may die before they are ready. */
const FALSE_STARTS_MAX = 3;

export class ModulePool implements SessionListener {
  readonly #parts: ModulePoolParts;
  readonly #queue: CallQueue;
  readonly #sessions = new Set<Session>();
  readonly #counts = { started: 0, crashed: 0, killed: 0, lost: 0, resent: 0 };
  #names: readonly string[] | undefined;
  readonly #nameWaiters: { resolve: (names: readonly string[]) => void; reject: (error: unknown) => void }[] =
    [];
  #falseStarts = 0;
  #isPumping = false;
  #url: string;
  #version = 0;

  constructor(parts: ModulePoolParts) {
    this.#parts = parts;
    this.#url = parts.module.url;
    this.#queue = new CallQueue(parts.module);
  }

  /** Lets a call wait for a thread. */
  submit(invocation: Invocation, report: ReportOutcome): Call {
    const { handlers } = this.#parts.module.settings;
    const call = new Call(invocation, handlers.get(invocation.handler.name) ?? NO_LIMITS, report);
    this.#parts.onCount(1);
    const refused = this.#queue.push(call);
    if (refused === undefined) this.#pumpSoon();
    else this.#fail(call, refused);
    return call;
  }

  /** Tells a call to stop: at once if it was not begun, else by its signal, and by force after its grace. */
  cancel(call: Call, reason: unknown): void {
    if (call.isOver) return;
    call.stop = { reason };
    if (this.#queue.remove(call)) {
      this.#fail(call, reason);
      return;
    }
    const session = this.#sessionOf(call);
    if (session === undefined) return;
    if (session.takeBackOne(call)) {
      this.#fail(call, reason);
      this.#settle(session);
      return;
    }
    session.abort(call, reason);
    this.#condemn(session, call, this.#parts.graceMs, () =>
      terminated(call, reason, `${this.#parts.graceMs} ms after it was told to stop`),
    );
  }

  /** The names of the functions of the module. */
  names(): Promise<readonly string[]> {
    if (this.#names !== undefined) return Promise.resolve(this.#names);
    return new Promise((resolve, reject) => {
      this.#nameWaiters.push({ resolve, reject });
      if (this.#sessions.size === 0) this.#start();
    });
  }

  /** Starts threads before there are calls, at most as many as there may be. */
  warmUp(count: number): void {
    while (this.#sessions.size < Math.min(count, this.#parts.module.settings.threads)) this.#start();
  }

  /** Loads the module anew: from the next call on, in fresh threads. */
  reload(): void {
    this.#version++;
    const url = new URL(this.#parts.module.url);
    url.searchParams.set('v', String(this.#version));
    this.#url = url.href;
    this.#names = undefined;
    for (const session of this.#sessions) {
      this.#queue.putBack(session.takeBack(Number.POSITIVE_INFINITY));
      session.end();
    }
    this.#pumpSoon();
  }

  stats(): PoolStats {
    let sent = 0;
    for (const session of this.#sessions) sent += session.size;
    return {
      url: this.#parts.module.url,
      threads: this.#sessions.size,
      queued: this.#queue.size,
      sent,
      ...this.#counts,
    };
  }

  async close(): Promise<void> {
    for (const session of this.#sessions) clearTimeout(session.idleTimer);
    await this.#parts.links.close();
  }

  onReady(session: Session, names: readonly string[]): void {
    this.#names = names;
    this.#falseStarts = 0;
    for (const waiter of this.#nameWaiters.splice(0)) waiter.resolve(names);
    this.#pump();
    this.#settle(session);
  }

  onUnloadable(session: Session, cause: unknown): void {
    const error = unloadable(this.#parts.module.url, cause);
    for (const waiter of this.#nameWaiters.splice(0)) waiter.reject(error);
    // Another thread may have loaded it: a module can depend on the moment.
    if (![...this.#sessions].some(({ isReady }) => isReady))
      for (const call of this.#queue.drain()) this.#fail(call, error);
    session.end();
  }

  onOver(session: Session, call: Call): void {
    this.#over(call);
    this.#settle(session);
  }

  onBegun(session: Session, call: Call): void {
    const { timeoutMs } = call.limits;
    if (timeoutMs === undefined || call.stop !== undefined) return;
    this.#condemn(session, call, timeoutMs, () =>
      terminated(call, undefined, `the ${timeoutMs} ms that its handler may take`),
    );
  }

  onSleep(call: Call, isAsleep: boolean): void {
    if (call.isOver) return;
    const wasAwake = call.asleep === 0;
    call.asleep += isAsleep ? 1 : -1;
    if (wasAwake !== (call.asleep === 0)) this.#parts.onCount(isAsleep ? -1 : 1);
  }

  onEnd(session: Session, end: LinkEnd, left: readonly Call[], begun: readonly Call[]): void {
    this.#sessions.delete(session);
    if (end.kind === 'crashed' || end.kind === 'memory') this.#counts.crashed++;
    const again = left.filter((call) => !call.isOver);
    this.#counts.resent += again.length;
    this.#queue.putBack(again);
    for (const call of begun) this.#fail(call, this.#verdict(call, end, begun.length));
    if (!session.isReady && (end.kind === 'crashed' || end.kind === 'memory')) this.#falseStart(end);
    this.#pumpSoon();
  }

  /** Why a call that was executed in a thread that ended has failed. */
  #verdict(call: Call, end: LinkEnd, begun: number): unknown {
    if (call.condemned !== undefined) return call.condemned;
    const isCulprit = begun === 1 && end.kind !== 'killed';
    if (isCulprit) return crashed(call, end);
    this.#counts.lost++;
    return lost(call, end);
  }

  #falseStart(end: LinkEnd & { readonly kind: 'crashed' | 'memory' }): void {
    if (++this.#falseStarts < FALSE_STARTS_MAX && this.#nameWaiters.length === 0) return;
    const error = unloadable(this.#parts.module.url, end.cause);
    for (const waiter of this.#nameWaiters.splice(0)) waiter.reject(error);
    if (this.#falseStarts < FALSE_STARTS_MAX) return;
    this.#falseStarts = 0;
    for (const call of this.#queue.drain()) this.#fail(call, error);
  }

  /** Kills the thread of a call when that has not ended in time; its neighbours are lost with it. */
  #condemn(session: Session, call: Call, afterMs: number, why: () => unknown): void {
    clearTimeout(call.timer);
    call.timer = setTimeout(() => {
      if (call.isOver || !session.has(call)) return;
      call.condemned = why();
      this.#counts.killed++;
      // What waits behind it goes elsewhere at once.
      this.#queue.putBack(session.takeBack(Number.POSITIVE_INFINITY));
      session.kill();
      this.#pumpSoon();
    }, afterMs);
  }

  #fail(call: Call, thrown: unknown): void {
    call.end({ ok: false, thrown });
    this.#over(call);
  }

  #over(call: Call): void {
    // One that was asleep had let the clock go already.
    if (call.asleep === 0) this.#parts.onCount(-1);
    const freed = this.#queue.over(call);
    if (freed || this.#queue.size > 0) this.#pumpSoon();
  }

  #sessionOf(call: Call): Session | undefined {
    for (const session of this.#sessions) if (session.has(call)) return session;
    return undefined;
  }

  #pumpSoon(): void {
    if (this.#isPumping) return;
    this.#isPumping = true;
    void RESOLVED.then(() => {
      this.#isPumping = false;
      this.#pump();
    });
  }

  /** Gives what waits to the sessions that have the least to do, and starts more of them while all are busy. */
  #pump(): void {
    for (let call = this.#queue.peek(); call !== undefined; call = this.#queue.peek()) {
      const session = this.#idlest(call);
      const mayStart = this.#sessions.size < this.#parts.module.settings.threads;
      if (mayStart && (session === undefined || session.size > 0) && this.#starting() < this.#queue.size)
        this.#start();
      if (session === undefined) return;
      this.#queue.shift();
      clearTimeout(session.idleTimer);
      session.idleTimer = undefined;
      session.send(call);
    }
  }

  #idlest(call: Call): Session | undefined {
    let best: Session | undefined;
    for (const session of this.#sessions)
      if (session.hasRoomFor(call) && (best === undefined || session.size < best.size)) best = session;
    return best;
  }

  #starting(): number {
    let count = 0;
    for (const session of this.#sessions) if (!session.isReady && !session.isEnding) count++;
    return count;
  }

  /** A session has one call less: with none it helps another, or begins to be idle. */
  #settle(session: Session): void {
    if (session.size > 0 || session.isEnding || !session.isReady || this.#queue.peek() !== undefined) return;
    this.#steal(session);
    if (session.size > 0 || session.idleTimer !== undefined) return;
    session.idleTimer = setTimeout(() => session.end(), this.#parts.module.settings.idleMs);
  }

  /** Takes over half of what waits in the thread that has most. */
  #steal(session: Session): void {
    let victim: Session | undefined;
    for (const other of this.#sessions)
      if (other !== session && other.size > 1 && (victim === undefined || other.size > victim.size))
        victim = other;
    if (victim === undefined) return;
    for (const call of victim.takeBack(Math.ceil((victim.size - 1) / 2))) session.send(call);
  }

  #start(): void {
    const { links, module, now, isVirtual } = this.#parts;
    const claims = links.sharesMemory ? new Claims() : undefined;
    const concurrent = Object.fromEntries(
      [...module.settings.handlers].map(([name, limits]) => [name, limits.concurrent]),
    );
    this.#counts.started++;
    let link: Link;
    try {
      link = links.start({ url: this.#url, claims: claims?.memory, concurrent, isVirtual });
    } catch (cause) {
      const error = OrchestratorError.is(cause) ? cause : unloadable(module.url, cause);
      for (const waiter of this.#nameWaiters.splice(0)) waiter.reject(error);
      for (const call of this.#queue.drain()) this.#fail(call, error);
      return;
    }
    this.#sessions.add(new Session(link, claims, now, this));
  }
}

const RESOLVED = Promise.resolve();
