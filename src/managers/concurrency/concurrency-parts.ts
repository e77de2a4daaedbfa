/**
 * What a concurrency controller is made of.
 *
 * Who may call it: whoever composes one.
 */
import type { Claims } from '../resources/claims.ts';
import type { Ledger } from '../resources/ledger.ts';
import type { Row } from '../resources/row.ts';
import type { LockDeskParts } from './lock-desk.ts';
import type { FencedTicket } from './lock-view.ts';

export interface ConcurrencyParts extends LockDeskParts {
  readonly ledger: Ledger;
  readonly claims: Claims;
  /** The row of the limit over all tasks. */
  readonly global: Row;
  readonly wake: () => void;
  /** The attempts that are under way. */
  tickets(): Iterable<FencedTicket>;
}
