/** What the process that works says to the one that watches. */

/** How it stands, every few seconds. */
export interface Sample {
  readonly type: 'sample';
  /** Seconds since the process began. */
  readonly at: number;
  /** Runs that have ended in this process. */
  readonly finished: number;
  /** Bytes, after a full collection. */
  readonly heap: number;
  readonly rss: number;
  /** What keeps the event loop alive: timers, sockets, threads. */
  readonly handles: number;
  /** Milliseconds that the event loop came late since the last sample: 99 of 100 times, and at most. */
  readonly lagP99: number;
  readonly lagMax: number;
}

/** A run that has ended, as its host was told. */
export interface Ended {
  readonly type: 'ended';
  readonly run: string;
  readonly status: string;
}

/** Something that should not be. */
export interface Wrong {
  readonly type: 'wrong';
  readonly what: string;
}

export type SoakLine = Sample | Ended | Wrong;

export interface SoakOrders {
  readonly kind: 'memory' | 'file' | 'sqlite';
  readonly folder: string;
  readonly seconds: number;
  /** Runs to be started in a second, at most. */
  readonly rate: number;
  readonly seed: number;
  /** Plants a leak, to see that it is noticed. */
  readonly leak?: 'memory' | 'handles' | undefined;
}
