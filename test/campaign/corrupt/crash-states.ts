/**
 * The states that a death or a loss of power can leave on a disk, made from what was done to it.
 *
 * Owns: nothing. Who may call it: the campaign.
 *
 * CS1  What was synced is there: a write once its file was synced, a name once its folder was.
 * CS2  Of everything else any part may be there, in any order, and the last write only in part.
 */
import { dirname } from 'node:path';
import type { Inode, MemoryDisk, Operation } from './memory-disk.ts';

/** A disk as a crash left it. */
export interface CrashState {
  readonly disk: MemoryDisk;
  /** So many steps had been acknowledged before. */
  readonly acknowledged: number;
  /** Whether everything that was done is there: only the process has died. */
  readonly isDeathOnly: boolean;
  readonly about: string;
}

/** At most so many operations that were not synced are taken in all combinations; of more a sample is. */
const ALL_COMBINATIONS_MAX = 6;
const SAMPLES = 24;
const BLOCK_BYTES = 512;

/** All states after each operation, as far as they are few; `random` chooses when they are many. */
export function* crashStates(
  operations: readonly Operation[],
  base: MemoryDisk,
  random: () => number,
): Generator<CrashState> {
  let acknowledged = 0;
  for (let count = 0; count <= operations.length; count++) {
    const last = operations[count - 1];
    if (last?.type === 'acknowledged') acknowledged = last.steps;
    const done = operations.slice(0, count);
    const all = new Set(done.keys());
    yield {
      disk: diskWith(base, done, all),
      acknowledged,
      isDeathOnly: true,
      about: `dead after operation ${count}`,
    };
    if (last?.type === 'write')
      for (const size of tornSizes(last.bytes.length))
        yield {
          disk: diskWith(base, done, all, size),
          acknowledged,
          isDeathOnly: true,
          about: `dead in operation ${count}, ${size} bytes of it written`,
        };
    const open = pendingOf(done);
    for (const kept of choices(open, random)) {
      const there = new Set([...all].filter((i) => !open.includes(i) || kept.has(i)));
      const about = `no power after operation ${count}, kept of ${open.join(' ')}: ${[...kept].join(' ')}`;
      yield { disk: restarted(diskWith(base, done, there)), acknowledged, isDeathOnly: false, about };
      const lastKept = Math.max(...kept);
      const torn = operations[lastKept];
      if (torn?.type === 'write')
        for (const size of tornSizes(torn.bytes.length).slice(0, 2))
          yield {
            disk: restarted(diskWith(base, done, there, size, lastKept)),
            acknowledged,
            isDeathOnly: false,
            about: `${about}, ${size} bytes of the last one`,
          };
    }
  }
}

/** In how many bytes a write may have been torn. */
function tornSizes(length: number): readonly number[] {
  const sizes = [Math.floor(length / 2), 1, length - 1, BLOCK_BYTES, 4 * BLOCK_BYTES];
  return [...new Set(sizes)].filter((size) => size > 0 && size < length);
}

/** Which operations nobody has synced yet. */
function pendingOf(done: readonly Operation[]): readonly number[] {
  const syncedFiles = new Set<number>();
  const syncedFolders = new Set<string>();
  const open: number[] = [];
  for (let i = done.length - 1; i >= 0; i--) {
    const operation = done[i] as Operation;
    if (operation.type === 'sync') syncedFiles.add(operation.inode);
    else if (operation.type === 'syncFolder') syncedFolders.add(operation.path);
    else if (operation.type === 'write' || operation.type === 'truncate') {
      if (!syncedFiles.has(operation.inode)) open.push(i);
    } else if (operation.type !== 'acknowledged' && !syncedFolders.has(dirname(operation.path))) open.push(i);
  }
  return open.reverse();
}

function* choices(open: readonly number[], random: () => number): Generator<ReadonlySet<number>> {
  if (open.length <= ALL_COMBINATIONS_MAX) {
    for (let mask = 0; mask < 2 ** open.length - 1; mask++)
      yield new Set(open.filter((_, bit) => (mask >> bit) % 2 === 1));
    return;
  }
  yield new Set();
  for (let i = 0; i < SAMPLES; i++) {
    const share = random();
    const first = Math.floor(random() * open.length);
    // Half of them keep the first ones, as most disks do; the others keep any.
    yield new Set(open.filter((_, at) => (i % 2 === 0 ? at < first : random() < share)));
  }
}

/** Without power the machine has to be started again. */
function restarted(disk: MemoryDisk): MemoryDisk {
  disk.boot = 'second';
  return disk;
}

function diskWith(
  base: MemoryDisk,
  done: readonly Operation[],
  there: ReadonlySet<number>,
  tornSize?: number,
  torn = done.length - 1,
): MemoryDisk {
  const disk = base.copy();
  const inodes = new Map<number, Inode>();
  for (const inode of disk.names.values()) inodes.set(inode.number, inode);
  for (const [i, operation] of done.entries()) {
    if (!there.has(i)) continue;
    if (i === torn && tornSize !== undefined && operation.type === 'write')
      disk.apply({ ...operation, bytes: operation.bytes.subarray(0, tornSize) }, inodes);
    else disk.apply(operation, inodes);
  }
  disk.prune();
  return disk;
}
