/**
 * Writes the events of runs to the store and reads them back.
 *
 * Owns: the claim on the store (its epoch) and the order of appends. Who may call it: the run loop and the
 * facade.
 *
 * P1  At most one append is under way; what is decided meanwhile gathers for the next one (group commit).
 * P2  An append covers all or nothing of its group.
 * P3  A store that answers at once is answered at once: no promise is made.
 */
import { type RunEvent, schemaVersionOf } from '../../machine/events.ts';
import type { EventRecord, EventStore, StreamAppend, StreamInfo } from '../../ports/event-store.ts';

/** The events of one run that are to be written together. */
export interface RunAppend {
  /** The stream of the run, from `streamOf`. */
  readonly stream: string;
  readonly events: readonly RunEvent[];
  /** A key that no other run of this store may have. */
  readonly key: string | undefined;
}

/** Streams of runs begin with this. */
export const RUN_STREAM_PREFIX = 'run:';

/** The name of the stream of a run. */
export function streamOf(runId: string): string {
  return RUN_STREAM_PREFIX + runId;
}

const READ_PAGE = 1_024;

export class PersistenceManager {
  readonly #store: EventStore;
  readonly #owner: string;
  #epoch = 0;

  constructor(store: EventStore, owner: string) {
    this.#store = store;
    this.#owner = owner;
  }

  /** Whether what is written outlives this process. */
  get isDurable(): boolean {
    return this.#store.capabilities.durable;
  }

  /**
   * Becomes the only writer of the store.
   * @returns the epoch, greater than that of every owner before
   * @throws OrchestratorError `STORE_OWNED`
   */
  async open(): Promise<number> {
    this.#epoch = await this.#store.claim(this.#owner);
    return this.#epoch;
  }

  /** Gives the store back. */
  async close(): Promise<void> {
    await this.#store.release(this.#owner);
  }

  /** Writes a group of events; returns or resolves when they are durable. */
  append(group: readonly RunAppend[]): void | Promise<void> {
    if (group.length === 1) return this.#store.append([this.#streamAppend(group[0] as RunAppend)]);
    return this.#store.append(group.map((append) => this.#streamAppend(append)));
  }

  /** The records of a run from `fromSeq` on, at most one page. */
  readPage(
    runId: string,
    fromSeq: number,
    limit = READ_PAGE,
  ): readonly EventRecord[] | Promise<readonly EventRecord[]> {
    return this.#store.read({ stream: RUN_STREAM_PREFIX + runId, fromSeq, limit });
  }

  /** All records of a run. */
  async readAll(runId: string): Promise<readonly EventRecord[]> {
    const records: EventRecord[] = [];
    for (;;) {
      const page = await this.readPage(runId, records.length + 1);
      for (const record of page) records.push(record);
      if (page.length < READ_PAGE) return records;
    }
  }

  /** The ids of all runs in the store, with the type of their last event. */
  async listRuns(): Promise<readonly { readonly runId: string; readonly lastType: string }[]> {
    const runs: { runId: string; lastType: string }[] = [];
    let after: string | undefined;
    for (;;) {
      const request = {
        prefix: RUN_STREAM_PREFIX,
        limit: READ_PAGE,
        ...(after === undefined ? undefined : { after }),
      };
      const page: readonly StreamInfo[] = await this.#store.list(request);
      for (const { stream, lastType } of page)
        runs.push({ runId: stream.slice(RUN_STREAM_PREFIX.length), lastType });
      if (page.length < READ_PAGE) return runs;
      after = page[page.length - 1]?.stream;
    }
  }

  /** The run that was started under a key, if one was. */
  async findKey(key: string): Promise<string | undefined> {
    const stream = await this.#store.findKey(key);
    return stream?.slice(RUN_STREAM_PREFIX.length);
  }

  /** Forgets the logs of runs. */
  remove(runIds: readonly string[]): void | Promise<void> {
    return this.#store.remove(runIds.map((runId) => RUN_STREAM_PREFIX + runId));
  }

  #streamAppend({ stream, events, key }: RunAppend): StreamAppend {
    const records: EventRecord[] = new Array(events.length);
    for (let i = 0; i < events.length; i++) records[i] = toRecord(stream, events[i] as RunEvent);
    const append = { stream, expectedSeq: (events[0] as RunEvent).seq - 1, epoch: this.#epoch, records };
    return key === undefined ? append : { ...append, uniqueKeys: [key] };
  }
}

function toRecord(stream: string, event: RunEvent): EventRecord {
  return {
    stream,
    seq: event.seq,
    type: event.type,
    at: event.at,
    schemaVersion: schemaVersionOf(event.type),
    payload: event,
  };
}
