/**
 * Stands for a value that is kept beside a log because it is too large for it. Two that stand for the same content are
 * alike, whoever made them.
 */
export class Reference {
  /** The SHA-256 of the encoded value, in hexadecimal digits. */
  readonly id: string;
  /** How long the encoded value is. */
  readonly bytes: number;

  /** @internal */
  constructor(id: string, bytes: number) {
    this.id = id;
    this.bytes = bytes;
    Object.freeze(this);
  }

  /** Whether a value is one; of a proxy it is not said. */
  static is(value: unknown): value is Reference {
    return (
      typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Reference.prototype
    );
  }
}

/** What the id of a reference looks like. */
export const REFERENCE_ID = /^[0-9a-f]{64}$/;
