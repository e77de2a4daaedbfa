/** What the catalog knows of a stream and of a checkpoint. */
import type { CheckpointInfo, StreamFacts, StreamInfo } from '../../ports/event-store.ts';
import { NO_PART } from './part-table.ts';
import type { Segment } from './segment.ts';

/** Where an entry stands. */
export interface Place {
  readonly segment: Segment;
  readonly offset: number;
  readonly length: number;
}

/** What is known of a stream. One with `lastSeq` 0 has checkpoints and no records, and is not listed. */
export interface StreamEntry {
  readonly name: string;
  /** Grows with each stream that begins. */
  order: number;
  lastSeq: number;
  lastType: string;
  lastAt: number;
  facts: StreamFacts | undefined;
  keys: readonly string[];
  /** Its newest row in the table of parts. */
  parts: number;
  checkpoints: Map<string, CheckpointEntry> | undefined;
  /** The last snapshot of the catalog that has it already, or that it came too late for. */
  snapshot: number;
}

/** A checkpoint, without its content. */
export interface CheckpointEntry extends Place {
  readonly info: CheckpointInfo;
  segment: Segment;
  offset: number;
}

/** A stream of which nothing is known yet. */
export function newEntry(name: string, snapshot: number): StreamEntry {
  return {
    name,
    order: 0,
    lastSeq: 0,
    lastType: '',
    lastAt: 0,
    facts: undefined,
    keys: [],
    parts: NO_PART,
    checkpoints: undefined,
    snapshot,
  };
}

/** What a listing says of a stream. */
export function infoOf({ name, lastSeq, lastType, lastAt, facts }: StreamEntry): StreamInfo {
  return { stream: name, lastSeq, lastType, lastAt, ...(facts === undefined ? undefined : { facts }) };
}
