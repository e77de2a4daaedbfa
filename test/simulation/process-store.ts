/**
 * The store as one process has it: every call takes its time, may fail, and is never answered once the process is dead.
 *
 * Owns: the count of calls by which faults are found. Who may call it: the orchestrator of that process.
 *
 * PS1  Each call is given to the disk, becomes durable, and is answered, in that order and with time between.
 * PS2  A dead process is never answered, and nothing that it does reaches the disk.
 */

import type {
  BlobRecord,
  CheckpointRecord,
  EventStore,
  ListRequest,
  ReadRequest,
  StreamAppend,
} from '@taskmaster-ai/orchestrator';
import { OrchestratorError } from '@taskmaster-ai/orchestrator';
import type { Disk } from './disk.ts';
import { RUN_PREFIX } from './disk.ts';
import type { Fault } from './scenario.ts';
import type { SimulatedProcess } from './simulated-process.ts';
import type { World } from './world.ts';

/** Calls over all processes. */
export interface StoreCounts {
  appends: number;
  reads: number;
  checkpoints: number;
  removals: number;
  blobs: number;
}

/** What a store is made of. */
export interface ProcessStoreParts {
  readonly world: World;
  readonly disk: Disk;
  readonly process: SimulatedProcess;
  readonly counts: StoreCounts;
  readonly isImmediate: boolean;
  readonly hasCheckpoints: boolean;
  readonly latency: number;
  /** The faults that are still to come; empty in the phase without faults. */
  readonly faults: () => readonly Fault[];
  readonly die: (process: SimulatedProcess, why: string) => void;
}

type When = 'before' | 'during' | 'after' | undefined;

/** One for each who waits: a promise keeps all that wait for it. */
function never(): Promise<never> {
  return new Promise(() => {});
}

/** How an append fails. */
interface Failure {
  readonly isWritten: boolean;
  readonly message: string;
}

/** The store of a process. */
export function processStore(parts: ProcessStoreParts): EventStore {
  const store = new ProcessStore(parts);
  const { disk, process, hasCheckpoints } = parts;
  const base: EventStore = {
    capabilities: { durability: 'power' },
    append: (batch) => store.append(batch),
    read: (request: ReadRequest) => store.read('read', () => disk.read(request)),
    list: (request: ListRequest) => store.read('list', () => disk.list(request)),
    findKey: (key) => store.read('findKey', () => disk.findKey(key)),
    remove: (streams, epoch) => store.remove(streams, epoch ?? disk.epoch),
    claim: (owner) => store.claim(owner),
    release: (owner) => store.release(owner),
    saveBlob: (blob: BlobRecord, epoch) => store.saveBlob(blob, epoch),
    loadBlob: (stream, id) => store.read('loadBlob', () => disk.blob(process.number, stream, id)),
  };
  if (!hasCheckpoints) return base;
  return {
    ...base,
    saveCheckpoint: (checkpoint: CheckpointRecord, epoch) => store.saveCheckpoint(checkpoint, epoch),
    loadCheckpoint: (id) => store.read('loadCheckpoint', () => disk.checkpoint(id)),
    listCheckpoints: (stream) => store.read('listCheckpoints', () => disk.checkpointsOf(stream)),
    removeCheckpoint: (id) => store.write(disk.removingCheckpoint(process.number, id)),
  };
}

class ProcessStore {
  readonly #parts: ProcessStoreParts;
  #isPoisoned = false;

  constructor(parts: ProcessStoreParts) {
    this.#parts = parts;
  }

  append(batch: readonly StreamAppend[]): void | Promise<void> {
    const { process, disk, counts } = this.#parts;
    if (!this.#isCalled()) return never();
    const number = ++counts.appends;
    const faults = this.#parts.faults();
    const crash = faults.find((fault) => fault.type === 'crash' && fault.append === number);
    const when: When = crash?.type === 'crash' ? crash.when : undefined;
    if (when === 'before') {
      this.#parts.die(process, `before append ${number}`);
      return never();
    }
    const refused = disk.check(batch);
    if (refused !== undefined) return this.#refuse(batch, refused);
    const failure = this.#failureOf(number, faults);
    if (failure !== undefined && !failure.isWritten) return this.#fail(failure.message);
    const slow = faults.find((fault) => fault.type === 'slow' && fault.append === number);
    return this.#carryOut(
      disk.writing(process.number, batch),
      when,
      `append ${number}`,
      slow?.type === 'slow' ? slow.ms : 0,
      failure,
    );
  }

  read<Value>(what: string, look: () => Value): Value | Promise<Value> {
    const { world, counts, process, isImmediate } = this.#parts;
    if (!this.#isCalled()) return never();
    const number = ++counts.reads;
    const fails = this.#parts
      .faults()
      .some(
        (fault) =>
          fault.type === 'read_fails' && number >= fault.read && number < fault.read + (fault.times ?? 1),
      );
    if (fails) return this.#fail(`${what} ${number}`) as Promise<never>;
    if (isImmediate) return look();
    return new Promise((resolve) => world.after(this.#latency(), () => resolve(look()), process));
  }

  write(apply: () => void): void | Promise<void> {
    return this.#isCalled() ? this.#carryOut(apply, undefined, 'write', 0, undefined) : never();
  }

  fenced(epoch: number, stream: string, writing: () => () => void): void | Promise<void> {
    if (epoch === this.#parts.disk.epoch) return this.write(writing());
    return Promise.reject(
      new OrchestratorError('STORE_FENCED', `stream ${stream}: the epoch ${epoch} is over`),
    );
  }

  saveCheckpoint(checkpoint: CheckpointRecord, epoch: number): void | Promise<void> {
    const { disk, process, counts } = this.#parts;
    if (!this.#isCalled()) return never();
    const number = ++counts.checkpoints;
    const crash = this.#parts
      .faults()
      .find((fault) => fault.type === 'crash_saving' && fault.checkpoint === number);
    if (epoch !== disk.epoch) return this.fenced(epoch, checkpoint.stream, () => () => {});
    const when = crash?.type === 'crash_saving' ? crash.when : undefined;
    const apply = disk.savingCheckpoint(process.number, checkpoint);
    return this.#carryOut(apply, when, `checkpoint ${number}`, 0, undefined);
  }

  remove(streams: readonly string[], epoch: number): void | Promise<void> {
    const { disk, process, counts } = this.#parts;
    // Who removes nothing asks whether the store is still his own.
    if (epoch !== disk.epoch || streams.length === 0)
      return this.fenced(epoch, streams[0] ?? '', () => () => {});
    if (!this.#isCalled()) return never();
    const number = ++counts.removals;
    const crash = this.#parts
      .faults()
      .find((fault) => fault.type === 'crash_removing' && fault.removal === number);
    const when = crash?.type === 'crash_removing' ? crash.when : undefined;
    return this.#carryOut(disk.removing(process.number, streams), when, `removal ${number}`, 0, undefined);
  }

  saveBlob({ stream, id, bytes }: BlobRecord, epoch: number): void | Promise<void> {
    const { disk, counts } = this.#parts;
    const number = ++counts.blobs;
    const fails = this.#parts.faults().some((fault) => fault.type === 'blob_fails' && fault.blob === number);
    if (!fails) return this.fenced(epoch, stream, () => disk.savingBlob(stream, id, bytes));
    if (!this.#isCalled()) return never();
    this.#noteFault(`blob ${number} is not kept`);
    return this.#fail(`blob ${number}`);
  }

  claim(owner: string): number | Promise<number> {
    const { disk, world, process, isImmediate } = this.#parts;
    if (!this.#isCalled()) return never();
    const take = (): number => {
      disk.owner = owner;
      process.epoch = ++disk.epoch;
      return process.epoch;
    };
    if (isImmediate) return take();
    return new Promise((resolve) => world.after(this.#latency(), () => resolve(take()), process));
  }

  release(owner: string): void | Promise<void> {
    const { disk } = this.#parts;
    return this.write(() => {
      if (disk.owner === owner) disk.owner = undefined;
    });
  }

  /** Whether there is anybody who calls; a process that opens may die of its nth call. */
  #isCalled(): boolean {
    const { process } = this.#parts;
    if (!process.isAlive) return false;
    process.calls++;
    if (process.isOpen) return true;
    const isLast = (fault: Fault): boolean =>
      fault.type === 'crash_opening' && fault.process === process.number && fault.call === process.calls;
    if (!this.#parts.faults().some(isLast)) return true;
    this.#parts.die(process, `while it opens, in call ${process.calls}`);
    return false;
  }

  #carryOut(
    apply: () => void,
    when: When,
    what: string,
    extraMs: number,
    failure: Failure | undefined,
  ): void | Promise<void> {
    const { world, disk, process, die } = this.#parts;
    const unsynced = { process: process.number, apply };
    disk.add(unsynced);
    if (when === 'during') {
      die(process, `during ${what}`);
      return never();
    }
    if (this.#parts.isImmediate) {
      disk.sync(unsynced);
      if (when === 'after') die(process, `after ${what}`);
      if (!process.isAlive) return never();
      if (failure !== undefined) throw unavailable(failure.message);
      return undefined;
    }
    return new Promise((resolve, reject) => {
      world.after(this.#latency() + extraMs, () => {
        // Of what was under way when somebody else took the store, chance has decided.
        const isOurs = disk.sync(unsynced);
        if (when === 'after') die(process, `after ${what}`);
        const answer = (): void => {
          if (failure !== undefined) reject(unavailable(failure.message));
          else if (isOurs) resolve();
          else reject(unavailable('the store was taken'));
        };
        world.after(this.#latency(), answer, process);
      });
    });
  }

  #failureOf(number: number, faults: readonly Fault[]): Failure | undefined {
    if (this.#isPoisoned) return { isWritten: false, message: `append ${number}: poisoned` };
    for (const fault of faults) {
      if (fault.type !== 'append_fails' || number < fault.append) continue;
      if (number >= fault.append + (fault.how === 'poisoned' ? 1 : fault.times)) continue;
      this.#noteFault(`append ${number} ${fault.how}`);
      if (fault.how === 'poisoned') this.#isPoisoned = true;
      const isWritten =
        fault.how === 'poisoned' ? this.#parts.world.chance.chance(0.5) : fault.how === 'written';
      return { isWritten, message: `append ${number}: ${fault.how}` };
    }
    return undefined;
  }

  #refuse(batch: readonly StreamAppend[], refused: OrchestratorError): Promise<never> {
    const { world, process } = this.#parts;
    const { stream = '' } = batch[0] ?? {};
    const { what } = refused.details as { readonly what: string };
    if (stream.startsWith(RUN_PREFIX))
      world.note({
        kind: 'conflict',
        process: process.number,
        t: world.now,
        run: stream.slice(RUN_PREFIX.length),
        seq: 0,
        what,
      });
    return this.#reject(refused);
  }

  #fail(message: string): Promise<never> {
    return this.#reject(unavailable(message));
  }

  #reject(error: OrchestratorError): Promise<never> {
    const { world, process, isImmediate } = this.#parts;
    if (isImmediate) throw error;
    return new Promise((_, reject) => world.after(this.#latency(), () => reject(error), process));
  }

  #noteFault(what: string): void {
    const { world, process } = this.#parts;
    world.note({ kind: 'fault', process: process.number, t: world.now, what });
  }

  #latency(): number {
    return this.#parts.world.chance.int(0, this.#parts.latency);
  }
}

function unavailable(message: string): OrchestratorError {
  return new OrchestratorError('STORE_UNAVAILABLE', `the simulated store: ${message}`);
}
