import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { type SqliteDatabase, sqliteStore } from '@taskmaster-ai/orchestrator/sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { refusal, rejection } from '../../support/errors.ts';
import {
  ANY_DRIVER,
  type DirectStore,
  DRIVERS_HERE,
  scratch,
  storeOn,
  unless,
} from '../../support/sqlite.ts';

const TEXT = 'x'.repeat(4_000);
const append = (epoch: number, expectedSeq: number, stream = 'a') => [
  {
    stream,
    expectedSeq,
    epoch,
    events: [{ type: 'T', seq: expectedSeq + 1, at: 1, text: TEXT }],
    versions: {},
  },
];
const blocking = (database: SqliteDatabase): DirectStore =>
  storeOn(database, { durability: 'os', busyTimeout: 20 });

let folder: ReturnType<typeof scratch>;
let file: string;
let open: SqliteDatabase[];

beforeEach(() => {
  folder = scratch();
  file = folder.file('one.db');
  open = [];
});
afterEach(() => {
  for (const database of open) database.close();
  folder.remove();
});

describe.skipIf(ANY_DRIVER.missingThread !== undefined)(
  unless(ANY_DRIVER.missingThread, 'a path that is no SQLite store'),
  () => {
    const claimed = async (path: string) =>
      rejection(sqliteStore(path, { busyTimeout: 20 }).claim('me') as Promise<number>);

    it.each([
      ['a folder', 'EISDIR', () => mkdirSync(file)],
      ['a link to itself', 'ELOOP', () => symlinkSync(file, file)],
    ])('given %s, when it is claimed, then STORE_OPEN_FAILED says %s', async (_, osCode, make) => {
      make();
      const error = await claimed(file);
      expect(error.code).toBe('STORE_OPEN_FAILED');
      expect(error.details).toMatchObject({ osCode, file });
    });

    it('given a file where a folder should be, when it is claimed, then STORE_OPEN_FAILED', async () => {
      writeFileSync(file, 'text');
      expect((await claimed(`${file}/two.db`)).details).toMatchObject({ osCode: 'ENOTDIR' });
    });

    it.each([
      ['an empty file', ''],
      ['a text', 'no database '.repeat(100)],
      ['white space', ' \n'.repeat(2_000)],
    ])('given %s, when it is claimed, then STORE_FORMAT, and it is left as it was', async (_, content) => {
      writeFileSync(file, content);
      expect((await claimed(file)).code).toBe('STORE_FORMAT');
      expect(readFileSync(file, 'utf8')).toBe(content);
    });

    it('given only the log of a database, when it is claimed, then STORE_FORMAT, and no new store', async () => {
      writeFileSync(`${file}-wal`, 'something');
      expect((await claimed(file)).code).toBe('STORE_FORMAT');
      expect(existsSync(file)).toBe(false);
    });

    it.each([
      ['of another program', 'CREATE TABLE t (a)', 'STORE_FORMAT'],
      ['of a later release', 'PRAGMA user_version = 2', 'STORE_VERSION'],
      ['of version 0', 'PRAGMA user_version = 0', 'STORE_VERSION'],
      ['of version -1', 'PRAGMA user_version = -1', 'STORE_VERSION'],
      ['without a table', 'DROP TABLE keys', 'STORE_FORMAT'],
      ['with another table', 'ALTER TABLE keys ADD COLUMN more TEXT', 'STORE_FORMAT'],
      ['without an owner', 'DELETE FROM owner', 'STORE_FORMAT'],
    ])(
      'given a database %s, when it is claimed, then it is refused and left as it was',
      async (_, sql, code) => {
        if (!sql.startsWith('CREATE')) {
          const store = sqliteStore(file);
          await store.claim('me');
          await store.release('me');
        }
        const database = ANY_DRIVER.open(file);
        database.exec(sql);
        database.close();
        const before = readFileSync(file);
        expect((await claimed(file)).code).toBe(code);
        expect(readFileSync(file).equals(before)).toBe(true);
      },
    );

    it('given a file that is replaced while it is open, when something is written, then STORE_UNAVAILABLE', async () => {
      const store = sqliteStore(file);
      const epoch = await store.claim('me');
      await store.append(append(epoch, 0));
      renameSync(file, `${file}.old`);
      const error = await rejection(store.append(append(epoch, 1)) as Promise<void>);
      expect(error.code).toBe('STORE_UNAVAILABLE');
      expect(error.message).toContain('removed or replaced');
      renameSync(`${file}.old`, file);
      await store.release('me');
      await store.claim('me');
      expect(await store.read({ stream: 'a', fromSeq: 1, limit: 5 })).toHaveLength(1);
      await store.release('me');
    });

    it('given a folder that is missing, when it is claimed, then it is made, and nothing else stays in it', async () => {
      const deep = folder.file('a/b/c.db');
      const store = sqliteStore(deep);
      await store.claim('me');
      await store.release('me');
      rmSync(deep);
      expect(() => rmSync(folder.file('a/b'))).toThrow();
      expect(readdirSync(folder.file('a/b'))).toEqual([]);
    });
  },
);

for (const here of DRIVERS_HERE) {
  describe.skipIf(here.missing !== undefined)(
    unless(here.missing, `a database of ${here.driver} that fails`),
    () => {
      const keep = (): SqliteDatabase => {
        const database = here.open(file);
        open.push(database);
        return database;
      };
      const pages = (database: SqliteDatabase, most?: number): number =>
        Object.values(
          database
            .prepare(most === undefined ? 'PRAGMA page_count' : `PRAGMA max_page_count = ${most}`)
            .get() as object,
        )[0] as number;

      it('given a full disk, when something is written, then STORE_FULL, then STORE_UNAVAILABLE until it is claimed again', () => {
        const database = keep();
        const store = blocking(database);
        const epoch = store.claim('me');
        store.append(append(epoch, 0));
        pages(database, pages(database));
        let seq = 1;
        const fill = () => {
          for (; seq < 100; seq++) store.append(append(epoch, seq));
        };
        expect(refusal(fill).code).toBe('STORE_FULL');
        const refused = refusal(() => store.append(append(epoch, seq)));
        expect([refused.code, refused.details.first]).toEqual(['STORE_UNAVAILABLE', 'STORE_FULL']);
        expect(store.read({ stream: 'a', fromSeq: 1, limit: 100 })).toHaveLength(seq);
        pages(database, 1_000_000);
        store.release('me');
        const next = store.claim('me');
        store.append(append(next, seq));
        expect(store.read({ stream: 'a', fromSeq: 1, limit: 100 })).toHaveLength(seq + 1);
        store.release('me');
      });

      it('given another program that keeps the lock, when something is written, then it can be tried again', () => {
        const store = blocking(keep());
        const epoch = store.claim('me');
        const other = keep();
        other.exec('BEGIN IMMEDIATE');
        const error = refusal(() => store.append(append(epoch, 0)));
        expect([error.code, error.details.sqliteCode]).toEqual(['STORE_UNAVAILABLE', 'SQLITE_BUSY']);
        other.exec('ROLLBACK');
        store.append(append(epoch, 0));
        store.release('me');
      });

      it.each([
        ['other text', "UPDATE events SET payload = replace(payload, 'xx', 'xy') WHERE seq = 2", 2],
        ['another time', 'UPDATE events SET at = 2 WHERE seq = 3', 3],
        ['nothing', 'DELETE FROM events WHERE seq = 2', 2],
        ['no end', 'DELETE FROM events WHERE seq = 3', 3],
      ])(
        'given a record in the place of which %s stands, when it is read, then STORE_CORRUPT names it',
        (_, sql, seq) => {
          const database = keep();
          const store = blocking(database);
          const epoch = store.claim('me');
          for (let at = 0; at < 3; at++) store.append(append(epoch, at));
          database.exec(sql);
          const error = refusal(() => store.read({ stream: 'a', fromSeq: 1, limit: 10 }));
          expect([error.code, error.details.stream, error.details.seq]).toEqual(['STORE_CORRUPT', 'a', seq]);
          store.release('me');
        },
      );

      it('given a blob and a checkpoint that were changed, when they are loaded, then they are refused', () => {
        const database = keep();
        const store = blocking(database);
        const epoch = store.claim('me');
        store.saveBlob({ stream: 'a', id: 'b', bytes: Uint8Array.of(1, 2, 3) }, epoch);
        store.saveCheckpoint({ id: 'c', stream: 'a', seq: 1, at: 1, schemaVersion: 1, payload: 'x' }, epoch);
        database.exec("UPDATE blobs SET bytes = x'010203ff'; UPDATE checkpoints SET seq = 2");
        expect(refusal(() => store.loadBlob('a', 'b')).code).toBe('STORE_CORRUPT');
        expect(refusal(() => store.loadCheckpoint('c')).code).toBe('CHECKPOINT_INVALID');
        store.release('me');
      });

      it('given pages of noise, when they are read, then STORE_CORRUPT, and the file is left as it was', () => {
        const first = here.open(file);
        const store = blocking(first);
        const epoch = store.claim('me');
        for (let at = 0; at < 20; at++) store.append(append(epoch, at));
        store.release('me');
        first.close();
        const bytes = readFileSync(file);
        bytes.fill(0xa5, 4_096 * 12);
        writeFileSync(file, bytes);
        const damaged = blocking(keep());
        expect(refusal(() => damaged.read({ stream: 'a', fromSeq: 1, limit: 50 })).code).toBe(
          'STORE_CORRUPT',
        );
        expect(readFileSync(file).equals(bytes)).toBe(true);
      });

      it('given a database that nobody may write to, when it is claimed, then it is refused by name', () => {
        const first = here.open(file);
        const store = blocking(first);
        store.claim('me');
        store.release('me');
        const database = keep();
        database.exec('PRAGMA query_only = ON');
        const error = refusal(() => blocking(database).claim('me'));
        expect([error.code, error.details.sqliteCode]).toEqual(['STORE_UNAVAILABLE', 'SQLITE_READONLY']);
        first.close();
      });
    },
  );
}
