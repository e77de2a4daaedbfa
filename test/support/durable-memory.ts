import { MemoryStore, type StoreCapabilities } from '@taskmaster-ai/orchestrator';

/** A store in memory that says of itself what a store on a disk says, so that everything for those is done. */
export class DurableMemory extends MemoryStore {
  override readonly capabilities: StoreCapabilities = { durability: 'power', keepsValues: false };
}
