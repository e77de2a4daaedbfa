/** Stores on files in the states that errors are about. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileStore } from '@taskmaster-ai/orchestrator/file';
import { FileStore } from '../../src/adapters/file/file-store.ts';
import { type FileSystem, nodeFileSystem, type OpenFile } from '../../src/adapters/file/file-system.ts';

/** A file store by the parts that a test gives, such as a file system of its own. */
export function fileStoreOn(folder: string, files: FileSystem): FileStore {
  return new FileStore({
    files,
    folder,
    durability: 'power',
    leaseMs: 15_000,
    segmentBytes: 1_048_576,
    pendingMax: 100,
    garbageBytes: 1_048_576,
    indexBytes: 1_048_576,
    onNotice: () => {},
  });
}

/** Calls with an empty folder that is removed afterwards. */
export async function inFolder<Value>(use: (folder: string) => Promise<Value>): Promise<Value> {
  const folder = mkdtempSync(join(tmpdir(), 'broken-store-'));
  try {
    return await use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Fills a store, closes it, and lets something be done to the text of one of its files. */
export async function damage(folder: string, name: RegExp, change: (bytes: Buffer) => Buffer): Promise<void> {
  const store = fileStore(folder);
  const epoch = await store.claim('before');
  for (let seq = 1; seq <= 3; seq++) {
    const events = [{ type: 'T', seq, at: seq, text: 'x'.repeat(50) }];
    await store.append([{ stream: 'a', expectedSeq: seq - 1, epoch, events, versions: {} }]);
  }
  await store.release('before');
  const found = readdirSync(folder).find((file) => name.test(file)) as string;
  writeFileSync(join(folder, found), change(readFileSync(join(folder, found))));
}

/** The error of the operating system that a disk without room gives. */
export function osError(code: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: refused by the test`), { code });
}

/** A file system whose files take nothing once `isFull` says so. */
export function fillingUp(isFull: () => boolean): FileSystem {
  return {
    ...nodeFileSystem,
    open: async (path, mode) => {
      const file = await nodeFileSystem.open(path, mode);
      const write: OpenFile['write'] = async (bytes, position) => {
        if (isFull()) throw osError('ENOSPC');
        await file.write(bytes, position);
      };
      return {
        write,
        read: (into, position) => file.read(into, position),
        sync: () => file.sync(),
        truncate: (size) => file.truncate(size),
        size: () => file.size(),
        close: () => file.close(),
      };
    },
  };
}
