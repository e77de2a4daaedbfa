/**
 * Who holds which lock, and who waits for it: worked out when somebody asks.
 *
 * Owns: nothing. Who may call it: the concurrency controller.
 *
 * LV1  A lock is listed exactly while somebody holds it or waits for it.
 */
import { pathIn } from '../../machine/state.ts';
import type { LockMode } from '../../model/needs.ts';
import { Claim, type Claims } from '../resources/claims.ts';
import type { HolderRef, HoldingTicket } from '../resources/holders.ts';
import type { Ledger } from '../resources/ledger.ts';
import { modeOf } from '../resources/lock-row.ts';
import { compareWaiters, type NeedGroup, type Waiter } from '../resources/need-group.ts';
import type { Row } from '../resources/row.ts';
import type { LockDesk } from './lock-desk.ts';

/** The ticket of an attempt, with the token of its locks. */
export interface FencedTicket extends HoldingTicket {
  readonly fence: number;
}

/** One who holds a lock. */
export interface LockHolder {
  readonly holder: HolderRef;
  /** The owner that the host named when it asked, if it named one. */
  readonly owner?: string;
  readonly mode: LockMode;
  readonly token: number;
  /** Since when: milliseconds since 1970; of a task, its `TaskStarted` says so. */
  readonly since?: number;
  /** When it is taken back unless it is renewed: milliseconds since 1970. */
  readonly leaseUntil?: number;
}

/** One who waits for a lock. */
export interface LockWaiter {
  readonly waiter: HolderRef;
  /** As that of a holder. */
  readonly owner?: string;
  readonly mode: LockMode;
}

/** The state of one lock. */
export interface LockState {
  readonly name: string;
  /** How it is held; `undefined` when nobody holds it. */
  readonly mode: LockMode | undefined;
  readonly holders: readonly LockHolder[];
  /** In the order in which they are served. */
  readonly waiters: readonly LockWaiter[];
}

/** What locks are read from. */
export interface LockViewParts {
  readonly ledger: Ledger;
  readonly claims: Claims;
  readonly desk: LockDesk;
  tickets(): Iterable<FencedTicket>;
}

interface Entry {
  readonly holders: LockHolder[];
  readonly waiters: { readonly waiter: Waiter; readonly line: LockWaiter }[];
}

export function viewLocks(parts: LockViewParts): readonly LockState[] {
  const entries = new Map<Row, Entry>();
  const add = (group: NeedGroup<Row>, visit: (entry: Entry, mode: LockMode) => void): void => {
    group.rows.forEach((row, i) => {
      if (row.kind !== 'lock') return;
      let entry = entries.get(row);
      if (entry === undefined) {
        entry = { holders: [], waiters: [] };
        entries.set(row, entry);
      }
      visit(entry, modeOf(row, group.amounts[i] as number));
    });
  };
  for (const ticket of parts.tickets())
    if (ticket.holding)
      add(ticket.group, ({ holders }, mode) =>
        holders.push({ holder: refOf(ticket), mode, token: ticket.fence }),
      );
  for (const { claimId, owner, group, token } of parts.claims.records()) {
    const held = parts.desk.withToken(token);
    const lease = held?.leaseUntil;
    const named = parts.desk.ownerOf(token);
    add(group, ({ holders }, mode) =>
      holders.push({
        holder: claimRef(claimId, owner),
        ...(named === undefined ? undefined : { owner: named }),
        mode,
        token,
        ...(held === undefined ? undefined : { since: held.since }),
        ...(lease === undefined ? undefined : { leaseUntil: lease }),
      }),
    );
  }
  for (const { waiter, group } of parts.ledger.waiters()) {
    const named = waiter instanceof Claim ? parts.desk.ownerOf(waiter.watch) : undefined;
    add(group, ({ waiters }, mode) =>
      waiters.push({
        waiter,
        line: { waiter: waiterRef(waiter), ...(named === undefined ? undefined : { owner: named }), mode },
      }),
    );
  }
  return [...entries].map(([row, { holders, waiters }]) => ({
    name: row.name,
    mode: holders.some(({ mode }) => mode === 'exclusive') ? 'exclusive' : holders[0]?.mode,
    holders,
    waiters: waiters.sort((a, b) => compareWaiters(a.waiter, b.waiter)).map(({ line }) => line),
  }));
}

function waiterRef(waiter: Waiter): HolderRef {
  if (waiter instanceof Claim) return claimRef(waiter.claimId, waiter.owner);
  return refOf(waiter as Waiter & HoldingTicket);
}

function claimRef(claimId: string, owner: Claim['owner']): HolderRef {
  return { kind: 'claim', claimId, ...(owner === undefined ? undefined : { owner }) };
}

function refOf({ run, scope, index, attempt }: HoldingTicket): HolderRef {
  return { kind: 'task', runId: run.runId, path: pathIn(scope, index), attempt };
}
