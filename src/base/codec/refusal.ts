/**
 * Why a value cannot be encoded, or a text cannot be decoded.
 */

/**
 * What is wrong:
 * - `value`: a value that cannot be encoded, as the guard would have said;
 * - `depth`: too many levels inside each other;
 * - `size`: too many characters;
 * - `syntax`: the text is not JSON;
 * - `duplicate_key`: an object has a key twice;
 * - `number`: a number that no double can hold, such as 1e400;
 * - `tag`: a tag that is not known, or does not fit what it stands before.
 */
export type CodecReason = 'value' | 'depth' | 'size' | 'syntax' | 'duplicate_key' | 'number' | 'tag';

/** The only thing that the codec throws. Whoever knows the file or the row adds that, and a code of the catalogue. */
export class CodecRefusal extends Error {
  override readonly name = 'CodecRefusal';
  readonly reason: CodecReason;
  /** A JSON pointer (RFC 6901) into the value that was to be encoded; undefined when a text was decoded. */
  readonly pointer: string | undefined;
  /** The UTF-16 unit of the text at which it is wrong, from 0; undefined when a value was encoded. */
  readonly offset: number | undefined;
  /** What was found there. */
  readonly found: string;

  constructor(
    reason: CodecReason,
    found: string,
    at: { readonly pointer: string } | { readonly offset: number },
  ) {
    const isText = 'offset' in at;
    super(
      isText ? `character ${at.offset} of the text: ${found}` : `at ${at.pointer || 'the root'}: ${found}`,
    );
    this.reason = reason;
    this.found = found;
    this.pointer = isText ? undefined : at.pointer;
    this.offset = isText ? at.offset : undefined;
  }
}
