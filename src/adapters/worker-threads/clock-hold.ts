/**
 * Whether a virtual clock has to stand still for the calls of a module.
 *
 * Owns: the answer. Who may call it: the module pool, whenever something may have changed it.
 *
 * CH1  The clock stands still while anything goes on, or can be begun, that does not wait for it. A call that waits behind
 *      others which all wait for the clock does not keep it, or they would wait for each other for ever.
 * CH2  With the clock of the machine nothing is looked at: each call counts until it is over.
 */
import type { CallQueue } from './call-queue.ts';
import type { ModulePoolParts } from './pool-parts.ts';
import type { Session } from './session.ts';

export class ClockHold {
  readonly #parts: ModulePoolParts;
  readonly #sessions: ReadonlySet<Session>;
  readonly #queue: CallQueue;
  #isHeld = false;

  constructor(parts: ModulePoolParts, sessions: ReadonlySet<Session>, queue: CallQueue) {
    this.#parts = parts;
    this.#sessions = sessions;
    this.#queue = queue;
  }

  /** There is one call more, or less. */
  count(change: 1 | -1): void {
    if (this.#parts.isVirtual) this.reckon();
    else this.#parts.onCount(change);
  }

  /** Looks again. */
  reckon(): void {
    if (!this.#parts.isVirtual) return;
    const isHeld = this.#isBusy();
    if (isHeld === this.#isHeld) return;
    this.#isHeld = isHeld;
    this.#parts.onCount(isHeld ? 1 : -1);
  }

  #isBusy(): boolean {
    for (const session of this.#sessions) if (session.isAtWork) return true;
    const next = this.#queue.peek();
    if (next === undefined) return false;
    if (this.#sessions.size < this.#parts.module.settings.threads) return true;
    for (const session of this.#sessions)
      if (!session.isReady || session.isEnding || session.hasRoomFor(next)) return true;
    return false;
  }
}
