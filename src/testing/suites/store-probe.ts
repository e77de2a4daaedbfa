import assert from 'node:assert/strict';
import type {
  EventRecord,
  EventStore,
  LoggedEvent,
  SchemaVersions,
  StreamAppend,
} from '../../ports/event-store.ts';
import { codeOf } from './suite-runner.ts';

export const CONFLICT = 'STORE_CONFLICT';
/** The code of a refusal because the claim of the writer is over. */
export const FENCED = 'STORE_FENCED';

/** Declares one test; each gets a store of its own. */
export type Test = (title: string, body: (probe: Probe) => Promise<void>) => void;

/** A store with a claim on it, and shorter words for what tests do with it. */
export class Probe {
  readonly store: EventStore;
  readonly epoch: number;

  constructor(store: EventStore, epoch: number) {
    this.store = store;
    this.epoch = epoch;
  }

  batch(stream: string, expectedSeq: number, count = 1, uniqueKeys?: readonly string[]): StreamAppend {
    const events = Array.from({ length: count }, (_, i) => eventOf(expectedSeq + 1 + i));
    const append = { stream, expectedSeq, epoch: this.epoch, events, versions: versionsOf(events) };
    return uniqueKeys === undefined ? append : { ...append, uniqueKeys };
  }

  async append(...batch: StreamAppend[]): Promise<void> {
    await this.store.append(batch);
  }

  async refused(...batch: StreamAppend[]): Promise<void> {
    assert.equal(await codeOf(() => this.store.append(batch)), CONFLICT);
  }

  async fenced(...batch: StreamAppend[]): Promise<void> {
    assert.equal(await codeOf(() => this.store.append(batch)), FENCED);
  }

  async seqs(stream: string, fromSeq = 1, limit = 1_000): Promise<number[]> {
    return (await this.store.read({ stream, fromSeq, limit })).map((record) => record.seq);
  }

  async streams(prefix = ''): Promise<string[]> {
    return (await this.store.list({ prefix, limit: 1_000 })).map((info) => info.stream);
  }
}

/** A record that differs in every field from all others. */
export function recordOf(stream: string, seq: number): EventRecord {
  const payload = eventOf(seq);
  return { stream, seq, type: payload.type, at: payload.at, schemaVersion: 1 + (seq % 3), payload };
}

export function eventOf(seq: number): LoggedEvent {
  const nested = { list: [1, 'two', null, { three: 3.5 }], text: 'ü€😀' };
  return { type: `T${seq}`, seq, at: 1_000 + seq, nested } as LoggedEvent;
}

/** A table of its own for each append; the first version of a type is left out, as it may be. */
function versionsOf(events: readonly LoggedEvent[]): SchemaVersions {
  const later = events.filter(({ seq }) => seq % 3 > 0);
  return Object.fromEntries(later.map(({ type, seq }) => [type, 1 + (seq % 3)]));
}
