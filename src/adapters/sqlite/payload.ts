/**
 * Payloads as text and back, with the errors that a store gives.
 *
 * Owns: nothing. Who may call it: the store.
 */
import { decodeValue } from '../../base/codec.ts';
import { OrchestratorError } from '../../model/errors.ts';
import { corrupt } from './sqlite-errors.ts';

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
