import { spawnSync } from 'node:child_process';
import { sqliteStore } from '@taskmaster-ai/orchestrator/sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { refusal, rejection } from '../../support/errors.ts';
import { ANY_DRIVER, scratch, unless } from '../../support/sqlite.ts';
import { runsTypeScript } from '../../support/workers.ts';

const DIES = new URL('../../support/handlers/sqlite-thread-dies.ts', import.meta.url);
const ON_SOURCES = new URL('../../support/on-sources.mjs', import.meta.url).href;

const append = (epoch: number, expectedSeq = 0, stream = 'a') => [
  { stream, expectedSeq, epoch, events: [{ type: 'T', seq: expectedSeq + 1, at: 1 }], versions: {} },
];

let folder: ReturnType<typeof scratch>;
let file: string;

beforeEach(() => {
  folder = scratch();
  file = folder.file('one.db');
});
afterEach(() => folder.remove());

/** Executes a program that imports the package by its name, and waits for its end. */
function execute(code: string): string {
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    ['--import', ON_SOURCES, '--input-type=module', '-e', code],
    { encoding: 'utf8', timeout: 20_000 },
  );
  return status === 0 ? stdout.trim() : `exit ${status}: ${stderr}`;
}

const missing = ANY_DRIVER.missingThread ?? (runsTypeScript ? undefined : 'this Node executes no TypeScript');

describe.skipIf(missing !== undefined)(unless(missing, 'the thread of a SQLite store'), () => {
  it('given a thread that dies, when something was asked, then its outcome is unknown, and a new claim goes on', async () => {
    const store = sqliteStore(file, { entry: DIES });
    const epoch = await store.claim('me');
    await store.append(append(epoch));
    const [died, beside] = await Promise.all([
      rejection(store.append(append(epoch, 0, 'die')) as Promise<void>),
      rejection(store.append(append(epoch, 1)) as Promise<void>),
    ]);
    expect([died.code, died.details.exitCode, beside.code]).toEqual([
      'STORE_UNAVAILABLE',
      7,
      'STORE_UNAVAILABLE',
    ]);
    expect(died.message).toContain('not known');
    const refused = refusal(() => store.append(append(epoch, 1)));
    expect([refused.code, refused.details.first]).toEqual(['STORE_UNAVAILABLE', 'STORE_UNAVAILABLE']);
    expect(await store.read({ stream: 'a', fromSeq: 1, limit: 5 })).toHaveLength(1);
    const next = await store.claim('me');
    expect(next).toBe(epoch + 1);
    await store.append(append(next, 1));
    await store.release('me');
  });

  it('given a thread that died, when the store is released, then another one has the file at once', async () => {
    const store = sqliteStore(file, { entry: DIES });
    const epoch = await store.claim('me');
    await rejection(store.append(append(epoch, 0, 'die')) as Promise<void>);
    await store.release('me');
    const other = sqliteStore(file);
    expect(await other.claim('other')).toBe(epoch + 1);
    await other.release('other');
  });

  it('given as many requests as may wait, when one more comes, then it is refused and the others are done', async () => {
    const store = sqliteStore(file, { pendingMax: 3 });
    const epoch = await store.claim('me');
    const asked = [0, 1, 2].map((seq) => store.append(append(epoch, seq)));
    const error = await rejection(store.append(append(epoch, 3)) as Promise<void>);
    expect([error.code, error.details.limit]).toEqual(['QUEUE_FULL', 3]);
    await Promise.all(asked);
    expect(await store.read({ stream: 'a', fromSeq: 1, limit: 5 })).toHaveLength(3);
    await store.release('me');
  });

  it('given an entry that is not there, when the store is used, then STORE_OPEN_FAILED says where it was sought', async () => {
    const entry = new URL('./nothing.js', import.meta.url);
    const error = await rejection(sqliteStore(file, { entry }).claim('me') as Promise<number>);
    expect(error.code).toBe('STORE_OPEN_FAILED');
    expect(error.message).toContain(entry.href);
  });

  it('given a program that forgets to release, when it has nothing to do, then it ends with all of its writes', () => {
    const printed = execute(`
      import { sqliteStore } from '@taskmaster-ai/orchestrator/sqlite';
      const store = sqliteStore(${JSON.stringify(file)});
      const epoch = await store.claim('me');
      await store.append(${JSON.stringify(append(0))}.map((one) => ({ ...one, epoch })));
      console.log((await store.list({ prefix: '', limit: 5 })).length);
    `);
    expect(printed).toBe('1');
  });

  it('given a program that only reads, when it is done, then it ends, and so does the thread of one that goes on', () => {
    const printed = execute(`
      import { existsSync } from 'node:fs';
      import { sqliteStore } from '@taskmaster-ai/orchestrator/sqlite';
      const store = sqliteStore(${JSON.stringify(file)});
      await store.list({ prefix: '', limit: 5 });
      // The log of the database is there as long as somebody has it open.
      const open = () => existsSync(${JSON.stringify(`${file}-wal`)});
      const before = open();
      const { setTimeout: sleep } = await import('node:timers/promises');
      for (let i = 0; i < 200 && open(); i++) await sleep(50);
      console.log(before, open(), (await store.list({ prefix: '', limit: 5 })).length);
    `);
    expect(printed).toBe('true false 0');
  });

  it('given an owner that was killed, when another process claims, then it has all that was acknowledged', async () => {
    const code = `
      import { sqliteStore } from '@taskmaster-ai/orchestrator/sqlite';
      const store = sqliteStore(${JSON.stringify(file)}, { durability: 'os' });
      const epoch = await store.claim('killed');
      for (let seq = 0; seq < 50; seq++)
        await store.append([{ stream: 'a', expectedSeq: seq, epoch, events: [{ type: 'T', seq: seq + 1, at: 1 }], versions: {} }]);
      process.kill(process.pid, 'SIGKILL');
    `;
    expect(execute(code)).toContain('exit null');
    const store = sqliteStore(file);
    await store.claim('next');
    expect(await store.read({ stream: 'a', fromSeq: 1, limit: 100 })).toHaveLength(50);
    await store.release('next');
  });

  it('given a value that cannot be carried, when it is appended, then nothing is written', async () => {
    const store = sqliteStore(file);
    const epoch = await store.claim('me');
    const event = { type: 'T', seq: 1, at: 1, output: () => 1 };
    const error = refusal(() =>
      store.append([{ stream: 'a', expectedSeq: 0, epoch, events: [event], versions: {} }]),
    );
    expect(error.code).toBe('VALUE_UNSERIALISABLE');
    expect(error.details.at).toBe('stream a, event 1/output');
    expect(await store.list({ prefix: '', limit: 5 })).toEqual([]);
    await store.release('me');
  });
});
