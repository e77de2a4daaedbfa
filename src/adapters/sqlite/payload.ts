/**
 * Payloads as text and back, with the errors that a store gives.
 *
 * Owns: nothing. Who may call it: the store.
 */
import { CodecRefusal, decodeValue, encodeValue } from '../../base/codec.ts';
import { OrchestratorError, refuse } from '../../model/errors.ts';
import { corrupt } from './sqlite-errors.ts';

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

/** @throws OrchestratorError `STORE_CORRUPT` */
export function decodeRecord(text: string, file: string, stream: string, seq: number): unknown {
  try {
    return decodeValue(text);
  } catch (error) {
    throw corrupt(file, { stream, seq }, `its payload cannot be decoded (${messageOf(error)})`);
  }
}

/** @throws OrchestratorError `CHECKPOINT_INVALID` */
export function decodeCheckpoint(text: string, file: string, id: string): unknown {
  try {
    return decodeValue(text);
  } catch (error) {
    throw new OrchestratorError(
      'CHECKPOINT_INVALID',
      `${file}, checkpoint ${id}: it cannot be decoded (${messageOf(error)})`,
      { details: { file, id } },
    );
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
