import { ERROR_CODES, type ErrorCode } from './error-codes.ts';

const BRAND = Symbol.for('@taskmaster-ai/orchestrator/error');
const PLACE_LENGTH_MAX = 600;

/** What an error carries beside its message. */
export interface OrchestratorErrorOptions {
  readonly details?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
  readonly retryable?: boolean;
}

/**
 * The only class of error that this package throws.
 *
 * Recognise it by `OrchestratorError.is(error, code)`, which also works across two copies of the package in
 * one process, where `instanceof` does not.
 */
export class OrchestratorError extends Error {
  /** A stable string; every code is explained in docs/errors.md. */
  readonly code: ErrorCode;
  /** Where, what was found, what is allowed: plain data that depends on the code. */
  readonly details: Readonly<Record<string, unknown>>;
  /** Whether doing the same again later can succeed. */
  readonly retryable: boolean;

  constructor(code: ErrorCode, message: string, options: OrchestratorErrorOptions = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.name = 'OrchestratorError';
    this.code = code;
    this.details = options.details ?? {};
    // A host in plain JavaScript may make one with a code of its own.
    this.retryable = options.retryable ?? ERROR_CODES[code]?.retryable ?? false;
    Object.defineProperty(this, BRAND, { value: true });
  }

  /** Whether `value` is such an error, and of the given code if one is given. */
  static is(value: unknown, code?: ErrorCode): value is OrchestratorError {
    if (typeof value !== 'object' || value === null) return false;
    try {
      return BRAND in value && (code === undefined || (value as unknown as OrchestratorError).code === code);
    } catch {
      // A proxy may throw on any question; it is none of ours.
      return false;
    }
  }

  /** Plain data for logs: without the stack and the cause. */
  toJSON(): Record<string, unknown> {
    return {
      name: this.name,
      code: this.code,
      message: this.message,
      retryable: this.retryable,
      details: this.details,
    };
  }
}

/** The four things that every refusal of an input says. */
export interface Refused {
  /** Where: a JSON pointer into what was given, with a name in front (`workflow "report" /tasks/2/retry`). */
  readonly at: string;
  /** What was found there, at most 80 characters. */
  readonly found: string;
  /** What is allowed there. */
  readonly allowed: string;
  /** What to do, when it is more than to give what is allowed. */
  readonly hint?: string | undefined;
}

/** Builds the error for a refused input, in the one shape that all such messages have. */
export function refuse(
  code: ErrorCode,
  refused: Refused,
  extra: OrchestratorErrorOptions = {},
): OrchestratorError {
  const hint = refused.hint === undefined ? '' : ` ${refused.hint}`;
  // The key of a host's object can be of any length, and a place ends in such keys.
  const at = refused.at.length <= PLACE_LENGTH_MAX ? refused.at : `${refused.at.slice(0, PLACE_LENGTH_MAX)}…`;
  return new OrchestratorError(code, `${at}: found ${refused.found}; allowed: ${refused.allowed}.${hint}`, {
    ...extra,
    details: { at, found: refused.found, allowed: refused.allowed, ...extra.details },
  });
}

/**
 * Turns what a host's object throws while it is read (a getter, the trap of a proxy) into a refusal; a refusal
 * stays as it is.
 */
export function unreadable(thrown: unknown, code: ErrorCode, at: string, allowed: string): OrchestratorError {
  if (OrchestratorError.is(thrown)) return thrown;
  return refuse(
    code,
    { at, found: 'an object that throws when it is read', allowed, hint: 'Give plain data without getters.' },
    { cause: thrown },
  );
}

/**
 * Throw it from a handler when trying again is of no use: the task fails at once, whatever its retry policy.
 * Any thrown object with `retryable: false` does the same.
 */
export class NonRetryableError extends Error {
  readonly retryable = false;

  constructor(message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.name = 'NonRetryableError';
  }
}
