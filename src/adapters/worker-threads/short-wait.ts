/**
 * Stays awake for a short while where a message is expected soon. An idle processor takes long to wake, on virtual
 * machines 100 µs and more, and a call that wakes two of them costs that twice, however little it does.
 *
 * Owns: when to look again. Who may call it: the session (host), while calls are in its thread; the thread session, while it has none.
 *
 * SW1  It looks in turns of the event loop, so whatever else there is to do goes on, and messages come in their order.
 * SW2  It ends after `LOOK_MS` without a message. Where that happens again and again it is tried less and less: once in
 *      `PASSED_OVER_MAX` waits, so slow handlers pay for one in so many, and nobody pays while nothing is under way. A look
 *      that found something takes back one that did not, no more: several busy threads answer into some looks by chance.
 * SW3  With one processor there is no looking at all: the other side needs it.
 * SW4  Nothing is left of it when nothing is expected any more; it keeps no process alive longer than one look.
 */
import { availableParallelism } from 'node:os';
// Not the global functions: tests with timers of their own replace those, and time would stand still in the middle of a look.
import { setImmediate } from 'node:timers';

/** The longest look: longer than two processors take to wake, much shorter than work that is worth a thread. */
export const LOOK_MS = 0.2;

/** So many waits go by without a look, at most, after looks that found nothing. */
export const PASSED_OVER_MAX = 64;

/** What a wait needs from outside. */
export interface ShortWaitParts {
  /** Whether a message would find something to do with it. */
  readonly isExpecting: () => boolean;
  readonly processors?: number;
  readonly now?: () => number;
  readonly soon?: (turn: () => void) => void;
}

const processorsHere = availableParallelism();
const nowHere = performance.now.bind(performance);

export class ShortWait {
  readonly #isExpecting: () => boolean;
  readonly #now: () => number;
  readonly #soon: (turn: () => void) => void;
  readonly #isOff: boolean;
  readonly #turn = (): void => this.#look();
  #since = 0;
  #isLooking = false;
  /** How many waits still go by, and how many did after the last look that found nothing. */
  #passOver = 0;
  #passedOver = 0;

  constructor({ isExpecting, processors, now, soon }: ShortWaitParts) {
    this.#isExpecting = isExpecting;
    this.#now = now ?? nowHere;
    this.#soon = soon ?? setImmediate;
    this.#isOff = (processors ?? processorsHere) < 2;
  }

  /** A wait begins. One that has begun is not made longer by another: only what comes can do that. */
  begin(): void {
    if (this.#isOff || this.#isLooking) return;
    if (this.#passOver > 0) {
      this.#passOver--;
      return;
    }
    this.#since = this.#now();
    this.#isLooking = true;
    this.#soon(this.#turn);
  }

  /** What was waited for has come. */
  heard(): void {
    // One that comes after the end of a look says nothing: to have looked longer would not have been worth it.
    if (!this.#isLooking) return;
    this.#passedOver >>= 1;
    this.#since = this.#now();
  }

  #look(): void {
    if (!this.#isExpecting()) {
      this.#isLooking = false;
      return;
    }
    if (this.#now() - this.#since < LOOK_MS) {
      this.#soon(this.#turn);
      return;
    }
    this.#isLooking = false;
    this.#passedOver = Math.min(Math.max(1, this.#passedOver * 2), PASSED_OVER_MAX);
    this.#passOver = this.#passedOver;
  }
}
