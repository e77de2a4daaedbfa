/** What an encrypted value looks like in a store, so that whoever has no keys can say what it is that he cannot read. */

/** What stands in the place of a payload that was encrypted. */
export interface Sealed {
  readonly sealed: Uint8Array;
}

/** The stream in which an encrypted store says by which keys it was written. */
export const KEYS_STREAM = 'encryption';

export function isSealed(payload: unknown): payload is Sealed {
  return (
    typeof payload === 'object' &&
    payload !== null &&
    Object.hasOwn(payload, 'sealed') &&
    (payload as Partial<Sealed>).sealed instanceof Uint8Array
  );
}
