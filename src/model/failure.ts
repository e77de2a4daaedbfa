import { OrchestratorError } from './errors.ts';

/** A failure as it stands in the log: plain data, whatever was thrown. */
export interface TaskFailure {
  readonly name: string;
  readonly message: string;
  /** The `code` of the thrown object, when it has one. */
  readonly code?: string;
  /** `false` when the thrown object said that trying again is of no use. */
  readonly retryable?: boolean;
  readonly stack?: string;
  readonly cause?: TaskFailure;
  /** The thrown value itself when it was a string, number, boolean, null or undefined. */
  readonly thrown?: string | number | boolean | null | undefined;
}

const MESSAGE_LENGTH_MAX = 4_096;
const STACK_LENGTH_MAX = 16_384;
const CAUSE_DEPTH_MAX = 8;

/**
 * Turns anything that can be thrown into plain data. It reads an object with care: getters that throw, frozen
 * and revoked objects and causes that run in a circle are all survived.
 */
export function describeFailure(thrown: unknown): TaskFailure {
  return describe(thrown, 0, new Set());
}

function describe(thrown: unknown, depth: number, seen: Set<object>): TaskFailure {
  if (typeof thrown !== 'object' || thrown === null) return describePrimitive(thrown);
  seen.add(thrown);
  const name = text(read(thrown, 'name')) ?? 'Error';
  const message =
    text(read(thrown, 'message')) ?? text(attempt(() => JSON.stringify(thrown))) ?? 'an unreadable object';
  const code = text(read(thrown, 'code'));
  const retryable = read(thrown, 'retryable');
  const stack = text(read(thrown, 'stack'));
  const cause = read(thrown, 'cause');
  const nested =
    cause !== undefined &&
    depth < CAUSE_DEPTH_MAX &&
    !(typeof cause === 'object' && cause !== null && seen.has(cause));
  return {
    name: clip(name, 256),
    message: clip(message, MESSAGE_LENGTH_MAX),
    ...(code === undefined ? undefined : { code: clip(code, 256) }),
    ...(typeof retryable === 'boolean' ? { retryable } : undefined),
    ...(stack === undefined ? undefined : { stack: clip(stack, STACK_LENGTH_MAX) }),
    ...(nested ? { cause: describe(cause, depth + 1, seen) } : undefined),
  };
}

function describePrimitive(thrown: unknown): TaskFailure {
  if (thrown === undefined || thrown === null)
    return { name: 'ThrownValue', message: `${thrown} was thrown`, thrown };
  if (typeof thrown === 'string')
    return {
      name: 'ThrownValue',
      message: clip(thrown, MESSAGE_LENGTH_MAX),
      thrown: clip(thrown, MESSAGE_LENGTH_MAX),
    };
  if (typeof thrown === 'number' || typeof thrown === 'boolean')
    return { name: 'ThrownValue', message: `${thrown} was thrown`, thrown };
  return { name: 'ThrownValue', message: `a ${typeof thrown} was thrown` };
}

function read(object: object, key: string): unknown {
  return attempt(() => (object as Record<string, unknown>)[key]);
}

function attempt(get: () => unknown): unknown {
  try {
    return get();
  } catch {
    return undefined;
  }
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function clip(value: string, length: number): string {
  if (value.length <= length) return value;
  // Not through the two halves of one character.
  const code = value.charCodeAt(length - 2);
  return `${value.slice(0, code >= 0xd800 && code <= 0xdbff ? length - 2 : length - 1)}…`;
}

/** The failure of an attempt that ran into a time limit; `limitMs` is the limit. */
export function timeoutFailure(what: string, limitMs: number): TaskFailure {
  return {
    name: 'OrchestratorError',
    code: 'TASK_TIMEOUT',
    message: `${what} took longer than its limit of ${limitMs} ms`,
  };
}

/** The failure of a task under which the process ended once too often. */
export function deadLetterFailure(path: string, deaths: number, maxRestarts: number): TaskFailure {
  const times = deaths === 1 ? 'once' : `${deaths} times`;
  return {
    name: 'OrchestratorError',
    code: 'TASK_DEAD_LETTER',
    message: `the process ended ${times} while task ${JSON.stringify(path)} was in progress; allowed: ${maxRestarts} restarts. Find out whether it ends the process, such as by memory or process.exit, then retry the run; a higher maxRestarts allows more.`,
    retryable: false,
  };
}

/** An error object again, for the one who waits: its `cause` chain and `code` are kept. */
export function reviveFailure(failure: TaskFailure): Error {
  const cause = failure.cause === undefined ? undefined : { cause: reviveFailure(failure.cause) };
  const error = new Error(failure.message, cause);
  error.name = failure.name;
  if (failure.stack !== undefined) error.stack = failure.stack;
  if (failure.code !== undefined)
    Object.defineProperty(error, 'code', { value: failure.code, enumerable: true });
  return error;
}

/** Whether a thrown value says of itself that trying again is of no use. */
export function isMarkedFatal(thrown: unknown): boolean {
  if (typeof thrown !== 'object' || thrown === null) return false;
  if (OrchestratorError.is(thrown)) return read(thrown, 'retryable') !== true;
  return read(thrown, 'retryable') === false;
}
