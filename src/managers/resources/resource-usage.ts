/**
 * How resources are used: now, by whom, at most, and over time.
 *
 * Owns: the series of the resources that somebody has asked about. Who may call it: the resource manager.
 *
 * RU1  Nobody pays for a series before somebody has asked about its resource; then each turn costs one comparison for
 *      each such resource, never one for each task.
 * RU2  A series holds at most `SAMPLES_MAX` samples; the oldest leave.
 * RU3  The peak is that of every single taking, asked for or not.
 * RU4  What time gives back counts as back from that time on, whenever somebody looks.
 */
import { Ring } from '../../base/ring.ts';
import type { HolderRef, Holders } from './holders.ts';
import type { Ledger } from './ledger.ts';
import type { Row } from './row.ts';

/** The most samples that are kept of one resource. */
export const SAMPLES_MAX = 1_024;

/** How a resource stood from a time on, until the next sample. */
export interface ResourceSample {
  /** Monotonic milliseconds. */
  readonly at: number;
  readonly used: number;
  readonly capacity: number;
}

/** The state of one resource, in the numbers in which it was declared. */
export interface ResourceUsage {
  readonly name: string;
  readonly kind: 'resource' | 'rate' | 'budget';
  readonly capacity: number;
  readonly used: number;
  /** Never below 0, also when the capacity was cut below what is used. */
  readonly free: number;
}

/** A resource as monitoring sees it. */
export interface ResourceReport extends ResourceUsage {
  /** The most that was ever used at once. */
  readonly peak: number;
  /** Who holds some of it; empty for rates and budgets, which nobody holds. */
  readonly holders: readonly { readonly holder: HolderRef; readonly amount: number }[];
  /** How many tasks and requests wait for it. */
  readonly waiting: number;
  /** How it stood, oldest first, since it was first asked about; one sample for each turn that changed it. */
  readonly history: readonly ResourceSample[];
  /** The mean of what was used, by time, over `history`; what is used now when no time has passed. */
  readonly average: number;
}

/** What reports are made of. */
export interface ResourceUsageParts {
  readonly ledger: Ledger;
  readonly holders: Holders;
  readonly monotonic: () => number;
  /** Calls back after every turn in which something may have been taken or given back. */
  readonly onTurn: (watcher: () => void) => () => void;
}

interface Series {
  readonly samples: Ring<ResourceSample>;
  last: ResourceSample | undefined;
}

export class ResourceUsageBook {
  readonly #parts: ResourceUsageParts;
  readonly #series = new Map<Row, Series>();
  #unwatch: (() => void) | undefined;

  constructor(parts: ResourceUsageParts) {
    this.#parts = parts;
  }

  /** A resource as it stands; begins its series. */
  report(row: Row): ResourceReport {
    const { ledger, holders, monotonic } = this.#parts;
    const history = [...this.#follow(row).samples];
    let waiting = 0;
    for (const { group } of ledger.waiters()) if ((group.parkedAt ?? group.blockedBy()) === row) waiting++;
    const isHeld = row.perMs === undefined && row.kind !== 'budget';
    return {
      ...usageOf(row),
      peak: row.peak / row.scale,
      holders: isHeld ? holders.of(row).map(({ holder, amount }) => ({ holder, amount })) : [],
      waiting,
      history,
      average: meanOf(history, monotonic()),
    };
  }

  /** Stops every series. */
  close(): void {
    this.#unwatch?.();
    this.#unwatch = undefined;
    for (const row of this.#series.keys()) row.onReturn = undefined;
    this.#series.clear();
  }

  #follow(row: Row): Series {
    this.#unwatch ??= this.#parts.onTurn(() => this.#sampleAll());
    const series = this.#series.get(row) ?? this.#begin(row);
    this.#sample(row, series);
    return series;
  }

  #begin(row: Row): Series {
    const series: Series = { samples: new Ring<ResourceSample>(SAMPLES_MAX), last: undefined };
    this.#series.set(row, series);
    // What was back before somebody asked about it is no part of the series.
    this.refresh(row);
    row.onReturn = (at) => noteAt(at, row, series);
    return series;
  }

  /** Takes back what time has given back of a row; nobody does so while nobody waits for it. */
  refresh(row: Row): void {
    if (row.perMs !== undefined) this.#parts.ledger.replenish(row, this.#parts.monotonic());
  }

  #sampleAll(): void {
    for (const [row, series] of this.#series) this.#sample(row, series);
  }

  #sample(row: Row, series: Series): void {
    this.refresh(row);
    noteAt(this.#parts.monotonic(), row, series);
  }
}

function noteAt(at: number, row: Row, series: Series): void {
  const { used, capacity } = usageOf(row);
  const { last, samples } = series;
  if (last !== undefined && last.used === used && last.capacity === capacity) return;
  series.last = { at, used, capacity };
  samples.push(series.last);
}

/** The state of a resource, in the numbers in which it was declared. */
export function usageOf(row: Row): ResourceUsage {
  const { scale, name } = row;
  return {
    name,
    kind: row.kind as ResourceUsage['kind'],
    capacity: row.declaredCapacity / scale,
    used: row.used / scale,
    free: row.free / scale,
  };
}

/** The mean by time; several samples of one moment last no time. */
function meanOf(history: readonly ResourceSample[], now: number): number {
  const [first] = history;
  if (first === undefined) return 0;
  let area = 0;
  history.forEach(({ at, used }, i) => {
    area += used * ((history[i + 1]?.at ?? now) - at);
  });
  return now > first.at ? area / (now - first.at) : (history[history.length - 1]?.used ?? 0);
}
