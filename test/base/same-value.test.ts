import { describe, expect, it } from 'vitest';
import { isSameValue } from '../../src/base/same-value.ts';

/** Each makes a fresh value; no two of them are the same. */
const VALUES: readonly (() => unknown)[] = [
  () => undefined,
  () => null,
  () => 0,
  () => -0,
  () => Number.NaN,
  () => 1n,
  () => '1',
  () => [],
  () => [undefined],
  () => [1, [2]],
  () => [1, [2, 3]],
  () => ({}),
  () => ({ a: 1, b: { c: 2 } }),
  () => ({ a: 1, b: { c: 3 } }),
  () => JSON.parse('{"__proto__":1}') as unknown,
  () => new Map(),
  () => new Map([['a', { b: 1 }]]),
  () => new Map([['a', { b: 2 }]]),
  () => new Set([1, 2]),
  () => new Set([2, 1]),
  () => new Date(5),
  () => new Date(Number.NaN),
  () => new Error('a'),
  () => new Error('b'),
  () => new Uint8Array([1, 2]),
  () => new Uint16Array([513]),
  () => new Uint8Array([1, 2]).buffer,
  () => new DataView(new Uint8Array([1, 2]).buffer),
  () => () => 1,
];

describe('isSameValue', () => {
  it('tells equal content from any other', () => {
    for (const [i, make] of VALUES.entries()) {
      for (const [k, other] of VALUES.entries()) {
        expect([i, k, isSameValue(make(), other())]).toEqual([i, k, i === k]);
      }
    }
  });

  it('takes a field that is undefined for none, as an encoding may leave it out', () => {
    expect(isSameValue({ a: undefined }, {})).toBe(true);
    expect(isSameValue({ a: undefined, b: 1 }, { b: 1, c: undefined })).toBe(true);
    expect(isSameValue({ a: undefined }, { a: null })).toBe(false);
    expect(isSameValue({ a: undefined, b: 1 }, { a: 1 })).toBe(false);
  });

  it('takes keys in any order and a part of a buffer for what it shows', () => {
    expect(isSameValue({ a: 1, b: 2 }, { b: 2, a: 1 })).toBe(true);
    expect(isSameValue(new Uint8Array([9, 1, 2]).subarray(1), new Uint8Array([1, 2]))).toBe(true);
  });

  it('looks at what is met again and again once', () => {
    const fold = (leaf: number): unknown => {
      let folded: unknown = [leaf];
      for (let i = 0; i < 60; i++) folded = [folded, folded];
      return folded;
    };
    expect(isSameValue(fold(1), fold(1))).toBe(true);
    expect(isSameValue(fold(1), fold(2))).toBe(false);
  });
});
