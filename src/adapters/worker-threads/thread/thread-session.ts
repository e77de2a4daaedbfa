/**
 * The life of a thread: it loads a module of handlers, executes the calls that its host sends, and tells what came of
 * them.
 *
 * Owns: the calls that wait in this thread, and those that are executed. Who may call it: the entry of a thread or of
 * a child process.
 *
 * TS1  One call is executed at a time, except those of handlers that were declared `concurrent`.
 * TS2  A call is begun only after its claim was won, so that the host can take back what waits behind a busy one.
 * TS3  Each call starts in the async context of the session: none sees what another has left there.
 * TS4  A thread that is told to end ends when what it was sent before is over.
 * TS5  What a handler throws, returns or leaves open ends its own call only, as far as a thread can contain it.
 */
import { attemptOver } from '../../../model/lock-options.ts';
import { restoreErrors } from '../carried-errors.ts';
import { Claims } from '../claims.ts';
import { packError, unpackError } from '../error-envelope.ts';
import type { CallMessage, SessionStart, ToHost, ToThread, Wire } from '../protocol.ts';
import { ShortWait } from '../short-wait.ts';
import { Asks } from './asks.ts';
import { CallScope } from './call-scope.ts';
import { functionOf, loadFunctions, type ModuleFunctions } from './load-module.ts';
import { Outbox } from './outbox.ts';
import { packResult } from './result.ts';
import { ThreadContext, type ThreadServices } from './thread-context.ts';

/** A handler that took less than this, in milliseconds, is quick: what was said before it need not be posted first. */
const QUICK_MS = 0.2;

export class ThreadSession {
  readonly #start: SessionStart;
  readonly #claims: Claims | undefined;
  readonly #outbox: Outbox;
  readonly #asks: Asks;
  readonly #services: ThreadServices;
  readonly #scope = new CallScope();
  readonly #executeOne = (call: CallMessage, context: ThreadContext): void => this.#execute(call, context);
  readonly #waiting: CallMessage[] = [];
  #next = 0;
  readonly #contexts = new Map<number, ThreadContext>();
  /** How many calls of each handler are executed. */
  readonly #executing = new Map<string, number>();
  #count = 0;
  /** Whether what is executed must be alone. */
  #isAlone = false;
  readonly #tookMs = new Map<string, number>();
  readonly #wait = new ShortWait({ isExpecting: () => this.#isFree });
  #functions: ModuleFunctions | undefined;
  /** The host's clock, where it is a virtual one. */
  #now = 0;
  #end: () => void = () => {};
  /** Nothing more will come. */
  #isEnding = false;
  #isLoading = true;

  constructor(wire: Wire<ToHost, ToThread>, start: SessionStart) {
    this.#start = start;
    this.#claims = start.claims === undefined ? undefined : new Claims(start.claims);
    this.#outbox = new Outbox(wire as Wire<ToHost, never>);
    const say = (message: ToHost): void => this.#outbox.say(message);
    this.#asks = new Asks(say);
    const { isVirtual } = start;
    this.#services = { say, asks: this.#asks, isVirtual, now: isVirtual ? () => this.#now : Date.now };
    wire.onBatch((batch) => {
      this.#wait.heard();
      this.#take(batch);
      if (this.#isFree) this.#wait.begin();
    });
  }

  /** Whether it has nothing to do until the next message. */
  get #isFree(): boolean {
    return this.#count === 0 && !this.#isEnding;
  }

  /** Resolves when the host has said that nothing more will come, and what had come before is over. */
  async run(threadId: number): Promise<void> {
    const ended = new Promise<void>((resolve) => {
      this.#end = resolve;
    });
    try {
      const { url, concurrent } = this.#start;
      const functions = await loadFunctions(url);
      // A limit under a mistyped name would hold for nothing.
      for (const name of Object.keys(concurrent))
        functionOf(functions, name, url, `workerHandlers/handlers/${name}`);
      this.#functions = functions;
      this.#outbox.say({ type: 'ready', threadId, names: [...functions.keys()] });
    } catch (thrown) {
      this.#outbox.say({ type: 'unloadable', error: packError(thrown) });
    }
    this.#isLoading = false;
    this.#outbox.flush();
    this.#pump();
    this.#endWhenOver();
    await ended;
    this.#outbox.flush();
  }

  /** An error that nobody catches ends the thread now: says so, after all that was said before. */
  dying(error: unknown): void {
    this.#outbox.say({ type: 'dying', error: packError(error) });
    this.#outbox.flush();
  }

  #endWhenOver(): void {
    if (!this.#isEnding || this.#isLoading || this.#count > 0) return;
    if (this.#functions === undefined || this.#next >= this.#waiting.length) this.#end();
  }

  #take(batch: readonly ToThread[]): void {
    for (const message of batch) {
      if ('now' in message) this.#now = Math.max(this.#now, message.now);
      if (this.#start.isVirtual && message.type !== 'call' && message.type !== 'end')
        this.#confirm(message.id);
      switch (message.type) {
        case 'call':
          restoreErrors(message.errors);
          this.#waiting.push(message);
          break;
        case 'abort':
          // It may have come in one batch with its call, which is to hear of it.
          if (!this.#contexts.has(message.id)) this.#pump();
          this.#contexts.get(message.id)?.abort(unpackError(message.reason));
          break;
        case 'answer':
          this.#asks.answer(message.ask, message.value);
          break;
        case 'refusal':
          this.#asks.refuse(message.ask, unpackError(message.error));
          break;
        case 'taken':
          this.#asks.taken(message.grant);
          break;
        case 'end':
          this.#isEnding = true;
      }
    }
    this.#pump();
    this.#endWhenOver();
  }

  /** Tells the host, whose virtual clock stands still for it, that a handler has heard a message and had its turn. */
  #confirm(id: number): void {
    setImmediate(() => {
      if (this.#contexts.has(id)) this.#asks.tell(id, { what: 'real', isOn: false });
    });
  }

  /** Begins what may be begun, in the order of arrival. */
  #pump(): void {
    if (this.#functions === undefined) return;
    while (this.#next < this.#waiting.length) {
      const call = this.#waiting[this.#next] as CallMessage;
      if (!this.#mayBegin(call.name)) return;
      this.#next++;
      if (this.#next > 64 && this.#next * 2 > this.#waiting.length) {
        this.#waiting.splice(0, this.#next);
        this.#next = 0;
      }
      if (this.#claims === undefined || this.#claims.begin(call.slot, call.id)) this.#begin(call);
    }
  }

  #mayBegin(name: string): boolean {
    if (this.#count === 0) return true;
    if (this.#isAlone) return false;
    const limit = this.#limitOf(name);
    return limit > 1 && (this.#executing.get(name) ?? 0) < limit;
  }

  #limitOf(name: string): number {
    const { concurrent } = this.#start;
    return Object.hasOwn(concurrent, name) ? (concurrent[name] as number) : 1;
  }

  #begin(call: CallMessage): void {
    const { name } = call;
    this.#count++;
    this.#executing.set(name, (this.#executing.get(name) ?? 0) + 1);
    this.#isAlone = this.#limitOf(name) === 1;
    if (call.tellsBegin) this.#outbox.say({ type: 'begun', id: call.id });
    // What a slow handler keeps the thread from posting would come late.
    if (call.tellsBegin || (this.#tookMs.get(name) ?? Number.POSITIVE_INFINITY) > QUICK_MS)
      this.#outbox.flush();
    const context = new ThreadContext(call, this.#services);
    this.#contexts.set(call.id, context);
    this.#scope.run(this.#executeOne, call, context);
  }

  #execute(call: CallMessage, context: ThreadContext): void {
    const startedAt = performance.now();
    try {
      const handler = functionOf(this.#functions as ModuleFunctions, call.name, this.#start.url);
      const returned = handler(context as never);
      if (!isThenable(returned)) {
        this.#tookMs.set(call.name, performance.now() - startedAt);
        this.#succeed(call, context, returned);
        return;
      }
      returned.then(
        (output) => this.#succeed(call, context, output, true),
        (thrown: unknown) => this.#fail(call, context, thrown, true),
      );
      this.#tookMs.set(call.name, performance.now() - startedAt);
    } catch (thrown) {
      this.#tookMs.set(call.name, performance.now() - startedAt);
      this.#fail(call, context, thrown);
    }
  }

  #succeed(call: CallMessage, context: ThreadContext, output: unknown, pumps = false): void {
    if (context.isOver) return;
    try {
      const { value, moved, errors } = packResult(output, call.path);
      context.close();
      this.#outbox.say({ type: 'ended', id: call.id, output: value, errors }, moved);
    } catch (thrown) {
      this.#fail(call, context, thrown, pumps);
      return;
    }
    this.#over(call, context, pumps);
  }

  #fail(call: CallMessage, context: ThreadContext, thrown: unknown, pumps = false): void {
    // A thenable of the host's own may answer twice.
    if (context.isOver) return;
    context.close();
    this.#outbox.say({ type: 'failed', id: call.id, error: packError(thrown) });
    this.#over(call, context, pumps);
  }

  #over(call: CallMessage, context: ThreadContext, pumps: boolean): void {
    context.isOver = true;
    this.#asks.end(call.id, () => attemptOver(call));
    this.#claims?.end(call.slot, call.id);
    this.#contexts.delete(call.id);
    this.#count--;
    const left = (this.#executing.get(call.name) ?? 1) - 1;
    if (left === 0) this.#executing.delete(call.name);
    else this.#executing.set(call.name, left);
    if (this.#count === 0) this.#isAlone = false;
    if (pumps) {
      this.#pump();
      if (this.#isFree) this.#wait.begin();
    }
    this.#endWhenOver();
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
  );
}
