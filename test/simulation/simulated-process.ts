/**
 * A process: its clock, and whether it is alive. What it does is in the files beside it.
 *
 * Owns: these flags. Who may call it: the simulation.
 */
import type { Clock } from '@taskmaster-ai/orchestrator';
import { EPOCH_MS } from './epoch.ts';
import type { Mortal, World } from './world.ts';

export class SimulatedProcess implements Mortal {
  readonly number: number;
  readonly clock: Clock;
  isAlive = true;
  isPaused = false;
  /** Somebody else has taken the store. */
  isFenced = false;
  /** It has recovered, and takes orders. */
  isOpen = false;
  epoch = 0;
  /** Calls of the store. */
  calls = 0;
  #holds = 0;
  #timers = 0;

  constructor(world: World, number: number, skew: () => number) {
    this.number = number;
    const bornAt = world.now;
    this.clock = {
      now: () => EPOCH_MS + world.now + skew(),
      monotonic: () => world.now - bornAt,
      setTimer: (delay, callback) => {
        this.#timers++;
        let isPending = true;
        const settle = (): boolean => {
          const was = isPending;
          if (was) this.#timers--;
          isPending = false;
          return was;
        };
        const stop = world.after(delay, () => settle() && callback(), this);
        return () => settle() && stop();
      },
      hold: () => {
        this.#holds++;
        let isHeld = true;
        return () => {
          if (isHeld) this.#holds--;
          isHeld = false;
        };
      },
    };
  }

  /** How often its clock is held. */
  get holds(): number {
    return this.#holds;
  }

  /** How many timers of its clock are pending. */
  get timers(): number {
    return this.#timers;
  }
}
