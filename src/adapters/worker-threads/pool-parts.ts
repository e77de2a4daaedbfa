/**
 * What the threads of a module need from outside, and how they stand.
 */
import type { WorkerModule } from '../../model/worker-handlers.ts';
import type { LinkFactory } from './link.ts';

/** What a pool is made of. */
export interface ModulePoolParts {
  readonly module: WorkerModule;
  readonly links: LinkFactory;
  readonly now: () => number;
  readonly isVirtual: boolean;
  /** How long a call that was told to stop may take to end, in milliseconds. */
  readonly graceMs: number;
  /** The clock is to stand still for one thing more, or less. */
  readonly onCount: (change: 1 | -1) => void;
}

/** How a pool stands. */
export interface PoolStats {
  readonly url: string;
  readonly threads: number;
  /** Calls that wait for a thread. */
  readonly queued: number;
  /** Calls that were sent to a thread. */
  readonly sent: number;
  /** Threads that were started so far. */
  readonly started: number;
  /** Threads that ended by themselves. */
  readonly crashed: number;
  /** Threads that were ended because a call in them had not. */
  readonly killed: number;
  /** Calls that failed because of a neighbour in their thread. */
  readonly lost: number;
  /** Calls that were sent again, since their thread died before it had begun them. */
  readonly resent: number;
}
