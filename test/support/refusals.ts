/** What every refusal of an input has to say, and values that nobody expects. */
import { ERROR_CODES, type ErrorCode, OrchestratorError } from '@taskmaster-ai/orchestrator';
import { expect } from 'vitest';

/** Checks that an error says where, what was found and what is allowed, in its message and its details. */
export function expectRefused(error: OrchestratorError, code: ErrorCode, at: string): void {
  const { details, message } = error;
  expect({ code: error.code, at: details.at, message }).toMatchObject({ code, at });
  expect(OrchestratorError.is(error, code)).toBe(true);
  expect(message.startsWith(`${at}: found `), message).toBe(true);
  const { found, allowed } = details as { readonly found: string; readonly allowed: string };
  expect(found).not.toBe('');
  expect(found.length, found).toBeLessThanOrEqual(80);
  expect(allowed).not.toBe('');
  expect(message).toContain(`found ${found}; allowed: ${allowed}.`);
  expect(Object.keys(ERROR_CODES)).toContain(error.code);
}

/** Values of any kind, for places that allow none of them. */
export function untyped(values: readonly unknown[]): readonly never[] {
  return values as readonly never[];
}

class Instance {
  readonly name = 'instance';
  readonly tasks = [];
}

/** A proxy of which every trap throws. */
export function throwingProxy(target: object = {}): object {
  const fail = (): never => {
    throw new TypeError('a trap');
  };
  return new Proxy(target, {
    get: fail,
    has: fail,
    ownKeys: fail,
    getPrototypeOf: fail,
    getOwnPropertyDescriptor: fail,
    set: fail,
    defineProperty: fail,
  });
}

/** A proxy that looks like a plain object until one of its properties is read. */
export function lateProxy(target: object = {}): object {
  return new Proxy(target, {
    get: () => {
      throw new TypeError('a late trap');
    },
  });
}

/** A proxy that has been revoked. */
export function revokedProxy(target: object = {}): object {
  const { proxy, revoke } = Proxy.revocable(target, {});
  revoke();
  return proxy;
}

/** An object of which the given property throws when it is read. */
export function withThrowingGetter(key: string, rest: object = {}): object {
  return Object.defineProperty({ ...rest }, key, {
    enumerable: true,
    get() {
      throw new TypeError('a getter');
    },
  });
}

/** Values that are no definition and no object of options, with a name for the title of a test. */
export const NO_OBJECTS: readonly (readonly [what: string, value: unknown])[] = [
  ['null', null],
  ['a number', 42],
  ['NaN', Number.NaN],
  ['a string', 'x'],
  ['a boolean', true],
  ['a bigint', 10n],
  ['a symbol', Symbol('s')],
  ['a function', () => 1],
  ['an array', []],
  ['an array with items', [{ name: 'x' }]],
  ['a class instance', new Instance()],
  ['a map', new Map()],
  ['a date', new Date(Number.NaN)],
  ['a promise', Promise.resolve({ name: 'x', tasks: [] })],
  ['an error', new Error('x')],
  ['a proxy that throws', throwingProxy()],
  ['a proxy of an array that throws', throwingProxy([])],
  ['a revoked proxy', revokedProxy()],
];
