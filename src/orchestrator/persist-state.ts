import { type StateSnapshot, snapshotOf } from '../machine/snapshot.ts';
import type { Checkpoint } from '../managers/persistence/checkpoints.ts';
import type { LiveRun } from '../managers/workflows/live-run.ts';
import { checkInteger, checkKeys, checkRecord, checkSignal, reading } from '../model/checks.ts';
import { OrchestratorError, refuse } from '../model/errors.ts';
import type { Composition } from './compose.ts';
import { findRun } from './recover-runs.ts';
import { checkInput } from './start-run.ts';

/** How long to wait for a store. */
export interface PersistOptions {
  /** Ends the wait with `WAIT_ABORTED`; what is written already stays. */
  readonly signal?: AbortSignal | undefined;
}

/** What was made durable. */
export interface PersistedState {
  /** How many runs that go on are durable up to what was decided when they were asked. */
  readonly runs: number;
  /** How many of them have a checkpoint of that now; 0 with a store that keeps none. */
  readonly checkpoints: number;
  /** The runs of which something could not be written; their logs are as whole as they were. */
  readonly failed: readonly { readonly runId: string; readonly error: unknown }[];
}

/** Where a fork begins. */
export interface ForkOptions {
  /**
   * An event of the run, from 1, or a checkpoint of it (or its id). The fork begins behind the step that the event lies
   * in. Default: what is durable now.
   */
  readonly at?: number | Checkpoint | string | undefined;
  /** In the place of the input of the run; the schema of the workflow is asked again. Default: the same input. */
  readonly input?: unknown;
}

/** Runs that are asked at once. */
const RUNS_AT_ONCE = 64;

/** Gives the persistence manager what it needs of the others. */
export function connectPersistence(parts: Composition): void {
  const { persistence, workflows, clock, idSource, logger } = parts;
  persistence.connect({
    planOf: (workflowId, version) => workflows.get(workflowId, version).plan,
    planIfKnown: workflows.planOf,
    clock,
    logger,
    nextRunId: () => idSource.nextRunId(),
    capture: (runId) => capture(parts, runId),
    adopt: async (runId) => {
      await findRun(parts, runId, true);
    },
  });
}

/** @throws OrchestratorError `OPTION_INVALID`, `OPTION_UNKNOWN`, `WAIT_ABORTED` */
export async function persistState(parts: Composition, given: PersistOptions): Promise<PersistedState> {
  const signal = reading('persistState', 'an object of options', () => {
    const options = checkRecord(given, 'persistState', 'an object of options');
    checkKeys(options, new Set(['signal']), 'persistState');
    return checkSignal(options.signal, 'persistState/signal');
  });
  const failed: { runId: string; error: unknown }[] = [];
  const runs = parts.directory.unfinished().filter((run) => run.lost === undefined);
  let durable = 0;
  let checkpoints = 0;
  for (let i = 0; i < runs.length; i += RUNS_AT_ONCE) {
    const some = runs.slice(i, i + RUNS_AT_ONCE).map(async ({ runId }) => {
      try {
        if (await parts.persistence.keepState(runId)) checkpoints++;
        durable++;
      } catch (error) {
        // Its start was refused meanwhile: there is nothing to be kept.
        if (OrchestratorError.is(error, 'RUN_NOT_FOUND')) return;
        failed.push({ runId, error });
        parts.logger.warn({ runId, error }, 'the state of a run could not be kept');
      }
    });
    await orAborted(Promise.all(some), signal);
  }
  return { runs: durable, checkpoints, failed };
}

function orAborted(work: Promise<unknown>, signal: AbortSignal | undefined): Promise<unknown> {
  if (signal === undefined) return work;
  return new Promise((resolve, reject) => {
    const abort = (): void =>
      reject(
        new OrchestratorError('WAIT_ABORTED', 'persistState: the wait was ended by its signal', {
          cause: signal.reason,
        }),
      );
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

/** The state of a live run, once everything that was decided for it before is durable. */
function capture({ directory, loop }: Composition, runId: string): Promise<StateSnapshot | undefined> {
  const run = directory.find(runId);
  if (run === undefined || run.lost !== undefined) return Promise.resolve(undefined);
  return new Promise((resolve, reject) => {
    // There is no task at this path, so that nothing is decided; but a refusal is told, like every answer, after
    // everything before it is durable.
    loop.submit(run, { type: 'SetPriority', at: 0, path: '', priority: 0 }, () => {
      if (run.lost !== undefined) reject(run.lost);
      else resolve(isDurable(run) ? snapshotOf(run.state) : undefined);
    });
  });
}

function isDurable(run: LiveRun): boolean {
  return run.state.seq > 0 && run.state.seq === run.durableSeq && !run.isReloading;
}

const FORK_POINT = 'the seq of an event of the run, a checkpoint of it, or the id of one';

/** A new run that goes on from an earlier state of another one. */
export async function forkRun(parts: Composition, run: LiveRun, given: ForkOptions): Promise<LiveRun> {
  const options = reading('fork', 'an object of options', () => {
    const record = checkRecord(given, 'fork', 'an object of options');
    checkKeys(record, new Set(['at', 'input']), 'fork');
    return record as ForkOptions;
  });
  const { persistence } = parts;
  // Of one that is not in the store yet the store says so.
  const lastSeq = Math.max(1, run.durableSeq);
  const { at = lastSeq } = options;
  const from =
    typeof at === 'number' ? checkInteger(at, 'fork/at', 1, lastSeq) : await checkpointOf(parts, run, at);
  const seq = typeof from === 'number' ? from : from.seq;
  const input = 'input' in options ? { input: await checkForkInput(parts, run, seq, options.input) } : {};
  const { runId } =
    typeof from === 'number'
      ? await persistence.fork(run.runId, from, input)
      : await persistence.restoreFromCheckpoint(from, input);
  return findRun(parts, runId);
}

async function checkpointOf(parts: Composition, run: LiveRun, at: Checkpoint | string): Promise<Checkpoint> {
  const checkpoint = typeof at === 'string' ? await ownCheckpoint(parts, run, at) : at;
  const { runId, seq } = reading('fork/at', FORK_POINT, () => ({ ...(checkpoint as Partial<Checkpoint>) }));
  if (runId === run.runId && typeof seq === 'number') return checkpoint;
  throw refuse('OPTION_INVALID', {
    at: 'fork/at',
    found: 'something that is no checkpoint of this run',
    allowed: FORK_POINT,
  });
}

/** The input of a fork is that of the version that the run had where it begins. */
async function checkForkInput(
  { persistence, workflows }: Composition,
  run: LiveRun,
  seq: number,
  input: unknown,
): Promise<unknown> {
  const { workflowVersion } = run.state.isMoved ? await persistence.loadState(run.runId, { seq }) : run.state;
  return checkInput(workflows.get(run.plan.workflowId, workflowVersion).workflow, input);
}

async function ownCheckpoint({ persistence }: Composition, run: LiveRun, id: string): Promise<Checkpoint> {
  const found = (await persistence.listCheckpoints(run.runId)).find((checkpoint) => checkpoint.id === id);
  if (found !== undefined) return found;
  throw new OrchestratorError(
    'CHECKPOINT_NOT_FOUND',
    `run ${run.runId} has no checkpoint ${JSON.stringify(id)}`,
    {
      details: { runId: run.runId, id },
    },
  );
}
