/**
 * Values on a byte stream: each is a frame of its length in four bytes and its structured clone.
 *
 * Owns: the frame that has not come whole. Who may call it: both ends of the pipes of a child process.
 *
 * FR1  Bytes that are no frame are reported once, and nothing is read after them. They never throw.
 * FR2  What is kept of a frame that has not come whole is never more than its length, however small its pieces are.
 */
import { Deserializer, Serializer } from 'node:v8';
import { GUARD_BYTES } from '../../base/values.ts';

/** The most bytes of a frame from a process: one value that the guard lets pass, by its rough estimate, and its wrapping. */
export const FRAME_BYTES_MAX = GUARD_BYTES + GUARD_BYTES / 2;

const HEADER_BYTES = 4;
const LENGTH_MAX = 0xffff_ffff;
const HEADER = Buffer.alloc(HEADER_BYTES);

/**
 * A value as a frame.
 * @throws what the serializer throws for a value that cannot be cloned
 */
export function frameOf(value: unknown): Buffer {
  const serializer = new Serializer();
  // Room for the length, so that nothing is copied to put it in front.
  serializer.writeRawBytes(HEADER);
  serializer.writeHeader();
  serializer.writeValue(value);
  const frame = serializer.releaseBuffer();
  const length = frame.length - HEADER_BYTES;
  if (length > LENGTH_MAX) throw new RangeError(`found ${length} bytes; allowed: ${LENGTH_MAX}`);
  frame.writeUInt32BE(length, 0);
  return frame;
}

/** How many bytes of a value a frame carries, beside its length. */
export function bytesIn(frame: Buffer): number {
  return frame.length - HEADER_BYTES;
}

/** What hears the values on a stream. */
export interface FrameListener {
  onValue(value: unknown): void;
  /** The bytes are no frames; nothing comes after this. */
  onBroken(why: Error): void;
}

export class FrameReader {
  readonly #listener: FrameListener;
  readonly #lengthMax: number;
  readonly #header = Buffer.alloc(HEADER_BYTES);
  #headerSize = 0;
  #body: Buffer | undefined;
  #bodySize = 0;
  #isBroken = false;

  constructor(listener: FrameListener, lengthMax = LENGTH_MAX) {
    this.#listener = listener;
    this.#lengthMax = lengthMax;
  }

  /** Takes what has come, of any size. */
  push(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length && !this.#isBroken) {
      if (this.#body !== undefined) {
        at += this.#fill(this.#body, chunk, at);
        continue;
      }
      at = this.#readHeader(chunk, at);
      if (this.#headerSize < HEADER_BYTES) return;
      this.#headerSize = 0;
      const length = this.#header.readUInt32BE(0);
      if (length > this.#lengthMax) {
        this.#break(new Error(`found a message of ${length} bytes; allowed: ${this.#lengthMax}`));
      } else if (chunk.length - at >= length) {
        at += length;
        this.#read(chunk.subarray(at - length, at));
      } else {
        this.#body = Buffer.allocUnsafeSlow(length);
        this.#bodySize = 0;
      }
    }
  }

  #readHeader(chunk: Buffer, at: number): number {
    const copied = chunk.copy(this.#header, this.#headerSize, at);
    this.#headerSize += copied;
    return at + copied;
  }

  #fill(body: Buffer, chunk: Buffer, at: number): number {
    const copied = chunk.copy(body, this.#bodySize, at);
    this.#bodySize += copied;
    if (this.#bodySize === body.length) {
      this.#body = undefined;
      this.#read(body);
    }
    return copied;
  }

  #read(bytes: Buffer): void {
    let value: unknown;
    try {
      const deserializer = new Deserializer(bytes);
      deserializer.readHeader();
      value = deserializer.readValue();
    } catch (thrown) {
      this.#break(thrown);
      return;
    }
    this.#listener.onValue(value);
  }

  #break(thrown: unknown): void {
    this.#isBroken = true;
    this.#body = undefined;
    this.#listener.onBroken(thrown instanceof Error ? thrown : new Error(String(thrown)));
  }
}
