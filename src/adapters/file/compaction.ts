/**
 * Gives the room back that removed streams and replaced checkpoints take: copies what is alive into one new segment,
 * which then stands for all segments that are sealed.
 *
 * Owns: nothing. Who may call it: the store, one at a time; appends go on meanwhile.
 *
 * CO1  Nothing is changed in place. Until the copy has its name the originals are the log; from then on the copy is.
 *      A crash at any point leaves one of the two.
 * CO2  It copies entries as they are, with their checksums, and only those that somebody still needs.
 * CO3  What is removed while it copies is dead in the copy, and its removal stands in a later segment.
 * CO4  What makes an entry dead is on the disk before the entry is gone; else a loss of power could take the one and leave
 *      the other, and the log would have a hole.
 * CO5  The originals are removed only by whoever was still the owner after the copy had its name. A later owner lists the
 *      folder after that and finds the copy; one that became it before still reads the originals.
 */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { refuse } from '../../model/errors.ts';
import { nextTurn } from '../next-turn.ts';
import type { Catalog } from './catalog.ts';
import { encodeEntry, entryAt } from './entries.ts';
import type { FileSystem, OpenFile } from './file-system.ts';
import { EMPTY_END, FRAME_HEADER_BYTES, type SegmentEnd, saltOf, sealFrame } from './frame.ts';
import { bootMark, encodeHead, newSegment, type Segment, segmentName } from './segment.ts';
import { corrupt } from './store-errors.ts';
import type { CheckpointEntry } from './stream-entry.ts';

/** About so many bytes are gathered for one frame of the copy. */
const FRAME_BYTES = 1_048_576;
/** About a millisecond each. */
const STREAMS_A_TURN = 256;
const MOVES_A_TURN = 4_096;
/**
 * What is alive must fit into one file, whose places are numbers of 32 bits; what its frames add to it is far less than
 * what is left here.
 */
const COPY_BYTES_MAX = 4_026_531_840;

/** What a compaction works on. */
export interface CompactionParts {
  readonly files: FileSystem;
  readonly folder: string;
  readonly storeId: string;
  readonly durability: 'os' | 'power';
  readonly catalog: Catalog;
  /** How many bytes may be alive. Default: nearly 4 GiB. */
  readonly copyBytesMax?: number;
  /** @throws OrchestratorError `STORE_FENCED` */
  checkStillOwner(): Promise<void>;
  /** Returns when the disk has the segment that grows. */
  syncLog(): Promise<void>;
  /** Lets others have their turn. */
  pause(): Promise<void>;
  /** Called when the copy is there: from here on nobody else may change the catalog. */
  exclusive<Value>(work: () => Promise<Value>): Promise<Value>;
}

/** What a compaction has done. */
export interface Compaction {
  readonly before: number;
  readonly after: number;
}

/** An entry that is alive, and who refers to it. */
interface Alive {
  readonly offset: number;
  readonly length: number;
  /** A row of the table of parts, or a checkpoint. */
  readonly owner: number | CheckpointEntry;
}

interface Moved extends Alive {
  readonly from: Segment;
  readonly to: number;
}

/** How many bytes of sealed segments nobody needs, and how many they have. */
export function garbageOf({ segments }: Catalog): {
  readonly dead: number;
  readonly total: number;
} {
  let dead = 0;
  let total = 0;
  for (const segment of segments.slice(0, -1)) {
    dead += segment.dead + segment.stones;
    total += segment.end.offset;
  }
  return { dead, total };
}

/**
 * Compacts all sealed segments; nothing when there is none.
 * @throws OrchestratorError `LIMIT_EXCEEDED`, `STORE_CORRUPT`, `STORE_FENCED`
 */
export async function compact(parts: CompactionParts): Promise<Compaction | undefined> {
  const { catalog, files, folder, storeId } = parts;
  const old = catalog.segments.slice(0, -1);
  const [first] = old;
  const last = old.at(-1);
  if (first === undefined || last === undefined) return undefined;
  const generation = Math.max(...old.map((segment) => segment.generation)) + 1;
  const copy = newSegment(segmentName(first.first, last.last, last.epoch, generation), EMPTY_END);
  const draft = join(folder, `compaction-${randomUUID()}.tmp`);
  const output = new CopyFile(await files.open(draft, 'create'), saltOf(storeId, copy.file));
  const moved: Moved[] = [];
  try {
    await output.add(
      encodeHead({ store: storeId, durability: parts.durability, boot: bootMark(''), before: null }),
    );
    const alive = await gatherAlive(catalog, old, parts.pause);
    checkFits(alive, parts.copyBytesMax);
    for (const segment of old)
      for (const one of await copyAlive(parts, segment, alive.get(segment) ?? [], output)) moved.push(one);
    await output.add(encodeEntry('end', JSON.stringify(last.sealedEnd)));
    copy.end = await output.finish();
    copy.sealedEnd = last.sealedEnd;
    await parts.exclusive(async () => {
      await parts.checkStillOwner();
      await parts.syncLog();
      await files.rename(draft, join(folder, copy.file)).catch(async (error: unknown) => {
        // A later owner may have swept the draft away.
        await parts.checkStillOwner();
        throw error;
      });
      await files.syncFolder(folder);
      await parts.checkStillOwner();
      await adopt(catalog, old, copy, moved);
    });
  } catch (error) {
    await output.discard();
    await files.remove(draft).catch(() => {});
    throw error;
  }
  for (const segment of old) await files.remove(join(folder, segment.file));
  await files.syncFolder(folder);
  const before = old.reduce((sum, segment) => sum + segment.end.offset, 0);
  return { before, after: copy.end.offset };
}

/** What somebody needs of some segments, of each in its order. Streams come and go while it is gathered. */
async function gatherAlive(
  catalog: Catalog,
  segments: readonly Segment[],
  pause: () => Promise<void>,
): Promise<ReadonlyMap<Segment, readonly Alive[]>> {
  const alive = new Map<Segment, Alive[]>(segments.map((segment) => [segment, []]));
  const add = (segment: Segment, one: Alive): void => void alive.get(segment)?.push(one);
  let looked = 0;
  for (const stream of catalog.streams.values()) {
    for (const { part, segment, offset, length } of catalog.parts.from(stream.parts, 0))
      add(catalog.segmentOf(segment), { offset, length, owner: part });
    for (const checkpoint of stream.checkpoints?.values() ?? [])
      add(checkpoint.segment, { offset: checkpoint.offset, length: checkpoint.length, owner: checkpoint });
    if (++looked % STREAMS_A_TURN === 0) await pause();
  }
  for (const found of alive.values()) {
    found.sort((a, b) => a.offset - b.offset);
    await pause();
  }
  return alive;
}

/** @throws OrchestratorError `LIMIT_EXCEEDED` */
function checkFits(
  alive: ReadonlyMap<Segment, readonly Alive[]>,
  copyBytesMax: number = COPY_BYTES_MAX,
): void {
  let bytes = 0;
  for (const all of alive.values()) for (const { length } of all) bytes += length;
  if (bytes <= copyBytesMax) return;
  throw refuse('LIMIT_EXCEEDED', {
    at: 'compaction',
    found: `${bytes} bytes that are still needed`,
    allowed: `at most ${copyBytesMax}`,
    hint: 'Have ended runs removed, or use another store.',
  });
}

async function copyAlive(
  { files, folder }: CompactionParts,
  from: Segment,
  alive: readonly Alive[],
  output: CopyFile,
): Promise<Moved[]> {
  if (alive.length === 0) return [];
  const moved: Moved[] = [];
  const file = await files.open(join(folder, from.file), 'read');
  try {
    for (let at = 0; at < alive.length; ) {
      const end = readableFrom(alive, at);
      const { offset } = alive[at] as Alive;
      const { offset: lastOffset, length } = alive[end - 1] as Alive;
      const bytes = Buffer.allocUnsafe(lastOffset + length - offset);
      const read = await file.read(bytes, offset);
      for (; at < end; at++) {
        const one = alive[at] as Alive;
        const start = one.offset - offset;
        const entry = entryAt(bytes.subarray(0, read), start);
        if (entry?.length !== one.length)
          throw corrupt(
            { file: from.file, offset: one.offset, seq: 0 },
            'an entry that is needed is damaged',
          );
        const to = await output.add(bytes.subarray(start, start + one.length));
        moved.push({ ...one, from, to });
      }
    }
  } finally {
    await file.close().catch(() => {});
  }
  return moved;
}

/** Behind which entry one reading ends that begins with this one. */
function readableFrom(alive: readonly Alive[], first: number): number {
  const { offset } = alive[first] as Alive;
  let end = first + 1;
  for (; end < alive.length; end++) {
    const next = alive[end] as Alive;
    if (next.offset + next.length - offset > FRAME_BYTES) break;
  }
  return end;
}

/**
 * Points everything that is still alive at its copy. Whoever reads meanwhile finds each entry where it was or where it is
 * now: both files are there.
 */
async function adopt(
  catalog: Catalog,
  old: readonly Segment[],
  copy: Segment,
  moved: readonly Moved[],
): Promise<void> {
  catalog.replaceSegments(old, copy);
  for (const [i, one] of moved.entries()) {
    const { owner, to, length } = one;
    if (!isStillAlive(catalog, one)) copy.dead += length;
    else if (typeof owner === 'number') catalog.parts.move(owner, copy.id, to);
    else Object.assign(owner, { segment: copy, offset: to });
    if (i % MOVES_A_TURN === MOVES_A_TURN - 1) await nextTurn();
  }
}

/** Whether the one who referred to an entry still does. A row that was given away again speaks of the growing segment. */
function isStillAlive(catalog: Catalog, { owner, from, offset }: Moved): boolean {
  if (typeof owner !== 'number') return catalog.checkpoint(owner.info.id) === owner;
  const part = catalog.parts.get(owner);
  return part.segment === from.id && part.offset === offset;
}

/** The file of a copy while it grows. */
class CopyFile {
  readonly #file: OpenFile;
  readonly #salt: number;
  #end: SegmentEnd = EMPTY_END;
  #entries: Buffer[] = [];
  #bytes = 0;
  #isOpen = true;

  constructor(file: OpenFile, salt: number) {
    this.#file = file;
    this.#salt = salt;
  }

  /** @returns where the entry will stand */
  async add(entry: Buffer): Promise<number> {
    // The head is a frame of its own, as in every segment.
    if (this.#bytes > FRAME_BYTES || (this.#end.frame === 0 && this.#entries.length > 0)) await this.#flush();
    const offset = this.#end.offset + FRAME_HEADER_BYTES + this.#bytes;
    this.#entries.push(Buffer.from(entry));
    this.#bytes += entry.length;
    return offset;
  }

  /** Ends the file; it is on the disk then. */
  async finish(): Promise<SegmentEnd> {
    await this.#flush();
    await this.#file.sync();
    await this.discard();
    return this.#end;
  }

  async discard(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    await this.#file.close();
  }

  async #flush(): Promise<void> {
    if (this.#entries.length === 0) return;
    const frame = Buffer.concat([Buffer.alloc(FRAME_HEADER_BYTES), ...this.#entries]);
    const end = sealFrame(frame, this.#end, this.#end.offset, this.#salt);
    await this.#file.write(frame, this.#end.offset);
    this.#end = end;
    this.#entries = [];
    this.#bytes = 0;
  }
}
