import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { digestOf } from '../../src/base/digest.ts';

const plain = fc.anything({
  withDate: true,
  withMap: true,
  withSet: true,
  withTypedArray: true,
  withBigInt: true,
});

describe('the digest of a value', () => {
  it('is 16 hexadecimal digits', () => {
    for (const value of [undefined, null, 0, '', {}, [], Number.NaN, 1n])
      expect(digestOf(value)).toMatch(/^[0-9a-f]{16}$/);
  });

  it('is the same for a copy, and whatever the order of fields', () => {
    fc.assert(
      fc.property(plain, (value) => {
        expect(digestOf(structuredClone(value))).toBe(digestOf(value));
      }),
    );
    expect(digestOf({ a: 1, b: { c: 2, d: 3 } })).toBe(digestOf({ b: { d: 3, c: 2 }, a: 1 }));
  });

  it('does not tell a field that is undefined from none, as an encoding may leave it out', () => {
    expect(digestOf({ a: 1, b: undefined })).toBe(digestOf({ a: 1 }));
    expect(digestOf([undefined])).not.toBe(digestOf([]));
  });

  it('tells values apart', () => {
    const different: readonly unknown[] = [
      ...[undefined, null, true, false, 0, -0, 1, '1', 1n, '', 'a', 'A', 'ab', Number.NaN, Infinity],
      ...[[], [undefined], [null], [1, 2], [2, 1], [[1], 2], [1, [2]]],
      ...[{}, { a: 1 }, { a: 2 }, { b: 1 }, { a: { b: 1 } }, { a: null }, { ab: '' }, { a: 'b' }],
      ...[new Date(0), new Date(1), new Map([[1, 2]]), new Map([[2, 1]]), new Set([1, 2]), new Set([2, 1])],
      ...[new Uint8Array([1, 2]), new Uint8Array([2, 1]), new Uint8Array([1, 2]).buffer],
      ...[new Error('a'), new Error('b'), new TypeError('a')],
    ];
    expect(new Set(different.map(digestOf)).size).toBe(different.length);
  });

  it('changes with any one place of a value', () => {
    fc.assert(
      fc.property(fc.array(fc.integer(), { minLength: 1 }), fc.nat(), (list, place) => {
        const other = [...list];
        other[place % list.length] = (other[place % list.length] as number) + 1;
        expect(digestOf(other)).not.toBe(digestOf(list));
      }),
    );
  });
});
