// What a worker thread runs first; for hosts that bundle the package: `workerHandlers(url, { entry })`.
export { session as default } from './adapters/worker-threads/thread/entry.ts';
