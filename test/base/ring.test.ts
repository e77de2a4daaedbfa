import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Ring } from '../../src/base/ring.ts';

describe('a ring', () => {
  it('keeps the newest, oldest first, and counts what made room', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 8 }),
        fc.array(fc.nat()),
        fc.nat({ max: 10 }),
        (capacity, items, limit) => {
          const ring = new Ring<number>(capacity);
          for (const item of items) ring.push(item);
          const kept = items.slice(-capacity);
          expect([...ring]).toEqual(kept);
          expect({ size: ring.size, dropped: ring.dropped }).toEqual({
            size: kept.length,
            dropped: items.length - kept.length,
          });
          expect(ring.newest(limit)).toEqual(limit === 0 ? [] : kept.slice(-limit));
          const even = (item: number): boolean => item % 2 === 0;
          expect(ring.newest(2, even)).toEqual(kept.filter(even).slice(-2));
          ring.clear();
          ring.push(7);
          expect([...ring]).toEqual([7]);
        },
      ),
    );
  });
});
