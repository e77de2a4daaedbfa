export { encryptedStore } from './adapters/encryption/encrypted-store.ts';
export type {
  EncryptionKey,
  EncryptionOptions,
  FindEncryptionKey,
} from './adapters/encryption/key-ring.ts';
