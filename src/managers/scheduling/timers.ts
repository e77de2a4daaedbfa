/**
 * All waits of an orchestrator, behind one timer of the clock.
 *
 * Owns: the pending timers and the one clock timer that serves the earliest of them. Who may call it: every
 * manager; it is the only caller of `Clock.setTimer`.
 *
 * K1  A timer fires once, never early, in the order of due time, then of setting.
 * K2  Setting and stopping cost O(log n), and only a new earliest one touches the clock.
 * K3  Waits longer than a clock timer can be (2^31 - 1 ms) are cut into several.
 * K4  A callback that throws keeps no other from ringing; its error goes to whoever runs the timers of the clock.
 */
import { type HeapHandle, IndexedHeap } from '../../base/heap.ts';
import type { CancelTimer, Clock } from '../../ports/clock.ts';

const CLOCK_TIMER_MS_MAX = 2_147_483_647;

interface Entry {
  readonly dueAt: number;
  readonly callback: () => void;
}

/** A timer that was set. */
export type Timer = HeapHandle<Entry>;

export class Timers {
  readonly #clock: Clock;
  readonly #heap = new IndexedHeap<Entry>((a, b) => a.dueAt - b.dueAt);
  #armedFor = Number.POSITIVE_INFINITY;
  #disarm: CancelTimer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** How many are pending. */
  get size(): number {
    return this.#heap.size;
  }

  /** Milliseconds by the clock that never jumps. */
  monotonic(): number {
    return this.#clock.monotonic();
  }

  /** @param delayMs - 0 or more, without an upper limit */
  set(delayMs: number, callback: () => void): Timer {
    const dueAt = this.#clock.monotonic() + Math.max(0, delayMs);
    const timer = this.#heap.push({ dueAt, callback });
    if (dueAt < this.#armedFor) this.#arm(dueAt);
    return timer;
  }

  /** Does nothing when the timer has fired or was stopped. */
  stop(timer: Timer | undefined): void {
    if (timer === undefined) return;
    this.#heap.remove(timer);
    // The clock is left to ring in vain, unless nothing is pending: then it must not keep the process alive.
    if (this.#heap.size === 0) this.#rest();
  }

  /** Stops all. */
  clear(): void {
    while (this.#heap.pop() !== undefined);
    this.#rest();
  }

  #rest(): void {
    this.#disarm?.();
    this.#disarm = undefined;
    this.#armedFor = Number.POSITIVE_INFINITY;
  }

  #arm(dueAt: number): void {
    this.#disarm?.();
    this.#armedFor = dueAt;
    // Rounded up: a clock that counts whole milliseconds would otherwise ring up to one too early.
    const delay = Math.min(CLOCK_TIMER_MS_MAX, Math.max(0, Math.ceil(dueAt - this.#clock.monotonic())));
    this.#disarm = this.#clock.setTimer(delay, () => this.#ring());
  }

  #ring(): void {
    this.#disarm = undefined;
    this.#armedFor = Number.POSITIVE_INFINITY;
    const now = this.#clock.monotonic();
    try {
      for (let next = this.#heap.peek(); next !== undefined && next.dueAt <= now; next = this.#heap.peek()) {
        this.#heap.pop();
        next.callback();
      }
    } finally {
      const next = this.#heap.peek();
      if (next !== undefined && next.dueAt < this.#armedFor) this.#arm(next.dueAt);
    }
  }
}
