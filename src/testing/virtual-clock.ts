import { type HeapHandle, IndexedHeap } from '../base/heap.ts';
import { checkDuration, type Duration } from '../model/checks.ts';
import type { CancelTimer, Clock } from '../ports/clock.ts';

/** How a virtual clock behaves. */
export interface VirtualClockOptions {
  /** Where `now()` begins, in milliseconds since 1970. Default 0. */
  readonly startAt?: number;
  /**
   * Whether time passes by itself: when the program has nothing left to do but wait, the clock jumps to the next
   * timer. Default true.
   */
  readonly auto?: boolean;
}

interface Entry {
  readonly dueAt: number;
  readonly callback: () => void;
}

/**
 * A clock on which hours pass in microseconds. Give it to `Orchestrator.open({ clock })`; handlers that wait
 * with `clock.sleep` of their context, timeouts, backoffs and rates all follow it.
 *
 * Time stands still while anything real is under way that the orchestrator knows of (a thread, a disk). A
 * handler that waits for something real by itself, such as a socket, must say so: wrap it in `clock.real(promise)`.
 */
export class VirtualClock implements Clock {
  readonly #heap = new IndexedHeap<Entry>((a, b) => a.dueAt - b.dueAt);
  readonly #auto: boolean;
  readonly #startAt: number;
  #time = 0;
  #skew = 0;
  #holds = 0;
  #isRunning = false;
  #limit: number | undefined;

  constructor(options: VirtualClockOptions = {}) {
    this.#auto = options.auto ?? true;
    this.#startAt = options.startAt ?? 0;
  }

  now(): number {
    return this.#startAt + this.#time + this.#skew;
  }

  monotonic(): number {
    return this.#time;
  }

  setTimer(delayMs: number, callback: () => void): CancelTimer {
    const handle: HeapHandle<Entry> = this.#heap.push({ dueAt: this.#time + Math.max(0, delayMs), callback });
    this.#start();
    return () => this.#heap.remove(handle);
  }

  hold(): () => void {
    this.#holds++;
    let held = true;
    return () => {
      if (held) this.#holds--;
      held = false;
      this.#start();
    };
  }

  /** Lets time stand still until a real promise has settled. */
  async real<Value>(promise: PromiseLike<Value>): Promise<Value> {
    const letGo = this.hold();
    try {
      return await promise;
    } finally {
      letGo();
    }
  }

  /** How many timers are pending. */
  get pending(): number {
    return this.#heap.size;
  }

  /** Moves what `now()` says without time passing, as somebody who sets the clock of the machine does. */
  skew(byMs: number): void {
    this.#skew += byMs;
  }

  /**
   * Lets so much time pass, timer by timer, with everything done between that each timer sets off.
   * @throws what the callback of a timer throws; time stands at that timer then, and the others are still pending
   */
  async advance(duration: Duration): Promise<void> {
    const until = this.#time + checkDuration(duration, 'advance');
    this.#limit = until;
    try {
      await this.#turns(until);
      this.#time = Math.max(this.#time, until);
      await settleTurn();
    } finally {
      this.#limit = undefined;
      this.#start();
    }
  }

  /** Begins to let time pass by itself, if it should and does not yet. */
  #start(): void {
    if (
      !this.#auto ||
      this.#isRunning ||
      this.#limit !== undefined ||
      this.#holds > 0 ||
      this.#heap.size === 0
    )
      return;
    this.#isRunning = true;
    void this.#turns(Number.POSITIVE_INFINITY);
  }

  async #turns(until: number): Promise<void> {
    const isAlone = until === Number.POSITIVE_INFINITY;
    for (;;) {
      await settleTurn();
      const next = this.#holds > 0 ? undefined : this.#heap.peek();
      if (isAlone && (next === undefined || this.#limit !== undefined)) {
        // In this very turn: whoever lets the clock go or sets a timer from now on starts it again.
        this.#isRunning = false;
        return;
      }
      // Whoever holds the clock lets it go in a later turn.
      if (this.#holds > 0) continue;
      if (next === undefined || next.dueAt > until) return;
      this.#heap.pop();
      this.#time = Math.max(this.#time, next.dueAt);
      if (isAlone) ring(next);
      else next.callback();
    }
  }
}

/** What a timer throws is an uncaught exception, as with any other clock, and time goes on for whoever survives it. */
function ring({ callback }: Entry): void {
  try {
    callback();
  } catch (error) {
    setImmediate(() => {
      throw error;
    });
  }
}

/** One turn of the event loop: every promise that can settle without something real has settled then. */
function settleTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
