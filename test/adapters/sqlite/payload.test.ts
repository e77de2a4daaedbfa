import { describe, expect, it } from 'vitest';
import { encodePayload } from '../../../src/adapters/encode-payload.ts';
import { decodeCheckpoint, decodeRecord } from '../../../src/adapters/sqlite/payload.ts';
import { CodecRefusal } from '../../../src/base/codec.ts';
import { refusal } from '../../support/errors.ts';
import { expectRefused } from '../../support/refusals.ts';

describe('payloads of the SQLite store', () => {
  it('given what cannot be stored, when it is encoded, then the error says where it stands', () => {
    const error = refusal(() => encodePayload({ output: [1, () => 1] }, 'record 2 of "a"'));
    expectRefused(error, 'VALUE_UNSERIALISABLE', 'record 2 of "a"/output/1');
    expect(error.cause).toBeInstanceOf(CodecRefusal);
  });

  it('given more levels than can be stored, when it is encoded, then LIMIT_EXCEEDED', () => {
    let deep: unknown = 1;
    for (let i = 0; i < 1_101; i += 1) deep = [deep];
    const error = refusal(() => encodePayload(deep, 'record 1 of "a"'));
    expect(error.code).toBe('LIMIT_EXCEEDED');
    expect(error.message).toContain('nesting deeper than 1100 levels');
  });

  it.each(['{"a":1', '{"a":1,"a":2}', '{"a":1e400}', '~["~z"]', ''])(
    'given the payload %s, when it is decoded, then the error says which one it is',
    (text) => {
      const record = refusal(() => decodeRecord(text, 'one.db', 'a', 7));
      expect(record.code).toBe('STORE_CORRUPT');
      expect(record.details).toMatchObject({ file: 'one.db', stream: 'a', seq: 7 });
      expect(record.message).toMatch(/character \d+ of the text: /);
      const checkpoint = refusal(() => decodeCheckpoint(text, 'one.db', 'c'));
      expect(checkpoint.code).toBe('CHECKPOINT_INVALID');
      expect(checkpoint.details).toMatchObject({ file: 'one.db', id: 'c' });
    },
  );

  it('given what a column may hold that is no text, when it is decoded, then it is refused as well', () => {
    for (const odd of [null, 5, Uint8Array.of(123, 125)])
      expect(refusal(() => decodeRecord(odd as never, 'one.db', 'a', 7)).code).toBe('STORE_CORRUPT');
  });
});
