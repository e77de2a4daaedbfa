import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nearestName } from '../../src/base/nearest.ts';

/** The plain, full-table optimal string alignment distance. */
function distance(a: string, b: string): number {
  const table = Array.from({ length: a.length + 1 }, (_, i) =>
    Array.from({ length: b.length + 1 }, (_, j) => (i === 0 ? j : j === 0 ? i : 0)),
  );
  const at = (i: number, j: number) => table[i]?.[j] ?? Number.POSITIVE_INFINITY;
  for (let i = 1; i <= a.length; i += 1) {
    for (let j = 1; j <= b.length; j += 1) {
      let cost = Math.min(
        at(i - 1, j) + 1,
        at(i, j - 1) + 1,
        at(i - 1, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1),
      );
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        cost = Math.min(cost, at(i - 2, j - 2) + 1);
      (table[i] as number[])[j] = cost;
    }
  }
  return at(a.length, b.length);
}

describe('nearestName', () => {
  it.each([
    ['biuld', ['test', 'build', 'deploy'], 'build'],
    ['BUILD', ['test', 'build'], 'build'],
    ['buidl', ['built', 'build'], 'build'],
    ['deploy', ['build', 'test'], undefined],
    ['a', [], undefined],
    ['build', ['built', 'build'], 'build'],
    ['tesT', ['tess', 'test'], 'test'],
    ['x'.repeat(129), ['x'.repeat(129)], undefined],
    ['x'.repeat(128), ['x'.repeat(129), 'x'.repeat(127)], 'x'.repeat(127)],
  ])('for %j among %j it is %j', (name, candidates, expected) => {
    expect(nearestName(name, candidates)).toBe(expected);
  });

  it('finds one at the least distance that the plain algorithm finds', () => {
    const word = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 14 });
    fc.assert(
      fc.property(word, fc.array(word, { maxLength: 8 }), (name, candidates) => {
        const limit = Math.max(1, Math.floor(name.length / 3));
        const least = Math.min(...candidates.map((candidate) => distance(name, candidate)));
        const found = nearestName(name, candidates);
        if (least > limit) expect(found).toBeUndefined();
        else expect(distance(name, found as string)).toBe(least);
      }),
      { numRuns: 3_000 },
    );
  });

  it('looks at no more than 10,000 candidates', () => {
    let given = 0;
    function* endless() {
      for (;;) {
        given += 1;
        yield 'zzzzzzzz';
      }
    }
    expect(nearestName('build', endless())).toBeUndefined();
    expect(given).toBe(10_000);
  });

  it('takes texts that change their length in lower case', () => {
    expect(nearestName('İ'.repeat(127), ['İ'.repeat(128)])).toBe('İ'.repeat(128));
  });
});
