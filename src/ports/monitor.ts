import type { RunEvent } from '../machine/events.ts';

/** Something that watches. Nothing waits for it, and whatever it throws changes nothing. */
export interface Monitor {
  /** Told of each event once it is durable, in the order of `seq` within a run. */
  observe(event: RunEvent): void;
}
