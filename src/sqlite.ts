export { type SqliteStoreOptions, sqliteStore } from './adapters/sqlite/create-store.ts';
export type { SqliteDatabase, SqliteStatement, SqliteValue } from './adapters/sqlite/database.ts';
export type { SqliteDriver } from './adapters/sqlite/load-driver.ts';
