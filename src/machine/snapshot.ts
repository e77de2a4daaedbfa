/**
 * The state of a run as plain data, and back: what a checkpoint holds.
 *
 * Who may call it: the persistence manager, tools, tests.
 *
 * SN1  `restore(snapshotOf(state))` equals the replay of the log up to `state.seq`, in everything but its caches.
 * SN2  A snapshot shares with its state only values that never change.
 * SN3  What was damaged, was written for another plan, or is of an unknown version is refused as a whole.
 * SN4  It survives an encoding that leaves out fields which are `undefined`.
 */
import { digestOf } from '../base/digest.ts';
import { OrchestratorError } from '../model/errors.ts';
import type { TaskFailure } from '../model/failure.ts';
import type { CompiledPlan } from '../model/plan.ts';
import type { RunStatus } from '../model/status.ts';
import { planMark } from './plan-mark.ts';
import {
  createScope,
  detailsOf,
  initialState,
  type PlanOf,
  type RunState,
  type ScopeState,
  type StopState,
} from './state.ts';

/** The version of the shape of snapshots; others are refused, and the log is replayed instead. */
export const SNAPSHOT_VERSION = 2;

/** What is known of a task beyond its status and output. */
interface DetailsSnapshot {
  readonly index: number;
  readonly failure?: TaskFailure | undefined;
  readonly stop?: StopState | undefined;
  readonly condition?: boolean | undefined;
  readonly deadlineAt?: number | undefined;
  readonly dueAt?: number | undefined;
  readonly earlierAttempts?: number | undefined;
  readonly restarts?: number | undefined;
  readonly priority?: number | undefined;
  readonly openScopes: number;
  readonly scopeOutputs?: readonly { readonly suffix: string; readonly outputs: unknown }[] | undefined;
}

/** One scope. */
interface ScopeSnapshot {
  readonly prefix: string;
  /** The place of the parent among the scopes; -1 for the root. */
  readonly parent: number;
  readonly parentIndex: number;
  /** A digit for each task. */
  readonly status: string;
  readonly unmet: readonly number[];
  readonly attempts: readonly number[];
  readonly outputs: readonly { readonly index: number; readonly output?: unknown }[];
  readonly effective?: readonly number[] | undefined;
  readonly open: number;
  readonly closed: boolean;
  readonly details: readonly DetailsSnapshot[];
}

/** One run. */
export interface StateSnapshot {
  readonly version: number;
  /** The mark of everything else in it. */
  readonly digest: string;
  /** The mark of the plan that it was made with. */
  readonly plan: string;
  readonly runId: string;
  readonly seq: number;
  readonly status: RunStatus;
  readonly workflowVersion: number;
  /** Whether that is another one than it was started with. */
  readonly isMoved: boolean;
  readonly goneAttempts?: readonly (readonly [string, number])[] | undefined;
  readonly input?: unknown;
  readonly priority: number;
  readonly key?: string | undefined;
  readonly createdAt: number;
  readonly finishedAt: number;
  readonly cancelReason?: TaskFailure | undefined;
  readonly failedPath?: string | undefined;
  readonly failure?: TaskFailure | undefined;
  readonly halted: boolean;
  readonly haltedPath?: string | undefined;
  readonly scopes: readonly ScopeSnapshot[];
}

/** The state of a run as plain data, independent of what becomes of the run. */
export function snapshotOf(state: RunState): StateSnapshot {
  const { runId, seq, status, workflowVersion, isMoved, input, priority, key, createdAt, finishedAt } = state;
  const { cancelReason, failedPath, failure, halted, haltedPath } = state;
  const body = {
    version: SNAPSHOT_VERSION,
    plan: planMark(state.plan),
    ...{ runId, seq, status, workflowVersion, isMoved, input, priority, key, createdAt, finishedAt },
    ...{ cancelReason, failedPath, failure, halted, haltedPath },
    goneAttempts: state.goneAttempts === undefined ? undefined : [...state.goneAttempts],
    scopes: state.scopes.map(snapshotOfScope),
  };
  return { ...body, digest: digestOf(body) };
}

function snapshotOfScope(scope: ScopeState): ScopeSnapshot {
  const outputs: { index: number; output: unknown }[] = [];
  // The array has a place for each task; `in` tells a task without output from one whose output is `undefined`.
  for (let index = 0; index < scope.plan.size; index++)
    if (index in scope.outputs) outputs.push({ index, output: scope.outputs[index] });
  return {
    prefix: scope.prefix,
    parent: scope.parent?.number ?? -1,
    parentIndex: scope.parentIndex,
    status: scope.status.join(''),
    unmet: [...scope.unmet],
    attempts: [...scope.attempts],
    outputs,
    effective: scope.effective === undefined ? undefined : [...scope.effective],
    open: scope.open,
    closed: scope.closed,
    details: [...scope.details].map(([index, { scopeOutputs, ...details }]) => ({
      index,
      ...details,
      scopeOutputs:
        scopeOutputs === undefined
          ? undefined
          : [...scopeOutputs].map(([suffix, found]) => ({ suffix, outputs: found })),
    })),
  };
}

/**
 * The state that a snapshot was made of.
 *
 * @param plan - that of the version that the run was started with
 * @param planOf - gives that of a version that it was moved to; a snapshot made with yet another plan is refused
 * @param guard - gives input and outputs as they are to be kept; `at` says which
 * @throws OrchestratorError `CHECKPOINT_INVALID`
 */
export function restore(
  given: unknown,
  plan: CompiledPlan,
  guard: (value: unknown, at: string) => unknown = (value) => value,
  planOf?: PlanOf,
): RunState {
  const snapshot = checked(given, plan, planOf);
  const state = initialState(snapshot.runId, planIn(snapshot, plan, planOf) as CompiledPlan, planOf);
  const { seq, status, workflowVersion, isMoved, priority, key, createdAt, finishedAt } = snapshot;
  const { cancelReason, failedPath, failure, halted, haltedPath } = snapshot;
  Object.assign(state, { seq, status, workflowVersion, isMoved, priority, key, createdAt, finishedAt });
  Object.assign(state, { cancelReason, failedPath, failure, halted, haltedPath });
  if (snapshot.goneAttempts !== undefined) state.goneAttempts = new Map(snapshot.goneAttempts);
  state.input = guard(snapshot.input, 'input of a checkpoint ');
  const byPrefix = new Map<string, ScopeState>();
  snapshot.scopes.forEach((scope, number) => {
    if (number > 0) {
      state.scopes.push(childOf(state, scope, number));
      byPrefix.set(scope.prefix, state.scopes[number] as ScopeState);
    }
    fill(state.scopes[number] as ScopeState, scope, guard);
  });
  if (byPrefix.size > 0) state.scopeByPrefix = byPrefix;
  return state;
}

/**
 * The plan of the version that the run had when the snapshot was made. Its mark does not tell versions apart that differ
 * only in what their tasks do.
 */
function planIn(
  { workflowVersion, isMoved }: StateSnapshot,
  plan: CompiledPlan,
  planOf?: PlanOf,
): CompiledPlan | undefined {
  return isMoved ? planOf?.(plan.workflowId, workflowVersion) : plan;
}

function checked(given: unknown, plan: CompiledPlan, planOf: PlanOf | undefined): StateSnapshot {
  let isWhole: boolean;
  let version: unknown;
  try {
    const { digest, ...body } = given as StateSnapshot;
    version = body.version;
    isWhole = version === SNAPSHOT_VERSION && digestOf(body) === digest;
  } catch (cause) {
    throw invalid('it cannot be read', cause);
  }
  if (version !== SNAPSHOT_VERSION)
    throw invalid(`its version is ${String(version)}, this release knows ${SNAPSHOT_VERSION}`);
  if (!isWhole) throw invalid('it is damaged: its content does not fit its digest');
  const snapshot = given as StateSnapshot;
  const then = planIn(snapshot, plan, planOf);
  if (then === undefined || snapshot.plan !== planMark(then))
    throw invalid(`it was made with another definition of workflow ${JSON.stringify(plan.workflowId)}`);
  return snapshot;
}

function invalid(why: string, cause?: unknown): OrchestratorError {
  return new OrchestratorError('CHECKPOINT_INVALID', `a checkpoint cannot be used: ${why}`, { cause });
}

function childOf(
  state: RunState,
  { prefix, parent, parentIndex }: ScopeSnapshot,
  number: number,
): ScopeState {
  const above = state.scopes[parent] as ScopeState;
  const plan = above.plan.children?.get(above.plan.ids[parentIndex] as string) as CompiledPlan;
  return createScope(plan, prefix, number, above, parentIndex);
}

function fill(
  scope: ScopeState,
  snapshot: ScopeSnapshot,
  guard: (value: unknown, at: string) => unknown,
): void {
  for (let i = 0; i < scope.plan.size; i++) scope.status[i] = snapshot.status.charCodeAt(i) - 48;
  scope.unmet.set(snapshot.unmet);
  scope.attempts.set(snapshot.attempts);
  for (const { index, output } of snapshot.outputs)
    scope.outputs[index] = guard(output, `output ${index} of a checkpoint `);
  if (snapshot.effective !== undefined) scope.effective = Float64Array.from(snapshot.effective);
  scope.open = snapshot.open;
  scope.closed = snapshot.closed;
  for (const { index, scopeOutputs, ...rest } of snapshot.details) {
    const details = Object.assign(detailsOf(scope, index), rest);
    if (scopeOutputs !== undefined)
      details.scopeOutputs = new Map(scopeOutputs.map(({ suffix, outputs }) => [suffix, outputs]));
  }
}
