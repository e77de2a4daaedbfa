import type { RunAttributes } from '../machine/events.ts';
import { checkNumber, checkRecord, checkText, invalidOption } from '../model/checks.ts';
import { refuse } from '../model/errors.ts';
import { checkId } from '../model/ids.ts';

/** How many attributes a run can have. */
export const ATTRIBUTES_MAX = 32;

/** The longest text of an attribute, in UTF-16 code units. */
export const ATTRIBUTE_LENGTH_MAX = 256;

/**
 * What a run is to be found by, as a copy that nobody can change; nothing if there is nothing in it.
 * @throws OrchestratorError `OPTION_INVALID`, `ID_INVALID` (a name), `LIMIT_EXCEEDED`
 */
export function checkAttributes(value: unknown, at: string): RunAttributes | undefined {
  if (value === undefined) return undefined;
  const record = checkRecord(value, at, 'an object from name to a string, a finite number or a boolean');
  const names = Object.keys(record);
  if (names.length > ATTRIBUTES_MAX)
    throw refuse('LIMIT_EXCEEDED', {
      at,
      found: `${names.length} attributes`,
      allowed: `at most ${ATTRIBUTES_MAX}`,
    });
  if (names.length === 0) return undefined;
  const entries = names.map((name) => [
    checkId(name, `${at}/${name}`, 'the name of an attribute'),
    checkAttribute(record[name], `${at}/${name}`),
  ]);
  return Object.freeze(Object.fromEntries(entries) as RunAttributes);
}

function checkAttribute(value: unknown, at: string): string | number | boolean {
  if (typeof value === 'boolean') return value;
  if (typeof value === 'string') return checkText(value, at, ATTRIBUTE_LENGTH_MAX);
  if (typeof value === 'number' && Number.isFinite(value))
    return checkNumber(value, at, -Number.MAX_VALUE, Number.MAX_VALUE);
  throw invalidOption(
    at,
    value,
    `a string of at most ${ATTRIBUTE_LENGTH_MAX} characters, a finite number or a boolean`,
  );
}
