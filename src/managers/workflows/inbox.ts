/**
 * The commands that wait to be decided, first come first served.
 *
 * Owns: two lists of which one is filled while the other is emptied. Who may call it: the run loop.
 *
 * IN1  What comes while a round is decided waits for the next round, behind what was too much for this one.
 */
import { Batch } from '../../base/batch.ts';
import type { Envelope } from './live-run.ts';

export class Inbox {
  #waiting = new Batch<Envelope>();
  #spare = new Batch<Envelope>();

  /** How many wait. */
  get size(): number {
    return this.#waiting.size;
  }

  push(envelope: Envelope): void {
    this.#waiting.push(envelope);
  }

  /** Puts commands in front of all that wait. */
  putFirst(envelopes: readonly Envelope[]): void {
    const later = this.#waiting.toArray();
    this.#waiting.clear();
    for (const envelope of envelopes) this.#waiting.push(envelope);
    for (const envelope of later) this.#waiting.push(envelope);
  }

  /** Hands out those that wait now, at most `limit`, so that a flood is cut into rounds. */
  drain(limit: number, visit: (envelope: Envelope) => void): void {
    const round = this.#waiting;
    const { size } = round;
    if (size === 0) return;
    this.#waiting = this.#spare;
    const count = Math.min(size, limit);
    for (let i = 0; i < count; i++) visit(round.at(i));
    if (size > count) this.putFirst(round.toArray().slice(count));
    round.clear();
    this.#spare = round;
  }
}
