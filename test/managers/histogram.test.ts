import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HISTOGRAM_ERROR_MAX, Histogram } from '../../src/managers/monitoring/histogram.ts';
import { createTally, Labelled, OTHER_LABEL } from '../../src/managers/monitoring/labelled.ts';
import { SlidingCount } from '../../src/managers/monitoring/sliding-count.ts';

/** The least value that a share of all does not exceed. */
function nearestRank(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] as number;
}

const durations = fc.oneof(
  fc.double({ min: 2 ** -10, max: 2 ** 43, noNaN: true }),
  fc.integer({ min: 1, max: 10_000 }),
  fc.constantFrom(1, 2, 32, 33, 63, 64, 65, 1_000, 2 ** 43),
);

describe('a histogram', () => {
  it('HG1 tells quantiles within its relative error, HG3 and the rest exactly', () => {
    fc.assert(
      fc.property(
        fc.array(durations, { minLength: 1, maxLength: 200 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (values, share) => {
          const histogram = new Histogram();
          for (const value of values) histogram.record(value);
          const exact = nearestRank(values, share);
          const told = histogram.quantile(share) as number;
          expect(Math.abs(told - exact)).toBeLessThanOrEqual(exact * HISTOGRAM_ERROR_MAX);
          const { count, min, max, sum } = histogram.summary();
          expect({ count, min, max }).toEqual({
            count: values.length,
            min: Math.min(...values),
            max: Math.max(...values),
          });
          expect(sum).toBe(values.reduce((total, value) => total + value, 0));
        },
      ),
    );
  });

  it('HG1 counts what is below its range as nearly nothing, what is negative as 0, and tells the greatest above it', () => {
    const histogram = new Histogram();
    for (const value of [-5, 0, 2 ** -12]) histogram.record(value);
    expect(histogram.quantile(0.5)).toBeLessThanOrEqual(2 ** -10);
    expect(histogram.summary()).toMatchObject({ min: 0, max: 2 ** -12, sum: 2 ** -12 });
    histogram.record(2 ** 50);
    expect(histogram.quantile(1)).toBe(2 ** 50);
  });

  it('HG2 keeps a bounded number of counts', () => {
    const histogram = new Histogram();
    for (let exponent = -20; exponent < 60; exponent++)
      for (let part = 0; part < 64; part++) histogram.record(2 ** exponent * (1 + part / 64));
    expect(histogram.buckets).toBeLessThanOrEqual(1_698);
    expect(histogram.buckets).toBeGreaterThan(1_600);
  });

  it('tells nothing of no values', () => {
    expect(new Histogram().summary()).toEqual({
      count: 0,
      sum: 0,
      min: undefined,
      max: undefined,
      mean: undefined,
      p50: undefined,
      p90: undefined,
      p95: undefined,
      p99: undefined,
    });
  });
});

describe('a sliding count', () => {
  it('SC1 counts what happened within its span, give or take one slot', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 5_000 }), { maxLength: 100 }), (steps) => {
        const spanMs = 6_000;
        const counter = new SlidingCount(spanMs);
        const seen: number[] = [];
        let now = 1_000_000;
        for (const step of steps) {
          now += step;
          counter.add(now);
          seen.push(now);
          const sum = counter.sum(now);
          expect(sum).toBeLessThanOrEqual(seen.filter((at) => at > now - spanMs).length);
          expect(sum).toBeGreaterThanOrEqual(seen.filter((at) => at > now - spanMs + spanMs / 60).length);
        }
      }),
    );
  });

  it('SC2 counts nothing twice when the clock is set back', () => {
    const counter = new SlidingCount(60_000);
    counter.add(120_000);
    counter.add(60_000);
    counter.add(100_000);
    expect(counter.sum(120_000)).toBe(2);
  });
});

describe('labelled values', () => {
  it('LB1 are never more than the limit and the one for all others', () => {
    const tallies = new Labelled(2, createTally);
    for (const label of ['__proto__', 'a', 'b', 'c', 'a']) tallies.of(label).count++;
    const plain = tallies.plain(({ count }) => count);
    expect(Object.entries(plain)).toEqual([
      ['__proto__', 1],
      ['a', 2],
      [OTHER_LABEL, 2],
    ]);
  });
});
