/**
 * Entries: what a frame holds. Each has a checksum of its own, so that one can be read alone, without its frame, and
 * copied as it is into another segment.
 *
 * An entry is a header (checksum, length of the body, kind) and a body of lines of JSON text. The first line says all
 * that the index needs, so that opening a store decodes no payload.
 */
import { crc32 } from 'node:zlib';
import { decodeValue } from '../../base/codec.ts';
import { toRecord } from '../../base/event-record.ts';
import type {
  CheckpointInfo,
  CheckpointRecord,
  EventRecord,
  LoggedEvent,
  StreamAppend,
  StreamFacts,
} from '../../ports/event-store.ts';
import { encodePayload } from '../encode-payload.ts';

/** checksum (4), length of the body (4), kind (1), unused (3). */
export const ENTRY_HEADER_BYTES = 12;

/** What an entry says; the numbers stand in the files and never change their meaning. */
export const ENTRY_KINDS = {
  head: 1,
  events: 2,
  remove: 3,
  checkpoint: 4,
  dropCheckpoint: 5,
  end: 6,
} as const;
export type EntryKind = keyof typeof ENTRY_KINDS;
const NAMES = new Map<number, EntryKind>(
  Object.entries(ENTRY_KINDS).map(([name, number]) => [number, name as EntryKind]),
);

/** The first line of an entry of events. Short names: it is written with every append. */
export interface EventsMeta {
  /** The stream. */
  readonly s: string;
  /** The `seq` of its first event, and how many there are. */
  readonly q: number;
  readonly n: number;
  /** Of the last event: its type and its `at`. */
  readonly t: string;
  readonly a: number;
  /** The versions of their shapes; absent when all are 1. */
  readonly v?: readonly number[];
  readonly f?: StreamFacts;
  readonly k?: readonly string[];
}

/** An entry whose place in its segment is known. */
export interface Entry {
  readonly kind: EntryKind;
  /** From the beginning of the bytes that it was found in. */
  readonly offset: number;
  /** With its header. */
  readonly length: number;
  readonly body: Buffer;
}

/** Builds an entry. */
export function encodeEntry(kind: EntryKind, body: string): Buffer {
  const length = Buffer.byteLength(body);
  const bytes = Buffer.allocUnsafe(ENTRY_HEADER_BYTES + length);
  bytes.writeUInt32LE(length, 4);
  bytes.writeUInt32LE(ENTRY_KINDS[kind], 8);
  bytes.write(body, ENTRY_HEADER_BYTES);
  bytes.writeUInt32LE(crc32(bytes.subarray(4)), 0);
  return bytes;
}

/**
 * So many events of one append, or so many characters of them, stand in one entry: whoever reads a page of a stream reads
 * every entry that has something of it as a whole.
 */
const ENTRY_EVENTS_MAX = 1_024;
const ENTRY_TEXT_MAX = 1_048_576;

/** An entry of events, and its first line. */
export interface EncodedEvents {
  readonly bytes: Buffer;
  readonly meta: EventsMeta;
}

/** The entries of the events that a stream gets, one after the other; the first says what else the append brings. */
export function* encodeEvents(append: StreamAppend): Generator<EncodedEvents, void, void> {
  const { stream, events, versions, facts, uniqueKeys } = append;
  for (let from = 0; from === 0 || from < events.length; ) {
    const lines: string[] = [];
    const shapes: number[] = [];
    let characters = 0;
    let to = from;
    while (to < events.length && lines.length < ENTRY_EVENTS_MAX && characters < ENTRY_TEXT_MAX) {
      const event = events[to++] as LoggedEvent;
      shapes.push(toRecord(stream, event, versions).schemaVersion);
      const line = encodePayload(event, `stream ${stream}, event ${event.seq} `);
      lines.push(line);
      characters += line.length;
    }
    const last = events[to - 1];
    const meta: EventsMeta = {
      s: stream,
      q: append.expectedSeq + 1 + from,
      n: lines.length,
      t: last?.type ?? '',
      a: last?.at ?? 0,
      ...(shapes.every((shape) => shape === 1) ? undefined : { v: shapes }),
      ...(facts === undefined || from > 0 ? undefined : { f: factsOf(facts) }),
      ...(uniqueKeys === undefined || uniqueKeys.length === 0 || from > 0
        ? undefined
        : { k: [...uniqueKeys] }),
    };
    yield { bytes: encodeEntry('events', [JSON.stringify(meta), ...lines].join('\n')), meta };
    if (to === from) return;
    from = to;
  }
}

/** A copy of the known fields: what the writer does with his object afterwards is his own affair. */
function factsOf({ workflowId, status, startedAt, attributes }: StreamFacts): StreamFacts {
  return {
    workflowId,
    status,
    startedAt,
    ...(attributes === undefined ? undefined : { attributes: { ...attributes } }),
  };
}

/** The entry of a checkpoint. */
export function encodeCheckpoint(checkpoint: CheckpointRecord): {
  readonly bytes: Buffer;
  readonly info: CheckpointInfo;
} {
  const { id, stream, seq, at, schemaVersion, name, payload } = checkpoint;
  const info: CheckpointInfo = {
    id,
    stream,
    seq,
    at,
    schemaVersion,
    ...(name === undefined ? undefined : { name }),
  };
  return {
    bytes: encodeEntry(
      'checkpoint',
      `${JSON.stringify(info)}\n${encodePayload(payload, `checkpoint ${id} `)}`,
    ),
    info,
  };
}

/** The entry at a place, if it is whole and unchanged. */
export function entryAt(bytes: Buffer, offset: number): Entry | undefined {
  if (offset + ENTRY_HEADER_BYTES > bytes.length) return undefined;
  const end = offset + ENTRY_HEADER_BYTES + bytes.readUInt32LE(offset + 4);
  const kind = NAMES.get(bytes.readUInt32LE(offset + 8));
  if (kind === undefined || end > bytes.length) return undefined;
  if (crc32(bytes.subarray(offset + 4, end)) !== bytes.readUInt32LE(offset)) return undefined;
  return { kind, offset, length: end - offset, body: bytes.subarray(offset + ENTRY_HEADER_BYTES, end) };
}

/** All entries of a payload; nothing if it does not consist of whole entries. */
export function entriesOf(payload: Buffer): readonly Entry[] | undefined {
  const entries: Entry[] = [];
  for (let at = 0; at < payload.length; ) {
    const entry = entryAt(payload, at);
    if (entry === undefined) return undefined;
    entries.push(entry);
    at += entry.length;
  }
  return entries;
}

/** The first line of a body. Only for entries whose checksum fits: what it says is what a store has written. */
export function metaOf<Meta>(body: Buffer): Meta {
  const end = body.indexOf(LINE_FEED);
  return JSON.parse(body.toString('utf8', 0, end < 0 ? body.length : end)) as Meta;
}

/** The records of an entry of events whose `seq` lies in a range, both ends included. */
export function recordsOf(body: Buffer, from: number, to: number): EventRecord[] {
  const lines = body.toString('utf8').split('\n');
  const { s: stream, q: first, n: count, v: shapes } = JSON.parse(lines[0] as string) as EventsMeta;
  if (lines.length - 1 !== count) throw new Error(`it has ${lines.length - 1} events, and says ${count}`);
  const records: EventRecord[] = [];
  for (let i = Math.max(0, from - first); i < lines.length - 1 && first + i <= to; i++) {
    const payload = decodeValue(lines[i + 1] as string) as { readonly type: string; readonly at: number };
    const schemaVersion = shapes?.[i] ?? 1;
    records.push({ stream, seq: first + i, type: payload.type, at: payload.at, schemaVersion, payload });
  }
  return records;
}

/** The checkpoint of an entry. */
export function checkpointOf(body: Buffer): CheckpointRecord {
  const text = body.toString('utf8');
  const end = text.indexOf('\n');
  const info = JSON.parse(text.slice(0, end)) as CheckpointInfo;
  return { ...info, payload: decodeValue(text.slice(end + 1)) };
}

const LINE_FEED = 10;
