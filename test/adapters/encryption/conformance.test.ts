/** An encrypted store is a store like any other, whatever it stands around. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EventStore, MemoryStore } from '@taskmaster-ai/orchestrator';
import { encryptedStore } from '@taskmaster-ai/orchestrator/encryption';
import { fileStore } from '@taskmaster-ai/orchestrator/file';
import { sqliteStore } from '@taskmaster-ai/orchestrator/sqlite';
import { eventStoreSuite } from '@taskmaster-ai/orchestrator/testing';
import { afterAll, describe, it } from 'vitest';
import { DRIVERS_HERE, unless } from '../../support/sqlite.ts';

const folder = mkdtempSync(join(tmpdir(), 'encrypted-'));
const key = randomBytes(32);
const options = { current: 'k1', keys: { k1: key } };
const inner = new WeakMap<EventStore, EventStore>();
let stores = 0;

afterAll(() => rmSync(folder, { recursive: true }));

function around(store: EventStore): EventStore {
  const encrypted = encryptedStore(store, options);
  inner.set(encrypted, store);
  return encrypted;
}

describe('encrypted, in memory', () => {
  eventStoreSuite(
    () => around(new MemoryStore()),
    { describe, it },
    (store) => around(inner.get(store) as EventStore),
  );
});

describe('encrypted, on files', () => {
  const folders = new WeakMap<EventStore, string>();
  const at = (path: string): EventStore => {
    const store = around(fileStore(path, { durability: 'os' }));
    folders.set(store, path);
    return store;
  };
  eventStoreSuite(
    () => at(join(folder, `files-${++stores}`)),
    { describe, it },
    (store) => at(folders.get(store) as string),
  );
});

const [{ driver, missingThread }] = DRIVERS_HERE as [(typeof DRIVERS_HERE)[number]];
describe.skipIf(missingThread !== undefined)(
  unless(missingThread, `encrypted, on SQLite by ${driver}`),
  () => {
    const paths = new WeakMap<EventStore, string>();
    const at = (path: string): EventStore => {
      const store = around(sqliteStore(path, { driver, durability: 'os' }));
      paths.set(store, path);
      return store;
    };
    eventStoreSuite(
      () => at(join(folder, `sqlite-${++stores}.db`)),
      { describe, it },
      (store) => at(paths.get(store) as string),
    );
  },
);
