/**
 * The calls that wait for a thread, first come first served, within the limits of their handlers.
 *
 * Owns: the queue, and how many calls of each limited handler are under way. Who may call it: the module pool.
 *
 * CQ1  A call of a handler that is at its limit stands aside and holds nobody back.
 * CQ2  A limit of what may wait means the same wherever a call waits, here or in a thread that has not begun it.
 * CQ3  What comes back because its thread has died goes in front of all others, in its order.
 */
import { LinkedSet } from '../../base/linked-set.ts';
import { OrchestratorError } from '../../model/errors.ts';
import type { WorkerModule } from '../../model/worker-handlers.ts';
import type { Call } from './call.ts';
import { type CountedThread, waitingCalls } from './waiting-calls.ts';

export class CallQueue {
  readonly #module: WorkerModule;
  readonly #threads: ReadonlySet<CountedThread>;
  // They keep the order of arrival and let any call leave at once.
  #first = new LinkedSet<Call>();
  readonly #later = new LinkedSet<Call>();
  /** Of handlers that are at their limit. */
  readonly #aside = new Map<string, LinkedSet<Call>>();
  readonly #underWay = new Map<string, number>();
  readonly #waiting = new Map<string, number>();
  #size = 0;

  /** @param threads - those of the module, as they are at any time */
  constructor(module: WorkerModule, threads: ReadonlySet<CountedThread>) {
    this.#module = module;
    this.#threads = threads;
  }

  /** How many wait. */
  get size(): number {
    return this.#size;
  }

  /** Lets a call wait; returns why not, when too many do. */
  push(call: Call): OrchestratorError | undefined {
    const { settings, url } = this.#module;
    const ofHandler = call.limits.queue ?? settings.queue;
    let open = this.#size;
    for (const { size } of this.#threads) open += size;
    this.#enter(call, this.#later);
    if (open < Math.min(ofHandler, settings.queue)) return undefined;
    const waiting = waitingCalls(this.#waiting, this.#threads, settings);
    let all = 0;
    for (const count of waiting.values()) all += count;
    const full = all > settings.queue;
    if (!full && (waiting.get(call.name) ?? 0) <= ofHandler) return undefined;
    this.#leave(call);
    const limit = full ? settings.queue : ofHandler;
    const whose = full ? url : `the handler ${JSON.stringify(call.name)}`;
    return new OrchestratorError(
      'QUEUE_FULL',
      `calls for threads of ${whose}: found ${limit} that wait; allowed: ${limit}. Raise the limit, or start fewer tasks at once.`,
      { details: { limit, url, handler: call.name } },
    );
  }

  /** Puts calls in front that were sent and not begun. */
  putBack(calls: readonly Call[]): void {
    if (calls.length === 0) return;
    const rest = this.#first;
    this.#first = new LinkedSet();
    for (const call of calls) {
      this.#uncount(call);
      this.#enter(call, this.#first);
    }
    for (const call of rest) this.#first.add(call);
  }

  /** The call that is next and may be sent. */
  peek(): Call | undefined {
    for (const list of [this.#first, this.#later]) {
      for (let call = list.oldest; call !== undefined; call = list.oldest) {
        if (!this.#isAtLimit(call)) return call;
        list.delete(call);
        this.#asideOf(call.name).add(call);
      }
    }
    return undefined;
  }

  /** Takes out what `peek` has given; it is under way now. */
  shift(): void {
    const call = this.peek();
    if (call === undefined) return;
    this.#leave(call);
    if (call.limits.concurrency === undefined) return;
    call.isCounted = true;
    this.#underWay.set(call.name, (this.#underWay.get(call.name) ?? 0) + 1);
  }

  /** Takes a call out that waits; `false` when it does not. */
  remove(call: Call): boolean {
    const isNext = this.#first.has(call) || this.#later.has(call);
    if (!isNext && this.#aside.get(call.name)?.has(call) !== true) return false;
    this.#leave(call);
    // It may have come back from a thread, with others behind it that stand aside for its sake.
    if (isNext) this.#letGo(call.name);
    return true;
  }

  /** A call is over; returns whether one that stood aside may go now. */
  over(call: Call): boolean {
    return this.#uncount(call) && this.#letGo(call.name);
  }

  /** One of a handler that stands aside does so no more; returns whether there was one. */
  #letGo(name: string): boolean {
    const aside = this.#aside.get(name);
    const next = aside?.oldest;
    if (aside === undefined || next === undefined) return false;
    aside.delete(next);
    if (aside.size === 0) this.#aside.delete(name);
    this.#first.add(next);
    return true;
  }

  /** Takes everything out. */
  drain(): readonly Call[] {
    const all = [...this.#first, ...this.#later, ...[...this.#aside.values()].flatMap((set) => [...set])];
    for (const call of all) this.#leave(call);
    return all;
  }

  #enter(call: Call, list: LinkedSet<Call>): void {
    list.add(call);
    this.#size++;
    this.#waiting.set(call.name, (this.#waiting.get(call.name) ?? 0) + 1);
  }

  #leave(call: Call): void {
    const aside = this.#aside.get(call.name);
    if (!this.#first.delete(call) && !this.#later.delete(call) && !aside?.delete(call)) return;
    if (aside?.size === 0) this.#aside.delete(call.name);
    this.#size--;
    const left = (this.#waiting.get(call.name) ?? 1) - 1;
    if (left === 0) this.#waiting.delete(call.name);
    else this.#waiting.set(call.name, left);
  }

  #isAtLimit({ name, limits }: Call): boolean {
    return limits.concurrency !== undefined && (this.#underWay.get(name) ?? 0) >= limits.concurrency;
  }

  #asideOf(name: string): LinkedSet<Call> {
    let aside = this.#aside.get(name);
    if (aside === undefined) {
      aside = new LinkedSet();
      this.#aside.set(name, aside);
    }
    return aside;
  }

  #uncount(call: Call): boolean {
    if (!call.isCounted) return false;
    call.isCounted = false;
    const left = (this.#underWay.get(call.name) ?? 1) - 1;
    if (left === 0) this.#underWay.delete(call.name);
    else this.#underWay.set(call.name, left);
    return true;
  }
}
