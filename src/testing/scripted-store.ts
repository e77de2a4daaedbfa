import { OrchestratorError } from '../model/errors.ts';
import type { Clock } from '../ports/clock.ts';
import type {
  BlobRecord,
  CheckpointInfo,
  CheckpointRecord,
  EventRecord,
  EventStore,
  ListRequest,
  MaybePromise,
  ReadRequest,
  StoreCapabilities,
  StreamAppend,
  StreamInfo,
} from '../ports/event-store.ts';

/**
 * What becomes of an append:
 * - `refuse`: nothing is written, and it fails;
 * - `conflict`: the same, with the code `STORE_CONFLICT`;
 * - `unknown`: it is written, and then reported as failed, like an answer that was lost on its way;
 * - `late`: it is reported as failed, and written just before the next append is tried.
 */
export type AppendFault = 'refuse' | 'conflict' | 'unknown' | 'late';

/**
 * What becomes of a checkpoint that is saved:
 * - `refuse`: it is not kept, and that fails;
 * - `unknown`: it is kept, and then reported as failed;
 * - `damage`: it is reported as kept, but what is kept is no longer what was saved.
 */
export type CheckpointFault = 'refuse' | 'unknown' | 'damage';

/** A fault of some calls in a row. */
export interface FaultScript<Fault> {
  /** The first call that has it, from 1. */
  readonly at: number;
  /** How many calls have it; `Infinity` for all that follow. Default 1. */
  readonly times?: number;
  readonly fault: Fault;
}

/**
 * How long a call takes: `none` answers in the call itself, as a store in memory does; a number is that many turns
 * of the event loop, or milliseconds on `clock` if one is given; 0 is a microtask.
 */
export type StoreDelay = 'none' | number | ((call: StoreCall) => 'none' | number);

/** One call of `append` or `read`. */
export interface StoreCall {
  readonly method: 'append' | 'read';
  /** Which one of its method it is, from 1. */
  readonly number: number;
  /** How many records are to be written, or may be read. */
  readonly records: number;
}

/** How a scripted store behaves. */
export interface ScriptedStoreOptions {
  /** Default 0. */
  readonly appendDelay?: StoreDelay;
  /** Default 0. */
  readonly readDelay?: StoreDelay;
  /**
   * The clock of the delays. Not the orchestrator's own virtual clock: that one stands still while an append is
   * under way.
   */
  readonly clock?: Clock;
  /** Which appends go wrong. The first script that fits a call counts. */
  readonly appends?: readonly FaultScript<AppendFault>[];
  /** Which reads fail. */
  readonly reads?: readonly FaultScript<'refuse'>[];
  /** Which checkpoints go wrong when they are saved. */
  readonly checkpoints?: readonly FaultScript<CheckpointFault>[];
}

/**
 * Wraps a store so that it answers as a slow or faulty one does, by a script: for tests of whatever stands on a
 * store. Without options every `append` and `read` is asynchronous and nothing fails.
 *
 * @example
 * const store = new ScriptedStore(new MemoryStore(), { appendDelay: 2, appends: [{ at: 3, fault: 'unknown' }] });
 * const orchestrator = await Orchestrator.open({ store });
 */
export class ScriptedStore implements EventStore {
  readonly #inner: EventStore;
  readonly #options: ScriptedStoreOptions;
  readonly #calls: StoreCall[] = [];
  readonly #written = { append: 0, read: 0 };
  #late: readonly StreamAppend[] | undefined;
  #underWay = 0;
  #checkpointCount = 0;
  /** There only when the store inside keeps checkpoints. */
  readonly saveCheckpoint?: (checkpoint: CheckpointRecord, epoch: number) => Promise<void>;
  readonly loadCheckpoint?: (id: string) => MaybePromise<CheckpointRecord | undefined>;
  readonly listCheckpoints?: (stream: string) => MaybePromise<readonly CheckpointInfo[]>;
  readonly removeCheckpoint?: (id: string, epoch?: number) => MaybePromise<void>;
  /** There only when the store inside keeps blobs. */
  readonly saveBlob?: (blob: BlobRecord, epoch: number) => MaybePromise<void>;
  readonly loadBlob?: (stream: string, id: string) => MaybePromise<Uint8Array | undefined>;

  constructor(inner: EventStore, options: ScriptedStoreOptions = {}) {
    this.#inner = inner;
    this.#options = options;
    if (inner.saveBlob !== undefined) {
      this.saveBlob = (blob, epoch) => inner.saveBlob?.(blob, epoch);
      this.loadBlob = (stream, id) => inner.loadBlob?.(stream, id);
    }
    if (inner.saveCheckpoint === undefined) return;
    this.saveCheckpoint = (checkpoint, epoch) => this.#saveCheckpoint(checkpoint, epoch);
    this.loadCheckpoint = (id) => inner.loadCheckpoint?.(id);
    this.listCheckpoints = (stream) => inner.listCheckpoints?.(stream) ?? [];
    this.removeCheckpoint = (id, epoch) => inner.removeCheckpoint?.(id, epoch);
  }

  /** How many checkpoints were to be saved, whatever came of them. */
  get checkpointCount(): number {
    return this.#checkpointCount;
  }

  /** Those of the store inside. */
  get capabilities(): StoreCapabilities {
    return this.#inner.capabilities;
  }

  /** Every call of `append` and `read` so far, in order. */
  get calls(): readonly StoreCall[] {
    return this.#calls;
  }

  /** How many appends there were, whatever came of them. */
  get appendCount(): number {
    return this.#written.append;
  }

  /** How many reads there were. */
  get readCount(): number {
    return this.#written.read;
  }

  /** How many appends have begun and not been answered. */
  get appendsUnderWay(): number {
    return this.#underWay;
  }

  append(batch: readonly StreamAppend[]): MaybePromise<void> {
    const records = batch.reduce((sum, one) => sum + one.events.length, 0);
    const call = this.#note('append', records);
    this.#underWay++;
    return this.#answer(call, this.#options.appendDelay ?? 0, () => {
      this.#underWay--;
      return this.#write(batch, faultAt(this.#options.appends, call.number));
    });
  }

  read(request: ReadRequest): MaybePromise<readonly EventRecord[]> {
    const call = this.#note('read', request.limit);
    return this.#answer(call, this.#options.readDelay ?? 0, () => {
      if (faultAt(this.#options.reads, call.number) !== undefined) throw failure('a read was refused');
      return this.#inner.read(request);
    });
  }

  list(request: ListRequest): MaybePromise<readonly StreamInfo[]> {
    return this.#inner.list(request);
  }

  findKey(key: string): MaybePromise<string | undefined> {
    return this.#inner.findKey(key);
  }

  remove(streams: readonly string[], epoch?: number): MaybePromise<void> {
    return this.#inner.remove(streams, epoch);
  }

  claim(owner: string): MaybePromise<number> {
    return this.#inner.claim(owner);
  }

  release(owner: string): MaybePromise<void> {
    return this.#inner.release(owner);
  }

  async #saveCheckpoint(checkpoint: CheckpointRecord, epoch: number): Promise<void> {
    const fault = faultAt(this.#options.checkpoints, ++this.#checkpointCount);
    if (fault === 'refuse') throw failure('a checkpoint was refused');
    const kept = fault === 'damage' ? { ...checkpoint, payload: { damaged: true } } : checkpoint;
    await this.#inner.saveCheckpoint?.(kept, epoch);
    if (fault === 'unknown') throw failure('the answer about a checkpoint was lost');
  }

  #note(method: StoreCall['method'], records: number): StoreCall {
    this.#written[method]++;
    const call: StoreCall = { method, number: this.#written[method], records };
    this.#calls.push(call);
    return call;
  }

  #answer<Result>(
    call: StoreCall,
    delay: StoreDelay,
    work: () => MaybePromise<Result>,
  ): MaybePromise<Result> {
    const chosen = typeof delay === 'function' ? delay(call) : delay;
    if (chosen === 'none') return work();
    return this.#wait(chosen).then(work);
  }

  async #wait(length: number): Promise<void> {
    const { clock } = this.#options;
    if (length === 0) return;
    if (clock !== undefined) await new Promise<void>((resolve) => clock.setTimer(length, resolve));
    else for (let turn = 0; turn < length; turn++) await new Promise((resolve) => setImmediate(resolve));
  }

  #write(batch: readonly StreamAppend[], fault: AppendFault | undefined): MaybePromise<void> {
    const late = this.#late;
    this.#late = undefined;
    if (late === undefined) return this.#writeNow(batch, fault);
    // Nobody hears any more whether it fits.
    const ignore = (): void => {};
    let before: MaybePromise<void>;
    try {
      before = this.#inner.append(late);
    } catch {
      before = undefined;
    }
    if (!(before instanceof Promise)) return this.#writeNow(batch, fault);
    return before.catch(ignore).then(() => this.#writeNow(batch, fault));
  }

  #writeNow(batch: readonly StreamAppend[], fault: AppendFault | undefined): MaybePromise<void> {
    if (fault === undefined) return this.#inner.append(batch);
    if (fault === 'refuse') throw failure('an append was refused');
    if (fault === 'conflict')
      throw new OrchestratorError('STORE_CONFLICT', 'the script says that an append met a conflict');
    if (fault === 'late') {
      this.#late = batch;
      throw failure('an append was not answered, and is still on its way');
    }
    const written = this.#inner.append(batch);
    const lost = (): never => {
      throw failure('the answer to an append was lost');
    };
    return written instanceof Promise ? written.then(lost) : lost();
  }
}

function faultAt<Fault>(
  scripts: readonly FaultScript<Fault>[] | undefined,
  number: number,
): Fault | undefined {
  return scripts?.find(({ at, times = 1 }) => number >= at && number < at + times)?.fault;
}

function failure(what: string): OrchestratorError {
  return new OrchestratorError('STORE_UNAVAILABLE', `the script says that ${what}`);
}
