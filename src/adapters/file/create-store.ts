/** Makes a file store from what a host gives. */
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  checkChoice,
  checkFunction,
  checkInteger,
  checkKeys,
  checkRecord,
  checkTimeLimit,
  type Duration,
  invalidOption,
  reading,
} from '../../model/checks.ts';
import { refuse } from '../../model/errors.ts';
import { FileStore, type FileStoreNotice } from './file-store.ts';
import { nodeFileSystem } from './file-system.ts';

/** How a file store works. Everything has a default. */
export interface FileStoreOptions {
  /**
   * What an acknowledged append outlives: `power` the machine (each append is synced to the disk), `os` the process (the
   * operating system has it). Default `power`.
   */
  readonly durability?: 'os' | 'power' | undefined;
  /**
   * After how long without a sign of life an owner is replaced whose process cannot be asked: it is stopped, or on another
   * machine. At least 1 s. Default 15 s.
   */
  readonly lease?: Duration | undefined;
  /** From how many bytes on a file of the log is followed by the next: 4,096 to 1 GiB. Default 64 MiB. */
  readonly segmentBytes?: number | undefined;
  /** How many requests may wait for the disk: 1 to 100,000. One more is refused. Default 1,000. */
  readonly pendingMax?: number | undefined;
  /** From how many bytes of garbage on files are compacted, when they are half of all: 4,096 to 1 TiB. Default 16 MiB. */
  readonly garbageBytes?: number | undefined;
  /**
   * By how many bytes the log grows until its index is written anew, at the least: 4,096 to 1 GiB. Default 8 MiB. Opening
   * reads what the index does not cover.
   */
  readonly indexBytes?: number | undefined;
  /** Told what no call fails of: an end that a crash has torn, a compaction. What it throws is ignored. */
  readonly onNotice?: ((notice: FileStoreNotice) => void) | undefined;
}

const KEYS: ReadonlySet<string> = new Set([
  'durability',
  'lease',
  'segmentBytes',
  'pendingMax',
  'garbageBytes',
  'indexBytes',
  'onNotice',
]);
const AT = 'fileStore';
const MIB = 1_048_576;
const LEASE_MS_MIN = 1_000;

/**
 * An event store in a folder of files, without any dependency. It is opened when an orchestrator is, and belongs to that
 * one alone until it is closed.
 *
 * @param folder - a path or a `file:` URL; it is made if it is not there
 * @throws OrchestratorError `OPTION_INVALID`, `OPTION_UNKNOWN`
 *
 * @example
 * const orchestrator = await Orchestrator.open({ store: fileStore('./state') });
 */
export function fileStore(folder: string | URL, options: FileStoreOptions = {}): FileStore {
  const path = checkFolder(folder);
  const given = reading(AT, 'an object of options', () => {
    const record = checkRecord(options, AT, 'an object of options');
    checkKeys(record, KEYS, AT);
    return record as FileStoreOptions;
  });
  const leaseMs = given.lease === undefined ? 15_000 : checkTimeLimit(given.lease, `${AT}/lease`);
  if (leaseMs < LEASE_MS_MIN)
    throw refuse('OPTION_INVALID', { at: `${AT}/lease`, found: `${leaseMs} ms`, allowed: 'at least 1 s' });
  const number = (
    name: 'segmentBytes' | 'pendingMax' | 'garbageBytes' | 'indexBytes',
    value: number,
    min: number,
    max: number,
  ) => (given[name] === undefined ? value : checkInteger(given[name], `${AT}/${name}`, min, max));
  const { onNotice } = given;
  if (onNotice !== undefined) checkFunction(onNotice, `${AT}/onNotice`, 'a function of the notice');
  return new FileStore({
    files: nodeFileSystem,
    folder: path,
    durability:
      given.durability === undefined
        ? 'power'
        : checkChoice(given.durability, `${AT}/durability`, ['os', 'power'] as const),
    leaseMs,
    segmentBytes: number('segmentBytes', 64 * MIB, 4_096, 1_024 * MIB),
    pendingMax: number('pendingMax', 1_000, 1, 100_000),
    garbageBytes: number('garbageBytes', 16 * MIB, 4_096, MIB * MIB),
    indexBytes: number('indexBytes', 8 * MIB, 4_096, 1_024 * MIB),
    onNotice: (notice) => {
      try {
        onNotice?.(notice);
      } catch {
        // A notice is for the host; nothing here depends on it.
      }
    },
  });
}

function checkFolder(folder: unknown): string {
  const allowed = 'the path of a folder, or a file: URL';
  if (typeof folder === 'string' && folder !== '' && !folder.includes('\0')) return resolve(folder);
  if (folder instanceof URL && folder.protocol === 'file:') return fileURLToPath(folder);
  throw invalidOption(`${AT}/folder`, folder, allowed);
}
