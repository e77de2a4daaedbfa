/**
 * Whatever was thrown, as data that crosses a thread or a process, and back: class, name, code, own fields, causes
 * and the errors of an AggregateError stay. The structured clone alone loses most of them.
 *
 * Source of the rules for classes: the errors of ECMAScript have global constructors of their own names.
 */
import { guardValue, isPrimitive } from '../../base/values.ts';
import { ERROR_CODES, type ErrorCode } from '../../model/error-codes.ts';
import { OrchestratorError } from '../../model/errors.ts';

/** Something that was thrown. */
export type ErrorEnvelope =
  | { readonly kind: 'value'; readonly value: unknown }
  | {
      readonly kind: 'error';
      /** The nearest class that every JavaScript engine has, or that of this package. */
      readonly base: string;
      readonly name: string;
      readonly message: string;
      readonly stack: string | undefined;
      readonly fields: Readonly<Record<string, unknown>>;
      readonly cause: ErrorEnvelope | undefined;
      readonly errors: readonly ErrorEnvelope[] | undefined;
    };

/** The most errors of one envelope, with causes and the errors of an AggregateError: what has more is cut. */
export const ENVELOPES_MAX = 1_000;

/** How many errors may still come. */
export interface EnvelopeBudget {
  left: number;
}

const DEPTH_MAX = 8;
const ERRORS_MAX = 64;
const FIELDS_MAX = 64;
const TEXT_MAX = 65_536;
const OWN: ReadonlySet<string> = new Set(['name', 'message', 'stack', 'cause', 'errors']);

const BASES: Readonly<Record<string, new (message: string) => Error>> = {
  Error,
  EvalError,
  RangeError,
  ReferenceError,
  SyntaxError,
  TypeError,
  URIError,
};

/** Takes apart what was thrown; it never throws itself, whatever that is. */
export function packError(thrown: unknown): ErrorEnvelope {
  return pack(thrown, 0, { left: ENVELOPES_MAX });
}

function pack(thrown: unknown, depth: number, budget: EnvelopeBudget): ErrorEnvelope {
  budget.left--;
  if (isPrimitive(thrown)) return { kind: 'value', value: thrown };
  try {
    if (!isError(thrown)) return packOther(thrown);
    const cause =
      Object.hasOwn(thrown, 'cause') && depth < DEPTH_MAX && budget.left > 0
        ? pack(thrown.cause, depth + 1, budget)
        : undefined;
    const { errors } = thrown as AggregateError;
    const many = Array.isArray(errors) && depth < DEPTH_MAX;
    const packed: ErrorEnvelope[] = [];
    for (const one of many ? errors.slice(0, ERRORS_MAX) : [])
      if (budget.left > 0) packed.push(pack(one, depth + 1, budget));
    return {
      kind: 'error',
      base: baseOf(thrown),
      name: text(thrown.name) ?? 'Error',
      message: text(thrown.message) ?? '',
      stack: text(thrown.stack),
      fields: fieldsOf(thrown),
      cause,
      errors: many ? packed : undefined,
    };
  } catch {
    return { kind: 'error', ...UNREADABLE };
  }
}

const UNREADABLE = {
  base: 'Error',
  name: 'Error',
  message: 'an object was thrown that cannot be read',
  stack: undefined,
  fields: {},
  cause: undefined,
  errors: undefined,
};

/** An object that is no error is carried as it is if it can be; else its looks are told. */
function packOther(thrown: unknown): ErrorEnvelope {
  const guarded = guardValue(thrown);
  if (guarded.ok) return { kind: 'value', value: guarded.value };
  if (typeof thrown !== 'object')
    return { kind: 'error', ...UNREADABLE, name: 'ThrownValue', message: `${guarded.found} was thrown` };
  const { name, message } = thrown as Partial<Error>;
  return {
    kind: 'error',
    ...UNREADABLE,
    name: text(name) ?? 'Error',
    message: text(message) ?? `${guarded.found} was thrown`,
    fields: fieldsOf(thrown as Error),
  };
}

function isError(thrown: unknown): thrown is Error {
  return thrown instanceof Error || Object.prototype.toString.call(thrown) === '[object Error]';
}

function baseOf(error: Error): string {
  if (OrchestratorError.is(error)) return 'OrchestratorError';
  if (Object.prototype.toString.call(error) === '[object DOMException]') return 'DOMException';
  if (error instanceof AggregateError) return 'AggregateError';
  for (const [name, base] of Object.entries(BASES))
    if (name !== 'Error' && error instanceof base) return name;
  return 'Error';
}

/** Own data properties that can be carried; a `code` or `retryable` of the class counts as well. */
function fieldsOf(error: Error): Record<string, unknown> {
  const fields: Record<string, unknown> = {};
  const keys = Object.keys(error).filter((key) => !OWN.has(key));
  for (const key of [...keys.slice(0, FIELDS_MAX), 'code', 'retryable']) {
    if (Object.hasOwn(fields, key)) continue;
    const value: unknown = (error as unknown as Record<string, unknown>)[key];
    if (value === undefined) continue;
    const guarded = guardValue(value, { bytes: 1_048_576 });
    if (guarded.ok)
      Object.defineProperty(fields, key, {
        value: guarded.value,
        enumerable: true,
        configurable: true,
        writable: true,
      });
  }
  return fields;
}

function text(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined;
  return value.length <= TEXT_MAX ? value : `${value.slice(0, TEXT_MAX)}…`;
}

/** What was thrown, put together again. */
export function unpackError(envelope: ErrorEnvelope): unknown {
  if (envelope.kind === 'value') return envelope.value;
  const error = make(envelope);
  if (error.name !== envelope.name) define(error, 'name', envelope.name);
  // Without a stack it has none: that of this place would mislead.
  define(error, 'stack', envelope.stack);
  for (const [key, value] of Object.entries(envelope.fields)) {
    const isThere = key in error && (error as unknown as Record<string, unknown>)[key] === value;
    if (!isThere) define(error, key, value, true);
  }
  if (envelope.cause !== undefined && !Object.hasOwn(error, 'cause'))
    define(error, 'cause', unpackError(envelope.cause));
  return error;
}

function make({
  base,
  message,
  name,
  fields,
  errors,
  cause,
}: Extract<ErrorEnvelope, { kind: 'error' }>): Error {
  if (base === 'OrchestratorError' && Object.hasOwn(ERROR_CODES, String(fields.code))) {
    return new OrchestratorError(fields.code as ErrorCode, message, {
      details: (fields.details ?? {}) as Readonly<Record<string, unknown>>,
      ...(typeof fields.retryable === 'boolean' ? { retryable: fields.retryable } : undefined),
      ...(cause === undefined ? undefined : { cause: unpackError(cause) }),
    });
  }
  if (base === 'DOMException') return new DOMException(message, name);
  if (base === 'AggregateError') return new AggregateError((errors ?? []).map(unpackError), message);
  const Base = (Object.hasOwn(BASES, base) ? BASES[base] : undefined) ?? Error;
  return new Base(message);
}

function define(error: Error, key: string, value: unknown, enumerable = false): void {
  Object.defineProperty(error, key, { value, enumerable, configurable: true, writable: true });
}
