/**
 * Frames: the units in which a segment grows. One append is one frame, so it is in the log as a whole or not at all.
 *
 * F1  A frame's checksum covers its header, its payload, and, as a salt, which store and which segment it belongs to:
 *     a frame that was changed, moved or copied from somewhere else is not valid.
 * F2  Frames of a segment are numbered without a gap, and each names the checksum of the one before: one that was
 *     taken out, doubled or swapped is noticed.
 * F3  A frame says how long the segment was that had been committed (synced, and acknowledged) when it was written. So
 *     a valid frame proves everything below its anchor; damage there is a loss, and not the torn end of a write.
 */
import { crc32 } from 'node:zlib';

/** magic (4), length of the payload (4), number (6), unused (2), anchor (4), checksum before (4), checksum (4). */
export const FRAME_HEADER_BYTES = 28;
/** The longest payload of one frame. */
export const FRAME_PAYLOAD_MAX = 268_435_456;
/** It holds bytes that no UTF-8 text has, so no text in a payload looks like a frame. */
const MAGIC = Buffer.from([0xff, 0x54, 0x4d, 0xfe]);

/** Where a segment ends, and with what. */
export interface SegmentEnd {
  readonly offset: number;
  /** The number of its last frame. */
  readonly frame: number;
  readonly checksum: number;
}

/** Where a segment with nothing in it ends. */
export const EMPTY_END: SegmentEnd = { offset: 0, frame: 0, checksum: 0 };

/** A frame that was found to be valid. */
export interface Frame {
  readonly offset: number;
  readonly payload: Buffer;
  readonly anchor: number;
  /** Where the segment ends with it. */
  readonly end: SegmentEnd;
}

/** The salt of the checksums of a segment. */
export function saltOf(storeId: string, segment: string): number {
  return crc32(`${storeId}/${segment}`);
}

/**
 * Writes a frame into `into`, whose payload stands there already, behind the place of the header.
 * @returns where the segment ends with it
 */
export function sealFrame(into: Buffer, before: SegmentEnd, anchor: number, salt: number): SegmentEnd {
  MAGIC.copy(into, 0);
  into.writeUInt32LE(into.length - FRAME_HEADER_BYTES, 4);
  into.writeUIntLE(before.frame + 1, 8, 6);
  into.writeUInt16LE(0, 14);
  into.writeUInt32LE(anchor, 16);
  into.writeUInt32LE(before.checksum, 20);
  const checksum = checksumOf(into, salt);
  into.writeUInt32LE(checksum, 24);
  return { offset: before.offset + into.length, frame: before.frame + 1, checksum };
}

function checksumOf(frame: Buffer, salt: number): number {
  return crc32(frame.subarray(FRAME_HEADER_BYTES), crc32(frame.subarray(0, 24), salt));
}

/** What stands in a segment, as far as it is valid from where it was begun to be read. */
export interface Scan {
  readonly frames: readonly Frame[];
  /** Where the first of them begins. */
  readonly start: SegmentEnd;
  readonly end: SegmentEnd;
  /** The highest anchor of all valid frames, also of those behind a damage. */
  readonly anchor: number;
}

/**
 * Reads the frames of a segment from its bytes.
 * @param start - where the bytes begin: where a frame ended that is known
 */
export function scanFrames(bytes: Buffer, salt: number, start: SegmentEnd = EMPTY_END): Scan {
  const frames: Frame[] = [];
  let end = start;
  let anchor = 0;
  for (;;) {
    const at = end.offset - start.offset;
    const frame = frameAt(bytes, at, salt, start.offset);
    const follows = frame?.end.frame === end.frame + 1 && previousOf(bytes, at) === end.checksum;
    if (frame === undefined || !follows || frame.anchor > end.offset) break;
    anchor = Math.max(anchor, frame.anchor);
    frames.push(frame);
    end = frame.end;
  }
  const behind = anchorBehind(bytes, end.offset - start.offset, salt);
  return { frames, start, end, anchor: Math.max(anchor, behind) };
}

/** The highest anchor of the valid frames that stand somewhere behind a place. */
function anchorBehind(bytes: Buffer, from: number, salt: number): number {
  let anchor = 0;
  for (let at = bytes.indexOf(MAGIC, from); at >= 0; at = bytes.indexOf(MAGIC, at + 1)) {
    const frame = frameAt(bytes, at, salt, 0);
    // Wherever it stands now: when it was written, everything below its anchor was there.
    if (frame !== undefined) anchor = Math.max(anchor, frame.anchor);
  }
  return anchor;
}

function previousOf(bytes: Buffer, offset: number): number {
  return bytes.readUInt32LE(offset + 20);
}

/** @param base - where the bytes begin in the segment */
function frameAt(bytes: Buffer, offset: number, salt: number, base: number): Frame | undefined {
  if (offset + FRAME_HEADER_BYTES > bytes.length) return undefined;
  if (bytes.compare(MAGIC, 0, 4, offset, offset + 4) !== 0) return undefined;
  const length = bytes.readUInt32LE(offset + 4);
  const endOffset = offset + FRAME_HEADER_BYTES + length;
  if (endOffset > bytes.length) return undefined;
  const checksum = bytes.readUInt32LE(offset + 24);
  if (checksumOf(bytes.subarray(offset, endOffset), salt) !== checksum) return undefined;
  return {
    offset: base + offset,
    payload: bytes.subarray(offset + FRAME_HEADER_BYTES, endOffset),
    anchor: bytes.readUInt32LE(offset + 16),
    end: { offset: base + endOffset, frame: bytes.readUIntLE(offset + 8, 6), checksum },
  };
}
