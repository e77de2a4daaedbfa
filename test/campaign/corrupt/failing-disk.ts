/**
 * A file system whose Nth call of a kind fails, once or from then on.
 *
 * Owns: the count of calls. Who may call it: the campaign.
 */
import type { FileSystem, OpenFile } from '../../../src/adapters/file/file-system.ts';
import { osError } from './memory-disk.ts';

/** The calls that can fail. Those on an open file come after those on names. */
export const CALLS = [
  'open',
  'facts',
  'list',
  'makeFolder',
  'rename',
  'link',
  'remove',
  'removeFolder',
  'syncFolder',
  'file.read',
  'file.write',
  'file.sync',
  'file.size',
  'file.close',
] as const;
export type Call = (typeof CALLS)[number];

/** The codes that are tried for a call: those that a system gives there. */
export function codesOf(call: Call): readonly string[] {
  if (call === 'file.write') return ['ENOSPC', 'EIO', 'EDQUOT', 'EINTR'];
  if (call === 'file.sync' || call === 'syncFolder') return ['EIO', 'ENOSPC'];
  if (call === 'open') return ['EMFILE', 'EACCES', 'ENOSPC', 'EIO'];
  if (call === 'facts' || call === 'list') return ['EACCES', 'EMFILE', 'EIO'];
  if (call.startsWith('file.')) return ['EIO'];
  return ['EACCES', 'ENOSPC', 'EIO', 'EROFS'];
}

/** Which call fails, and how. */
export interface Fault {
  readonly call: Call;
  readonly nth: number;
  readonly code: string;
  readonly isForEver: boolean;
  /** A write puts a part on the disk before it fails, as one on a disk that fills up does. */
  readonly isPartial: boolean;
}

export class FailingDisk {
  readonly files: FileSystem;
  readonly #fault: Fault;
  #seen = 0;
  isMended = false;

  constructor(disk: FileSystem, fault: Fault) {
    this.#fault = fault;
    const failing = new Map<string, unknown>();
    const watched = CALLS.filter(
      (call): call is Exclude<Call, `file.${string}`> => !call.startsWith('file.'),
    );
    for (const call of watched) {
      failing.set(call, async (...given: readonly unknown[]) => {
        this.#reach(call, String(given[0]));
        const answer: unknown = await (disk[call] as (...of: readonly unknown[]) => unknown).apply(disk, [
          ...given,
        ]);
        return call === 'open' ? this.#failingFile(answer as OpenFile) : answer;
      });
    }
    this.files = Object.fromEntries(failing) as unknown as FileSystem;
  }

  /** Whether the call that was to fail was made. */
  get hasFailed(): boolean {
    return this.#seen >= this.#fault.nth;
  }

  #reach(call: Call, what: string): void {
    const { call: chosen, nth, code, isForEver } = this.#fault;
    if (call !== chosen) return;
    this.#seen++;
    if (this.isMended || this.#seen < nth || (this.#seen > nth && !isForEver)) return;
    throw osError(code, `${call} ${what}`);
  }

  #failingFile(file: OpenFile): OpenFile {
    return {
      read: async (into, position) => {
        this.#reach('file.read', '');
        return file.read(into, position);
      },
      write: async (bytes, position) => {
        try {
          this.#reach('file.write', '');
        } catch (error) {
          if (this.#fault.isPartial) await file.write(bytes.subarray(0, bytes.length >> 1), position);
          throw error;
        }
        await file.write(bytes, position);
      },
      sync: async () => {
        this.#reach('file.sync', '');
        await file.sync();
      },
      truncate: (size) => file.truncate(size),
      size: async () => {
        this.#reach('file.size', '');
        return file.size();
      },
      close: async () => {
        // What fails to be closed is closed all the same.
        await file.close();
        this.#reach('file.close', '');
      },
    };
  }
}
