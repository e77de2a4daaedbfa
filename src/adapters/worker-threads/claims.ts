/**
 * Who has a call: the host, which may still send it to another thread, or the thread, which has begun it. Both look
 * at the same memory, so a thread that spins for ever cannot keep what waits behind it.
 *
 * Owns: a number for each place. Who may call it: the session (host) and the thread.
 *
 * CL1  A call is begun, or taken back, never both: each is one atomic exchange from "waits".
 * CL2  A place that was given to another call tells the earlier one that it was taken back.
 */

/** Calls that can wait or be executed at once in a thread whose handlers are executed one at a time. */
export const PLACES = 256;

/** The same for a thread with handlers of which so many calls may be executed at once: each can reach its limit. */
export function placesFor(concurrent: readonly number[]): number {
  return PLACES - 1 + Math.max(1, ...concurrent);
}

const DONE = 0;
const WAITS = 1;
const BEGUN = 2;
const TAKEN_BACK = 3;

/** The state of a call: its id above, what became of it in the two lowest bits. */
function word(id: number, state: number): number {
  return (id << 2) | state | 0;
}

export class Claims {
  readonly memory: SharedArrayBuffer;
  readonly #words: Int32Array;

  /** @param given - the memory of the other side, or how many places there are to be */
  constructor(given: SharedArrayBuffer | number = PLACES) {
    this.memory =
      typeof given === 'number' ? new SharedArrayBuffer(given * Int32Array.BYTES_PER_ELEMENT) : given;
    this.#words = new Int32Array(this.memory);
  }

  /** The host: a call waits here from now on. */
  put(place: number, id: number): void {
    Atomics.store(this.#words, place, word(id, WAITS));
  }

  /** The thread: whether it may begin the call. */
  begin(place: number, id: number): boolean {
    const waits = word(id, WAITS);
    return Atomics.compareExchange(this.#words, place, waits, word(id, BEGUN)) === waits;
  }

  /** The thread: what came of the call is said, and perhaps not posted yet. */
  end(place: number, id: number): void {
    // The host may have heard of it, and given the place to another call.
    Atomics.compareExchange(this.#words, place, word(id, BEGUN), word(id, DONE));
  }

  /** The host: whether the call was not begun, and now never will be. */
  takeBack(place: number, id: number): boolean {
    const waits = word(id, WAITS);
    return Atomics.compareExchange(this.#words, place, waits, word(id, TAKEN_BACK)) === waits;
  }

  /** The host: whether the call was begun and has not ended. */
  isBegun(place: number, id: number): boolean {
    return Atomics.load(this.#words, place) === word(id, BEGUN);
  }

  /** The host: whether the call has ended, and what came of it may not have been posted. */
  isDone(place: number, id: number): boolean {
    return Atomics.load(this.#words, place) === word(id, DONE);
  }

  /** The host: whether the call was not begun yet. */
  isWaiting(place: number, id: number): boolean {
    return Atomics.load(this.#words, place) === word(id, WAITS);
  }
}
