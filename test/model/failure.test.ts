import { NonRetryableError, OrchestratorError } from '@taskmaster-ai/orchestrator';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { describeFailure, isMarkedFatal, reviveFailure, type TaskFailure } from '../../src/model/failure.ts';

/** A proxy that throws, whatever is asked of it. */
function hostile(): object {
  const trap = (): never => {
    throw new Error('trapped');
  };
  const traps = [
    'get',
    'has',
    'ownKeys',
    'getPrototypeOf',
    'getOwnPropertyDescriptor',
    'set',
    'isExtensible',
  ];
  return new Proxy({}, Object.fromEntries(traps.map((name) => [name, trap])));
}

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

function circle(): Error {
  const inner = new Error('inner');
  const outer = new Error('outer', { cause: inner });
  inner.cause = outer;
  return outer;
}

function endless(depth = 0): object {
  return Object.defineProperty(new Error(`level ${depth}`), 'cause', { get: () => endless(depth + 1) });
}

const throwingGetters = Object.defineProperties(
  {},
  Object.fromEntries(
    ['name', 'message', 'stack', 'code', 'cause', 'retryable', 'toJSON'].map((key) => [
      key,
      {
        get: () => {
          throw new Error('no');
        },
      },
    ]),
  ),
);

const HOSTILE: readonly (readonly [string, unknown])[] = [
  ['a proxy that throws', hostile()],
  ['a revoked proxy', revoked()],
  ['causes in a circle', circle()],
  ['causes without end', endless()],
  ['getters that throw', throwingGetters],
  ['an object without prototype', Object.create(null)],
  [
    'fields of other types',
    { name: 1, message: {}, code: Symbol('x'), stack: 5n, retryable: 'no', cause: revoked() },
  ],
  ['a frozen error', Object.freeze(new Error('frozen'))],
  ['a huge message', new Error('x'.repeat(5_000_000))],
  ['toJSON that throws', { toJSON: () => hostile() }],
  ['a bigint inside', { value: 1n }],
  ['a function', () => 1],
  ['a symbol', Symbol('thrown')],
  ['a bigint', 5n],
  ['NaN', Number.NaN],
];

function depthOf(failure: TaskFailure): number {
  return failure.cause === undefined ? 1 : 1 + depthOf(failure.cause);
}

describe('describeFailure', () => {
  it.each(HOSTILE)('survives %s (I45)', (_what, thrown) => {
    const failure = describeFailure(thrown);
    expect(typeof failure.name).toBe('string');
    expect(failure.message).not.toBe('');
    expect(JSON.stringify(failure).length).toBeLessThan(300_000);
    expect(depthOf(failure)).toBeLessThanOrEqual(9);
    expect(structuredClone(failure)).toEqual(failure);
    expect(typeof isMarkedFatal(thrown)).toBe('boolean');
  });

  it('survives anything', () => {
    const anything = fc.anything({
      withBigInt: true,
      withNullPrototype: true,
      withMap: true,
      withSparseArray: true,
    });
    fc.assert(
      fc.property(anything, (thrown) => {
        expect(typeof describeFailure(thrown).message).toBe('string');
      }),
    );
  });

  it('keeps what an error says', () => {
    const thrown = Object.assign(new TypeError('bad', { cause: new RangeError('below') }), { code: 'E_BAD' });
    expect(describeFailure(thrown)).toMatchObject({
      name: 'TypeError',
      message: 'bad',
      code: 'E_BAD',
      stack: thrown.stack,
      cause: { name: 'RangeError', message: 'below' },
    });
  });

  it.each([
    ['text', 'text'],
    [7, '7 was thrown'],
    [false, 'false was thrown'],
    [null, 'null was thrown'],
    [undefined, 'undefined was thrown'],
  ])('keeps the thrown value %j itself', (thrown, message) => {
    expect(describeFailure(thrown)).toEqual({ name: 'ThrownValue', message, thrown });
  });

  it('shows a plain object as JSON', () => {
    expect(describeFailure({ status: 503 }).message).toBe('{"status":503}');
  });

  it('cuts long texts between characters, not through them', () => {
    for (const length of [4_094, 4_095, 4_096]) {
      const { message } = describeFailure(new Error(`${'x'.repeat(length)}${'\u{1F600}'.repeat(10)}`));
      expect(message.length).toBeLessThanOrEqual(4_096);
      expect(message.endsWith('…')).toBe(true);
      expect(/\p{Cs}/u.test(message)).toBe(false);
    }
  });
});

describe('an error', () => {
  it('of a code that the catalogue does not have is final', () => {
    const error = new OrchestratorError('NO_SUCH_CODE' as never, 'x');
    expect([error.code, error.retryable]).toEqual(['NO_SUCH_CODE', false]);
  });
});

describe('a failure', () => {
  it('can be made an error again', () => {
    const thrown = Object.assign(new TypeError('bad', { cause: new Error('below') }), { code: 'E_BAD' });
    const error = reviveFailure(describeFailure(thrown));
    expect(error).toMatchObject({ name: 'TypeError', message: 'bad', code: 'E_BAD', stack: thrown.stack });
    expect(error.cause).toMatchObject({ name: 'Error', message: 'below' });
    expect(describeFailure(error)).toEqual(describeFailure(thrown));
  });

  it.each([
    ['an error of the handler', new Error('x'), false],
    ['NonRetryableError', new NonRetryableError('x'), true],
    ['an object that says so', { retryable: false }, true],
    ['an object that says the opposite', { retryable: true }, false],
    ['a text', 'no', false],
    ['one of our own errors that is final', new OrchestratorError('RUN_FAILED', 'x'), true],
    ['one of our own errors that is not', new OrchestratorError('TASK_TIMEOUT', 'x'), false],
  ])('is fatal or not: %s', (_what, thrown, isFatal) => {
    expect(isMarkedFatal(thrown)).toBe(isFatal);
  });
});
