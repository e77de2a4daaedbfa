/**
 * A disk in memory: the file system that the file store asks for, with every operation written down, so that the states
 * which a loss of power can leave are made from it.
 *
 * Owns: its files. Who may call it: the campaign, and file stores that are opened on it.
 *
 * MD1  The content of a file is never changed in place: a copy of the disk shares it.
 * MD2  It answers as the file system of the machine does, with the same codes of errors.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { FileSystem, FolderEntry, OpenFile, OpenMode } from '../../../src/adapters/file/file-system.ts';

/** A file, whatever it is called. */
export interface Inode {
  readonly number: number;
  bytes: Buffer;
  changedAt: number;
}

/** Something that was done to the disk, or said by whoever works on it. */
export type Operation =
  | { readonly type: 'create'; readonly path: string; readonly inode: number }
  | { readonly type: 'link'; readonly path: string; readonly inode: number }
  | { readonly type: 'rename'; readonly from: string; readonly path: string; readonly inode: number }
  | { readonly type: 'remove'; readonly path: string }
  | { readonly type: 'makeFolder'; readonly path: string }
  | { readonly type: 'removeFolder'; readonly path: string }
  | { readonly type: 'write'; readonly inode: number; readonly position: number; readonly bytes: Buffer }
  | { readonly type: 'truncate'; readonly inode: number; readonly size: number }
  | { readonly type: 'sync'; readonly inode: number }
  | { readonly type: 'syncFolder'; readonly path: string }
  | { readonly type: 'acknowledged'; readonly steps: number };

/** An error as the operating system gives it. */
export function osError(code: string, what: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: ${what}`), { code });
}

export class MemoryDisk implements FileSystem {
  readonly names = new Map<string, Inode>();
  readonly folders = new Set<string>(['/']);
  /** What was done, in order; nothing is written down while it is absent. */
  operations: Operation[] | undefined;
  /** The clock of the file system. Milliseconds since 1970. */
  now = 1_000_000;
  /** Which start of its machine this is. */
  boot = 'first';
  #inodes = 0;

  /** A disk with the files of a folder of the machine. */
  static load(folder: string, as: string): MemoryDisk {
    const disk = new MemoryDisk();
    disk.folders.add(as);
    for (const name of readdirSync(folder)) {
      const path = join(folder, name);
      if (!statSync(path).isDirectory()) disk.put(join(as, name), readFileSync(path));
      else {
        for (const [found, inode] of MemoryDisk.load(path, join(as, name)).names)
          disk.put(found, inode.bytes);
      }
    }
    return disk;
  }

  /** Another disk with the same content; what is done to the one is not done to the other. */
  copy(): MemoryDisk {
    const copy = new MemoryDisk();
    copy.now = this.now;
    copy.boot = this.boot;
    copy.#inodes = this.#inodes;
    const inodes = new Map<number, Inode>();
    for (const [path, inode] of this.names) {
      const known = inodes.get(inode.number) ?? { ...inode };
      inodes.set(inode.number, known);
      copy.names.set(path, known);
    }
    for (const folder of this.folders) copy.folders.add(folder);
    return copy;
  }

  /** Gives a file another content, without writing it down. */
  put(path: string, bytes: Buffer): void {
    const known = this.names.get(path);
    if (known !== undefined) known.bytes = bytes;
    else this.names.set(path, this.newInode(bytes));
    for (let folder = dirname(path); !this.folders.has(folder); folder = dirname(folder))
      this.folders.add(folder);
  }

  newInode(bytes: Buffer = Buffer.alloc(0)): Inode {
    return { number: ++this.#inodes, bytes, changedAt: this.now };
  }

  /** Carries an operation out, without writing it down; one that finds nothing to be done to does nothing. */
  apply(operation: Operation, inodes: Map<number, Inode>): void {
    switch (operation.type) {
      case 'create':
      case 'link':
      case 'rename': {
        const inode = inodes.get(operation.inode) ?? this.newInode();
        inodes.set(operation.inode, inode);
        if (operation.type === 'rename' && this.names.get(operation.from) === inode)
          this.names.delete(operation.from);
        this.names.set(operation.path, inode);
        break;
      }
      case 'remove':
        this.names.delete(operation.path);
        break;
      case 'makeFolder':
        this.folders.add(operation.path);
        break;
      case 'removeFolder':
        this.folders.delete(operation.path);
        // Names below it that were not yet known to be gone cannot be reached any more.
        for (const path of this.names.keys()) if (dirname(path) === operation.path) this.names.delete(path);
        break;
      case 'write':
      case 'truncate': {
        const inode = inodes.get(operation.inode) ?? this.newInode();
        inodes.set(operation.inode, inode);
        inode.bytes =
          operation.type === 'write'
            ? written(inode.bytes, operation.bytes, operation.position)
            : operation.size <= inode.bytes.length
              ? inode.bytes.subarray(0, operation.size)
              : written(inode.bytes, Buffer.alloc(0), operation.size);
        break;
      }
      default:
    }
  }

  /** Takes away what lies in folders that are not there. */
  prune(): void {
    const isLost = (path: string): boolean =>
      path !== '/' && (!this.folders.has(dirname(path)) || isLost(dirname(path)));
    for (const path of this.names.keys()) if (isLost(path)) this.names.delete(path);
    for (const path of this.folders) if (isLost(path)) this.folders.delete(path);
  }

  async open(path: string, mode: OpenMode): Promise<OpenFile> {
    const known = this.names.get(path);
    if (this.folders.has(path)) throw osError('EISDIR', path);
    if (mode === 'create') {
      if (known !== undefined) throw osError('EEXIST', path);
      this.#needFolder(path);
      const inode = this.newInode();
      this.names.set(path, inode);
      this.note({ type: 'create', path, inode: inode.number });
      return new MemoryFile(this, inode);
    }
    if (known === undefined) throw osError('ENOENT', path);
    return new MemoryFile(this, known);
  }

  async facts(path: string) {
    if (this.folders.has(path)) return { kind: 'folder', size: 0, inode: 0, changedAt: 0 } as const;
    const inode = this.names.get(path);
    if (inode === undefined) return undefined;
    const { bytes, number, changedAt } = inode;
    return { kind: 'file', size: bytes.length, inode: number, changedAt } as const;
  }

  async list(folder: string): Promise<readonly FolderEntry[]> {
    if (!this.folders.has(folder)) throw osError('ENOENT', folder);
    const found: FolderEntry[] = [];
    for (const path of this.names.keys())
      if (dirname(path) === folder) found.push({ name: path.slice(folder.length + 1), kind: 'file' });
    for (const path of this.folders)
      if (path !== '/' && dirname(path) === folder)
        found.push({ name: path.slice(folder.length + 1), kind: 'folder' });
    return found;
  }

  async makeFolder(folder: string): Promise<void> {
    for (let at = folder; !this.folders.has(at); at = dirname(at)) {
      this.folders.add(at);
      this.note({ type: 'makeFolder', path: at });
      this.note({ type: 'syncFolder', path: dirname(at) });
    }
  }

  async rename(from: string, to: string): Promise<void> {
    const inode = this.#need(from);
    this.#needFolder(to);
    this.names.delete(from);
    this.names.set(to, inode);
    this.note({ type: 'rename', from, path: to, inode: inode.number });
  }

  async link(from: string, to: string): Promise<void> {
    const inode = this.#need(from);
    if (this.names.has(to)) throw osError('EEXIST', to);
    this.names.set(to, inode);
    this.note({ type: 'link', path: to, inode: inode.number });
  }

  async remove(path: string): Promise<void> {
    if (this.names.delete(path)) this.note({ type: 'remove', path });
  }

  async removeFolder(folder: string): Promise<void> {
    if (!this.folders.has(folder)) return;
    if ((await this.list(folder)).length > 0) throw osError('ENOTEMPTY', folder);
    this.folders.delete(folder);
    this.note({ type: 'removeFolder', path: folder });
  }

  async syncFolder(folder: string): Promise<void> {
    if (!this.folders.has(folder)) throw osError('ENOENT', folder);
    this.note({ type: 'syncFolder', path: folder });
  }

  note(operation: Operation): void {
    this.operations?.push(operation);
  }

  #need(path: string): Inode {
    const inode = this.names.get(path);
    if (inode === undefined) throw osError('ENOENT', path);
    return inode;
  }

  #needFolder(path: string): void {
    if (!this.folders.has(dirname(path))) throw osError('ENOENT', path);
  }
}

/** A file of this disk that is open; it stays what it is when its name goes. */
class MemoryFile implements OpenFile {
  readonly #disk: MemoryDisk;
  readonly #inode: Inode;

  constructor(disk: MemoryDisk, inode: Inode) {
    this.#disk = disk;
    this.#inode = inode;
  }

  async read(into: Uint8Array, position: number): Promise<number> {
    const found = this.#inode.bytes.subarray(position, position + into.length);
    into.set(found);
    return found.length;
  }

  async write(bytes: Uint8Array, position: number): Promise<void> {
    const copy = Buffer.from(bytes);
    this.#inode.bytes = written(this.#inode.bytes, copy, position);
    this.#inode.changedAt = this.#disk.now;
    this.#disk.note({ type: 'write', inode: this.#inode.number, position, bytes: copy });
  }

  async sync(): Promise<void> {
    this.#disk.note({ type: 'sync', inode: this.#inode.number });
  }

  async truncate(size: number): Promise<void> {
    const { bytes, number } = this.#inode;
    this.#inode.bytes =
      size <= bytes.length ? bytes.subarray(0, size) : written(bytes, Buffer.alloc(0), size);
    this.#disk.note({ type: 'truncate', inode: number, size });
  }

  async size(): Promise<number> {
    return this.#inode.bytes.length;
  }

  async close(): Promise<void> {}
}

/** The content after a write; what lies between the old end and the write reads as zeros. */
function written(old: Buffer, bytes: Buffer, position: number): Buffer {
  const content = Buffer.alloc(Math.max(old.length, position + bytes.length));
  old.copy(content);
  bytes.copy(content, position);
  return content;
}
