/** Moves runs to other versions of their workflow while they run. */
import type { MoveRun } from '../machine/commands.ts';
import { decide } from '../machine/decide.ts';
import { isEvent, isRefusal } from '../machine/decision.ts';
import type { RunMoved } from '../machine/events.ts';
import type { LiveRun } from '../managers/workflows/live-run.ts';
import type { MovedRuns, MoveOptions, RunMove } from '../managers/workflows/run-move.ts';
import { unmovable } from '../model/check-transfers.ts';
import { checkBoolean, checkKeys, checkRecord, reading } from '../model/checks.ts';
import { OrchestratorError, refuse } from '../model/errors.ts';
import type { TaskPath } from '../model/path.ts';
import type { Composition } from './compose.ts';
import { unfinishedRuns } from './recover-runs.ts';
import { asError } from './start-run.ts';

const OPTIONS = 'an object of options such as { again: ["parse"] }';

/**
 * Moves a run.
 * @throws OrchestratorError `WORKFLOW_NOT_FOUND`, `RUN_MOVE_REFUSED`, `RUN_FINISHED`, `TASK_NOT_FOUND`,
 *   `RESOURCE_UNSCHEDULABLE`, `OPTION_INVALID`, `OPTION_UNKNOWN`, and what the store throws
 */
export async function moveRun(
  parts: Composition,
  run: LiveRun,
  version: number,
  given: MoveOptions,
): Promise<RunMove> {
  const { again, dryRun } = checkOptions(given);
  const { plan } = parts.workflows.get(run.plan.workflowId, version);
  parts.needs.refuseUnschedulable(parts.scheduler.bind(plan));
  if (plan.transfers && parts.persistence.keepsValues) throw unmovable(plan);
  const numbered = parts.definitions?.whenDurable();
  if (numbered !== undefined) await numbered;
  const command: MoveRun = { type: 'MoveRun', at: parts.clock.now(), workflowVersion: version, again };
  if (!dryRun) return submit(parts, run, command);
  const decision = decide(run.state, command);
  if (isRefusal(decision)) throw asError(decision);
  return moveOf(run, isEvent(decision) ? (decision as RunMoved) : undefined, version);
}

/**
 * Moves all unfinished runs of a workflow that have another version. Those of the store that are not live here cannot be
 * moved, and are told of.
 */
export async function moveRuns(parts: Composition, workflowId: string, version: number): Promise<MovedRuns> {
  const moved: RunMove[] = [];
  const refused: { runId: string; error: OrchestratorError }[] = [];
  for (const runId of parts.directory.unfinishedOf(workflowId)) {
    const run = parts.directory.find(runId);
    if (run === undefined || run.state.workflowVersion === version) continue;
    try {
      moved.push(await moveRun(parts, run, version, {}));
    } catch (error) {
      if (!OrchestratorError.is(error)) throw error;
      // It has ended meanwhile: nothing is left that could go on with another version.
      if (error.code !== 'RUN_FINISHED') refused.push({ runId, error });
    }
  }
  for (const runId of await unfinishedRuns(parts, workflowId))
    if (parts.directory.find(runId) === undefined) refused.push({ runId, error: notLive(runId, workflowId) });
  return { moved, refused };
}

function notLive(runId: string, workflowId: string): OrchestratorError {
  return new OrchestratorError(
    'RUN_MOVE_REFUSED',
    `run ${runId} of workflow ${JSON.stringify(workflowId)} cannot be moved: it is in the store, and not live here. recoverState() says what it lacks`,
    { details: { runId, workflowId } },
  );
}

/** The moves that runs are being asked for: each begins when the one before has been answered. */
const underWay = new WeakMap<LiveRun, Promise<unknown>>();

function submit(parts: Composition, run: LiveRun, command: MoveRun): Promise<RunMove> {
  const before = underWay.get(run);
  const ask = (): Promise<RunMove> => submitNow(parts, run, command);
  const moving = before === undefined ? ask() : before.then(ask, ask);
  underWay.set(run, moving);
  return moving;
}

/** What the move did is in its event, which is told before the command is acknowledged. */
function submitNow({ hub, loop }: Composition, run: LiveRun, command: MoveRun): Promise<RunMove> {
  let heard: RunMoved | undefined;
  const monitor = {
    observe: (event: { readonly type: string; readonly runId: string }): void => {
      if (event.type === 'RunMoved' && event.runId === run.runId) heard = event as RunMoved;
    },
  };
  hub.watch(monitor);
  return new Promise<RunMove>((resolve, reject) => {
    loop.submit(run, command, (refused) => {
      if (refused === undefined) resolve(moveOf(run, heard, command.workflowVersion));
      else reject(asError(refused));
    });
  }).finally(() => hub.unwatch(monitor));
}

function moveOf({ runId }: LiveRun, event: RunMoved | undefined, version: number): RunMove {
  if (event === undefined) return { runId, from: version, to: version, again: [], added: [], removed: [] };
  const { fromVersion, workflowVersion, again, added, removed } = event;
  return { runId, from: fromVersion, to: workflowVersion, again, added, removed };
}

function checkOptions(given: unknown): { readonly again: readonly TaskPath[]; readonly dryRun: boolean } {
  return reading('moveTo', OPTIONS, () => {
    const options = checkRecord(given, 'moveTo', OPTIONS);
    checkKeys(options, new Set(['again', 'dryRun']), 'moveTo');
    const { again = [], dryRun = false } = options;
    if (!Array.isArray(again) || again.some((path) => typeof path !== 'string'))
      throw refuse('OPTION_INVALID', {
        at: 'moveTo/again',
        found: 'something else',
        allowed: 'a list of ids of tasks',
      });
    return { again: [...again] as TaskPath[], dryRun: checkBoolean(dryRun, 'moveTo/dryRun') };
  });
}
