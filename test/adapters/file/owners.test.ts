/** Who may write to a file store, and what becomes of it on a disk that fails. Some ids are those of the catalogue of bad input. */
import { cpSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { defineWorkflow, Orchestrator, task } from '@taskmaster-ai/orchestrator';
import { type FileStoreNotice, fileStore } from '@taskmaster-ai/orchestrator/file';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FileStore } from '../../../src/adapters/file/file-store.ts';
import { type FileSystem, nodeFileSystem } from '../../../src/adapters/file/file-system.ts';
import { isKnownDead, thisProcess } from '../../../src/adapters/this-process.ts';
import { fileStoreOn, fillingUp, osError } from '../../support/broken-stores.ts';
import { rejection } from '../../support/errors.ts';
import { framesOf } from '../../support/file-logs.ts';
import { scratch } from '../../support/sqlite.ts';

let place: ReturnType<typeof scratch>;
let folder: string;
beforeEach(() => {
  place = scratch();
  folder = place.file('store');
});
afterEach(() => place.remove());

const TEXT = 'x'.repeat(900);
const append = (epoch: number, stream: string, seq = 1) => [
  { stream, expectedSeq: seq - 1, epoch, events: [{ type: 'T', seq, at: 1, text: TEXT }], versions: {} },
];
const smallOn = (files: FileSystem, onNotice: (notice: FileStoreNotice) => void = () => {}): FileStore =>
  new FileStore({
    ...{ files, folder, durability: 'power', leaseMs: 1_000, onNotice },
    ...{ segmentBytes: 4_096, pendingMax: 100, garbageBytes: 1_048_576, indexBytes: 4_096 },
  });

/** Lets the note of an owner say something else. */
function rewriteOwner(epoch: number, change: object): void {
  const path = join(folder, `owner-${String(epoch).padStart(10, '0')}.json`);
  writeFileSync(path, JSON.stringify({ ...(JSON.parse(readFileSync(path, 'utf8')) as object), ...change }));
}

/** Lets an owner have shown no sign of life for long. */
function silence(epoch: number): void {
  const path = join(folder, `owner-${String(epoch).padStart(10, '0')}.json`);
  const then = Date.now() / 1_000 - 3_600;
  utimesSync(path, then, then);
}

async function streams(store = fileStore(folder)): Promise<readonly string[]> {
  return (await store.list({ prefix: '', limit: 100 })).map(({ stream }) => stream);
}

describe('an owner that was replaced', () => {
  it('deletes no large outputs of a stream that it knows nothing of', async () => {
    const first = smallOn(nodeFileSystem);
    const epoch = await first.claim('first');
    rewriteOwner(epoch, { pid: 2 ** 22 + 1 });
    const second = smallOn(nodeFileSystem);
    const later = await second.claim('second');
    await second.saveBlob({ stream: 'new', id: 'b', bytes: new Uint8Array(9) }, later);
    await second.append(append(later, 'new'));
    expect((await rejection(first.remove(['new']))).code).toBe('STORE_FENCED');
    expect((await rejection(first.remove(['new'], epoch))).code).toBe('STORE_FENCED');
    expect(await second.loadBlob('new', 'b')).toHaveLength(9);
    await second.release('second');
    await first.release('first');
  });
});

describe('B13 an owner', () => {
  it.each([
    ['that lives: STORE_OWNED', {}, 'STORE_OWNED'],
    ['whose process is gone: replaced at once', { pid: 2 ** 22 + 1 }, undefined],
    ['whose number another process has: replaced at once', { started: '1' }, undefined],
    ['on another machine: STORE_OWNED until its lease is over', { host: 'elsewhere' }, 'STORE_OWNED'],
    ['of which nothing is known: STORE_OWNED until its lease is over', { machine: '' }, 'STORE_OWNED'],
  ])('%s', async (_, change, code) => {
    const first = smallOn(nodeFileSystem);
    const epoch = await first.claim('first');
    rewriteOwner(epoch, change);
    const second = smallOn(nodeFileSystem);
    if (code !== undefined) {
      expect((await rejection(second.claim('second'))).code).toBe(code);
      silence(epoch);
    }
    expect(await second.claim('second')).toBe(epoch + 1);
    expect((await rejection(first.append(append(epoch, 'a')))).code).toBe('STORE_FENCED');
    await second.release('second');
    await first.release('first');
  });

  it('is not known to be dead when its machine is not known, nor this one', () => {
    expect(isKnownDead({ ...thisProcess(), pid: 2 ** 22 + 1, machine: '' })).toBe(false);
  });

  it('B17 whose clock was ten years behind is replaced, and fenced', async () => {
    const first = smallOn(nodeFileSystem);
    const epoch = await first.claim('first');
    rewriteOwner(epoch, { host: 'elsewhere' });
    const path = join(folder, `owner-${String(epoch).padStart(10, '0')}.json`);
    utimesSync(path, Date.now() / 1_000 - 3e8, Date.now() / 1_000 - 3e8);
    const second = smallOn(nodeFileSystem);
    await second.append(append(await second.claim('second'), 'a'));
    expect((await rejection(first.append(append(epoch, 'a')))).code).toBe('STORE_FENCED');
    await second.release('second');
    await first.release('first');
  });

  it('B18 under whom an old copy was put in place is fenced', async () => {
    const store = smallOn(nodeFileSystem);
    await store.append(append(await store.claim('one'), 'old'));
    await store.release('one');
    cpSync(folder, `${folder}-copy`, { recursive: true });
    const epoch = await store.claim('two');
    await store.append(append(epoch, 'new'));
    rmSync(folder, { recursive: true });
    cpSync(`${folder}-copy`, folder, { recursive: true });
    expect((await rejection(store.append(append(epoch, 'lost')))).code).toBe('STORE_FENCED');
    await store.release('two').catch(() => {});
    expect(await streams()).toEqual(['old']);
  });

  it('whose files were lost is followed by a greater epoch, so that nothing is passed over', async () => {
    const store = smallOn(nodeFileSystem);
    for (const owner of ['one', 'two', 'three']) {
      await store.append(append(await store.claim(owner), owner));
      await store.release(owner);
    }
    for (const name of readdirSync(folder)) if (/^(owner|given)/.test(name)) rmSync(join(folder, name));
    await store.append(append(await store.claim('four'), 'four'));
    await store.release('four');
    expect(await streams()).toEqual(['one', 'two', 'three', 'four']);
  });

  it.each(['before', 'after'])(
    'that loses the store %s its copy has a name removes nothing',
    async (when) => {
      let takeOver: (() => Promise<void>) | undefined;
      const rename: FileSystem['rename'] = async (from, to) => {
        if (when === 'before') await takeOver?.();
        await nodeFileSystem.rename(from, to);
        if (when === 'after') await takeOver?.();
      };
      const first = smallOn({ ...nodeFileSystem, rename });
      const epoch = await first.claim('first');
      for (let i = 0; i < 12; i++) await first.append(append(epoch, `s${i}`));
      await first.remove(['s0', 's1', 's2']);
      const second = smallOn(nodeFileSystem);
      takeOver = async () => {
        silence(epoch);
        await second.claim('second');
      };
      rewriteOwner(epoch, { host: 'elsewhere' });
      expect((await rejection(first.compact())).code).toBe('STORE_FENCED');
      // The new owner reads what it has found.
      for (let i = 3; i < 12; i++)
        expect(await second.read({ stream: `s${i}`, fromSeq: 1, limit: 2 })).toHaveLength(1);
      await second.release('second');
      expect(await streams()).toHaveLength(9);
      await first.release('first');
    },
  );
});

describe('B20 a disk that is full', () => {
  it.each(['open', 'append', 'checkpoint', 'compaction'] as const)(
    'at %s: STORE_FULL, and nothing is lost',
    async (at) => {
      let isFull = at === 'open';
      const files = fillingUp(() => isFull);
      const store = smallOn(files);
      const full = async (work: Promise<unknown>): Promise<void> => {
        expect((await rejection(work)).code).toBe('STORE_FULL');
        isFull = false;
      };
      if (at === 'open') await full(store.claim('me'));
      const epoch = await store.claim('me');
      for (let i = 0; i < 12; i++) await store.append(append(epoch, `s${i}`));
      isFull = at !== 'open';
      if (at === 'append') await full(store.append(append(epoch, 'more')));
      if (at === 'checkpoint')
        await full(
          store.saveCheckpoint({ id: 'c', stream: 's1', seq: 1, at: 1, schemaVersion: 1, payload: 1 }, epoch),
        );
      if (at === 'compaction') await full(store.compact());
      await store.release('me');
      const again = await store.claim('me');
      await store.append(append(again, 'after'));
      await store.release('me');
      expect(await streams()).toHaveLength(13);
      expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
    },
  );
});

describe('a file store beside a compaction', () => {
  it('lets readers find what was moved while they read, with a claim and without', async () => {
    const store = smallOn(nodeFileSystem);
    const epoch = await store.claim('me');
    for (let i = 1; i <= 20; i++) await store.append(append(epoch, 'long', i));
    for (const isClaimed of [true, false]) {
      let isMoved = false;
      const open: FileSystem['open'] = async (path, mode) => {
        // The first segment is about to be read; now it goes.
        if (!isMoved && mode === 'read' && path.endsWith('.log')) {
          isMoved = true;
          await store.compact();
        }
        return nodeFileSystem.open(path, mode);
      };
      if (!isClaimed) {
        const reader = smallOn({ ...nodeFileSystem, open });
        expect(await reader.read({ stream: 'long', fromSeq: 1, limit: 100 })).toHaveLength(20);
      } else {
        const [records] = await Promise.all([
          store.read({ stream: 'long', fromSeq: 1, limit: 100 }),
          store.compact(),
        ]);
        expect(records).toHaveLength(20);
      }
    }
    await store.release('me');
  });

  it('removes the drafts that others have left behind', async () => {
    const store = smallOn(nodeFileSystem);
    await store.claim('me');
    await store.release('me');
    const id = '00000000-0000-4000-8000-000000000000';
    for (const kind of ['blob', 'claim', 'compaction', 'store'])
      writeFileSync(join(folder, `${kind}-${id}.tmp`), 'half');
    writeFileSync(join(folder, 'mine.tmp'), 'of somebody else');
    await store.claim('me');
    await store.release('me');
    expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual(['mine.tmp']);
  });

  it('tells what the system refuses a reader of blobs by a code', async () => {
    await smallOn(nodeFileSystem).claim('me');
    const open = (): Promise<never> => Promise.reject(osError('EIO'));
    const error = await rejection(fileStoreOn(folder, { ...nodeFileSystem, open }).loadBlob('a', 'b'));
    expect([error.code, error.details.osCode]).toEqual(['STORE_UNAVAILABLE', 'EIO']);
  });
});

it.each([
  ['B9 an event of no known type', 'EVENT_UNKNOWN', { type: 'Nonsense' }],
  ['B10 an end without a beginning', 'HISTORY_INVALID', { type: 'TaskCompleted', path: 'never', attempt: 1 }],
])('%s in the log of a run: %s for that run', async (_, code, event) => {
  const never = task('never', { run: () => 1 });
  const slow = task('slow', { run: ({ clock }) => clock.sleep('1h') });
  const both = defineWorkflow('both', { tasks: [slow, never] });
  const first = await Orchestrator.open({ store: fileStore(folder), workflows: [both] });
  const run = await first.manageWorkflow(both);
  run.settled().catch(() => {});
  await first.close({ grace: 0 });
  const store = fileStore(folder);
  const stream = `run:${run.runId}`;
  const epoch = await store.claim('forger');
  const seq = (await store.read({ stream, fromSeq: 1, limit: 1_000 })).length + 1;
  const forged = { ...event, runId: run.runId, seq, at: 1 };
  await store.append([{ stream, expectedSeq: seq - 1, epoch, events: [forged], versions: {} }]);
  await store.release('forger');
  const second = await Orchestrator.open({ store: fileStore(folder), workflows: [both] });
  const again = second.getRun(run.runId);
  expect((await again.settled()).error?.code).toBe(code);
  await second.close();
});

it('with durability os a log that was given back is on the disk, and its damage is told in every start of the machine', async () => {
  const make = (boot: string) =>
    new FileStore({
      ...{ files: nodeFileSystem, folder, durability: 'os', leaseMs: 1_000, onNotice: () => {} },
      ...{ segmentBytes: 4_096, pendingMax: 100, garbageBytes: 1_048_576, indexBytes: 4_096, boot },
    });
  const store = make('one');
  await store.append(append(await store.claim('me'), 'a'));
  await store.release('me');
  const file = readdirSync(folder).find((name) => name.endsWith('.log')) as string;
  const { offset } = framesOf(folder)[1] as ReturnType<typeof framesOf>[number];
  writeFileSync(join(folder, file), readFileSync(join(folder, file)).subarray(0, offset));
  for (const boot of ['one', 'two', ''])
    expect((await rejection(make(boot).claim('me'))).code).toBe('STORE_CORRUPT');
});
