/**
 * States, checkpoints and forks of runs: what `PersistenceManager` offers beside reading and appending.
 *
 * Owns: nothing but what it is given. Who may call it: the persistence manager.
 *
 * RT1  Every answer follows from the log; a checkpoint only makes it come sooner.
 * RT2  Nothing here is on the way of a task: it reads and writes when somebody asks.
 */
import { describeValue, guardValue } from '../../base/values.ts';
import type { RunEvent } from '../../machine/events.ts';
import { restore, type StateSnapshot, snapshotOf } from '../../machine/snapshot.ts';
import { checkInteger, checkKeys, checkRecord, reading } from '../../model/checks.ts';
import { type OrchestratorError, refuse } from '../../model/errors.ts';
import { checkId } from '../../model/ids.ts';
import type { TaskPath } from '../../model/path.ts';
import type { CompiledPlan } from '../../model/plan.ts';
import type { Blobs } from './blobs.ts';
import type { Checkpoint, Checkpoints } from './checkpoints.ts';
import { forkedEvents } from './fork.ts';
import type { PersistenceContext, StoreAccess } from './persistence-context.ts';
import { rerunEvents } from './rerun.ts';
import type { RunHistory } from './run-history.ts';
import { type SavedRun, savedRunOf } from './saved-run.ts';

/** How a checkpoint is made. */
export interface CheckpointOptions {
  /** What to call it: an id. Default: none. */
  readonly name?: string | undefined;
}

/** Which state is wanted. */
export interface LoadOptions {
  /** The last event that is counted in, from 1. Default: the newest. */
  readonly seq?: number | undefined;
}

/** How a run is forked. */
export interface RestoreOptions {
  /** In the place of the input of the run: plain data. Default: the same input. */
  readonly input?: unknown;
}

/** A fork of a run. */
export interface ForkedRun {
  readonly runId: string;
  /** The run it was made from, and the last event of it that was counted in. */
  readonly forkedFrom: { readonly runId: string; readonly seq: number };
}

/** What it is made of. */
export interface RunStatesParts {
  readonly access: StoreAccess;
  readonly history: RunHistory;
  readonly checkpoints: Checkpoints;
  readonly blobs: Blobs;
  readonly context: () => PersistenceContext | undefined;
  readonly append: (runId: string, events: readonly RunEvent[]) => void | Promise<void>;
  /** Removes a run from the store, with its blobs. */
  readonly discard: (runId: string) => Promise<void>;
}

export class RunStates {
  readonly #parts: RunStatesParts;

  constructor(parts: RunStatesParts) {
    this.#parts = parts;
  }

  async save(runId: string): Promise<SavedRun> {
    const { plan, snapshot } = await this.#newest(runId, 'saveState');
    await this.#keep(snapshot, 'saveState');
    return savedRunOf(restore(snapshot, plan, undefined, this.#context('saveState').planIfKnown));
  }

  async keep(runId: string): Promise<boolean> {
    return this.#keep((await this.#newest(runId, 'keepState')).snapshot, 'keepState');
  }

  async #keep(snapshot: StateSnapshot, at: string): Promise<boolean> {
    const { checkpoints } = this.#parts;
    if (!checkpoints.areKept) return false;
    await checkpoints.saveLatest(snapshot, this.#context(at).clock.now());
    return true;
  }

  async load(runId: string, given: LoadOptions): Promise<SavedRun> {
    const toSeq = checkOptions(given, 'loadState', ['seq']).seq;
    const { history } = this.#parts;
    const plan = await this.#planOf(runId, 'loadState');
    const seq = toSeq === undefined ? 0 : checkInteger(toSeq, 'loadState/seq', 1, Number.MAX_SAFE_INTEGER);
    const options = toSeq === undefined ? {} : { toSeq: seq };
    const { state } = await history.whole(runId, () => history.fold(runId, plan, options));
    if (state.seq < seq) throw behindTheEnd(runId, 'loadState/seq', seq, state.seq);
    return savedRunOf(state);
  }

  async createCheckpoint(runId: string, given: CheckpointOptions): Promise<Checkpoint> {
    const { name } = checkOptions(given, 'createCheckpoint', ['name']);
    const called =
      name === undefined ? undefined : checkId(name, 'createCheckpoint/name', 'the name of a checkpoint');
    const { snapshot } = await this.#newest(runId, 'createCheckpoint');
    return this.#parts.checkpoints.saveNamed(snapshot, this.#context('createCheckpoint').clock.now(), called);
  }

  async restore(given: Checkpoint | string, options: RestoreOptions): Promise<ForkedRun> {
    const at = 'restoreFromCheckpoint';
    if (typeof given === 'string') {
      const { stream, seq } = await this.#parts.checkpoints.find(given);
      return this.fork(stream.slice(this.#parts.access.streamOf('').length), seq, options, at);
    }
    // Each is read once, and only here: what is given may be anything.
    const { runId, seq, id } = reading(at, CHECKPOINT, () => {
      const { runId, seq, id } = checkRecord(given, at, CHECKPOINT) as Partial<Checkpoint>;
      return { runId, seq, id };
    });
    if (typeof runId !== 'string' || typeof seq !== 'number' || typeof id !== 'string')
      throw refuse('OPTION_INVALID', { at, found: describeValue(given), allowed: CHECKPOINT });
    await this.#checkKept(id, runId);
    return this.fork(runId, seq, options, at);
  }

  /** A new run that goes on from the state of another one behind its event `seq`. */
  async fork(runId: string, given: number, options: RestoreOptions, at: string): Promise<ForkedRun> {
    const asked = checkOptions(options, at, ['input']);
    const input = 'input' in asked ? { value: carried(asked.input, at) } : undefined;
    const seq = checkInteger(given, `${at}/seq`, 1, Number.MAX_SAFE_INTEGER);
    const context = this.#context(at);
    this.#parts.access.checkOpen();
    const plan = await this.#planOf(runId, at);
    const forkId = context.nextRunId();
    const now = context.clock.now();
    const { history } = this.#parts;
    const request = { runId, plan, seq, forkId, at: now, input };
    const events = await history.whole(runId, () => forkedEvents(history, request));
    const end = events[events.length - 1]?.seq ?? 0;
    if (end < seq) throw behindTheEnd(runId, `${at}/seq`, seq, end);
    this.#parts.access.checkOpen();
    await this.#write(runId, forkId, events);
    await context.adopt?.(forkId);
    return { runId: forkId, forkedFrom: { runId, seq: end } };
  }

  /** A new run that keeps what an ended one has done: all of it, or all that does not depend on a task. */
  async rerun(
    runId: string,
    from: { readonly path: TaskPath } | undefined,
    options: RestoreOptions,
    at: string,
  ): Promise<ForkedRun> {
    const asked = checkOptions(options, at, ['input']);
    const input = 'input' in asked ? { value: carried(asked.input, at) } : undefined;
    const context = this.#context(at);
    this.#parts.access.checkOpen();
    const plan = await this.#planOf(runId, at);
    const newId = context.nextRunId();
    const now = context.clock.now();
    const request = { runId, plan, from, newId, at: now, input };
    const { history } = this.#parts;
    const events = await history.whole(runId, () => rerunEvents(history, request, at));
    this.#parts.access.checkOpen();
    await this.#write(runId, newId, events);
    await context.adopt?.(newId);
    const [created] = events;
    const seq = created?.type === 'RunCreated' ? (created.forkedFrom?.seq ?? 0) : 0;
    return { runId: newId, forkedFrom: { runId, seq } };
  }

  /** Writes the beginning of a run that was made of another one. What is not in the store after all leaves no blobs there. */
  async #write(fromRunId: string, runId: string, events: readonly RunEvent[]): Promise<void> {
    const { blobs, append, discard } = this.#parts;
    let copied = 0;
    try {
      await blobs.copy(fromRunId, runId, events, () => {
        copied++;
      });
      await append(runId, events);
    } catch (error) {
      if (copied > 0 && !(await this.#mayBeThere(runId))) await discard(runId).catch(() => {});
      throw error;
    }
  }

  /** An append whose answer was lost may have been written: then the run goes on when the store is opened again. */
  async #mayBeThere(runId: string): Promise<boolean> {
    try {
      return (await this.#parts.access.readPage(runId, 1, 1)).length > 0;
    } catch {
      return true;
    }
  }

  /** A checkpoint that was removed is as good as one that was damaged: what it says can be replayed. */
  async #checkKept(id: string, runId: string): Promise<void> {
    try {
      await this.#parts.checkpoints.find(id);
    } catch (error) {
      this.#parts.history.warn({ runId, checkpointId: id, error });
    }
  }

  /** The newest state that is durable. */
  async #newest(
    runId: string,
    at: string,
  ): Promise<{ readonly plan: CompiledPlan; readonly snapshot: StateSnapshot }> {
    const captured = await this.#context(at).capture?.(runId);
    const plan = await this.#planOf(runId, at);
    return { plan, snapshot: captured ?? snapshotOf((await this.#parts.history.fold(runId, plan)).state) };
  }

  async #planOf(runId: string, at: string): Promise<CompiledPlan> {
    const context = this.#context(at);
    const { workflowId, workflowVersion } = await this.#parts.history.head(runId);
    return context.planOf(workflowId, workflowVersion);
  }

  #context(at: string): PersistenceContext {
    const context = this.#parts.context();
    if (context !== undefined) return context;
    throw refuse('OPTION_INVALID', {
      at,
      found: 'a persistence manager without a context',
      allowed: 'one that was given { planOf, clock, nextRunId } when it was constructed',
    });
  }
}

const CHECKPOINT = 'the id of a checkpoint, or what createCheckpoint returned';

function checkOptions(
  given: unknown,
  at: string,
  keys: readonly string[],
): Readonly<Record<string, unknown>> {
  return reading(at, 'an object of options', () => {
    const options = checkRecord(given, at, 'an object of options');
    checkKeys(options, new Set(keys), at);
    // Read here, where whoever throws is told what is allowed.
    return { ...options };
  });
}

/** A copy of a value of the host. */
function carried(value: unknown, at: string): unknown {
  const guarded = guardValue(value);
  if (guarded.ok) return guarded.value;
  throw refuse('VALUE_UNSERIALISABLE', {
    at: `${at}/input${guarded.pointer}`,
    found: guarded.found,
    allowed: 'plain data',
    hint: guarded.hint,
  });
}

function behindTheEnd(runId: string, at: string, seq: number, lastSeq: number): OrchestratorError {
  return refuse(
    'OPTION_INVALID',
    { at, found: String(seq), allowed: `1 to ${lastSeq}, the last event of run ${runId}` },
    { details: { runId, lastSeq } },
  );
}
