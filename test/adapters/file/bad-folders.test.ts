/** What a file store says of folders that are damaged, foreign or forged. The ids are those of the catalogue of bad input. */
import {
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { OrchestratorError } from '@taskmaster-ai/orchestrator';
import { type FileStoreNotice, fileStore } from '@taskmaster-ai/orchestrator/file';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { nodeFileSystem } from '../../../src/adapters/file/file-system.ts';
import { fileStoreOn, osError } from '../../support/broken-stores.ts';
import { rejection } from '../../support/errors.ts';
import { forge, framesOf, newestSegment, reorder } from '../../support/file-logs.ts';
import { scratch } from '../../support/sqlite.ts';

let place: ReturnType<typeof scratch>;
let folder: string;
beforeEach(() => {
  place = scratch();
  folder = place.file('store');
});
afterEach(() => place.remove());

const append = (epoch: number, seq: number) => [
  {
    stream: 'a',
    expectedSeq: seq - 1,
    epoch,
    events: [{ type: 'T', seq, at: seq, text: `${seq} ${'x'.repeat(50)}` }],
    versions: {},
  },
];

/** A store with three events, given back or as a death of its process leaves it. */
async function filled(how: 'given back' | 'dead', at = folder): Promise<void> {
  const live = `${at}-live`;
  const store = fileStore(live);
  const epoch = await store.claim('before');
  for (let seq = 1; seq <= 3; seq++) await store.append(append(epoch, seq));
  await store.saveCheckpoint({ id: 'c', stream: 'a', seq: 3, at: 1, schemaVersion: 1, payload: 7 }, epoch);
  if (how === 'given back') await store.release('before');
  cpSync(live, at, { recursive: true });
  if (how === 'dead') await store.release('before');
  // A number that no process has.
  const owner = join(at, 'owner-0000000001.json');
  const record = JSON.parse(readFileSync(owner, 'utf8')) as object;
  if (how === 'dead') writeFileSync(owner, JSON.stringify({ ...record, pid: 2 ** 22 + 1 }));
  rmSync(live, { recursive: true });
}

const refused = (at = folder): Promise<OrchestratorError> => rejection(fileStore(at).claim('me'));

async function seqs(at = folder): Promise<readonly number[]> {
  return (await fileStore(at).read({ stream: 'a', fromSeq: 1, limit: 10 })).map(({ seq }) => seq);
}

function expectPlace(error: OrchestratorError, file: string): void {
  expect(error.code).toBe('STORE_CORRUPT');
  expect(error.details).toMatchObject({ file, offset: expect.any(Number), seq: expect.any(Number) });
}

describe('B1 a path that is no folder of a store', () => {
  it('is made when nothing is there', async () => {
    const store = fileStore(join(folder, 'deep', 'er'));
    await store.claim('me');
    await store.release('me');
  });

  it.each([
    ['a file', 'STORE_FORMAT', () => writeFileSync(folder, 'text')],
    ['a link to nothing', 'STORE_FORMAT', () => symlinkSync(`${folder}-none`, folder)],
    ['a link to itself', 'STORE_FORMAT', () => symlinkSync(folder, folder)],
  ])('%s: %s', async (_, code, make) => {
    make();
    expect((await refused()).code).toBe(code);
  });

  it('below a file: STORE_OPEN_FAILED with ENOTDIR', async () => {
    writeFileSync(folder, 'text');
    const error = await refused(join(folder, 'below'));
    expect([error.code, error.details.osCode]).toEqual(['STORE_OPEN_FAILED', 'ENOTDIR']);
  });

  it.each(['EACCES', 'EROFS'])('B14 that cannot be written to: STORE_OPEN_FAILED with %s', async (osCode) => {
    const open = (): Promise<never> => Promise.reject(osError(osCode));
    const error = await rejection(fileStoreOn(folder, { ...nodeFileSystem, open }).claim('me'));
    expect([error.code, error.details.osCode]).toEqual(['STORE_OPEN_FAILED', osCode]);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('B14 with a database in it: STORE_FORMAT, and it is left alone', async () => {
    mkdirSync(folder);
    writeFileSync(join(folder, 'runs.db'), 'SQLite format 3\0');
    expect((await refused()).code).toBe('STORE_FORMAT');
    expect(readdirSync(folder)).toEqual(['runs.db']);
  });
});

describe('B2 files with nothing, or something else, in them', () => {
  it.each([
    ['nothing', ''],
    ['white space', ' \n\t'],
    ['a mark of byte order', '\ufeff{}'],
    ['UTF-16', Buffer.from('{"version":1}', 'utf16le')],
    ['null', 'null'],
  ])('store.json has %s: refused, and left as it was', async (_, content) => {
    await filled('given back');
    const before = Buffer.from(content);
    writeFileSync(join(folder, 'store.json'), before);
    expect((await refused()).code).toMatch(/^STORE_(FORMAT|VERSION)$/);
    expect(readFileSync(join(folder, 'store.json')).equals(before)).toBe(true);
  });

  it.each([0, 1, 200])('the log is cut to %i bytes: STORE_CORRUPT', async (bytes) => {
    await filled('given back');
    truncateSync(join(folder, newestSegment(folder)), bytes);
    expectPlace(await refused(), newestSegment(folder));
  });
});

it.each([
  ['zeros', Buffer.alloc(5_000)],
  ['rubbish', Buffer.alloc(5_000, 'rubbish')],
  ['half a letter', Buffer.from([0xc3])],
])('B3 a tail of %s is cut off, and told once', async (_, tail) => {
  await filled('dead');
  const file = newestSegment(folder);
  writeFileSync(join(folder, file), Buffer.concat([readFileSync(join(folder, file)), tail]));
  for (const expected of [[{ type: 'TornEnd', file, bytes: tail.length }], [], []]) {
    const notices: FileStoreNotice[] = [];
    const store = fileStore(folder, { onNotice: (notice) => notices.push(notice) });
    await store.claim('me');
    expect(notices).toMatchObject(expected);
    expect(await seqs()).toEqual([1, 2, 3]);
    await store.release('me');
  }
});

it.each([
  ['one taken out', (frames: readonly Buffer[]) => frames.toSpliced(2, 1)],
  ['two exchanged', ([a, b, c, ...rest]: readonly Buffer[]) => [a, c, b, ...rest] as Buffer[]],
  ['one doubled', ([a, b, ...rest]: readonly Buffer[]) => [a, b, b, ...rest] as Buffer[]],
])('B4 frames with %s: STORE_CORRUPT', async (_, order) => {
  await filled('given back');
  reorder(folder, order);
  expectPlace(await refused(), newestSegment(folder));
});

it('B4 a segment of another store: STORE_CORRUPT', async () => {
  const other = place.file('other');
  await filled('given back');
  await filled('given back', other);
  cpSync(join(other, newestSegment(other)), join(folder, newestSegment(folder)));
  expectPlace(await refused(), newestSegment(folder));
});

it('B5 the newest record is damaged after a death: STORE_CORRUPT, and not the end of a write', async () => {
  await filled('dead');
  const file = newestSegment(folder);
  const { end } = framesOf(folder).at(-1) as ReturnType<typeof framesOf>[number];
  truncateSync(join(folder, file), end.offset - 1);
  expectPlace(await refused(), file);
  expect((await rejection(fileStore(folder).list({ prefix: '', limit: 1 }))).code).toBe('STORE_CORRUPT');
});

it('B5 the newest segment is gone after it was given back: STORE_CORRUPT', async () => {
  await filled('given back');
  rmSync(join(folder, newestSegment(folder)));
  expect((await refused()).message).toContain('position 1 is missing');
});

describe('B6 checkpoints that say something else', () => {
  const INFO = '{"id":"c","stream":"a","seq":3,"at":1,"schemaVersion":1}';
  it.each([
    ['no payload', INFO],
    ['an empty payload', `${INFO}\n`],
    ['a payload that was cut', `${INFO}\n{"a":`],
  ])('with %s: CHECKPOINT_INVALID when it is asked for, and the log is whole', async (_, body) => {
    await filled('dead');
    forge(folder, 'checkpoint', body);
    const error = await rejection(fileStore(folder).loadCheckpoint('c'));
    expect(error.code).toBe('CHECKPOINT_INVALID');
    expect(error.details).toMatchObject({ id: 'c', file: newestSegment(folder) });
    expect(await seqs()).toEqual([1, 2, 3]);
  });
});

it('B7 a checkpoint without its log: STORE_CORRUPT', async () => {
  await filled('given back');
  reorder(folder, ([head, , , , ...rest]) => [head, ...rest] as Buffer[]);
  expectPlace(await refused(), newestSegment(folder));
});

it.each([0, -1, '2', 999, null, undefined])('B8 version %j: STORE_VERSION', async (version) => {
  await filled('given back');
  const path = join(folder, 'store.json');
  const changed = JSON.stringify({ ...(JSON.parse(readFileSync(path, 'utf8')) as object), version });
  writeFileSync(path, changed);
  const error = await refused();
  expect([error.code, error.details.supported]).toEqual(['STORE_VERSION', 1]);
  expect(readFileSync(path, 'utf8')).toBe(changed);
});

describe('B9 entries that no store writes, with the right checksums', () => {
  it.each([
    ['a gap', { s: 'a', q: 5, n: 1, t: 'T', a: 1 }],
    ['a repetition', { s: 'a', q: 3, n: 1, t: 'T', a: 1 }],
    ['a number that is none', { s: 'a', q: 2 ** 53 + 1, n: 1, t: 'T', a: 1 }],
    ['no stream', { q: 1, n: 1, t: 'T', a: 1 }],
  ])('%s: STORE_CORRUPT', async (_, meta) => {
    await filled('dead');
    forge(folder, 'events', `${JSON.stringify(meta)}\n{"type":"T","seq":1,"at":1}`);
    expectPlace(await refused(), newestSegment(folder));
  });

  it.each([
    ['no JSON', 'head of nothing\n{}'],
    ['an infinite number', '{"s":"a","q":1e400,"n":1,"t":"T","a":1}\n{}'],
    ['fewer events than it says', '{"s":"a","q":4,"n":2,"t":"T","a":1}\n{"type":"T","seq":4,"at":1}'],
  ])('%s: STORE_CORRUPT at the latest when it is read', async (_, body) => {
    await filled('dead');
    forge(folder, 'events', body);
    expectPlace(await rejection(seqs()), newestSegment(folder));
  });
});

describe('B11 payloads that want to be something else', () => {
  const META = '{"s":"a","q":4,"n":1,"t":"T","a":1}';
  it('a key __proto__ is a key like others', async () => {
    await filled('dead');
    forge(folder, 'events', `${META}\n{"type":"T","seq":4,"at":1,"__proto__":{"x":1}}`);
    const [record] = await fileStore(folder).read({ stream: 'a', fromSeq: 4, limit: 1 });
    expect(Object.keys(record?.payload as object)).toContain('__proto__');
    expect(Object.getPrototypeOf(record?.payload)).not.toHaveProperty('x');
  });

  it.each([
    ['a depth of 100,000', `${'['.repeat(100_000)}${']'.repeat(100_000)}`],
    ['a zero byte', '{"type":"T\0"}'],
    ['a key twice', '{"type":"S","type":"T","seq":4,"at":1}'],
  ])('%s: STORE_CORRUPT', async (_, payload) => {
    await filled('dead');
    forge(folder, 'events', `${META}\n${payload}`);
    expectPlace(await rejection(seqs()), newestSegment(folder));
  });
});
