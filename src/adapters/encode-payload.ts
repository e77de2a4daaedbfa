import { CodecRefusal, encodeValue } from '../base/codec.ts';
import { refuse } from '../model/errors.ts';

/**
 * A payload as text.
 * @param at - which payload it is
 * @throws OrchestratorError `VALUE_UNSERIALISABLE`, `LIMIT_EXCEEDED`
 */
export function encodePayload(value: unknown, at: string): string {
  try {
    return encodeValue(value);
  } catch (error) {
    if (!(error instanceof CodecRefusal)) throw error;
    const { reason, found, pointer = '' } = error;
    const isTooMuch = reason === 'depth' || reason === 'size';
    throw refuse(
      isTooMuch ? 'LIMIT_EXCEEDED' : 'VALUE_UNSERIALISABLE',
      {
        at: `${at}${pointer}`,
        found,
        allowed: isTooMuch ? 'less in one payload' : 'plain data, dates, maps, sets, bytes and errors',
      },
      { cause: error },
    );
  }
}
