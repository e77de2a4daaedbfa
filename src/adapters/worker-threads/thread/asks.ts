/**
 * What calls in a thread wait for from their host: locks, and time when the host's clock is a virtual one.
 *
 * Owns: the waits under way, and what was granted. Who may call it: the contexts of calls; the session hands the answers
 * in and says when a call is over.
 *
 * AK1  Each ask is answered once, or is of no interest any more because its signal was aborted, or its call has ended.
 */
import type { Ask, ToHost } from '../protocol.ts';

interface Waiting {
  readonly id: number;
  readonly what: Ask['what'];
  /** Nobody listens to the signals for it any more. */
  readonly settle: () => void;
  readonly resolve: (value: unknown) => void;
  readonly reject: (reason: unknown) => void;
}

/** A grant, as far as its end by the host concerns it. */
interface Held {
  takenBack(): void;
}

/** What one call waits for, and what it was granted and has not given back. */
interface OfCall {
  readonly waits: Set<number>;
  readonly grants: Map<number, Held>;
}

export class Asks {
  readonly #say: (message: ToHost) => void;
  readonly #waiting = new Map<number, Waiting>();
  /** The call of each grant. */
  readonly #holders = new Map<number, number>();
  readonly #calls = new Map<number, OfCall>();
  #last = 0;

  constructor(say: (message: ToHost) => void) {
    this.#say = say;
  }

  /**
   * Asks for something; the wait ends early, with the reason, when one of the signals is aborted. `made` makes of the
   * answer what is waited for, at once: what comes next from the host may already be about it.
   */
  ask<Made = unknown>(
    id: number,
    about: Ask,
    signals: readonly (AbortSignal | undefined)[] = [],
    made: (value: unknown) => Made = (value) => value as Made,
  ): Promise<Made> {
    const ask = ++this.#last;
    return new Promise((resolve, reject) => {
      const found = signals.find((signal) => signal?.aborted);
      if (found !== undefined) {
        reject(found.reason);
        return;
      }
      const stop = (event: Event): void => {
        if (this.#take(ask) === undefined) return;
        this.#say({ type: 'unask', id, ask });
        reject((event.target as AbortSignal).reason);
      };
      const settle = (): void => {
        for (const signal of signals) signal?.removeEventListener('abort', stop);
      };
      for (const signal of signals) signal?.addEventListener('abort', stop, { once: true });
      const take = (value: unknown): void => resolve(made(value));
      this.#waiting.set(ask, { id, what: about.what, settle, resolve: take, reject });
      this.#of(id).waits.add(ask);
      this.#say({ type: 'ask', id, ask, about });
    });
  }

  /** Tells something to the host of which no answer is waited for. */
  tell(id: number, about: Ask): void {
    this.#say({ type: 'ask', id, ask: 0, about });
  }

  /** A call holds a grant from now on. */
  holds(id: number, grant: number, held: Held): void {
    this.#holders.set(grant, id);
    this.#of(id).grants.set(grant, held);
  }

  letsGo(grant: number): Held | undefined {
    const holder = this.#calls.get(this.#holders.get(grant) ?? 0);
    const held = holder?.grants.get(grant);
    this.#holders.delete(grant);
    holder?.grants.delete(grant);
    return held;
  }

  /** The host has taken a grant back. */
  taken(grant: number): void {
    this.letsGo(grant)?.takenBack();
  }

  answer(ask: number, value: unknown): void {
    this.#take(ask)?.resolve(value);
  }

  refuse(ask: number, reason: unknown): void {
    this.#take(ask)?.reject(reason);
  }

  /** A call is over: its waits for locks end with an error, and the host has what it held. */
  end(id: number, over: () => unknown): void {
    const call = this.#calls.get(id);
    if (call === undefined) return;
    for (const ask of call.waits) {
      const waiting = this.#take(ask);
      if (waiting?.what === 'acquire') waiting.reject(over());
    }
    for (const grant of call.grants.keys()) this.taken(grant);
    this.#calls.delete(id);
  }

  #of(id: number): OfCall {
    let call = this.#calls.get(id);
    if (call === undefined) {
      call = { waits: new Set(), grants: new Map() };
      this.#calls.set(id, call);
    }
    return call;
  }

  #take(ask: number): Waiting | undefined {
    const waiting = this.#waiting.get(ask);
    if (waiting === undefined) return undefined;
    this.#waiting.delete(ask);
    this.#calls.get(waiting.id)?.waits.delete(ask);
    waiting.settle();
    return waiting;
  }
}
