import type { ListRequest, StreamAppend } from '@taskmaster-ai/orchestrator';
import { type SqliteDatabase, sqliteStore } from '@taskmaster-ai/orchestrator/sqlite';
import { afterEach, describe, expect, it } from 'vitest';
import { refusal } from '../../support/errors.ts';
import { seededRandom } from '../../support/seeded-random.ts';
import { type DirectStore, DRIVERS_HERE, storeOn, unless } from '../../support/sqlite.ts';

const open: SqliteDatabase[] = [];
afterEach(() => {
  for (const database of open.splice(0)) database.close();
});

const STATUSES = ['created', 'in_progress', 'completed'] as const;
const VALUES = ['1', 1, true, 'true', 'ü', -0.5] as const;

interface Made {
  readonly stream: string;
  readonly facts: StreamAppend['facts'];
}

/** What a listing must give, by looking at every stream. */
function expected(all: readonly Made[], request: ListRequest): readonly string[] {
  const { prefix, limit, after, workflowId, statuses, startedFrom, startedBefore, attributes } = request;
  const from = after === undefined ? 0 : all.findIndex(({ stream }) => stream === after) + 1;
  const fits = ({ stream, facts }: Made): boolean =>
    stream.startsWith(prefix) &&
    (workflowId === undefined || facts?.workflowId === workflowId) &&
    (statuses === undefined || (facts !== undefined && statuses.includes(facts.status))) &&
    (startedFrom === undefined || (facts !== undefined && facts.startedAt >= startedFrom)) &&
    (startedBefore === undefined || (facts !== undefined && facts.startedAt < startedBefore)) &&
    Object.entries(attributes ?? {}).every(([name, value]) => facts?.attributes?.[name] === value);
  return all
    .slice(from)
    .filter(fits)
    .slice(0, limit)
    .map(({ stream }) => stream);
}

for (const { driver, missing, open: openDatabase } of DRIVERS_HERE) {
  describe.skipIf(missing !== undefined)(unless(missing, `what a SQLite store keeps, by ${driver}`), () => {
    function opened(): { store: DirectStore; epoch: number; database: SqliteDatabase } {
      const database = openDatabase(':memory:');
      open.push(database);
      const store = storeOn(database);
      return { store, epoch: store.claim('me'), database };
    }

    function events(from: number, count: number, text = '') {
      return Array.from({ length: count }, (_, i) => ({ type: 'T', seq: from + i, at: 1, text }));
    }

    it('given streams with facts, when they are listed by any of them, then those are found that looking at all finds', () => {
      const { store, epoch } = opened();
      const random = seededRandom(7);
      const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
      const all: Made[] = [];
      for (let i = 0; i < 120; i++) {
        const stream = `${pick(['run:', 'run:x', 'definitions:', 'other'])}${i}`;
        const made = {
          workflowId: pick(['report', 'import', 'ü']),
          status: pick(STATUSES),
          startedAt: Math.floor(random() * 20),
          ...(random() < 0.7 ? { attributes: { team: pick(VALUES), __proto__x: pick(VALUES) } } : undefined),
        };
        const facts = random() < 0.9 ? made : undefined;
        store.append([{ stream, expectedSeq: 0, epoch, events: events(1, 1), versions: {}, facts }]);
        all.push({ stream, facts });
      }
      // What is said last is what counts.
      for (let i = 0; i < 120; i += 3) {
        const { stream } = all[i] as Made;
        const facts = {
          workflowId: 'report',
          status: 'completed',
          startedAt: i,
          attributes: { team: pick(VALUES) },
        };
        store.append([{ stream, expectedSeq: 1, epoch, events: events(2, 1), versions: {}, facts }]);
        all[i] = { stream, facts };
      }
      const maybe = <T>(value: T): T | undefined => (random() < 0.4 ? value : undefined);
      let found = 0;
      for (let i = 0; i < 600; i++) {
        const request: ListRequest = {
          prefix: pick(['', 'run:', 'run:x', 'r', 'definitions:', 'none']),
          limit: pick([1, 3, 10, 200]),
          after: maybe(pick(all).stream),
          workflowId: maybe(pick(['report', 'import', 'none'])),
          statuses: maybe(pick([['created'], ['created', 'completed', 'created'], [], ['none']])),
          startedFrom: maybe(Math.floor(random() * 20)),
          startedBefore: maybe(Math.floor(random() * 20)),
          attributes: maybe({ team: pick(VALUES) }),
        };
        const listed = store.list(request);
        expect(
          listed.map(({ stream }) => stream),
          JSON.stringify(request),
        ).toEqual(expected(all, request));
        for (const { stream, facts } of listed)
          expect(facts).toEqual(all.find((one) => one.stream === stream)?.facts);
        found += listed.length;
      }
      expect(found).toBeGreaterThan(1_000);
    });

    it('given a stream longer than a page, when it is read, then all of it comes in order', () => {
      const { store, epoch } = opened();
      for (let seq = 0; seq < 2_500; seq += 500)
        store.append([{ stream: 'a', expectedSeq: seq, epoch, events: events(seq + 1, 500), versions: {} }]);
      const read = store.read({ stream: 'a', fromSeq: 101, limit: 2_300 });
      expect(read.map(({ seq }) => seq)).toEqual(Array.from({ length: 2_300 }, (_, i) => i + 101));
      expect(store.read({ stream: 'a', fromSeq: 2_400, limit: 1_000_000 })).toHaveLength(101);
    });

    it('given values that JSON does not know, when they are read, then they are what they were, and frozen', () => {
      const { store, epoch } = opened();
      const values = {
        map: new Map([[1, new Set(['ü'])]]),
        big: 2n ** 70n,
        none: undefined,
        nan: Number.NaN,
        lone: '\ud800',
      };
      const event = { type: 'T', seq: 1, at: 1.5, ...values };
      store.append([{ stream: 'a', expectedSeq: 0, epoch, events: [event], versions: { T: 3 } }]);
      const [record] = store.read({ stream: 'a', fromSeq: 1, limit: 1 });
      expect(record).toStrictEqual({
        stream: 'a',
        seq: 1,
        type: 'T',
        at: 1.5,
        schemaVersion: 3,
        payload: event,
      });
      expect(Object.isFrozen(record?.payload)).toBe(true);
    });

    it('given payloads larger than a page, when they are read, then all of them come', () => {
      const { store, epoch } = opened();
      const text = 'ü'.repeat(3_000_000);
      for (let seq = 0; seq < 5; seq++)
        store.append([
          { stream: 'a', expectedSeq: seq, epoch, events: events(seq + 1, 1, text), versions: {} },
        ]);
      expect(store.read({ stream: 'a', fromSeq: 1, limit: 10 })).toHaveLength(5);
    });

    it('given a removed stream with many events, when others go on, then they are deleted part by part', () => {
      const { store, epoch, database } = opened();
      const count = () => (database.prepare('SELECT count(*) AS n FROM events').get() as { n: number }).n;
      store.append([{ stream: 'a', expectedSeq: 0, epoch, events: events(1, 8_000), versions: {} }]);
      store.remove(['a']);
      expect(count()).toBe(3_000);
      store.append([{ stream: 'a', expectedSeq: 0, epoch, events: events(1, 1), versions: {} }]);
      expect(count()).toBe(2_501);
      expect(store.read({ stream: 'a', fromSeq: 1, limit: 10 })).toHaveLength(1);
      for (let seq = 1; seq < 10; seq++)
        store.append([{ stream: 'a', expectedSeq: seq, epoch, events: events(seq + 1, 1), versions: {} }]);
      expect(count()).toBe(10);
    });

    it('given blobs, when they are saved, replaced and their stream is removed, then they are what was saved last', () => {
      const { store, epoch } = opened();
      const bytes = Uint8Array.from({ length: 300_000 }, (_, i) => i % 251);
      store.saveBlob({ stream: 'a', id: 'one', bytes: Uint8Array.of(1) }, epoch);
      store.saveBlob({ stream: 'a', id: 'one', bytes: bytes.subarray(5, 250_000) }, epoch);
      store.saveBlob({ stream: 'a', id: 'none', bytes: new Uint8Array(0) }, epoch);
      expect(store.loadBlob('a', 'one')).toEqual(bytes.slice(5, 250_000));
      expect(store.loadBlob('a', 'none')).toEqual(new Uint8Array(0));
      expect(store.loadBlob('a', 'two')).toBeUndefined();
      expect(store.list({ prefix: '', limit: 5 })).toEqual([]);
      store.remove(['a']);
      // There never was such a stream, but its blobs go all the same.
      expect(store.loadBlob('a', 'one')).toBeUndefined();
    });
  });
}

describe('the options of sqliteStore', () => {
  it.each([
    ['OPTION_INVALID', () => sqliteStore('')],
    ['OPTION_INVALID', () => sqliteStore(':memory:')],
    ['OPTION_INVALID', () => sqliteStore('file:one.db')],
    ['OPTION_INVALID', () => sqliteStore(5 as never)],
    ['OPTION_INVALID', () => sqliteStore('a', { driver: 'sqlite3' as never })],
    ['OPTION_INVALID', () => sqliteStore('a', { durability: 'memory' as never })],
    ['OPTION_INVALID', () => sqliteStore('a', { lease: 999 })],
    ['OPTION_INVALID', () => sqliteStore('a', { busyTimeout: '2h' })],
    ['OPTION_INVALID', () => sqliteStore('a', { pendingMax: 0 })],
    ['OPTION_INVALID', () => sqliteStore('a', { entry: './x.js' as never })],
    ['OPTION_UNKNOWN', () => sqliteStore('a', { drivers: 'node' } as never)],
    ['OPTION_CONFLICT', () => sqliteStore('a', { blocking: true })],
    ['OPTION_CONFLICT', () => sqliteStore({ exec() {}, prepare() {}, close() {} } as never)],
  ])('are refused by %s', (code, call) => {
    expect(refusal(call).code).toBe(code);
  });
});
