import { type FileHandle, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/** How a file is rotated. */
export interface RotationOptions {
  readonly path: string;
  /** The file is put aside before it would be larger than this. */
  readonly bytesMax: number;
  /** How many files are kept that were put aside: `path.1` is the newest. */
  readonly keep: number;
}

/**
 * A file that is only appended to, and put aside when it is full. One writer at a time; nothing is opened before the
 * first write.
 */
export class RotatingFile {
  readonly #options: RotationOptions;
  #handle: FileHandle | undefined;
  #size = 0;

  constructor(options: RotationOptions) {
    this.#options = options;
  }

  /**
   * Appends lines, each of them whole in one file. A line that is longer than a file may be has one for itself.
   *
   * @param written - told of each part of the bytes that is in the file, so that after a failure the rest can follow
   */
  async append(lines: Buffer, written: (bytes: number) => void): Promise<void> {
    for (let from = 0; from < lines.length; ) {
      const handle = await this.#open();
      const end = this.#cut(lines, from);
      if (end === from) {
        await this.#rotate();
        continue;
      }
      const { bytesWritten } = await handle.write(lines, from, end - from);
      this.#size += bytesWritten;
      from += bytesWritten;
      written(bytesWritten);
    }
  }

  /** Closes the file; the next write opens it again. */
  async close(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.close();
  }

  /** Where the lines end that this file has room for; `from` when there is none. */
  #cut(lines: Buffer, from: number): number {
    const room = this.#options.bytesMax - this.#size;
    if (lines.length - from <= room) return lines.length;
    const end = room <= 0 ? -1 : lines.lastIndexOf(LINE_FEED, from + room - 1);
    if (end >= from) return end + 1;
    // Not even one line fits: it goes into the next file, or, if that is an empty one, into this.
    return this.#size > 0 ? from : lines.indexOf(LINE_FEED, from) + 1;
  }

  async #open(): Promise<FileHandle> {
    if (this.#handle === undefined) {
      const { path } = this.#options;
      await mkdir(dirname(path), { recursive: true });
      const handle = await open(path, 'a');
      this.#handle = handle;
      this.#size = (await handle.stat()).size;
    }
    return this.#handle;
  }

  async #rotate(): Promise<void> {
    const { path, keep } = this.#options;
    await this.close();
    if (keep === 0) await rm(path, { force: true });
    let last = 0;
    while (last < keep && (await exists(`${path}.${last + 1}`))) last++;
    // The oldest one of a full row is written over.
    for (let i = Math.min(last + 1, keep); i > 0; i--)
      await rename(i === 1 ? path : `${path}.${i - 1}`, `${path}.${i}`);
  }
}

const LINE_FEED = 10;

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}
