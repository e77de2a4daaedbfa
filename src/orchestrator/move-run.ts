/** Moves runs to other versions of their workflow while they run. */
import type { MoveRun } from '../machine/commands.ts';
import { decide } from '../machine/decide.ts';
import { isEvent, isRefusal } from '../machine/decision.ts';
import type { RunEvent, RunMoved } from '../machine/events.ts';
import type { EventHub } from '../managers/monitoring/event-hub.ts';
import type { LiveRun } from '../managers/workflows/live-run.ts';
import type { MovedRuns, MoveOptions, RunMove } from '../managers/workflows/run-move.ts';
import { unmovable } from '../model/check-transfers.ts';
import { checkBoolean, checkKeys, checkRecord, reading } from '../model/checks.ts';
import { OrchestratorError, refuse } from '../model/errors.ts';
import type { TaskPath } from '../model/path.ts';
import type { Monitor } from '../ports/monitor.ts';
import type { Composition } from './compose.ts';
import { unfinishedRuns } from './recover-runs.ts';
import { asError } from './start-run.ts';

/** How many runs are asked to move at the same time. */
const MOVES_AT_ONCE = 256;

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
  const moveOne = async (runId: string): Promise<void> => {
    const run = parts.directory.find(runId);
    if (run === undefined || run.state.workflowVersion === version) return;
    try {
      moved.push(await moveRun(parts, run, version, {}));
    } catch (error) {
      if (!OrchestratorError.is(error)) throw error;
      // It has ended meanwhile: nothing is left that could go on with another version.
      if (error.code !== 'RUN_FINISHED') refused.push({ runId, error });
    }
  };
  const runs = parts.directory.unfinishedOf(workflowId);
  // Those that are asked together share an append.
  for (let i = 0; i < runs.length; i += MOVES_AT_ONCE)
    await Promise.all(runs.slice(i, i + MOVES_AT_ONCE).map(moveOne));
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
  const asked = askedOf(hub);
  asked.add(run.runId);
  return new Promise<RunMove>((resolve, reject) => {
    loop.submit(run, command, (refused) => {
      const heard = asked.take(run.runId);
      if (refused === undefined) resolve(moveOf(run, heard, command.workflowVersion));
      else reject(asError(refused));
    });
  });
}

/** The moves that an orchestrator's runs wait for, one of a run at a time: however many there are, an event is looked at once. */
class AskedMoves implements Monitor {
  readonly #hub: EventHub;
  readonly #heard = new Map<string, RunMoved | undefined>();

  constructor(hub: EventHub) {
    this.#hub = hub;
  }

  add(runId: string): void {
    if (this.#heard.size === 0) this.#hub.watch(this);
    this.#heard.set(runId, undefined);
  }

  /** What was heard of a move that has been answered. */
  take(runId: string): RunMoved | undefined {
    const heard = this.#heard.get(runId);
    this.#heard.delete(runId);
    if (this.#heard.size === 0) this.#hub.unwatch(this);
    return heard;
  }

  observe(event: RunEvent): void {
    if (event.type === 'RunMoved' && this.#heard.has(event.runId)) this.#heard.set(event.runId, event);
  }
}

const asked = new WeakMap<EventHub, AskedMoves>();

function askedOf(hub: EventHub): AskedMoves {
  const moves = asked.get(hub) ?? new AskedMoves(hub);
  asked.set(hub, moves);
  return moves;
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
