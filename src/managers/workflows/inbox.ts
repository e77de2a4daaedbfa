/**
 * The commands that wait to be decided, first come first served.
 *
 * Owns: the round that is being decided, and what has come since. Who may call it: the run loop.
 *
 * IN1  What comes while a round is decided waits for the next round, behind what was too much for this one.
 * IN2  Each command is looked at once, however many wait.
 */
import { Batch } from '../../base/batch.ts';
import type { Envelope } from './live-run.ts';

export class Inbox {
  #round = new Batch<Envelope>();
  /** How many of the round were handed out. */
  #done = 0;
  #arriving = new Batch<Envelope>();

  /** How many wait. */
  get size(): number {
    return this.#round.size - this.#done + this.#arriving.size;
  }

  push(envelope: Envelope): void {
    this.#arriving.push(envelope);
  }

  /** Puts commands in front of all that wait. */
  putFirst(envelopes: readonly Envelope[]): void {
    const waiting = [...this.#round.slice(this.#done, this.#round.size), ...this.#arriving.toArray()];
    this.#round = new Batch();
    this.#done = 0;
    this.#arriving = new Batch();
    for (const envelope of envelopes) this.#arriving.push(envelope);
    for (const envelope of waiting) this.#arriving.push(envelope);
  }

  /** Hands out those that wait now, at most `limit`, so that a flood is cut into rounds. */
  drain(limit: number, visit: (envelope: Envelope) => void): void {
    if (this.#round.size === 0) {
      const empty = this.#round;
      this.#round = this.#arriving;
      this.#arriving = empty;
    }
    const round = this.#round;
    const end = Math.min(round.size, this.#done + limit);
    // What a visit puts first replaces the round; the rest of it is then among what is put back.
    while (this.#round === round && this.#done < end) visit(round.at(this.#done++));
    if (this.#round !== round || this.#done < round.size) return;
    round.clear();
    this.#done = 0;
  }
}
