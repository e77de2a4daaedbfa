/**
 * The classes of damages: each makes disks and has them judged.
 *
 * Owns: nothing. Who may call it: the campaign and its tests.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FileStore } from '../../../src/adapters/file/file-store.ts';
import { type FileSystem, nodeFileSystem } from '../../../src/adapters/file/file-system.ts';
import { OrchestratorError } from '../../../src/model/errors.ts';
import { crashStates } from './crash-states.ts';
import { CALLS, codesOf, FailingDisk, type Fault } from './failing-disk.ts';
import type { Expected, Judge, OpenStore } from './judge.ts';
import { MemoryDisk } from './memory-disk.ts';
import { appendMore, hasMore, OWNER, play, STEPS } from './story.ts';

/** Where the store lies on a disk in memory. */
export const FOLDER = '/store';
const ALL = STEPS.length;
/** How many steps the small log has. */
export const SMALL = 4;
const THOROUGH_EACH = 3;
const LOG = /\.log$/;

/** A file store by its parts, small enough to have several segments. */
export function storeOn(files: FileSystem, durability: 'os' | 'power' = 'power', folder = FOLDER): FileStore {
  const boot = files instanceof MemoryDisk ? files.boot : 'first';
  return new FileStore({
    boot,
    files,
    folder,
    durability,
    leaseMs: 15_000,
    segmentBytes: 4_096,
    pendingMax: 100,
    garbageBytes: 1_048_576,
    // Small enough that the story has several indexes, in the background and when it is given back.
    indexBytes: 4_096,
    onNotice: () => {},
  });
}

export const openFileStore: OpenStore = (disk) => storeOn(disk);

/** A log of one segment, whose first steps are all that was ever written; as a death leaves it. */
export async function buildSmallDisk(): Promise<MemoryDisk> {
  const disk = new MemoryDisk();
  const store = storeOn(disk);
  await play(store, await store.claim(OWNER), STEPS.slice(0, SMALL), () => {});
  const dead = disk.copy();
  await store.release(OWNER);
  return dead;
}

/** The log of the whole story, through the file system of the machine: as a death leaves it, and given back. */
export async function buildDisks(): Promise<{ readonly dead: MemoryDisk; readonly closed: MemoryDisk }> {
  const root = mkdtempSync(join(tmpdir(), 'campaign-corrupt-'));
  try {
    const folder = join(root, 'store');
    const store = storeOn(nodeFileSystem, 'power', folder);
    await play(store, await store.claim(OWNER), STEPS, () => {});
    const dead = MemoryDisk.load(folder, FOLDER);
    await store.release(OWNER);
    const closed = MemoryDisk.load(folder, FOLDER);
    for (const disk of [dead, closed]) disk.now = Date.now();
    return { dead, closed };
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

/** How many bytes the log has. */
export function logBytes(disk: MemoryDisk): number {
  let sum = 0;
  for (const [path, { bytes }] of disk.names) if (LOG.test(path)) sum += bytes.length;
  return sum;
}

/** What is expected of a disk that was damaged after so many steps. */
function damaged(steps: number, isThorough: boolean): Expected {
  return { atLeast: steps, atMost: steps, mayRefuse: true, isThorough };
}

/** Cuts every file of a disk at every byte. */
export async function truncations(judge: Judge, disk: MemoryDisk, every = 1, steps = ALL): Promise<void> {
  for (const [path, { bytes }] of disk.names)
    for (let size = 0; size < bytes.length; size += every) {
      const cut = disk.copy();
      cut.put(path, bytes.subarray(0, size));
      await judge.judge(cut, damaged(steps, true), `${path} cut at ${size} of ${bytes.length}`);
    }
}

/** Turns every bit of every file of a disk. */
export async function flips(judge: Judge, disk: MemoryDisk, every = 1, steps = ALL): Promise<void> {
  for (const [path, { bytes }] of disk.names)
    for (let bit = 0; bit < bytes.length * 8; bit += every) {
      const turned = Buffer.from(bytes);
      turned.writeUInt8(turned.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      const flipped = disk.copy();
      flipped.put(path, turned);
      const about = `${path}, byte ${bit >> 3}, bit ${bit & 7}`;
      await judge.judge(flipped, damaged(steps, bit % 61 === 0), about);
    }
}

/** Takes every file away, fills its end with zeros and rubbish, and exchanges it for every other one. */
export async function wholeFiles(judge: Judge, disk: MemoryDisk, steps = ALL): Promise<void> {
  for (const [path, { bytes }] of disk.names) {
    // A blob is asked for by its name alone: one that is gone was never there.
    const isBlob = path.includes('/blobs/');
    const given: readonly (readonly [string, Buffer | undefined])[] = [
      ...(isBlob ? [] : [['missing', undefined] as const]),
      ['with 4 KiB of zeros behind', Buffer.concat([bytes, Buffer.alloc(4_096)])],
      ['with 64 KiB of rubbish behind', Buffer.concat([bytes, Buffer.alloc(65_536, 'rubbish')])],
      ['zeros', Buffer.alloc(bytes.length)],
      ...[...disk.names].map(([other, inode]) => [`with the content of ${other}`, inode.bytes] as const),
    ];
    for (const [what, content] of given) {
      const changed = disk.copy();
      if (content === undefined) changed.names.delete(path);
      else changed.put(path, content);
      await judge.judge(changed, damaged(steps, true), `${path} ${what}`);
    }
  }
}

/**
 * Every state that a death or a loss of power can leave, of the whole story from an empty disk on.
 * @param write - how the store is opened that takes the story; the judge opens what is left of it
 */
export async function crashes(
  judge: Judge,
  durability: 'os' | 'power',
  random: () => number,
  write: OpenStore = (disk) => storeOn(disk, durability),
): Promise<void> {
  const disk = new MemoryDisk();
  const base = disk.copy();
  disk.operations = [];
  const store = write(disk);
  await play(store, await store.claim(OWNER), STEPS, (steps) => {
    disk.note({ type: 'acknowledged', steps });
  });
  await store.release(OWNER);
  for (const { disk: state, acknowledged, isDeathOnly, about } of crashStates(
    disk.operations,
    base,
    random,
  )) {
    const expected: Expected = {
      // What the operating system has and the disk has not goes with the power, unless the disk was asked.
      atLeast: isDeathOnly || durability === 'power' ? acknowledged : 0,
      atMost: Math.min(ALL, acknowledged + 1),
      mayRefuse: false,
      isThorough: judge.states % THOROUGH_EACH === 0,
      mayHaveOldBlobs: !isDeathOnly,
    };
    await judge.judge(state, expected, about);
  }
}

/** Every call of the file system fails in its turn, once and for ever, with every code. */
export async function faults(judge: Judge): Promise<void> {
  for (const call of CALLS)
    for (const code of codesOf(call))
      for (const isForEver of [false, true])
        for (const isPartial of call === 'file.write' ? [false, true] : [false])
          for (let nth = 1; ; nth++) {
            const fault: Fault = { call, nth, code, isForEver, isPartial };
            if (!(await playWithFault(judge, fault))) break;
          }
}

/** @returns whether the call that was to fail was made */
async function playWithFault(judge: Judge, fault: Fault): Promise<boolean> {
  const { call, nth, code, isForEver, isPartial } = fault;
  const about = `${code} at call ${nth} of ${call}${isForEver ? ' and all later ones' : ''}${isPartial ? ', half of it written' : ''}`;
  const disk = new MemoryDisk();
  const failing = new FailingDisk(disk, fault);
  const store = storeOn(failing.files);
  let acknowledged = 0;
  let more: unknown;
  const claim = await judge.attempt(() => store.claim(OWNER), about);
  if (claim !== undefined && !(claim instanceof OrchestratorError)) {
    await judge.attempt(
      () =>
        play(store, claim.value, STEPS, (steps) => {
          acknowledged = steps;
        }),
      about,
    );
    // Whatever this answers is to be kept as well.
    if (acknowledged < ALL) more = await judge.attempt(() => appendMore(store, claim.value, 'after'), about);
  }
  if (!failing.hasFailed) return false;
  await judge.attempt(() => store.release(OWNER), `${about}, release`);
  failing.isMended = true;
  const expected = { atLeast: acknowledged, atMost: Math.min(ALL, acknowledged + 1), mayRefuse: false };
  // The same store goes on once the disk does.
  const again = await judge.attempt(() => store.claim(OWNER), `${about}, claimed again`);
  if (again instanceof OrchestratorError && again.code !== 'STORE_OWNED')
    judge.violation('stuck', about, `${again.code}: ${again.message}`);
  if (more !== undefined && !(more instanceof OrchestratorError)) {
    disk.now += 3_600_000;
    const has = await judge.attempt(() => hasMore(storeOn(disk), 'after'), about);
    if (has === undefined || has instanceof OrchestratorError || !has.value)
      judge.violation('loss', about, 'an append that was acknowledged after the fault is not there');
  }
  await judge.attempt(() => store.release(OWNER), `${about}, released again`);
  await judge.judge(disk, { ...expected, isThorough: true }, about);
  return true;
}
