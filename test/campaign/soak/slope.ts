/**
 * How fast a quantity grows, told by the median of the slopes between all pairs of points (Theil 1950, Sen 1968): more
 * than a quarter of the points can be wild before it is.
 */

export interface Point {
  /** Seconds. */
  readonly at: number;
  readonly value: number;
  /** The process that it is of. */
  readonly life: number;
}

export interface Slope {
  readonly perSecond: number;
  /** Between these it lies 95 times of 100, if nothing but chance moves the points. */
  readonly low: number;
  readonly high: number;
}

/** Of more points than this, evenly chosen ones are compared: pairs grow by the square. */
const POINTS_MAX = 400;
const NORMAL_975 = 1.96;
/** Of fewer points chance alone makes a line. */
const POINTS_MIN = 6;

export function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length === 0) return Number.NaN;
  const upper = sorted[middle] as number;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] as number) + upper) / 2;
}

/**
 * The slope within processes: only points of the same one are compared, so that a new process, which begins with little,
 * does not hide what each of them gathers. Nothing if there are too few points to say.
 */
export function slopeOf(points: readonly Point[]): Slope | undefined {
  const slopes: number[] = [];
  let variance = 0;
  for (const life of livesOf(thinned(points))) {
    const n = life.length;
    variance += (n * (n - 1) * (2 * n + 5)) / 18;
    for (const [i, a] of life.entries())
      for (const b of life.slice(i + 1)) if (b.at !== a.at) slopes.push((b.value - a.value) / (b.at - a.at));
  }
  if (points.length < POINTS_MIN || slopes.length < POINTS_MIN) return undefined;
  slopes.sort((a, b) => a - b);
  const reach = NORMAL_975 * Math.sqrt(variance);
  const at = (rank: number): number =>
    slopes[Math.min(slopes.length - 1, Math.max(0, Math.round(rank)))] as number;
  const [low, high] = [at((slopes.length - reach) / 2 - 1), at((slopes.length + reach) / 2)];
  return { perSecond: medianOf(slopes), low, high };
}

/** One point for each process, the median of its own: what grows from one to the next, as a store does. */
export function pointByLife(points: readonly Point[]): readonly Point[] {
  return livesOf(points).map((own) => {
    const [at, value] = [medianOf(own.map((point) => point.at)), medianOf(own.map((point) => point.value))];
    return { at, value, life: 0 };
  });
}

function livesOf(points: readonly Point[]): readonly (readonly Point[])[] {
  const lives = new Map<number, Point[]>();
  for (const point of points) {
    const own = lives.get(point.life);
    if (own === undefined) lives.set(point.life, [point]);
    else own.push(point);
  }
  return [...lives.values()];
}

function thinned(points: readonly Point[]): readonly Point[] {
  if (points.length <= POINTS_MAX) return points;
  const step = points.length / POINTS_MAX;
  return Array.from({ length: POINTS_MAX }, (_, i) => points[Math.floor(i * step)] as Point);
}
