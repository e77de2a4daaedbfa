/**
 * Segments: the files that the log consists of, in the order of their positions.
 *
 * A segment is written by one claim (epoch) only. One that is full, or that another epoch found, is sealed: the next
 * one says in its head where it ended. Compaction replaces segments that follow each other by one that stands at all
 * their positions; its name says which.
 */

import { crc32 } from 'node:zlib';
import type { Durability } from '../../ports/event-store.ts';
import { type Entry, encodeEntry, entriesOf, metaOf } from './entries.ts';
import type { Scan, SegmentEnd } from './frame.ts';

/** What the name of a segment says. */
export interface SegmentName {
  readonly file: string;
  /** The positions in the log that it stands at. */
  readonly first: number;
  readonly last: number;
  /** The epoch in which what stands at the last position was written. */
  readonly epoch: number;
  /** How often what is in it was copied by compaction. */
  readonly generation: number;
}

/** The first entry of each segment. */
export interface SegmentHead {
  readonly store: string;
  readonly durability: Durability;
  /** The mark of the start of the machine that it was written in. */
  readonly boot: string;
  /** Where the segment at the position before ended; nothing before the first one. */
  readonly before: SegmentEnd | null;
}

/** A segment that is part of the log. */
export interface Segment extends SegmentName {
  /** Where it ends. What may stand behind was never acknowledged. */
  end: SegmentEnd;
  /** Where the segment that was written at its last position ended: of a copy, that of the original. */
  sealedEnd: SegmentEnd;
  /** Bytes of its entries that nobody needs any more. */
  dead: number;
  /** Bytes of entries that only say that something before is gone. */
  stones: number;
  /** A number for the index, while the store is open. */
  id: number;
}

const PATTERN = /^(\d{10})-(\d{10})-(\d{10})-(\d{6})\.log$/;

/** The name of a segment. */
export function segmentName(first: number, last: number, epoch: number, generation: number): SegmentName {
  const digits = [first, last, epoch].map((number) => String(number).padStart(10, '0'));
  const file = `${digits.join('-')}-${String(generation).padStart(6, '0')}.log`;
  return { file, first, last, epoch, generation };
}

/** What a name says, if it is that of a segment. */
export function parseSegmentName(file: string): SegmentName | undefined {
  const match = PATTERN.exec(file);
  if (match === null) return undefined;
  const [first, last, epoch, generation] = match.slice(1).map(Number) as [number, number, number, number];
  return { file, first, last, epoch, generation };
}

/** A segment that begins. */
export function newSegment(name: SegmentName, end: SegmentEnd): Segment {
  return { ...name, end, sealedEnd: end, dead: 0, stones: 0, id: -1 };
}

/** What no start of a machine has as its mark. */
const NO_BOOT = '00000000';

/** A start of the machine as eight digits. */
export function bootMark(boot: string): string {
  return boot === '' ? NO_BOOT : crc32(boot).toString(16).padStart(8, '0');
}

/** Whether something was written since the machine was started; `false` also where nobody can tell. */
export function isSinceBoot(mark: string, boot: string): boolean {
  return mark !== NO_BOOT && mark === bootMark(boot);
}

/** The entry that a segment begins with. */
export function encodeHead(head: SegmentHead): Buffer {
  return encodeEntry('head', JSON.stringify(head));
}

/** The head of a scanned segment, if it has one. */
export function headOf(scan: Scan): SegmentHead | undefined {
  const first = scan.frames[0] === undefined ? undefined : entriesOf(scan.frames[0].payload)?.[0];
  return first?.kind === 'head' ? metaOf<SegmentHead>(first.body) : undefined;
}

/** What a copy says at its end: where the original of its last position ended. */
export function tailOf(scan: Scan): SegmentEnd | undefined {
  const frame = scan.frames[scan.frames.length - 1];
  const last: Entry | undefined = frame === undefined ? undefined : entriesOf(frame.payload)?.at(-1);
  return last?.kind === 'end' ? metaOf<SegmentEnd>(last.body) : undefined;
}

/** The segments that make up the log, and those that do not. */
export interface Chain {
  readonly segments: readonly SegmentName[];
  /** Replaced by a copy, or written by an owner that had lost the store: nothing in them was acknowledged. */
  readonly leftovers: readonly SegmentName[];
  /** The first position at which nothing stands although something stands behind it. */
  readonly gap?: number;
}

/**
 * Chooses the segments that make up the log. Along the positions epochs never go down, so what an owner wrote at a
 * place where a later one had gone on is left over; and what compaction has copied stands for the originals.
 *
 * @param known - segments that are known to be the beginning of the log
 */
export function chooseChain(found: readonly SegmentName[], known: readonly SegmentName[]): Chain {
  const segments = [...known];
  let position = (known.at(-1)?.last ?? 0) + 1;
  let epoch = known.at(-1)?.epoch ?? 0;
  for (;;) {
    const best = found
      .filter((name) => name.first === position && name.epoch >= epoch)
      .sort((a, b) => b.epoch - a.epoch || b.last - a.last || b.generation - a.generation)[0];
    if (best === undefined) break;
    segments.push(best);
    position = best.last + 1;
    epoch = best.epoch;
  }
  const chosen = new Set(segments.map(({ file }) => file));
  const leftovers = found.filter(({ file }) => !chosen.has(file));
  const hasGap = leftovers.some((name) => name.first > position && name.epoch >= epoch);
  return { segments, leftovers, ...(hasGap ? { gap: position } : undefined) };
}

/** Whether two places in a segment are the same one. */
export function sameEnd(a: SegmentEnd, b: SegmentEnd): boolean {
  return a.offset === b.offset && a.frame === b.frame && a.checksum === b.checksum;
}
