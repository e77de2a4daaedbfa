/**
 * A stream as the index on disk has it: all that the catalog knows of it, packed.
 *
 * The marks of its name, its unique keys and its checkpoints stand in front, so that they can be gathered for the table
 * of an index without reading the rest.
 */
import { crc32 } from 'node:zlib';
import type { CheckpointInfo, StreamFacts } from '../../ports/event-store.ts';
import { PackedReader, type PackedWriter } from './packed-bytes.ts';

/** What can be looked up. */
export type Sought = 'stream' | 'key' | 'checkpoint';

/** Where something stands; the segment by its number in the index. */
export interface IndexedPlace {
  readonly segment: number;
  readonly offset: number;
  readonly length: number;
}

export interface IndexedPart extends IndexedPlace {
  readonly seq: number;
}

export interface IndexedCheckpoint extends IndexedPlace {
  readonly info: CheckpointInfo;
}

/** What the rows of an index do not say of a stream. */
export interface IndexedStream {
  readonly name: string;
  readonly lastSeq: number;
  readonly lastType: string;
  readonly lastAt: number;
  readonly attributes: StreamFacts['attributes'];
  readonly keys: readonly string[];
  readonly checkpoints: readonly IndexedCheckpoint[];
  readonly parts: readonly IndexedPart[];
}

/** Under what something is found in the table of an index. Others may have the same mark. */
export function markOf(sought: Sought, text: string): number {
  return crc32(text, crc32(sought));
}

/** Packs a stream. */
export function packStream(into: PackedWriter, stream: IndexedStream): void {
  const marks = [
    markOf('stream', stream.name),
    ...stream.keys.map((key) => markOf('key', key)),
    ...stream.checkpoints.map(({ info }) => markOf('checkpoint', info.id)),
  ];
  into.whole(marks.length);
  for (const mark of marks) into.word(mark);
  into.text(stream.name);
  into.whole(stream.lastSeq);
  into.text(stream.lastType);
  into.double(stream.lastAt);
  into.text(stream.attributes === undefined ? '' : JSON.stringify(stream.attributes));
  into.whole(stream.keys.length);
  for (const key of stream.keys) into.text(key);
  into.whole(stream.checkpoints.length);
  for (const { info, segment, offset, length } of stream.checkpoints) {
    into.text(JSON.stringify(info));
    into.whole(segment);
    into.whole(offset);
    into.whole(length);
  }
  packParts(into, stream.parts);
}

/** Parts of a stream mostly stand behind each other: only how far is written. */
function packParts(into: PackedWriter, parts: readonly IndexedPart[]): void {
  into.whole(parts.length);
  let before: IndexedPart = NO_PART;
  for (const part of parts) {
    into.whole(part.seq - before.seq);
    const isSame = part.segment === before.segment && part.offset >= before.offset;
    // The segment's number plus one, or nothing for the same one.
    into.whole(isSame ? 0 : part.segment + 1);
    into.whole(isSame ? part.offset - before.offset : part.offset);
    into.whole(part.length);
    before = part;
  }
}

const NO_PART: IndexedPart = { seq: 0, segment: -1, offset: 0, length: 0 };

/** How many marks a packed stream has. */
export function markCountAt(bytes: Buffer, offset: number): number {
  return new PackedReader(bytes, offset).whole();
}

/** The marks of a packed stream. */
export function marksAt(bytes: Buffer, offset: number): readonly number[] {
  const reader = new PackedReader(bytes, offset);
  return Array.from({ length: reader.whole() }, () => reader.word());
}

/** Reads the first fields of a packed stream: enough for a listing. */
export function headAt(
  bytes: Buffer,
  offset: number,
): Pick<IndexedStream, 'name' | 'lastSeq' | 'lastType' | 'lastAt' | 'attributes'> {
  return readHead(new PackedReader(bytes, offset));
}

/** Reads a packed stream. */
export function streamAt(bytes: Buffer, offset: number): IndexedStream {
  const reader = new PackedReader(bytes, offset);
  const head = readHead(reader);
  const keys = Array.from({ length: reader.whole() }, () => reader.text());
  const checkpoints = Array.from({ length: reader.whole() }, () => ({
    info: JSON.parse(reader.text()) as CheckpointInfo,
    segment: reader.whole(),
    offset: reader.whole(),
    length: reader.whole(),
  }));
  return { ...head, keys, checkpoints, parts: readParts(reader) };
}

function readHead(
  reader: PackedReader,
): Pick<IndexedStream, 'name' | 'lastSeq' | 'lastType' | 'lastAt' | 'attributes'> {
  for (let marks = reader.whole(); marks > 0; marks--) reader.word();
  const name = reader.text();
  const lastSeq = reader.whole();
  const lastType = reader.text();
  const lastAt = reader.double();
  const attributes = reader.text();
  return {
    ...{ name, lastSeq, lastType, lastAt },
    attributes: attributes === '' ? undefined : (JSON.parse(attributes) as StreamFacts['attributes']),
  };
}

function readParts(reader: PackedReader): IndexedPart[] {
  let before = NO_PART;
  return Array.from({ length: reader.whole() }, () => {
    const seq = before.seq + reader.whole();
    const other = reader.whole();
    const distance = reader.whole();
    const segment = other === 0 ? before.segment : other - 1;
    const offset = other === 0 ? before.offset + distance : distance;
    before = { seq, segment, offset, length: reader.whole() };
    return before;
  });
}
