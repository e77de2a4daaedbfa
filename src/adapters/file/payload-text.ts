/** Payloads as text and back, with errors that say which payload it is. */
import { CodecRefusal, decodeValue, encodeValue } from '../../base/codec.ts';
import { refuse } from '../../model/errors.ts';

/**
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
    const allowed = isTooMuch ? 'less in one payload' : 'plain data, dates, maps, sets, bytes and errors';
    const code = isTooMuch ? 'LIMIT_EXCEEDED' : 'VALUE_UNSERIALISABLE';
    throw refuse(code, { at: `${at}${pointer}`, found, allowed }, { cause: error });
  }
}

/** The checksum of its entry fits, so it is what a store has written; anything else is an error of the codec. */
export function decodePayload(text: string): unknown {
  return decodeValue(text);
}
