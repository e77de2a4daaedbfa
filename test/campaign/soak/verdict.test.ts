import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../support/seeded-random.ts';
import type { Sample } from './protocol.ts';
import { medianOf, trendOf } from './trend.ts';
import { judge } from './verdict.ts';

const random = seededRandom(5);

/** So many samples; what is given changes one of them. */
function samples(change: (sample: Sample, i: number) => Partial<Sample> = () => ({})): readonly Sample[] {
  return Array.from({ length: 600 }, (_, i) => {
    const usual: Sample = {
      type: 'sample',
      at: i * 3,
      finished: i * 200,
      heap: 20e6 + random() * 4e6,
      rss: 120e6,
      handles: 6 + (i % 3),
      lagP99: 12,
      lagMax: 40,
    };
    return { ...usual, ...change(usual, i) };
  });
}

describe('the verdict of a soak', () => {
  it('given what goes up and down but does not grow, then it is flat', () => {
    expect(judge(samples()).faults).toEqual([]);
  });

  it('given a start that grows, and some samples that stand out, then it is flat', () => {
    const warm = samples(({ heap }, i) => ({
      heap: i < 150 ? heap * (i / 150) : i % 40 === 0 ? heap * 8 : heap,
    }));
    expect(judge(warm).faults).toEqual([]);
  });

  it('given 40 bytes a run that nobody gives back, then the heap grows', () => {
    const { faults, heap } = judge(samples(({ heap: usual, finished }) => ({ heap: usual + finished * 40 })));
    expect(faults.join()).toMatch(/^heap grows by/);
    expect(heap.slope).toBeGreaterThan(2_000);
    expect(heap.slope).toBeLessThan(3_400);
  });

  it('given a handle a minute, then the handles grow', () => {
    expect(judge(samples((_, i) => ({ handles: 6 + Math.floor(i / 20) }))).faults.join()).toMatch(
      /^handles grows/,
    );
  });

  it('given an event loop that is held up, or too few samples, then it says so', () => {
    expect(judge(samples(() => ({ lagP99: 300 }))).faults.join()).toMatch(/300 ms late/);
    expect(judge(samples().slice(0, 4)).faults.join()).toMatch(/only 4 samples/);
  });

  it('finds medians and slopes', () => {
    expect(medianOf([5, 1, 3])).toBe(3);
    expect(medianOf([4, 1, 3, 2])).toBe(2.5);
    expect(medianOf([])).toBe(0);
    const line = Array.from({ length: 30 }, (_, i) => [i, 2 * i + 1] as const);
    expect(trendOf(line).slope).toBe(2);
    expect(trendOf([]).growth).toBe(0);
  });
});
