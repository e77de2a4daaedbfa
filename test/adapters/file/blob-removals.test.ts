/** A removal of a stream with large outputs that is cut off at any moment: all of it is there afterwards, or none. */
import { existsSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileStore } from '@taskmaster-ai/orchestrator/file';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FileStore } from '../../../src/adapters/file/file-store.ts';
import { type FileSystem, nodeFileSystem } from '../../../src/adapters/file/file-system.ts';
import { scratch } from '../../support/sqlite.ts';

let place: ReturnType<typeof scratch>;
beforeEach(() => {
  place = scratch();
});
afterEach(() => place.remove());

const LEASE_MS = 1_000;
const storeOn = (folder: string, files: FileSystem): FileStore =>
  new FileStore({
    ...{ files, folder, durability: 'power', leaseMs: LEASE_MS, onNotice: () => {} },
    ...{ segmentBytes: 1_048_576, pendingMax: 100, garbageBytes: 1_048_576, indexBytes: 4_096 },
  });
const begun = (stream: string, epoch: number) => ({
  ...{ stream, expectedSeq: 0, epoch, versions: {} },
  events: [{ type: 'T', seq: 1, at: 1 }],
});

/** A file system that does so many things and then nothing more, as after the death of its process. */
function mortal(): { readonly files: FileSystem; dieAfter(count: number): void; isDead(): boolean } {
  let left = Number.POSITIVE_INFINITY;
  const living = <Given extends readonly unknown[], Value>(act: (...given: Given) => Promise<Value>) => {
    return async (...given: Given): Promise<Value> => {
      if (left <= 0) throw new Error('the process is dead');
      left--;
      return act(...given);
    };
  };
  const files = Object.fromEntries(
    Object.entries(nodeFileSystem).map(([name, act]) => [name, living(act as never)]),
  ) as unknown as FileSystem;
  return {
    files,
    dieAfter: (count) => {
      left = count;
    },
    isDead: () => left <= 0,
  };
}

/** What is there for the streams `gone` and `stays`, by another owner after the death of the one before. */
async function lookAgain(folder: string, epoch: number): Promise<object> {
  const long = new Date(Date.now() - 60_000);
  utimesSync(join(folder, `owner-${String(epoch).padStart(10, '0')}.json`), long, long);
  const next = fileStore(folder, { lease: LEASE_MS });
  await next.claim('next');
  const streams = (await next.list({ prefix: '', limit: 10 })).map(({ stream }) => stream);
  const blobs = await Promise.all([next.loadBlob('gone', 'b'), next.loadBlob('stays', 'b')]);
  await next.release('next');
  return {
    streams,
    blobs: blobs.map((bytes) => bytes?.length),
    folders: readdirSync(join(folder, 'blobs')).length,
    notes: readdirSync(folder).filter((name) => name.startsWith('removal-')),
  };
}

describe('a removal that is cut off', () => {
  it('given a death at any moment of it, then the next owner finds all of the stream or none, and no orphan', async () => {
    const before = { streams: ['gone', 'stays'], blobs: [9_000, 9_000], folders: 2, notes: [] };
    const after = { streams: ['stays'], blobs: [undefined, 9_000], folders: 1, notes: [] };
    const ends: object[] = [];
    for (let moment = 0; ; moment++) {
      const folder = place.file(`store-${moment}`);
      const { files, dieAfter, isDead } = mortal();
      const store = storeOn(folder, files);
      const epoch = await store.claim('first');
      for (const stream of ['gone', 'stays']) {
        await store.saveBlob({ stream, id: 'b', bytes: new Uint8Array(9_000) }, epoch);
        await store.append([begun(stream, epoch)]);
      }
      dieAfter(moment);
      const isRemoved = await store.remove(['gone']).then(
        () => true,
        () => false,
      );
      const wasCutOff = isDead();
      dieAfter(0);
      ends.push(await lookAgain(folder, epoch));
      await store.release('first').catch(() => {});
      if (isRemoved && !wasCutOff) break;
    }
    for (const end of ends) expect([before, after]).toContainEqual(end);
    expect(ends.at(0)).toEqual(before);
    expect(ends.at(-1)).toEqual(after);
    expect(ends.length).toBeGreaterThan(8);
  });

  it('given a note of it that is damaged, then the store opens, and the note goes', async () => {
    const folder = place.file('store');
    const first = fileStore(folder);
    await first.claim('first');
    await first.release('first');
    const note = join(folder, 'removal-00000000-0000-4000-8000-000000000000.json');
    writeFileSync(note, '["gon');
    const next = fileStore(folder);
    await next.claim('next');
    expect(existsSync(note)).toBe(false);
    await next.release('next');
  });
});
