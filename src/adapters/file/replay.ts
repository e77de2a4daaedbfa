/**
 * Folds the entries of a log into a catalog.
 *
 * Owns: which streams lack records. Who may call it: whoever reads the log, in its order.
 *
 * RP1  A stream that lacks records in its middle is refused, unless it is removed further on: compaction takes what was
 *      removed out of older segments, and what stands between them and the removal is left over.
 */
import { OrchestratorError } from '../../model/errors.ts';
import type { Catalog } from './catalog.ts';
import { type Entry, type EventsMeta, entriesOf, metaOf } from './entries.ts';
import type { Frame } from './frame.ts';
import type { Segment } from './segment.ts';
import { corrupt } from './store-errors.ts';
import type { Place } from './stream-entry.ts';

export class Replay {
  readonly #catalog: Catalog;
  /** Streams that lack records, with what is said of that if they are still there in the end. */
  readonly #lacking = new Map<string, OrchestratorError>();

  constructor(catalog: Catalog) {
    this.#catalog = catalog;
  }

  /** @throws OrchestratorError `STORE_CORRUPT` */
  frame(segment: Segment, { offset, payload, end }: Frame): void {
    const entries = entriesOf(payload);
    if (entries === undefined)
      throw corrupt({ file: segment.file, offset, seq: end.frame }, 'its frame holds no whole entries');
    const start = end.offset - payload.length;
    for (const entry of entries) {
      const place = { segment, offset: start + entry.offset, length: entry.length };
      try {
        this.#entry(entry, place);
      } catch (error) {
        if (OrchestratorError.is(error)) throw error;
        const at = { file: segment.file, offset: place.offset, seq: end.frame };
        throw corrupt(at, `what it says of its ${entry.kind} entry cannot be read`, error);
      }
    }
  }

  /** There is nothing more. @throws OrchestratorError `STORE_CORRUPT` */
  end(): void {
    for (const error of this.#lacking.values()) throw error;
  }

  #entry(entry: Entry, place: Place): void {
    const { segment } = place;
    switch (entry.kind) {
      case 'events':
        this.#events(metaOf<EventsMeta>(entry.body), place);
        break;
      case 'remove': {
        const streams = metaOf<readonly string[]>(entry.body);
        this.#catalog.removeStreams(streams);
        for (const stream of streams) this.#lacking.delete(stream);
        segment.stones += entry.length;
        break;
      }
      case 'checkpoint':
        this.#catalog.addCheckpoint(metaOf(entry.body), place);
        break;
      case 'dropCheckpoint':
        this.#catalog.removeCheckpoint(metaOf<string>(entry.body));
        segment.stones += entry.length;
        break;
      default:
    }
  }

  #events(meta: EventsMeta, place: Place): void {
    const { s: stream, q: seq, n: count } = meta;
    if (typeof stream !== 'string' || !Number.isSafeInteger(count) || count < 0)
      throw new Error('no stream, or no number of events');
    const expected = this.#catalog.lastSeq(stream) + 1;
    if (seq === expected && !this.#lacking.has(stream)) {
      this.#catalog.addEvents(meta, place);
      return;
    }
    // Nobody needs it: either its stream is removed further on, or the log is refused.
    place.segment.dead += place.length;
    if (this.#lacking.has(stream)) return;
    const at = { file: place.segment.file, offset: place.offset, seq, stream };
    this.#lacking.set(stream, corrupt(at, `record ${expected} should stand here`));
  }
}
