/**
 * A fast fingerprint of a sequence of texts and numbers, to notice that something changed.
 */

/** The kinds of parts; they stand in the low bits of a part's first block, beside a text's length. */
const TEXT = 0;
const INTEGER = 1;
const DOUBLE = 2;
const NOT_A_NUMBER = 3;

/** The two hexadecimal characters of each byte: `toString(16)` would take most of the time of a digest. */
const BYTES: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** Where the bits of a double are read; shared, because it is written and read without a pause between. */
const scratch = new DataView(new ArrayBuffer(8));

/**
 * A running 64-bit fingerprint, for change detection only: it is not for security, because collisions can be
 * made on purpose.
 *
 * Parts are told apart: a text is preceded by its length, so ('ab', 'c') differs from ('a', 'bc'), and 1
 * differs from '1'. Any UTF-16 text is taken, well-formed or not. 0 and -0 differ; every NaN is the same. The
 * result does not depend on the machine, so it may be stored.
 *
 * Source: A. Appleby, MurmurHash3 (2011): the block mixing and the finalizer; two lanes with the constants of
 * the x86 128-bit and the x86 32-bit variant are fed with the same blocks, each of two UTF-16 units.
 */
export class Fingerprint {
  #a = 0x243f6a88 | 0;
  #b = 0x85a308d3 | 0;
  #blocks = 0;

  /** Adds a text. */
  text(s: string): this {
    const length = s.length;
    this.#mix((length << 2) | TEXT);
    let a = this.#a;
    let b = this.#b;
    const even = length & ~1;
    for (let i = 0; i < even; i += 2) {
      const block = s.charCodeAt(i) | (s.charCodeAt(i + 1) << 16);
      a = mixA(a, block);
      b = mixB(b, block);
    }
    if (even < length) {
      const block = s.charCodeAt(even);
      a = mixA(a, block);
      b = mixB(b, block);
    }
    this.#a = a;
    this.#b = b;
    this.#blocks = (this.#blocks + ((length + 1) >> 1)) | 0;
    return this;
  }

  /** Adds a number. */
  number(n: number): this {
    if ((n | 0) === n && (n !== 0 || 1 / n > 0)) {
      this.#mix(INTEGER);
      this.#mix(n | 0);
    } else if (Number.isNaN(n)) {
      this.#mix(NOT_A_NUMBER);
    } else {
      scratch.setFloat64(0, n);
      this.#mix(DOUBLE);
      this.#mix(scratch.getInt32(0));
      this.#mix(scratch.getInt32(4));
    }
    return this;
  }

  /** The fingerprint of all parts so far: 16 hexadecimal characters. More parts may follow. */
  digest(): string {
    let a = this.#a ^ this.#blocks;
    let b = this.#b ^ this.#blocks;
    a = (a + b) | 0;
    b = (b + a) | 0;
    a = finish(a);
    b = finish(b);
    a = (a + b) | 0;
    b = (b + a) | 0;
    return hex(a) + hex(b);
  }

  #mix(block: number): void {
    this.#a = mixA(this.#a, block);
    this.#b = mixB(this.#b, block);
    this.#blocks = (this.#blocks + 1) | 0;
  }
}

/** One block into the first lane (the 32-bit variant). */
function mixA(state: number, block: number): number {
  let k = Math.imul(block, 0xcc9e2d51);
  k = (k << 15) | (k >>> 17);
  let h = state ^ Math.imul(k, 0x1b873593);
  h = (h << 13) | (h >>> 19);
  return (Math.imul(h, 5) + 0xe6546b64) | 0;
}

/** One block into the second lane (the second lane of the 128-bit variant). */
function mixB(state: number, block: number): number {
  let k = Math.imul(block, 0xab0e9789);
  k = (k << 16) | (k >>> 16);
  let h = state ^ Math.imul(k, 0x38b34ae5);
  h = (h << 17) | (h >>> 15);
  return (Math.imul(h, 5) + 0x0bcaa747) | 0;
}

/** The finalizer: every bit of the state moves every bit of the result. */
function finish(state: number): number {
  let h = state ^ (state >>> 16);
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/** Eight hexadecimal characters of a 32-bit integer, from a table, for speed. */
function hex(value: number): string {
  return (
    (BYTES[value >>> 24] as string) +
    (BYTES[(value >>> 16) & 0xff] as string) +
    (BYTES[(value >>> 8) & 0xff] as string) +
    (BYTES[value & 0xff] as string)
  );
}
