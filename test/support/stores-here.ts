/** Every store of the package that runs here, for tests of what is the same on all of them. */
import { type EventStore, MemoryStore } from '@taskmaster-ai/orchestrator';
import { fileStore } from '@taskmaster-ai/orchestrator/file';
import { sqliteStore } from '@taskmaster-ai/orchestrator/sqlite';
import { DRIVERS_HERE } from './sqlite.ts';

/** A kind of store. */
export interface StoreKind {
  readonly name: string;
  /** Why it cannot be tested here. */
  readonly missing: string | undefined;
  /** Opens the one at a place, which is a free name of a file or folder; again, it is the same one. */
  open(place: string): EventStore;
}

const memories = new Map<string, MemoryStore>();

function memoryAt(place: string): MemoryStore {
  const known = memories.get(place) ?? new MemoryStore();
  memories.set(place, known);
  return known;
}

export const STORES: readonly StoreKind[] = [
  { name: 'memory', missing: undefined, open: memoryAt },
  { name: 'file', missing: undefined, open: (place) => fileStore(place, { durability: 'os' }) },
  ...DRIVERS_HERE.map(({ driver, missingThread }) => ({
    name: `SQLite (${driver})`,
    missing: missingThread,
    open: (place: string) => sqliteStore(place, { driver, durability: 'os' }),
  })),
];
