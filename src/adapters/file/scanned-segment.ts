/**
 * A segment that was read, and whether all of it is there that was acknowledged.
 *
 * Owns: nothing. Who may call it: whoever reads the log.
 */
import { join } from 'node:path';
import { readFile } from './file-system.ts';
import { type Frame, type Scan, type SegmentEnd, saltOf, scanFrames } from './frame.ts';
import type { Anchor, AnchorPlace } from './head-anchor.ts';
import type { IndexMeta } from './index-table.ts';
import { headOf, isSinceBoot, type SegmentHead, type SegmentName, sameEnd, tailOf } from './segment.ts';
import { corrupt } from './store-errors.ts';

/** The end of a segment that was never acknowledged: a write that a crash has torn, or that nobody waited for. */
export interface TornEnd {
  /** The name of the file, inside the folder. */
  readonly file: string;
  readonly offset: number;
  readonly bytes: number;
}

/** A segment with what stands in it. */
export interface ScannedSegment {
  readonly name: SegmentName;
  readonly scan: Scan;
  readonly head: Pick<SegmentHead, 'durability' | 'boot' | 'before'> | undefined;
  /** Of a copy, where the original of its last position ended. */
  readonly tail: SegmentEnd | undefined;
  readonly size: number;
  /** How far the anchor says that it reaches. */
  readonly anchored: number;
}

/** What an index knows of the last segment that it covers, so that only what follows has to be read. */
export interface KnownBeginning {
  readonly end: SegmentEnd;
  readonly sealedEnd: SegmentEnd;
  readonly head: IndexMeta['head'];
}

/** Reads a segment, from what is known of it on. */
export async function scanSegment(
  { files, folder, storeId }: AnchorPlace,
  name: SegmentName,
  anchor: Anchor | undefined,
  known?: KnownBeginning,
): Promise<ScannedSegment> {
  const start = known?.end;
  const bytes = await readFile(files, join(folder, name.file), start?.offset);
  const scan = scanFrames(bytes, saltOf(storeId, name.file), start);
  const isAnchored = anchor?.position === name.last && anchor.epoch === name.epoch && name.generation === 0;
  const isCopy = known !== undefined && !sameEnd(known.end, known.sealedEnd);
  return {
    ...{ name, scan },
    head: known === undefined ? headOf(scan) : { ...known.head, before: null },
    tail: isCopy ? known.sealedEnd : tailOf(scan),
    size: (start?.offset ?? 0) + bytes.length,
    anchored: isAnchored ? anchor.end.offset : 0,
  };
}

/** The last segment: what follows its valid frames was torn, unless a frame or the anchor says that it was committed. */
export function checkLast(
  { name, scan, head, size, anchored }: ScannedSegment,
  { boot }: AnchorPlace,
): TornEnd | undefined {
  const { offset, frame } = scan.end;
  // Of frames that nobody synced a loss of power may have taken any, also one in the middle.
  const mayLackFrames = head?.durability === 'os' && !isSinceBoot(head.boot, boot);
  if (anchored > offset || (scan.anchor > offset && !mayLackFrames))
    throw corrupt({ file: name.file, offset, seq: frame + 1 }, 'what was acknowledged is damaged');
  return size > offset ? { file: name.file, offset, bytes: size - offset } : undefined;
}

/** An earlier segment: the next one says where it ended. */
export function checkSealed({ name, scan, tail }: ScannedSegment, next: ScannedSegment['head']): undefined {
  const { file } = name;
  const { offset, frame } = scan.end;
  const before = tail ?? cutAt(scan, next);
  if (next?.before === undefined || next.before === null || !sameEnd(before, next.before))
    throw corrupt(
      { file, offset: Math.min(offset, before.offset), seq: frame + 1 },
      'what was acknowledged is damaged',
    );
}

/** Where the frames end that the next segment knows; those behind were written by an owner that had lost the store. */
function cutAt(scan: Scan, next: ScannedSegment['head']): SegmentEnd {
  const before = next?.before;
  if (before === null || before === undefined) return scan.end;
  const frames = scan.frames as Frame[];
  const isNone = before.offset === scan.start.offset;
  const kept = isNone ? -1 : frames.findIndex(({ end }) => end.offset === before.offset);
  if (kept < 0 && !isNone) return scan.end;
  frames.length = kept + 1;
  const end = frames[kept]?.end ?? scan.start;
  Object.assign(scan, { end });
  return end;
}
