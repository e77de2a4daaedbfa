/**
 * Bytes per task that a peer holds, heap and external memory after a full collection, above what was there before
 * it was given the graph. The integer arrays and the task function are not counted for anybody; ids and lists of
 * dependency ids count as far as a peer holds on to them, and so do a graph's copies of its arrays.
 */
import process from 'node:process';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Adapter } from './adapter.ts';
import { buildGraph, layered, withoutStrings } from './workloads.ts';

export interface Footprint {
  /** Defined, not started. */
  readonly built: number;
  /** While the middle task runs. */
  readonly halfWay: number;
  /** Ended; definition and results held. */
  readonly held: number;
  /** Results released, definition held. */
  readonly released: number;
  /** The definition let go of too. */
  readonly dropped: number;
}

export const FOOTPRINT_SIZE = 100_000;

const WIDTH = 100;
const REHEARSAL_SIZE = 2_000;

export async function measureFootprint(adapter: Adapter, size: number): Promise<Footprint> {
  // Once on a small scale first, so that compiled code and grown tables are not charged to the tasks.
  await stages(adapter, REHEARSAL_SIZE);
  return stages(adapter, size);
}

async function stages(adapter: Adapter, size: number): Promise<Footprint> {
  let ran = 0;
  let halfWayBytes = 0;
  const task = async (): Promise<void> => {
    ran++;
    if (ran === size >> 1) halfWayBytes = bytesInUse();
  };
  const parents = layered(size / WIDTH, WIDTH);
  const integers = withoutStrings(buildGraph(parents, { body: () => task }));
  await adapter.open?.(integers);
  const before = await settledBytes();
  const perTask = (bytes: number): number => (bytes - before) / size;

  // Strings are made here and let go of, so that what a peer keeps of them is counted.
  const definitions = [
    adapter.define(adapter.startsFrom === 'integers' ? integers : buildGraph(parents, { body: () => task })),
  ];
  const built = perTask(await settledBytes());
  await adapter.run(definitions[0]);
  const held = perTask(await settledBytes());
  await adapter.release?.();
  const released = perTask(await settledBytes());
  definitions.length = 0;
  const dropped = perTask(await settledBytes());
  // These two were there at the first reading, so they have to be there at the last.
  if (ran !== integers.size || parents.length !== ran)
    throw new Error(`${ran} of ${integers.size} tasks ran`);
  return { built, halfWay: perTask(halfWayBytes), held, released, dropped };
}

/** Weak references and finalisers need a turn of the event loop between two collections. */
async function settledBytes(): Promise<number> {
  for (let round = 0; round < 3; round++) {
    bytesInUse();
    await nextTurn();
  }
  return bytesInUse();
}

function bytesInUse(): number {
  if (globalThis.gc === undefined) throw new Error('memory is measured with --expose-gc');
  globalThis.gc();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
