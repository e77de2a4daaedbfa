import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileStore } from '@taskmaster-ai/orchestrator/file';
import { describe, expect, it, onTestFinished } from 'vitest';
import { FileStore } from '../../../src/adapters/file/file-store.ts';
import { type FileSystem, nodeFileSystem } from '../../../src/adapters/file/file-system.ts';
import { fillingUp } from '../../support/broken-stores.ts';
import { rejection } from '../../support/errors.ts';
import { createGate, nextTurn } from '../../support/gate.ts';

function folderOfTest(): string {
  const folder = mkdtempSync(join(tmpdir(), 'file-release-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function storeOn(folder: string, files: FileSystem): FileStore {
  const sizes = { segmentBytes: 4_096, pendingMax: 100, garbageBytes: 4_096, indexBytes: 1_048_576 };
  return new FileStore({ files, folder, durability: 'os', leaseMs: 15_000, ...sizes, onNotice: () => {} });
}

async function fill(store: FileStore, epoch: number, from: number, to: number): Promise<void> {
  for (let i = from; i < to; i++) {
    const events = [{ type: 'T', seq: 1, at: i, text: 'x'.repeat(900) }];
    await store.append([{ stream: `s${i}`, expectedSeq: 0, epoch, events, versions: {} }]);
  }
}

describe('giving a file store back', () => {
  it('while it is compacted ends, and leaves the log as it was', async () => {
    const folder = folderOfTest();
    const held = createGate();
    const rename: FileSystem['rename'] = async () => {
      throw new Error('a store that was given back renames nothing');
    };
    let isCopying = false;
    const open: FileSystem['open'] = async (path, mode) => {
      // The copy is made, and nothing goes into it yet.
      if (path.includes('compaction-')) {
        isCopying = true;
        await held.promise;
      }
      return nodeFileSystem.open(path, mode);
    };
    const store = storeOn(folder, { ...nodeFileSystem, open, rename });
    const epoch = await store.claim('me');
    await fill(store, epoch, 0, 20);
    await store.remove(Array.from({ length: 18 }, (_, i) => `s${i}`));
    while (!isCopying) await nextTurn();
    const released = store.release('me');
    await nextTurn();
    held.open();
    await released;
    expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
    const after = fileStore(folder);
    await after.claim('next');
    const streams = (await after.list({ prefix: '', limit: 100 })).map(({ stream }) => stream);
    expect(streams).toEqual(['s18', 's19']);
    await after.release('next');
  });

  it('on a full disk ends all the same, and loses nothing', async () => {
    const folder = folderOfTest();
    let isFull = false;
    const store = storeOn(
      folder,
      fillingUp(() => isFull),
    );
    const epoch = await store.claim('me');
    await fill(store, epoch, 0, 3);
    isFull = true;
    const events = [{ type: 'T', seq: 1, at: 0 }];
    const more = { stream: 'more', expectedSeq: 0, epoch, events, versions: {} };
    expect((await rejection(store.append([more]))).code).toBe('STORE_FULL');
    // What the disk has now is not known, so nothing more is taken until it is opened again.
    isFull = false;
    expect((await rejection(store.append([more]))).code).toBe('STORE_UNAVAILABLE');
    await store.release('me');
    const again = await store.claim('me');
    await store.append([{ ...more, epoch: again }]);
    expect((await store.list({ prefix: '', limit: 10 })).map(({ stream }) => stream)).toEqual([
      ...['s0', 's1', 's2', 'more'],
    ]);
    await store.release('me');
  });
});
