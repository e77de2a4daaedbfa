/**
 * The checkpoints of runs in the store: writing them, finding those that a fold can begin with.
 *
 * Owns: the form of a checkpoint and of its id. Who may call it: the persistence manager and the files beside it.
 *
 * CP1  A checkpoint is never needed: whoever cannot use one replays the log, and says so to the logger.
 * CP2  What is written by itself takes the place of the one before, so that a run has at most one such; what somebody
 *      asked for stays until it is removed or its run is.
 * CP3  A checkpoint is used only for the log it was made from: the record at its `seq` is the one it was made at.
 * CP4  Of one run, what is kept as its newest state is written one after the other, in the order in which it was given:
 *      what was asked for later is not replaced by what took longer, and a run is removed behind it, so that nothing is left.
 */
import { describeName } from '../../base/values.ts';
import { restore, SNAPSHOT_VERSION, type StateSnapshot } from '../../machine/snapshot.ts';
import type { PlanOf, RunState } from '../../machine/state.ts';
import { invalidOption } from '../../model/checks.ts';
import { OrchestratorError, refuse } from '../../model/errors.ts';
import type { CompiledPlan } from '../../model/plan.ts';
import type { CheckpointInfo, EventRecord, EventStore } from '../../ports/event-store.ts';
import type { StoreAccess } from './persistence-context.ts';

/** A checkpoint of a run. */
export interface Checkpoint {
  /** What `restoreFromCheckpoint` takes. */
  readonly id: string;
  readonly runId: string;
  /** The last event that is folded into it. */
  readonly seq: number;
  /** When it was made: milliseconds since 1970. */
  readonly at: number;
  readonly name?: string;
}

/** What stands in the store. */
interface CheckpointPayload {
  readonly state: StateSnapshot;
  /** The event at its `seq`, by which it is known whether the log is still the same. */
  readonly last: { readonly type: string; readonly at: number };
}

/** What a state is restored with. */
export interface RestoreParts {
  readonly guard: ((value: unknown, at: string) => unknown) | undefined;
  /** The plans of versions that runs are moved to. */
  readonly planOf: PlanOf;
}

/** How many a run can have, the one that is kept by itself among them. */
export const CHECKPOINTS_MAX = 1_000;

/** How many are tried before the log is replayed from its beginning. */
const CANDIDATES_MAX = 3;

/** The methods on checkpoints, of a store that has them. */
type CheckpointStore = Required<
  Pick<EventStore, 'saveCheckpoint' | 'loadCheckpoint' | 'listCheckpoints' | 'removeCheckpoint'>
>;

export class Checkpoints {
  readonly #access: StoreAccess;
  /** By run, the end of the last write of its newest state; never rejects. */
  readonly #latest = new Map<string, Promise<unknown>>();

  constructor(access: StoreAccess) {
    this.#access = access;
  }

  /** Whether the store keeps any. */
  get areKept(): boolean {
    const { store } = this.#access;
    return store.saveCheckpoint !== undefined && store.loadCheckpoint !== undefined;
  }

  /** Keeps the newest state of a run, in the place of the one kept so before. */
  saveLatest(state: StateSnapshot, at: number): Promise<Checkpoint> {
    const { runId } = state;
    const before = this.#latest.get(runId);
    const save = (): Promise<Checkpoint> => this.#save(`${runId}/latest`, state, at, undefined);
    const saved = before === undefined ? save() : before.then(save);
    const forget = (): void => {
      if (this.#latest.get(runId) === end) this.#latest.delete(runId);
    };
    const end = saved.then(forget, forget);
    this.#latest.set(runId, end);
    return saved;
  }

  /** Settles when no newest state of these runs is being kept any more; nothing when none is. Never rejects. */
  whenKept(runIds: readonly string[]): Promise<unknown> | undefined {
    if (this.#latest.size === 0) return undefined;
    const underWay = runIds.flatMap((runId) => this.#latest.get(runId) ?? []);
    return underWay.length === 0 ? undefined : Promise.all(underWay);
  }

  /** Keeps a state for somebody. The same state under the same name is one checkpoint. */
  async saveNamed(state: StateSnapshot, at: number, name: string | undefined): Promise<Checkpoint> {
    const id = `${state.runId}/${state.seq}${name === undefined ? '' : `/${name}`}`;
    const others = (await this.list(state.runId)).filter((known) => known.id !== id);
    if (others.length >= CHECKPOINTS_MAX)
      throw refuse('LIMIT_EXCEEDED', {
        at: 'createCheckpoint',
        found: `${others.length} checkpoints of run ${JSON.stringify(state.runId)}`,
        allowed: `at most ${CHECKPOINTS_MAX}`,
        hint: 'Remove some with removeCheckpoint; a fork needs none, only a seq.',
      });
    return this.#save(id, state, at, name);
  }

  async #save(id: string, state: StateSnapshot, at: number, name: string | undefined): Promise<Checkpoint> {
    this.#access.checkOpen();
    const { runId, seq } = state;
    const [last] = await this.#access.readPage(runId, seq, 1);
    if (last === undefined) {
      // Another owner may have removed the run: then that is what has to be said.
      await this.#access.store.remove([], this.#access.epoch());
      throw notInLog(id, runId, seq);
    }
    const payload: CheckpointPayload = { state, last: { type: last.type, at: last.at } };
    // The store may have been given back while the record was read.
    this.#access.checkOpen();
    const head = { id, stream: this.#access.streamOf(runId), seq, at, schemaVersion: SNAPSHOT_VERSION };
    await this.#kept().saveCheckpoint(
      { ...head, ...(name === undefined ? undefined : { name }), payload },
      this.#access.epoch(),
    );
    return { id, runId, seq, at, ...(name === undefined ? undefined : { name }) };
  }

  /** The checkpoints of a run, by `seq`. */
  async list(runId: string): Promise<readonly Checkpoint[]> {
    if (typeof runId !== 'string') throw invalidOption('listCheckpoints/runId', runId, 'the id of a run');
    if (!this.areKept) return [];
    const listed = await this.#kept().listCheckpoints(this.#access.streamOf(runId));
    return listed.map((info) => toCheckpoint(runId, info)).sort((a, b) => a.seq - b.seq);
  }

  /** Which checkpoint an id means: the run it is of, as the store names its stream, and its `seq`. */
  async find(id: string): Promise<CheckpointInfo> {
    const found = typeof id === 'string' ? await this.#kept().loadCheckpoint(id) : undefined;
    if (found !== undefined) return found;
    throw new OrchestratorError('CHECKPOINT_NOT_FOUND', `no checkpoint ${describeName(id)} is in the store`, {
      details: { id },
    });
  }

  async remove(id: string): Promise<boolean> {
    this.#access.checkOpen();
    if (typeof id !== 'string') throw invalidOption('removeCheckpoint', id, 'the id of a checkpoint');
    const kept = this.#kept();
    if ((await kept.loadCheckpoint(id)) === undefined) return false;
    this.#access.checkOpen();
    await kept.removeCheckpoint(id, this.#access.epoch());
    return true;
  }

  /** The ids of those that may serve for a fold up to a `seq`, best first. */
  async candidates(runId: string, toSeq: number): Promise<readonly string[]> {
    const fitting = (await this.list(runId)).filter(({ seq }) => seq <= toSeq);
    return fitting
      .slice(-CANDIDATES_MAX)
      .map(({ id }) => id)
      .reverse();
  }

  /**
   * The state that a checkpoint holds.
   * @throws OrchestratorError `CHECKPOINT_INVALID`, and what the store throws
   */
  async restore(
    id: string,
    runId: string,
    plan: CompiledPlan,
    { guard, planOf }: RestoreParts,
  ): Promise<{ readonly state: RunState; readonly last: EventRecord }> {
    const found = await this.find(id);
    const payload = found as { readonly payload?: Partial<CheckpointPayload> };
    const state = restore(payload.payload?.state, plan, guard, planOf);
    const [last] = await this.#access.readPage(runId, state.seq, 1);
    const known = payload.payload?.last;
    if (state.runId !== runId || last?.type !== known?.type || last?.at !== known?.at || last === undefined)
      throw notInLog(id, runId, state.seq);
    return { state, last };
  }

  /** @throws OrchestratorError `CHECKPOINT_UNSUPPORTED` */
  #kept(): CheckpointStore {
    if (this.areKept) return this.#access.store as unknown as CheckpointStore;
    throw new OrchestratorError(
      'CHECKPOINT_UNSUPPORTED',
      'this store has no methods on checkpoints; states are folded from the log, and a fork needs only a seq',
    );
  }
}

function toCheckpoint(runId: string, { id, seq, at, name }: CheckpointInfo): Checkpoint {
  return { id, runId, seq, at, ...(name === undefined ? undefined : { name }) };
}

function notInLog(id: string, runId: string, seq: number): OrchestratorError {
  return new OrchestratorError(
    'CHECKPOINT_INVALID',
    `checkpoint ${JSON.stringify(id)} cannot be used: the log of run ${runId} has another event at seq ${seq}, or none`,
    { details: { id, runId, seq } },
  );
}
