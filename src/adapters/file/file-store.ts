/**
 * An event store in a folder of files.
 *
 * Owns: the folder while it is claimed, with its catalog in memory. Who may call it: an orchestrator, by the port.
 *
 * FS1  Writes are done one after the other, each checked against everything before it.
 * FS2  The catalog has what is on the disk and nothing else; readers see what was acknowledged.
 * FS3  While nobody has claimed it here it keeps nothing: no file is open, no timer runs, and whoever reads reads anew.
 */
import { join } from 'node:path';
import { OrchestratorError } from '../../model/errors.ts';
import type {
  BlobRecord,
  CheckpointInfo,
  CheckpointRecord,
  EventRecord,
  EventStore,
  ListRequest,
  ReadRequest,
  StoreCapabilities,
  StreamAppend,
  StreamInfo,
} from '../../ports/event-store.ts';
import { bootId } from '../this-process.ts';
import { BlobFiles } from './blob-files.ts';
import { Catalog } from './catalog.ts';
import { checkAppends, checkEpoch } from './check-appends.ts';
import type { Compaction } from './compaction.ts';
import { encodeAll } from './encode-all.ts';
import { encodeCheckpoint, encodeEntry } from './entries.ts';
import type { FileSystem } from './file-system.ts';
import { openStoreFolder, sweepDrafts } from './folder.ts';
import { listStreams } from './listing.ts';
import { readCheckpoint, readRecords } from './log-entries.ts';
import { readLog } from './log-reader.ts';
import { LogWriter } from './log-writer.ts';
import { Ownership } from './ownership.ts';
import { readAgain } from './reading.ts';
import type { TornEnd } from './scanned-segment.ts';
import { conflict, inputOutputFailed, openFailed, systemFailed } from './store-errors.ts';
import { readStoreId } from './store-file.ts';
import { Upkeep } from './upkeep.ts';

/** How a file store works, checked. */
export interface FileStoreParts {
  readonly files: FileSystem;
  readonly folder: string;
  readonly durability: 'os' | 'power';
  readonly leaseMs: number;
  readonly segmentBytes: number;
  readonly pendingMax: number;
  /** Compaction begins when so many bytes are garbage, and half of all are. */
  readonly garbageBytes: number;
  /** An index is written when the log has grown by so many bytes, and by as many as the index has. */
  readonly indexBytes: number;
  /** How long an index may become. Default: 1 GiB. */
  readonly indexBytesMax?: number;
  /** How much a compaction may copy. Default: nearly 4 GiB. */
  readonly copyBytesMax?: number;
  readonly onNotice: (notice: FileStoreNotice) => void;
  /** Which start of the machine this is; empty if that is not known. Asked of the system when it is not given. */
  readonly boot?: string;
}

/** Something that a host may want to know, and that no call fails of. */
export type FileStoreNotice =
  | ({ readonly type: 'TornEnd' } & TornEnd)
  | ({ readonly type: 'Compacted' } & Compaction)
  | { readonly type: 'CompactionFailed' | 'IndexFailed'; readonly error: unknown }
  | { readonly type: 'IndexIgnored'; readonly file: string };

/** What `fileStore` gives: a store in a folder, which can also be compacted when its host likes. */
export class FileStore implements EventStore {
  readonly capabilities: StoreCapabilities;
  readonly #parts: FileStoreParts & { readonly boot: string };
  readonly #ownership: Ownership;
  readonly #blobs: BlobFiles;
  #storeId = '';
  #catalog: Catalog | undefined;
  #writer: LogWriter | undefined;
  /** The end of the last write that was asked for. */
  #last: Promise<unknown> = Promise.resolve();
  #pending = 0;
  #upkeep: Upkeep | undefined;

  constructor(parts: FileStoreParts) {
    this.#parts = { ...parts, boot: parts.boot ?? bootId() };
    this.capabilities = { durability: parts.durability };
    this.#ownership = new Ownership(parts.files, parts.folder, parts.leaseMs);
    this.#blobs = new BlobFiles(parts.files, parts.folder);
  }

  claim(owner: string): Promise<number> {
    return this.#inTurn(async () => {
      const { files, folder } = this.#parts;
      if (this.#ownership.owner !== undefined) await this.#refuseClaim(owner);
      try {
        this.#storeId = await openStoreFolder(files, folder);
        const epoch = await this.#ownership.claim(owner);
        await this.#open();
        return epoch;
      } catch (error) {
        await this.#close().catch(() => {});
        throw openFailed(folder, error);
      }
    });
  }

  async release(owner: string): Promise<void> {
    const upkeep = this.#upkeep;
    await this.#inTurn(async () => {
      if (this.#ownership.owner === owner) await this.#close();
    });
    await upkeep?.settled;
  }

  append(batch: readonly StreamAppend[]): Promise<void> {
    // What the writer does with his arrays while this waits for its turn is his own affair.
    const appends = batch.map((append) => ({ ...append, events: [...append.events] }));
    return this.#inTurn(async () => {
      const catalog = this.#claimed(appends[0]?.stream ?? '');
      checkAppends(appends, catalog, this.#ownership.epoch);
      const encoded = await encodeAll(appends);
      const about = appends[0]?.stream ?? '';
      const places = await this.#write(
        encoded.map(({ bytes }) => bytes),
        about,
      );
      for (const [i, { meta }] of encoded.entries())
        catalog.addEvents(meta, places[i] as (typeof places)[number]);
      this.#upkeep?.look();
    });
  }

  async read({ stream, fromSeq, limit }: ReadRequest): Promise<readonly EventRecord[]> {
    return this.#reading((catalog) => readRecords(this.#parts, catalog, { stream, fromSeq, limit }));
  }

  async list(request: ListRequest): Promise<readonly StreamInfo[]> {
    return this.#reading((catalog) => listStreams(catalog, request));
  }

  async findKey(key: string): Promise<string | undefined> {
    return this.#reading(async (catalog) => catalog.findKey(key));
  }

  remove(streams: readonly string[], epoch?: number): Promise<void> {
    const names = [...streams];
    return this.#inTurn(async () => {
      const catalog = this.#checkEpoch(epoch, names[0] ?? '');
      const known = names.filter((name) => catalog.has(name));
      const removal = await this.#blobs.beginRemoval(names);
      if (known.length === 0) await this.#ownership.checkStillOwner(names[0] ?? '');
      else {
        const bytes = encodeEntry('remove', JSON.stringify(known));
        const [place] = await this.#write([bytes], known[0] as string);
        catalog.removeStreams(known);
        if (place !== undefined) place.segment.stones += place.length;
      }
      await this.#blobs.endRemoval(removal);
      this.#upkeep?.look();
    });
  }

  saveCheckpoint(checkpoint: CheckpointRecord, epoch: number): Promise<void> {
    return this.#inTurn(async () => {
      const catalog = this.#checkEpoch(epoch, checkpoint.stream);
      const { bytes, info } = encodeCheckpoint(checkpoint);
      const [place] = await this.#write([bytes], checkpoint.stream);
      if (place !== undefined) catalog.addCheckpoint(info, place);
      this.#upkeep?.look();
    });
  }

  async loadCheckpoint(id: string): Promise<CheckpointRecord | undefined> {
    return this.#reading(async (catalog) => {
      const found = catalog.checkpoint(id);
      return found === undefined ? undefined : readCheckpoint(this.#parts, found);
    });
  }

  async listCheckpoints(stream: string): Promise<readonly CheckpointInfo[]> {
    return this.#reading(async (catalog) => catalog.checkpointsOf(stream).map(({ info }) => info));
  }

  removeCheckpoint(id: string, epoch?: number): Promise<void> {
    return this.#inTurn(async () => {
      const catalog = this.#checkEpoch(epoch, id);
      const found = catalog.checkpoint(id);
      if (found === undefined) return;
      const [place] = await this.#write(
        [encodeEntry('dropCheckpoint', JSON.stringify(id))],
        found.info.stream,
      );
      catalog.removeCheckpoint(id);
      if (place !== undefined) place.segment.stones += place.length;
      this.#upkeep?.look();
    });
  }

  saveBlob(blob: BlobRecord, epoch: number): Promise<void> {
    const own = { ...blob, bytes: blob.bytes.slice() };
    return this.#inTurn(async () => {
      this.#checkEpoch(epoch, own.stream);
      try {
        await this.#blobs.save(own);
        await this.#ownership.checkStillOwner(own.stream);
      } catch (error) {
        throw inputOutputFailed(`a blob of stream ${own.stream}`, error);
      }
    });
  }

  loadBlob(stream: string, id: string): Promise<Uint8Array | undefined> {
    return this.#blobs.load(stream, id);
  }

  /**
   * Gives the room back that removed streams and replaced checkpoints take. It is also done by itself, when half of all
   * is garbage.
   * @throws OrchestratorError `STORE_CONFLICT` (not claimed here), `STORE_CORRUPT`, `STORE_FULL`, `STORE_UNAVAILABLE`
   */
  async compact(): Promise<void> {
    this.#claimed('');
    await this.#upkeep?.compact();
  }

  async #open(): Promise<void> {
    const { files, folder, onNotice } = this.#parts;
    const storeId = this.#storeId;
    const ownership = this.#ownership;
    const { catalog, torn, leftovers, index, ignored, uncovered } = await readLog({
      ...this.#parts,
      storeId,
      epoch: ownership.epoch,
    });
    if (torn !== undefined) onNotice({ type: 'TornEnd', ...torn });
    for (const file of ignored) onNotice({ type: 'IndexIgnored', file });
    const writer = new LogWriter({ ...this.#parts, storeId, ownership, catalog });
    try {
      await writer.open();
    } catch (error) {
      await writer.close();
      throw error;
    }
    this.#catalog = catalog;
    this.#writer = writer;
    for (const file of leftovers) await files.remove(join(folder, file)).catch(() => {});
    await this.#blobs.finishRemovals((stream) => catalog.has(stream)).catch(() => {});
    await sweepDrafts(files, folder);
    const known = index === undefined ? undefined : { file: index, bytes: catalog.table?.bytes.length ?? 0 };
    this.#upkeep = new Upkeep(
      { ...this.#parts, storeId, catalog, writer, ownership, inTurn: (work) => this.#inTurn(work) },
      known,
      uncovered,
    );
    this.#upkeep.look();
  }

  /** Upkeep that is under way finds out when its turn comes, and is given up; waiting for it here would never end. */
  async #close(): Promise<void> {
    const writer = this.#writer;
    const upkeep = this.#upkeep;
    this.#writer = undefined;
    this.#catalog = undefined;
    this.#upkeep = undefined;
    try {
      await upkeep?.end();
      await writer?.close();
    } finally {
      await this.#ownership.release();
    }
  }

  async #refuseClaim(owner: string): Promise<void> {
    const current = this.#ownership.owner;
    if (current !== owner)
      throw new OrchestratorError(
        'STORE_OWNED',
        `the store is in use by ${current} in this process; close that orchestrator first`,
        { details: { owner: current, pid: process.pid } },
      );
    await this.#close();
  }

  /** One after the other. @throws OrchestratorError `QUEUE_FULL` */
  #inTurn<Value>(work: () => Promise<Value>): Promise<Value> {
    const { pendingMax } = this.#parts;
    if (this.#pending >= pendingMax)
      throw new OrchestratorError(
        'QUEUE_FULL',
        `the file store: found ${this.#pending} requests that wait for the disk; allowed: ${pendingMax}. Wait for some of them.`,
      );
    this.#pending++;
    const done = this.#last.then(work).catch((error: unknown) => {
      throw systemFailed(error);
    });
    const settle = (): void => {
      this.#pending--;
    };
    this.#last = done.then(settle, settle);
    return done;
  }

  /** Reads what there is: of a claimed store from its catalog, else from the disk. */
  #reading<Value>(read: (catalog: Catalog) => Promise<Value>): Promise<Value> {
    return readAgain(async () => {
      const { files, folder } = this.#parts;
      const known = this.#catalog;
      if (known !== undefined) return read(known);
      try {
        const isThere = (await files.facts(folder)) !== undefined;
        const storeId = isThere ? await readStoreId(files, folder) : undefined;
        if (storeId === undefined) return await read(new Catalog());
        return await read((await readLog({ ...this.#parts, storeId, epoch: 0 })).catalog);
      } catch (error) {
        throw openFailed(folder, error);
      }
    });
  }

  async #write(entries: readonly Buffer[], about: string): ReturnType<LogWriter['write']> {
    const places = await (this.#writer as LogWriter).write(entries, about);
    for (const { length } of places) this.#upkeep?.grow(length);
    return places;
  }

  #claimed(about: string): Catalog {
    if (this.#catalog !== undefined) return this.#catalog;
    throw conflict('the store is not claimed here', about);
  }

  #checkEpoch(epoch: number | undefined, stream: string): Catalog {
    const catalog = this.#claimed(stream);
    if (epoch !== undefined) checkEpoch(epoch, this.#ownership.epoch, stream);
    return catalog;
  }
}
