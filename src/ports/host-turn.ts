/** How the run loop shares the thread with the rest of the host's program. */
export interface HostTurn {
  /** Calls back soon, in this turn of the event loop, after what runs now. */
  soon(callback: () => void): void;
  /**
   * Whether the loop has kept the event loop from turning for so long that it should give it a turn.
   * @param now - milliseconds since 1970 by the clock of the machine, of whoever has just read it
   */
  isDue(now?: number): boolean;
  /** Calls back after the event loop has turned once. */
  afterTurn(callback: () => void): void;
}
