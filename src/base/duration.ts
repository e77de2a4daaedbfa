/**
 * Durations as text: `1h30m`, `250ms`, `PT1H30M`.
 */

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const WEEK = 7 * DAY;

/** The most digits of one number, both sides of its point together. */
const MOST_DIGITS = 20;

/** The longest duration in milliseconds: above it a double no longer tells neighbours apart. */
const LONGEST = 2 ** 53;

/** Milliseconds per unit, in the order of the groups of the two patterns. */
const COMPACT_UNITS: readonly number[] = [WEEK, DAY, HOUR, MINUTE, SECOND, 1];
const ISO_UNITS: readonly number[] = [WEEK, DAY, HOUR, MINUTE, SECOND];

/** One number; the quantifiers are bounded, so that a hostile text costs no more than a long one. */
const NUMBER = String.raw`(\d{1,20}(?:\.\d{1,20})?)`;

/** The units in descending order, each at most once; `m` must not swallow the start of `ms`. */
const COMPACT = new RegExp(
  `^(?:${NUMBER} ?w)?(?:${NUMBER} ?d)?(?:${NUMBER} ?h)?(?:${NUMBER} ?m(?!s))?` +
    `(?:${NUMBER} ?s)?(?:${NUMBER} ?ms)?$`,
);

/** ISO 8601 without years and months; a `T` needs a number behind it. */
const ISO = new RegExp(
  `^P(?:${NUMBER}W)?(?:${NUMBER}D)?(?:T(?=\\d)(?:${NUMBER}H)?(?:${NUMBER}M)?(?:${NUMBER}S)?)?$`,
);

/**
 * Reads a duration as whole milliseconds.
 *
 * Two forms are known. The compact one is a run of numbers with the units `w d h m s ms` (`1h30m`, `1.5s`,
 * `250ms`), with at most one space between a number and its unit (`5 s`). The other is the ISO 8601 form with
 * weeks, days, hours, minutes and seconds (`PT1H30M`, `P1DT2H`, `PT0.5S`). In both, units stand in descending
 * order, each at most once, and only the last number may have a fraction. A part of a millisecond is rounded.
 *
 * @returns milliseconds from 0 to 2^53; undefined when the text is not a duration: no unit, an unknown or
 * upper-case unit, a sign, a calendar unit (`P1M`, `P1Y`), a number of more than 20 digits, or a time that is
 * too long.
 */
export function parseDuration(value: string): number | undefined {
  if (value === '') return undefined;
  if (value.charCodeAt(0) === 0x50) return total(ISO.exec(value), ISO_UNITS);
  return total(COMPACT.exec(value), COMPACT_UNITS);
}

/** Adds up the numbers that a pattern found, one per unit. */
function total(found: RegExpExecArray | null, units: readonly number[]): number | undefined {
  if (found === null) return undefined;
  let sum = 0;
  let seen = false;
  let fraction = false;
  for (let i = 0; i < units.length; i += 1) {
    const text = found[i + 1];
    if (text === undefined) continue;
    if (fraction) return undefined;
    const point = text.indexOf('.');
    fraction = point >= 0;
    if (text.length - (fraction ? 1 : 0) > MOST_DIGITS) return undefined;
    sum += measure(text, point, units[i] as number);
    seen = true;
  }
  return seen && sum <= LONGEST ? sum : undefined;
}

/**
 * One number times its unit. The fraction is multiplied apart from the whole part, because their sum as a
 * double would lose the milliseconds of a long time.
 */
function measure(text: string, point: number, unit: number): number {
  if (point < 0) return Number(text) * unit;
  return Number(text.slice(0, point)) * unit + Math.round(Number(`0${text.slice(point)}`) * unit);
}

/**
 * Writes a duration compactly: `1h30m`, `250ms`, `1.5s`, `2d`, `0ms`.
 *
 * For integers from 0 to 2^53 `parseDuration` reads the same number back. A fraction is rounded to a whole
 * millisecond; a negative time gets a minus sign, and what is not finite is written as it is (`Infinity`), so
 * that a message about a wrong number can show it.
 *
 * @param ms - milliseconds.
 */
export function formatDuration(ms: number): string {
  if (!Number.isFinite(ms)) return String(ms);
  let rest = Math.round(Math.abs(ms));
  const sign = ms < 0 && rest > 0 ? '-' : '';
  if (rest < SECOND) return `${sign}${rest}ms`;
  let text = sign;
  const days = Math.floor(rest / DAY);
  if (days > 0) text += `${wholeNumber(days)}d`;
  rest %= DAY;
  const hours = Math.floor(rest / HOUR);
  if (hours > 0) text += `${hours}h`;
  rest %= HOUR;
  const minutes = Math.floor(rest / MINUTE);
  if (minutes > 0) text += `${minutes}m`;
  rest %= MINUTE;
  if (rest === 0) return text;
  if (rest < SECOND) return `${text}${rest}ms`;
  return `${text}${rest / SECOND}s`;
}

/** Digits without an exponent, which a very large number would otherwise be written with. */
function wholeNumber(value: number): string {
  return value < 1e21 ? String(value) : BigInt(value).toString();
}
