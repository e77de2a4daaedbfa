/**
 * Writes frames behind the end of a log.
 *
 * Owns: the segment that grows, and its file. Who may call it: the store, one call at a time.
 *
 * LW1  What `write` has returned from is on the disk, as far as the durability says, and is read by every later owner.
 * LW2  After a write or a sync that failed nothing is written any more: what the disk has then is not known.
 * LW3  A segment belongs to one epoch. The first thing that a claim writes is the head of a new one, which says where the
 *      log ended; whatever an earlier owner writes from then on is behind that end.
 */
import { join } from 'node:path';
import type { OrchestratorError } from '../../model/errors.ts';
import type { Catalog } from './catalog.ts';
import type { FileSystem, OpenFile } from './file-system.ts';
import { EMPTY_END, FRAME_HEADER_BYTES, FRAME_PAYLOAD_MAX, saltOf, sealFrame } from './frame.ts';
import { HeadAnchor } from './head-anchor.ts';
import type { Ownership } from './ownership.ts';
import { bootMark, encodeHead, newSegment, type Segment, type SegmentHead, segmentName } from './segment.ts';
import { frameTooLong, inputOutputFailed, poisoned } from './store-errors.ts';

/** What a writer is made of. */
export interface LogWriterParts {
  readonly files: FileSystem;
  readonly folder: string;
  readonly storeId: string;
  readonly durability: 'os' | 'power';
  readonly segmentBytes: number;
  /** Which start of the machine this is; empty if that is not known. */
  readonly boot: string;
  readonly ownership: Ownership;
  readonly catalog: Catalog;
}

/** Where an entry of a frame was written. */
export interface Written {
  readonly segment: Segment;
  readonly offset: number;
  readonly length: number;
}

export class LogWriter {
  readonly #parts: LogWriterParts;
  readonly #anchor: HeadAnchor;
  #segment: Segment | undefined;
  #file: OpenFile | undefined;
  #failed: OrchestratorError | undefined;

  constructor(parts: LogWriterParts) {
    this.#parts = parts;
    this.#anchor = new HeadAnchor(parts, parts.ownership.epoch);
  }

  /** Begins the first segment of this claim. */
  open(): Promise<void> {
    return this.#guard('the first segment of a claim', async () => {
      await this.#anchor.open();
      await this.#begin();
    });
  }

  /**
   * Writes entries as one frame.
   * @param about - the stream, for errors
   * @returns where each of them stands, in order
   * @throws OrchestratorError `STORE_UNAVAILABLE`, `STORE_FULL`, `STORE_FENCED`, `LIMIT_EXCEEDED`
   */
  async write(entries: readonly Buffer[], about: string): Promise<readonly Written[]> {
    const length = entries.reduce((sum, entry) => sum + entry.length, 0);
    if (length > FRAME_PAYLOAD_MAX) throw frameTooLong(about, length, FRAME_PAYLOAD_MAX);
    return this.#guard(`an append to stream ${about}`, async () => {
      if ((this.#segment as Segment).end.offset > this.#parts.segmentBytes) await this.#begin();
      const segment = this.#segment as Segment;
      const start = segment.end.offset + FRAME_HEADER_BYTES;
      await this.#writeFrame(segment, Buffer.concat([Buffer.alloc(FRAME_HEADER_BYTES), ...entries]), about);
      let offset = start;
      return entries.map((entry) => {
        const written = { segment, offset, length: entry.length };
        offset += entry.length;
        return written;
      });
    });
  }

  /** Lets the disk have all that was written, also where appends do not wait for that. */
  sync(): Promise<void> {
    return this.#guard('a sync', async () => {
      if (this.#parts.durability === 'os') await this.#file?.sync();
    });
  }

  /** Says for the last time what was committed, so that damage of it is noticed, and closes the file. */
  async close(): Promise<void> {
    const segment = this.#segment;
    try {
      if (segment !== undefined && this.#failed === undefined) await this.#seal(segment);
    } catch {
      // Nothing that was acknowledged depends on it.
    } finally {
      await this.#anchor.close(this.#failed === undefined);
      await this.#file?.close().catch(() => {});
      this.#file = undefined;
      this.#segment = undefined;
    }
  }

  /** Lets the disk have everything, also where no append asks for that, so that later damage is not taken for a lost end. */
  async #seal(segment: Segment): Promise<void> {
    if (segment.end.frame > 1) await this.#writeFrame(segment, Buffer.alloc(FRAME_HEADER_BYTES), 'a release');
    if (this.#parts.durability === 'power') return;
    await this.#file?.sync();
    await this.#anchor.write(segment, segment.end, true);
  }

  async #begin(): Promise<void> {
    const { files, folder, storeId, durability, boot, ownership, catalog } = this.#parts;
    const before = catalog.segments.at(-1);
    if (before !== undefined) await this.#secure(before);
    const position = (before?.last ?? 0) + 1;
    const segment = newSegment(segmentName(position, position, ownership.epoch, 0), EMPTY_END);
    const file = await files.open(join(folder, segment.file), 'create');
    await this.#file?.close();
    this.#file = file;
    const head: SegmentHead = {
      store: storeId,
      durability,
      boot: bootMark(boot),
      before: before?.sealedEnd ?? null,
    };
    const bytes = Buffer.concat([Buffer.alloc(FRAME_HEADER_BYTES), encodeHead(head)]);
    const end = sealFrame(bytes, EMPTY_END, 0, saltOf(storeId, segment.file));
    await file.write(bytes, 0);
    await file.sync();
    await files.syncFolder(folder);
    await ownership.checkStillOwner(segment.file);
    await this.#anchor.write(segment, end, true);
    segment.end = end;
    segment.sealedEnd = end;
    catalog.addSegment(segment);
    this.#segment = segment;
  }

  /**
   * The head of the next segment says where this one ends: that has to be true also after a loss of power, although the
   * last frames may never have been synced, by an owner that died or whose sync failed, or because nobody asks for it.
   */
  async #secure({ file: name }: Segment): Promise<void> {
    const { files, folder } = this.#parts;
    const file = await files.open(join(folder, name), 'write');
    try {
      await file.sync();
    } finally {
      await file.close();
    }
  }

  async #writeFrame(segment: Segment, frame: Buffer, about: string): Promise<void> {
    const { storeId, durability, ownership } = this.#parts;
    const file = this.#file as OpenFile;
    const end = sealFrame(frame, segment.end, segment.end.offset, saltOf(storeId, segment.file));
    await file.write(frame, segment.end.offset);
    const isSynced = durability === 'power';
    if (isSynced) await file.sync();
    const anchored = this.#anchor.write(segment, end, isSynced);
    // Beside the question who owns the store, so that it costs no time; it has ended before anything else is done.
    const [owner, anchor] = await Promise.allSettled([ownership.checkStillOwner(about), anchored]);
    if (owner.status === 'rejected') throw owner.reason;
    if (anchor.status === 'rejected') throw anchor.reason;
    if (isSynced) this.#anchor.syncWhenIdle();
    segment.end = end;
    segment.sealedEnd = end;
  }

  async #guard<Value>(what: string, work: () => Promise<Value>): Promise<Value> {
    if (this.#failed !== undefined) throw poisoned(this.#failed);
    try {
      return await work();
    } catch (error) {
      const failed = inputOutputFailed(what, error);
      // Somebody else is the owner: what this one asks for is refused for that, however often it asks.
      if (failed.code !== 'STORE_CONFLICT' && failed.code !== 'STORE_FENCED') this.#failed = failed;
      throw failed;
    }
  }
}
