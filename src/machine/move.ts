/**
 * What becomes of a run that goes on with another version of its workflow.
 *
 * Who may call it: `decide`, which judges a move, and `evolve`, which carries it out.
 *
 * MV1  A task keeps what is known of it if it does the same work in both versions, and everything it depends on keeps
 *      its own; else it begins anew, with the next attempt number, so that late reports of old attempts stay stale, and
 *      nobody takes its work for that of another version; also when it was gone in between.
 * MV2  What is in progress goes on or forbids the move; no body is left behind by one.
 * MV3  What is kept has the policies of the new version; a limit of all its attempts counts from the first of them, or from
 *      the next if there was none before.
 * MV4  The event names what begins anew, and what comes back with how many attempts behind it; that it does, and nothing
 *      else, follows from the event and the two plans.
 */
import { type CompiledPlan, isFailureTolerated } from '../model/plan.ts';
import { isSameWork } from '../model/same-plan.ts';
import type { AnyTask } from '../model/task.ts';
import type { MoveRun } from './commands.ts';
import type { Decision } from './decision.ts';
import type { RunMoved } from './events.ts';
import { spreadPriority } from './priorities.ts';
import { createScope, detailsOf, peekDetails, type RunState, type ScopeState } from './state.ts';
import { CANCELLED, CREATED, FAILED, IN_PROGRESS, isTerminal, SKIPPED } from './transitions.ts';

/** Reasons that are told of a move that is refused. */
const REASONS_MAX = 8;

/** Judges a move of a run that has started and not ended. */
export function decideMove(state: RunState, command: MoveRun): Decision {
  const { workflowVersion, at } = command;
  if (workflowVersion === state.workflowVersion && command.again.length === 0) return [];
  const plan = planOfVersion(state, workflowVersion);
  if (plan === undefined)
    return {
      refused: 'WORKFLOW_NOT_FOUND',
      message: `run ${state.runId} cannot be moved: version ${workflowVersion} of workflow ${JSON.stringify(state.plan.workflowId)} is not registered here`,
    };
  const unknown = command.again.find((path) => !plan.indexOf.has(path));
  if (unknown !== undefined)
    return {
      refused: 'TASK_NOT_FOUND',
      message: `run ${state.runId} cannot be moved: version ${workflowVersion} has no task ${JSON.stringify(unknown)} that could begin anew`,
    };
  const root = state.scopes[0] as ScopeState;
  const again = beginAnew(root, plan, new Set(command.again));
  const removed = root.plan.ids.filter((id) => !plan.indexOf.has(id));
  const added = plan.ids.filter((id) => !root.plan.indexOf.has(id));
  const earlierAttempts = added.flatMap((path) => {
    const attempts = state.goneAttempts?.get(path);
    return attempts === undefined ? [] : [{ path, attempts }];
  });
  const reasons = [...ending(state), ...underWay(root, again, removed)];
  if (reasons.length > 0) return refuse(state, workflowVersion, reasons);
  return {
    type: 'RunMoved',
    runId: state.runId,
    seq: state.seq + 1,
    at,
    workflowVersion,
    fromVersion: state.workflowVersion,
    again: [...again],
    added,
    removed,
    ...(earlierAttempts.length === 0 ? undefined : { earlierAttempts }),
  };
}

/** The plan of a version that a run is moved to; its own when that is only to begin some tasks anew. */
export function planOfVersion(state: RunState, version: number): CompiledPlan | undefined {
  return version === state.workflowVersion ? state.plan : state.planOf(state.plan.workflowId, version);
}

/** The tasks of both plans that had begun and cannot keep that, in the order of the new plan. */
function beginAnew(root: ScopeState, plan: CompiledPlan, asked: ReadonlySet<string>): ReadonlySet<string> {
  const isNew = new Uint8Array(plan.size);
  for (let k = 0; k < plan.size; k++) {
    const i = plan.order[k] as number;
    const id = plan.ids[i] as string;
    const before = root.plan.indexOf.get(id);
    const end = plan.dependencyStart[i + 1] as number;
    let changes =
      before === undefined ||
      asked.has(id) ||
      !isSameWork(root.plan.tasks[before] as AnyTask, plan.tasks[i] as AnyTask);
    for (let e = plan.dependencyStart[i] as number; e < end && !changes; e++)
      changes = isNew[plan.dependencies[e] as number] === 1;
    if (changes) isNew[i] = 1;
  }
  const again = new Set<string>();
  for (let i = 0; i < plan.size; i++) {
    const before = root.plan.indexOf.get(plan.ids[i] as string);
    if (isNew[i] === 1 && before !== undefined && hasBegun(root, before)) again.add(plan.ids[i] as string);
  }
  return again;
}

/** Whether there is anything to be kept of a task. */
function hasBegun(scope: ScopeState, index: number): boolean {
  return scope.status[index] !== CREATED || peekDetails(scope, index)?.condition !== undefined;
}

function ending(state: RunState): readonly string[] {
  if (state.cancelReason !== undefined) return ['it is being cancelled'];
  if (state.halted) return ['it is ending, because a task of it has failed'];
  // Scopes belong to plans of their own, which a move of the root cannot compare.
  return state.scopes.length > 1 ? ['a task of it has opened child scopes'] : [];
}

function underWay(
  root: ScopeState,
  again: ReadonlySet<string>,
  removed: readonly string[],
): readonly string[] {
  const inProgress = (id: string): boolean =>
    root.status[root.plan.indexOf.get(id) as number] === IN_PROGRESS;
  const changed = [...again]
    .filter(inProgress)
    .map((id) => `task ${JSON.stringify(id)} is in progress, and changes`);
  const gone = removed
    .filter(inProgress)
    .map((id) => `task ${JSON.stringify(id)} is in progress, and is removed`);
  return [...changed, ...gone];
}

function refuse(state: RunState, version: number, reasons: readonly string[]): Decision {
  const shown = reasons.slice(0, REASONS_MAX).join('; ');
  const more = reasons.length > REASONS_MAX ? `; and ${reasons.length - REASONS_MAX} more` : '';
  return {
    refused: 'RUN_MOVE_REFUSED',
    message: `run ${state.runId} cannot be moved to version ${version}: ${shown}${more}. Wait until they have ended, or cancel them.`,
  };
}

/** Puts the new plan in the place of the old one, with everything that is kept. */
export function carryOutMove(state: RunState, event: RunMoved, plan: CompiledPlan): void {
  const old = state.scopes[0] as ScopeState;
  const again = new Set(event.again);
  const root = createScope(plan, '', 0, undefined, -1);
  for (let i = 0; i < plan.size; i++) {
    const id = plan.ids[i] as string;
    const before = old.plan.indexOf.get(id);
    if (before !== undefined) keep(old, before, root, i, again.has(id));
  }
  for (const { path, attempts } of event.earlierAttempts ?? []) {
    const i = plan.indexOf.get(path);
    if (i !== undefined) beginBehind(root, i, attempts);
  }
  state.goneAttempts = goneFrom(old, plan, state.goneAttempts);
  for (let i = 0; i < plan.size; i++) if (isTerminal(root.status[i] as number)) count(root, i);
  for (const [index, { priority }] of root.details) if (priority !== undefined) spreadPriority(root, index);
  state.plan = plan;
  state.workflowVersion = event.workflowVersion;
  state.scopes[0] = root;
  state.cursorPath = undefined;
  state.cursorScope = root;
  state.cursorIndex = -1;
  findFailure(state, root);
}

function keep(old: ScopeState, before: number, root: ScopeState, i: number, isAgain: boolean): void {
  root.attempts[i] = old.attempts[before] as number;
  const details = peekDetails(old, before);
  if (isAgain) {
    beginBehind(root, i, root.attempts[i]);
    if (details?.priority !== undefined) detailsOf(root, i).priority = details.priority;
    return;
  }
  root.status[i] = old.status[before] as number;
  if (before in old.outputs) root.outputs[i] = old.outputs[before];
  if (details === undefined) return;
  const { deadlineAt } = details;
  Object.assign(detailsOf(root, i), details, {
    deadlineAt: deadlineAt === undefined ? undefined : deadlineIn(old, before, root, i, deadlineAt),
  });
}

/** The limit of a task with all its attempts is that of the new version, from the same first start. */
function deadlineIn(
  old: ScopeState,
  before: number,
  root: ScopeState,
  i: number,
  deadlineAt: number,
): number | undefined {
  const { totalTimeoutMs: then = 0 } = (old.plan.tasks[before] as AnyTask).policies;
  const { totalTimeoutMs: now } = (root.plan.tasks[i] as AnyTask).policies;
  return now === undefined ? undefined : deadlineAt - then + now;
}

/** A task begins anew, behind attempts that it or one of its name has made in other versions. */
function beginBehind(root: ScopeState, i: number, attempts: number): void {
  if (attempts === 0) return;
  root.attempts[i] = attempts;
  detailsOf(root, i).earlierAttempts = attempts;
}

/** The attempts of tasks that are in no version any more. */
function goneFrom(
  old: ScopeState,
  plan: CompiledPlan,
  before: ReadonlyMap<string, number> | undefined,
): ReadonlyMap<string, number> | undefined {
  const gone = new Map(before);
  for (const id of plan.ids) gone.delete(id);
  for (const [i, id] of old.plan.ids.entries())
    if (!plan.indexOf.has(id) && old.attempts[i] !== 0) gone.set(id, old.attempts[i] as number);
  return gone.size === 0 ? undefined : gone;
}

/** Counts a task that has ended, as its own event once did. */
function count(root: ScopeState, index: number): void {
  root.open--;
  const { plan, unmet } = root;
  const onlySettled = holdsBack(root, index);
  const end = plan.dependentStart[index + 1] as number;
  for (let e = plan.dependentStart[index] as number; e < end; e++) {
    if (onlySettled && plan.dependentSettled?.[e] !== 1) continue;
    const dependent = plan.dependents[e] as number;
    unmet[dependent] = (unmet[dependent] as number) - 1;
  }
}

/** Whether a task has ended in a way that only those can start from who take any outcome. */
export function holdsBack(scope: ScopeState, index: number): boolean {
  const status = scope.status[index];
  if (status === FAILED || status === CANCELLED) return true;
  return status === SKIPPED && peekDetails(scope, index)?.condition !== false;
}

/** The failure that fails the run may be gone with its task, or be another one by the new plan. */
function findFailure(state: RunState, root: ScopeState): void {
  const known = state.failedPath === undefined ? undefined : root.plan.indexOf.get(state.failedPath);
  if (known !== undefined && failsRun(root, known)) return;
  state.failedPath = undefined;
  state.failure = undefined;
  for (let i = 0; i < root.plan.size; i++) {
    if (!failsRun(root, i)) continue;
    state.failedPath = root.plan.ids[i];
    state.failure = peekDetails(root, i)?.failure;
    return;
  }
}

/** Whether the end of a task fails the run: by itself, and not because something else did. */
function failsRun(root: ScopeState, index: number): boolean {
  const status = root.status[index];
  if ((status !== FAILED && status !== CANCELLED) || isFailureTolerated(root.plan, index)) return false;
  return peekDetails(root, index)?.failure !== undefined;
}
