/**
 * Blobs: each a file of its own, in a folder for its stream.
 *
 * Owns: the folder `blobs`, and the files `removal-…`. Who may call it: the store.
 *
 * BF1  A blob is there whole or not at all: it is written under another name, synced, and then renamed.
 * BF2  Names on the disk are digests, so that no name of a stream or blob can mean a path.
 * BF3  A blob that was changed on the disk, or is that of another name, is not given back: its checksum says so.
 * BF4  A removal is noted before the log says that it is done, so that after a death in between its rest is found.
 */
import { createHash, randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { quote } from '../../base/values.ts';
import type { BlobRecord } from '../../ports/event-store.ts';
import { type FileSystem, isAbsent, readFile } from './file-system.ts';
import { corrupt, inputOutputFailed } from './store-errors.ts';

const CHECKSUM_BYTES = 4;

function digest(name: string): string {
  return createHash('sha256').update(name).digest('hex');
}

function checksumOf(bytes: Uint8Array, stream: string, id: string): number {
  return crc32(bytes, crc32(`${digest(stream)}/${digest(id)}`));
}

/** Streams whose blobs are being removed, and the file that says so. */
export interface BlobRemoval {
  readonly note: string;
  readonly streams: readonly string[];
}

const NOTE = /^removal-[0-9a-f-]{36}\.json$/;

/** One that was cut off while it was written says nothing: no removal had been decided yet. */
function readNote(bytes: Buffer): readonly string[] {
  try {
    const found: unknown = JSON.parse(bytes.toString());
    return Array.isArray(found) ? found.filter((one) => typeof one === 'string') : [];
  } catch {
    return [];
  }
}

export class BlobFiles {
  readonly #files: FileSystem;
  readonly #root: string;
  readonly #folder: string;

  /** @param folder - that of the store */
  constructor(files: FileSystem, folder: string) {
    this.#files = files;
    this.#root = folder;
    this.#folder = join(folder, 'blobs');
  }

  async save({ stream, id, bytes }: BlobRecord): Promise<void> {
    const folder = join(this.#folder, digest(stream));
    await this.#files.makeFolder(folder);
    // Where the next owner looks for drafts that nobody has finished.
    const draft = join(this.#root, `blob-${randomUUID()}.tmp`);
    const content = Buffer.alloc(CHECKSUM_BYTES + bytes.length);
    content.set(bytes, CHECKSUM_BYTES);
    content.writeUInt32LE(checksumOf(bytes, stream, id), 0);
    try {
      const file = await this.#files.open(draft, 'create');
      try {
        await file.write(content, 0);
        await file.sync();
      } finally {
        await file.close();
      }
      await this.#files.rename(draft, join(folder, digest(id)));
    } catch (error) {
      await this.#files.remove(draft).catch(() => {});
      throw error;
    }
    await this.#files.syncFolder(folder);
  }

  /** @throws OrchestratorError `STORE_CORRUPT`, `STORE_UNAVAILABLE` */
  async load(stream: string, id: string): Promise<Uint8Array | undefined> {
    const name = join(digest(stream), digest(id));
    let content: Buffer;
    try {
      content = await readFile(this.#files, join(this.#folder, name));
    } catch (error) {
      if (isAbsent(error)) return undefined;
      throw inputOutputFailed(`a read of blob ${quote(id)} of stream ${quote(stream)}`, error);
    }
    const bytes = content.subarray(CHECKSUM_BYTES);
    if (content.length < CHECKSUM_BYTES || checksumOf(bytes, stream, id) !== content.readUInt32LE(0))
      throw corrupt(
        { file: join('blobs', name), offset: 0, seq: 0 },
        `blob ${quote(id)} of stream ${quote(stream)} is damaged`,
      );
    return new Uint8Array(bytes);
  }

  /**
   * Notes which streams with blobs are about to be removed, before the log says that they are.
   * @returns what `endRemoval` takes; nothing when none of them has any
   */
  async beginRemoval(streams: readonly string[]): Promise<BlobRemoval | undefined> {
    const found: string[] = [];
    for (const stream of streams)
      if ((await this.#files.facts(join(this.#folder, digest(stream)))) !== undefined) found.push(stream);
    if (found.length === 0) return undefined;
    const note = join(this.#root, `removal-${randomUUID()}.json`);
    const file = await this.#files.open(note, 'create');
    try {
      await file.write(Buffer.from(JSON.stringify(found)), 0);
      await file.sync();
    } finally {
      await file.close();
    }
    await this.#files.syncFolder(this.#root);
    return { note, streams: found };
  }

  /** Once the log says that they are removed. What fails here is finished by the next owner. */
  async endRemoval(removal: BlobRemoval | undefined): Promise<void> {
    if (removal === undefined) return;
    for (const stream of removal.streams) await this.#remove(stream);
    await this.#files.remove(removal.note);
  }

  /**
   * Finishes what owners before have begun. Nothing fails of it: what cannot be removed now is left to the next one.
   * @param isThere - whether a stream is in the log: then its removal was cut off before it was decided
   */
  async finishRemovals(isThere: (stream: string) => boolean): Promise<void> {
    for (const { name } of await this.#files.list(this.#root)) {
      if (!NOTE.test(name)) continue;
      const note = join(this.#root, name);
      try {
        const streams = readNote(await readFile(this.#files, note));
        await this.endRemoval({ note, streams: streams.filter((stream) => !isThere(stream)) });
      } catch {
        // The blobs that it names stay as unreachable as they are.
      }
    }
  }

  async #remove(stream: string): Promise<void> {
    const folder = join(this.#folder, digest(stream));
    if ((await this.#files.facts(folder)) === undefined) return;
    for (const { name } of await this.#files.list(folder)) await this.#files.remove(join(folder, name));
    await this.#files.removeFolder(folder);
  }
}
