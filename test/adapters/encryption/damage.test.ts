/** What was changed or moved in an encrypted store, by somebody who does not have the key. */
import { randomBytes } from 'node:crypto';
import {
  type CheckpointRecord,
  type EventRecord,
  type EventStore,
  MemoryStore,
} from '@taskmaster-ai/orchestrator';
import { type EncryptionOptions, encryptedStore } from '@taskmaster-ai/orchestrator/encryption';
import { describe, expect, it, vi } from 'vitest';
import { FIND_KEY_MS_MAX, NamedKey } from '../../../src/adapters/encryption/key-ring.ts';
import { seal, unseal } from '../../../src/adapters/encryption/seal.ts';
import { BlobMemory } from '../../support/blob-memory.ts';
import { refusal, rejection } from '../../support/errors.ts';

const key = randomBytes(32);
const OPTIONS = { current: 'k1', keys: { k1: key } };
const event = (seq: number) => ({ type: 'T', seq, at: 1_000 + seq, value: `value ${seq}` });

/** A store that gives back what `change` makes of its records. */
function changing(change: (record: EventRecord) => EventRecord): { inner: EventStore; store: EventStore } {
  const inner = new MemoryStore();
  const read = inner.read.bind(inner);
  const changed = Object.assign(inner, {
    read: (request: Parameters<EventStore['read']>[0]) => read(request).map((record) => change(record)),
  });
  return { inner: changed, store: encryptedStore(changed, OPTIONS) };
}

async function fill(store: EventStore): Promise<void> {
  const epoch = await store.claim('me');
  for (const stream of ['a', 'b'])
    await store.append([{ stream, expectedSeq: 0, epoch, events: [event(1), event(2)], versions: { T: 3 } }]);
}

const sealedOf = ({ payload }: EventRecord): Buffer =>
  Buffer.from((payload as { readonly sealed: Uint8Array }).sealed);

describe('an encrypted record', () => {
  it('given any bit of it changed, or its end cut off anywhere, then it is refused, and nothing of it is given out', async () => {
    let change = (bytes: Buffer): Buffer => bytes;
    const { store } = changing((record) =>
      record.stream === 'a'
        ? { ...record, payload: { ...event(1), sealed: change(sealedOf(record)) } }
        : record,
    );
    await fill(store);
    const read = () => store.read({ stream: 'a', fromSeq: 1, limit: 1 });
    expect(await read()).toMatchObject([{ payload: event(1), schemaVersion: 3 }]);
    let length = 0;
    change = (bytes) => {
      length = bytes.length;
      return bytes;
    };
    await read();
    const codes = new Set<string>();
    const refusedWith = (made: (bytes: Buffer) => Buffer): void => {
      change = made;
      const { code, message } = refusal(() => read());
      expect(message).toContain('stream a, seq 1');
      codes.add(code);
    };
    for (let bit = 0; bit < length * 8; bit++)
      refusedWith((bytes) => {
        bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7));
        return bytes;
      });
    for (let end = 0; end < length; end++) refusedWith((bytes) => bytes.subarray(0, end));
    expect([...codes].sort()).toEqual(['KEY_UNKNOWN', 'KEY_WRONG', 'STORE_CORRUPT']);
  });

  it.each<[string, (record: EventRecord, other: EventRecord) => EventRecord]>([
    ['another seq of its stream', (record, other) => ({ ...record, payload: other.payload })],
    ['another time', (record) => ({ ...record, at: 1 })],
    ['another type', (record) => ({ ...record, type: 'U' })],
    ['another version', (record) => ({ ...record, schemaVersion: 4 })],
  ])('given %s, then it is refused', async (_what, move) => {
    const known: EventRecord[] = [];
    let isMoved = false;
    const { store } = changing((record) => {
      known.push(record);
      return isMoved ? move(record, known[1] as EventRecord) : record;
    });
    await fill(store);
    known.length = 0;
    await store.read({ stream: 'a', fromSeq: 1, limit: 2 });
    isMoved = true;
    const error = refusal(() => store.read({ stream: 'a', fromSeq: 1, limit: 1 }));
    expect(error).toMatchObject({ code: 'STORE_CORRUPT', details: { stream: 'a' } });
  });

  it('given another stream, then it is refused', async () => {
    const inner = new MemoryStore();
    const store = encryptedStore(inner, OPTIONS);
    await fill(store);
    const records = inner.read({ stream: 'a', fromSeq: 1, limit: 2 });
    const moved = encryptedStore(
      Object.assign(new MemoryStore(), { read: () => records.map((record) => ({ ...record, stream: 'b' })) }),
      OPTIONS,
    );
    expect(refusal(() => moved.read({ stream: 'b', fromSeq: 1, limit: 2 }))).toMatchObject({
      code: 'STORE_CORRUPT',
    });
  });

  it('given one that is not encrypted among them, then it is refused', async () => {
    const inner = new MemoryStore();
    const store = encryptedStore(inner, OPTIONS);
    const epoch = await store.claim('me');
    inner.append([{ stream: 'a', expectedSeq: 0, epoch, events: [event(1)], versions: {} }]);
    expect(refusal(() => store.read({ stream: 'a', fromSeq: 1, limit: 1 }))).toMatchObject({
      code: 'PLAIN_REFUSED',
    });
  });
});

describe('an encrypted checkpoint or blob', () => {
  it('given one that stands for another, then it is refused', async () => {
    const inner = new BlobMemory() as EventStore;
    const store = encryptedStore(inner, OPTIONS);
    const epoch = await store.claim('me');
    await store.append([{ stream: 'a', expectedSeq: 0, epoch, events: [event(1)], versions: {} }]);
    const checkpoint = (id: string, payload: unknown): CheckpointRecord => {
      return { id, stream: 'a', seq: 1, at: 1, schemaVersion: 1, payload };
    };
    await store.saveCheckpoint?.(checkpoint('c1', { of: 1 }), epoch);
    await store.saveCheckpoint?.(checkpoint('c2', { of: 2 }), epoch);
    expect(await store.loadCheckpoint?.('c1')).toEqual(checkpoint('c1', { of: 1 }));
    const second = (await inner.loadCheckpoint?.('c2')) as CheckpointRecord;
    await inner.saveCheckpoint?.({ ...second, id: 'c1' }, epoch);
    expect(await rejection(Promise.resolve().then(() => store.loadCheckpoint?.('c1')))).toMatchObject({
      code: 'STORE_CORRUPT',
    });

    const bytes = randomBytes(5 * 1024 * 1024 + 7);
    await store.saveBlob?.({ stream: 'a', id: 'b1', bytes }, epoch);
    expect(Buffer.from((await store.loadBlob?.('a', 'b1')) as Uint8Array).equals(bytes)).toBe(true);
    const sealed = (await inner.loadBlob?.('a', 'b1')) as Uint8Array;
    await inner.saveBlob?.({ stream: 'a', id: 'b2', bytes: sealed }, epoch);
    expect(await rejection(store.loadBlob?.('a', 'b2') as Promise<unknown>)).toMatchObject({
      code: 'STORE_CORRUPT',
    });
    await inner.saveBlob?.({ stream: 'a', id: 'b3', bytes }, epoch);
    expect(await rejection(store.loadBlob?.('a', 'b3') as Promise<unknown>)).toMatchObject({
      code: 'PLAIN_REFUSED',
    });
    expect(await store.loadBlob?.('a', 'none')).toBeUndefined();
  });
});

describe('sealing', () => {
  const place = { stream: 'a', parts: ['record', 1], name: 'here' };

  it('uses no nonce twice, and another key for each stream', () => {
    const named = new NamedKey('k1', key);
    const nonces = new Set<string>();
    for (let i = 0; i < 20_000; i++)
      nonces.add(Buffer.from(seal(named, Buffer.from('x'), place)).toString('hex', 15, 27));
    expect(nonces.size).toBe(20_000);
    expect(Buffer.from(named.of('a')).equals(named.of('b'))).toBe(false);
    expect(Buffer.from(named.of('a')).equals(named.of('a'))).toBe(true);
  });

  it('gives back what was sealed, of any length', () => {
    const named = new NamedKey('k1', key);
    for (const length of [0, 1, 15, 16, 17, 4_096]) {
      const content = randomBytes(length);
      expect(Buffer.from(unseal(named, seal(named, content, place), place)).equals(content)).toBe(true);
    }
  });
});

describe('nonsense', () => {
  const nonsense: readonly [string, unknown, string][] = [
    ['no options', undefined, 'OPTION_INVALID'],
    ['no current key', { keys: { k1: key } }, 'OPTION_INVALID'],
    ['a current key that is not there', { current: 'k2', keys: { k1: key } }, 'OPTION_INVALID'],
    ['an empty id', { current: '', keys: { '': key } }, 'OPTION_INVALID'],
    [
      'an id that is too long',
      { current: 'é'.repeat(40), keys: { ['é'.repeat(40)]: key } },
      'OPTION_INVALID',
    ],
    ['no keys', { current: 'k1' }, 'OPTION_INVALID'],
    ['a password', { current: 'k1', keys: { k1: 'changeme' } }, 'OPTION_INVALID'],
    ['a short key', { current: 'k1', keys: { k1: key.subarray(1) } }, 'OPTION_INVALID'],
    ['a key of zeros', { current: 'k1', keys: { k1: new Uint8Array(32) } }, 'OPTION_INVALID'],
    ['a number', { current: 'k1', keys: { k1: 7 } }, 'OPTION_INVALID'],
    ['a wrong word', { ...OPTIONS, plain: 'maybe' }, 'OPTION_INVALID'],
    ['an unknown option', { ...OPTIONS, cipher: 'rot13' }, 'OPTION_UNKNOWN'],
  ];

  it.each(nonsense)('given %s, then it is refused, and the key is not shown', (_what, options, code) => {
    const error = refusal(() => encryptedStore(new MemoryStore(), options as EncryptionOptions));
    expect(error.code).toBe(code);
    expect(error.message).not.toContain('changeme');
  });

  it('given no store, then it is refused', () => {
    for (const store of [undefined, null, 'folder', {}])
      expect(refusal(() => encryptedStore(store as never, OPTIONS)).code).toBe('OPTION_INVALID');
  });

  it('given a function that never finds the key, then the wait has an end', async () => {
    vi.useFakeTimers();
    try {
      const store = encryptedStore(new MemoryStore(), { current: 'k1', keys: () => new Promise(() => {}) });
      const error = rejection(store.claim('me') as Promise<number>);
      await vi.advanceTimersByTimeAsync(FIND_KEY_MS_MAX);
      expect(await error).toMatchObject({ code: 'WAIT_TIMEOUT', details: { keyId: 'k1' } });
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });
});
