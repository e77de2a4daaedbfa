/** A search through many streams gives way to others, and finds what a search at one go finds. */
import { MemoryStore, type StreamAppend } from '@taskmaster-ai/orchestrator';
import { describe, expect, it } from 'vitest';
import { FileStore } from '../../../src/adapters/file/file-store.ts';
import { MemoryDisk } from '../../campaign/corrupt/memory-disk.ts';

const STREAMS = 20_000;
const AT_ONCE = 1_000;

function appendsOf(epoch: number, from: number): StreamAppend[] {
  return Array.from({ length: AT_ONCE }, (_, i) => {
    const number = from + i;
    return {
      ...{ stream: `run:${number}`, epoch, expectedSeq: 0, versions: {}, uniqueKeys: [] },
      events: [{ type: 'RunCreated', seq: 1, at: number }],
      facts: {
        ...{ workflowId: `w${number % 3}`, status: number % 2 === 0 ? 'completed' : 'running' },
        ...{ startedAt: number, attributes: { rare: number % 9_000 === 8_999 } },
      },
    };
  });
}

/** Two stores with the same streams. Of one of them the index on disk knows most. */
async function twins(indexBytes: number): Promise<{ store: FileStore; model: MemoryStore }> {
  const model = new MemoryStore();
  const store = new FileStore({
    ...{ files: new MemoryDisk(), folder: '/store', durability: 'os', leaseMs: 1_000, boot: 'first' },
    ...{ segmentBytes: 1 << 26, pendingMax: 1_000, garbageBytes: 1 << 26, indexBytes },
    onNotice: () => {},
  });
  const epochs = [await store.claim('me'), await model.claim('me')] as const;
  for (let from = 0; from < STREAMS; from += AT_ONCE) {
    await store.append(appendsOf(epochs[0], from));
    await model.append(appendsOf(epochs[1], from));
  }
  // Some that the index knows are in the catalog again.
  const changed = [5, 8_999, 9_000].map((number) => `run:${number}`);
  for (const stream of changed)
    for (const [i, own] of [store, model].entries())
      await own.append([
        {
          ...{ stream, epoch: epochs[i] as number, expectedSeq: 1, versions: {}, uniqueKeys: [] },
          events: [{ type: 'Changed', seq: 2, at: 30_000 }],
        },
      ]);
  return { store, model };
}

describe('a listing of a file store', () => {
  it.each([
    ['in memory', 1 << 26],
    ['in an index on disk', 4_096],
  ])('given many streams %s, then who looks for few of them keeps nobody waiting', async (_, indexBytes) => {
    const { store, model } = await twins(indexBytes);
    const requests = [
      { prefix: '', attributes: { rare: true } },
      { prefix: 'run:', workflowId: 'w1', statuses: ['running'], attributes: { rare: true } },
      { prefix: '', attributes: { nowhere: 1 } },
      { prefix: '', startedFrom: 19_990 },
      { prefix: '', workflowId: 'w2', after: 'run:9000' },
    ];
    for (const request of requests) {
      let turns = 0;
      let isOver = false;
      const tick = (): void => {
        turns++;
        if (!isOver) setImmediate(tick);
      };
      setImmediate(tick);
      const page = await store.list({ ...request, limit: 5_000 });
      isOver = true;
      expect(page).toEqual(await model.list({ ...request, limit: 5_000 }));
      expect(turns).toBeGreaterThan(1);
    }
    await store.release('me');
  });
});
