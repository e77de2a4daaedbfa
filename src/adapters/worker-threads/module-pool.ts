/**
 * The threads, or processes, of one module of handlers, and the calls that wait for them.
 *
 * Owns: the queue, the sessions, the limits of handlers. Who may call it: the executor.
 *
 * MP1  A call waits in the queue, or is in one session, or is over.
 * MP2  A session that has nothing to do takes over what waits behind a busy one.
 * MP3  A thread that died fails only what was executed in it: the rest is sent again, as the same attempt. What had
 *      ended there unheard fails too: it would be executed twice.
 * MP4  A module that cannot be loaded, or whose threads die before they are ready, fails its calls; it never starts
 *      threads for ever.
 */
import { OrchestratorError } from '../../model/errors.ts';
import type { WorkerHandlerLimits } from '../../model/worker-handlers.ts';
import type { Invocation, ReportOutcome } from '../../ports/executor.ts';
import { Call } from './call.ts';
import { CallQueue } from './call-queue.ts';
import { Claims, placesFor } from './claims.ts';
import { ClockHold } from './clock-hold.ts';
import type { Link, LinkEnd } from './link.ts';
import { LoadLimit } from './load-limit.ts';
import { unloadable } from './module-errors.ts';
import { ModuleNames } from './module-names.ts';
import { closed, crashed, lost, terminated } from './pool-errors.ts';
import type { ModulePoolParts, PoolStats } from './pool-parts.ts';
import { Session, type SessionListener } from './session.ts';
import type { LeftCalls } from './session-parts.ts';

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
  readonly #clock: ClockHold;
  readonly #sessions = new Set<Session>();
  readonly #counts = { started: 0, crashed: 0, killed: 0, lost: 0, resent: 0 };
  readonly #names = new ModuleNames();
  #falseStarts = 0;
  #isPumping = false;
  #isClosed = false;
  #url: string;
  #version = 0;

  constructor(parts: ModulePoolParts) {
    this.#parts = parts;
    this.#url = parts.module.url;
    this.#queue = new CallQueue(parts.module, this.#sessions);
    this.#clock = new ClockHold(parts, this.#sessions, this.#queue);
  }

  /** Lets a call wait for a thread. */
  submit(invocation: Invocation, report: ReportOutcome): Call {
    const { handlers } = this.#parts.module.settings;
    const call = new Call(invocation, handlers.get(invocation.handler.name) ?? NO_LIMITS, report);
    const refused = this.#queue.push(call);
    this.#clock.count(1);
    if (refused !== undefined) this.#fail(call, refused);
    else if (this.#isClosed) this.#refuse(closed());
    // A thread that has nothing to do begins while the rest of a turn is made ready.
    else if (this.#queue.size === 1 && this.#idlest(call)?.size === 0) this.#pump(true);
    else this.#pumpSoon();
    return call;
  }

  /** Tells a call to stop: at once if it was not begun, else by its signal, and by force after its grace. */
  cancel(call: Call, reason: unknown): void {
    // Told once: its grace does not begin anew.
    if (call.isOver || call.stop !== undefined) return;
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
    const names = this.#names.get();
    if (this.#names.isKnown) return names;
    if (this.#isClosed) this.#refuse(closed());
    else if (this.#sessions.size === 0) this.#start();
    return names;
  }

  /** Starts threads before there are calls, at most as many as there may be. */
  warmUp(count: number): void {
    const most = this.#isClosed ? 0 : Math.min(count, this.#parts.module.settings.threads);
    while (this.#sessions.size < most) if (!this.#start()) return;
  }

  /** Loads the module anew: from the next call on, in fresh threads. */
  reload(): void {
    this.#version++;
    const url = new URL(this.#parts.module.url);
    url.searchParams.set('v', String(this.#version));
    this.#url = url.href;
    this.#names.forget();
    for (const session of this.#sessions) {
      this.#queue.putBack(session.takeBack(Number.POSITIVE_INFINITY));
      session.end();
    }
    this.#pumpSoon();
  }

  stats(): PoolStats {
    const sent = [...this.#sessions].reduce((sum, { size }) => sum + size, 0);
    return {
      url: this.#parts.module.url,
      threads: this.#sessions.size,
      queued: this.#queue.size,
      sent,
      ...this.#counts,
    };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const session of this.#sessions) {
      clearTimeout(session.idleTimer);
      this.#queue.putBack(session.takeBack(Number.POSITIVE_INFINITY));
    }
    this.#refuse(closed());
    await this.#parts.links.close();
  }

  onReady(session: Session, names: readonly string[]): void {
    session.loadLimit?.stop();
    this.#falseStarts = 0;
    this.#names.tell(names);
    this.#pump();
    this.#settle(session);
  }

  onUnloadable(session: Session, cause: unknown): void {
    session.loadLimit?.stop();
    // Another thread may have loaded it: a module can depend on the moment.
    if (this.#isServed()) this.#falseStarts++;
    else this.#refuse(unloadable(this.#parts.module.url, cause));
    session.end();
  }

  onOver(session: Session, call: Call): void {
    this.#over(call);
    this.#settle(session);
  }

  onBegun(session: Session, call: Call): void {
    const { timeoutMs } = call.limits;
    if (timeoutMs === undefined) return;
    this.#condemn(session, call, timeoutMs, () =>
      terminated(call, undefined, `the ${timeoutMs} ms that its handler may take`),
    );
  }

  onWait(call: Call, what: 'asleep' | 'real', change: 1 | -1): void {
    if (call.isOver) return;
    call[what] = Math.max(0, call[what] + change);
    this.#clock.reckon();
  }

  onEnd(session: Session, end: LinkEnd, { left, begun, done }: LeftCalls): void {
    this.#sessions.delete(session);
    session.loadLimit?.stop();
    if ('cause' in end) this.#counts.crashed++;
    const again = left.filter((call) => !call.isOver);
    this.#counts.resent += again.length;
    this.#queue.putBack(again);
    for (const call of begun) this.#fail(call, this.#verdict(call, end, begun.length));
    for (const call of done) this.#fail(call, this.#lose(call, end));
    if (!session.isReady && 'cause' in end) this.#falseStart(end.cause);
    this.#replace();
    this.#pumpSoon();
  }

  /** A place for a thread is free: one more takes over what waits behind the others, or tells who waits for names. */
  #replace(): void {
    if (this.#isClosed || this.#sessions.size >= this.#parts.module.settings.threads) return;
    const isWanted = this.#names.isWanted || [...this.#sessions].some((one) => one.hasWaiting);
    if (isWanted && this.#starting() === 0 && this.#mayTry()) this.#start();
  }

  /** Whether one more thread may be tried: while others work, not after so many that could not begin. */
  #mayTry(): boolean {
    return this.#falseStarts < FALSE_STARTS_MAX || this.#sessions.size === 0;
  }

  /** Why a call that was executed in a thread that ended has failed. */
  #verdict(call: Call, end: LinkEnd, begun: number): unknown {
    if (call.condemned !== undefined) return call.condemned;
    return begun === 1 && end.kind !== 'killed' ? crashed(call, end) : this.#lose(call, end);
  }

  #lose(call: Call, end: LinkEnd): unknown {
    this.#counts.lost++;
    return lost(call, end);
  }

  #falseStart(cause: unknown): void {
    this.#falseStarts++;
    // Others have loaded it, and go on.
    if (this.#isServed()) return;
    const error = unloadable(this.#parts.module.url, cause);
    if (this.#falseStarts >= FALSE_STARTS_MAX) {
      this.#falseStarts = 0;
      this.#refuse(error);
    } else this.#names.fail(error);
  }

  /** Kills the thread of a call when that has not ended in time; its neighbours are lost with it. */
  #condemn(session: Session, call: Call, afterMs: number, why: () => unknown): void {
    call.after(afterMs, () => {
      // The limit of its handler and its grace go on beside each other: the first one counts.
      if (call.condemned !== undefined || !session.has(call)) return;
      call.condemned = why();
      this.#counts.killed++;
      // What waits behind it goes elsewhere at once.
      this.#queue.putBack(session.takeBack(Number.POSITIVE_INFINITY));
      session.kill();
      this.#pumpSoon();
    });
  }

  #fail(call: Call, thrown: unknown): void {
    call.end({ ok: false, thrown });
    this.#over(call);
  }

  #over(call: Call): void {
    if (this.#queue.over(call) || this.#queue.size > 0) this.#pumpSoon();
    this.#clock.count(-1);
  }

  #sessionOf(call: Call): Session | undefined {
    return [...this.#sessions].find((session) => session.has(call));
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
  #pump(isAtOnce = false): void {
    if (this.#isClosed) this.#refuse(closed());
    for (let call = this.#queue.peek(); call !== undefined; call = this.#queue.peek()) {
      const session = this.#idlest(call);
      const mayStart = this.#sessions.size < this.#parts.module.settings.threads;
      const isWanted = (session === undefined || session.size > 0) && this.#starting() < this.#queue.size;
      if (mayStart && isWanted && this.#mayTry()) this.#start();
      if (session === undefined) break;
      this.#queue.shift();
      session.send(call, isAtOnce);
    }
    this.#clock.reckon();
  }

  #idlest(call: Call): Session | undefined {
    let best: Session | undefined;
    for (const session of this.#sessions)
      if (session.hasRoomFor(call) && (best === undefined || session.size < best.size)) best = session;
    return best;
  }

  #starting(): number {
    return [...this.#sessions].filter(({ isReady, isEnding }) => !isReady && !isEnding).length;
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
    // One that executes many at once can have more calls, and none that waits.
    for (const other of this.#sessions)
      if (other !== session && other.size > (victim?.size ?? 1) && other.hasWaiting) victim = other;
    if (victim === undefined) return;
    for (const call of victim.takeBack(Math.ceil((victim.size - 1) / 2))) session.send(call);
    this.#clock.reckon();
  }

  /** Whether a thread has loaded the module, and takes calls. */
  #isServed(): boolean {
    return [...this.#sessions].some(({ isReady, isEnding }) => isReady && !isEnding);
  }

  /** Returns whether a thread was started. */
  #start(): boolean {
    const { links, module, now, isVirtual } = this.#parts;
    const limits = [...module.settings.handlers];
    const places = placesFor(limits.map(([, { concurrent }]) => concurrent));
    const claims = links.sharesMemory ? new Claims(places) : undefined;
    const concurrent = Object.fromEntries(limits.map(([name, limit]) => [name, limit.concurrent]));
    this.#counts.started++;
    let link: Link;
    try {
      link = links.start({ url: this.#url, claims: claims?.memory, concurrent, isVirtual });
    } catch (cause) {
      this.#refuse(OrchestratorError.is(cause) ? cause : unloadable(module.url, cause));
      return false;
    }
    const session = new Session(link, { places, claims, now }, this);
    this.#sessions.add(session);
    session.loadLimit = new LoadLimit(module.settings.loadMs, () => this.#tooLong(session));
    return true;
  }

  /** A module that waits at its top for what never comes would keep its calls for ever. */
  #tooLong(session: Session): void {
    const { loadMs } = this.#parts.module.settings;
    this.onUnloadable(session, new Error(`it was still loading after ${loadMs} ms`));
    session.kill();
  }

  /** All that waits fails. */
  #refuse(error: unknown): void {
    this.#names.fail(error);
    for (const call of this.#queue.drain()) this.#fail(call, error);
  }
}

const RESOLVED = Promise.resolve();
