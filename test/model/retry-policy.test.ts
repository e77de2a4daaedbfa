import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkRetry, nextDelayMs, type RetryPolicy } from '../../src/model/retry-policy.ts';
import { refusal } from '../support/errors.ts';

const DEFAULTS = {
  maxAttempts: 3,
  delayMs: 1_000,
  factor: 2,
  maxDelayMs: 100_000,
  jitter: 0,
  retryOn: undefined,
};

const policies: fc.Arbitrary<RetryPolicy> = fc
  .record({
    maxAttempts: fc.integer({ min: 1, max: 10_000 }),
    delayMs: fc.oneof(fc.constant(0), fc.nat(10_000_000)),
    factor: fc.double({ min: 1, max: 100, noNaN: true }),
    above: fc.nat(10_000_000),
    jitter: fc.double({ min: 0, max: 1, noNaN: true }),
  })
  .map(({ above, ...rest }) => ({ ...rest, maxDelayMs: rest.delayMs + above, retryOn: undefined }));

const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

describe('the wait before the next attempt', () => {
  it('lies between the delay less its jitter and the most that is allowed (I39)', () => {
    fc.assert(
      fc.property(policies, random, fc.integer({ min: 1, max: 10_000 }), (policy, chance, attempt) => {
        const wait = nextDelayMs(policy, attempt, chance);
        expect(Number.isInteger(wait)).toBe(true);
        expect(wait).toBeGreaterThanOrEqual(Math.floor(policy.delayMs * (1 - policy.jitter)));
        expect(wait).toBeLessThanOrEqual(policy.maxDelayMs);
      }),
      { numRuns: 500 },
    );
  });

  it('never gets shorter from one attempt to the next, at equal chance', () => {
    fc.assert(
      fc.property(policies, random, fc.integer({ min: 1, max: 9_999 }), (policy, chance, attempt) => {
        expect(nextDelayMs(policy, attempt + 1, chance)).toBeGreaterThanOrEqual(
          nextDelayMs(policy, attempt, chance),
        );
      }),
    );
  });

  it('grows by the factor up to the cap', () => {
    const policy = { ...DEFAULTS, delayMs: 100, factor: 3, maxDelayMs: 2_000 };
    expect([1, 2, 3, 4, 5].map((attempt) => nextDelayMs(policy, attempt, 0))).toEqual([
      100, 300, 900, 2_000, 2_000,
    ]);
  });

  it('stays nothing when it is nothing, also after so many attempts that the factor is beyond numbers', () => {
    expect(nextDelayMs({ ...DEFAULTS, delayMs: 0 }, 9_999, 0.5)).toBe(0);
    expect(nextDelayMs(DEFAULTS, 9_999, 0)).toBe(100_000);
  });
});

describe('checkRetry', () => {
  it('fills in the defaults', () => {
    expect(checkRetry({}, 'retry')).toEqual(DEFAULTS);
    expect(checkRetry({ delay: '10m' }, 'retry')).toMatchObject({ delayMs: 600_000, maxDelayMs: 60_000_000 });
  });

  it.each([
    [{ maxAttempts: 0 }, 'OPTION_INVALID', /maxAttempts/],
    [{ maxAttempts: 1.5 }, 'OPTION_INVALID', /maxAttempts/],
    [{ maxAttempts: 10_001 }, 'OPTION_INVALID', /10000/],
    [{ delay: -1 }, 'OPTION_INVALID', /delay/],
    [{ delay: '5 parsecs' }, 'OPTION_INVALID', /delay/],
    [{ factor: 0.5 }, 'OPTION_INVALID', /factor/],
    [{ factor: Number.NaN }, 'OPTION_INVALID', /factor/],
    [{ jitter: 1.1 }, 'OPTION_INVALID', /jitter/],
    [{ delay: 100, maxDelay: 50 }, 'OPTION_INVALID', /less than delay/],
    [{ retryOn: true }, 'OPTION_INVALID', /retryOn/],
    [{ maxAttempt: 3 }, 'OPTION_UNKNOWN', /Did you mean "maxAttempts"/],
    [3, 'OPTION_INVALID', /an object of retry options/],
  ])('refuses %j', (given, code, message) => {
    expect(refusal(() => checkRetry(given, 'retry'))).toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
  });
});
