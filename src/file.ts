export type { Compaction } from './adapters/file/compaction.ts';
export { type FileStoreOptions, fileStore } from './adapters/file/create-store.ts';
export type { FileStore, FileStoreNotice } from './adapters/file/file-store.ts';
export type { TornEnd } from './adapters/file/scanned-segment.ts';
