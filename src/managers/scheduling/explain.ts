/**
 * Says why a task that waits in the queue does not start: what it lacks, who holds that, who comes first.
 *
 * Owns: nothing; it reads tickets and the ledger when it is asked. Who may call it: the task scheduler.
 *
 * EX1  Everything that is lacking is told, not only what the ledger happened to look at first.
 * EX2  When what it tells has been given back, or its time has passed, and nobody comes first, the task starts.
 */
import type { LockMode } from '../../model/needs.ts';
import type { WaitReason } from '../../model/status.ts';
import type { HolderRef } from '../resources/holders.ts';
import type { Group } from '../resources/ledger.ts';
import type { Row, RowKind } from '../resources/row.ts';
import type { PausedBy } from './holds.ts';
import { lackedBy, type QueueParts } from './queue-view.ts';
import type { Surveyor } from './survey.ts';
import type { ScheduledRun, Ticket } from './ticket.ts';

/** Somebody who holds some of what is lacking. */
export interface HeldBy {
  readonly holder: HolderRef;
  /** In what the host counts in; for an exclusive lock, 1. */
  readonly amount: number;
}

/** Something of which a task needs more than is free. */
export interface Lacked {
  /** In the words in which waits are explained. */
  readonly kind: RowKind;
  /** Of the resource, lock, agent or workflow; `all tasks` for the limit over all. */
  readonly name: string;
  readonly needed: number;
  /** More than `capacity` while less was made of it than is in use. */
  readonly used: number;
  readonly free: number;
  readonly capacity: number;
  /** For locks: how it is wanted. */
  readonly mode: LockMode | undefined;
  /**
   * Who holds it now: tasks, by the submission of their runs, then requests of the host. Empty for rates and budgets:
   * there it is used up.
   */
  readonly holders: readonly HeldBy[];
  /** Milliseconds until so much has come back by time; for rates. */
  readonly freeInMs: number | undefined;
}

/** Why a ticket does not start. */
export interface Wait {
  /** `undefined` when it starts in the next turn. */
  readonly reason: WaitReason | undefined;
  readonly pausedBy: readonly PausedBy[];
  readonly lacks: readonly Lacked[];
  /** From 1, over all who wait; `undefined` while its workflow or run is paused. */
  readonly position: number | undefined;
  /** How many who come first want something of what it lacks. */
  readonly ahead: number;
}

/** What is needed to explain waits. */
export interface ExplainParts extends QueueParts {
  readonly surveyor: Surveyor;
  readonly monotonic: () => number;
}

/** Explains the wait of a ticket that stands in the queue or aside. */
export function explainWait(ticket: Ticket, parts: ExplainParts): Wait {
  const { group } = ticket;
  const { pausedBy, lacking } = holdsBack(ticket.run, group, parts);
  const position = ticket.queued ? parts.surveyor.positionOf(ticket) : undefined;
  const ahead = position === undefined ? 0 : parts.surveyor.countAhead(position, lacking);
  const lacks = lacking.map((row) => lackOf(row, group.amountOf(row), parts));
  const reason = pausedBy.length > 0 ? 'paused' : lacks[0]?.kind;
  return { reason, pausedBy, lacks, position, ahead };
}

/** Explains the wait of a task that has no ticket in the queue, because its run is paused. */
export function explainHeld(run: ScheduledRun, group: Group, parts: ExplainParts): Wait {
  const { pausedBy, lacking } = holdsBack(run, group, parts);
  const lacks = lacking.map((row) => lackOf(row, group.amountOf(row), parts));
  return { reason: 'paused', pausedBy, lacks, position: undefined, ahead: 0 };
}

/** Everything that is paused, or lacking; what the view of the task names stands first. */
function holdsBack(
  run: ScheduledRun,
  group: Group,
  parts: ExplainParts,
): { readonly pausedBy: readonly PausedBy[]; readonly lacking: Row[] } {
  const first = lackedBy(group);
  const now = parts.monotonic();
  const lacking = group.rows.filter(
    (row, i) => row.usedAt(now) + (group.amounts[i] as number) > row.declaredCapacity,
  );
  if (first !== undefined && lacking.includes(first))
    lacking.unshift(...lacking.splice(lacking.indexOf(first), 1));
  return { pausedBy: pausesFor(run, group, parts), lacking };
}

/** Everything that is paused and holds back those of a run who have these needs. */
export function pausesFor(
  run: ScheduledRun,
  group: Group,
  { holds, isPaused }: Pick<QueueParts, 'holds' | 'isPaused'>,
): readonly PausedBy[] {
  const by: PausedBy[] = isPaused() ? [{ what: 'orchestrator', name: '' }] : [];
  by.push(...holds.of(run));
  for (const row of group.rows) if (row.isPaused) by.push({ what: 'agent', name: row.name });
  return by;
}

function lackOf(row: Row, units: number, { surveyor, monotonic }: ExplainParts): Lacked {
  const isLock = row.kind === 'lock';
  const held = row.perMs !== undefined || row.kind === 'budget' ? [] : surveyor.holdersOf(row);
  const whole = row.declaredCapacity / row.scale;
  const now = monotonic();
  const used = row.usedAt(now);
  const dueAt = row.freeAt(units);
  // A lock is all of its row or one unit of it; nobody wants to read how many there are.
  const plain = (amount: number): number => (isLock ? Number(amount > 0) : amount);
  return {
    kind: row.kind,
    name: row.name,
    needed: plain(units / row.scale),
    used: plain(used / row.scale),
    free: isLock ? 0 : Math.max(0, row.declaredCapacity - used) / row.scale,
    capacity: plain(whole),
    mode: isLock ? (units / row.scale === whole ? 'exclusive' : 'shared') : undefined,
    holders: held.map(({ holder, amount }) => ({ holder, amount: plain(amount) })),
    freeInMs: dueAt === undefined ? undefined : Math.max(0, dueAt - now),
  };
}
