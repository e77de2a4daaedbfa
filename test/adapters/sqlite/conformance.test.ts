import type { EventStore } from '@taskmaster-ai/orchestrator';
import { type SqliteDatabase, sqliteStore } from '@taskmaster-ai/orchestrator/sqlite';
import { eventStoreSuite } from '@taskmaster-ai/orchestrator/testing';
import { afterAll, describe, it } from 'vitest';
import { DRIVERS_HERE, scratch, unless } from '../../support/sqlite.ts';

const folder = scratch();
const open: SqliteDatabase[] = [];
let files = 0;

afterAll(() => {
  for (const database of open) database.close();
  folder.remove();
});

for (const here of DRIVERS_HERE) {
  const { driver, missing, missingThread } = here;
  const keep = (database: SqliteDatabase): SqliteDatabase => {
    open.push(database);
    return database;
  };

  describe.skipIf(missingThread !== undefined)(
    unless(missingThread, `a store by ${driver} in a thread`),
    () => {
      const paths = new WeakMap<EventStore, string>();
      const at = (path: string): EventStore => {
        const store = sqliteStore(path, { driver, durability: 'os' });
        paths.set(store, path);
        return store;
      };
      eventStoreSuite(
        () => at(folder.file(`${driver}-${files++}.db`)),
        { describe, it },
        (store) => at(paths.get(store) as string),
      );
    },
  );

  describe.skipIf(missing !== undefined)(
    unless(missing, `a store on a database of ${driver} in memory`),
    () => {
      eventStoreSuite(() => sqliteStore(keep(here.open(':memory:')), { blocking: true }), { describe, it });
    },
  );

  describe.skipIf(missing !== undefined)(
    unless(missing, `a store on a database of ${driver} in a file`),
    () => {
      const make = () => keep(here.open(folder.file(`${driver}-given-${files++}.db`)));
      eventStoreSuite(() => sqliteStore(make(), { blocking: true, durability: 'os' }), { describe, it });
    },
  );
}
