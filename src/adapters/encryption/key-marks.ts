/**
 * What an encrypted store says of itself: by which keys it was written, told apart by marks from which nothing of a key
 * follows.
 *
 * Owns: the stream `encryption`. Who may call it: the encrypted store, when it is claimed.
 */
import { KEYS_STREAM } from '../../base/sealed.ts';
import { type OrchestratorError, refuse } from '../../model/errors.ts';
import type { EventStore, LoggedEvent } from '../../ports/event-store.ts';
import type { KeyRing, NamedKey } from './key-ring.ts';
import { keyWrong } from './seal.ts';

const TYPE = 'EncryptionKeyUsed';
const PAGE = 1_000;

/** An event of that stream. */
interface KeyUsed extends LoggedEvent {
  readonly keyId: string;
  /** The mark of the key, in hexadecimal digits. */
  readonly mark: string;
}

/**
 * Compares the keys with those by which the store was written, and notes the current one.
 * @returns the current one
 * @throws OrchestratorError `KEY_WRONG`, `KEY_UNKNOWN`, `PLAIN_REFUSED`, and what the store throws
 */
export async function checkKeyMarks(store: EventStore, ring: KeyRing, epoch: number): Promise<NamedKey> {
  const current = await ring.find(ring.current, 'what is written from now on');
  const used = await readMarks(store);
  if (used.size === 0 && ring.plain === 'refuse') {
    const [first] = await store.list({ prefix: '', limit: 1 });
    if (first !== undefined) throw plainRefused(`stream ${first.stream}`);
  }
  for (const key of [current, ...ring.known()]) {
    const mark = used.get(key.id);
    if (mark !== undefined && mark !== hex(key)) throw keyWrong(key.id, 'the store');
  }
  if (used.has(current.id)) return current;
  const event: KeyUsed = {
    type: TYPE,
    seq: used.size + 1,
    at: Date.now(),
    keyId: current.id,
    mark: hex(current),
  };
  await store.append([{ stream: KEYS_STREAM, expectedSeq: used.size, epoch, events: [event], versions: {} }]);
  return current;
}

/** The marks of the keys by which the store was written. */
async function readMarks(store: EventStore): Promise<ReadonlyMap<string, string>> {
  const used = new Map<string, string>();
  for (let fromSeq = 1; ; fromSeq += PAGE) {
    const records = await store.read({ stream: KEYS_STREAM, fromSeq, limit: PAGE });
    for (const { payload } of records) {
      const { keyId, mark } = payload as KeyUsed;
      used.set(keyId, mark);
    }
    if (records.length < PAGE) return used;
  }
}

function hex({ mark }: NamedKey): string {
  return Buffer.from(mark).toString('hex');
}

/** Something that was written without encryption. */
export function plainRefused(at: string): OrchestratorError {
  return refuse('PLAIN_REFUSED', {
    at,
    found: 'something that is not encrypted',
    allowed: 'what was written through encryptedStore',
    hint: "For a store that was begun without encryption, say plain: 'read'.",
  });
}
