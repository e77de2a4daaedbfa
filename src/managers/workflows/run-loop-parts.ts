/**
 * What a run loop is made of.
 *
 * Owns: nothing. Who may use it: the composition, which joins the parts, and the loop, which is made of them.
 *
 * LP1  The loop knows its listeners, and those who hear of ends and losses, by these functions only.
 */
import type { RunEvent } from '../../machine/events.ts';
import type { Clock } from '../../ports/clock.ts';
import type { HostTurn } from '../../ports/host-turn.ts';
import type { PersistenceManager } from '../persistence/persistence-manager.ts';
import type { Waiter } from '../resources/need-group.ts';
import type { TaskScheduler } from '../scheduling/task-scheduler.ts';
import type { AttemptManager } from './attempt-manager.ts';
import type { LargeOutputs } from './large-outputs.ts';
import type { LiveRun, LostAppend } from './live-run.ts';

/** Whoever tells of events; the loop does not know who listens. */
export interface Publisher {
  /** Whether anybody hears. */
  readonly isListening: boolean;
  publish(event: RunEvent): void;
}

/** What a loop is made of. */
export interface RunLoopParts {
  readonly clock: Clock;
  readonly turn: HostTurn;
  /** Whether the clock is that of the machine, so that a reading of it also tells how long a turn has lasted. */
  readonly isRealTime: boolean;
  readonly persistence: PersistenceManager;
  readonly scheduler: TaskScheduler;
  readonly attempts: AttemptManager;
  readonly outputs: LargeOutputs;
  readonly hub: Publisher;
  /** Told of somebody other than a task for whom the ledger has taken everything. */
  readonly grantOther: (waiter: Waiter) => void;
  /** Told of each run of which more has become durable, if somebody wants to know. */
  readonly onDurable?: ((run: LiveRun) => void) | undefined;
  /** Told when the end of a run is durable. */
  readonly onEnd: (run: LiveRun) => void;
  /** Told when what a run had decided could not be made durable. */
  readonly onLost: (run: LiveRun, lost: LostAppend, error: unknown) => void;
}
