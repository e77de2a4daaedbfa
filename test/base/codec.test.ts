import { readFileSync } from 'node:fs';
import vm from 'node:vm';
import { describe, expect, it } from 'vitest';
import { itemsToText, textToItems } from '../../src/base/codec/bytes.ts';
import { CodecRefusal, type DecodeLimits, decodeValue, encodeValue } from '../../src/base/codec.ts';
import { difference, guarded, SAMPLES } from '../support/codec-samples.ts';

const GOLDEN = JSON.parse(readFileSync(new URL('fixtures/codec.json', import.meta.url), 'utf8')) as Readonly<
  Record<string, string>
>;

const dateToJson = Date.prototype.toJSON;

/** What the codec throws; anything else, or nothing, is a fault. */
function refusalOf(call: () => unknown): CodecRefusal {
  try {
    call();
  } catch (error) {
    expect(error).toBeInstanceOf(CodecRefusal);
    return error as CodecRefusal;
  }
  throw new Error('nothing was refused');
}

const decoded = (text: string, limits?: DecodeLimits) => refusalOf(() => decodeValue(text, limits));

/** An object of so many levels. */
function nested(
  levels: number,
  around: (inner: unknown) => unknown,
  innermost: unknown = undefined,
): unknown {
  let value = innermost;
  for (let i = 0; i < levels; i += 1) value = around(value);
  return value;
}

function withCause(cause: unknown): Error {
  const error = new Error('x', { cause });
  error.stack = 'x';
  return error;
}

const AROUND: readonly (readonly [what: string, around: (inner: unknown) => unknown])[] = [
  ['arrays', (inner) => [inner]],
  ['objects', (inner) => ({ inner })],
  ['keys of maps', (inner) => new Map([[inner, 1]])],
  ['sets', (inner) => new Set([inner])],
  ['causes of errors', withCause],
];

describe('the stored format', () => {
  it('given the golden file, then it has a text for each sample and for nothing else', () => {
    expect(Object.keys(GOLDEN)).toEqual(Object.keys(SAMPLES));
  });

  it.each(Object.entries(SAMPLES))('given %s, then its text is what was always stored', (name, sample) => {
    const value = guarded(sample);
    const text = encodeValue(value);
    expect(text).toBe(GOLDEN[name]);
    expect(text).not.toMatch(/[\r\n]/);
    const back = decodeValue(text);
    expect(difference(back, value)).toBeUndefined();
    expect(encodeValue(back)).toBe(text);
    expect(Buffer.from(text).toString()).toBe(text);
  });

  it('given a machine that keeps the highest byte first, then the text is the same', () => {
    // Such a machine would see these numbers where this one sees their bytes turned round.
    const here = Uint32Array.of(0x01020304, 0xff);
    const there = Uint32Array.of(0x04030201, 0xff000000);
    const text = itemsToText('Uint32Array', here, false);
    expect(text).toBe('BAMCAf8AAAA=');
    expect(itemsToText('Uint32Array', there, true)).toBe(text);
    expect(textToItems('Uint32Array', text, true)).toEqual(there);
    expect(textToItems('Uint32Array', text, false)).toEqual(here);
    expect([...here]).toEqual([0x01020304, 0xff]);
    expect(itemsToText('Uint8Array', Uint8Array.of(1, 2), true)).toBe('AQI=');
  });
});

describe('encodeValue', () => {
  it('given builtins with a toJSON, then what is stored is the same', () => {
    const found: string[] = [];
    const values = Object.values(SAMPLES).map((sample) => guarded(sample));
    for (const { prototype } of [Object, Array, String, Date, Map, BigInt])
      Object.defineProperty(prototype, 'toJSON', { value: () => 'changed', configurable: true });
    try {
      for (const value of values) found.push(encodeValue(value));
    } finally {
      // A date has one of its own.
      Object.defineProperty(Date.prototype, 'toJSON', {
        value: dateToJson,
        configurable: true,
        writable: true,
      });
      for (const { prototype } of [Object, Array, String, Map, BigInt])
        Reflect.deleteProperty(prototype, 'toJSON');
    }
    expect(found).toEqual(Object.values(GOLDEN));
  });

  it('given data of another realm with a toJSON, then that is not called', () => {
    const value = vm.runInNewContext('Object.prototype.toJSON = () => 1; ({ a: [1, {}] })');
    expect(encodeValue(value)).toBe('{"a":[1,{}]}');
  });

  it.each<readonly [string, unknown, string, string]>([
    ['a function', { a: [() => 1] }, '/a/0', 'a function'],
    ['a toJSON', { toJSON: () => 1 }, '/toJSON', 'a function toJSON'],
    ['a symbol', [Symbol('s')], '/0', 'a symbol s'],
    ['a symbol key', { a: { [Symbol('s')]: 1 } }, '/a', 'a symbol key'],
    [
      'a getter',
      {
        'a/b': {
          get c() {
            return expect.unreachable();
          },
        },
      },
      '/a~1b/c',
      'a getter',
    ],
    ['a setter', { set c(_value: unknown) {} }, '/c', 'a setter'],
    ['a class instance', [new (class Foo {})()], '/0', 'a class instance of Foo'],
    ['a promise', [Promise.resolve()], '/0', 'a promise'],
    ['a weak map', new Map([[1, new WeakMap()]]), '/0', 'a WeakMap'],
  ])('given %s, then it is refused at its place', (_, value, pointer, found) => {
    expect(refusalOf(() => encodeValue(value))).toMatchObject({ reason: 'value', pointer, found });
  });

  it('given a cycle, then it is refused at the place where it closes', () => {
    const value: Record<string, unknown> = {};
    value.map = new Map([['self', value]]);
    expect(refusalOf(() => encodeValue(value))).toMatchObject({
      reason: 'value',
      pointer: '/map/0',
      found: 'a cycle',
    });
  });

  it('given a proxy whose traps throw, then it is refused', () => {
    const trap = () => {
      throw new TypeError('a trap');
    };
    expect(refusalOf(() => encodeValue(new Proxy({}, { ownKeys: trap }))).reason).toBe('value');
    expect(refusalOf(() => encodeValue([new Proxy({}, { getPrototypeOf: trap })])).reason).toBe('value');
  });

  it.each(AROUND)('given 1,100 %s inside each other, then that is carried, and not one more', (_, around) => {
    const value = nested(1_100, around);
    const text = encodeValue(value);
    expect(encodeValue(decodeValue(text))).toBe(text);
    // Each of them is referred to again, which takes the most levels of a text.
    const parts: unknown[] = [];
    nested(1_099, (inner) => {
      const outer = around(inner);
      parts.push(outer);
      return outer;
    });
    const shared = encodeValue([parts.at(-1), ...parts.slice(0, -1), undefined]);
    expect(encodeValue(decodeValue(shared))).toBe(shared);
    expect(refusalOf(() => encodeValue(around(value))).reason).toBe('depth');
    expect(refusalOf(() => encodeValue(nested(1_101, around, 1))).reason).toBe('depth');
  });

  it('given shared parts that hide the depth, then it is found', () => {
    const deep = nested(1_000, (inner) => [inner]);
    expect(refusalOf(() => encodeValue([deep, nested(200, (inner) => [inner], deep)])).reason).toBe('depth');
  });
});

describe('decodeValue', () => {
  it.each<readonly [string, string, string, number]>([
    ['nothing', '', 'syntax', 0],
    ['only a tilde', '~', 'syntax', 1],
    ['no value', '{"a":}', 'syntax', 5],
    ['no end', '[1,2', 'syntax', 4],
    ['more behind the end', '{}x', 'syntax', 2],
    ['half of a text', '"abc', 'syntax', 4],
    ['a byte order mark', '\ufeff{}', 'syntax', 0],
    ['a control character', '"a\u0000"', 'syntax', 2],
    ['a key twice', '{"a":1,"b":{"c":1,"c":2}}', 'duplicate_key', 18],
    ['a key twice, once in other letters', '{"a":1,"\\u0061":1}', 'duplicate_key', 7],
    ['a key twice, which a text with a colon hides', '{"a":1,"a":":"}', 'duplicate_key', 7],
    ['a key twice, which white space hides', '{"a" :1,"a":2}', 'duplicate_key', 8],
    ['a key twice, which a line hides', '{"a"\n:1,"a"\r\n:"\\":"}', 'duplicate_key', 8],
    ['__proto__ twice', '{"__proto__":1,"__proto__":1}', 'duplicate_key', 15],
    ['a key twice, tagged', '~{"a":["~u"],"a":1}', 'duplicate_key', 13],
    ['1e400', '{"a":1e400}', 'number', 5],
    ['-1e400 alone', '-1e400', 'number', 0],
    ['1e400, tagged', '~[["~u"],1e400]', 'number', 9],
    ['an unknown tag', '~["~z"]', 'tag', 1],
    ['an unknown tag inside', '~{"a":[1,["~z",2]]}', 'tag', 9],
    ['a tag with too many parts', '~["~u",1]', 'tag', 1],
    ['an unknown number', '~["~n","NotANumber"]', 'tag', 1],
    ['a number where a text belongs', '~["~n",5]', 'tag', 1],
    ['no bigint', '~["~b","0f"]', 'tag', 1],
    ['minus zero as a bigint', '~["~b","-0"]', 'tag', 1],
    ['no date', '~["~d",0.5]', 'tag', 1],
    ['a date out of range', '~["~d",8640000000000001]', 'tag', 1],
    ['no base 64', '~["~a","A"]', 'tag', 1],
    ['base 64 with spare bits', '~["~a","AB=="]', 'tag', 1],
    ['an unknown kind of array', '~["~t","Uint7Array",""]', 'tag', 1],
    ['a builtin that is no array', '~["~t","Function",""]', 'tag', 1],
    ['half an item', '~["~t","Uint16Array","AA=="]', 'tag', 1],
    ['a map without a value', '~[0,["~m",1]]', 'tag', 4],
    ['a map with a key twice', '~[0,["~m",1,2,1,2]]', 'duplicate_key', 4],
    ['a set with an item twice', '~["~s","a","a"]', 'duplicate_key', 1],
    ['an error with too few parts', '~["~e","E","m","s",{}]', 'tag', 1],
    ['an error without properties', '~["~e","E","m","s",[],{}]', 'tag', 1],
    ['an error with a hidden part', '~["~e","E","m","s",{"x":1},{}]', 'tag', 1],
    ['an error with a stack of its own', '~["~e","E","m","s",{},{"stack":1}]', 'tag', 1],
    ['errors that are no array', '~["~e","E","m","s",{"errors":1},{}]', 'tag', 1],
    ['a reference forward', '~[["~@",0],["~=",{}]]', 'tag', 2],
    ['a reference to what is around it', '~["~=",[["~@",0]]]', 'tag', 8],
    ['a reference to no number', '~[["~=",{}],["~@","0"]]', 'tag', 12],
    ['a reference to a part of the list', '~[["~=",{}],["~@","length"]]', 'tag', 12],
    ['an object that is numbered twice', '~["~=",["~=",{}]]', 'tag', 7],
    ['a number for no object', '~["~=",1]', 'tag', 1],
  ])('given %s, then it is refused at its place', (_, text, reason, offset) => {
    expect(decoded(text)).toMatchObject({ reason, offset, pointer: undefined });
  });

  it('given what is no text at all, then it is refused', () => {
    for (const value of [undefined, null, 1, new Uint8Array(2), { length: 1 }])
      expect(decoded(value as never).reason).toBe('syntax');
  });

  it('given white space and colons in texts and keys, then they are no keys of their own', () => {
    const value = { 'a" :': 'b":', 'c\\': ' :":', '":"': [{ ':': ':' }] };
    expect(decodeValue(JSON.stringify(value, undefined, 2))).toEqual(value);
    expect(decodeValue(JSON.stringify(value))).toEqual(value);
  });

  it('given an own __proto__, then it is a key like any other', () => {
    for (const text of ['{"__proto__":{"x":[]}}', '~{"__proto__":{"x":["~s"]}}']) {
      const value = decodeValue(text) as object;
      expect(Object.keys(value)).toEqual(['__proto__']);
      expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
      expect(encodeValue(value)).toBe(text);
    }
    expect({}).not.toHaveProperty('x');
  });

  it.each([
    ['plain', '', '[', ']'],
    ['tagged', '~', '["~s",', ']'],
  ])(
    'given %s text that is nested too deeply, then it is refused, however long it is',
    (_, tilde, open, close) => {
      const at = (levels: number) => `${tilde}${open.repeat(levels)}1${close.repeat(levels)}`;
      expect(encodeValue(decodeValue(at(1_100)))).toBe(at(1_100));
      for (const levels of [1_101, 3_500, 100_000, 1_000_000])
        expect(decoded(at(levels)).reason).toBe('depth');
      expect(decoded(`${tilde}${open.repeat(100_000)}`).reason).toMatch(/depth|syntax/);
      decodeValue(at(5), { depth: 5 });
      expect(decoded(at(6), { depth: 5 }).reason).toBe('depth');
    },
  );

  it('given references that hide the depth, then it is found', () => {
    const parts = Array.from({ length: 20 }, (_, i) => {
      const inner = i === 0 ? '1' : `["~@",${i - 1}]`;
      return `["~=",${'['.repeat(100)}${inner}${']'.repeat(100)}]`;
    });
    expect(decoded(`~[${parts.join()}]`)).toMatchObject({ reason: 'depth' });
    expect(decodeValue(`~[${parts.slice(0, 10).join()}]`)).toHaveLength(10);
  });

  it('given more characters than are allowed, then it is refused before it is read', () => {
    expect(decoded('"abc"', { characters: 4 })).toMatchObject({ reason: 'size', offset: 4 });
    expect(decodeValue('"abc"', { characters: 5 })).toBe('abc');
  });

  it.each([
    ['a long text', '"', 'a', 2_000_000],
    ['a long text of escapes', '"', '\\n', 2_000_000],
    ['a long number', '', '1', 2_000_000],
    ['a long list', '', '[],', 100_000],
    ['many keys', '', '{"a":1},', 100_000],
  ])('given a fault behind %s, then it is refused and nothing worse', (_, quote, piece, count) => {
    expect(decoded(`[${quote}${piece.repeat(count)}${quote}, x]`).reason).toMatch(/syntax|number/);
  });

  it('given little of the stack, then what is tagged is read as ever, and the rest is read or refused', () => {
    let most = 0;
    const measure = (): number => {
      most += 1;
      return measure() + 1;
    };
    expect(measure).toThrow(RangeError);
    const down = (frames: number, call: () => unknown): unknown =>
      frames > 0 ? [down(frames - 1, call)][0] : call();
    const tagged = nested(1_000, withCause, new Date(1));
    const text = encodeValue(tagged);
    const plain = `${'['.repeat(1_000)}${']'.repeat(1_000)}`;
    const attempt = (call: () => unknown): unknown => {
      try {
        return call();
      } catch (error) {
        expect(error).toBeInstanceOf(CodecRefusal);
        return 'refused';
      }
    };
    for (const part of [0.2, 0.4, 0.5]) {
      const frames = Math.floor(most * part);
      expect(encodeValue(down(frames, () => decodeValue(text)))).toBe(text);
      expect(down(frames, () => attempt(() => encodeValue(tagged)))).toBeOneOf([text, 'refused']);
      expect(down(frames, () => attempt(() => decodeValue(plain)))).toBeTruthy();
    }
  });
});

describe('keys that an engine misreads', () => {
  const ODD = ['\\', '"', '\n', '\u0000', '\ud800'];

  it('come back as they were, whatever was parsed before', () => {
    for (const first of ODD)
      for (const second of ODD) {
        const before = { [`~u${second}`]: 0, [first]: 0, '': 1 };
        const after = { [`~u${second}`]: 0, [second]: 0, '': 1 };
        // The fault needs an object that was parsed with a lone backslash at the same place.
        for (let i = 0; i < 3; i += 1) JSON.parse(JSON.stringify(before));
        expect(Object.keys(decodeValue(encodeValue(before)) as object)).toEqual(Object.keys(before));
        expect(Object.keys(decodeValue(encodeValue(after)) as object)).toEqual(Object.keys(after));
      }
  });

  it('stand in an array of their own, also among the properties of an error', () => {
    expect(encodeValue({ a: 1, '\n': [2] })).toBe('~["~o","a",1,"\\n",[2]]');
    const error = Object.assign(new Error('told'), { '"': { x: 1 } });
    const back = decodeValue(encodeValue(error)) as Error & Record<string, unknown>;
    expect([back.message, back['"']]).toEqual(['told', { x: 1 }]);
  });

  it('are refused twice in one object, without a value, or when they are no text', () => {
    expect(decoded('~["~o","\\n",1,"\\n",2]').reason).toBe('duplicate_key');
    expect(decoded('~["~o","\\n"]').reason).toBe('tag');
    expect(decoded('~["~o",1,2]').reason).toBe('tag');
  });
});
