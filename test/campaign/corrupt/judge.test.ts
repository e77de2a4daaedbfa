import { crc32 } from 'node:zlib';
import { beforeAll, describe, expect, it } from 'vitest';
import { ENTRY_HEADER_BYTES } from '../../../src/adapters/file/entries.ts';
import type { FileSystem } from '../../../src/adapters/file/file-system.ts';
import { EMPTY_END, FRAME_HEADER_BYTES, saltOf, sealFrame } from '../../../src/adapters/file/frame.ts';
import { OrchestratorError } from '../../../src/model/errors.ts';
import { seededRandom } from '../../support/seeded-random.ts';
import { buildDisks, crashes, FOLDER, flips, openFileStore, storeOn, truncations } from './classes.ts';
import { crashStates } from './crash-states.ts';
import { Judge, type OpenStore } from './judge.ts';
import { MemoryDisk } from './memory-disk.ts';
import { STEPS, type Store } from './story.ts';

const ALL = STEPS.length;
const SOUND = { atLeast: ALL, atMost: ALL, mayRefuse: false, isThorough: true };
const DAMAGED = { ...SOUND, mayRefuse: true, isThorough: false };

let closed: MemoryDisk;
beforeAll(async () => {
  ({ closed } = await buildDisks());
});

/** Some calls of a store, done otherwise. */
function changed(store: Store, calls: Partial<Store>): Store {
  return new Proxy(store, {
    get: (target, key) => {
      const other = calls[key as keyof Store];
      const found: unknown = other ?? Reflect.get(target, key, target);
      return typeof found === 'function' ? found.bind(other === undefined ? target : undefined) : found;
    },
  });
}

function segmentsOf(disk: MemoryDisk): readonly string[] {
  return [...disk.names.keys()].filter((path) => path.endsWith('.log')).sort();
}

/** Writes every checksum anew over whatever stands there, as if nobody looked at them. */
function sealAnew(disk: MemoryDisk): void {
  const { id } = JSON.parse(closed.names.get(`${FOLDER}/store.json`)?.bytes.toString() ?? '') as {
    readonly id: string;
  };
  for (const path of segmentsOf(disk)) {
    const bytes = Buffer.from(disk.names.get(path)?.bytes ?? []);
    let end = EMPTY_END;
    while (end.offset + FRAME_HEADER_BYTES < bytes.length) {
      const until = end.offset + FRAME_HEADER_BYTES + bytes.readUInt32LE(end.offset + 4);
      if (until > bytes.length) break;
      const frame = bytes.subarray(end.offset, until);
      for (let at = FRAME_HEADER_BYTES; at + ENTRY_HEADER_BYTES <= frame.length; ) {
        const last = Math.min(frame.length, at + ENTRY_HEADER_BYTES + frame.readUInt32LE(at + 4));
        frame.writeUInt32LE(crc32(frame.subarray(at + 4, last)), at);
        at = last;
      }
      end = sealFrame(frame, end, frame.readUInt32LE(16), saltOf(id, path.slice(FOLDER.length + 1)));
    }
    disk.put(path, bytes);
  }
}

const ignoringChecksums: OpenStore = (disk) => {
  sealAnew(disk);
  return openFileStore(disk);
};

/** Takes what stands before a damage, and says nothing of the rest. */
const droppingTails: OpenStore = (disk) => {
  const store = openFileStore(disk);
  const claim: Store['claim'] = async (owner) => {
    for (const path of disk.names.keys()) if (path.includes('/anchor-')) disk.names.delete(path);
    for (let look = 1; ; look++)
      try {
        return await store.claim(owner);
      } catch (error) {
        if (!OrchestratorError.is(error, 'STORE_CORRUPT') || look > 20) throw error;
        const { file, offset } = error.details as { readonly file: string; readonly offset: number };
        const damaged = disk.names.get(`${FOLDER}/${file}`);
        if (damaged === undefined) throw error;
        disk.put(`${FOLDER}/${file}`, damaged.bytes.subarray(0, offset));
        for (const path of segmentsOf(disk)) if (path > `${FOLDER}/${file}`) disk.names.delete(path);
      }
  };
  return changed(store, { claim });
};

/** Says that the disk has something without having asked it. */
const neverSyncing: OpenStore = (disk) => {
  const open: FileSystem['open'] = async (path, mode) => {
    const file = await disk.open(path, mode);
    file.sync = async () => {};
    return file;
  };
  const files = Object.fromEntries(
    (['facts', 'list', 'makeFolder', 'rename', 'link', 'remove', 'removeFolder', 'syncFolder'] as const).map(
      (name) => [name, (disk[name] as (...given: unknown[]) => unknown).bind(disk)],
    ),
  );
  return storeOn({ ...files, open } as unknown as FileSystem);
};

describe('the judge of the campaign of damages', () => {
  it('finds nothing wrong with a store that is whole', async () => {
    const judge = new Judge('whole', openFileStore);
    await judge.judge(closed.copy(), SOUND, 'as it is');
    expect(judge.shown).toEqual([]);
    expect(judge.counts).toBe('3 whole');
  });

  it('finds what a reader tells that ignores checksums', async () => {
    const judge = new Judge('ignores checksums', ignoringChecksums);
    await flips(judge, closed, 97);
    expect(judge.shown.some((text) => text.startsWith('invented'))).toBe(true);
  });

  it('finds what a reader has lost that drops the tail silently', async () => {
    const judge = new Judge('drops tails', droppingTails);
    await truncations(judge, closed, 500);
    expect(judge.shown.some((text) => text.startsWith('loss'))).toBe(true);
  });

  it('finds what a writer has lost that does not wait for the disk', async () => {
    const judge = new Judge('never syncs', openFileStore);
    await crashes(judge, 'power', seededRandom(1), neverSyncing);
    expect(judge.counts).toContain('VIOLATION');
  });

  it.each([
    ['crash', { claim: () => Promise.reject(new TypeError('of undefined')) }],
    ['hang', { claim: () => new Promise<number>(() => {}) }],
    ['vague', { read: () => Promise.reject(new OrchestratorError('STORE_CORRUPT', 'somewhere')) }],
    ['loss', { findKey: (): Promise<undefined> => Promise.resolve(undefined) }],
    ['loss', { loadBlob: (): Promise<undefined> => Promise.resolve(undefined) }],
    ['invented', { findKey: (): Promise<string> => Promise.resolve('nobody') }],
    ['invented', { loadBlob: () => Promise.resolve(Uint8Array.of(1)) }],
  ] as const)('finds a store that ends in: %s', async (kind, calls) => {
    const judge = new Judge(kind, (disk) => changed(openFileStore(disk), calls), 50);
    await judge.judge(closed.copy(), DAMAGED, 'as it is');
    expect(judge.shown.map((text) => text.split(':')[0])).toContain(kind);
    expect(judge.violations).toBeGreaterThan(0);
  });

  it('finds a refusal of what is only the end of a crash, and a store that does not go on', async () => {
    const refusing = new Judge('refuses', (disk) =>
      changed(openFileStore(disk), {
        claim: () => Promise.reject(new OrchestratorError('STORE_FORMAT', 'no')),
      }),
    );
    await refusing.judge(closed.copy(), SOUND, 'as it is');
    expect(refusing.shown[0]).toMatch(/^refused/);
    const stuck = new Judge('stuck', (disk) =>
      changed(openFileStore(disk), {
        append: () => Promise.reject(new OrchestratorError('STORE_UNAVAILABLE', 'no')),
      }),
    );
    await stuck.judge(closed.copy(), SOUND, 'as it is');
    expect(stuck.shown[0]).toMatch(/^stuck/);
  });
});

describe('the states that a crash can leave', () => {
  it('have every part of what was not synced, and all that was', async () => {
    const disk = new MemoryDisk();
    const base = disk.copy();
    disk.operations = [];
    const file = await disk.open('/a', 'create');
    await file.write(Buffer.from('one'), 0);
    await file.sync();
    await disk.syncFolder('/');
    await file.write(Buffer.from('two'), 3);
    const ends = new Set<string | undefined>();
    for (const { disk: state, about } of crashStates(disk.operations, base, seededRandom(1)))
      if (/operation 5/.test(about)) ends.add(state.names.get('/a')?.bytes.toString());
    expect(ends).toEqual(new Set(['one', 'onet', 'onetw', 'onetwo']));
  });

  it('may have a name without its content, and a content without its name', async () => {
    const disk = new MemoryDisk();
    const base = disk.copy();
    disk.operations = [];
    const file = await disk.open('/draft', 'create');
    await file.write(Buffer.from('x'), 0);
    await disk.rename('/draft', '/whole');
    const ends = new Set<string>();
    for (const { disk: state } of crashStates(disk.operations, base, seededRandom(1)))
      ends.add([...state.names].map(([path, { bytes }]) => `${path}=${bytes}`).join());
    expect(ends).toEqual(new Set(['', '/draft=', '/draft=x', '/whole=x', '/whole=']));
  });
});
