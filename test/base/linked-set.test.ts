import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LinkedSet } from '../../src/base/linked-set.ts';

const MEMBERS = Array.from({ length: 8 }, (_, id) => ({ id }));

describe('a linked set', () => {
  it('does what a set does, and knows its oldest member', () => {
    const move = fc.record({ add: fc.boolean(), member: fc.constantFrom(...MEMBERS) });
    fc.assert(
      fc.property(fc.array(move, { maxLength: 60 }), (moves) => {
        const mine = new LinkedSet<{ id: number }>();
        const model = new Set<{ id: number }>();
        for (const { add, member } of moves) {
          if (add) {
            mine.add(member);
            model.add(member);
          } else expect(mine.delete(member)).toBe(model.delete(member));
          expect([...mine]).toEqual([...model]);
          expect(mine.size).toBe(model.size);
          expect(mine.oldest).toBe([...model][0]);
          expect(mine.has(member)).toBe(add);
        }
      }),
    );
  });
});
