/**
 * Writes the events of runs to the store and reads them back; keeps checkpoints of their states, and gives runs back
 * as they were. What it does on demand is in the files beside it.
 *
 * Owns: the claim on the store (its epoch) and the order of appends. Who may call it: the run loop, the
 * facade and the host.
 *
 * P1  At most one append is under way; what is decided meanwhile gathers for the next one (group commit).
 * P2  An append covers all or nothing of its group.
 * P3  A store that answers at once is answered at once: no promise is made.
 * P4  Once the store was given back nothing is written to it; what is in it can still be read.
 */
import type { Reference } from '../../base/reference.ts';
import { EVENT_SCHEMA_VERSIONS, type RunEvent } from '../../machine/events.ts';
import { OrchestratorError } from '../../model/errors.ts';
import type { TaskPath } from '../../model/path.ts';
import type { CompiledPlan } from '../../model/plan.ts';
import type {
  EventRecord,
  EventStore,
  ListRequest,
  LoggedEvent,
  SchemaVersions,
  StreamAppend,
  StreamFacts,
  StreamInfo,
} from '../../ports/event-store.ts';
import { Blobs } from './blobs.ts';
import { checkGiven } from './check-given.ts';
import { type Checkpoint, Checkpoints } from './checkpoints.ts';
import type { PersistenceContext, StoreAccess } from './persistence-context.ts';
import { RemovalGate } from './removal-gate.ts';
import { factsOfLog } from './run-facts.ts';
import { type Folded, type FoldOptions, RunHistory } from './run-history.ts';
import {
  type CheckpointOptions,
  type ForkedRun,
  type LoadOptions,
  type RestoreOptions,
  RunStates,
} from './run-states.ts';
import type { SavedRun } from './saved-run.ts';
import { claimReadable, readable } from './sealed-records.ts';
import { RUN_STREAM_PREFIX, streamOf } from './stream-names.ts';

export { RUN_STREAM_PREFIX, streamOf };

const READ_PAGE = 1_024;

/**
 * States of runs: read at any event, kept as checkpoints, given back as forks. An orchestrator has one, as
 * `orchestrator.persistence`.
 */
export class PersistenceManager {
  readonly #store: EventStore;
  readonly #owner: string;
  readonly #history: RunHistory;
  /** @internal The checkpoints in the store. */
  readonly checkpoints: Checkpoints;
  readonly #states: RunStates;
  /** @internal What is too large for the log. */
  readonly blobs: Blobs;
  /** @internal Keeps removals apart from those who read. */
  readonly gate = new RemovalGate();
  #context: PersistenceContext | undefined;
  #epoch = 0;
  #isClosed = false;
  /** The append that is under way, of a store that takes its time. */
  #underWay: Promise<void> | undefined;

  /**
   * @param owner - who claims the store: unique, so that nobody else passes for it
   * @param context - what the methods on states, checkpoints and forks need; the others do without
   * @throws OrchestratorError `OPTION_INVALID`
   */
  constructor(store: EventStore, owner: string, context?: PersistenceContext) {
    checkGiven(store, owner);
    this.#store = store;
    this.#owner = owner;
    this.#context = context;
    const access: StoreAccess = {
      store,
      epoch: () => this.#epoch,
      checkOpen: () => this.#checkOpen(),
      readPage: (runId, fromSeq, limit) => this.readPage(runId, fromSeq, limit),
      streamOf,
    };
    this.checkpoints = new Checkpoints(access);
    this.blobs = new Blobs(access);
    this.#history = new RunHistory(
      access,
      this.checkpoints,
      () => this.#context?.logger,
      (workflowId, version) => this.#context?.planIfKnown?.(workflowId, version),
    );
    this.#states = new RunStates({
      access,
      history: this.#history,
      checkpoints: this.checkpoints,
      blobs: this.blobs,
      context: () => this.#context,
      append: (runId, events) => this.append([this.appendOf(streamOf(runId), events, factsOfLog(events))]),
      discard: async (runId) => this.remove([runId]),
    });
  }

  /** @internal Gives it the context that it was constructed without: its parts may have to be made after it. */
  connect(context: PersistenceContext): void {
    this.#context = context;
  }

  /** Whether what is written outlives this process. */
  get isDurable(): boolean {
    return this.#store.capabilities.durability !== 'memory';
  }

  /** @internal Whether the store goes on needing the values themselves that it is given. */
  get keepsValues(): boolean {
    return this.#store.capabilities.keepsValues === true;
  }

  /**
   * Becomes the only writer of the store.
   * @returns the epoch, greater than that of every owner before
   * @throws OrchestratorError `STORE_OWNED`, `KEY_REQUIRED`
   */
  async open(): Promise<number> {
    this.#epoch = await claimReadable(this.#store, this.#owner);
    return this.#epoch;
  }

  /** Gives the store back. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#store.release(this.#owner);
  }

  /**
   * Waits until everything that was decided for a run so far is durable, and keeps its state as the checkpoint from
   * which the run is recovered; it takes the place of the one that was kept so before. A store that keeps no
   * checkpoints keeps the log alone.
   *
   * @returns the state that is kept
   * @throws OrchestratorError `RUN_NOT_FOUND`, `WORKFLOW_NOT_FOUND`, `HISTORY_INVALID`, `EVENT_UNKNOWN`,
   *   `ORCHESTRATOR_CLOSED`, and what the store throws
   */
  saveState(runId: string): Promise<SavedRun> {
    return this.gate.read(() => this.#states.save(runId));
  }

  /** @internal The same without the state: whether a checkpoint was kept, `false` when the store keeps none. */
  keepState(runId: string): Promise<boolean> {
    return this.#states.keep(runId);
  }

  /**
   * The state of a run that is in the store, live here or not, ended or not: the newest that is durable, or the one
   * behind any earlier event.
   *
   * @throws OrchestratorError `RUN_NOT_FOUND`, `OPTION_INVALID` (a `seq` behind the end), and as `saveState`
   */
  loadState(runId: string, options: LoadOptions = {}): Promise<SavedRun> {
    return this.gate.read(() => this.#states.load(runId, options));
  }

  /**
   * An output that is kept beside the log, where its event and its saved state have a `Reference`.
   * @throws OrchestratorError `STORE_CORRUPT`, `OPTION_INVALID`, and what the store throws
   */
  loadOutput(runId: string, reference: Reference): Promise<unknown> {
    return this.blobs.loadChecked(runId, reference);
  }

  /**
   * Keeps the state of a run as it is now, until it is removed or its run is. The same state under the same name is
   * one checkpoint.
   *
   * @throws OrchestratorError `CHECKPOINT_UNSUPPORTED`, `ID_INVALID` (the name), `LIMIT_EXCEEDED` (1,000 of one run),
   *   and as `saveState`
   */
  createCheckpoint(runId: string, options: CheckpointOptions = {}): Promise<Checkpoint> {
    return this.gate.read(() => this.#states.createCheckpoint(runId, options));
  }

  /** The checkpoints of a run, by `seq`; none when the store keeps none. */
  listCheckpoints(runId: string): Promise<readonly Checkpoint[]> {
    return this.checkpoints.list(runId);
  }

  /**
   * Removes a checkpoint. `false` when there is none of this id.
   * @throws OrchestratorError `OPTION_INVALID` (no text), `CHECKPOINT_UNSUPPORTED`, `ORCHESTRATOR_CLOSED`, `STORE_UNAVAILABLE`
   */
  removeCheckpoint(id: string): Promise<boolean> {
    return this.checkpoints.remove(id);
  }

  /**
   * Gives a run back as it was: a new run with the same plan, whose log begins with the history up to the checkpoint
   * and which goes on from there. What was in progress runs again, under the same attempt number. The run itself does
   * not change. A checkpoint that is damaged, or was removed, is replaced by a replay of the log, with a warning.
   *
   * @param checkpoint - what `createCheckpoint` returned, or its id
   * @throws OrchestratorError `CHECKPOINT_NOT_FOUND` (an id that nothing is known of), `RUN_NOT_FOUND`,
   *   `VALUE_UNSERIALISABLE` (the input), and as `saveState`
   */
  restoreFromCheckpoint(checkpoint: Checkpoint | string, options: RestoreOptions = {}): Promise<ForkedRun> {
    return this.gate.read(() => this.#states.restore(checkpoint, options));
  }

  /**
   * The same from behind any event: `seq` counts up to the end of the step that it lies in.
   * @throws OrchestratorError `RUN_NOT_FOUND`, `OPTION_INVALID` (a `seq` behind the end), `OPTION_UNKNOWN`,
   *   `VALUE_UNSERIALISABLE` (the input), and as `saveState`
   */
  fork(runId: string, seq: number, options: RestoreOptions = {}): Promise<ForkedRun> {
    return this.gate.read(() => this.#states.fork(runId, seq, options, 'fork'));
  }

  /**
   * A new run that does what did not complete in a failed or cancelled one, and keeps the rest; `retry` of its handle.
   * @throws OrchestratorError `TRANSITION_ILLEGAL`, and as `fork`
   */
  retry(runId: string, options: RestoreOptions = {}): Promise<ForkedRun> {
    return this.gate.read(() => this.#states.rerun(runId, undefined, options, 'retry'));
  }

  /**
   * A new run that does a task of an ended one again, with everything that depends on it; `rerunFrom` of its handle.
   * @throws OrchestratorError `TRANSITION_ILLEGAL`, `TASK_NOT_FOUND`, and as `fork`
   */
  rerunFrom(runId: string, path: TaskPath, options: RestoreOptions = {}): Promise<ForkedRun> {
    return this.gate.read(() => this.#states.rerun(runId, { path }, options, 'rerunFrom'));
  }

  /** @internal The state of a run for whoever runs it: from the newest checkpoint that can be used, else from the beginning. */
  foldRun(runId: string, plan: CompiledPlan, options: FoldOptions = {}): Promise<Folded> {
    return this.#history.fold(runId, plan, options);
  }

  /** @internal Writes a group of events; returns nothing, or resolves, when they are durable. A store may answer with anything. */
  append(group: readonly StreamAppend[]): Promise<void> | undefined {
    // The loop has one append under way at most; a fork is written between two of them.
    if (this.#underWay !== undefined) return this.#underWay.then(() => this.append(group));
    const written = this.#store.append(group);
    return typeof written?.then === 'function' ? this.#follow(written) : undefined;
  }

  #checkOpen(): void {
    if (!this.#isClosed) return;
    throw new OrchestratorError(
      'ORCHESTRATOR_CLOSED',
      'this store was given back; nothing can be written to it any more',
    );
  }

  #follow(written: Promise<void>): Promise<void> {
    const done = (): void => {
      this.#underWay = undefined;
    };
    this.#underWay = written.then(done, done);
    return written;
  }

  /** @internal All records of a stream that belongs to no run, from `fromSeq` on. */
  async readStream(stream: string, fromSeq = 1): Promise<readonly EventRecord[]> {
    const records: EventRecord[] = [];
    for (;;) {
      const from = fromSeq + records.length;
      const page = await readable(this.#store.read({ stream, fromSeq: from, limit: READ_PAGE }));
      records.push(...page);
      if (page.length < READ_PAGE) return records;
    }
  }

  /** @internal Appends facts that belong to no run; as `append`. */
  appendTo(
    stream: string,
    events: readonly LoggedEvent[],
    versions: SchemaVersions,
  ): Promise<void> | undefined {
    return this.append([this.firstOf(stream, events, versions)]);
  }

  /** @internal What `appendTo` appends. */
  firstOf(stream: string, events: readonly LoggedEvent[], versions: SchemaVersions): StreamAppend {
    const [first] = events as [LoggedEvent];
    return { stream, expectedSeq: first.seq - 1, epoch: this.#epoch, events, versions };
  }

  /** @internal The records of a run from `fromSeq` on, at most one page. */
  readPage(
    runId: string,
    fromSeq: number,
    limit = READ_PAGE,
  ): readonly EventRecord[] | Promise<readonly EventRecord[]> {
    return readable(this.#store.read({ stream: RUN_STREAM_PREFIX + runId, fromSeq, limit }));
  }

  /** @internal All records of a run. */
  readAll(runId: string): Promise<readonly EventRecord[]> {
    return this.readStream(streamOf(runId));
  }

  /** @internal Streams of runs; `after` is one too. */
  listRuns = async (
    asked: Omit<ListRequest, 'prefix'> = { limit: READ_PAGE },
  ): Promise<readonly StreamInfo[]> => this.#store.list({ prefix: RUN_STREAM_PREFIX, ...asked });

  /** @internal The run that was started under a key, if one was. */
  async findKey(key: string): Promise<string | undefined> {
    const stream = await this.#store.findKey(key);
    return stream?.slice(RUN_STREAM_PREFIX.length);
  }

  /** @internal Forgets the logs of runs. */
  remove(runIds: readonly string[]): void | Promise<void> {
    const remove = () => this.#store.remove(runIds.map(streamOf), this.#epoch);
    const kept = this.checkpoints.whenKept(runIds);
    return kept === undefined ? remove() : kept.then(remove);
  }

  /**
   * @internal What the stream of a run is to get in an append.
   * @param stream - from `streamOf`
   * @param events - the next ones of the run, at least one
   * @param facts - if these events change them
   */
  appendOf(stream: string, events: readonly RunEvent[], facts?: StreamFacts): StreamAppend {
    const first = events[0] as RunEvent;
    const key = first.type === 'RunCreated' ? first.key : undefined;
    return {
      stream,
      expectedSeq: first.seq - 1,
      epoch: this.#epoch,
      events,
      versions: EVENT_SCHEMA_VERSIONS,
      uniqueKeys: key === undefined ? undefined : [key],
      facts,
    };
  }
}
