/**
 * Keeps a claimed store small and quick to open: compacts its log, and writes its index anew when the log has grown.
 *
 * Owns: what of both is under way, and how much of the log no index covers. Who may call it: the store, which tells it of
 * every write.
 *
 * UK1  One thing at a time: a compaction moves what an index refers to.
 * UK2  Appends go on meanwhile; only its beginning and its end take a turn of their own.
 * UK3  Nothing depends on a compaction: one that fails is told by a notice, and tried again when there is more garbage.
 * UK4  Nothing depends on an index: one that cannot be written is told by a notice, and written later. One that would
 *      become too long is told once (`LIMIT_EXCEEDED`).
 * UK5  The log grows by the length of the index before that is written anew: altogether no more is written to indexes than
 *      to the log.
 */
import { join } from 'node:path';
import { OrchestratorError } from '../../model/errors.ts';
import { nextTurn } from '../next-turn.ts';
import type { Catalog } from './catalog.ts';
import type { CatalogSnapshot } from './catalog-snapshot.ts';
import { type Compaction, compact, garbageOf } from './compaction.ts';
import type { FileSystem } from './file-system.ts';
import { IndexBuilder } from './index-builder.ts';
import { indexFile, writeIndexDraft } from './index-file.ts';
import { type IndexMeta, IndexTable } from './index-table.ts';
import type { LogWriter } from './log-writer.ts';
import type { Ownership } from './ownership.ts';
import { bootMark } from './segment.ts';
import { conflict, inputOutputFailed } from './store-errors.ts';

/** A log that is shorter is read as quickly as an index of it. */
const RELEASE_BYTES = 1_048_576;
/** At a release an index is left as it is that lacks less than this part of its own length. */
const RELEASE_PART = 8;

/** What a store is kept up by. */
export interface UpkeepParts {
  readonly files: FileSystem;
  readonly folder: string;
  readonly storeId: string;
  readonly durability: 'os' | 'power';
  readonly boot: string;
  /** Compaction begins when so many bytes are garbage, and half of all are. */
  readonly garbageBytes: number;
  /** An index is written when the log has grown by so many bytes, and by as many as the index has. */
  readonly indexBytes: number;
  /** How long an index may become. */
  readonly indexBytesMax?: number;
  /** How much a compaction may copy. */
  readonly copyBytesMax?: number;
  readonly catalog: Catalog;
  readonly writer: LogWriter;
  readonly ownership: Ownership;
  /** Does something when it is its turn among the writes. */
  inTurn<Value>(work: () => Promise<Value>): Promise<Value>;
  readonly onNotice: (
    notice:
      | ({ readonly type: 'Compacted' } & Compaction)
      | { readonly type: 'CompactionFailed' | 'IndexFailed'; readonly error: unknown },
  ) => void;
}

export class Upkeep {
  readonly #parts: UpkeepParts;
  /** The index that is valid now, and how long it is. */
  #index: { readonly file: string; readonly bytes: number } | undefined;
  #uncovered: number;
  /** How many there were when an index was begun the last time. */
  #tried = 0;
  #number = 0;
  /** How much garbage there was when a compaction failed; the next one is begun when there is so much more. */
  #failedWith = 0;
  /** No index is begun any more, until a compaction has made room. */
  #isTooLong = false;
  #work: Promise<void> | undefined;
  #isOver = false;

  /** @param uncovered - how many bytes of the log no index covers */
  constructor(
    parts: UpkeepParts,
    index: { readonly file: string; readonly bytes: number } | undefined,
    uncovered: number,
  ) {
    this.#parts = parts;
    this.#index = index;
    this.#uncovered = uncovered;
  }

  /** Settles when nothing is under way. */
  get settled(): Promise<void> {
    return this.#work ?? Promise.resolve();
  }

  /** The log has grown. */
  grow(bytes: number): void {
    this.#uncovered += bytes;
  }

  /** Begins what has become due. */
  look(): void {
    if (this.#work !== undefined || this.#isOver) return;
    const { catalog, garbageBytes, indexBytes, onNotice } = this.#parts;
    const { dead, total } = garbageOf(catalog);
    if (dead - this.#failedWith >= garbageBytes && dead * 2 >= total)
      this.#begin(() => this.#compact()).catch((error: unknown) =>
        onNotice({ type: 'CompactionFailed', error }),
      );
    else if (
      !this.#isTooLong &&
      this.#uncovered - this.#tried >= Math.max(indexBytes, this.#index?.bytes ?? 0)
    )
      this.#begin(() => this.#writeIndexMeanwhile()).catch((error: unknown) => {
        if (!this.#isOver) onNotice({ type: 'IndexFailed', error });
      });
  }

  /** Compacts now, behind what is under way. */
  async compact(): Promise<void> {
    while (this.#work !== undefined) await this.#work;
    await this.#begin(() => this.#compact());
  }

  /** The store is about to be given back: what is under way is given up. Called in a turn of its own. Never rejects. */
  async end(): Promise<void> {
    this.#isOver = true;
    const due = Math.max(
      Math.min(this.#parts.indexBytes, RELEASE_BYTES),
      (this.#index?.bytes ?? 0) / RELEASE_PART,
    );
    if (this.#isTooLong || this.#uncovered < due) return;
    // The next one who opens the store reads the log instead.
    await this.#writeIndex((work) => work(), nextTurn).catch(() => {});
  }

  #begin(work: () => Promise<void>): Promise<void> {
    const working = work();
    const settled = working
      .catch(() => {})
      .then(() => {
        this.#work = undefined;
      });
    this.#work = settled;
    // What has become due meanwhile. Nothing that has failed is tried again at once.
    working.then(
      () => settled.then(() => this.look()),
      () => {},
    );
    return working;
  }

  #exclusive<Value>(work: () => Promise<Value>): Promise<Value> {
    return this.#parts.inTurn(async () => {
      this.#checkOver();
      return work();
    });
  }

  #checkOver(): void {
    if (this.#isOver) throw conflict('the store was given back meanwhile', '');
  }

  async #compact(): Promise<void> {
    const { files, folder, catalog, ownership, writer, onNotice } = this.#parts;
    try {
      if (catalog.segments.length > 1) await catalog.thawAll(() => this.#pause());
      let stale: string | undefined;
      const done = await compact({
        ...this.#parts,
        exclusive: (work) =>
          this.#exclusive(async () => {
            const value = await work();
            // In the same turn: it speaks of segments that are gone, whatever becomes of their removal.
            stale = this.#index?.file;
            this.#index = undefined;
            this.#uncovered = catalog.segments.reduce((sum, { end }) => sum + end.offset, 0);
            this.#tried = 0;
            this.#isTooLong = false;
            return value;
          }),
        checkStillOwner: () => ownership.checkStillOwner('a compaction'),
        syncLog: () => writer.sync(),
        pause: () => this.#pause(),
      });
      this.#failedWith = 0;
      if (done === undefined) return;
      if (stale !== undefined) await files.remove(join(folder, stale));
      onNotice({ type: 'Compacted', ...done });
    } catch (error) {
      this.#failedWith = garbageOf(catalog).dead;
      throw inputOutputFailed('a compaction', error);
    }
  }

  #writeIndexMeanwhile(): Promise<void> {
    return this.#writeIndex(
      (work) => this.#exclusive(work),
      () => this.#pause(),
    );
  }

  /** Gives way to others. @throws OrchestratorError `STORE_CONFLICT` when the store was given back */
  async #pause(): Promise<void> {
    await nextTurn();
    this.#checkOver();
  }

  /**
   * @param exclusive - does something that no write may come into
   * @param pause - lets others have their turn
   */
  async #writeIndex(
    exclusive: <Value>(work: () => Promise<Value>) => Promise<Value>,
    pause: () => Promise<void>,
  ): Promise<void> {
    const { files, folder, catalog, ownership, writer } = this.#parts;
    this.#tried = this.#uncovered;
    const snapshot = await exclusive(async () => catalog.beginSnapshot());
    const covered = this.#uncovered;
    const before = this.#index;
    let draft: string | undefined;
    try {
      const { storeId, indexBytesMax } = this.#parts;
      const built = await new IndexBuilder(snapshot, pause, indexBytesMax).build(storeId, this.#head());
      const file = indexFile(ownership.epoch, ++this.#number);
      draft = await writeIndexDraft(files, folder, file, built);
      await exclusive(async () => {
        await ownership.checkStillOwner('an index');
        await writer.sync();
        await files.rename(draft as string, join(folder, file));
        await files.syncFolder(folder);
        this.#adopt(built, snapshot);
        this.#index = { file, bytes: built.bytes.length };
        this.#uncovered -= covered;
        this.#tried = 0;
      });
    } catch (error) {
      if (draft !== undefined) await files.remove(draft).catch(() => {});
      if (OrchestratorError.is(error) && error.code === 'LIMIT_EXCEEDED') this.#isTooLong = true;
      throw inputOutputFailed('writing an index', error);
    } finally {
      catalog.endSnapshot(snapshot);
    }
    if (before !== undefined) await files.remove(join(folder, before.file));
  }

  #adopt(
    { bytes, meta }: { readonly bytes: Buffer; readonly meta: IndexMeta },
    snapshot: CatalogSnapshot,
  ): void {
    const { catalog } = this.#parts;
    const segments = catalog.segments.slice(0, meta.segments.length);
    catalog.adopt(new IndexTable(bytes, meta, segments), snapshot);
  }

  /** Of the segment that grows. */
  #head(): IndexMeta['head'] {
    return { durability: this.#parts.durability, boot: bootMark(this.#parts.boot) };
  }
}
