/**
 * Who holds what of the ledger: worked out from tickets and claims when somebody asks, so that taking and giving back
 * pay nothing for it.
 *
 * Owns: nothing. Who may call it: whoever explains, inspects or looks for deadlocks.
 *
 * HD1  What it tells of a renewable row adds up to what is used of it.
 */
import { pathIn, type ScopeState } from '../../machine/state.ts';
import type { NeedGroup } from './need-group.ts';
import type { Row } from './row.ts';

/** Who holds something. */
export type HolderRef =
  | { readonly kind: 'task'; readonly runId: string; readonly path: string; readonly attempt: number }
  | {
      readonly kind: 'claim';
      readonly claimId: string;
      /** The attempt whose handler asked for it. */
      readonly owner?: { readonly runId: string; readonly path: string; readonly attempt: number };
    };

/** How much of one row somebody holds, in what the host counts in. */
export interface Holding {
  readonly holder: HolderRef;
  readonly row: Row;
  readonly amount: number;
}

/** What is asked of the ticket of an attempt. */
export interface HoldingTicket {
  readonly run: { readonly runId: string };
  readonly scope: ScopeState;
  readonly index: number;
  readonly attempt: number;
  readonly holding: boolean;
  readonly group: NeedGroup<Row>;
}

/** A request of the host itself that was granted and not given back. */
export interface ClaimRecord {
  readonly claimId: string;
  readonly owner?: { readonly runId: string; readonly path: string; readonly attempt: number };
  readonly group: NeedGroup<Row>;
}

/** What holders are read from. */
export interface HoldersParts {
  tickets(): Iterable<HoldingTicket>;
  claims(): Iterable<ClaimRecord>;
}

export class Holders {
  readonly #parts: HoldersParts;

  constructor(parts: HoldersParts) {
    this.#parts = parts;
  }

  /** Everybody who holds some of a row. */
  of(row: Row): Holding[] {
    const found: Holding[] = [];
    for (const holding of this.all()) if (holding.row === row) found.push(holding);
    return found;
  }

  /** Everything that is held. */
  *all(): IterableIterator<Holding> {
    for (const ticket of this.#parts.tickets()) {
      if (!ticket.holding) continue;
      const { run, scope, index, attempt } = ticket;
      yield* holdingsOf(ticket.group, {
        kind: 'task',
        runId: run.runId,
        path: pathIn(scope, index),
        attempt,
      });
    }
    for (const { group, claimId, owner } of this.#parts.claims())
      yield* holdingsOf(group, { kind: 'claim', claimId, ...(owner === undefined ? undefined : { owner }) });
  }
}

function* holdingsOf(group: NeedGroup<Row>, holder: HolderRef): IterableIterator<Holding> {
  for (let i = 0; i < group.rows.length; i++) {
    const row = group.rows[i] as Row;
    yield { holder, row, amount: (group.amounts[i] as number) / row.scale };
  }
}
