import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { copyGuarded, type GuardLimits, guardValue } from '../../src/base/values.ts';

class Foo {
  x = 1;
}

class SubMap extends Map {}
class SubArray extends Array {}

const getter = Object.defineProperty({}, 'a/b', { enumerable: true, get: () => expect.unreachable() });
const setter = Object.defineProperty({}, 'a~b', { enumerable: true, set: () => expect.unreachable() });
const arrayGetter = Object.defineProperty([1, 2], 1, { enumerable: true, get: () => expect.unreachable() });
const cycle: { inner: unknown[] } = { inner: [] };
cycle.inner.push(0, cycle);
const mapCycle = new Map<string, unknown>();
mapCycle.set('self', mapCycle);
const rootCycle: Record<string, unknown> = {};
rootCycle.self = rootCycle;

function nested(depth: number): unknown {
  let value: unknown = [];
  for (let i = 1; i < depth; i += 1) value = [value];
  return value;
}

function refusal(value: unknown, limits?: GuardLimits) {
  const result = guardValue(value, limits);
  if (result.ok) throw new Error('was not refused');
  expect(result.hint).not.toBe('');
  return { pointer: result.pointer, found: result.found };
}

describe('guardValue on what it refuses', () => {
  it.each<[string, unknown, string, string]>([
    ['a function', () => 1, '', 'a function'],
    ['a class', { a: [Foo] }, '/a/0', 'a function'],
    ['a symbol', [Symbol('s')], '/0', 'a symbol'],
    ['a symbol key', { a: { [Symbol('s')]: 1 } }, '/a', 'a symbol key'],
    ['a class instance', { a: [0, new Foo()] }, '/a/1', 'a class instance of Foo'],
    ['an odd prototype', Object.create(Object.create(null)), '', 'an object with a prototype of its own'],
    ['a subclass of Map', new SubMap(), '', 'a class instance of SubMap'],
    ['a subclass of Array', [new SubArray()], '/0', 'a class instance of SubArray'],
    ['a getter', { x: getter }, '/x/a~1b', 'a getter'],
    ['a setter', [setter], '/0/a~0b', 'a setter'],
    ['a getter in an array', arrayGetter, '/1', 'a getter'],
    ['a cycle', { cycle }, '/cycle/inner/1', 'a cycle'],
    ['a cycle in a map', mapCycle, '/0', 'a cycle'],
    ['a cycle to the root', rootCycle, '/self', 'a cycle'],
    ['a promise', { p: Promise.resolve() }, '/p', 'a promise'],
    // biome-ignore lint/suspicious/noThenProperty: a thenable is what is tested.
    ['a thenable', [{ then() {} }], '/0', 'a promise'],
    ['a WeakMap', new WeakMap(), '', 'a WeakMap'],
    ['a RegExp', { a: /x/ }, '/a', 'a regular expression'],
    ['a URL', new URL('https://example.com'), '', 'a URL'],
    ['a boxed string', new String('x'), '', 'a boxed string'],
    ['a boxed number', [Object(1)], '/0', 'a boxed number'],
    ['a SharedArrayBuffer', new SharedArrayBuffer(1), '', 'a SharedArrayBuffer'],
    ['a false date', Object.create(Date.prototype), '', 'a class instance of Date'],
    ['a generator', (function* () {})(), '', 'an object with a prototype of its own'],
    [
      'a function in a map',
      new Map([
        ['a', 1],
        ['b', () => 1],
      ] as [string, unknown][]),
      '/1',
      'a function',
    ],
    ['a function in a set', { s: new Set([1, () => 1]) }, '/s/1', 'a function'],
    ['a deep array', nested(101), '/0'.repeat(100), 'nesting deeper than 100'],
  ])('refuses %s', (_what, value, pointer, found) => {
    const result = refusal(value);
    // A generator's class has a name that differs between engines.
    if (_what !== 'a generator') expect(result).toEqual({ pointer, found });
  });

  it('hints at what to do', () => {
    expect(guardValue(Promise.resolve())).toMatchObject({ hint: 'await it first' });
    expect(guardValue(new URL('https://example.com'))).toMatchObject({ hint: 'pass its href, a string' });
  });

  it('keeps the limits', () => {
    expect(guardValue(nested(100)).ok).toBe(true);
    expect(guardValue(nested(1_000), { depth: 5_000 }).ok).toBe(true);
    expect(refusal(nested(1_001), { depth: 5_000 }).found).toBe('nesting deeper than 1000');
    expect(guardValue(1, { depth: 0 }).ok).toBe(true);
    expect(refusal([[]], { depth: 1 })).toEqual({ pointer: '/0', found: 'nesting deeper than 1' });
    expect(refusal('x'.repeat(100), { bytes: 100 })).toEqual({ pointer: '', found: 'more than 100 bytes' });
    expect(refusal({ a: ['x'.repeat(100)] }, { bytes: 200 }).pointer).toBe('/a');
    expect(refusal(new Uint8Array(1_000), { bytes: 500 }).found).toBe('more than 500 bytes');
    expect(refusal([new Error('x'.repeat(500))], { bytes: 500 }).found).toBe('more than 500 bytes');
    const heavy = Object.assign(new Error('x'), { body: 'x'.repeat(100_000) });
    expect(refusal({ heavy }, { bytes: 50_000 }).found).toBe('more than 50000 bytes');
    expect(refusal(2n ** 100_000n, { bytes: 1_000 }).found).toBe('more than 1000 bytes');
    expect(refusal(new Array(2 ** 24)).found).toBe(`more than ${64 * 1024 * 1024} bytes`);
    expect(refusal(new Array(2 ** 32 - 1), { bytes: Number.POSITIVE_INFINITY }).found).toMatch(/longer than/);
    expect(refusal(new Set(Array(100).keys()), { bytes: 1_000 }).found).toBe('more than 1000 bytes');
  });

  it('counts the depth of shared parts, which could otherwise hide any depth', () => {
    const parts: unknown[] = [[]];
    for (let i = 1; i < 5_000; i += 1) parts.push([parts[i - 1]]);
    expect(refusal(parts).found).toBe('nesting deeper than 100');
    const small = parts.slice(0, 99);
    const result = guardValue(small);
    expect(result.ok && copyGuarded(result.value)).toEqual(small);
  });

  it('never throws on a proxy, whichever trap throws', () => {
    const traps = Object.getOwnPropertyNames(Reflect) as (keyof ProxyHandler<object>)[];
    const targets = [{ a: 1 }, [1, 2], new Map(), new Error('x'), () => 1, new Date(), new Uint8Array(1)];
    for (const target of targets) {
      for (const trap of traps) {
        const fail = () => {
          throw trap;
        };
        const proxy = new Proxy(target, { [trap]: fail });
        expect(typeof guardValue(proxy).ok).toBe('boolean');
        expect(typeof guardValue({ a: [proxy], e: Object.assign(new Error('x'), { proxy }) }).ok).toBe(
          'boolean',
        );
      }
      const { proxy, revoke } = Proxy.revocable(target, {});
      revoke();
      expect(refusal({ a: proxy }).pointer).toBe('/a');
    }
    const throwing = new Proxy({}, { ownKeys: () => expect.unreachable() });
    expect(refusal([0, { throwing }])).toEqual({
      pointer: '/1/throwing',
      found: 'an object that cannot be read',
    });
  });

  it('ends on endless objects', () => {
    const endless: object = new Proxy(
      {},
      { ownKeys: () => ['a'], getOwnPropertyDescriptor: () => descriptor, get: () => wrap() },
    );
    const descriptor = { value: 1, enumerable: true, configurable: true };
    const wrap = () =>
      new Proxy(
        {},
        { ownKeys: () => ['a'], getOwnPropertyDescriptor: () => descriptor, get: wrap },
      ) as object;
    expect(refusal(endless).found).toBe('nesting deeper than 100');
    const chain = (): object => new Proxy({}, { getPrototypeOf: chain });
    expect(refusal(chain()).found).toBe('an object with a prototype of its own');
    const growing = new Set<unknown>();
    const grow = () =>
      new Proxy([], { get: (_, key) => (key === 'length' ? growing.add(grow()) && 0 : undefined) });
    growing.add(grow());
    expect(refusal(growing, { bytes: 1_000_000 }).found).toBe('more than 1000000 bytes');
    const long = new Proxy([], { get: () => Number.NaN });
    expect(refusal(long).found).toMatch(/longer than/);
  });

  it('points to the place of the refused thing', () => {
    const key = fc.string().filter((text) => text !== '__proto__');
    fc.assert(
      fc.property(fc.array(key, { maxLength: 20 }), (keys) => {
        const value = keys.reduceRight<unknown>(
          (inner, name) => ({ before: 1, [name]: inner }),
          () => 1,
        );
        const pointer = keys.map((name) => `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
        expect(refusal(value)).toEqual({ pointer, found: 'a function' });
      }),
    );
  });
});
