/**
 * How values are spread, in a bounded number of counts: for quantiles of durations over any number of them.
 *
 * Owns: the counts. Who may call it: the metrics fold, and tests.
 *
 * HG1  A value from 2^-10 to 2^43 (milliseconds: a microsecond to 278 years) is told with a relative error of at
 *      most 1/64; below that range with an absolute one of 2^-10, above it as the greatest value seen.
 * HG2  It never has more than 1,698 counts, however many values it was given.
 * HG3  Count, sum, least and greatest value are exact.
 *
 * Source: the buckets of HdrHistogram (G. Tene, 2012): each power of two is cut into equal parts, here 32, so a
 * bucket is named by the exponent and the first five bits of the fraction of a double.
 */

/** What a histogram tells. All are in the unit of the values; without values all but `count` and `sum` are undefined. */
export interface HistogramSummary {
  readonly count: number;
  readonly sum: number;
  readonly min: number | undefined;
  readonly max: number | undefined;
  readonly mean: number | undefined;
  /** The median. */
  readonly p50: number | undefined;
  readonly p90: number | undefined;
  readonly p95: number | undefined;
  readonly p99: number | undefined;
}

/** The greatest relative error of a quantile. */
export const HISTOGRAM_ERROR_MAX = 1 / 64;

const LEAST = 2 ** -10;
const GREATEST = 2 ** 43;
/** The bits of a double in front of those that name no bucket: sign, exponent, five bits of the fraction. */
const SHIFT = 15;
const ZERO = 0;

const bits = new DataView(new ArrayBuffer(8));

function bucketOf(value: number): number {
  if (value < LEAST) return ZERO;
  bits.setFloat64(0, Math.min(value, GREATEST));
  return bits.getUint32(0) >>> SHIFT;
}

function startOf(bucket: number): number {
  bits.setUint32(0, bucket << SHIFT);
  bits.setUint32(4, 0);
  return bits.getFloat64(0);
}

export class Histogram {
  readonly #counts = new Map<number, number>();
  #count = 0;
  #sum = 0;
  #min = Number.POSITIVE_INFINITY;
  #max = Number.NEGATIVE_INFINITY;

  /** How many values it was given. */
  get count(): number {
    return this.#count;
  }

  /** How many counts it keeps. */
  get buckets(): number {
    return this.#counts.size;
  }

  /** @param value - 0 or more; a negative one, which a clock that was set back gives, counts as 0 */
  record(value: number): void {
    const counted = value > 0 ? value : 0;
    const bucket = bucketOf(counted);
    this.#counts.set(bucket, (this.#counts.get(bucket) ?? 0) + 1);
    this.#count++;
    this.#sum += counted;
    if (counted < this.#min) this.#min = counted;
    if (counted > this.#max) this.#max = counted;
  }

  /**
   * The value that a share of all values does not exceed (nearest rank).
   * @param share - from 0 to 1
   */
  quantile(share: number): number | undefined {
    return this.#count === 0 ? undefined : this.#at([share])[0];
  }

  /** Everything that it tells, as plain data. */
  summary(): HistogramSummary {
    const [p50, p90, p95, p99] = this.#count === 0 ? [] : this.#at([0.5, 0.9, 0.95, 0.99]);
    const some = this.#count > 0;
    return {
      count: this.#count,
      sum: this.#sum,
      min: some ? this.#min : undefined,
      max: some ? this.#max : undefined,
      mean: some ? this.#sum / this.#count : undefined,
      p50,
      p90,
      p95,
      p99,
    };
  }

  /** Quantiles for ascending shares, in one walk over the counts. */
  #at(shares: readonly number[]): number[] {
    const found: number[] = [];
    let seen = 0;
    for (const [bucket, count] of [...this.#counts].sort(([a], [b]) => a - b)) {
      seen += count;
      while (
        found.length < shares.length &&
        seen >= Math.ceil((shares[found.length] as number) * this.#count)
      )
        found.push(this.#valueOf(bucket));
    }
    return found;
  }

  /** The middle of a bucket, which no value in it is farther from than half its width. */
  #valueOf(bucket: number): number {
    const start = bucket === ZERO ? 0 : startOf(bucket);
    const end = bucket === ZERO ? LEAST : startOf(bucket + 1);
    return Math.min(this.#max, Math.max(this.#min, start >= GREATEST ? this.#max : (start + end) / 2));
  }
}
