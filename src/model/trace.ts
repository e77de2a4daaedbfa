/**
 * The trace that a call belongs to, as text for whoever continues it: in this thread, in another, on another machine.
 * What the entries mean is for the tracer alone; there is no format of our own.
 */
import { describeValue } from '../base/values.ts';
import { invalidOption, isPlain, reading } from './checks.ts';
import { refuse } from './errors.ts';
import type { TaskPath } from './path.ts';

/**
 * What a tracer hands on, by name: `traceparent`, `tracestate`, `baggage` of W3C Trace Context, or other headers. It is
 * the carrier that `propagation.inject` of OpenTelemetry fills.
 */
export type TraceCarrier = Readonly<Record<string, string>>;

/** Which attempt a trace is asked for. */
export interface TracedAttempt {
  readonly runId: string;
  readonly path: TaskPath;
  /** From 1. */
  readonly attempt: number;
}

/** Says which trace an attempt belongs to; `undefined` for none. */
export type TraceSource = (attempt: TracedAttempt) => TraceCarrier | undefined;

/** What a call without a trace is given. */
export const NO_TRACE: TraceCarrier = Object.freeze({});

/** How many entries a carrier may have. */
export const TRACE_ENTRIES_MAX = 64;
/** How many characters the names and values of a carrier may have together; `baggage` alone may have 8,192. */
export const TRACE_CHARACTERS_MAX = 16_384;

const CARRIER = 'an object from name to string, or undefined';

/**
 * A frozen copy of what a host's tracer gave.
 * @throws OrchestratorError `OPTION_INVALID`, `LIMIT_EXCEEDED`
 */
export function checkCarrier(value: unknown, at: string): TraceCarrier {
  if (value === undefined) return NO_TRACE;
  return reading(at, CARRIER, () => copyCarrier(value, at));
}

function copyCarrier(value: unknown, at: string): TraceCarrier {
  if (typeof value !== 'object' || value === null || !isPlain(value)) {
    const hint = describeValue(value) === 'a promise' ? 'It is asked at once, and cannot wait.' : undefined;
    throw invalidOption(at, value, CARRIER, hint);
  }
  const names = Object.keys(value);
  if (names.length > TRACE_ENTRIES_MAX) throw tooMuch(at, names.length, TRACE_ENTRIES_MAX, 'entries');
  let characters = 0;
  const entries = names.map((name): [string, string] => {
    const text = (value as Readonly<Record<string, unknown>>)[name];
    if (typeof text !== 'string') throw invalidOption(`${at}/${name}`, text, 'a string');
    characters += name.length + text.length;
    return [name, text];
  });
  if (characters > TRACE_CHARACTERS_MAX) throw tooMuch(at, characters, TRACE_CHARACTERS_MAX, 'characters');
  // fromEntries makes an own property of every name, also of `__proto__`.
  return Object.freeze(Object.fromEntries(entries));
}

function tooMuch(at: string, found: number, most: number, what: string): Error {
  return refuse('LIMIT_EXCEEDED', { at, found: `${found} ${what}`, allowed: `at most ${most} ${what}` });
}
