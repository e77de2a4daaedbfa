/** Stops a timer; calling it again, or after the timer has fired, does nothing. */
export type CancelTimer = () => void;

/** Time. The only source of it for everything above; a whole orchestrator runs on a virtual one. */
export interface Clock {
  /** Milliseconds since 1970; may jump when somebody sets the clock. Stamps events. */
  now(): number;
  /** Milliseconds since some moment; never jumps. Measures waits. */
  monotonic(): number;
  /**
   * Calls back once, after at least `delayMs` (0 to 2^31 - 1). Pending timers keep the process alive.
   * The callback must not throw.
   */
  setTimer(delayMs: number, callback: () => void): CancelTimer;
  /**
   * Says that something outside of this clock is under way (a thread, a disk): a virtual clock stands still
   * until the returned function is called.
   */
  hold(): () => void;
}
