/**
 * Bytes as text in base 64. The items of typed arrays are stored with their lowest byte first, whatever the machine.
 */

import { itemBytes, typedArrayOver } from '../value-kinds.ts';

/** Whether this machine keeps the highest byte of a number first. */
const IS_BIG_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 0;

/** All bytes that a view shows. */
export function bytesToText(view: ArrayBufferView): string {
  return Buffer.from(view.buffer, view.byteOffset, view.byteLength).toString('base64');
}

/** The bytes of a text, in a buffer of their own; undefined when it is not exactly what `bytesToText` writes. */
export function textToBytes(text: string): Uint8Array<ArrayBuffer> | undefined {
  const found = Buffer.from(text, 'base64');
  // The decoder of the platform passes over what it does not understand.
  return found.toString('base64') === text ? new Uint8Array(found) : undefined;
}

/** The items of a typed array of the named kind. */
export function itemsToText(name: string, view: ArrayBufferView, isBigEndian = IS_BIG_ENDIAN): string {
  if (!isBigEndian) return bytesToText(view);
  const bytes = new Uint8Array(view.byteLength);
  bytes.set(new Uint8Array(view.buffer, view.byteOffset, view.byteLength));
  return bytesToText(turned(bytes, itemBytes(name)));
}

/** A typed array of the named kind; undefined when the text is wrong or the kind is unknown here. */
export function textToItems(name: string, text: string, isBigEndian = IS_BIG_ENDIAN): object | undefined {
  const bytes = textToBytes(text);
  if (bytes === undefined) return undefined;
  return typedArrayOver(name, (isBigEndian ? turned(bytes, itemBytes(name)) : bytes).buffer);
}

/** Turns the bytes of each item round, in place. */
function turned(bytes: Uint8Array<ArrayBuffer>, size: number): Uint8Array<ArrayBuffer> {
  if (size > 1) for (let i = 0; i < bytes.length; i += size) bytes.subarray(i, i + size).reverse();
  return bytes;
}
