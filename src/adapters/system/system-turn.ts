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
  isDue(now = Date.now()): boolean {
    if (!this.#marked) {
      this.#marked = true;
      this.#turnStartedAt = now;
      // Not held: a mark alone is no reason for the process to live.
      setImmediate(() => {
        this.#marked = false;
      }).unref();
      return false;
    }
    const passed = now - this.#turnStartedAt;
    // A clock that was put back tells nothing: better a turn too many.
    return passed >= TURN_MS_MAX || passed < 0;
  }

  afterTurn(callback: () => void): void {
    setImmediate(callback);
  }
}
