/**
 * What a concurrency controller is made of.
 *
 * Who may call it: whoever composes one.
 */
import type { AnyTask } from '../../model/task.ts';
import type { Claims } from '../resources/claims.ts';
import type { Ledger, Need } from '../resources/ledger.ts';
import type { Row } from '../resources/row.ts';
import type { LockDeskParts } from './lock-desk.ts';
import type { FencedTicket } from './lock-view.ts';

export interface ConcurrencyParts extends LockDeskParts {
  readonly ledger: Ledger;
  readonly claims: Claims;
  /** The row of the limit over all tasks. */
  readonly global: Row;
  readonly wake: () => void;
  /** What a task needs beside its locks. @throws OrchestratorError as `TaskScheduler.scheduleTask` */
  needsBeside(task: AnyTask, at: string): readonly Need[];
  /** The attempts that are under way. */
  tickets(): Iterable<FencedTicket>;
}
