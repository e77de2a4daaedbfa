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
import { Catalog } from './catalog.ts';
import { EMPTY_END } from './frame.ts';
import { type Anchor, type AnchorPlace, anchorEpoch, readAnchor } from './head-anchor.ts';
import { indexFiles, type LoadedIndex, loadIndex } from './index-file.ts';
import { IndexTable } from './index-table.ts';
import { Replay } from './replay.ts';
import {
  checkLast,
  checkSealed,
  type KnownBeginning,
  type ScannedSegment,
  scanSegment,
  type TornEnd,
} from './scanned-segment.ts';
import { chooseChain, newSegment, parseSegmentName, type Segment, type SegmentName } from './segment.ts';
import { corrupt } from './store-errors.ts';

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
  /** The index that it began with. */
  readonly index: string | undefined;
  /** Those that are there and could not be used. */
  readonly ignored: readonly string[];
  /** How many bytes of the log no index covers. */
  readonly uncovered: number;
}

/**
 * Reads a log.
 * @throws OrchestratorError `STORE_CORRUPT`
 */
export async function readLog(place: LogPlace): Promise<ReadLog> {
  const { files, folder, storeId } = place;
  // First: the segments may grow while they are read, and have at least what it says then.
  const anchor = await readAnchor(place);
  const names = (await files.list(folder)).map(({ name }) => name);
  const found = names.map(parseSegmentName).filter((name) => name !== undefined);
  const chain = chooseChain(found, []);
  const last = chain.segments.at(-1)?.last ?? 0;
  const missing = chain.gap ?? (anchor !== undefined && anchor.position > last ? last + 1 : undefined);
  if (missing !== undefined)
    throw corrupt({ file: folder, offset: 0, seq: missing }, `the segment at position ${missing} is missing`);
  const indexes = indexFiles(names);
  const over = names.filter((name) => (anchorEpoch(name) ?? place.epoch) < place.epoch);
  const leftovers = [...chain.leftovers.map(({ file }) => file), ...over];
  const ignored: string[] = [];
  for (const file of indexes) {
    const index = await loadIndex(files, folder, file, storeId);
    const read = index === undefined ? undefined : await readFrom(place, chain.segments, anchor, index);
    if (read !== undefined)
      return {
        ...read,
        ...{ ignored, index: file },
        leftovers: [...leftovers, ...indexes.filter((name) => name !== file)],
      };
    ignored.push(file);
  }
  const read = (await readFrom(place, chain.segments, anchor, undefined)) as ReadFrom;
  return { ...read, ...{ ignored, index: undefined }, leftovers: [...leftovers, ...indexes] };
}

type ReadFrom = Pick<ReadLog, 'catalog' | 'torn' | 'uncovered'>;

/**
 * Reads the segments that an index does not cover, or all.
 * @returns nothing if the index is not one of this log
 */
async function readFrom(
  place: LogPlace,
  segments: readonly SegmentName[],
  anchor: Anchor | undefined,
  index: LoadedIndex | undefined,
): Promise<ReadFrom | undefined> {
  const catalog = new Catalog();
  const covered = await coveredBy(place, segments, index);
  if (covered === undefined) return undefined;
  for (const segment of covered) catalog.addSegment(segment);
  if (index !== undefined) catalog.begin(new IndexTable(index.bytes, index.meta, covered));
  const whole = covered.at(-1);
  const known: KnownBeginning | undefined =
    index === undefined || whole === undefined ? undefined : { ...whole, head: index.meta.head };
  const replay = new Replay(catalog);
  let torn: TornEnd | undefined;
  let uncovered = 0;
  const first = Math.max(0, covered.length - 1);
  let scanned = await scanAt(place, segments, first, anchor, known);
  for (let i = first; i < segments.length && scanned !== undefined; i++) {
    const current: ScannedSegment = scanned;
    scanned = await scanAt(place, segments, i + 1, anchor);
    // A last one without a head was begun and never finished: nothing in it counts, nor does it seal the one before.
    if (scanned !== undefined && scanned.head === undefined && i + 2 === segments.length) {
      checkLast(scanned, place);
      scanned = undefined;
    }
    if (isBehind(current, scanned)) return undefined;
    torn = scanned === undefined ? checkLast(current, place) : checkSealed(current, scanned.head);
    if (current.head === undefined) break;
    const segment = whole !== undefined && i === first ? whole : newSegment(current.name, current.scan.end);
    if (segment === whole) Object.assign(whole, { end: current.scan.end });
    else catalog.addSegment(segment);
    segment.sealedEnd = current.tail ?? current.scan.end;
    for (const frame of current.scan.frames) replay.frame(segment, frame);
    uncovered += current.scan.end.offset - current.scan.start.offset;
  }
  replay.end();
  return { catalog, torn, uncovered };
}

/** Whether an index covers more of a segment than a later owner found there: what it knows was never acknowledged. */
function isBehind({ scan, tail }: ScannedSegment, next: ScannedSegment | undefined): boolean {
  const before = next?.head?.before;
  if (before === undefined || before === null || tail !== undefined || scan.start === EMPTY_END) return false;
  return (
    before.offset < scan.start.offset ||
    (before.offset === scan.start.offset && before.checksum !== scan.start.checksum)
  );
}

async function scanAt(
  place: LogPlace,
  segments: readonly SegmentName[],
  at: number,
  anchor: Anchor | undefined,
  known?: KnownBeginning,
): Promise<ScannedSegment | undefined> {
  const name = segments[at];
  return name === undefined ? undefined : scanSegment(place, name, anchor, known);
}

/**
 * The segments that an index covers; none without an index.
 * @returns nothing if the log does not begin with them
 * @throws OrchestratorError `STORE_CORRUPT` when one is shorter than it was
 */
async function coveredBy(
  { files, folder }: LogPlace,
  segments: readonly SegmentName[],
  index: LoadedIndex | undefined,
): Promise<readonly Segment[] | undefined> {
  const covered: Segment[] = [];
  for (const [i, { file, end, sealedEnd, dead, stones }] of (index?.meta.segments ?? []).entries()) {
    const name = segments[i];
    if (name?.file !== file) return undefined;
    covered.push(Object.assign(newSegment(name, end), { sealedEnd, dead, stones }));
  }
  for (const { file, end } of covered) {
    const facts = await files.facts(join(folder, file));
    // A compaction has removed it just now.
    if (facts === undefined) return undefined;
    if (facts.size < end.offset)
      throw corrupt({ file, offset: facts.size, seq: end.frame }, 'what was acknowledged is cut off');
  }
  return covered;
}
