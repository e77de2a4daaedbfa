/** From samples to figures: medians, and ratios that are taken round by round before their median is. */
import type { PeerName } from './adapter.ts';
import type { Sample } from './measure.ts';
import type { Samples } from './rounds.ts';
import type { WorkloadName } from './workloads.ts';

export interface Ratio {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

type Part = 'total' | 'define' | 'run' | 'release';

export function median(values: readonly number[]): number {
  if (values.length === 0) return Number.NaN;
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

export function medianOf(samples: readonly Sample[], part: Part): number {
  return median(samples.map((sample) => sample[part]));
}

/** Undefined when one of the two was not measured. */
export function ratio(
  samples: Samples,
  workload: WorkloadName,
  peer: PeerName,
  against: PeerName,
  part: Part = 'total',
): Ratio | undefined {
  const own = samples.get(workload)?.get(peer) ?? [];
  const other = samples.get(workload)?.get(against) ?? [];
  return ratioOf(
    own.map((sample) => sample[part]),
    other.map((sample) => sample[part]),
  );
}

/** Round by round; undefined when one of the two was not measured. */
export function ratioOf(own: readonly number[], other: readonly number[]): Ratio | undefined {
  const rounds = Math.min(own.length, other.length);
  if (rounds === 0) return undefined;
  const ratios = Array.from({ length: rounds }, (_, round) => own[round]! / other[round]!);
  return { median: median(ratios), least: Math.min(...ratios), most: Math.max(...ratios) };
}
