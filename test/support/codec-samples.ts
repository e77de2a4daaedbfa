/** Values for tests of the codec: one of each thing that is stored, and a comparison that overlooks nothing. */
import { copyGuarded, guardValue, isPrimitive } from '../../src/base/values.ts';

const shared = { id: 1 };
const list: unknown[] = ['~', shared];

function errorOf(parts: object = {}, options?: ErrorOptions): Error {
  const error = new RangeError('out of range', options);
  error.stack = 'RangeError: out of range\n    at a (b.js:1:2)';
  return Object.assign(error, parts);
}

function aggregate(): AggregateError {
  const error = new AggregateError([errorOf(), 'text'], 'all');
  error.stack = 'AggregateError: all';
  return error;
}

const seen = Uint8Array.of(9, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9).buffer;

/** By name, as the golden file has them. Add to it; what is there must never change. */
export const SAMPLES: Readonly<Record<string, unknown>> = {
  null: null,
  true: true,
  'a number': -12.5e-7,
  'a large number': 1e300,
  'a text': 'a\n"\\\u2028\u0000é😀',
  'a text with a tilde': '~u',
  'a lone surrogate': '\ud800',
  undefined: undefined,
  'minus zero': -0,
  'not a number': Number.NaN,
  infinity: [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  bigints: [0n, -255n, 10n ** 20n],
  'plain data': { type: 'RunStarted', seq: 1, list: [1, 'two', { three: null }], empty: [{}, []] },
  'keys in their order': { b: 1, a: 2, 10: 3, 9: 4 },
  'odd keys': JSON.parse('{"__proto__":{"x":1},"constructor":1,"toJSON":2,"then":3,"":4,"~u":5}'),
  'an array that looks like a tag, in plain data': ['~u'],
  'arrays that look like tags': [['~u'], ['~~'], ['~'], ['~=', 1], ['x', '~u'], undefined],
  dates: [new Date(0), new Date(-1), new Date(8.64e15), new Date(Number.NaN)],
  'a map': new Map<unknown, unknown>([
    ['a', 1],
    [{ key: true }, new Map()],
    [Number.NaN, undefined],
  ]),
  'a set': new Set<unknown>([1, 'a', new Set([{}])]),
  'a buffer': Uint8Array.of(0, 1, 254, 255).buffer,
  'an empty buffer': new ArrayBuffer(0),
  'a view': new DataView(seen, 1, 2),
  'a part of an array': new Uint8Array(seen, 1, 3),
  'a Buffer': Buffer.from('text'),
  'typed arrays': [
    Int8Array.of(-1, 1),
    Uint8Array.of(1, 255),
    Uint8ClampedArray.of(1, 255),
    Int16Array.of(-2, 258),
    Uint16Array.of(1, 258),
    Int32Array.of(-2, 16_909_060),
    Uint32Array.of(1, 16_909_060),
    Float32Array.of(0.5, -0),
    Float64Array.of(0.1, Number.POSITIVE_INFINITY),
    BigInt64Array.of(-2n, 72_623_859_790_382_856n),
    BigUint64Array.of(72_623_859_790_382_856n),
  ],
  'an error': errorOf(),
  'an error with a cause': errorOf({ code: 'E_X', detail: { status: 500 } }, { cause: errorOf() }),
  'an error with errors': aggregate(),
  'what is referred to again': { first: shared, list, again: [list, shared], date: new Date(1) },
  'one thing twice': [list, list],
};

/** The value as the guard passes it on. */
export function guarded(value: unknown, depth = 1_000): unknown {
  const result = guardValue(value, { depth });
  if (!result.ok) throw new Error(`refused at ${result.pointer}: ${result.found}`);
  return copyGuarded(result.value);
}

/** Where two values differ: in kind, prototype, frozenness, order, content, or in what is one object; or undefined. */
export function difference(
  a: unknown,
  b: unknown,
  at = '',
  pairs = new Map<unknown, unknown>(),
): string | undefined {
  if (isPrimitive(a) || isPrimitive(b))
    return Object.is(a, b) ? undefined : `${at}: ${String(a)}, ${String(b)}`;
  if (pairs.has(a) || pairs.has(b))
    return pairs.get(a) === b && pairs.get(b) === a ? undefined : `${at}: one object`;
  pairs.set(a, b).set(b, a);
  const [one, two] = [a as object, b as object];
  if (Object.getPrototypeOf(one) !== Object.getPrototypeOf(two)) return `${at}: prototypes`;
  if (Object.isFrozen(one) !== Object.isFrozen(two)) return `${at}: frozen`;
  const [first, second] = [partsOf(one), partsOf(two)];
  if (first.length !== second.length) return `${at}: ${first.length} parts, ${second.length}`;
  for (let i = 0; i < first.length; i += 1) {
    const found = difference(first[i], second[i], `${at}/${i}`, pairs);
    if (found !== undefined) return found;
  }
  return undefined;
}

function partsOf(value: object): readonly unknown[] {
  if (value instanceof Map) return [...value].flat();
  if (value instanceof Set) return [...value];
  if (value instanceof Date) return [value.getTime()];
  if (ArrayBuffer.isView(value)) return [...new Uint8Array(value.buffer, value.byteOffset, value.byteLength)];
  if (value instanceof ArrayBuffer) return [...new Uint8Array(value)];
  return Object.entries(Object.getOwnPropertyDescriptors(value)).flatMap(
    ([key, { value: item, enumerable }]) => [key, enumerable, item],
  );
}
