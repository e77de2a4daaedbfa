/** What the samples of a soak say: whether what a process holds grows, and whether its event loop keeps up. */
import type { Sample } from './protocol.ts';
import { medianOf, type Point, pointByLife, type Slope, slopeOf } from './slope.ts';

/** A sample, as the parent has heard it. */
export interface Measured extends Sample {
  /** Since the soak began, in seconds. */
  readonly at: number;
  readonly process: number;
  /** Ended runs that the store keeps; 0 for a store in memory. */
  readonly kept: number;
}

export interface Trend {
  readonly name: string;
  readonly unit: 'MB' | '';
  readonly median: number;
  /** In so long a time as the horizon; nothing if there were too few samples. */
  readonly growth: { readonly by: number; readonly low: number; readonly high: number } | undefined;
  readonly limit: number;
  readonly verdict: 'flat' | 'grows' | 'unclear' | 'too few samples';
}

export interface Verdict {
  readonly trends: readonly Trend[];
  readonly lagP99Ms: number;
  readonly lagWorstMs: number;
  readonly problems: readonly string[];
}

export const HORIZON_S = 1_800;
const PART_MAX = 0.1;
/** The p99 of the lag in half of all intervals: two turns of the orchestrator's loop, and what handlers do on top. */
export const LAG_P99_MS_MAX = 100;
const MB = 1e6;
/** Less growth than this is none, for what is so small that a tenth of it is chance. */
const FLOORS = { heap: 0, external: MB, handles: 1 } as const;
/** Only a process that is as old is judged by itself: until then it compiles code, and fills what it keeps. Seconds. */
const OLD_S_MIN = 90;
/** The age at which processes are compared with each other, in seconds; in a short soak they are younger. */
const WARM_S_MAX = 10;
const WARM_S_BY_MINUTE = 1.5;
const WARM_RANGE = 3;

export const RULE = `flat: the Theil-Sen slope times 30 min is below ${PART_MAX * 100} % of the median (at least 1 MB of external memory, 1 handle).
      Compared are the samples of one process that are older than half of the longest life and than ${OLD_S_MIN} s, since a process that
      is young still compiles code and fills what it keeps; and, of several processes, the medians at the same age. What is not
      flat grows, if the slope is above 0 in 95 of 100 cases; else it is unclear, which fails a soak of 30 min and is only told of a shorter one.
      Lag: the median of the p99 of all intervals is at most ${LAG_P99_MS_MAX} ms.`;

/** @param minutes - how long the soak was to last */
export function judge(measured: readonly Measured[], minutes: number): Verdict {
  const heapOf = ({ heap }: Measured): number => heap;
  const old = Math.max(OLD_S_MIN * 1_000, Math.max(0, ...measured.map(({ ageMs }) => ageMs)) / 2);
  const late = measured.filter(({ ageMs }) => ageMs >= old);
  const rest = late.filter(({ isAtRest }) => isAtRest);
  const busy = late.filter(({ isAtRest }) => !isAtRest);
  const trends = [
    trendOf('heap under load', 'heap', points(busy, heapOf)),
    trendOf('heap at rest', 'heap', points(rest, heapOf)),
    trendOf('external at rest', 'external', points(rest, externalOf)),
    trendOf('handles at rest', 'handles', points(rest, handlesOf)),
  ];
  if (new Set(measured.map(({ process }) => process)).size > 1) {
    const warmMs = Math.min(WARM_S_MAX, minutes * WARM_S_BY_MINUTE) * 1_000;
    const same = measured.filter(
      ({ isAtRest, ageMs }) => isAtRest && ageMs >= warmMs && ageMs <= warmMs * WARM_RANGE,
    );
    trends.push(
      trendOf('heap, by process', 'heap', pointByLife(points(same, heapOf))),
      trendOf('handles, by process', 'handles', pointByLife(points(same, handlesOf))),
    );
  }
  const lagP99Ms = medianOf(measured.map((sample) => sample.lagP99Ms));
  const lagWorstMs = Math.max(0, ...measured.map((sample) => sample.lagMaxMs));
  const problems = trends.flatMap((trend) => problemOf(trend, minutes));
  if (!(lagP99Ms <= LAG_P99_MS_MAX))
    problems.push(`the p99 of the lag is ${lagP99Ms.toFixed(0)} ms in half of the intervals`);
  return { trends, lagP99Ms, lagWorstMs, problems };
}

const externalOf = ({ external }: Measured): number => external;
const handlesOf = ({ handles }: Measured): number => handles;

function points(samples: readonly Measured[], read: (sample: Measured) => number): readonly Point[] {
  return samples.map((sample) => ({ at: sample.at, value: read(sample), life: sample.process }));
}

function trendOf(name: string, kind: keyof typeof FLOORS, of: readonly Point[]): Trend {
  const scale = kind === 'handles' ? 1 : MB;
  const unit = kind === 'handles' ? '' : 'MB';
  const median = medianOf(of.map(({ value }) => value));
  const slope = slopeOf(of);
  const limit = Math.max(median * PART_MAX, FLOORS[kind]);
  const told = (perSecond: number): number => (perSecond * HORIZON_S) / scale;
  const growth =
    slope === undefined
      ? undefined
      : { by: told(slope.perSecond), low: told(slope.low), high: told(slope.high) };
  return {
    ...{ name, unit, median: median / scale, limit: limit / scale, growth },
    verdict: slope === undefined ? 'too few samples' : verdictOf(slope, limit),
  };
}

function verdictOf({ perSecond, low }: Slope, limit: number): Trend['verdict'] {
  if (perSecond * HORIZON_S < limit) return 'flat';
  return low > 0 ? 'grows' : 'unclear';
}

function problemOf({ name, verdict, growth, unit }: Trend, minutes: number): readonly string[] {
  const isLong = minutes * 60 >= HORIZON_S;
  if (verdict === 'flat' || (verdict !== 'grows' && !isLong)) return [];
  // Few processes live in the time of a short soak: only a long one has to be able to tell.
  return [
    `${name}: ${verdict}${growth === undefined ? '' : `, by ${growth.by.toFixed(1)} ${unit} in 30 min`}`,
  ];
}
