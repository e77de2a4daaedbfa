/**
 * The host's side of one thread or process.
 *
 * Owns: the calls that were sent to it and are not over, their claims, what is to be posted. Who may call it: the
 * module pool.
 *
 * SE1  A thread has as many calls as there are claims: what waits there can be taken back as long as it was not begun.
 * SE2  When a thread has ended, each of its calls is either given back, to be sent again, or has failed. Only what was
 *      not begun is given back: nothing is executed twice as the same attempt.
 * SE3  What is said in one turn goes in one message, but for a call that is to go at once.
 * SE4  A thread that was told to end and executes nothing is gone within `END_MS`, whatever it does meanwhile.
 */
import { OrchestratorError } from '../../model/errors.ts';
import type { HandlerContext } from '../../model/handler.ts';
import { NO_TRACE } from '../../model/trace.ts';
import { buffersIn } from './buffers.ts';
import type { Call } from './call.ts';
import { errorsIn, restoreErrors } from './carried-errors.ts';
import type { Claims } from './claims.ts';
import { packError, unpackError } from './error-envelope.ts';
import { HostServices } from './host-services.ts';
import type { Link, LinkEnd } from './link.ts';
import type { LoadLimit } from './load-limit.ts';
import type { ToHost, ToThread } from './protocol.ts';
import type { LeftCalls, SessionParts } from './session-parts.ts';
import { ShortWait } from './short-wait.ts';

/** What a session tells its pool. */
export interface SessionListener {
  /** The module was loaded. */
  onReady(session: Session, names: readonly string[]): void;
  /** The module cannot be loaded. */
  onUnloadable(session: Session, cause: unknown): void;
  /** A call is over. */
  onOver(session: Session, call: Call): void;
  /** A call whose time is limited was begun. */
  onBegun(session: Session, call: Call): void;
  /** The thread has ended, with calls that it had not said the end of. */
  onEnd(session: Session, end: LinkEnd, calls: LeftCalls): void;
  /** A call begins or ceases to wait for the host, or to do something real beside that. */
  onWait(call: Call, what: 'asleep' | 'real', change: 1 | -1): void;
}

/** How long a thread that has nothing to do may take to end, in milliseconds. */
const END_MS = 2_000;

export class Session {
  readonly #link: Link;
  readonly #claims: Claims | undefined;
  readonly #listener: SessionListener;
  readonly #services: HostServices;
  readonly #now: () => number;
  /** By their numbers, in the order in which they were sent. */
  readonly #calls = new Map<number, Call>();
  readonly #wait = new ShortWait({ isExpecting: () => this.#calls.size > 0 });
  /** The error that it said it dies of. */
  #dying: { readonly thrown: unknown } | undefined;
  #endTimer: NodeJS.Timeout | undefined;
  /** The places that no call has, the lowest last. */
  readonly #free: number[];
  #outgoing: ToThread[] = [];
  #transfer: ArrayBuffer[] = [];
  #last = 0;
  isReady = false;
  isEnding = false;
  isOver = false;
  /** Ends it when it has been without work for a while. */
  idleTimer: NodeJS.Timeout | undefined;
  /** Ends it when its module takes too long to be loaded. */
  loadLimit: LoadLimit | undefined;

  constructor(link: Link, { places, claims, now }: SessionParts, listener: SessionListener) {
    this.#link = link;
    this.#claims = claims;
    this.#free = Array.from({ length: places }, (_, place) => places - 1 - place);
    this.#now = now;
    this.#listener = listener;
    this.#services = new HostServices({
      say: (message) => this.#say(message),
      now,
      onWait: (call, what, change) => listener.onWait(call, what, change),
    });
    link.onBatch((batch) => {
      const before = this.#calls.size;
      for (const message of batch) this.#hear(message);
      // Progress and log lines are not what it stays awake for.
      if (this.#calls.size < before) this.#wait.heard();
      if (this.#calls.size > 0) this.#wait.begin();
    });
    link.onEnd((end) => this.#ended(end));
  }

  /** How many calls it has. */
  get size(): number {
    return this.#calls.size;
  }

  /** Whether calls wait in it that could be taken back. */
  get hasWaiting(): boolean {
    if (this.#calls.size < 2 || this.#claims === undefined) return false;
    for (const { place, id } of this.#calls.values()) if (this.#claims.isWaiting(place, id)) return true;
    return false;
  }

  /** Counts its calls by handler: those that were not begun, and those that are executed. */
  countInto(waiting: Map<string, number>, begun: Map<string, number>): void {
    for (const { place, id, name } of this.#calls.values()) {
      if (this.#claims?.isDone(place, id) === true) continue;
      const counts = this.#claims?.isWaiting(place, id) === true ? waiting : begun;
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
  }

  /** Whether something goes on in it, or can be begun, that does not wait for the host's clock. */
  get isAtWork(): boolean {
    const begun = new Map<string, number>();
    let isAlone = false;
    for (const { place, id, name, limits, isAwake } of this.#calls.values()) {
      if (this.#claims?.isWaiting(place, id) === true)
        return begun.size === 0 || (!isAlone && (begun.get(name) ?? 0) < limits.concurrent);
      if (isAwake || this.#claims?.isDone(place, id) === true) return true;
      begun.set(name, (begun.get(name) ?? 0) + 1);
      isAlone ||= limits.concurrent === 1;
    }
    return false;
  }

  /** Whether it can be given a call. One whose calls cannot be taken back gets only what it can begin at once. */
  hasRoomFor(call: Call): boolean {
    if (!this.isReady || this.isEnding || this.#free.length === 0) return false;
    if (this.#claims !== undefined || this.#calls.size === 0) return true;
    if (this.#calls.size >= call.limits.concurrent) return false;
    // So all that it has are calls of one handler.
    return this.#calls.values().next().value?.name === call.name;
  }

  /** Gives it a call, at the end of this turn or at once. */
  send(call: Call, isAtOnce = false): void {
    this.idleTimer = void clearTimeout(this.idleTimer);
    const id = ++this.#last & 0x1fff_ffff;
    call.id = id;
    call.place = this.#free.pop() as number;
    call.sent++;
    this.#calls.set(id, call);
    this.#claims?.put(call.place, id);
    const { invocation } = call;
    const context = invocation.context as unknown as HandlerContext<
      unknown,
      Readonly<Record<string, unknown>>
    >;
    const { locks, dependencies, input, inputData, trace } = context;
    // The context gives a copy of its own each time it is asked: what is moved is gone nowhere else.
    if (invocation.transfer === true) this.#transfer.push(...buffersIn(dependencies));
    const tokens = Object.fromEntries(locks.names.map((name) => [name, locks.token(name)]));
    this.#say({
      type: 'call',
      id,
      slot: call.place,
      name: call.name,
      runId: invocation.runId,
      path: invocation.path,
      taskId: context.taskId,
      input,
      inputData,
      dependencies,
      attempt: invocation.attempt,
      restart: context.restart,
      idempotencyKey: context.idempotencyKey,
      trace: trace === NO_TRACE ? undefined : trace,
      tokens,
      tellsBegin: call.limits.timeoutMs !== undefined,
      now: this.#now(),
      errors: errorsIn([input, inputData, dependencies]),
    });
    if (isAtOnce) this.#post();
  }

  /** Takes calls back that were not begun, last first: at most so many. */
  takeBack(most: number): Call[] {
    const taken: Call[] = [];
    if (this.#claims === undefined || most <= 0) return taken;
    for (const call of [...this.#calls.values()].reverse()) {
      if (taken.length >= most) break;
      if (this.takeBackOne(call)) taken.push(call);
    }
    return taken.reverse();
  }

  /** The same for one call; `false` when it was begun. */
  takeBackOne(call: Call): boolean {
    if (this.#claims?.takeBack(call.place, call.id) !== true) return false;
    this.#forget(call);
    return true;
  }

  /** Tells the body of a call to stop. */
  abort(call: Call, reason: unknown): void {
    this.#listener.onWait(call, 'real', 1);
    this.#say({ type: 'abort', id: call.id, reason: packError(reason), now: this.#now() });
  }

  has(call: Call): boolean {
    return this.#calls.get(call.id) === call;
  }

  /** Lets it end by itself: nothing more will come. */
  end(): void {
    if (this.isEnding) return;
    this.isEnding = true;
    this.#say({ type: 'end' });
    this.#endInTime();
  }

  /** Ends it at once. What waits there is taken back first, so that it cannot be begun meanwhile. */
  kill(): void {
    this.isEnding = true;
    this.#link.kill();
  }

  #say(message: ToThread): void {
    if (this.isOver) return;
    this.#outgoing.push(message);
    if (this.#outgoing.length > 1) return;
    // The first message of a turn: what else is said in it goes along.
    void RESOLVED.then(() => this.#post());
  }

  #post(): void {
    const batch = this.#outgoing;
    if (batch.length === 0) return;
    const transfer = this.#transfer;
    this.#outgoing = [];
    this.#transfer = [];
    if (this.isOver) return;
    try {
      this.#link.post(batch, transfer);
      if (this.#calls.size > 0) this.#wait.begin();
    } catch (cause) {
      // One call cannot be sent, such as for a value that cannot be cloned: the others can.
      if (batch.length === 1) this.#unsendable(batch[0] as ToThread, cause);
      else for (const message of batch) this.#postAlone(message);
    }
  }

  #postAlone(message: ToThread): void {
    try {
      this.#link.post([message], []);
    } catch (cause) {
      this.#unsendable(message, cause);
    }
  }

  #unsendable(message: ToThread, cause: unknown): void {
    const call = message.type === 'call' ? this.#calls.get(message.id) : undefined;
    if (call === undefined) return;
    this.#claims?.takeBack(call.place, call.id);
    const what = `task ${JSON.stringify(call.invocation.path)}: what it was to be given cannot be sent to a thread`;
    this.#fail(call, new OrchestratorError('VALUE_UNSERIALISABLE', what, { cause }));
  }

  #hear(message: ToHost): void {
    switch (message.type) {
      case 'ready':
        this.isReady = true;
        this.#listener.onReady(this, message.names);
        return;
      case 'unloadable':
        this.#listener.onUnloadable(this, unpackError(message.error));
        return;
      case 'dying':
        this.#dying = { thrown: unpackError(message.error) };
        return;
      default:
        this.#hearOf(message);
    }
  }

  #hearOf(message: Exclude<ToHost, { readonly type: 'ready' | 'unloadable' | 'dying' }>): void {
    const call = this.#calls.get(message.id);
    if (call === undefined) return;
    switch (message.type) {
      case 'ended':
        this.#forget(call);
        restoreErrors(message.errors);
        call.end({ ok: true, output: message.output });
        this.#listener.onOver(this, call);
        return;
      case 'failed':
        this.#fail(call, unpackError(message.error));
        return;
      case 'begun':
        this.#listener.onBegun(this, call);
        return;
      case 'ask':
        this.#services.asked(call, message.ask, message.about);
        return;
      case 'unask':
        this.#services.unasked(call, message.ask);
        return;
      default:
        this.#services.said(call, message);
    }
  }

  #fail(call: Call, thrown: unknown): void {
    this.#forget(call);
    call.end({ ok: false, thrown });
    this.#listener.onOver(this, call);
  }

  #forget(call: Call): void {
    this.#calls.delete(call.id);
    this.#free.push(call.place);
    this.#endInTime();
  }

  /** What a handler left behind can keep its thread from hearing that it should end. */
  #endInTime(): void {
    if (!this.isEnding || this.isOver || this.#calls.size > 0 || this.#endTimer !== undefined) return;
    this.#endTimer = setTimeout(() => this.#link.kill(), END_MS);
  }

  #ended(end: LinkEnd): void {
    this.isOver = true;
    clearTimeout(this.idleTimer);
    clearTimeout(this.#endTimer);
    const left: Call[] = [];
    const begun: Call[] = [];
    const done: Call[] = [];
    for (const call of this.#calls.values()) {
      const { place, id } = call;
      if (this.#claims?.isDone(place, id) === true) done.push(call);
      else (this.#claims?.isBegun(place, id) === false ? left : begun).push(call);
    }
    this.#calls.clear();
    const why = end.kind === 'crashed' && this.#dying !== undefined ? this.#dying.thrown : undefined;
    const told: LinkEnd = why === undefined ? end : { kind: 'crashed', cause: why };
    this.#listener.onEnd(this, told, { left, begun, done });
  }
}

const RESOLVED = Promise.resolve();
