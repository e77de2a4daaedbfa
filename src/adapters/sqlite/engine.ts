/**
 * Everything that is done with the database of a store, at once and in the thread that it is called in: mostly that of the
 * store, the host's own for a database that was handed in.
 *
 * Owns: the database. Who may call it: the thread entry, the desk of a handed-in database.
 *
 * EN1  Every write is one transaction that checks the owner, so it is in the file as a whole or not at all.
 * EN2  After a write that failed nothing is written until the store is claimed again: what the disk has is not known.
 *      Only a lock that was not given in time is no such failure.
 * EN3  Nothing is written to a file that was put away or replaced while it was open.
 */
import { statSync } from 'node:fs';
import { OrchestratorError } from '../../model/errors.ts';
import type { BlobRecord, CheckpointInfo, ListRequest, StreamInfo } from '../../ports/event-store.ts';
import { Beside } from './beside.ts';
import type { Statements } from './database.ts';
import { listStreams } from './listing.ts';
import { claimantOf, Ownership } from './owner.ts';
import type { Method, Requests, TextAppend, TextCheckpoint, TextPage } from './requests.ts';
import { type Doing, isBusy, poisoned, storeError } from './sqlite-errors.ts';
import { Streams } from './streams.ts';

/** How many events of removed streams are deleted beside an append, and in a call that removes streams. */
const SWEEP_WITH_APPEND = 500;
const SWEEP_WITH_REMOVE = 5_000;

export interface EngineParts {
  readonly db: Statements;
  /** Its path; `undefined` for a database that was handed in. */
  readonly file: string | undefined;
  readonly leaseMs: number;
  readonly instance: string;
}

export class Engine implements Requests {
  readonly #db: Statements;
  readonly #path: string | undefined;
  readonly #file: string;
  readonly #inode: bigint | undefined;
  readonly #owner: Ownership;
  readonly #streams: Streams;
  readonly #beside: Beside;
  readonly #renewMs: number;
  #renewal: NodeJS.Timeout | undefined;
  #failed: OrchestratorError | undefined;

  constructor({ db, file, leaseMs, instance }: EngineParts) {
    this.#db = db;
    this.#path = file;
    this.#file = file ?? 'the given database';
    this.#inode = file === undefined ? undefined : inodeOf(file);
    this.#owner = new Ownership(db, claimantOf(instance), leaseMs);
    this.#streams = new Streams(db, this.#file);
    this.#beside = new Beside(db, this.#file);
    this.#renewMs = Math.max(1, Math.floor(leaseMs / 3));
  }

  /** Carries out a request by its name. */
  answer<M extends Method>(method: M, given: Parameters<Requests[M]>): ReturnType<Requests[M]> {
    return (this[method] as (...given: unknown[]) => unknown)(...given) as ReturnType<Requests[M]>;
  }

  claim(owner: string): number {
    const epoch = this.#do('write', () => {
      this.#checkFile();
      return this.#owner.claim(owner);
    });
    this.#failed = undefined;
    this.#renewal ??= setInterval(() => this.#renew(), this.#renewMs).unref();
    return epoch;
  }

  release(owner: string): void {
    this.#do('write', () => this.#owner.release(owner));
    if (!this.#owner.isClaimed) this.stop();
  }

  append(batch: readonly TextAppend[]): void {
    this.#write(() => {
      let checked: number | undefined;
      for (const append of batch) {
        // Within a transaction nobody else becomes the owner, and the appends of a batch mostly have one epoch.
        if (append.epoch !== checked) this.#owner.checkEpoch(append.epoch, append.stream);
        checked = append.epoch;
        this.#streams.append(append);
      }
      if (this.#streams.mayHaveRemoved) this.#streams.sweep(SWEEP_WITH_APPEND);
    });
  }

  read(stream: string, fromSeq: number, limit: number): TextPage {
    return this.#do('read', () => this.#streams.read(stream, fromSeq, limit));
  }

  list(request: ListRequest): readonly StreamInfo[] {
    return this.#do('read', () => listStreams(this.#db, request, this.#streams.removed));
  }

  findKey(key: string): string | undefined {
    return this.#do('read', () => this.#streams.findKey(key));
  }

  remove(streams: readonly string[], epoch: number | undefined): void {
    this.#write(() => {
      this.#owner.checkForget(epoch, streams[0] ?? '');
      for (const stream of streams) {
        this.#streams.remove(stream);
        this.#beside.removeStream(stream);
      }
      this.#streams.sweep(SWEEP_WITH_REMOVE);
    });
  }

  saveCheckpoint(checkpoint: TextCheckpoint, epoch: number): void {
    this.#write(() => {
      this.#owner.checkEpoch(epoch, checkpoint.info.stream);
      this.#beside.saveCheckpoint(checkpoint);
    });
  }

  loadCheckpoint(id: string): TextCheckpoint | undefined {
    return this.#do('read', () => this.#beside.loadCheckpoint(id));
  }

  listCheckpoints(stream: string): readonly CheckpointInfo[] {
    return this.#do('read', () => this.#beside.listCheckpoints(stream));
  }

  removeCheckpoint(id: string, epoch: number | undefined): void {
    this.#write(() => {
      this.#owner.checkForget(epoch, id);
      this.#beside.removeCheckpoint(id);
    });
  }

  saveBlob(blob: BlobRecord, epoch: number): void {
    this.#write(() => {
      this.#owner.checkEpoch(epoch, blob.stream);
      this.#beside.saveBlob(blob);
    });
  }

  loadBlob(stream: string, id: string): Uint8Array | undefined {
    return this.#do('read', () => this.#beside.loadBlob(stream, id));
  }

  /** Ends the timer; the database stays open. */
  stop(): void {
    clearInterval(this.#renewal);
    this.#renewal = undefined;
  }

  close(): void {
    this.stop();
    this.#db.close();
  }

  #write(body: () => void): void {
    if (this.#failed !== undefined) throw poisoned(this.#failed);
    this.#do('write', () => {
      this.#checkFile();
      this.#db.transaction(body);
    });
  }

  #do<Result>(doing: Doing, body: () => Result): Result {
    try {
      return body();
    } catch (thrown) {
      const error = storeError(thrown, this.#file, doing);
      // A refusal of our own has written nothing; neither has a writer that waited for another one.
      if (doing === 'write' && thrown !== error && !isBusy(thrown)) this.#failed ??= error;
      throw error;
    }
  }

  /** A sign of life that comes too late does no harm: the owner is checked at every write. */
  #renew(): void {
    try {
      this.#owner.renew();
    } catch (error) {
      if (!isBusy(error)) this.#failed ??= storeError(error, this.#file, 'write');
    }
  }

  #checkFile(): void {
    if (this.#path === undefined || inodeOf(this.#path) === this.#inode) return;
    this.#failed = new OrchestratorError(
      'STORE_UNAVAILABLE',
      `the file ${this.#file} was removed or replaced while it was open; nothing was written. Close the store, put the right file in place and open it again`,
      { details: { file: this.#file } },
    );
    throw this.#failed;
  }
}

function inodeOf(path: string): bigint | undefined {
  return statSync(path, { bigint: true, throwIfNoEntry: false })?.ino;
}
