// What the thread of a SQLite store runs first: for hosts that bundle the package, one file to add.
export { serveStore } from './adapters/sqlite/thread-entry.ts';
