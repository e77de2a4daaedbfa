/**
 * Numbers and texts packed behind each other, as short as they can be: what the index on disk is made of.
 *
 * PB1  What was written is read back as it was: whole numbers up to 2^53, any number as eight bytes, any text, also one
 *      that no UTF-8 can carry.
 */

/** Seven bits of a number stand in each byte; the highest says whether another one follows. */
const LOW_BITS = 128;
const BYTES_MIN = 256;
/** Half of a character: UTF-8 has no bytes for it. */
const LONE_SURROGATE = /\p{Surrogate}/u;

export class PackedWriter {
  #bytes = Buffer.allocUnsafe(BYTES_MIN);
  #length = 0;

  /** What was written so far; valid until the next write. */
  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  clear(): void {
    this.#length = 0;
  }

  /** A whole number from 0 to 2^53 - 1. */
  whole(value: number): void {
    this.#reserve(8);
    let rest = value;
    while (rest >= LOW_BITS) {
      this.#bytes[this.#length++] = (rest % LOW_BITS) | LOW_BITS;
      rest = Math.floor(rest / LOW_BITS);
    }
    this.#bytes[this.#length++] = rest;
  }

  /** Four bytes. */
  word(value: number): void {
    this.#reserve(4);
    this.#length = this.#bytes.writeUInt32LE(value, this.#length);
  }

  /** Any number. */
  double(value: number): void {
    this.#reserve(8);
    this.#length = this.#bytes.writeDoubleLE(value, this.#length);
  }

  text(value: string): void {
    const isUtf8 = !LONE_SURROGATE.test(value);
    const length = Buffer.byteLength(value, isUtf8 ? 'utf8' : 'utf16le');
    this.whole(length * 2 + (isUtf8 ? 0 : 1));
    this.#reserve(length);
    this.#length += this.#bytes.write(value, this.#length, isUtf8 ? 'utf8' : 'utf16le');
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#bytes.length) return;
    const bytes = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#length + count));
    this.#bytes.copy(bytes, 0, 0, this.#length);
    this.#bytes = bytes;
  }
}

export class PackedReader {
  readonly #bytes: Buffer;
  #at: number;

  constructor(bytes: Buffer, at: number) {
    this.#bytes = bytes;
    this.#at = at;
  }

  whole(): number {
    let value = 0;
    for (let factor = 1; ; factor *= LOW_BITS) {
      const byte = this.#bytes[this.#at++] as number;
      value += (byte % LOW_BITS) * factor;
      if (byte < LOW_BITS) return value;
    }
  }

  word(): number {
    this.#at += 4;
    return this.#bytes.readUInt32LE(this.#at - 4);
  }

  double(): number {
    this.#at += 8;
    return this.#bytes.readDoubleLE(this.#at - 8);
  }

  text(): string {
    const head = this.whole();
    const length = Math.floor(head / 2);
    this.#at += length;
    return this.#bytes.toString(head % 2 === 0 ? 'utf8' : 'utf16le', this.#at - length, this.#at);
  }
}
