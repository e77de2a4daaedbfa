/**
 * Who may write: a file for each epoch. Whoever makes the next one is the owner from then on.
 *
 * Owns: the files `owner-…` and `given-back-…` of a store, and the timer that shows that its owner lives. Who may call it: the store.
 *
 * OF1  Epochs only grow: the file of one is made by a link that fails if it is there, by one process only.
 * OF2  An owner whose process is known to be gone is replaced at once; one that shows no sign of life, after its lease,
 *      by the clock of the file system alone.
 * OF3  Whoever writes looks for the file of the next epoch after his write is on the disk and before he says so. A later
 *      owner makes that file before he reads the log. So either he reads the write, or the writer is refused.
 */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { OrchestratorError } from '../../model/errors.ts';
import { isKnownDead, type ProcessMark, thisProcess } from '../this-process.ts';
import type { FileSystem, FolderEntry } from './file-system.ts';
import { anchorEpoch } from './head-anchor.ts';
import { parseSegmentName } from './segment.ts';
import { badFormat, fenced } from './store-errors.ts';

/** What the file of an epoch says. */
interface OwnerRecord extends ProcessMark {
  readonly epoch: number;
  readonly owner: string;
}

const OWNER = /^owner-(\d{10})\.json$/;

function ownerFile(epoch: number): string {
  return `owner-${String(epoch).padStart(10, '0')}.json`;
}

function givenBackFile(epoch: number): string {
  return `given-back-${String(epoch).padStart(10, '0')}`;
}

function ownersOf(entries: readonly FolderEntry[]): readonly number[] {
  const found = entries.map(({ name }) => OWNER.exec(name)?.[1]).filter((text) => text !== undefined);
  return found.map(Number).sort((a, b) => a - b);
}

/** The epoch that a name in the folder speaks of; 0 if of none. */
function epochIn(name: string): number {
  return parseSegmentName(name)?.epoch ?? anchorEpoch(name) ?? 0;
}

export class Ownership {
  readonly #files: FileSystem;
  readonly #folder: string;
  readonly #leaseMs: number;
  #mine: { readonly epoch: number; readonly owner: string; readonly bytes: Buffer } | undefined;
  #beat: NodeJS.Timeout | undefined;
  #beating: Promise<void> = Promise.resolve();

  constructor(files: FileSystem, folder: string, leaseMs: number) {
    this.#files = files;
    this.#folder = folder;
    this.#leaseMs = leaseMs;
  }

  /** The epoch of this store; 0 while it has none. */
  get epoch(): number {
    return this.#mine?.epoch ?? 0;
  }

  get owner(): string | undefined {
    return this.#mine?.owner;
  }

  /**
   * Becomes the owner.
   * @returns the epoch
   * @throws OrchestratorError `STORE_OWNED`, `STORE_FORMAT`
   */
  async claim(owner: string): Promise<number> {
    const entries = await this.#files.list(this.#folder);
    const epochs = ownersOf(entries);
    const current = epochs.at(-1) ?? 0;
    // Also greater than what stands in the log: if the files of owners were lost, what is written would be passed over.
    const epoch = Math.max(current, ...entries.map(({ name }) => epochIn(name))) + 1;
    const bytes = Buffer.from(JSON.stringify({ epoch, owner, ...thisProcess() } satisfies OwnerRecord));
    const draft = join(this.#folder, `claim-${randomUUID()}.tmp`);
    const file = await this.#files.open(draft, 'create');
    try {
      await file.write(bytes, 0);
      await file.sync();
    } finally {
      await file.close();
    }
    try {
      if (current > 0) await this.#checkOver(current, draft);
      await this.#files.link(draft, join(this.#folder, ownerFile(epoch)));
      // Whatever fails from here on, the claim is there and has to be given back.
      this.#mine = { epoch, owner, bytes };
    } catch (error) {
      // Somebody else has just become the owner: of this epoch, or of one behind it.
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'EEXIST' && code !== 'ENOENT') throw error;
      throw beaten(epoch);
    } finally {
      await this.#files.remove(draft);
    }
    await this.#files.syncFolder(this.#folder);
    // The oldest first: while the file of an epoch is there, so are those of all later ones.
    for (const old of epochs) await this.#forget(old);
    this.#startBeat();
    return epoch;
  }

  /** Gives the claim back, if it is still this owner's. */
  async release(): Promise<void> {
    const mine = this.#mine;
    if (mine === undefined) return;
    this.#mine = undefined;
    clearInterval(this.#beat);
    await this.#beating;
    try {
      const mark = await this.#files.open(join(this.#folder, givenBackFile(mine.epoch)), 'create');
      await mark.close();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    await this.#files.syncFolder(this.#folder);
  }

  /** @throws OrchestratorError `STORE_FENCED` when there is a later owner */
  async checkStillOwner(stream: string): Promise<void> {
    const [mine, next] = await Promise.all([
      this.#files.facts(join(this.#folder, ownerFile(this.epoch))),
      this.#files.facts(join(this.#folder, ownerFile(this.epoch + 1))),
    ]);
    // The file of the next epoch may be gone again, when there was another one since; then the own one is gone longer.
    if (mine === undefined || next !== undefined)
      throw fenced(`epoch ${this.epoch} is over, another process has taken the store over`, stream);
  }

  /** @throws OrchestratorError `STORE_OWNED` while the owner of an epoch lives */
  async #checkOver(epoch: number, draft: string): Promise<void> {
    if ((await this.#files.facts(join(this.#folder, givenBackFile(epoch)))) !== undefined) return;
    const record = await this.#read(epoch);
    if (isKnownDead(record)) return;
    const shown = await this.#files.facts(join(this.#folder, ownerFile(epoch)));
    const now = await this.#files.facts(draft);
    if (shown !== undefined && now !== undefined && now.changedAt - shown.changedAt > this.#leaseMs) return;
    throw owned(record, this.#leaseMs);
  }

  async #read(epoch: number): Promise<OwnerRecord> {
    const name = ownerFile(epoch);
    const file = await this.#files.open(join(this.#folder, name), 'read');
    try {
      const bytes = Buffer.alloc(await file.size());
      await file.read(bytes, 0);
      const record = JSON.parse(bytes.toString('utf8')) as Partial<OwnerRecord>;
      if (typeof record.owner === 'string' && Number.isInteger(record.pid)) return record as OwnerRecord;
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
    } finally {
      await file.close();
    }
    throw badFormat(name, 'something else than the note of an owner');
  }

  #startBeat(): void {
    this.#beat = setInterval(() => {
      this.#beating = this.#beating.then(() => this.#showLife());
    }, this.#leaseMs / 3);
    this.#beat.unref();
  }

  /** Writes the same bytes again, which changes the time of the file. */
  async #showLife(): Promise<void> {
    if (this.#mine === undefined) return;
    const { epoch, bytes } = this.#mine;
    try {
      const file = await this.#files.open(join(this.#folder, ownerFile(epoch)), 'write');
      try {
        await file.write(bytes, 0);
      } finally {
        await file.close();
      }
    } catch {
      // The file is gone when somebody has taken over; the next write finds that out. Any other fault is tried again.
    }
  }

  async #forget(epoch: number): Promise<void> {
    await this.#files.remove(join(this.#folder, ownerFile(epoch)));
    await this.#files.remove(join(this.#folder, givenBackFile(epoch)));
  }
}

function beaten(epoch: number): OrchestratorError {
  return new OrchestratorError(
    'STORE_OWNED',
    `another process has become the owner of the store in the same moment, with epoch ${epoch} or later; close that orchestrator first`,
    { details: { epoch } },
  );
}

function owned({ owner, pid, host }: OwnerRecord, leaseMs: number): OrchestratorError {
  return new OrchestratorError(
    'STORE_OWNED',
    `the store is in use by ${owner}, process ${pid} on ${host}; close that orchestrator first, or end its process. If it shows no sign of life for ${leaseMs} ms it can be taken over`,
    { details: { owner, pid, host } },
  );
}
