/**
 * The durable stores that are compared, and the yardsticks beside them. A lane carries workflows of a few steps to their
 * end; what is durable when, and how often it commits, is all that differs.
 */
import { mkdirSync } from 'node:fs';

/** In the order in which they are shown. */
export const STORE_LANES = ['probe', 'file', 'node-sqlite', 'better-sqlite3', 'blocking'] as const;
export type StoreLaneName = (typeof STORE_LANES)[number];

export const STORE_TITLES: Readonly<Record<StoreLaneName, string>> = {
  probe: 'probe: SQLite log by hand, group commit',
  file: 'fileStore',
  'node-sqlite': 'sqliteStore, node:sqlite',
  'better-sqlite3': 'sqliteStore, better-sqlite3',
  blocking: 'sqliteStore, handed-in node:sqlite',
};

/** What an acknowledged step outlives; for SQLite that is synchronous FULL and NORMAL. */
export const DURABILITIES = ['power', 'os'] as const;
export type BenchDurability = (typeof DURABILITIES)[number];

export const STEPS = 10;

/** A store that is open and empty, with whatever runs workflows on it. */
export interface OpenLane {
  /** One workflow of `STEPS` steps, one after the other, until its end is durable. */
  runOne(): Promise<void>;
  /** How often anything was made durable so far. */
  commits(): number;
  /** How many steps have run. */
  steps(): number;
  close(): Promise<void>;
}

/** @param folder - where the store is to be; it is made */
export async function openLane(
  name: StoreLaneName,
  folder: string,
  durability: BenchDurability,
): Promise<OpenLane> {
  mkdirSync(folder, { recursive: true });
  // Only the code of one lane is loaded: each has a process of its own.
  if (name === 'probe') return (await import('./probe-lane.ts')).openProbe(folder, durability);
  return (await import('./orchestrator-lane.ts')).openOrchestratorLane(name, folder, durability);
}
