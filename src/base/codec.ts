/**
 * Values as text and back: the one codec of everything that is stored as bytes.
 */

export { type DecodeLimits, decodeValue } from './codec/decode.ts';
export { encodeValue } from './codec/encode.ts';
export { CodecRefusal } from './codec/refusal.ts';
