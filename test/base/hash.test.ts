import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Fingerprint } from '../../src/base/hash.ts';

type Part = string | number;

function digest(...parts: Part[]): string {
  const fingerprint = new Fingerprint();
  for (const part of parts) {
    if (typeof part === 'string') fingerprint.text(part);
    else fingerprint.number(part);
  }
  return fingerprint.digest();
}

describe('Fingerprint', () => {
  it('tells apart where a text ends, and texts from numbers', () => {
    const all = [
      digest(),
      digest(''),
      digest('', ''),
      digest('ab', 'c'),
      digest('a', 'bc'),
      digest('abc'),
      digest('1'),
      digest(1),
      digest(0),
      digest(-0),
      digest(Number.NaN),
      digest(0.5),
      digest(2 ** 31),
      digest(-(2 ** 31)),
      digest(1, 1),
      digest(Number.POSITIVE_INFINITY),
      digest('a'),
      digest('a\0'),
      digest('\0'),
      digest('\0\0'),
      digest('\ud800'),
    ];
    expect(new Set(all).size).toBe(all.length);
    for (const one of all) expect(one).toMatch(/^[0-9a-f]{16}$/);
  });

  it('stays what it was, because it may be stored', () => {
    expect(digest('hello', 42, 1.5)).toBe('426e0301266bb865');
  });

  it('goes on after a digest', () => {
    const fingerprint = new Fingerprint().text('a');
    expect(fingerprint.digest()).toBe(digest('a'));
    expect(fingerprint.digest()).toBe(digest('a'));
    expect(fingerprint.text('b').digest()).toBe(digest('a', 'b'));
  });

  it('is the same for the same parts only', () => {
    const parts = fc.array(fc.oneof(fc.string({ unit: 'binary' }), fc.double(), fc.integer()), {
      maxLength: 6,
    });
    fc.assert(
      fc.property(parts, parts, (a, b) => {
        const same = a.length === b.length && a.every((part, i) => Object.is(part, b[i]));
        expect(digest(...a) === digest(...b)).toBe(same);
        expect(digest(...a)).toBe(digest(...a));
      }),
    );
  });

  it('has no collision, and no idle bit, among many similar texts', () => {
    const seen = new Set<string>();
    const lanes = [new Set<string>(), new Set<string>()];
    const ones = new Array<number>(64).fill(0);
    const total = 100_000;
    for (let i = 0; i < total; i += 1) {
      const text = digest(`task-${i}`, i);
      seen.add(text);
      lanes[0]?.add(text.slice(0, 8));
      lanes[1]?.add(text.slice(8));
      const bits = BigInt(`0x${text}`);
      for (let bit = 0; bit < 64; bit += 1)
        ones[bit] = (ones[bit] as number) + Number((bits >> BigInt(bit)) & 1n);
    }
    expect(seen.size).toBe(total);
    // About 1.2 pairs collide in 32 bits by chance.
    for (const lane of lanes) expect(lane.size).toBeGreaterThan(total - 20);
    for (const count of ones) expect(Math.abs(count / total - 0.5)).toBeLessThan(0.02);
  });
});
