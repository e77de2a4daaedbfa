import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatDuration, parseDuration } from '../../src/base/duration.ts';

const HOUR = 3_600_000;

describe('parseDuration', () => {
  it.each([
    ['250ms', 250],
    ['2m', 120_000],
    ['1h30m', 1.5 * HOUR],
    ['1.5s', 1_500],
    ['1.1s', 1_100],
    ['2d', 48 * HOUR],
    ['1w', 168 * HOUR],
    ['1w2d3h4m5s6ms', 788_645_006],
    ['5 s', 5_000],
    ['1 h30 m', 1.5 * HOUR],
    ['0s', 0],
    ['007s', 7_000],
    ['PT1H30M', 1.5 * HOUR],
    ['P1DT2H', 26 * HOUR],
    ['PT0.5S', 500],
    ['P2W', 336 * HOUR],
    ['PT36H', 36 * HOUR],
    ['9007199254740992ms', 2 ** 53],
  ])('reads %j as %d', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  it.each([
    '',
    '5',
    '5 parsecs',
    '-5s',
    '+5s',
    'm',
    '1h 30x',
    '1h 30m',
    'NaN',
    '1m1h',
    '1m1m',
    '1.5h30m',
    '5M',
    '5S',
    '5MS',
    '5  s',
    ' 5s',
    '5s ',
    '5s\n',
    '.5s',
    '5.s',
    '1e3s',
    '1,5s',
    '٣s',
    'P',
    'PT',
    'P1',
    'P1M',
    'P1Y',
    'P1Y2M',
    'P1DT',
    'P1H',
    'PT1D',
    'PT1M1H',
    'PT1.5H1M',
    'PT5s',
    'pt5S',
    'P-1D',
    '-P1D',
    'PT 5S',
    `${'1'.repeat(21)}s`,
    '99999999999999999999d',
    `0.${'1'.repeat(20)}s`,
    '9007199254740993s',
    'Infinity',
  ])('refuses %j', (text) => {
    expect(parseDuration(text)).toBeUndefined();
  });

  it('is quick and calm on any text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[P0-9.wdhms T]*$/)), (text) => {
        const ms = parseDuration(text);
        expect(ms === undefined || (Number.isInteger(ms) && ms >= 0)).toBe(true);
      }),
    );
    expect(parseDuration('1'.repeat(1_000_000))).toBeUndefined();
    expect(parseDuration('1m'.repeat(500_000))).toBeUndefined();
  });
});

describe('formatDuration', () => {
  it.each([
    [0, '0ms'],
    [250, '250ms'],
    [1_500, '1.5s'],
    [61_001, '1m1.001s'],
    [60_250, '1m250ms'],
    [1.5 * HOUR, '1h30m'],
    [48 * HOUR, '2d'],
    [0.4, '0ms'],
    [-1_500, '-1.5s'],
    [Number.NaN, 'NaN'],
    [Number.POSITIVE_INFINITY, 'Infinity'],
  ])('writes %d as %j', (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });

  it('is read back as the same number', () => {
    const number = fc.oneof(fc.nat(200_000), fc.nat(), fc.maxSafeNat(), fc.constant(2 ** 53));
    fc.assert(
      fc.property(number, (ms) => parseDuration(formatDuration(ms)) === ms),
      { numRuns: 2_000 },
    );
  });
});
