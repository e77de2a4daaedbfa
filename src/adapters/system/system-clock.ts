import type { CancelTimer, Clock } from '../../ports/clock.ts';

const NOTHING = (): void => {};

/** The clock of the machine. */
export class SystemClock implements Clock {
  now(): number {
    return Date.now();
  }

  monotonic(): number {
    return performance.now();
  }

  setTimer(delayMs: number, callback: () => void): CancelTimer {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  }

  /** Real time goes on whatever happens. */
  hold(): () => void {
    return NOTHING;
  }
}
