/**
 * The event store on SQLite, on the side of the host: it encodes and decodes, and lets its desk do the rest.
 *
 * Owns: the claim as the host sees it, and whether its desk is open. Who may call it: whoever has an `EventStore`.
 *
 * SS1  Payloads are encoded before a call returns, so later changes by the writer change nothing.
 * SS2  Once the claim was given back nothing is left open; reading without a claim opens, and closes again by itself.
 * SS3  After the loss of its thread nothing is written until the store is claimed again.
 */
import { toRecord } from '../../base/event-record.ts';
import type { OrchestratorError } from '../../model/errors.ts';
import type {
  BlobRecord,
  CheckpointInfo,
  CheckpointRecord,
  EventRecord,
  EventStore,
  ListRequest,
  MaybePromise,
  ReadRequest,
  StoreCapabilities,
  StreamAppend,
  StreamInfo,
} from '../../ports/event-store.ts';

import { encodePayload } from '../encode-payload.ts';
import { decodeCheckpoint, decodeRecord } from './payload.ts';
import type { Desk, Method, Requests, TextAppend, TextEvent } from './requests.ts';
import { poisoned } from './sqlite-errors.ts';

/** How long a store that nobody has claimed stays open after a request, in milliseconds. */
const IDLE_MS = 250;

export interface SqliteStoreParts {
  readonly name: string;
  readonly capabilities: StoreCapabilities;
  /** @param onLost - to be told when the desk has lost what it keeps open */
  readonly makeDesk: (onLost: (error: OrchestratorError) => void) => Desk;
}

export class SqliteStore implements EventStore {
  readonly capabilities: StoreCapabilities;
  readonly #name: string;
  readonly #desk: Desk;
  #owner: string | undefined;
  #lost: OrchestratorError | undefined;
  #busy = 0;
  #idle: NodeJS.Timeout | undefined;

  constructor({ name, capabilities, makeDesk }: SqliteStoreParts) {
    this.#name = name;
    this.capabilities = capabilities;
    this.#desk = makeDesk((error) => {
      this.#lost = error;
    });
  }

  claim(owner: string): MaybePromise<number> {
    return after(this.#ask('claim', owner), (epoch) => {
      this.#owner = owner;
      this.#lost = undefined;
      return epoch;
    });
  }

  release(owner: string): MaybePromise<void> {
    if (this.#owner !== owner) return;
    this.#owner = undefined;
    clearTimeout(this.#idle);
    const close = (): MaybePromise<void> => this.#desk.close();
    const answer = this.#desk.ask('release', owner);
    // It is closed even if giving the claim back failed: then the lease runs out.
    return answer instanceof Promise ? answer.finally(close) : close();
  }

  append(batch: readonly StreamAppend[]): MaybePromise<void> {
    return this.#write('append', batch.map(textAppend));
  }

  read({ stream, fromSeq, limit }: ReadRequest): MaybePromise<readonly EventRecord[]> {
    const records: EventRecord[] = [];
    const next = (): MaybePromise<readonly EventRecord[]> => {
      const from = fromSeq + records.length;
      return after(this.#ask('read', stream, from, limit - records.length), ({ events, more }) => {
        for (const event of events) records.push(this.#record(stream, fromSeq + records.length, event));
        return more ? next() : records;
      });
    };
    return next();
  }

  list(request: ListRequest): MaybePromise<readonly StreamInfo[]> {
    return this.#ask('list', request);
  }

  findKey(key: string): MaybePromise<string | undefined> {
    return this.#ask('findKey', key);
  }

  remove(streams: readonly string[], epoch?: number): MaybePromise<void> {
    return this.#write('remove', [...streams], epoch);
  }

  saveCheckpoint({ payload, ...info }: CheckpointRecord, epoch: number): MaybePromise<void> {
    return this.#write(
      'saveCheckpoint',
      { info, text: encodePayload(payload, `checkpoint ${info.id}`) },
      epoch,
    );
  }

  loadCheckpoint(id: string): MaybePromise<CheckpointRecord | undefined> {
    return after(this.#ask('loadCheckpoint', id), (found) =>
      found === undefined
        ? undefined
        : { ...found.info, payload: decodeCheckpoint(found.text, this.#name, id) },
    );
  }

  listCheckpoints(stream: string): MaybePromise<readonly CheckpointInfo[]> {
    return this.#ask('listCheckpoints', stream);
  }

  removeCheckpoint(id: string, epoch?: number): MaybePromise<void> {
    return this.#write('removeCheckpoint', id, epoch);
  }

  saveBlob({ stream, id, bytes }: BlobRecord, epoch: number): MaybePromise<void> {
    // A view of its own: what a thread is sent is the whole memory behind a view.
    return this.#write('saveBlob', { stream, id, bytes: new Uint8Array(bytes) }, epoch);
  }

  loadBlob(stream: string, id: string): MaybePromise<Uint8Array | undefined> {
    return this.#ask('loadBlob', stream, id);
  }

  #write<M extends Method>(
    method: M,
    ...given: Parameters<Requests[M]>
  ): MaybePromise<ReturnType<Requests[M]>> {
    if (this.#lost !== undefined) throw poisoned(this.#lost);
    return this.#ask(method, ...given);
  }

  #ask<M extends Method>(
    method: M,
    ...given: Parameters<Requests[M]>
  ): MaybePromise<ReturnType<Requests[M]>> {
    const answer = this.#desk.ask(method, ...given);
    if (!(answer instanceof Promise)) return answer;
    this.#busy++;
    return answer.finally(() => {
      this.#busy--;
      this.#closeWhenIdle();
    });
  }

  #closeWhenIdle(): void {
    clearTimeout(this.#idle);
    if (this.#owner !== undefined || this.#busy > 0) return;
    this.#idle = setTimeout(() => {
      if (this.#owner === undefined && this.#busy === 0) void this.#desk.close();
    }, IDLE_MS).unref();
  }

  #record(stream: string, seq: number, { type, at, version, text }: TextEvent): EventRecord {
    const payload = decodeRecord(text, this.#name, stream, seq);
    return { stream, seq, type, at, schemaVersion: version, payload };
  }
}

function textAppend(append: StreamAppend): TextAppend {
  const { stream, expectedSeq, epoch, events, versions, uniqueKeys, facts } = append;
  return {
    stream,
    expectedSeq,
    epoch,
    events: events.map((event) => {
      const { type, at, schemaVersion: version } = toRecord(stream, event, versions);
      return { type, at, version, text: encodePayload(event, `stream ${stream}, event ${event.seq}`) };
    }),
    keys: uniqueKeys === undefined ? [] : [...uniqueKeys],
    facts,
  };
}

/** Goes on with a value at once, or when its promise gives it. */
function after<From, To>(
  value: MaybePromise<From>,
  next: (value: From) => MaybePromise<To>,
): MaybePromise<To> {
  return value instanceof Promise ? value.then(next) : next(value);
}
