/**
 * What calls in a thread wait for from their host: locks, and time when the host's clock is a virtual one.
 *
 * Owns: the waits under way. Who may call it: the contexts of calls; the session hands the answers in.
 *
 * AK1  Each ask is answered once, or is of no interest any more because its signal was aborted.
 */
import type { Ask, ToHost } from '../protocol.ts';

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (reason: unknown) => void;
}

/** A grant, as far as its end by the host concerns it. */
interface Held {
  takenBack(): void;
}

export class Asks {
  readonly #say: (message: ToHost) => void;
  readonly #waiting = new Map<number, Waiting>();
  /** What was granted and not given back. */
  readonly #held = new Map<number, Held>();
  #last = 0;

  constructor(say: (message: ToHost) => void) {
    this.#say = say;
  }

  /** Asks for something; the wait ends early, with the reason, when one of the signals is aborted. */
  ask(id: number, about: Ask, signals: readonly (AbortSignal | undefined)[] = []): Promise<unknown> {
    const ask = ++this.#last;
    return new Promise((resolve, reject) => {
      const found = signals.find((signal) => signal?.aborted);
      if (found !== undefined) {
        reject(found.reason);
        return;
      }
      const stop = (event: Event): void => {
        if (!this.#waiting.delete(ask)) return;
        settle();
        this.#say({ type: 'unask', id, ask });
        reject((event.target as AbortSignal).reason);
      };
      const settle = (): void => {
        for (const signal of signals) signal?.removeEventListener('abort', stop);
      };
      for (const signal of signals) signal?.addEventListener('abort', stop, { once: true });
      this.#waiting.set(ask, {
        resolve: (value) => {
          settle();
          resolve(value);
        },
        reject: (reason) => {
          settle();
          reject(reason);
        },
      });
      this.#say({ type: 'ask', id, ask, about });
    });
  }

  /** Tells something to the host of which no answer is waited for. */
  tell(id: number, about: Ask): void {
    this.#say({ type: 'ask', id, ask: 0, about });
  }

  /** A grant is held from now on. */
  holds(grant: number, held: Held): void {
    this.#held.set(grant, held);
  }

  letsGo(grant: number): void {
    this.#held.delete(grant);
  }

  /** The host has taken a grant back. */
  taken(grant: number): void {
    this.#held.get(grant)?.takenBack();
    this.#held.delete(grant);
  }

  answer(ask: number, value: unknown): void {
    this.#take(ask)?.resolve(value);
  }

  refuse(ask: number, reason: unknown): void {
    this.#take(ask)?.reject(reason);
  }

  #take(ask: number): Waiting | undefined {
    const waiting = this.#waiting.get(ask);
    this.#waiting.delete(ask);
    return waiting;
  }
}
