/**
 * A store whose payloads, checkpoints and blobs are encrypted, around any other one.
 *
 * Owns: the keys, and the stream in which the store says by which keys it was written. Who may call it: whoever has an
 * `EventStore`.
 *
 * ES1  Nothing that a writer gives as a payload, a state or a blob reaches the store around which it stands unencrypted.
 * ES2  Claiming says whether the keys fit, before anything is written: another key by the same id is refused, and so is
 *      a store that was begun without encryption.
 * ES3  What is read was written there by somebody who had the key, or it is refused: it can be neither changed nor moved.
 * ES4  A store that answers at once is answered for at once, but for its claim, blobs, and keys that have to be found.
 */
import { decodeValue } from '../../base/codec.ts';
import { toRecord } from '../../base/event-record.ts';
import { isSealed, KEYS_STREAM } from '../../base/sealed.ts';
import { invalidOption } from '../../model/checks.ts';
import { OrchestratorError } from '../../model/errors.ts';
import type {
  BlobRecord,
  CheckpointRecord,
  EventRecord,
  EventStore,
  ListRequest,
  LoggedEvent,
  MaybePromise,
  ReadRequest,
  StoreCapabilities,
  StreamAppend,
  StreamInfo,
} from '../../ports/event-store.ts';
import { encodePayload } from '../encode-payload.ts';
import { checkKeyMarks, plainRefused } from './key-marks.ts';
import { type EncryptionOptions, KeyRing, type NamedKey } from './key-ring.ts';
import { keyIdOf, looksSealed, type Place, seal, sealSlowly, unseal, unsealSlowly } from './seal.ts';

const METHODS = ['append', 'read', 'list', 'findKey', 'remove', 'claim', 'release'] as const;

/**
 * Encrypts what a store keeps: payloads of events, states of checkpoints, large outputs. Not encrypted, because the store
 * works with them, are the names of streams (ids of runs, keys of removed runs), types, numbers and times of events,
 * what runs are found by (ids of workflows, status, attributes), run keys, and names of checkpoints.
 *
 * @example
 * const store = encryptedStore(fileStore('state'), { current: '2026-11', keys: { '2026-11': process.env.STATE_KEY } });
 *
 * @throws OrchestratorError `OPTION_INVALID`, `OPTION_UNKNOWN`. Its methods throw, beside what the store throws,
 *   `KEY_UNKNOWN`, `KEY_WRONG`, `PLAIN_REFUSED`, and `STORE_CORRUPT` for what was changed or moved
 */
export function encryptedStore(store: EventStore, options: EncryptionOptions): EventStore {
  if (
    typeof store !== 'object' ||
    store === null ||
    METHODS.some((name) => typeof store[name] !== 'function')
  )
    throw invalidOption('encryptedStore/store', store, 'an EventStore, such as fileStore(folder)');
  const encrypted = new EncryptedStore(store, new KeyRing(options, 'encryptedStore'));
  const { saveCheckpoint, loadCheckpoint, listCheckpoints, removeCheckpoint, saveBlob, loadBlob } = store;
  const hasCheckpoints = saveCheckpoint !== undefined && loadCheckpoint !== undefined;
  return {
    capabilities: encrypted.capabilities,
    append: (batch) => encrypted.append(batch),
    read: (request) => encrypted.read(request),
    list: (request) => encrypted.list(request),
    findKey: (key) => store.findKey(key),
    remove: (streams, epoch) => store.remove(streams, epoch),
    claim: (owner) => encrypted.claim(owner),
    release: (owner) => encrypted.release(owner),
    ...(hasCheckpoints && listCheckpoints !== undefined && removeCheckpoint !== undefined
      ? {
          saveCheckpoint: (checkpoint, epoch) => encrypted.saveCheckpoint(checkpoint, epoch),
          loadCheckpoint: (id) => encrypted.loadCheckpoint(id),
          listCheckpoints: (stream) => listCheckpoints.call(store, stream),
          removeCheckpoint: (id, epoch) => removeCheckpoint.call(store, id, epoch),
        }
      : undefined),
    ...(saveBlob !== undefined && loadBlob !== undefined
      ? {
          saveBlob: (blob, epoch) => encrypted.saveBlob(blob, epoch),
          loadBlob: (stream, id) => encrypted.loadBlob(stream, id),
        }
      : undefined),
  } satisfies EventStore;
}

class EncryptedStore {
  readonly capabilities: StoreCapabilities;
  readonly #store: EventStore;
  readonly #ring: KeyRing;
  /** The key for what is written; nothing while the store is not claimed. */
  #key: NamedKey | undefined;
  #owner: string | undefined;

  constructor(store: EventStore, ring: KeyRing) {
    this.#store = store;
    this.#ring = ring;
    // What it keeps are encrypted copies, whatever the store around which it stands does with those.
    this.capabilities = { ...store.capabilities, keepsValues: false };
  }

  async claim(owner: string): Promise<number> {
    const epoch = await this.#store.claim(owner);
    try {
      this.#key = await checkKeyMarks(this.#store, this.#ring, epoch);
      this.#owner = owner;
      return epoch;
    } catch (error) {
      await this.#store.release(owner);
      throw error;
    }
  }

  release(owner: string): MaybePromise<void> {
    if (owner === this.#owner) this.#key = undefined;
    return this.#store.release(owner);
  }

  append(batch: readonly StreamAppend[]): MaybePromise<void> {
    const key = this.#claimed();
    return this.#store.append(
      batch.map((append) => {
        const events = append.events.map((event) => sealEvent(key, append, event));
        return { ...append, events };
      }),
    );
  }

  read(request: ReadRequest): MaybePromise<readonly EventRecord[]> {
    if (request.stream === KEYS_STREAM) return [];
    return after(this.#store.read(request), (records) => {
      // Of all but the first keys of a store each is there already.
      const missing = this.#missingKeys(records);
      return missing === undefined
        ? records.map((record) => this.#unsealed(record))
        : missing.then(() => records.map((record) => this.#unsealed(record)));
    });
  }

  list(request: ListRequest): MaybePromise<readonly StreamInfo[]> {
    return after(this.#store.list(request), (page) => {
      const shown = page.filter(({ stream }) => stream !== KEYS_STREAM);
      if (shown.length === page.length || page.length < request.limit) return shown;
      const last = page.at(-1) as StreamInfo;
      return after(this.list({ ...request, after: last.stream, limit: 1 }), (next) => [...shown, ...next]);
    });
  }

  saveCheckpoint(checkpoint: CheckpointRecord, epoch: number): MaybePromise<void> {
    const place = placeOfCheckpoint(checkpoint);
    const text = encodePayload(checkpoint.payload, place.name);
    const payload = { sealed: seal(this.#claimed(), Buffer.from(text, 'utf8'), place) };
    return this.#save('saveCheckpoint').call(this.#store, { ...checkpoint, payload }, epoch);
  }

  loadCheckpoint(id: string): MaybePromise<CheckpointRecord | undefined> {
    return after(this.#save('loadCheckpoint').call(this.#store, id), (found) => {
      if (found === undefined) return undefined;
      const place = placeOfCheckpoint(found);
      if (!isSealed(found.payload)) return this.#plain(found, place.name);
      const { sealed } = found.payload;
      return after(this.#ring.find(keyIdOf(sealed, place), place.name), (key) => {
        return { ...found, payload: decoded(unseal(key, sealed, place)) };
      });
    });
  }

  async saveBlob({ stream, id, bytes }: BlobRecord, epoch: number): Promise<void> {
    const sealed = await sealSlowly(this.#claimed(), bytes, placeOfBlob(stream, id));
    await this.#save('saveBlob').call(this.#store, { stream, id, bytes: sealed }, epoch);
  }

  async loadBlob(stream: string, id: string): Promise<Uint8Array | undefined> {
    const found = await this.#save('loadBlob').call(this.#store, stream, id);
    if (found === undefined) return undefined;
    const place = placeOfBlob(stream, id);
    if (!looksSealed(found)) return this.#plain(found, place.name);
    return unsealSlowly(await this.#ring.find(keyIdOf(found, place), place.name), found, place);
  }

  /** A method that the store has, or this one would not be offered. */
  #save<Name extends 'saveCheckpoint' | 'loadCheckpoint' | 'saveBlob' | 'loadBlob'>(
    name: Name,
  ): NonNullable<EventStore[Name]> {
    return this.#store[name] as NonNullable<EventStore[Name]>;
  }

  #claimed(): NamedKey {
    if (this.#key !== undefined) return this.#key;
    throw new OrchestratorError(
      'STORE_FENCED',
      'the encrypted store is not claimed, so nothing is written to it',
    );
  }

  /** Finds the keys of records that are not known yet; nothing when all are. */
  #missingKeys(records: readonly EventRecord[]): Promise<unknown> | undefined {
    const asked = new Map<string, Promise<NamedKey>>();
    for (const { stream, seq, type, at, schemaVersion, payload } of records) {
      if (!isSealed(payload)) continue;
      const place = placeOfRecord(stream, seq, type, at, schemaVersion);
      const id = keyIdOf(payload.sealed, place);
      if (asked.has(id)) continue;
      const key = this.#ring.find(id, place.name);
      if (key instanceof Promise) asked.set(id, key);
    }
    return asked.size === 0 ? undefined : Promise.all(asked.values());
  }

  #unsealed(record: EventRecord): EventRecord {
    const { stream, seq, type, at, schemaVersion, payload } = record;
    const place = placeOfRecord(stream, seq, type, at, schemaVersion);
    if (!isSealed(payload)) return this.#plain(record, place.name);
    const key = this.#ring.find(keyIdOf(payload.sealed, place), place.name) as NamedKey;
    return { ...record, payload: decoded(unseal(key, payload.sealed, place)) };
  }

  /** What was written without encryption, if that is allowed. */
  #plain<Value>(value: Value, name: string): Value {
    if (this.#ring.plain === 'read') return value;
    throw plainRefused(name);
  }
}

function sealEvent(key: NamedKey, { stream, versions }: StreamAppend, event: LoggedEvent): LoggedEvent {
  const { type, seq, at, schemaVersion } = toRecord(stream, event, versions);
  const place = placeOfRecord(stream, seq, type, at, schemaVersion);
  const text = encodePayload(event, place.name);
  return { type, seq, at, sealed: seal(key, Buffer.from(text, 'utf8'), place) } as LoggedEvent;
}

function placeOfRecord(stream: string, seq: number, type: string, at: number, version: number): Place {
  return { stream, parts: ['record', seq, type, at, version], name: `stream ${stream}, seq ${seq}` };
}

function placeOfCheckpoint({
  id,
  stream,
  seq,
  at,
  schemaVersion,
  name,
}: Omit<CheckpointRecord, 'payload'>): Place {
  const parts = ['checkpoint', id, seq, at, schemaVersion, name ?? null];
  return { stream, parts, name: `checkpoint ${id}` };
}

function placeOfBlob(stream: string, id: string): Place {
  return { stream, parts: ['blob', id], name: `stream ${stream}, blob ${id}` };
}

/** What was authenticated is what somebody with the key has written, by the same codec. */
function decoded(bytes: Uint8Array): unknown {
  return decodeValue(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'));
}

/** Goes on with a value at once, or when its promise gives it. */
function after<From, To>(
  value: MaybePromise<From>,
  next: (value: From) => MaybePromise<To>,
): MaybePromise<To> {
  return value instanceof Promise ? value.then(next) : next(value);
}
