import type { HostTurn } from '../../ports/host-turn.ts';

/** How long the loop may keep the event loop from turning, in milliseconds; well below the promised 50. */
const TURN_MS_MAX = 20;

const resolved = Promise.resolve();

/** Microtasks and the event loop of Node. */
export class SystemTurn implements HostTurn {
  #turnStartedAt = 0;
  #marked = false;

  soon(callback: () => void): void {
    void resolved.then(callback);
  }

  /** The first question of a turn of the event loop starts its time; a mark at the next turn ends it. */
  isDue(): boolean {
    if (!this.#marked) {
      this.#marked = true;
      this.#turnStartedAt = performance.now();
      // Not held: a mark alone is no reason for the process to live.
      setImmediate(() => {
        this.#marked = false;
      }).unref();
      return false;
    }
    return performance.now() - this.#turnStartedAt >= TURN_MS_MAX;
  }

  afterTurn(callback: () => void): void {
    setImmediate(callback);
  }
}
