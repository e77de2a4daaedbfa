/** The index of a file store: whatever becomes of it, the store says what its log says, and opening it reads little. */
import { basename } from 'node:path';
import type { EventStore, StreamAppend } from '@taskmaster-ai/orchestrator';
import { MemoryStore } from '@taskmaster-ai/orchestrator';
import type { FileStoreNotice } from '@taskmaster-ai/orchestrator/file';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FileStore } from '../../../src/adapters/file/file-store.ts';
import type { FileSystem, OpenFile } from '../../../src/adapters/file/file-system.ts';
import { type LoadedIndex, loadIndex } from '../../../src/adapters/file/index-file.ts';
import { readStoreId } from '../../../src/adapters/file/store-file.ts';
import { MemoryDisk } from '../../campaign/corrupt/memory-disk.ts';
import { rejection } from '../../support/errors.ts';
import { nextTurn } from '../../support/gate.ts';
import { seededRandom } from '../../support/seeded-random.ts';

const FOLDER = '/store';
const STATUSES = ['running', 'waiting', 'completed'];
const KEYS = ['one', 'two', 'three', '\ud800', '"'];

interface Sizes {
  readonly indexBytes?: number;
  readonly garbageBytes?: number;
  readonly indexBytesMax?: number;
  readonly copyBytesMax?: number;
}

function storeOn(files: FileSystem, notices: FileStoreNotice[] = [], sizes: Sizes = {}): FileStore {
  return new FileStore({
    ...{ files, folder: FOLDER, durability: 'power', leaseMs: 1_000, boot: 'first' },
    onNotice: (notice) => void notices.push(notice),
    ...{ segmentBytes: 4_096, pendingMax: 1_000, garbageBytes: 4_096, indexBytes: 4_096, ...sizes },
  });
}

const codeOf = (error: unknown): unknown => (error as { readonly code?: unknown }).code;
const indexesOn = (disk: MemoryDisk): string[] =>
  [...disk.names.keys()].filter((name) => name.startsWith(`${FOLDER}/index-`) && !name.endsWith('.tmp'));

/** The same done to a store and to a model of it. */
class Twins {
  disk = new MemoryDisk();
  store: FileStore;
  readonly notices: FileStoreNotice[] = [];
  readonly model = new MemoryStore();
  readonly names = new Set<string>();
  readonly checkpoints = new Set<string>();
  readonly #lasts = new Map<string, number>();
  readonly #keys = new Set<string>();
  readonly #random: () => number;
  #epoch = 0;
  #modelEpoch = 0;

  constructor(random: () => number) {
    this.#random = random;
    this.store = storeOn(this.disk, this.notices);
  }

  async open(): Promise<void> {
    this.#epoch = await this.store.claim('me');
    this.#modelEpoch ||= await this.model.claim('me');
  }

  async step(): Promise<void> {
    const chance = this.#random();
    if (chance < 0.55) await this.#append();
    else if (chance < 0.65) await this.#remove();
    else if (chance < 0.8) await this.#checkpoint();
    else if (chance < 0.86) await this.#dropCheckpoint();
    else if (chance < 0.88) await this.#compact();
    else if (chance < 0.92) await this.#reopen();
    else if (chance < 0.96) await this.#die();
    else await nextTurn();
  }

  async #append(): Promise<void> {
    const batch = new Map<string, Omit<StreamAppend, 'epoch'>>();
    const fresh = KEYS.filter((key) => !this.#keys.has(key) && this.#random() < 0.1);
    for (let i = 0; i < 1 + this.#random() * 4; i++) {
      const stream = `${this.#random() < 0.8 ? 'run:' : 'other:'}${Math.floor(this.#random() * 40)}`;
      const last = this.#lasts.get(stream) ?? 0;
      const count = Math.floor(this.#random() * 4);
      const events = Array.from({ length: count || (last === 0 ? 1 : 0) }, (_, at) => ({
        ...{ type: `T${at}`, seq: last + at + 1, at: 1_000 + last + at + 0.5, text: 'x'.repeat(60) },
      }));
      const facts = {
        ...{ workflowId: `w${Math.floor(this.#random() * 3)}`, startedAt: Math.floor(this.#random() * 9) },
        status: STATUSES[Math.floor(this.#random() * 3)] as string,
        ...(this.#random() < 0.5 ? { attributes: { place: 'here', '"': this.#random() < 0.5 } } : undefined),
      };
      if (batch.has(stream)) continue;
      batch.set(stream, {
        ...{ stream, expectedSeq: last, events, versions: {} },
        ...(this.#random() < 0.7 ? { facts } : undefined),
        uniqueKeys: batch.size === 0 ? fresh : [],
      });
    }
    const all = [...batch.values()];
    await this.#both((store, epoch) => store.append(all.map((append) => ({ ...append, epoch }))));
    for (const key of fresh) this.#keys.add(key);
    for (const { stream, expectedSeq, events } of all) {
      this.names.add(stream);
      this.#lasts.set(stream, expectedSeq + events.length);
    }
  }

  async #remove(): Promise<void> {
    const some = [...this.names].filter(() => this.#random() < 0.2);
    // Which keys went with them, only the model knows.
    await this.#both((store) => store.remove(some));
    for (const name of some) this.#lasts.delete(name);
    for (const key of [...this.#keys]) if (this.model.findKey(key) === undefined) this.#keys.delete(key);
  }

  async #checkpoint(): Promise<void> {
    const stream = `run:${Math.floor(this.#random() * 45)}`;
    const id = `${stream}/${Math.floor(this.#random() * 3)}`;
    const record = { id, stream, seq: 1, at: 5, schemaVersion: 1, payload: { text: 'y'.repeat(200) } };
    this.names.add(stream);
    this.checkpoints.add(id);
    await this.#both((store, epoch) => store.saveCheckpoint?.(record, epoch));
  }

  async #dropCheckpoint(): Promise<void> {
    const [id] = [...this.checkpoints].filter(() => this.#random() < 0.2);
    if (id !== undefined) await this.#both((store) => store.removeCheckpoint?.(id));
  }

  /** What is done meanwhile changes what it copies. */
  async #compact(): Promise<void> {
    const compacting = this.store.compact().catch((error: unknown) => {
      if (codeOf(error) !== 'STORE_CONFLICT') throw error;
    });
    for (let steps = this.#random() * 4; steps > 1; steps--) {
      const chance = this.#random();
      if (chance < 0.5) await this.#append();
      else if (chance < 0.75) await this.#remove();
      else if (chance < 0.95) await this.#checkpoint();
      else await this.#reopen();
    }
    await compacting;
  }

  async #reopen(): Promise<void> {
    await this.store.release('me');
    await this.open();
  }

  /** What its owner had under way is cut off. */
  async #die(): Promise<void> {
    const { store } = this;
    this.disk = this.disk.copy();
    this.disk.now += 3_600_000;
    await store.release('me');
    this.store = storeOn(this.disk, this.notices);
    await this.open();
  }

  async #both(act: (store: EventStore, epoch: number) => unknown): Promise<void> {
    await act(this.store, this.#epoch);
    await act(this.model, this.#modelEpoch);
  }
}

/** All that can be asked of a store, by the question. */
async function told(store: EventStore, names: ReadonlySet<string>, checkpoints: ReadonlySet<string>) {
  const said: Record<string, unknown> = {};
  const list = async (request: Omit<Parameters<EventStore['list']>[0], 'limit'>): Promise<void> => {
    const about = JSON.stringify(request);
    said[about] = await store.list({ ...request, limit: 1_000 });
    const paged: unknown[] = [];
    for (let after: string | undefined; ; ) {
      const page = await store.list({ ...request, limit: 3, ...(after === undefined ? {} : { after }) });
      paged.push(...page);
      if (page.length < 3) break;
      after = page.at(-1)?.stream;
    }
    said[`${about} by pages`] = paged;
  };
  for (const prefix of ['', 'run:', 'run:1', 'nobody']) await list({ prefix });
  for (const statuses of [['running'], ['completed', 'waiting'], ['none']])
    await list({ prefix: '', statuses });
  await list({ prefix: 'run:', workflowId: 'w1', startedFrom: 3, startedBefore: 7 });
  await list({ prefix: '', workflowId: 'w7' });
  await list({ prefix: '', attributes: { place: 'here', '"': true } });
  for (const key of KEYS) said[`key ${key}`] = await store.findKey(key);
  for (const stream of [...names, 'run:none']) {
    for (const fromSeq of [1, 3, 9])
      said[`${stream} from ${fromSeq}`] = await store.read({ stream, fromSeq, limit: 4 });
    said[`checkpoints of ${stream}`] = await store.listCheckpoints?.(stream);
  }
  for (const id of checkpoints) said[`checkpoint ${id}`] = await store.loadCheckpoint?.(id);
  return said;
}

describe('an index', () => {
  it('given any history, with deaths, then the store says what its model says, with its index and without', async () => {
    const seen = { loaded: 0 };
    await fc.assert(
      fc.asyncProperty(fc.integer(), async (seed) => {
        const twins = new Twins(seededRandom(seed));
        await twins.open();
        for (let i = 0; i < 120; i++) await twins.step();
        const { names, checkpoints, model } = twins;
        const expected = await told(model, names, checkpoints);
        expect(await told(twins.store, names, checkpoints)).toEqual(expected);
        await twins.store.release('me');
        seen.loaded += indexesOn(twins.disk).length;
        // Nobody has claimed it: each question opens it anew.
        expect(await told(storeOn(twins.disk), names, checkpoints)).toEqual(expected);
        for (const name of indexesOn(twins.disk)) twins.disk.names.delete(name);
        expect(await told(storeOn(twins.disk), names, checkpoints)).toEqual(expected);
        // What is under way when the store is given back is given up.
        const failed = twins.notices.filter(
          (notice) => 'error' in notice && codeOf(notice.error) !== 'STORE_CONFLICT',
        );
        expect(failed).toEqual([]);
      }),
      { numRuns: 8 },
    );
    expect(seen.loaded).toBeGreaterThan(4);
  });

  it('given damage anywhere in it, then it is passed over, and the log says the same', async () => {
    const { disk, names } = await filled(60);
    const [file] = indexesOn(disk) as [string];
    const { bytes } = disk.names.get(file) ?? { bytes: Buffer.alloc(0) };
    const before = await told(storeOn(disk), names, new Set());
    const damages = Array.from({ length: 60 }, (_, i) => Math.floor((i / 60) * bytes.length));
    for (const at of damages)
      for (const change of ['flip', 'cut'] as const) {
        const copy = disk.copy();
        const turned = Buffer.from(bytes);
        turned.writeUInt8(turned.readUInt8(at) ^ 4, at);
        copy.put(file, change === 'flip' ? turned : bytes.subarray(0, at));
        const notices: FileStoreNotice[] = [];
        const store = storeOn(copy, notices);
        await store.claim('me');
        expect(await told(store, names, new Set())).toEqual(before);
        expect(notices).toEqual([{ type: 'IndexIgnored', file: file.slice(FOLDER.length + 1) }]);
        expect(indexesOn(copy)).not.toContain(file);
        await store.release('me');
      }
  });

  it('given one that the system does not let anybody read, then it is passed over, and the log says the same', async () => {
    const { disk, names } = await filled(60);
    const before = await told(storeOn(disk), names, new Set());
    for (const code of ['EIO', 'EACCES', 'EISDIR']) {
      const copy = disk.copy();
      const [file] = indexesOn(copy) as [string];
      const files = over<FileSystem>(copy, {
        open: async (path: string, mode: 'read' | 'write' | 'create') => {
          if (path === file) throw Object.assign(new Error('refused'), { code });
          return copy.open(path, mode);
        },
      });
      const notices: FileStoreNotice[] = [];
      const store = storeOn(files, notices);
      await store.claim('me');
      expect(await told(store, names, new Set())).toEqual(before);
      expect(notices).toEqual([{ type: 'IndexIgnored', file: file.slice(FOLDER.length + 1) }]);
      await store.release('me');
    }
  });

  it('given that of another store, then it is passed over', async () => {
    const [mine, other] = [await filled(60), await filled(70)];
    const [file] = indexesOn(mine.disk) as [string];
    const before = await told(storeOn(mine.disk), mine.names, new Set());
    const [foreign] = indexesOn(other.disk) as [string];
    mine.disk.put(file, other.disk.names.get(foreign)?.bytes as Buffer);
    expect(await told(storeOn(mine.disk), mine.names, new Set())).toEqual(before);
  });

  it('given an owner that had lost the store, then what his index knows and nobody acknowledged is not there', async () => {
    const { disk } = await filled(60);
    const lost = storeOn(disk);
    const epoch = await lost.claim('lost');
    await lost.append([appendOf(epoch, 'kept')]);
    const taken = disk.copy();
    taken.now += 3_600_000;
    // On its own copy of the disk it goes on, as if nobody had taken the store over.
    await lost.append([appendOf(epoch, 'never', 5_000)]);
    await lost.release('lost');
    const [theirs] = indexesOn(disk).sort().reverse() as [string];
    expect(theirs).toContain(`index-${String(epoch).padStart(10, '0')}`);
    const next = storeOn(taken, [], { indexBytes: 1_000_000 });
    await next.append([appendOf(await next.claim('next'), 'later')]);
    await next.release('next');
    for (const [path, { bytes }] of disk.names)
      if (path === theirs || path.endsWith(`${String(epoch).padStart(10, '0')}-000000.log`))
        taken.put(path, bytes);
    for (const known of [true, false]) {
      if (!known) for (const name of indexesOn(taken)) taken.names.delete(name);
      const names = (await storeOn(taken).list({ prefix: '', limit: 1_000 })).map(({ stream }) => stream);
      expect(names.slice(-2)).toEqual(['kept', 'later']);
    }
  });

  it('given a covered segment that is cut, then it is refused with the place', async () => {
    const { disk } = await filled(60);
    const [path, { bytes }] = [...disk.names].find(([name]) => name.endsWith('.log')) as [
      string,
      { bytes: Buffer },
    ];
    disk.put(path, bytes.subarray(0, bytes.length - 1));
    const error = await rejection(storeOn(disk).claim('me') as Promise<number>);
    expect(error).toMatchObject({
      code: 'STORE_CORRUPT',
      details: { file: path.slice(FOLDER.length + 1), offset: bytes.length - 1, seq: expect.any(Number) },
    });
  });

  it('given ten times as many streams, then opening reads no more of the log, and the unfinished are found in as many steps', async () => {
    const read: number[] = [];
    for (const count of [300, 3_000]) {
      const { disk } = await filled(count);
      let bytes = 0;
      const files = over<FileSystem>(disk, {
        open: async (path: string, mode: 'read' | 'write' | 'create') => {
          const file = await disk.open(path, mode);
          const reading: typeof file.read = async (into, position) => {
            const done = await file.read(into, position);
            if (path.endsWith('.log')) bytes += done;
            return done;
          };
          return over<OpenFile>(file, { read: reading });
        },
      });
      const store = storeOn(files);
      await store.claim('me');
      expect(await store.list({ prefix: '', statuses: ['running'], limit: 100 })).toHaveLength(3);
      read.push(bytes);
      await store.release('me');
    }
    // What is not covered is less than an index is written for.
    expect(Math.max(...read)).toBeLessThan(8_192 + 4_096);
  });

  it('given a disk that refuses it, then a notice says so, appends go on, and it is tried again later', async () => {
    const disk = new MemoryDisk();
    let isRefused = true;
    const files = over<FileSystem>(disk, {
      rename: async (from: string, to: string) => {
        if (isRefused && to.includes('index-')) throw Object.assign(new Error('refused'), { code: 'EACCES' });
        await disk.rename(from, to);
      },
    });
    const notices: FileStoreNotice[] = [];
    const store = storeOn(files, notices);
    const epoch = await store.claim('me');
    for (let i = 0; i < 100; i++) await store.append([appendOf(epoch, `s${i}`)]);
    await quiet();
    expect(notices.length).toBeGreaterThan(0);
    expect(notices.length).toBeLessThan(10);
    for (const notice of notices)
      expect(notice).toMatchObject({ type: 'IndexFailed', error: { code: 'STORE_UNAVAILABLE' } });
    expect([...disk.names.keys()].filter((name) => name.endsWith('.tmp'))).toEqual([]);
    isRefused = false;
    for (let i = 100; i < 200; i++) await store.append([appendOf(epoch, `s${i}`)]);
    await quiet();
    expect(indexesOn(disk)).toHaveLength(1);
    await store.release('me');
    expect(await storeOn(disk).list({ prefix: '', limit: 1_000 })).toHaveLength(200);
  });
});

describe('an index of a large store', () => {
  it('given one that would become too long, then a notice says so once, none is written, and nothing is lost', async () => {
    const disk = new MemoryDisk();
    const notices: FileStoreNotice[] = [];
    const store = storeOn(disk, notices, { indexBytesMax: 8_192 });
    const epoch = await store.claim('me');
    const begin = async (from: number, to: number): Promise<void> => {
      for (let i = from; i < to; i++) await store.append([appendOf(epoch, `run:${i}`)]);
      await quiet();
    };
    await begin(0, 40);
    expect(indexesOn(disk)).toHaveLength(1);
    for (let from = 40; from < 400; from += 90) await begin(from, from + 90);
    expect(notices).toMatchObject([{ type: 'IndexFailed', error: { code: 'LIMIT_EXCEEDED' } }]);
    expect(notices).toMatchObject([{ error: { details: { allowed: 'at most 8192' } } }]);
    for (const { bytes } of indexesOn(disk).map((name) => disk.names.get(name) as { bytes: Buffer }))
      expect(bytes.length).toBeLessThan(8_192 + 4_096);
    // What is left has room again.
    await store.remove(Array.from({ length: 390 }, (_, i) => `run:${i}`));
    await store.compact();
    await begin(400, 440);
    expect(notices.filter(({ type }) => type === 'IndexFailed')).toHaveLength(1);
    await store.release('me');
    expect(indexesOn(disk)).toHaveLength(1);
    const again = storeOn(disk);
    await again.claim('me');
    expect(await again.list({ prefix: '', limit: 1_000 })).toHaveLength(50);
    await again.release('me');
  });

  it('given names that all begin with another word, then a listing looks at as few sections as any', async () => {
    const disk = new MemoryDisk();
    const store = storeOn(disk);
    const epoch = await store.claim('me');
    for (let i = 0; i < 300; i++) await store.append([appendOf(epoch, `tenant${i}:${i}`)]);
    await quiet();
    await store.release('me');
    const [file] = indexesOn(disk) as [string];
    const { meta } = (await loadIndex(disk, FOLDER, basename(file), await storeIdOn(disk))) as LoadedIndex;
    expect(meta.rows).toBeGreaterThan(200);
    expect(meta.sections.length).toBeLessThan(70);
    const listed = await storeOn(disk).list({ prefix: 'tenant29', limit: 1_000 });
    expect(listed.map(({ stream }) => stream)).toEqual([
      'tenant29:29',
      ...Array.from({ length: 10 }, (_, i) => `tenant29${i}:29${i}`),
    ]);
  });
});

describe('a stream that begins with facts and no records', () => {
  it('is listed once, when it has some, with these facts', async () => {
    const disk = new MemoryDisk();
    const store = storeOn(disk);
    const epoch = await store.claim('me');
    const facts = { workflowId: 'w', status: 'running', startedAt: 1 };
    await store.append([{ ...appendOf(epoch, 'late'), events: [], facts }]);
    const asked = { prefix: '', limit: 10, statuses: ['running'] };
    expect(await store.list(asked)).toEqual([]);
    await store.append([appendOf(epoch, 'late')]);
    for (const listing of [store, storeOn(disk)]) {
      expect(await listing.list(asked)).toMatchObject([{ stream: 'late', lastSeq: 1, facts }]);
      expect(await listing.list({ prefix: '', limit: 10 })).toHaveLength(1);
    }
    await store.release('me');
  });
});

describe('a compaction', () => {
  it('given a disk that does not let it remove what it has copied, then the index is written anew all the same', async () => {
    const disk = new MemoryDisk();
    let isRefused = false;
    const files = over<FileSystem>(disk, {
      remove: async (path: string) => {
        if (isRefused && path.endsWith('.log')) throw Object.assign(new Error('refused'), { code: 'EACCES' });
        await disk.remove(path);
      },
    });
    const store = storeOn(files);
    const epoch = await store.claim('me');
    for (let i = 0; i < 200; i++) await store.append([appendOf(epoch, `run:${i}`)]);
    await quiet();
    isRefused = true;
    expect(await rejection(store.compact())).toMatchObject({ code: 'STORE_UNAVAILABLE' });
    isRefused = false;
    await store.release('me');
    const notices: FileStoreNotice[] = [];
    const again = storeOn(disk, notices);
    await again.claim('me');
    expect(notices).toEqual([]);
    expect(indexesOn(disk)).toHaveLength(1);
    expect(await again.list({ prefix: '', limit: 1_000 })).toHaveLength(200);
    await again.release('me');
  });

  it('given more that is needed than fits into one file, then it is refused, and what there is goes on', async () => {
    const disk = new MemoryDisk();
    const notices: FileStoreNotice[] = [];
    const store = storeOn(disk, notices, { copyBytesMax: 8_192, garbageBytes: 8_192 });
    const epoch = await store.claim('me');
    for (let i = 0; i < 300; i++) await store.append([appendOf(epoch, `run:${i}`)]);
    expect(await rejection(store.compact())).toMatchObject({
      code: 'LIMIT_EXCEEDED',
      message: expect.stringMatching(
        /^compaction: found \d+ bytes that are still needed; allowed: at most 8192/,
      ),
    });
    const remove = (from: number, to: number): Promise<void> =>
      store.remove(Array.from({ length: to - from }, (_, i) => `run:${from + i}`));
    await remove(0, 250);
    await quiet();
    const told = notices.map(({ type }) => type);
    expect(told.filter((type) => type === 'CompactionFailed').length).toBeLessThan(2);
    await remove(250, 299);
    await store.compact();
    expect(notices.at(-1)).toMatchObject({ type: 'Compacted' });
    expect(await store.list({ prefix: '', limit: 10 })).toMatchObject([{ stream: 'run:299' }]);
    await store.release('me');
  });

  it('given a disk that refuses it, then it is tried again only when there is more garbage', async () => {
    const disk = new MemoryDisk();
    let tries = 0;
    const files = over<FileSystem>(disk, {
      rename: async (from: string, to: string) => {
        if (from.includes('compaction-')) {
          tries++;
          throw Object.assign(new Error('refused'), { code: 'EACCES' });
        }
        await disk.rename(from, to);
      },
    });
    const notices: FileStoreNotice[] = [];
    const store = storeOn(files, notices, { garbageBytes: 16_384 });
    const epoch = await store.claim('me');
    for (let i = 0; i < 400; i++) {
      await store.append([appendOf(epoch, `run:${i}`, 200)]);
      if (i >= 5) await store.remove([`run:${i - 5}`]);
      if (i % 20 === 0) await quiet();
    }
    await quiet();
    expect(tries).toBeGreaterThan(2);
    expect(tries).toBeLessThan(20);
    expect(notices.filter(({ type }) => type === 'CompactionFailed')).toHaveLength(tries);
    expect([...disk.names.keys()].filter((name) => name.endsWith('.tmp'))).toEqual([]);
    expect(await store.list({ prefix: '', limit: 10 })).toHaveLength(5);
    await store.release('me');
  });

  it('given a stream whose last records stand behind what is compacted, and that was removed, then the log can be read', async () => {
    const disk = new MemoryDisk();
    const store = storeOn(disk, [], { indexBytes: 1_000_000, garbageBytes: 1_000_000 });
    const epoch = await store.claim('me');
    await store.append([appendOf(epoch, 'removed'), appendOf(epoch, 'kept')]);
    await store.append([appendOf(epoch, 'long', 5_000)]);
    // In the segment that grows, behind the one that is compacted.
    await store.append([
      { ...appendOf(epoch, 'removed'), expectedSeq: 1, events: [{ type: 'T', seq: 2, at: 2 }] },
    ]);
    const whole = disk.copy();
    await store.remove(['removed']);
    await store.compact();
    const listed = (from: MemoryDisk) =>
      storeOn(from)
        .list({ prefix: '', limit: 10 })
        .then((all) => all.map(({ stream, lastSeq }) => [stream, lastSeq]));
    expect(await listed(disk)).toEqual([
      ['kept', 1],
      ['long', 1],
    ]);
    expect(await listed(whole)).toHaveLength(3);
    await store.release('me');
  });
});

function appendOf(epoch: number, stream: string, length = 60) {
  return {
    ...{
      stream,
      epoch,
      expectedSeq: 0,
      versions: {},
      events: [{ type: 'T', seq: 1, at: 1, text: 'x'.repeat(length) }],
    },
  };
}

/** A store that was given back with an index, and whose streams have ended but three. */
async function filled(
  count: number,
): Promise<{ readonly disk: MemoryDisk; readonly names: ReadonlySet<string> }> {
  const disk = new MemoryDisk();
  const store = storeOn(disk);
  const epoch = await store.claim('me');
  const names = Array.from({ length: count }, (_, i) => `run:${i}`);
  for (const [i, stream] of names.entries()) {
    const facts = { workflowId: 'w', status: i % (count / 3) === 0 ? 'running' : 'completed', startedAt: i };
    await store.append([{ ...appendOf(epoch, stream), facts }]);
  }
  await quiet();
  await store.release('me');
  return { disk, names: new Set(names) };
}

/** Until what was begun in the background has ended. */
async function quiet(): Promise<void> {
  for (let i = 0; i < 100; i++) await nextTurn();
}

async function storeIdOn(disk: MemoryDisk): Promise<string> {
  return (await readStoreId(disk, FOLDER)) as string;
}

/** The same with something else in the place of some of its methods. */
function over<Target extends object>(target: Target, changes: Partial<Target>): Target {
  return new Proxy(target, {
    get: (_, name) => {
      const value = (changes as Record<PropertyKey, unknown>)[name] ?? Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
