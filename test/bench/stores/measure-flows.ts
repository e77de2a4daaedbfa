/**
 * One sample of a durable lane: a thousand workflows, a hundred of them at once; or one workflow with nothing else
 * going on. Every sample has a store of its own, new and empty, that is opened outside the clock and thrown away.
 */
import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import process from 'node:process';
import { median } from '../summary.ts';
import { type BenchDurability, type OpenLane, openLane, STEPS, type StoreLaneName } from './lane.ts';

export interface FlowsAsk {
  readonly lane: StoreLaneName;
  readonly durability: BenchDurability;
  /** A folder that is not there yet. */
  readonly folder: string;
  readonly workflows: number;
  /** So many at the same time; with 1, each has the machine for itself. */
  readonly atOnce: number;
}

export interface FlowsSample {
  readonly stepsPerSecond: number;
  /** Of one workflow, the median. */
  readonly eachMs: number;
  readonly commitsPerStep: number;
  /** Of all threads of the process. */
  readonly cpuUsPerStep: number;
}

export interface DiskAsk {
  readonly folder: string;
}

export interface DiskSample {
  /** Of 100 bytes, a hundred to a sync. */
  readonly rowsPerSecond: number;
  /** Of one row each. */
  readonly syncsPerSecond: number;
}

const ROW_BYTES = 100;
const ROWS_IN_GROUP = 100;
const GROUPS = 200;

export async function measureFlows(ask: FlowsAsk): Promise<FlowsSample> {
  const lane = await openLane(ask.lane, ask.folder, ask.durability);
  try {
    return await timed(lane, ask);
  } finally {
    await lane.close();
    rmSync(ask.folder, { recursive: true, force: true });
  }
}

async function timed(lane: OpenLane, { workflows, atOnce }: FlowsAsk): Promise<FlowsSample> {
  // The first one makes files and prepares statements.
  await lane.runOne();
  const commitsBefore = lane.commits();
  const stepsBefore = lane.steps();
  const cpuBefore = process.cpuUsage();
  const eachMs: number[] = [];
  let next = 0;
  const work = async (): Promise<void> => {
    while (next++ < workflows) {
      const at = performance.now();
      await lane.runOne();
      eachMs.push(performance.now() - at);
    }
  };
  const startedAt = performance.now();
  await Promise.all(Array.from({ length: atOnce }, work));
  const ms = performance.now() - startedAt;
  const { user, system } = process.cpuUsage(cpuBefore);
  const steps = lane.steps() - stepsBefore;
  if (steps !== workflows * STEPS) throw new Error(`${steps} of ${workflows * STEPS} steps ran`);
  return {
    stepsPerSecond: (steps * 1_000) / ms,
    eachMs: median(eachMs),
    commitsPerStep: (lane.commits() - commitsBefore) / steps,
    cpuUsPerStep: (user + system) / steps,
  };
}

/** What the disk of that folder can do at all: rows appended to a file, and synced. */
export async function measureDisk({ folder }: DiskAsk): Promise<DiskSample> {
  const path = join(folder, 'disk-limit');
  const file = openSync(path, 'w');
  try {
    const single = rate(file, ROW_BYTES, GROUPS);
    return {
      syncsPerSecond: single,
      rowsPerSecond: rate(file, ROW_BYTES * ROWS_IN_GROUP, GROUPS) * ROWS_IN_GROUP,
    };
  } finally {
    closeSync(file);
    rmSync(path);
  }
}

function rate(file: number, bytes: number, times: number): number {
  const group = Buffer.alloc(bytes, 'x');
  const startedAt = performance.now();
  for (let i = 0; i < times; i++) {
    writeSync(file, group);
    fdatasyncSync(file);
  }
  return (times * 1_000) / (performance.now() - startedAt);
}
