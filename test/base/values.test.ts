import { isDeepStrictEqual } from 'node:util';
import vm from 'node:vm';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  copyGuarded,
  type GuardedValue,
  type GuardLimits,
  guardValue,
  isPrimitive,
} from '../../src/base/values.ts';

function guarded(value: unknown, limits?: GuardLimits): GuardedValue {
  const result = guardValue(value, limits);
  if (!result.ok) throw new Error(`refused at ${result.pointer}: ${result.found}`);
  return result;
}

/** Every object inside a value, the value included. */
function objectsIn(value: unknown, found = new Set<object>()): Set<object> {
  if (isPrimitive(value) || found.has(value as object)) return found;
  found.add(value as object);
  if (value instanceof Map) {
    for (const [key, item] of value) objectsIn(item, objectsIn(key, found));
  } else if (value instanceof Set) {
    for (const item of value) objectsIn(item, found);
  } else if (!ArrayBuffer.isView(value)) {
    for (const key of Object.getOwnPropertyNames(value))
      objectsIn((value as Record<string, unknown>)[key], found);
  }
  return found;
}

const isFixed = (object: object) =>
  Array.isArray(object) || Object.getPrototypeOf(object) === Object.prototype;

const anything = fc.anything({
  withBigInt: true,
  withDate: true,
  withMap: true,
  withSet: true,
  withTypedArray: true,
  withNullPrototype: true,
  withSparseArray: true,
  key: fc.oneof(fc.string(), fc.constantFrom('__proto__', 'constructor', 'then', 'length', '0')),
});

/** The value as the guard documents its copy: objects with the ordinary prototype, holes filled. */
function ordinary(value: unknown): unknown {
  if (isPrimitive(value)) return value;
  if (Array.isArray(value)) return Array.from(value, ordinary);
  if (value instanceof Map) return new Map([...value].map(([key, item]) => [ordinary(key), ordinary(item)]));
  if (value instanceof Set) return new Set([...value].map(ordinary));
  if (!isFixed(value as object) && Object.getPrototypeOf(value) !== null) return value;
  return Object.fromEntries(Object.entries(value as object).map(([key, item]) => [key, ordinary(item)]));
}

describe('guardValue on what it carries', () => {
  it.each([undefined, null, true, 0, -0, Number.NaN, Number.POSITIVE_INFINITY, 10n ** 40n, '', '\ud800'])(
    'passes the primitive %s on',
    (value) => {
      expect(isPrimitive(value)).toBe(true);
      const result = guarded(value);
      expect(Object.is(result.value, value)).toBe(true);
      expect(result.shareable).toBe(true);
    },
  );

  it('copies random structures, and shares nothing mutable with them', () => {
    fc.assert(
      fc.property(anything, (value) => {
        const { value: copy, shareable } = guarded(value);
        // Not `toStrictEqual`, which takes a key called `constructor` for the class.
        expect(isDeepStrictEqual(copy, ordinary(value))).toBe(true);
        const originals = objectsIn(value);
        const copies = objectsIn(copy);
        for (const object of copies) {
          expect(originals.has(object)).toBe(false);
          if (isFixed(object)) expect(Object.isFrozen(object)).toBe(true);
        }
        expect(shareable).toBe([...copies].every(isFixed));
        const second = copyGuarded(copy);
        expect(isDeepStrictEqual(second, copy)).toBe(true);
        if (shareable) expect(second).toBe(copy);
        for (const object of objectsIn(second)) {
          if (isFixed(object)) expect(Object.isFrozen(object)).toBe(true);
          else expect(copies.has(object)).toBe(false);
        }
      }),
      { numRuns: 1_000 },
    );
  });

  it('keeps an own __proto__ as a key', () => {
    const input = JSON.parse('{"__proto__": {"polluted": true}, "d": 1}') as object;
    const { value } = guarded(input);
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect(Object.keys(value as object)).toEqual(['__proto__', 'd']);
    expect((value as Record<string, unknown>).polluted).toBeUndefined();
    const nested = guarded([input, new Date(0), { input, at: new Date(1) }]).value;
    expect(copyGuarded(nested)).toStrictEqual(nested);
  });

  it('fills the holes of an array and leaves out what has no text key', () => {
    // biome-ignore lint/suspicious/noSparseArray: the hole is what is tested.
    const array = [1, , 3] as unknown[] & { extra?: number };
    array.extra = 1;
    const { value } = guarded(array);
    expect(Object.keys(value as object)).toEqual(['0', '1', '2']);
    const object = Object.defineProperty({ a: 1 }, 'hidden', { value: () => 1 });
    expect(guarded(Object.defineProperty(object, Symbol('s'), { value: 1 })).value).toStrictEqual({ a: 1 });
  });

  it('keeps shared references shared, in the copy and in its copies', () => {
    const part = { at: new Date(5) };
    const first = guarded({ a: part, b: [part], c: new Map([[part, part.at]]) }).value;
    for (const value of [first, copyGuarded(first)]) {
      const { a, b, c } = value as { a: typeof part; b: [typeof part]; c: Map<typeof part, Date> };
      expect(b[0]).toBe(a);
      expect([...c.keys()][0]).toBe(a);
      expect(c.get(a)).toBe(a.at);
    }
    expect((copyGuarded(first) as { a: object }).a).not.toBe((first as { a: object }).a);
  });

  it('takes a graph whose paths are many, in linear time', () => {
    let value: object = { at: new Date() };
    for (let i = 0; i < 90; i += 1) value = { left: value, right: value };
    copyGuarded(guarded(value).value);
  });

  it('copies only the seen part of a buffer', () => {
    const buffer = Buffer.from('hello world').subarray(0, 5);
    const bytes = guarded(buffer).value as Uint8Array;
    expect(Object.getPrototypeOf(bytes)).toBe(Uint8Array.prototype);
    expect(new TextDecoder().decode(bytes)).toBe('hello');
    expect(bytes.buffer.byteLength).toBe(5);
    const view = guarded(new DataView(new Uint8Array([1, 2, 3, 4]).buffer, 1, 2)).value as DataView;
    expect([view.byteLength, view.byteOffset, view.getUint8(0), view.buffer.byteLength]).toEqual([
      2, 0, 2, 2,
    ]);
    const raw = new Uint8Array([1, 2]).buffer;
    const copy = guarded(raw).value as ArrayBuffer;
    expect(copy).not.toBe(raw);
    expect([...new Uint8Array(copy)]).toEqual([1, 2]);
    expect(guarded(new Float64Array([Number.NaN, -0])).value).toStrictEqual(
      new Float64Array([Number.NaN, -0]),
    );
    expect(guarded(new BigInt64Array([-1n])).value).toStrictEqual(new BigInt64Array([-1n]));
    expect(guarded(new Uint8Array(new SharedArrayBuffer(2))).value).toStrictEqual(new Uint8Array(2));
  });

  it('takes an invalid date', () => {
    expect((guarded(new Date(Number.NaN)).value as Date).getTime()).toBeNaN();
  });

  it('takes values of another realm', () => {
    const text = `({ a: [1, { b: new Date(3) }], c: new Map([[1, new Set([2])]]), d: new Uint8Array(2),
      e: new TypeError('x'), f: new ArrayBuffer(1) })`;
    const copy = guarded(vm.runInNewContext(text)).value as Record<string, unknown>;
    const { e, ...rest } = copy;
    const a = [1, { b: new Date(3) }];
    const c = new Map([[1, new Set([2])]]);
    expect(rest).toStrictEqual({ a, c, d: new Uint8Array(2), f: new ArrayBuffer(1) });
    expect(e).toBeInstanceOf(Error);
    expect(e).toMatchObject({ name: 'TypeError', message: 'x' });
    expect((e as Error).stack).toMatch(/^TypeError: x\n/);
  });
});

describe('guardValue on errors', () => {
  it('keeps name, message, stack, code and cause', () => {
    class HttpError extends Error {
      override name = 'HttpError';
      code = 'E_HTTP';
      detail = { status: 500 };
    }
    const error = new HttpError('failed', { cause: new RangeError('inner') });
    const { value, shareable } = guarded({ error });
    expect(shareable).toBe(false);
    const first = (value as { error: HttpError }).error;
    const second = (copyGuarded(value) as { error: HttpError }).error;
    expect(second).not.toBe(first);
    for (const copy of [first, second]) {
      expect(Object.getPrototypeOf(copy)).toBe(Error.prototype);
      expect(copy).toMatchObject({
        name: 'HttpError',
        message: 'failed',
        code: 'E_HTTP',
        detail: { status: 500 },
      });
      expect(copy.stack).toBe(error.stack);
      expect(copy.cause).toMatchObject({ name: 'RangeError', message: 'inner' });
      expect(Object.keys(copy).sort()).toEqual(['code', 'detail']);
    }
    expect(second.cause).not.toBe(first.cause);
  });

  it('keeps the name of a DOMException and the errors of an AggregateError', () => {
    const dom = guarded(AbortSignal.abort().reason).value as Error;
    expect(dom).toMatchObject({ name: 'AbortError', message: 'This operation was aborted' });
    const aggregate = new AggregateError([new Error('a'), () => 1, 'text'], 'all');
    const { errors } = guarded(aggregate).value as AggregateError;
    expect(errors[0]).toMatchObject({ message: 'a' });
    expect(errors.slice(1)).toEqual(['a function', 'text']);
  });

  it('loses an odd property, not the error', () => {
    class Socket {}
    const shared = { fine: [1], bad: {} as object };
    const error = Object.assign(new Error('x', { cause: new Socket() }), {
      socket: new Socket(),
      run() {},
      first: { shared, socket: new Socket() },
      second: shared,
      third: shared,
      self: undefined as unknown,
      status: 7,
    });
    error.self = { error };
    Object.defineProperty(error, 'getter', { enumerable: true, get: () => expect.unreachable() });
    const copy = guarded({ deep: [error], shared }).value as { deep: [Error & typeof error]; shared: object };
    expect(Object.keys(copy.deep[0])).toEqual(['second', 'third', 'status']);
    expect(copy.deep[0].second).toBe(copy.shared);
    expect(copy.deep[0].cause).toBe('a class instance of Socket');
  });

  it('forgets the objects it was thrown out of', () => {
    const loop: Record<string, unknown> = { date: new Date(1) };
    const error = Object.assign(new Error('x'), { loop });
    loop.error = error;
    const { value } = guarded({ error, later: [{ error }] });
    expect(Object.keys((value as { error: object }).error)).toEqual([]);
    expect(guardValue({ error, loop })).toMatchObject({ ok: true });
    expect(guarded({ error, loop: { ...loop } }).value).toHaveProperty('loop.date');
  });

  it('survives hostile errors', () => {
    const error = new Error('x');
    const fail = () => expect.unreachable();
    for (const key of ['stack', 'name', 'message', 'cause', 'errors'])
      Object.defineProperty(error, key, { get: fail });
    const copy = guarded(error).value as Error;
    expect(copy).toMatchObject({ name: 'Error', message: '' });
    class Odd extends Error {
      override get name(): string {
        throw new Error('no');
      }
    }
    expect(guarded(new Odd('m')).value).toMatchObject({ name: 'Error', message: 'm' });
    const chain = new Error('0');
    let last = chain;
    for (let i = 1; i < 5_000; i += 1) {
      const next = new Error(String(i));
      last.cause = next;
      last = next;
    }
    expect(guardValue(chain).ok).toBe(true);
    const loop = new Error('loop');
    loop.cause = loop;
    expect((guarded(loop).value as Error).cause).toBe('an Error "loop"');
  });
});
