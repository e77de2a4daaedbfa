import { describeFailure } from '../../model/failure.ts';

/** How much a line matters. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** The levels, least first. */
export const LOG_LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];

/**
 * One line of JSON, with a line feed: `{"time":…,"level":…,"msg":…,…fields}`. Whatever the fields hold becomes text:
 * errors with name, message, code, stack and cause; big integers as strings; what runs in a circle, or throws when it is
 * read, is left out, and said to be.
 *
 * @param time - milliseconds since 1970
 */
export function logLine(time: number, level: LogLevel, fields: unknown, message: string): string {
  const head = { time, level, msg: textOf(message) };
  const about = typeof fields === 'object' && fields !== null ? fields : {};
  try {
    // What the line is about cannot pretend to be another time, level or message.
    return `${JSON.stringify({ ...about, ...head }, plain)}\n`;
  } catch {
    return `${JSON.stringify({ ...readable(about), ...head, unreadable: true })}\n`;
  }
}

/** Those of the fields that can be written. */
function readable(fields: object): Readonly<Record<string, unknown>> {
  const kept: [string, unknown][] = [];
  for (const key of keysOf(fields)) {
    try {
      const text = JSON.stringify((fields as Readonly<Record<string, unknown>>)[key], plain);
      if (text !== undefined) kept.push([key, JSON.parse(text)]);
    } catch {
      // This one is left out; the line says that something was.
    }
  }
  return Object.fromEntries(kept);
}

/** A proxy may refuse to name what it has. */
function keysOf(fields: object): readonly string[] {
  try {
    return Object.keys(fields);
  } catch {
    return [];
  }
}

/** The message as text; there may be none in what was given for it. */
function textOf(message: unknown): string {
  try {
    return String(message);
  } catch {
    return '';
  }
}

function plain(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return String(value);
  return value instanceof Error ? describeFailure(value) : value;
}
