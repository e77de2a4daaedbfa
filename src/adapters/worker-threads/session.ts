/**
 * The host's side of one thread or process.
 *
 * Owns: the calls that were sent to it and are not over, their claims, what is to be posted. Who may call it: the
 * module pool.
 *
 * SE1  A thread has as many calls as there are claims: what waits there can be taken back as long as it was not begun.
 * SE2  When a thread has ended, each of its calls is either given back, to be sent again, or has failed.
 * SE3  What is said in one turn goes in one message.
 */
import { OrchestratorError } from '../../model/errors.ts';
import type { HandlerContext } from '../../model/handler.ts';
import { buffersIn } from './buffers.ts';
import type { Call } from './call.ts';
import { type Claims, PLACES } from './claims.ts';
import { packError, unpackError } from './error-envelope.ts';
import { HostServices } from './host-services.ts';
import type { Link, LinkEnd } from './link.ts';
import type { ToHost, ToThread } from './protocol.ts';

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
  /** The thread has ended; `left` were sent and not begun, `begun` are those that may be why. */
  onEnd(session: Session, end: LinkEnd, left: readonly Call[], begun: readonly Call[]): void;
  onSleep(call: Call, isAsleep: boolean): void;
}

export class Session {
  readonly #link: Link;
  readonly #claims: Claims | undefined;
  readonly #listener: SessionListener;
  readonly #services: HostServices;
  readonly #now: () => number;
  /** By their numbers, in the order in which they were sent. */
  readonly #calls = new Map<number, Call>();
  readonly #free: number[] = Array.from({ length: PLACES }, (_, place) => PLACES - 1 - place);
  #outgoing: ToThread[] = [];
  #transfer: ArrayBuffer[] = [];
  #last = 0;
  isReady = false;
  isEnding = false;
  isOver = false;
  /** Ends it when it has been without work for a while. */
  idleTimer: NodeJS.Timeout | undefined;

  constructor(link: Link, claims: Claims | undefined, now: () => number, listener: SessionListener) {
    this.#link = link;
    this.#claims = claims;
    this.#now = now;
    this.#listener = listener;
    this.#services = new HostServices({
      say: (message) => this.#say(message),
      now,
      onSleep: (call, isAsleep) => listener.onSleep(call, isAsleep),
    });
    link.onBatch((batch) => {
      for (const message of batch) this.#hear(message);
    });
    link.onEnd((end) => this.#ended(end));
  }

  /** How many calls it has. */
  get size(): number {
    return this.#calls.size;
  }

  /** Whether it can be given a call. One whose calls cannot be taken back gets only what it can begin at once. */
  hasRoomFor(call: Call): boolean {
    if (!this.isReady || this.isEnding || this.#calls.size >= PLACES) return false;
    if (this.#claims !== undefined || this.#calls.size === 0) return true;
    if (this.#calls.size >= call.limits.concurrent) return false;
    for (const other of this.#calls.values()) if (other.name !== call.name) return false;
    return true;
  }

  /** Gives it a call. */
  send(call: Call): void {
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
    const { locks, dependencies } = context;
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
      input: context.input,
      inputData: context.inputData,
      dependencies,
      attempt: invocation.attempt,
      idempotencyKey: context.idempotencyKey,
      tokens,
      tellsBegin: call.limits.timeoutMs !== undefined,
      now: this.#now(),
    });
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
    this.#say({ type: 'abort', id: call.id, reason: packError(reason) });
  }

  has(call: Call): boolean {
    return this.#calls.get(call.id) === call;
  }

  /** Lets it end by itself: nothing more will come. */
  end(): void {
    if (this.isEnding) return;
    this.isEnding = true;
    this.#say({ type: 'end' });
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
    const transfer = this.#transfer;
    this.#outgoing = [];
    this.#transfer = [];
    if (this.isOver) return;
    try {
      this.#link.post(batch, transfer);
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
      default:
        this.#hearOf(message);
    }
  }

  #hearOf(message: Exclude<ToHost, { readonly type: 'ready' | 'unloadable' }>): void {
    const call = this.#calls.get(message.id);
    if (call === undefined) return;
    switch (message.type) {
      case 'ended':
        this.#forget(call);
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
  }

  #ended(end: LinkEnd): void {
    this.isOver = true;
    clearTimeout(this.idleTimer);
    const left: Call[] = [];
    const begun: Call[] = [];
    for (const call of this.#calls.values())
      (this.#claims?.isBegun(call.place, call.id) === false ? left : begun).push(call);
    this.#calls.clear();
    this.#listener.onEnd(this, end, left, begun);
  }
}

const RESOLVED = Promise.resolve();
