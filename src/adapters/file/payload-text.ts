/** Stand-in until src/base/codec.ts is there. */
export function encodeValue(value: unknown): string {
  return JSON.stringify(value);
}

export function decodeValue(text: string): unknown {
  return JSON.parse(text, (_key, value: unknown) => Object.freeze(value));
}
