import type { RunCreated } from '../machine/events.ts';
import { upcast } from '../machine/replay.ts';
import { UNFINISHED } from '../managers/persistence/run-facts.ts';
import { RUN_STREAM_PREFIX } from '../managers/persistence/stream-names.ts';
import { LiveRun } from '../managers/workflows/live-run.ts';
import { OrchestratorError } from '../model/errors.ts';
import type { Composition } from './compose.ts';

/** What came of the unfinished runs of a store that were not live here. */
export interface RecoveredState {
  /** The runs that go on here, in the order of their start. */
  readonly recovered: readonly string[];
  /** The runs that stay as they are until what they lack is registered. */
  readonly left: readonly LeftRun[];
  /** The runs whose log makes no sense, with `HISTORY_INVALID` or `EVENT_UNKNOWN`. Their logs are not touched. */
  readonly lost: readonly LostRun[];
}

/** A run that is left as it is. */
export interface LeftRun {
  readonly runId: string;
  readonly workflowId: string;
  readonly workflowVersion: number;
  /** What is not registered: its version of the workflow, or a handler. */
  readonly reason: 'workflow_missing' | 'handler_missing';
  /** The names of the missing handlers. */
  readonly handlers: readonly string[];
}

/** A run that nobody can go on with. */
export interface LostRun {
  readonly runId: string;
  readonly error: OrchestratorError;
}

/** What a recovery fills in. */
interface Report {
  readonly recovered: string[];
  readonly left: LeftRun[];
  readonly lost: LostRun[];
}

/** A run that is to be recovered, by its first event. */
interface Head {
  readonly runId: string;
  readonly created: RunCreated;
}

/** Runs that are listed together. */
const PAGE = 1_024;
const FORGET = (): void => {};
const underWay = new WeakMap<Composition, Promise<RecoveredState>>();

/**
 * Goes on with the runs of the store that have not ended and are not live here, in the order in which they were
 * started. What cannot be gone on with is reported, one by one, and keeps no other from it. Asked again while it is
 * under way, it is the same one.
 *
 * @throws OrchestratorError what the store throws
 */
export function recoverRuns(parts: Composition): Promise<RecoveredState> {
  const known = underWay.get(parts);
  if (known !== undefined) return known;
  const recovering = recoverAll(parts).finally(() => underWay.delete(parts));
  underWay.set(parts, recovering);
  return recovering;
}

/** Settles when the recovery that is under way has ended, well or not. */
export async function whenRecovered(parts: Composition): Promise<void> {
  await underWay.get(parts)?.catch(FORGET);
}

async function recoverAll(parts: Composition): Promise<RecoveredState> {
  const report: Report = { recovered: [], left: [], lost: [] };
  const heads: Head[] = [];
  for (const runId of await unfinishedRuns(parts)) {
    if (isLive(parts, runId)) continue;
    const head = await readHead(parts, runId, report);
    if (head !== undefined) heads.push(head);
  }
  // A store lists streams as they were created; an append that failed has let others go first.
  heads.sort((a, b) => startOf(a) - startOf(b));
  for (const head of heads) {
    await recoverRun(parts, head, report);
    if (parts.directory.isClosing) throw closing();
  }
  for (const left of report.left) parts.logger.warn({ ...left }, 'an unfinished run was left as it is');
  return report;
}

/** The ids of the runs in the store that have not ended: of one workflow, or of all. */
export async function unfinishedRuns(
  { persistence }: Pick<Composition, 'persistence'>,
  workflowId?: string,
): Promise<readonly string[]> {
  const runIds: string[] = [];
  for (let after: string | undefined; ; ) {
    const page = await persistence.listRuns({ statuses: UNFINISHED, limit: PAGE, after, workflowId });
    for (const { stream } of page) runIds.push(stream.slice(RUN_STREAM_PREFIX.length));
    if (page.length < PAGE) return runIds;
    after = page.at(-1)?.stream;
  }
}

/** How many events the log of a fork begins with. */
function lengthOf({ forkedFrom }: RunCreated): number {
  return forkedFrom?.kept ?? forkedFrom?.seq ?? 0;
}

/** When a run was started; a fork begins with the history of another run. */
function startOf({ created }: Head): number {
  return created.forkedFrom?.at ?? created.at;
}

/** A run that was given up on here is not live: its log may be better by now. */
function isLive({ directory }: Composition, runId: string): boolean {
  const run = directory.find(runId);
  return run !== undefined && run.lost === undefined;
}

/**
 * A run of the store, ended or not, whether this process has had it before or not.
 *
 * @param isNew - whether it was made here and now, so that no process can have begun anything of it
 * @throws OrchestratorError `RUN_NOT_FOUND`, `EVENT_UNKNOWN`, `WORKFLOW_NOT_FOUND` and `HANDLER_UNKNOWN` (what it needs is
 *   not registered here), `ORCHESTRATOR_CLOSED`, and what the store throws
 */
export async function findRun(parts: Composition, runId: string, isNew = false): Promise<LiveRun> {
  const { directory } = parts;
  // Somebody else may be reading it; if that fails, it is tried here again.
  await directory.find(runId)?.whenRead;
  const known = directory.find(runId);
  if (known !== undefined && known.lost === undefined) return known;
  const report: Report = { recovered: [], left: [], lost: [] };
  const head = await readHead(parts, runId, report);
  const run = head === undefined ? undefined : await recoverRun(parts, head, report, isNew);
  const [lost] = report.lost;
  if (lost !== undefined && directory.find(runId) === undefined) throw lost.error;
  // One that has ended may be forgotten again at once; whoever asked for it has it all the same.
  const found = directory.find(runId) ?? run;
  if (found !== undefined) return found;
  const [left] = report.left;
  if (left !== undefined) throw notRegistered(left);
  if (directory.isClosing) throw closing(runId);
  return directory.get(runId);
}

function notRegistered({ runId, workflowId, workflowVersion, reason, handlers }: LeftRun): OrchestratorError {
  const isOf = `run ${runId} is of version ${workflowVersion} of workflow ${JSON.stringify(workflowId)}`;
  const details = { runId, workflowId, workflowVersion };
  if (reason === 'workflow_missing')
    return new OrchestratorError(
      'WORKFLOW_NOT_FOUND',
      `${isOf}, which is not registered here. It stands in the store as it was; register that version to have it`,
      { details },
    );
  return new OrchestratorError(
    'HANDLER_UNKNOWN',
    `${isOf}, of which handlers are not registered here: ${handlers.join(', ')}`,
    { details: { ...details, handlers } },
  );
}

/** @param runId - of a run that was made and stands in the store */
function closing(runId?: string): OrchestratorError {
  const goesOn = runId === undefined ? 'Runs go on' : `Run ${runId} is in the store, and goes on`;
  return new OrchestratorError(
    'ORCHESTRATOR_CLOSED',
    `this orchestrator is closing. ${goesOn} when the store is opened again.`,
    { details: runId === undefined ? {} : { runId } },
  );
}

/** The first event of a run that is in the store. @throws OrchestratorError `RUN_NOT_FOUND`, `EVENT_UNKNOWN` */
export async function headOf(parts: Composition, runId: string): Promise<RunCreated> {
  const report: Report = { recovered: [], left: [], lost: [] };
  const head = await readHead(parts, runId, report);
  if (head !== undefined) return head.created;
  throw report.lost[0]?.error ?? notInStore(runId);
}

async function readHead(
  { persistence, logger }: Composition,
  runId: string,
  report: Report,
): Promise<Head | undefined> {
  const [first] = await persistence.readPage(runId, 1, 1);
  if (first === undefined) return undefined;
  try {
    return { runId, created: upcast(first) as RunCreated };
  } catch (thrown) {
    if (!isUnreadable(thrown)) throw thrown;
    report.lost.push({ runId, error: thrown });
    logger.error({ runId, error: thrown }, 'a run is lost here: its log cannot be read');
    return undefined;
  }
}

async function recoverRun(
  parts: Composition,
  { runId, created }: Head,
  report: Report,
  isNew = false,
): Promise<LiveRun | undefined> {
  const { workflows, scheduler, directory, reloader, logger } = parts;
  const left = missingOf(parts, runId, created);
  if (left !== undefined) {
    report.left.push(left);
    return undefined;
  }
  // While the store was read somebody else may have brought it back, or begun to close.
  if (isLive(parts, runId) || directory.isClosing) return undefined;
  const { plan } = workflows.get(created.workflowId, created.workflowVersion);
  // Of one that was registered without them they are there only now.
  parts.handlers.check(plan);
  const run = new LiveRun({
    runId,
    plan,
    planOf: workflows.planOf,
    bound: scheduler.bind(plan),
    submission: directory.nextSubmission(),
    attributes: created.attributes,
  });
  directory.replace(run);
  try {
    const reading = reloader.recover(run, isNew ? lengthOf(created) : 0);
    run.whenRead = reading.then(FORGET, FORGET);
    // It may have gone on to its end, and been let go, by now.
    if (await reading) report.recovered.push(runId);
    return run;
  } catch (thrown) {
    run.whenRead = undefined;
    if (OrchestratorError.is(thrown, 'WORKFLOW_NOT_FOUND')) {
      directory.withdraw(run);
      report.left.push(movedAway(runId, created, thrown));
      return undefined;
    }
    if (!isUnreadable(thrown)) {
      // The store fails: the run is none of those that go on here, and the next recovery tries again.
      directory.withdraw(run);
      run.lost = OrchestratorError.is(thrown, 'ORCHESTRATOR_CLOSED') ? thrown : unavailable(runId, thrown);
      reloader.abandon(run, run.lost);
      run.settle();
      throw thrown;
    }
    report.lost.push({ runId, error: thrown });
    logger.error({ runId, error: thrown }, 'a run is lost here: its log cannot be read');
    run.lost = thrown;
    directory.ended(run);
    reloader.abandon(run, thrown);
    run.settle();
    return undefined;
  }
}

/** It was moved to a version that is not registered here. */
function movedAway(runId: string, { workflowId }: RunCreated, { details }: OrchestratorError): LeftRun {
  const { workflowVersion } = details as { readonly workflowVersion: number };
  return { runId, workflowId, workflowVersion, reason: 'workflow_missing', handlers: [] };
}

/** What keeps a run from being gone on with. */
function missingOf(
  { workflows, handlers }: Composition,
  runId: string,
  { workflowId, workflowVersion }: RunCreated,
): LeftRun | undefined {
  const about = { runId, workflowId, workflowVersion };
  if (!workflows.has(workflowId, workflowVersion))
    return { ...about, reason: 'workflow_missing', handlers: [] };
  const missing = handlers.missing(workflows.get(workflowId, workflowVersion).plan);
  return missing.length === 0 ? undefined : { ...about, reason: 'handler_missing', handlers: missing };
}

function notInStore(runId: string): OrchestratorError {
  return new OrchestratorError('RUN_NOT_FOUND', `no run ${JSON.stringify(runId)} is in the store`, {
    details: { runId },
  });
}

/** Whether a log makes no sense; any other error is one of the store, and ends the recovery. */
function isUnreadable(thrown: unknown): thrown is OrchestratorError {
  return OrchestratorError.is(thrown, 'HISTORY_INVALID') || OrchestratorError.is(thrown, 'EVENT_UNKNOWN');
}

function unavailable(runId: string, cause: unknown): OrchestratorError {
  return new OrchestratorError(
    'STORE_UNAVAILABLE',
    `run ${runId} could not be read from the store; it stands there as it was. Call recoverState() when the store is mended, or open the orchestrator again.`,
    { cause, details: { runId } },
  );
}
