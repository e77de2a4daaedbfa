import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { describeValue } from '../../src/base/values.ts';

class Foo {}

describe('describeValue', () => {
  it.each<[unknown, string]>([
    [undefined, 'undefined'],
    [null, 'null'],
    [true, 'true'],
    [Number.NaN, 'NaN'],
    [Number.NEGATIVE_INFINITY, '-Infinity'],
    [-0, 'the number -0'],
    [1.5, 'the number 1.5'],
    [7n, 'the bigint 7'],
    [10n ** 30n, 'a large bigint'],
    ['abc', 'the string "abc"'],
    ['a"\n\ud800', String.raw`the string "a\"\n\ud800"`],
    ['x'.repeat(1_000), `the string "${'x'.repeat(48)}…"`],
    [Symbol('s'), 'a symbol s'],
    [Symbol(), 'a symbol'],
    [function run() {}, 'a function run'],
    [
      (
        () => () =>
          1
      )(),
      'a function',
    ],
    [[1, 2, 3], 'an array of 3'],
    [{}, 'an empty object'],
    [{ a: 1 }, 'an object with 1 key'],
    [new Date(0), 'the date 1970-01-01T00:00:00.000Z'],
    [new Date(Number.NaN), 'an invalid date'],
    [new Map([[1, 2]]), 'a map of 1'],
    [new Set(), 'a set of 0'],
    [Buffer.from('abc'), 'a Uint8Array of 3 bytes'],
    [new Int8Array(1), 'an Int8Array of 1 byte'],
    [new ArrayBuffer(2), 'an ArrayBuffer of 2 bytes'],
    [new DataView(new ArrayBuffer(2)), 'a DataView of 2 bytes'],
    [new TypeError('bad'), 'a TypeError "bad"'],
    [new Error(), 'an Error'],
    [Promise.resolve(), 'a promise'],
    [/x/, 'a regular expression'],
    [new Foo(), 'a class instance of Foo'],
    [new WeakMap(), 'a WeakMap'],
    [new URL('https://example.com'), 'a URL'],
  ])('describes %o', (value, text) => {
    expect(describeValue(value)).toBe(text);
  });

  it('is short, well-formed and safe on anything', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.anything(), fc.string({ unit: 'binary', minLength: 40, maxLength: 200 })),
        (value) => {
          const text = describeValue(value);
          expect(text.length).toBeLessThanOrEqual(80);
          expect(text).not.toBe('');
          expect(() => encodeURIComponent(text)).not.toThrow();
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it('survives hostile values', () => {
    const fail = () => {
      throw new Error('trap');
    };
    const traps = Object.fromEntries(Object.getOwnPropertyNames(Reflect).map((trap) => [trap, fail]));
    expect(describeValue(new Proxy({}, traps))).toBe('an object that cannot be read');
    expect(describeValue(new Proxy(() => 1, traps))).toBe('a function');
    const named = Object.defineProperty(() => 1, 'name', { get: fail });
    expect(describeValue(named)).toBe('a function');
    const long = class {};
    Object.defineProperty(long, 'name', { value: '\ud83d'.repeat(10_000) });
    expect(describeValue(new long()).length).toBeLessThanOrEqual(80);
    expect(describeValue(Object.defineProperty(new Error('x'), 'message', { get: fail }))).toBe('an Error');
    const { proxy, revoke } = Proxy.revocable([], {});
    revoke();
    expect(describeValue(proxy)).toBe('an object that cannot be read');
  });
});
