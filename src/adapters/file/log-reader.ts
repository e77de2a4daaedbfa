/**
 * Reads the log of a folder into a catalog.
 *
 * Owns: nothing. Who may call it: the store, when it is claimed, and for readers while nobody has claimed it.
 *
 * LR1  Everything that was acknowledged is in the catalog, or the folder is refused with the place of the damage.
 * LR2  It changes nothing on the disk. What stands behind the end of a segment was never acknowledged and stays where it
 *      is; the next segment says where that end is.
 */
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { OrchestratorError } from '../../model/errors.ts';
import { Catalog, type Place } from './catalog.ts';
import { type Entry, type EventsMeta, entriesOf, metaOf } from './entries.ts';
import type { FileSystem } from './file-system.ts';
import { EMPTY_END, type Frame, type Scan, saltOf, scanFrames } from './frame.ts';
import { type Anchor, type AnchorPlace, anchorEpoch, readAnchor } from './head-anchor.ts';
import {
  chooseChain,
  headOf,
  isSinceBoot,
  newSegment,
  parseSegmentName,
  type Segment,
  type SegmentHead,
  type SegmentName,
  sameEnd,
  tailOf,
} from './segment.ts';
import { badFormat, badVersion, corrupt } from './store-errors.ts';

/** The format of the folder; another one is refused. */
export const FORMAT_VERSION = 1;
/** What makes a folder a store, and tells one store from another. */
export const STORE_FILE = 'store.json';

/** The end of a segment that was never acknowledged: a write that a crash has torn, or that nobody waited for. */
export interface TornEnd {
  /** The name of the file, inside the folder. */
  readonly file: string;
  readonly offset: number;
  readonly bytes: number;
}

/** Where a log is read, and by whom. */
export interface LogPlace extends AnchorPlace {
  /** That of the reader's claim; 0 without one. */
  readonly epoch: number;
}

/** What was read. */
export interface ReadLog {
  readonly catalog: Catalog;
  readonly torn: TornEnd | undefined;
  /** Files that are no part of the log any more. */
  readonly leftovers: readonly string[];
}

/**
 * The id of the store of a folder; nothing if there is none.
 * @throws OrchestratorError `STORE_FORMAT`, `STORE_VERSION`, `STORE_CORRUPT` (segments, but no such file)
 */
export async function readStoreId(files: FileSystem, folder: string): Promise<string | undefined> {
  const facts = await files.facts(join(folder, STORE_FILE));
  if (facts === undefined) {
    const names = (await files.list(folder)).map(({ name }) => name).sort();
    const lost = names.find((name) => parseSegmentName(name) !== undefined);
    if (lost !== undefined)
      throw corrupt({ file: STORE_FILE, offset: 0, seq: 0 }, `it is missing, and ${lost} is there`);
    return undefined;
  }
  if (facts.kind !== 'file') throw badFormat(STORE_FILE, `a ${facts.kind}`);
  const text = (await readFile(files, join(folder, STORE_FILE))).toString('utf8');
  let found: { readonly version?: unknown; readonly id?: unknown; readonly checksum?: unknown };
  try {
    found = (JSON.parse(text) ?? {}) as typeof found;
  } catch {
    throw badFormat(STORE_FILE, text === '' ? 'nothing' : 'something else than JSON');
  }
  if (found.version !== FORMAT_VERSION) throw badVersion(STORE_FILE, found.version, FORMAT_VERSION);
  if (typeof found.id !== 'string') throw badFormat(STORE_FILE, 'no id');
  // With another id no frame would be valid, and everything would look like what a crash has torn.
  if (found.checksum !== crc32(found.id))
    throw corrupt(
      { file: STORE_FILE, offset: 0, seq: 0 },
      'the id does not have the checksum it was written with',
    );
  return found.id;
}

/** What the file says that makes a folder a store. */
export function storeFileText(id: string): string {
  return JSON.stringify({ version: FORMAT_VERSION, id, checksum: crc32(id) });
}

/** The bytes of a file. */
export async function readFile(files: FileSystem, path: string): Promise<Buffer> {
  const file = await files.open(path, 'read');
  try {
    const bytes = Buffer.allocUnsafe(await file.size());
    const count = await file.read(bytes, 0);
    return bytes.subarray(0, count);
  } finally {
    await file.close();
  }
}

/**
 * Reads a log.
 * @throws OrchestratorError `STORE_CORRUPT`
 */
export async function readLog(place: LogPlace): Promise<ReadLog> {
  const { files, folder } = place;
  // First: the segments may grow while they are read, and have at least what it says then.
  const anchor = await readAnchor(place);
  const names = (await files.list(folder)).map(({ name }) => name);
  const found = names.map(parseSegmentName).filter((name) => name !== undefined);
  const { segments, leftovers, gap } = chooseChain(found, []);
  const last = segments.at(-1)?.last ?? 0;
  const missing = gap ?? (anchor !== undefined && anchor.position > last ? last + 1 : undefined);
  if (missing !== undefined)
    throw corrupt({ file: folder, offset: 0, seq: missing }, `the segment at position ${missing} is missing`);
  const catalog = new Catalog();
  let torn: TornEnd | undefined;
  let scanned = await scanNext(place, segments[0], anchor);
  for (let i = 0; i < segments.length && scanned !== undefined; i++) {
    const current: ScannedSegment = scanned;
    scanned = await scanNext(place, segments[i + 1], anchor);
    // A last one without a head was begun and never finished: nothing in it counts, nor does it seal the one before.
    if (scanned !== undefined && scanned.head === undefined && i + 2 === segments.length) {
      checkLast(scanned, place);
      scanned = undefined;
    }
    torn = scanned === undefined ? checkLast(current, place) : checkSealed(current, scanned.head);
    if (current.head === undefined) break;
    const segment = newSegment(current.name, current.scan.end);
    segment.sealedEnd = tailOf(current.scan) ?? current.scan.end;
    catalog.addSegment(segment);
    for (const frame of current.scan.frames) replayFrame(catalog, segment, frame);
  }
  const over = names.filter((name) => (anchorEpoch(name) ?? place.epoch) < place.epoch);
  return { catalog, torn, leftovers: [...leftovers.map(({ file }) => file), ...over] };
}

/** A segment with what stands in it. */
interface ScannedSegment {
  readonly name: SegmentName;
  readonly scan: Scan;
  readonly head: SegmentHead | undefined;
  readonly size: number;
  /** How far the anchor says that it reaches. */
  readonly anchored: number;
}

async function scanNext(
  { files, folder, storeId }: LogPlace,
  name: SegmentName | undefined,
  anchor: Anchor | undefined,
): Promise<ScannedSegment | undefined> {
  if (name === undefined) return undefined;
  const bytes = await readFile(files, join(folder, name.file));
  const scan = scanFrames(bytes, saltOf(storeId, name.file));
  const isAnchored = anchor?.position === name.last && anchor.epoch === name.epoch && name.generation === 0;
  return { name, scan, head: headOf(scan), size: bytes.length, anchored: isAnchored ? anchor.end.offset : 0 };
}

/** The last segment: what follows its valid frames was torn, unless a frame or the anchor says that it was committed. */
function checkLast(
  { name, scan, head, size, anchored }: ScannedSegment,
  { boot }: LogPlace,
): TornEnd | undefined {
  const { offset, frame } = scan.end;
  // Of frames that nobody synced a loss of power may have taken any, also one in the middle.
  const mayLackFrames = head?.durability === 'os' && !isSinceBoot(head.boot, boot);
  if (anchored > offset || (scan.anchor > offset && !mayLackFrames))
    throw corrupt({ file: name.file, offset, seq: frame + 1 }, 'what was acknowledged is damaged');
  return size > offset ? { file: name.file, offset, bytes: size - offset } : undefined;
}

/** An earlier segment: the next one says where it ended. */
function checkSealed({ name, scan }: ScannedSegment, next: SegmentHead | undefined): undefined {
  const { file } = name;
  const { offset, frame } = scan.end;
  const before = tailOf(scan) ?? cutAt(scan, next);
  if (next?.before === undefined || next.before === null || !sameEnd(before, next.before))
    throw corrupt(
      { file, offset: Math.min(offset, before.offset), seq: frame + 1 },
      'what was acknowledged is damaged',
    );
}

/** Where the frames end that the next segment knows; those behind were written by an owner that had lost the store. */
function cutAt(scan: Scan, next: SegmentHead | undefined): Scan['end'] {
  const before = next?.before;
  if (before === null || before === undefined) return scan.end;
  const frames = scan.frames as Frame[];
  const kept = before.offset === 0 ? -1 : frames.findIndex(({ end }) => end.offset === before.offset);
  if (kept < 0 && before.offset !== 0) return scan.end;
  frames.length = kept + 1;
  const end = frames[kept]?.end ?? EMPTY_END;
  Object.assign(scan, { end });
  return end;
}

function replayFrame(catalog: Catalog, segment: Segment, { offset, payload, end }: Frame): void {
  const entries = entriesOf(payload);
  if (entries === undefined)
    throw corrupt({ file: segment.file, offset, seq: end.frame }, 'its frame holds no whole entries');
  const start = end.offset - payload.length;
  for (const entry of entries) {
    const place = { segment, offset: start + entry.offset, length: entry.length };
    try {
      replayEntry(catalog, entry, place);
    } catch (error) {
      if (OrchestratorError.is(error)) throw error;
      const at = { file: segment.file, offset: place.offset, seq: end.frame };
      throw corrupt(at, `what it says of its ${entry.kind} entry cannot be read`, error);
    }
  }
}

function replayEntry(catalog: Catalog, entry: Entry, place: Place): void {
  const { segment } = place;
  switch (entry.kind) {
    case 'events':
      addEvents(catalog, metaOf<EventsMeta>(entry.body), place);
      break;
    case 'remove':
      catalog.removeStreams(metaOf<readonly string[]>(entry.body));
      segment.stones += entry.length;
      break;
    case 'checkpoint':
      catalog.addCheckpoint(metaOf(entry.body), place);
      break;
    case 'dropCheckpoint':
      catalog.removeCheckpoint(metaOf<string>(entry.body));
      segment.stones += entry.length;
      break;
    default:
  }
}

function addEvents(catalog: Catalog, meta: EventsMeta, place: Parameters<Catalog['addEvents']>[1]): void {
  if (typeof meta.s !== 'string' || !Number.isSafeInteger(meta.n) || meta.n < 0)
    throw new Error('no stream, or no number of events');
  const expected = catalog.lastSeq(meta.s) + 1;
  if (meta.q !== expected) {
    const at = { file: place.segment.file, offset: place.offset, seq: meta.q, stream: meta.s };
    throw corrupt(at, `record ${expected} should stand here`);
  }
  catalog.addEvents(meta, place);
}
