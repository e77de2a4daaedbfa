import { describeValue } from '../base/values.ts';
import { refuse } from './errors.ts';

/** The longest id, in UTF-16 code units. */
export const ID_LENGTH_MAX = 128;

const ALLOWED = `1 to ${ID_LENGTH_MAX} printable characters in NFC without / [ ] # and without edge spaces`;
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/u;

/**
 * Checks a name or id and returns it as a string. A non-negative safe integer means its decimal string.
 *
 * @param what - the noun for the message, such as `a task id`
 * @throws OrchestratorError `ID_INVALID`
 */
export function checkId(value: unknown, at: string, what: string): string {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return String(value);
  if (typeof value !== 'string') throw invalid(value, at, what);
  if (value.length > ID_LENGTH_MAX) throw invalid(value, at, what);
  return isPlainAscii(value) ? value : checkUnusual(value, at, what);
}

/**
 * Whether a value is one of the usual ids: letters, digits and a few marks. Nearly all are, and this loop spares
 * them the regular expressions.
 */
export function isPlainId(value: unknown): value is string {
  return typeof value === 'string' && value.length <= ID_LENGTH_MAX && isPlainAscii(value);
}

function isPlainAscii(value: string): boolean {
  if (value.length === 0) return false;
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i);
    // 33..126 without # (35), / (47), [ (91) and ] (93)
    if (code < 33 || code > 126 || code === 35 || code === 47 || code === 91 || code === 93) return false;
  }
  return true;
}

function checkUnusual(value: string, at: string, what: string): string {
  const wellFormed = value.length > 0 && !UNPRINTABLE.test(value);
  if (!wellFormed || /[/[\]#]/.test(value) || value.trim() !== value || value.normalize('NFC') !== value) {
    throw invalid(value, at, what);
  }
  return value;
}

function invalid(value: unknown, at: string, what: string): Error {
  const form =
    typeof value === 'string' && value.length <= ID_LENGTH_MAX && value.normalize('NFC') !== value
      ? 'Call .normalize("NFC") on it.'
      : undefined;
  return refuse('ID_INVALID', {
    at,
    found: describeValue(value),
    allowed: `${what}: ${ALLOWED}`,
    hint: form,
  });
}
