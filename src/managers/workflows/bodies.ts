/**
 * Counts the bodies that are being executed, whether anybody still waits for them or not.
 *
 * Owns: the count, and the hold on the clock while an executor works in real time. Who may call it: the attempt
 * manager.
 *
 * BD1  A body is counted from its submission to its own end, also when it was given up on before.
 * BD2  Virtual time stands still while a body runs whose waits are not on the orchestrator's clock.
 */
import type { Clock } from '../../ports/clock.ts';
import type { Executor } from '../../ports/executor.ts';

export class Bodies {
  readonly #clock: Clock;
  readonly #isReal: boolean;
  readonly #waiting: (() => void)[] = [];
  #count = 0;
  #letGo: (() => void) | undefined;

  constructor(clock: Clock, executor: Executor) {
    this.#clock = clock;
    this.#isReal = !executor.capabilities.virtualTime;
  }

  begin(): void {
    if (this.#count++ === 0 && this.#isReal) this.#letGo = this.#clock.hold();
  }

  end(): void {
    if (--this.#count > 0) return;
    this.#letGo?.();
    this.#letGo = undefined;
    if (this.#waiting.length > 0) for (const waiter of this.#waiting.splice(0)) waiter();
  }

  /** Calls back when no body runs; at once if none does. */
  whenIdle(callback: () => void): void {
    if (this.#count === 0) callback();
    else this.#waiting.push(callback);
  }
}
