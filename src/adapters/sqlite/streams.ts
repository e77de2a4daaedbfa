/**
 * The logs: streams, their events and keys.
 *
 * Owns: the tables `streams`, `events`, `keys`, `attributes` and `removed`. Who may call it: the engine.
 *
 * ST1  An append is checked inside its own transaction: what it expects is what it finds.
 * ST2  What is read is what was written: numbers without a gap, each record with the checksum that it was given.
 * ST3  A removed stream is gone at once; its events are deleted a bounded number at a time.
 */

import { crc32 } from 'node:zlib';
import { RemovedPlaces } from '../../base/removed-places.ts';
import type { StreamFacts } from '../../ports/event-store.ts';
import { type SqliteValue, type Statements, toNumber } from './database.ts';
import type { TextAppend, TextEvent, TextPage } from './requests.ts';
import { conflict, corrupt } from './sqlite-errors.ts';

/** A page ends after so many records, or so many characters of payload. */
const PAGE_RECORDS = 1_000;
const PAGE_CHARACTERS = 8_000_000;

interface StreamRow {
  readonly id: number | bigint;
  readonly last_seq: number | bigint;
}

interface FactsRow {
  readonly workflow_id: string | null;
  readonly started_at: number | null;
  readonly attributes: string | null;
}

interface EventRow {
  readonly seq: number | bigint;
  readonly type: string;
  readonly at: number;
  readonly schema_version: number | bigint;
  readonly checksum: number | bigint;
  readonly payload: string;
}

export class Streams {
  readonly #db: Statements;
  readonly #file: string;
  #mayHaveRemoved = true;
  /** By name, the id of a stream that this store has removed. */
  readonly removed = new RemovedPlaces();

  constructor(db: Statements, file: string) {
    this.#db = db;
    this.#file = file;
  }

  /** Inside a transaction. */
  append(append: TextAppend): void {
    const { stream, expectedSeq, events, keys, facts } = append;
    const last = events[events.length - 1];
    const known = (expectedSeq > 0 ? this.#moveEnd(append, last) : undefined) ?? this.#known(append, last);
    for (const key of keys) {
      if (this.#db.get('SELECT 1 FROM keys WHERE key = ?', key) !== undefined)
        throw conflict(`the key ${JSON.stringify(key)} is taken`, stream);
    }
    if (known === undefined && last === undefined) return;
    const id = known ?? this.#create(append, last as TextEvent);
    this.#write(id, stream, expectedSeq, events);
    for (const key of keys) this.#db.run('INSERT INTO keys (key, stream_id) VALUES (?, ?)', key, id);
    if (facts !== undefined && known !== undefined) this.#writeFacts(id, facts);
  }

  /**
   * Says where a stream ends from now on, and finds by the same look-up whether it ends where its writer believes: nearly
   * every append needs no more.
   * @returns its id; nothing if it ends somewhere else or is not there, or if it gets no events
   */
  #moveEnd({ stream, expectedSeq, events }: TextAppend, last: TextEvent | undefined): number | undefined {
    if (last === undefined) return undefined;
    const row = this.#db.get<{ id: number | bigint }>(
      'UPDATE streams SET last_seq = ?, last_type = ?, last_at = ? WHERE stream = ? AND last_seq = ? RETURNING id',
      ...[expectedSeq + events.length, last.type, last.at, stream, expectedSeq],
    );
    return row === undefined ? undefined : toNumber(row.id);
  }

  /**
   * A stream that begins, or gets no events; any other one does not end where its writer believes.
   * @returns its id; nothing if it is still to begin
   */
  #known(append: TextAppend, last: TextEvent | undefined): number | undefined {
    const { stream, expectedSeq } = append;
    const found = this.#find(stream);
    const lastSeq = found === undefined ? 0 : toNumber(found.last_seq);
    if (expectedSeq !== lastSeq) throw conflict(`expected seq ${expectedSeq}, found ${lastSeq}`, stream);
    return found === undefined ? undefined : (this.#moveEnd(append, last) ?? toNumber(found.id));
  }

  #find(stream: string): StreamRow | undefined {
    return this.#db.get<StreamRow>('SELECT id, last_seq FROM streams WHERE stream = ?', stream);
  }

  /** With its facts at once: an update of what indexes have costs as much as the whole row. */
  #create({ stream, events, facts }: TextAppend, { type, at }: TextEvent): number {
    const { workflowId = null, status = null, startedAt = null, attributes } = facts ?? {};
    const row = this.#db.get<{ id: number | bigint }>(
      `INSERT INTO streams (stream, kind, last_seq, last_type, last_at, workflow_id, status, started_at, attributes)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`,
      ...[stream, stream.slice(0, stream.indexOf(':') + 1), events.length, type, at],
      ...[workflowId, status, startedAt, textOf(attributes)],
    );
    const id = toNumber(row?.id);
    this.#addAttributes(id, attributes);
    return id;
  }

  #write(id: number, stream: string, expectedSeq: number, events: readonly TextEvent[]): void {
    let seq = expectedSeq;
    for (const event of events) {
      seq++;
      this.#db.run(
        'INSERT INTO events (stream_id, seq, type, at, schema_version, checksum, payload) VALUES (?, ?, ?, ?, ?, ?, ?)',
        ...[id, seq, event.type, event.at, event.version, checksumOf(stream, seq, event), event.text],
      );
    }
  }

  /** Writes what has changed: mostly that is the status alone, and what is written anew has to be moved in every index. */
  #writeFacts(id: number, { workflowId, status, startedAt, attributes }: StreamFacts): void {
    const text = textOf(attributes);
    const before = this.#db.get<FactsRow>(
      'SELECT workflow_id, started_at, attributes FROM streams WHERE id = ?',
      id,
    );
    const isSame = before?.attributes === text;
    if (isSame && before?.workflow_id === workflowId && before.started_at === startedAt) {
      this.#db.run('UPDATE streams SET status = ? WHERE id = ?', status, id);
      return;
    }
    this.#db.run(
      'UPDATE streams SET workflow_id = ?, status = ?, started_at = ?, attributes = ? WHERE id = ?',
      ...[workflowId, status, startedAt, text, id],
    );
    if (isSame) return;
    this.#db.run('DELETE FROM attributes WHERE stream_id = ?', id);
    this.#addAttributes(id, attributes);
  }

  #addAttributes(id: number, attributes: StreamFacts['attributes']): void {
    for (const [name, value] of Object.entries(attributes ?? {}))
      this.#db.run(
        'INSERT INTO attributes (name, value, stream_id) VALUES (?, ?, ?)',
        ...[name, attributeText(value), id],
      );
  }

  read(stream: string, fromSeq: number, limit: number): TextPage {
    const found = this.#find(stream);
    if (found === undefined) return { events: [], more: false };
    const lastSeq = toNumber(found.last_seq);
    const from = Math.max(1, fromSeq);
    const wanted = Math.max(0, Math.min(from - 1 + limit, lastSeq) - from + 1);
    const rows = this.#rows(toNumber(found.id), from, Math.min(wanted, PAGE_RECORDS));
    const events = rows.map((row, i) => this.#check(stream, from + i, row));
    if (events.length === 0 && wanted > 0) throw corrupt(this.#file, { stream, seq: from }, 'it is missing');
    return { events, more: events.length < wanted };
  }

  #rows(id: number, from: number, count: number): readonly EventRow[] {
    const rows: EventRow[] = [];
    let characters = 0;
    // In steps, so that a page of huge payloads is not in memory many times over.
    while (rows.length < count && characters < PAGE_CHARACTERS) {
      const step = this.#db.all<EventRow>(
        'SELECT seq, type, at, schema_version, checksum, payload FROM events WHERE stream_id = ? AND seq >= ? ORDER BY seq LIMIT ?',
        ...[id, from + rows.length, Math.min(100, count - rows.length)],
      );
      if (step.length === 0) break;
      for (const row of step) {
        rows.push(row);
        characters += row.payload.length;
      }
    }
    return rows;
  }

  #check(stream: string, seq: number, row: EventRow): TextEvent {
    const { type, at, payload: text } = row;
    if (toNumber(row.seq) !== seq) throw corrupt(this.#file, { stream, seq }, 'it is missing');
    const event = { type, at: toNumber(at), version: toNumber(row.schema_version), text };
    if (checksumOf(stream, seq, event) !== toNumber(row.checksum))
      throw corrupt(this.#file, { stream, seq }, 'it does not have the checksum that it was written with');
    return event;
  }

  findKey(key: string): string | undefined {
    return this.#db.get<{ stream: string }>(
      'SELECT streams.stream FROM keys JOIN streams ON streams.id = keys.stream_id WHERE key = ?',
      key,
    )?.stream;
  }

  /** Inside a transaction. */
  remove(stream: string): void {
    const found = this.#find(stream);
    if (found === undefined) return;
    for (const table of ['keys', 'attributes'])
      this.#db.run(`DELETE FROM ${table} WHERE stream_id = ?`, found.id);
    this.#db.run('DELETE FROM streams WHERE id = ?', found.id);
    this.#db.run('INSERT INTO removed (stream_id) VALUES (?)', found.id);
    this.removed.add(stream, toNumber(found.id));
    this.#mayHaveRemoved = true;
  }

  /**
   * Inside a transaction: deletes events of removed streams.
   * @param most - how many at most
   */
  sweep(most: number): void {
    for (let left = most; left > 0; ) {
      const next = this.#db.get<{ stream_id: number | bigint }>('SELECT stream_id FROM removed LIMIT 1');
      this.#mayHaveRemoved = next !== undefined;
      if (next === undefined) return;
      const values: SqliteValue[] = [next.stream_id, left];
      const gone = this.#db.run(
        `DELETE FROM events WHERE (stream_id, seq) IN
          (SELECT stream_id, seq FROM events WHERE stream_id = ? ORDER BY seq LIMIT ?)`,
        ...values,
      );
      if (gone < left) this.#db.run('DELETE FROM removed WHERE stream_id = ?', next.stream_id);
      left -= gone + 1;
    }
  }

  get mayHaveRemoved(): boolean {
    return this.#mayHaveRemoved;
  }
}

function textOf(attributes: StreamFacts['attributes']): string | null {
  return attributes === undefined ? null : JSON.stringify(attributes);
}

/** A value of an attribute as a text that no value of another type has. */
export function attributeText(value: unknown): string {
  return typeof value === 'string' ? `s:${value}` : `${typeof value}:${String(value)}`;
}

function checksumOf(stream: string, seq: number, { type, at, version, text }: TextEvent): number {
  return crc32(text, crc32(`${stream}\n${seq}\n${type}\n${at}\n${version}\n`));
}
