import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CodecRefusal, decodeValue, encodeValue } from '../../src/base/codec.ts';
import { guardValue, isPrimitive } from '../../src/base/values.ts';
import { difference, guarded, SAMPLES } from '../support/codec-samples.ts';

const oddTexts = fc.constantFrom(
  '~',
  '~~',
  '~u',
  '~=',
  '__proto__',
  'toJSON',
  'then',
  '\ud800',
  '\u2028',
  '":',
  ' :',
  '\\',
  '',
);
const texts = fc.oneof(fc.string(), fc.string({ unit: 'binary' }), oddTexts);
const bytes = fc.uint8Array({ maxLength: 24 });
const kinds = [Int8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array];
const wideKinds = [Float32Array, Float64Array, BigInt64Array, BigUint64Array];
const bufferOf = (source: Uint8Array): ArrayBuffer => new Uint8Array(source).buffer;

const leaves = fc.oneof(
  texts,
  fc.constantFrom(
    undefined,
    null,
    true,
    false,
    -0,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
  ),
  fc.double(),
  fc.integer(),
  fc.bigInt(),
  fc.date({ noInvalidDate: false }),
  bytes,
  bytes.map(bufferOf),
  bytes.map((source) => new DataView(bufferOf(source))),
  bytes.map((source) => Buffer.from(source)),
  fc
    .tuple(fc.constantFrom(...kinds, ...wideKinds), bytes)
    .map(([Kind, source]) => new Kind(bufferOf(source.subarray(0, source.length - (source.length % 8))))),
);

interface ErrorParts {
  readonly message: string;
  readonly name: string;
  readonly cause?: unknown;
  readonly errors?: readonly unknown[];
  readonly own: object;
}

function makeError({ message, name, own, ...rest }: ErrorParts): Error {
  const error = new Error(message, 'cause' in rest ? { cause: rest.cause } : {});
  error.name = name;
  error.stack = `${name}: ${message}\n    at x`;
  if (rest.errors !== undefined) Object.defineProperty(error, 'errors', { value: rest.errors });
  for (const [key, value] of Object.entries(own))
    Object.defineProperty(error, key, { value, enumerable: true, configurable: true, writable: true });
  return error;
}

const { tree } = fc.letrec((tie) => ({
  tree: fc.oneof({ depthSize: 'small', withCrossShrink: true }, leaves, tie('holder')),
  holder: fc.oneof(
    fc.array(tie('tree'), { maxLength: 5 }),
    fc.dictionary(texts, tie('tree'), { maxKeys: 5 }),
    fc.array(fc.tuple(tie('tree'), tie('tree')), { maxLength: 4 }).map((entries) => new Map(entries)),
    fc.array(tie('tree'), { maxLength: 4 }).map((items) => new Set(items)),
    fc
      .record(
        {
          message: texts,
          name: fc.constantFrom('Error', 'TypeError', 'Odd', ''),
          cause: tie('tree'),
          errors: fc.array(tie('tree'), { maxLength: 3 }),
          own: fc.dictionary(texts, tie('tree'), { maxKeys: 3 }),
        },
        { requiredKeys: ['message', 'name', 'own'] },
      )
      .map((parts) => makeError(parts as ErrorParts)),
  ),
}));

/** Every object in a value that the guard has passed. */
function objectsIn(value: unknown, found = new Set<object>()): Set<object> {
  if (isPrimitive(value) || found.has(value as object)) return found;
  found.add(value as object);
  if (value instanceof Map) for (const entry of value) for (const item of entry) objectsIn(item, found);
  else if (value instanceof Set) for (const item of value) objectsIn(item, found);
  else if (!ArrayBuffer.isView(value))
    for (const { value: item } of Object.values(Object.getOwnPropertyDescriptors(value as object)))
      objectsIn(item, found);
  return found;
}

/** Values as the guard passes them on, with some of their objects in a second place. */
const values = fc.tuple(tree, fc.array(fc.nat(), { maxLength: 3 })).map(([value, picks]) => {
  const first = guarded(value);
  const objects = [...objectsIn(first)];
  if (picks.length === 0 || objects.length === 0) return first;
  return guarded([first, ...picks.map((pick) => objects[pick % objects.length])]);
});

/** Whatever is read can be written, and what is written then stays the same. */
function expectReadOrRefused(text: string): void {
  let value: unknown;
  try {
    value = decodeValue(text);
  } catch (error) {
    if (!(error instanceof CodecRefusal)) throw error;
    if (error.offset === undefined || error.offset < 0 || error.offset > text.length)
      throw new Error(`refused at ${error.offset}`);
    return;
  }
  const again = encodeValue(value);
  expect(encodeValue(decodeValue(again))).toBe(again);
  expect(guardValue(value, { depth: 1_000 }).ok).toBe(true);
}

describe('any value that the guard passes', () => {
  it('is the same when it comes back, and its text is one line that never differs', () => {
    fc.assert(
      fc.property(values, (value) => {
        const text = encodeValue(value);
        expect(text).not.toMatch(/[\r\n]/);
        const back = decodeValue(text);
        expect(difference(back, value)).toBeUndefined();
        expect(encodeValue(back)).toBe(text);
        expect(Buffer.from(text).toString()).toBe(text);
      }),
      { numRuns: 1_000 },
    );
  });

  it('shares nothing that can change with a second reading', () => {
    fc.assert(
      fc.property(values, (value) => {
        const text = encodeValue(value);
        const first = objectsIn(decodeValue(text));
        for (const object of objectsIn(decodeValue(text))) expect(first.has(object)).toBe(false);
      }),
    );
  });
});

describe('any other text', () => {
  const stored = Object.values(SAMPLES).map((sample) => encodeValue(guarded(sample)));
  const characters = [
    '"',
    '[',
    ']',
    '{',
    '}',
    ',',
    ':',
    '~',
    '\\',
    '0',
    '9',
    'e',
    '-',
    ' ',
    '\n',
    '\u0000',
    'ß',
  ];

  it('that differs in one character from a stored one is read or refused', () => {
    for (const text of stored) {
      for (let at = 0; at <= text.length; at += 1) {
        const [before, behind] = [text.slice(0, at), text.slice(at + 1)];
        expectReadOrRefused(before + behind);
        expectReadOrRefused(before);
        const character = characters[(at * 7 + text.length) % characters.length] as string;
        expectReadOrRefused(before + character + behind);
        expectReadOrRefused(before + character + text.slice(at));
      }
    }
  });

  it('that two stored ones were cut together from is read or refused', () => {
    const part = fc.tuple(fc.constantFrom(...stored), fc.nat(), fc.nat());
    fc.assert(
      fc.property(fc.array(part, { maxLength: 4 }), (parts) => {
        const pieces = parts.map(([text, from, to]) =>
          text.slice(from % (text.length + 1), to % (text.length + 1)),
        );
        expectReadOrRefused(`~${pieces.join('')}`);
      }),
      { numRuns: 1_000 },
    );
  });

  it('of garbage is read or refused', () => {
    const garbage = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.json(),
      fc.string({ unit: fc.constantFrom(...characters) }),
    );
    fc.assert(
      fc.property(fc.constantFrom('', '~'), garbage, (tilde, text) => expectReadOrRefused(tilde + text)),
      { numRuns: 2_000 },
    );
  });

  it('of tags in the wrong places is read or refused', () => {
    const tags = fc.constantFrom(...'uanbdmsavte=@z~'.split('').map((letter) => `~${letter}`));
    const { node } = fc.letrec((tie) => ({
      node: fc.oneof(
        { depthSize: 'medium' },
        fc.constantFrom<unknown>(0, 1, null, 'NaN', 'ff', 'AAE=', 'Uint8Array', 'errors', ''),
        fc.tuple(tags, fc.array(tie('node'), { maxLength: 5 })).map(([tag, items]) => [tag, ...items]),
        fc.dictionary(fc.constantFrom('a', 'cause', 'errors', 'stack', '__proto__'), tie('node'), {
          maxKeys: 2,
        }),
      ),
    }));
    fc.assert(
      fc.property(node, (found) => expectReadOrRefused(`~${JSON.stringify(found)}`)),
      { numRuns: 3_000 },
    );
  });
});
