import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkId } from '../../src/model/ids.ts';
import { formatPath, joinPath, leafOf, type PathStep, parsePath, scopeOf } from '../../src/model/path.ts';
import { refusal } from '../support/errors.ts';

const id = fc.oneof(
  fc.constantFrom(
    'write',
    'pages',
    'doc-17',
    '__proto__',
    'constructor',
    '0',
    'a b',
    'ю',
    '\u{1F600}',
    '.',
    'a:b',
  ),
  fc.stringMatching(/^[A-Za-z0-9_. :-]{1,20}$/),
);
const step: fc.Arbitrary<PathStep> = fc.oneof(
  id.map((taskId) => ({ taskId })),
  fc.tuple(id, id).map(([taskId, item]) => ({ taskId, item })),
  fc.tuple(id, fc.nat(1e15 - 1)).map(([taskId, iteration]) => ({ taskId, iteration })),
);
const steps = fc.array(step, { minLength: 1, maxLength: 5 });

describe('a path', () => {
  it('is none when it is no text, and is made of steps only', () => {
    for (const value of [undefined, null, 5, {}, Symbol('s')])
      expect(parsePath(value as never)).toBe(undefined);
    for (const value of [undefined, null, 'a', {}, [5], [undefined], [{ taskId: 5 }]])
      expect(refusal(() => formatPath(value as never))).toMatchObject({
        code: 'OPTION_INVALID',
        message: expect.stringMatching(/^formatPath(\/0)?: found .+; allowed: the steps of a path/),
      });
  });

  it('is taken apart into the steps that it was put together from', () => {
    fc.assert(
      fc.property(steps, (list) => {
        expect(parsePath(formatPath(list))).toEqual(list);
      }),
    );
  });

  it('is put together again as it was, if it is one at all', () => {
    const text = fc.array(fc.constantFrom('a', 'b', '/', '[', ']', '#', '0', '1', '-', ' ', '\n'), {
      maxLength: 12,
    });
    fc.assert(
      fc.property(text, (parts) => {
        const path = parts.join('');
        const parsed = parsePath(path);
        if (parsed !== undefined) expect(formatPath(parsed)).toBe(path);
        for (const { taskId, item } of parsed ?? [])
          for (const name of [taskId, item ?? 'x']) expect(name).toMatch(/^[^[\]#/]+$/);
      }),
    );
  });

  it('is its scope and its leaf', () => {
    fc.assert(
      fc.property(steps, (list) => {
        const path = formatPath(list);
        expect(joinPath(scopeOf(path), leafOf(path))).toBe(path);
        expect(scopeOf(path)).toBe(formatPath(list.slice(0, -1)));
      }),
    );
  });

  it.each([
    ['write', [{ taskId: 'write' }]],
    ['pages[doc-17]/parse', [{ taskId: 'pages', item: 'doc-17' }, { taskId: 'parse' }]],
    ['review#3/write', [{ taskId: 'review', iteration: 3 }, { taskId: 'write' }]],
    ['review#0', [{ taskId: 'review', iteration: 0 }]],
  ])('%s', (path, parsed) => {
    expect(parsePath(path)).toEqual(parsed);
  });

  it.each([
    ...[
      '',
      '/',
      'a/',
      '/a',
      'a//b',
      '[x]',
      '#1',
      'a[',
      'a[]',
      'a[x',
      'ax]',
      'a[x]y',
      'a[[x]]',
      'a[x#1]',
      'a[x][y]',
    ],
    ...[
      'a#',
      'a#x',
      'a#-1',
      'a#01',
      'a#1.5',
      'a#1#2',
      'a#1[x]',
      'a[x]#1',
      'a]b[c]',
      'a]#1',
      'a#1234567890123456',
    ],
  ])('is not %j', (path) => {
    expect(parsePath(path)).toBeUndefined();
  });
});

describe('an id', () => {
  it.each([
    'a',
    'a b',
    '__proto__',
    'ю',
    '\u{1F600}',
    'x'.repeat(128),
    'é'.normalize('NFC'),
    '.',
    '..',
    'a:b@c',
  ])('can be %j', (name) => {
    expect(checkId(name, 'here', 'a task id')).toBe(name);
  });

  it.each([
    [0, '0'],
    [17, '17'],
    [Number.MAX_SAFE_INTEGER, '9007199254740991'],
  ])('can be the integer %d', (given, name) => {
    expect(checkId(given, 'here', 'a task id')).toBe(name);
  });

  it.each([
    ...[
      '',
      ' ',
      ' a',
      'a ',
      'a/b',
      'a[b',
      'a]b',
      'a#b',
      'a\nb',
      'a\u0000b',
      'a\u200bb',
      '\ud800',
      'x'.repeat(129),
    ],
    ...[
      'é'.normalize('NFD'),
      'a\u2028b',
      '\ufffe',
      '\u00a0a',
      -1,
      1.5,
      Number.NaN,
      2 ** 53,
      null,
      undefined,
      {},
      ['a'],
    ],
    ...[Symbol('a'), 1n, true],
  ])('cannot be %s', (given) => {
    expect(refusal(() => checkId(given, 'here', 'a task id'))).toMatchObject({ code: 'ID_INVALID' });
  });

  it('that passes is a step of a path, alone and as an item', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 8 }), (text) => {
        let name: string;
        try {
          name = checkId(text, 'here', 'a task id');
        } catch {
          return;
        }
        expect(parsePath(name)).toEqual([{ taskId: name }]);
        expect(parsePath(`${name}[${name}]/${name}`)).toEqual([
          { taskId: name, item: name },
          { taskId: name },
        ]);
      }),
      { numRuns: 500 },
    );
  });
});
