// What a child process of handlers runs first; for hosts that bundle the package.
export { listenToHost } from './adapters/worker-threads/thread/process-entry.ts';
