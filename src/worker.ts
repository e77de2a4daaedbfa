// What a worker thread runs first, and, for hosts that bundle the package, a child process too: one file to add to them.
export { session as default } from './adapters/worker-threads/thread/entry.ts';
export { listenToHost } from './adapters/worker-threads/thread/process-entry.ts';
