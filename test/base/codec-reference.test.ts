/** A reference, which is the one thing in a log that stands for something beside it, through the codec. */
import { describe, expect, it } from 'vitest';
import { CodecRefusal, decodeValue, encodeValue } from '../../src/base/codec.ts';
import { copyGuarded } from '../../src/base/copy-guarded.ts';
import { digestOf } from '../../src/base/digest.ts';
import { Reference } from '../../src/base/reference.ts';
import { isSameValue } from '../../src/base/same-value.ts';
import { guardValue } from '../../src/base/values.ts';

const ID = 'ab'.repeat(32);

describe('a reference', () => {
  it('given one in an event, then its text never changes and it comes back as one', () => {
    const text = encodeValue({ type: 'TaskCompleted', output: new Reference(ID, 5) });
    expect(text).toBe(`~{"type":"TaskCompleted","output":["~r","${ID}",5]}`);
    const { output } = decodeValue(text) as { readonly output: unknown };
    expect(Reference.is(output)).toBe(true);
    expect(output).toEqual(new Reference(ID, 5));
    expect(Object.isFrozen(output)).toBe(true);
  });

  it('given one that is met twice, then it comes back as one object', () => {
    const one = new Reference(ID, 5);
    const [a, b] = decodeValue(encodeValue([one, one])) as readonly unknown[];
    expect(a).toBe(b);
    expect(Reference.is(a)).toBe(true);
  });

  it.each([
    ['too short', `["~r","${ID.slice(1)}",5]`],
    ['no digits', `["~r","${'g'.repeat(64)}",5]`],
    ['a path', '["~r","../../etc/passwd",5]'],
    ['a negative length', `["~r","${ID}",-1]`],
    ['no length', `["~r","${ID}"]`],
    ['a length that is no number', `["~r","${ID}","5"]`],
  ])('given a text with %s, then it is refused', (_, text) => {
    expect(() => decodeValue(`~${text}`)).toThrow(CodecRefusal);
  });

  it('given a host that returns one, or data that looks like one, then none is made of it', () => {
    expect(guardValue({ a: new Reference(ID, 5) })).toMatchObject({ ok: false, pointer: '/a' });
    const back = decodeValue(encodeValue([['~r', ID, 5], undefined])) as readonly unknown[];
    expect(back[0]).toEqual(['~r', ID, 5]);
    expect(Reference.is({ id: ID, bytes: 5 })).toBe(false);
  });

  it('given two of the same content, then they are alike for whoever compares, copies or marks them', () => {
    const [a, b, other] = [
      new Reference(ID, 5),
      new Reference(ID, 5),
      new Reference(ID.replace('a', 'c'), 5),
    ];
    expect(isSameValue(a, b)).toBe(true);
    expect(isSameValue(a, other)).toBe(false);
    expect(digestOf(a)).toBe(digestOf(b));
    expect(digestOf(a)).not.toBe(digestOf(other));
    expect(copyGuarded(a)).toBe(a);
  });
});
