/**
 * This package on a durable store, as its users meet it: built, imported by its name, default options but for the store.
 */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { defineWorkflow, type EventStore, Orchestrator, task } from '@taskmaster-ai/orchestrator';
import { fileStore } from '@taskmaster-ai/orchestrator/file';
import { sqliteStore } from '@taskmaster-ai/orchestrator/sqlite';
import { type BenchDurability, type OpenLane, STEPS, type StoreLaneName } from './lane.ts';

export type StoreKind = Exclude<StoreLaneName, 'probe'>;

export async function openOrchestratorLane(
  kind: StoreKind,
  folder: string,
  durability: BenchDurability,
): Promise<OpenLane> {
  const { store, end } = makeStore(kind, folder, durability);
  let commits = 0;
  let steps = 0;
  const append = store.append.bind(store);
  // One append is one commit: so they are counted without asking the store anything.
  store.append = (batch) => {
    commits++;
    return append(batch);
  };
  const flow = defineWorkflow('flow', {
    tasks: Array.from({ length: STEPS }, (_, index) =>
      task(`step-${index}`, {
        dependencies: index === 0 ? [] : [`step-${index - 1}`],
        run: async () => {
          steps++;
          return { step: index };
        },
      }),
    ),
  });
  const host = await Orchestrator.open({ store, workflows: [flow] });
  return {
    async runOne() {
      const run = await host.manageWorkflow(flow);
      await run.result();
    },
    commits: () => commits,
    steps: () => steps,
    async close() {
      await host.close();
      end();
    },
  };
}

/** A store in a folder, and what is to be done when it is closed. */
export function makeStore(
  kind: StoreKind,
  folder: string,
  durability: BenchDurability,
): { readonly store: EventStore; readonly end: () => void } {
  const nothing = (): void => {};
  if (kind === 'file') return { store: fileStore(join(folder, 'store'), { durability }), end: nothing };
  const file = join(folder, 'store.db');
  if (kind !== 'blocking') {
    const driver = kind === 'node-sqlite' ? 'node' : 'better-sqlite3';
    return { store: sqliteStore(file, { durability, driver }), end: nothing };
  }
  const database = new DatabaseSync(file);
  return { store: sqliteStore(database, { durability, blocking: true }), end: () => database.close() };
}
