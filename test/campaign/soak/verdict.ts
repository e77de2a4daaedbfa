/** What the samples of a soak say. */
import type { Sample } from './protocol.ts';
import { medianOf, type Trend, trendOf } from './trend.ts';

/** More growth than this over the time that was watched, as a part of the median, is a leak. */
export const GROWTH_MAX = 0.1;
/** Later than this, 99 of 100 times, the event loop must not come. */
export const LAG_P99_MS_MAX = 60;

export interface Verdict {
  readonly heap: Trend;
  readonly rss: Trend;
  readonly handles: Trend;
  readonly lagP99: number;
  readonly lagMax: number;
  /** What is wrong; nothing when all is flat. */
  readonly faults: readonly string[];
}

/** Judges the samples of one life of a process. */
export function judge(samples: readonly Sample[]): Verdict {
  const trend = (of: (sample: Sample) => number): Trend =>
    trendOf(samples.map((sample) => [sample.at, of(sample)]));
  const heap = trend((sample) => sample.heap);
  const handles = trend((sample) => sample.handles);
  const lagP99 = medianOf(samples.map((sample) => sample.lagP99));
  const faults: string[] = [];
  if (samples.length < 9) faults.push(`only ${samples.length} samples`);
  for (const [what, { growth, slope, median }] of [
    ['heap', heap],
    ['handles', handles],
  ] as const)
    if (growth > GROWTH_MAX)
      faults.push(
        `${what} grows by ${(growth * 100).toFixed(1)} % (${slope.toPrecision(3)} a second, median ${median.toPrecision(4)})`,
      );
  if (lagP99 > LAG_P99_MS_MAX) faults.push(`the event loop comes ${lagP99.toFixed(0)} ms late`);
  return {
    heap,
    rss: trend((sample) => sample.rss),
    handles,
    lagP99,
    lagMax: Math.max(0, ...samples.map((sample) => sample.lagMax)),
    faults,
  };
}
