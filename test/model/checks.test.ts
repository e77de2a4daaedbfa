import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import {
  checkChoice,
  checkDuration,
  checkFunction,
  checkInteger,
  checkKeys,
  checkNumber,
  checkRecord,
  checkSignal,
  checkTags,
  checkText,
  isPlain,
} from '../../src/model/checks.ts';
import { checkLockNeeds, checkResourceNeeds } from '../../src/model/needs.ts';
import { refusal } from '../support/errors.ts';

const at = 'here';

describe('a check passes on', () => {
  it('what it allows', () => {
    expect(checkInteger(5, at, 1, 5)).toBe(5);
    expect(checkNumber(0.5, at, 0, 1)).toBe(0.5);
    expect(Object.is(checkNumber(-0, at, -1, 1), 0)).toBe(true);
    expect(checkText('', at, 3)).toBe('');
    expect(checkChoice('b', at, ['a', 'b'])).toBe('b');
    expect(checkTags(['x', 'y z'], at)).toEqual(['x', 'y z']);
    expect(checkSignal(undefined, at)).toBeUndefined();
    const { signal } = new AbortController();
    expect(checkSignal(signal, at)).toBe(signal);
    expect(checkDuration('1h30m', at)).toBe(5_400_000);
    expect(checkDuration(250, at)).toBe(250);
  });

  it('plain objects of every realm, with or without a prototype', () => {
    for (const value of [{}, Object.create(null), runInNewContext('({})')]) expect(isPlain(value)).toBe(true);
    for (const value of [new Date(), new Map(), new (class {})(), []]) expect(isPlain(value)).toBe(false);
  });

  it('needs in one order, whatever the order in which they were given', () => {
    expect(checkResourceNeeds({ gpu: 1, cpu: 0.5 }, at).map(({ name }) => name)).toEqual(['cpu', 'gpu']);
    expect(checkLockNeeds(['b', { name: 'a', mode: 'shared' }, 'b'], at)).toEqual([
      { name: 'a', mode: 'shared' },
      { name: 'b', mode: 'exclusive' },
    ]);
  });
});

describe('a check refuses', () => {
  it.each<readonly [string, () => unknown, string, RegExp]>([
    [
      'an integer that is none',
      () => checkInteger(1.5, at, 1, 5),
      'OPTION_INVALID',
      /an integer from 1 to 5/,
    ],
    ['an integer beyond its bounds', () => checkInteger(6, at, 1, 5), 'OPTION_INVALID', /found [a-z ]*6/],
    ['a number that is none', () => checkNumber(Number.NaN, at, 0, 1), 'OPTION_INVALID', /NaN/],
    ['a text that is too long', () => checkText('abcd', at, 3), 'LIMIT_EXCEEDED', /4 characters/],
    ['a text that is none', () => checkText(4, at, 3), 'OPTION_INVALID', /a string/],
    [
      'a choice that is near',
      () => checkChoice('exclusiv', at, ['exclusive', 'shared']),
      'OPTION_INVALID',
      /Did you mean exclusive/,
    ],
    ['a function that is none', () => checkFunction({}, at, 'a function'), 'OPTION_INVALID', /a function/],
    ['a signal that is none', () => checkSignal({}, at), 'OPTION_INVALID', /an AbortSignal/],
    ['tags that are none', () => checkTags('x', at), 'OPTION_INVALID', /an array/],
    ['an empty tag', () => checkTags([''], at), 'OPTION_INVALID', /here\/0/],
    ['too many tags', () => checkTags(Array(65).fill('x'), at), 'LIMIT_EXCEEDED', /65 tags/],
    [
      'an unknown key',
      () => checkKeys({ colour: 1 }, new Set(['color']), at),
      'OPTION_UNKNOWN',
      /Did you mean "color"/,
    ],
    ['an array for an object', () => checkRecord([], at, 'an object'), 'OPTION_INVALID', /an object/],
    [
      'a class instance for an object',
      () => checkRecord(new Map(), at, 'an object'),
      'OPTION_INVALID',
      /an object/,
    ],
    ['a duration without unit', () => checkDuration('5', at), 'OPTION_INVALID', /unit/],
    ['a duration of another world', () => checkDuration('5 parsecs', at), 'OPTION_INVALID', /parsecs/],
    ['a negative duration', () => checkDuration(-1, at), 'OPTION_INVALID', /-1/],
    ['a need of nothing', () => checkResourceNeeds({ cpu: 0 }, at), 'RESOURCE_AMOUNT_INVALID', /here\/cpu/],
    [
      'a need without end',
      () => checkResourceNeeds({ cpu: Infinity }, at),
      'RESOURCE_AMOUNT_INVALID',
      /Infinity/,
    ],
    [
      'one lock in two modes',
      () => checkLockNeeds(['a', { name: 'a', mode: 'shared' }], at),
      'LOCK_CONFLICT',
      /both/,
    ],
    ['locks that are no list', () => checkLockNeeds('a', at), 'OPTION_INVALID', /an array/],
  ])('%s', (_what, check, code, message) => {
    expect(refusal(check)).toMatchObject({ code, message: expect.stringMatching(message) });
  });
});

describe('an option of another library', () => {
  it.each([
    ['agent', 'agentAssigned'],
    ['attempts', 'maxAttempts'],
    ['dependsOn', 'dependencies'],
    ['resources', 'resourceRequirements'],
    ['retries', 'retry'],
    ['startToCloseTimeout', 'timeout'],
    ['needs', undefined],
  ])('%s means %s', (key, meant) => {
    const known = new Set([
      'agentAssigned',
      'dependencies',
      'maxAttempts',
      'resourceRequirements',
      'retry',
      'run',
      'timeout',
    ]);
    const { message } = refusal(() => checkKeys({ [key]: 1 }, known, 'task'));
    expect(/Did you mean "(.*)"/.exec(message)?.[1]).toBe(meant);
  });
});
