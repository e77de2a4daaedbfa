/** Reads entries of a log whose places are known. */
import { join } from 'node:path';
import { OrchestratorError } from '../../model/errors.ts';
import type { CheckpointRecord, EventRecord, ReadRequest } from '../../ports/event-store.ts';
import type { Catalog } from './catalog.ts';
import { checkpointOf, entryAt, recordsOf } from './entries.ts';
import type { FileSystem, OpenFile } from './file-system.ts';
import type { Segment } from './segment.ts';
import { badCheckpoint, corrupt, inputOutputFailed } from './store-errors.ts';
import type { CheckpointEntry, Place } from './stream-entry.ts';

interface Where {
  readonly files: FileSystem;
  readonly folder: string;
}

/** The records of a stream that a request asks for. @throws OrchestratorError `STORE_CORRUPT`, `STORE_UNAVAILABLE` */
export async function readRecords(
  where: Where,
  catalog: Catalog,
  { stream, fromSeq, limit }: ReadRequest,
): Promise<readonly EventRecord[]> {
  const last = Math.min(catalog.lastSeq(stream), fromSeq + limit - 1);
  if (last < fromSeq) return [];
  const records: EventRecord[] = [];
  const reader = new SegmentReader(where);
  try {
    for (const { seq, segment, offset, length } of catalog.partsFrom(stream, fromSeq)) {
      if (seq > last) break;
      const body = await reader.body({ segment: catalog.segmentOf(segment), offset, length }, seq, stream);
      records.push(
        ...decodeRecords(body, { file: catalog.segmentOf(segment).file, offset, seq, stream }, fromSeq, last),
      );
    }
  } finally {
    await reader.close();
  }
  return records;
}

/**
 * A checkpoint. It is never needed, so one that is damaged is told by a code of its own.
 * @throws OrchestratorError `CHECKPOINT_INVALID`, `STORE_UNAVAILABLE`
 */
export async function readCheckpoint(where: Where, found: CheckpointEntry): Promise<CheckpointRecord> {
  const reader = new SegmentReader(where);
  try {
    return checkpointOf(await reader.body(found, found.info.seq));
  } catch (error) {
    if (OrchestratorError.is(error) && error.code !== 'STORE_CORRUPT') throw error;
    throw badCheckpoint(
      { file: found.segment.file, offset: found.offset, seq: found.info.seq },
      found.info.id,
      error,
    );
  } finally {
    await reader.close();
  }
}

function decodeRecords(
  body: Buffer,
  at: { readonly file: string; readonly offset: number; readonly seq: number; readonly stream: string },
  from: number,
  to: number,
): EventRecord[] {
  try {
    return recordsOf(body, from, to);
  } catch (error) {
    throw corrupt(at, 'it cannot be decoded', error);
  }
}

/** Keeps the file open that was read last: entries of a stream mostly stand in few segments. */
class SegmentReader {
  readonly #where: Where;
  #segment: Segment | undefined;
  #file: OpenFile | undefined;

  constructor(where: Where) {
    this.#where = where;
  }

  async body({ segment, offset, length }: Place, seq: number, stream?: string): Promise<Buffer> {
    const bytes = Buffer.allocUnsafe(length);
    try {
      const file = await this.#open(segment);
      await file.read(bytes, offset);
    } catch (error) {
      throw inputOutputFailed(`a read of ${segment.file}`, error);
    }
    const entry = entryAt(bytes, 0);
    if (entry === undefined || entry.length !== length)
      throw corrupt({ file: segment.file, offset, seq, stream }, 'what was acknowledged is damaged');
    return entry.body;
  }

  async close(): Promise<void> {
    // What was read is read, whatever becomes of the descriptor.
    await this.#file?.close().catch(() => {});
    this.#file = undefined;
    this.#segment = undefined;
  }

  async #open(segment: Segment): Promise<OpenFile> {
    if (this.#segment === segment && this.#file !== undefined) return this.#file;
    await this.close();
    this.#file = await this.#where.files.open(join(this.#where.folder, segment.file), 'read');
    this.#segment = segment;
    return this.#file;
  }
}
