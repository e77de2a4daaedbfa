/**
 * What a handler returned, ready to be posted.
 *
 * Owns: nothing. Who may call it: the thread session.
 *
 * RS1  What cannot be carried is refused with the way to it, as in the host's own thread; it never costs the thread.
 * RS2  Bytes that are the whole result are moved, not copied: the handler has given them away.
 */
import { guardValue, isSmall } from '../../../base/values.ts';
import { sentence } from '../../../model/checks.ts';
import { refuse } from '../../../model/errors.ts';
import { buffersIn } from '../buffers.ts';
import { type CarriedError, errorsIn } from '../carried-errors.ts';

/** A result, and the buffers in it that are to be moved. */
export interface Packed {
  readonly value: unknown;
  readonly moved: readonly ArrayBuffer[] | undefined;
  /** The errors in it. */
  readonly errors: readonly CarriedError[] | undefined;
}

/** @throws OrchestratorError `VALUE_UNSERIALISABLE` */
export function packResult(value: unknown, path: string): Packed {
  if (isSmall(value)) return { value, moved: undefined, errors: undefined };
  const bytes = wholeBytes(value);
  if (bytes !== undefined)
    return {
      value: bytes,
      moved: [bytes instanceof ArrayBuffer ? bytes : (bytes.buffer as ArrayBuffer)],
      errors: undefined,
    };
  const guarded = guardValue(value);
  if (!guarded.ok)
    throw refuse('VALUE_UNSERIALISABLE', {
      at: `output of task ${JSON.stringify(path)} ${guarded.pointer}`.trimEnd(),
      found: guarded.found,
      allowed: 'plain data',
      hint: sentence(guarded.hint),
    });
  if (guarded.shareable) return { value: guarded.value, moved: undefined, errors: undefined };
  // The guard has made its own copies, so nobody else sees these buffers.
  return { value: guarded.value, moved: buffersIn(guarded.value), errors: errorsIn(guarded.value) };
}

/** A buffer, or a view of a whole one, that can be moved; a `Buffer` from the pool of Node cannot. */
function wholeBytes(
  value: unknown,
): ArrayBuffer | (ArrayBufferView & { readonly buffer: ArrayBufferLike }) | undefined {
  if (value instanceof ArrayBuffer) return isMovable(value) ? value : undefined;
  if (!ArrayBuffer.isView(value) || Object.getPrototypeOf(value) === Buffer.prototype) return undefined;
  const { buffer } = value;
  return buffer instanceof ArrayBuffer && isMovable(buffer) && buffer.byteLength === value.byteLength
    ? value
    : undefined;
}

function isMovable(buffer: ArrayBuffer): boolean {
  return (buffer as ArrayBuffer & { readonly detached?: boolean }).detached !== true;
}
