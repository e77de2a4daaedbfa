/**
 * The few things that the file store asks of a file system, so that tests can put another one in its place: one whose
 * calls fail, that tears writes, or that loses what was not synced.
 *
 * A method that fails rejects with the error of the operating system (`code` is `ENOENT`, `ENOSPC` …).
 */
import {
  constants,
  close as nodeClose,
  fdatasync as nodeFdatasync,
  fstat as nodeFstat,
  ftruncate as nodeFtruncate,
  open as nodeOpen,
  read as nodeRead,
  write as nodeWrite,
} from 'node:fs';
import * as files from 'node:fs/promises';
import { dirname } from 'node:path';

/** What a name in a folder stands for. */
export type EntryKind = 'file' | 'folder' | 'link' | 'other';

/** A name in a folder. */
export interface FolderEntry {
  readonly name: string;
  readonly kind: EntryKind;
}

/** What is known of a file without opening it. */
export interface FileFacts {
  readonly kind: EntryKind;
  readonly size: number;
  /** Which file of the file system it is, whatever it is called. */
  readonly inode: number;
  /** When it was changed last. Milliseconds since 1970, by the clock of the file system. */
  readonly changedAt: number;
}

/** A file that is open. */
export interface OpenFile {
  /** @returns how many bytes were read: fewer than asked for only at the end of the file */
  read(into: Uint8Array, position: number): Promise<number>;
  /** Writes all bytes. */
  write(bytes: Uint8Array, position: number): Promise<void>;
  /** Returns when the disk has said that it has what was written, and how long the file is. */
  sync(): Promise<void>;
  truncate(size: number): Promise<void>;
  size(): Promise<number>;
  close(): Promise<void>;
}

/** `read` and `write` need the file to be there, `create` needs it not to be. A symbolic link is never followed. */
export type OpenMode = 'read' | 'write' | 'create';

export interface FileSystem {
  open(path: string, mode: OpenMode): Promise<OpenFile>;
  /** Of the name itself, if it is a link. Nothing if there is nothing. */
  facts(path: string): Promise<FileFacts | undefined>;
  /** The names in a folder, in any order. */
  list(folder: string): Promise<readonly FolderEntry[]>;
  /** Makes a folder, and those that it lies in, for this user alone, durably; one that is there is left as it is. */
  makeFolder(folder: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  /** Gives a file a second name, which must not be in use (`EEXIST`). */
  link(from: string, to: string): Promise<void>;
  /** Removes a file; none is no error. */
  remove(path: string): Promise<void>;
  /** Removes an empty folder; none is no error. */
  removeFolder(folder: string): Promise<void>;
  /** Makes names that were made, changed or removed in a folder durable. */
  syncFolder(folder: string): Promise<void>;
}

/** Absent on Windows, which knows no such flag. */
const NO_FOLLOW = constants.O_NOFOLLOW ?? 0;
const FLAGS: Readonly<Record<OpenMode, number>> = {
  read: constants.O_RDONLY | NO_FOLLOW,
  write: constants.O_RDWR | NO_FOLLOW,
  create: constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | NO_FOLLOW,
};

/** The file system of the machine. Files are made for this user alone (0600), folders too (0700). */
export const nodeFileSystem: FileSystem = {
  open: async (path, mode) =>
    new NodeFile(await call<number>((done) => nodeOpen(path, FLAGS[mode], 0o600, done))),
  async facts(path) {
    try {
      const found = await files.lstat(path);
      return { kind: kindOf(found), size: found.size, inode: found.ino, changedAt: found.mtimeMs };
    } catch (error) {
      return whenAbsent(error);
    }
  },
  async list(folder) {
    const entries = await files.readdir(folder, { withFileTypes: true });
    return entries.map((entry) => ({ name: entry.name, kind: kindOf(entry) }));
  },
  async makeFolder(folder) {
    const first = await files.mkdir(folder, { recursive: true, mode: 0o700 });
    if (first === undefined) return;
    // The name of each folder that was made stands in the one above it.
    for (let made = folder; made.length >= first.length; made = dirname(made))
      await nodeFileSystem.syncFolder(dirname(made));
  },
  rename: (from, to) => files.rename(from, to),
  link: (from, to) => files.link(from, to),
  remove: (path) => files.unlink(path).catch(whenAbsent),
  removeFolder: (folder) => files.rmdir(folder).catch(whenAbsent),
  async syncFolder(folder) {
    // Windows neither has nor needs it: its folders are journaled.
    if (process.platform === 'win32') return;
    const handle = await files.open(folder, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  },
};

/** The bytes of a file, from a place in it on. */
export async function readFile(files: FileSystem, path: string, from = 0): Promise<Buffer> {
  const file = await files.open(path, 'read');
  try {
    const bytes = Buffer.allocUnsafe(Math.max(0, (await file.size()) - from));
    const count = await file.read(bytes, from);
    return bytes.subarray(0, count);
  } finally {
    await file.close();
  }
}

/** Whether an error says that there is no such file. */
export function isAbsent(error: unknown): boolean {
  return (error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT';
}

function whenAbsent(error: unknown): undefined {
  if (isAbsent(error)) return undefined;
  throw error;
}

interface Kinds {
  isFile(): boolean;
  isDirectory(): boolean;
  isSymbolicLink(): boolean;
}

function kindOf(found: Kinds): EntryKind {
  if (found.isFile()) return 'file';
  if (found.isDirectory()) return 'folder';
  return found.isSymbolicLink() ? 'link' : 'other';
}

type Done<Value> = (error: NodeJS.ErrnoException | null, value: Value) => void;

function call<Value>(start: (done: Done<Value>) => void): Promise<Value> {
  return new Promise((resolve, reject) => {
    start((error, value) => (error === null ? resolve(value) : reject(error)));
  });
}

/** Plain descriptors: a `FileHandle` costs more for each call, and one that is forgotten is closed by surprise. */
class NodeFile implements OpenFile {
  readonly #descriptor: number;

  constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  async read(into: Uint8Array, position: number): Promise<number> {
    let done = 0;
    while (done < into.length) {
      const bytes = await call<number>((end) =>
        nodeRead(this.#descriptor, into, done, into.length - done, position + done, end),
      );
      if (bytes === 0) break;
      done += bytes;
    }
    return done;
  }

  async write(bytes: Uint8Array, position: number): Promise<void> {
    // A disk that is filling up takes a part, and refuses the rest at the next call.
    for (let done = 0; done < bytes.length; ) {
      done += await call<number>((end) =>
        nodeWrite(this.#descriptor, bytes, done, bytes.length - done, position + done, end),
      );
    }
  }

  sync(): Promise<void> {
    return call<void>((done) => nodeFdatasync(this.#descriptor, done as (error: unknown) => void));
  }

  truncate(size: number): Promise<void> {
    return call<void>((done) => nodeFtruncate(this.#descriptor, size, done as (error: unknown) => void));
  }

  async size(): Promise<number> {
    return (await call<{ readonly size: number }>((done) => nodeFstat(this.#descriptor, done))).size;
  }

  close(): Promise<void> {
    return call<void>((done) => nodeClose(this.#descriptor, done as (error: unknown) => void));
  }
}
