import { spawnSync } from 'node:child_process';
import { hostname } from 'node:os';
import { type SqliteDatabase, sqliteStore } from '@taskmaster-ai/orchestrator/sqlite';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { refusal, rejection } from '../../support/errors.ts';
import { ANY_DRIVER, type DirectStore, scratch, storeOn, unless } from '../../support/sqlite.ts';

const append = (epoch: number, expectedSeq = 0) => [
  { stream: 'a', expectedSeq, epoch, events: [{ type: 'T', seq: expectedSeq + 1, at: 1 }], versions: {} },
];

/** The number of a process that has just ended. */
function endedPid(): number {
  return spawnSync(process.execPath, ['-e', '']).pid;
}

let folder: ReturnType<typeof scratch>;
let open: SqliteDatabase[];

beforeEach(() => {
  folder = scratch();
  open = [];
});
afterEach(() => {
  vi.restoreAllMocks();
  for (const database of open) database.close();
  folder.remove();
});

describe.skipIf(ANY_DRIVER.missing !== undefined)(
  unless(ANY_DRIVER.missing, 'the owner of a SQLite store'),
  () => {
    /** A store on a connection of its own to the one file of the test, as another process has it. */
    function store(): DirectStore & { readonly database: SqliteDatabase } {
      const database = ANY_DRIVER.open(folder.file('one.db'));
      open.push(database);
      return Object.assign(storeOn(database, { durability: 'os', lease: '10s' }), {
        database,
      });
    }

    it('given a living owner, when another store claims, then it is refused by its process and host', () => {
      const [first, second] = [store(), store()];
      first.claim('one');
      const error = refusal(() => second.claim('two'));
      expect(error.code).toBe('STORE_OWNED');
      expect(error.details).toMatchObject({ owner: 'one', pid: process.pid, host: hostname() });
      expect(error.message).toContain(`process ${process.pid} on ${hostname()}`);
      first.release('one');
      expect(second.claim('two')).toBe(2);
      second.release('two');
    });

    it.each([
      ['is gone', () => ({ pid: endedPid() })],
      ['began at another time: its number was given again', () => ({ started: '1' })],
      ['says nothing until the end of its lease', () => ({ lease_until: Date.now() - 1 })],
    ])(
      'given an owner whose process %s, when another store claims, then it has the store at once',
      (_, change) => {
        const [first, second] = [store(), store()];
        const old = first.claim('one');
        for (const [column, value] of Object.entries(change()))
          second.database.prepare(`UPDATE owner SET ${column} = ?`).run(value);
        const epoch = second.claim('two');
        expect(epoch).toBe(old + 1);
        // The old owner comes back to life: it is fenced out, and its release takes nothing from the new one.
        expect(refusal(() => first.append(append(old))).code).toBe('STORE_FENCED');
        expect(
          refusal(() => first.saveBlob({ stream: 'a', id: 'b', bytes: new Uint8Array(1) }, old)).code,
        ).toBe('STORE_FENCED');
        expect(refusal(() => first.remove(['a'])).code).toBe('STORE_FENCED');
        first.release('one');
        second.append(append(epoch));
        expect(first.read({ stream: 'a', fromSeq: 1, limit: 5 })).toHaveLength(1);
        second.release('two');
      },
    );

    it('given an owner on another machine, when its number is free here, then that says nothing', () => {
      const [first, second] = [store(), store()];
      first.claim('one');
      second.database.prepare('UPDATE owner SET pid = ?, machine = ?').run(endedPid(), 'another boot');
      expect(refusal(() => second.claim('two')).code).toBe('STORE_OWNED');
      first.release('one');
    });

    it('given a lease that ends in ten years by a wrong clock, when nothing is heard for one lease, then it is taken over', () => {
      const [first, second] = [store(), store()];
      first.claim('one');
      second.database.prepare('UPDATE owner SET lease_until = ?').run(Date.now() + 3e11);
      let now = 1_000_000;
      vi.spyOn(performance, 'now').mockImplementation(() => now);
      expect(refusal(() => second.claim('two')).code).toBe('STORE_OWNED');
      now += 9_999;
      expect(refusal(() => second.claim('two')).code).toBe('STORE_OWNED');
      // A sign of life begins the wait anew.
      second.database.exec('UPDATE owner SET beat = beat + 1');
      now += 9_999;
      expect(refusal(() => second.claim('two')).code).toBe('STORE_OWNED');
      now += 10_001;
      expect(second.claim('two')).toBe(2);
      second.release('two');
      first.release('one');
    });

    it('given a claim that was given back, when its epoch is used, then nothing is written', () => {
      const one = store();
      const epoch = one.claim('one');
      one.release('one');
      expect(refusal(() => one.append(append(epoch))).code).toBe('STORE_FENCED');
      expect(one.list({ prefix: '', limit: 5 })).toEqual([]);
    });

    it('given an owner elsewhere, when a store without a claim removes streams, then it is refused', () => {
      const [first, second] = [store(), store()];
      const epoch = first.claim('one');
      first.append(append(epoch));
      expect(refusal(() => second.remove(['a'])).code).toBe('STORE_OWNED');
      first.release('one');
      second.remove(['a']);
      expect(second.list({ prefix: '', limit: 5 })).toEqual([]);
    });

    it('given two stores in threads, when both claim, then one has it; its lease is renewed', async () => {
      if (ANY_DRIVER.missingThread !== undefined) return;
      const file = folder.file('threads.db');
      const [first, second] = [sqliteStore(file, { lease: '1s' }), sqliteStore(file, { lease: '1s' })];
      await first.claim('one');
      const database = ANY_DRIVER.open(file);
      open.push(database);
      const beat = () => (database.prepare('SELECT beat FROM owner').get() as { beat: number }).beat;
      const before = beat();
      expect((await rejection(second.claim('two') as Promise<number>)).code).toBe('STORE_OWNED');
      await vi.waitFor(() => expect(beat()).toBeGreaterThan(before), { timeout: 10_000 });
      await first.release('one');
      await second.claim('two');
      await second.release('two');
    });
  },
);
