/**
 * Bytes that are gathered behind each other without knowing how many there will be: in chunks, so that what is there is
 * never copied while it grows.
 *
 * Owns: what it gathers. Who may call it: whoever builds an index.
 */

/** So many bytes are copied in one turn, and no more of them are reserved without being needed. */
const CHUNK_BYTES = 4_194_304;

export class PackedChunks {
  #chunks: Buffer[] = [];
  #last = Buffer.alloc(0);
  /** How many bytes of the last one are taken. */
  #taken = 0;
  #length = 0;

  /** How many bytes there are. */
  get length(): number {
    return this.#length;
  }

  /** @returns where they stand */
  add(bytes: Buffer): number {
    if (this.#taken + bytes.length > this.#last.length) {
      this.#chunks.push(this.#last.subarray(0, this.#taken));
      this.#last = Buffer.allocUnsafeSlow(Math.max(CHUNK_BYTES, bytes.length));
      this.#taken = 0;
    }
    bytes.copy(this.#last, this.#taken);
    this.#taken += bytes.length;
    this.#length += bytes.length;
    return this.#length - bytes.length;
  }

  /**
   * Moves all of them to the beginning of a new buffer, and has nothing any more.
   * @param length - how long the buffer is to be
   * @param pause - lets others have their turn
   */
  async moveInto(length: number, pause: () => Promise<void>): Promise<Buffer> {
    const into = Buffer.allocUnsafeSlow(length);
    const chunks = [...this.#chunks, this.#last.subarray(0, this.#taken)];
    this.#chunks = [];
    this.#last = Buffer.alloc(0);
    this.#taken = 0;
    this.#length = 0;
    let at = 0;
    for (let chunk = chunks.shift(); chunk !== undefined; chunk = chunks.shift()) {
      at += chunk.copy(into, at);
      await pause();
    }
    return into;
  }
}
