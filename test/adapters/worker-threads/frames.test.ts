/** Values on a byte stream arrive as they were, whatever pieces they come in; bytes that are no value end the reading. */
import { serialize } from 'node:v8';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FrameReader, frameOf } from '../../../src/adapters/worker-threads/frames.ts';
import type { ToHost } from '../../../src/adapters/worker-threads/protocol.ts';
import { framesOf } from '../../../src/adapters/worker-threads/thread/process-entry.ts';

function reader(lengthMax?: number) {
  const values: unknown[] = [];
  const broken: Error[] = [];
  const read = new FrameReader(
    { onValue: (value) => values.push(value), onBroken: (why) => broken.push(why) },
    lengthMax,
  );
  return { read, values, broken };
}

/** Cuts bytes into pieces of the given sizes, over and over. */
function pieces(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const cut: Buffer[] = [];
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length] as number;
    cut.push(bytes.subarray(at, at + size));
    at += size;
  }
  return cut;
}

const value = fc.anything({
  withBigInt: true,
  withDate: true,
  withMap: true,
  withSet: true,
  withTypedArray: true,
  withSparseArray: true,
});

describe('frames', () => {
  it('carry any values in pieces of any size', () => {
    fc.assert(
      fc.property(
        fc.array(value, { maxLength: 6 }),
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 8 }),
        (values, sizes) => {
          const stream = Buffer.concat(values.map(frameOf));
          const { read, values: heard, broken } = reader();
          for (const piece of pieces(stream, sizes)) read.push(piece);
          expect(broken).toEqual([]);
          expect(heard).toEqual(values.map((one) => structuredClone(one)));
        },
      ),
    );
  });

  it('keep errors, their causes, and bytes that start anywhere', () => {
    const { read, values } = reader();
    const bytes = new Float64Array([0.5, 2]);
    const error = new RangeError('too far', { cause: new TypeError('no text') });
    read.push(frameOf({ text: 'x', bytes, also: new Uint8Array([7, 8, 9]).subarray(1), error }));
    expect(values).toEqual([{ text: 'x', bytes, also: new Uint8Array([8, 9]), error }]);
    // Its own bytes, not a window into all that has come.
    expect((values[0] as { bytes: Float64Array }).bytes.buffer.byteLength).toBe(16);
  });

  it('refuse what cannot be cloned where it is sent', () => {
    expect(() => frameOf({ act: () => 1 })).toThrow('could not be cloned');
  });

  it.each([
    [
      'of a length beyond the limit',
      Buffer.from([0, 0, 0, 101, 1]),
      'found a message of 101 bytes; allowed: 100',
    ],
    ['empty', Buffer.from([0, 0, 0, 0]), ''],
    ['no value', Buffer.from([0, 0, 0, 4, 0xfe, 0xfe, 0xfe, 0xfe]), ''],
    ['cut off', Buffer.concat([Buffer.from([0, 0, 0, 5]), serialize('a long text').subarray(0, 5)]), ''],
  ])('are read no more when one is %s', (_, bytes, why) => {
    const { read, values, broken } = reader(100);
    read.push(Buffer.concat([frameOf('before'), bytes, frameOf('after')]));
    read.push(frameOf('later'));
    expect(values).toEqual(['before']);
    expect(broken).toHaveLength(1);
    expect(broken[0]?.message).toContain(why);
  });

  it('of a process are never longer than its host takes', () => {
    const long = 'x'.repeat(20_000);
    const batch: readonly ToHost[] = [
      { type: 'heartbeat', id: 1 },
      { type: 'ended', id: 2, output: long, errors: undefined },
      { type: 'log', id: 3, level: 'info', message: long, fields: undefined, errors: undefined },
    ];
    const { read, values, broken } = reader(5_000);
    for (const frame of framesOf(batch, 5_000)) read.push(frame);
    expect(broken).toEqual([]);
    expect(values.flat()).toMatchObject([
      { type: 'heartbeat', id: 1 },
      { type: 'failed', id: 2, error: { fields: { code: 'LIMIT_EXCEEDED', details: { limit: 5_000 } } } },
      { type: 'failed', id: 3, error: { fields: { code: 'LIMIT_EXCEEDED' } } },
    ]);
    expect(framesOf(batch)).toHaveLength(1);
  });
});
