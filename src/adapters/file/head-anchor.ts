/**
 * The anchor of the log: a small file that says how far what was acknowledged reaches. A frame proves what stands before
 * it; nothing stands behind the newest one, and damage there would look like the torn end of a write.
 *
 * Owns: the files `anchor-…`, one for each claim. Who may call it: the writer of the log; whoever reads it, by `readAnchor`.
 *
 * HA1  It never says more than the segment has: it is written after the frame was, and after its sync if there is one.
 * HA2  It costs no sync of its own: the operating system has it at once, the disk when the store is idle or given back.
 *      So after a death of the process nothing is unprotected, and after a loss of power only what was written since.
 * HA3  One that is missing, torn or damaged says nothing. The log stands without it.
 * HA4  Where frames are not synced a loss of power can take them and leave the anchor: then it counts only within the
 *      start of the machine that it was written in, or when it says that its frames were synced all the same.
 */
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { type FileSystem, isAbsent, type OpenFile } from './file-system.ts';
import type { SegmentEnd } from './frame.ts';
import { bootMark, isSinceBoot, type SegmentName } from './segment.ts';

/** How far the log reaches. */
export interface Anchor {
  /** Where the segment stands in the log, and the epoch that wrote it. */
  readonly position: number;
  readonly epoch: number;
  readonly end: SegmentEnd;
}

/** What the anchors of a folder are read for. */
export interface AnchorPlace {
  readonly files: FileSystem;
  readonly folder: string;
  readonly storeId: string;
  /** Which start of the machine this is; empty if that is not known. */
  readonly boot: string;
}

/** checksum (4), synced (4), position (6), frame (6), offset (4), checksum of the frame (4), mark of the start (4). */
const ANCHOR_BYTES = 32;
const PATTERN = /^anchor-(\d{10})$/;
const IDLE_MS = 100;

function anchorFile(epoch: number): string {
  return `anchor-${String(epoch).padStart(10, '0')}`;
}

/** The epoch of an anchor, by the name of its file. */
export function anchorEpoch(file: string): number | undefined {
  const digits = PATTERN.exec(file)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** One of the anchor's own store and claim only is valid. */
function saltOf(storeId: string, epoch: number): number {
  return crc32(`${storeId}/${anchorFile(epoch)}`);
}

/** The anchor that reaches farthest. It has to be read before the segments, which may grow meanwhile. */
export async function readAnchor(place: AnchorPlace): Promise<Anchor | undefined> {
  const { files, folder } = place;
  let best: Anchor | undefined;
  for (const { name } of await files.list(folder)) {
    const epoch = anchorEpoch(name);
    if (epoch === undefined) continue;
    const found = decodeAnchor(await readBytes(files, join(folder, name)), epoch, place);
    if (found !== undefined && (best === undefined || isFarther(found, best))) best = found;
  }
  return best;
}

function isFarther(a: Anchor, b: Anchor): boolean {
  if (a.position !== b.position) return a.position > b.position;
  return a.epoch === b.epoch ? a.end.offset > b.end.offset : a.epoch > b.epoch;
}

async function readBytes(files: FileSystem, path: string): Promise<Buffer> {
  const bytes = Buffer.alloc(ANCHOR_BYTES);
  let file: OpenFile;
  try {
    file = await files.open(path, 'read');
  } catch (error) {
    // A later owner has removed it just now, and has one of its own.
    if (isAbsent(error)) return bytes;
    throw error;
  }
  try {
    await file.read(bytes, 0);
  } finally {
    await file.close();
  }
  return bytes;
}

function decodeAnchor(bytes: Buffer, epoch: number, { storeId, boot }: AnchorPlace): Anchor | undefined {
  if (crc32(bytes.subarray(4), saltOf(storeId, epoch)) !== bytes.readUInt32LE(0)) return undefined;
  const isSynced = bytes.readUInt32LE(4) === 1;
  if (!isSynced && !isSinceBoot(bytes.toString('hex', 28), boot)) return undefined;
  const [frame, offset, checksum] = [bytes.readUIntLE(14, 6), bytes.readUInt32LE(20), bytes.readUInt32LE(24)];
  return { position: bytes.readUIntLE(8, 6), epoch, end: { offset, frame, checksum } };
}

/** The anchor of one claim. */
export class HeadAnchor {
  readonly #place: AnchorPlace;
  readonly #epoch: number;
  readonly #bytes = Buffer.alloc(ANCHOR_BYTES);
  #file: OpenFile | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** How often it was written, and how often by the time that the timer was set. */
  #writes = 0;
  #seen = 0;
  #syncing: Promise<void> = Promise.resolve();

  constructor(place: AnchorPlace, epoch: number) {
    this.#place = place;
    this.#epoch = epoch;
  }

  /** Makes the file; its name is durable when the folder is synced. */
  async open(): Promise<void> {
    const { files, folder } = this.#place;
    this.#file = await files.open(join(folder, anchorFile(this.#epoch)), 'create');
  }

  /** @param isSynced - whether the disk has said that it has everything up to `end` */
  async write({ last: position }: SegmentName, end: SegmentEnd, isSynced: boolean): Promise<void> {
    const bytes = this.#bytes;
    bytes.writeUInt32LE(isSynced ? 1 : 0, 4);
    bytes.writeUIntLE(position, 8, 6);
    bytes.writeUIntLE(end.frame, 14, 6);
    bytes.writeUInt32LE(end.offset, 20);
    bytes.writeUInt32LE(end.checksum, 24);
    bytes.write(bootMark(this.#place.boot), 28, 'hex');
    bytes.writeUInt32LE(crc32(bytes.subarray(4), saltOf(this.#place.storeId, this.#epoch)), 0);
    await this.#file?.write(bytes, 0);
    this.#writes++;
  }

  /** Lets the disk have it as soon as nothing is written for a moment. */
  syncWhenIdle(): void {
    if (this.#timer !== undefined || this.#file === undefined) return;
    this.#seen = this.#writes;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#writes !== this.#seen) this.syncWhenIdle();
      else this.#syncing = this.#sync();
    }, IDLE_MS);
    this.#timer.unref();
  }

  /** @param isSynced - whether it is to be synced before */
  async close(isSynced: boolean): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#syncing;
    if (isSynced) await this.#sync();
    await this.#file?.close().catch(() => {});
    this.#file = undefined;
  }

  async #sync(): Promise<void> {
    // Nothing that was acknowledged depends on it; without it the newest frame is only less protected.
    await this.#file?.sync().catch(() => {});
  }
}
