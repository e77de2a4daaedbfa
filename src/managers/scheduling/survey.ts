/**
 * The queue at one moment: everybody's position, who wants what, who holds what. Whoever asks about one task after
 * the other asks about the same moment, so it is worked out once for all of them.
 *
 * Owns: the last survey, until something has changed or memory is wanted back. Who may call it: what explains waits.
 *
 * SV1  A survey is used again only if nobody has come, left, taken or given back since it was made.
 * SV2  Coming, leaving, taking and giving back pay nothing for that: it is read off counts that are kept anyway. Who
 *      comes is counted, and who leaves or takes makes the count of those who wait less; with both unchanged, the only
 *      thing that can happen to a row is that less of it is in use.
 */
import type { Holders, Holding } from '../resources/holders.ts';
import type { Ledger } from '../resources/ledger.ts';
import type { Waiter } from '../resources/need-group.ts';
import type { Row } from '../resources/row.ts';
import { inOrder } from './queue-view.ts';

/** What surveys are made from. */
export interface SurveyParts {
  readonly ledger: Ledger;
  readonly holders: Holders;
  /** How many tickets have come so far. */
  readonly arrivals: () => number;
  /** How many requests of the host have come so far. */
  readonly asked: () => number;
}

/** What is known of one row. */
interface RowSurvey {
  /** How much was in use, in units. */
  readonly used: number;
  readonly holdings: Holding[];
  /** The positions of those who want some of it, ascending. */
  readonly wantedAt: number[];
}

interface Survey {
  readonly arrivals: number;
  readonly asked: number;
  readonly waiting: number;
  /** From 1. */
  readonly positions: ReadonlyMap<Waiter, number>;
  readonly rows: Map<Row, RowSurvey>;
  /** The positions of those who want some of several rows, by the keys of the rows. */
  readonly unions: Map<string, readonly number[]>;
}

/** Up to so many positions are looked at one by one, rather than kept. */
const FEW = 64;

export class Surveyor {
  readonly #parts: SurveyParts;
  // Held weakly: it is as large as the queue, and most of those who ask do so only now and then.
  #last: WeakRef<Survey> | undefined;

  constructor(parts: SurveyParts) {
    this.#parts = parts;
  }

  /** From 1, over all who wait; `undefined` for somebody who does not. */
  positionOf(waiter: Waiter): number | undefined {
    return this.#survey().positions.get(waiter);
  }

  /** How many of those who stand before a position want some of these rows. */
  countAhead(position: number, rows: readonly Row[]): number {
    const survey = this.#survey();
    const lists = rows.map((row) => survey.rows.get(row)?.wantedAt ?? []);
    const [longest = [], ...others] = lists.sort((a, b) => b.length - a.length);
    if (others.reduce((sum, list) => sum + list.length, 0) > FEW)
      return countBelow(unionOf(survey, rows, lists), position);
    const extra = new Set<number>();
    for (const list of others)
      for (const place of list) if (place < position && !includes(longest, place)) extra.add(place);
    return countBelow(longest, position) + extra.size;
  }

  /** Who holds some of a row. */
  holdersOf(row: Row): readonly Holding[] {
    const known = this.#survey().rows.get(row);
    if (known === undefined) return [];
    if (known.used === row.used) return known.holdings;
    this.#last = undefined;
    return this.#survey().rows.get(row)?.holdings ?? [];
  }

  #survey(): Survey {
    const { ledger, arrivals, asked } = this.#parts;
    const last = this.#last?.deref();
    if (
      last !== undefined &&
      last.arrivals === arrivals() &&
      last.asked === asked() &&
      last.waiting === ledger.waiting
    )
      return last;
    const survey = makeSurvey(this.#parts);
    this.#last = new WeakRef(survey);
    return survey;
  }
}

function makeSurvey({ ledger, holders, arrivals, asked }: SurveyParts): Survey {
  const positions = new Map<Waiter, number>();
  const rows = new Map<Row, RowSurvey>();
  const of = (row: Row): RowSurvey => {
    let known = rows.get(row);
    if (known === undefined) {
      known = { used: row.used, holdings: [], wantedAt: [] };
      rows.set(row, known);
    }
    return known;
  };
  inOrder(ledger).forEach(({ waiter, group }, place) => {
    positions.set(waiter, place + 1);
    for (const row of group.rows) of(row).wantedAt.push(place + 1);
  });
  for (const holding of holders.all()) of(holding.row).holdings.push(holding);
  return {
    arrivals: arrivals(),
    asked: asked(),
    waiting: ledger.waiting,
    positions,
    rows,
    unions: new Map(),
  };
}

/** Many tasks lack the same few rows: what those make together is worked out once. */
function unionOf(
  { unions }: Survey,
  rows: readonly Row[],
  lists: readonly (readonly number[])[],
): readonly number[] {
  const key = rows
    .map((row) => row.key)
    .sort()
    .join('\n');
  let union = unions.get(key);
  if (union === undefined) {
    union = [...new Set(lists.flat())].sort((a, b) => a - b);
    unions.set(key, union);
  }
  return union;
}

function includes(list: readonly number[], place: number): boolean {
  return list[countBelow(list, place)] === place;
}

/** How many numbers of an ascending list are below one. */
function countBelow(list: readonly number[], limit: number): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((list[middle] as number) < limit) low = middle + 1;
    else high = middle;
  }
  return low;
}
