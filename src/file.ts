export { type FileStoreOptions, fileStore } from './adapters/file/create-store.ts';
export type { FileStore, FileStoreNotice } from './adapters/file/file-store.ts';
