/**
 * Whether something grows: the slope of many samples, undisturbed by the few that stand out.
 *
 * Source: H. Theil, "A rank-invariant method of linear and polynomial regression analysis", 1950; P. K. Sen, "Estimates
 * of the regression coefficient based on Kendall's tau", JASA 63, 1968.
 */

export interface Trend {
  /** Units a second. */
  readonly slope: number;
  readonly median: number;
  /** What it would grow by in the time that was watched, as a part of the median. */
  readonly growth: number;
}

/** The median of numbers; 0 of none. */
export function medianOf(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length === 0) return 0;
  const upper = sorted[middle] as number;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] as number) + upper) / 2;
}

/** The trend of points `[seconds, value]`; the first third is left out, in which everything warms up. */
export function trendOf(points: readonly (readonly [at: number, value: number])[]): Trend {
  const warm = points.slice(Math.floor(points.length / 3));
  const slopes: number[] = [];
  for (let i = 0; i < warm.length; i++)
    for (let k = i + 1; k < warm.length; k++) {
      const [from, to] = [warm[i] as readonly [number, number], warm[k] as readonly [number, number]];
      if (to[0] > from[0]) slopes.push((to[1] - from[1]) / (to[0] - from[0]));
    }
  const median = medianOf(warm.map(([, value]) => value));
  const slope = medianOf(slopes);
  const seconds = warm.length < 2 ? 0 : (warm.at(-1)?.[0] ?? 0) - (warm[0]?.[0] ?? 0);
  return { slope, median, growth: median === 0 ? 0 : (slope * seconds) / median };
}
