/** An append of many events: it is read page by page, each at the cost of the page, and keeps nobody waiting. */
import { MemoryStore, type StreamAppend } from '@taskmaster-ai/orchestrator';
import { describe, expect, it } from 'vitest';
import { FileStore } from '../../../src/adapters/file/file-store.ts';
import type { FileSystem, OpenFile } from '../../../src/adapters/file/file-system.ts';
import { MemoryDisk } from '../../campaign/corrupt/memory-disk.ts';

const EVENTS = 40_000;

/** A file system that counts the bytes that are read. */
function counted(files: FileSystem): { readonly files: FileSystem; readonly read: () => number } {
  let bytes = 0;
  const open: FileSystem['open'] = async (path, mode) => {
    const file = await files.open(path, mode);
    const read: OpenFile['read'] = (into, position) => {
      bytes += into.length;
      return file.read(into, position);
    };
    return new Proxy(file, {
      get: (target, name) => {
        const found: unknown = name === 'read' ? read : Reflect.get(target, name);
        return typeof found === 'function' ? found.bind(target) : found;
      },
    });
  };
  const proxy = new Proxy(files, {
    get: (target, name) => {
      const found: unknown = name === 'open' ? open : Reflect.get(target, name);
      return typeof found === 'function' ? found.bind(target) : found;
    },
  });
  return { files: proxy, read: () => bytes };
}

function storeOn(files: FileSystem): FileStore {
  return new FileStore({
    ...{ files, folder: '/store', durability: 'os', leaseMs: 1_000, boot: 'first' },
    ...{ segmentBytes: 1 << 26, pendingMax: 1_000, garbageBytes: 1 << 26, indexBytes: 1 << 26 },
    onNotice: () => {},
  });
}

function longAppend(epoch: number): StreamAppend {
  const events = Array.from({ length: EVENTS }, (_, i) => ({
    type: 'Said',
    seq: i + 1,
    at: i,
    word: `word ${i}`,
  }));
  const facts = { workflowId: 'w', status: 'running', startedAt: 0 };
  return { stream: 'run:1', epoch, expectedSeq: 0, versions: { Said: 2 }, uniqueKeys: ['k'], events, facts };
}

describe('an append of many events to a file store', () => {
  it('is read page by page at the cost of what the pages hold, by this owner and the next one', async () => {
    const disk = counted(new MemoryDisk());
    const model = new MemoryStore();
    await model.append([longAppend(await model.claim('me'))]);
    const store = storeOn(disk.files);
    let turns = 0;
    let isOver = false;
    const tick = (): void => {
      turns++;
      if (!isOver) setImmediate(tick);
    };
    const epoch = await store.claim('me');
    setImmediate(tick);
    await store.append([longAppend(epoch), { ...longAppend(epoch), stream: 'run:2', uniqueKeys: [] }]);
    isOver = true;
    expect(turns).toBeGreaterThan(2);
    const wholeBytes = JSON.stringify(longAppend(epoch).events).length;
    for (const owner of [store, storeOn(disk.files)]) {
      if (owner !== store) {
        await store.release('me');
        await owner.claim('me');
      }
      const before = disk.read();
      for (let fromSeq = 1; fromSeq <= EVENTS; fromSeq += 1_000) {
        const page = { stream: 'run:1', fromSeq, limit: 1_000 };
        expect(await owner.read(page)).toEqual(model.read(page));
      }
      expect(disk.read() - before).toBeLessThan(wholeBytes * 3);
      expect(await owner.findKey('k')).toBe('run:1');
      expect(await owner.list({ prefix: 'run:1', limit: 9 })).toEqual(
        model.list({ prefix: 'run:1', limit: 9 }),
      );
    }
  });
});
