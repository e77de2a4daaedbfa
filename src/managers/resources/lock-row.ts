/**
 * A lock as a row of the ledger: a shared holder takes one unit, an exclusive one takes all there are, so that
 * locks are taken together with everything else, all or none.
 *
 * Who may call it: whoever asks the ledger for locks.
 *
 * LR1  At most one exclusive holder, and never one beside shared ones, follows from the capacity of the row.
 */
import type { LockMode, LockNeed } from '../../model/needs.ts';
import type { Ledger, Need } from './ledger.ts';
import type { Row } from './row.ts';

/** More shared holders than any process can have. */
const SHARED_MAX = 1_000_000_000;

/** What a holder of one shared unit lacks to be alone: what it holds already is not asked for again. */
export function upgradeNeed({ row }: Need): Need {
  return { row, amount: SHARED_MAX - 1 };
}

/** The mode in which an amount of a lock's row is held or asked for. */
export function modeOf(row: Row, units: number): LockMode {
  return units > row.scale ? 'exclusive' : 'shared';
}

/** What has to be taken of the ledger for a lock. */
export function lockNeed(ledger: Ledger, lock: LockNeed): Need {
  const row = ledger.declare({
    key: `lock:${lock.name}`,
    name: lock.name,
    kind: 'lock',
    capacity: SHARED_MAX,
  });
  return { row, amount: lock.mode === 'exclusive' ? SHARED_MAX : 1 };
}
