/**
 * What is known of one run: the fold of its events. It is changed in place, on flat arrays and counters, by
 * `evolve` alone.
 *
 * Who owns it: the manager that runs the run. Who may read it: everybody in this process, between two commands.
 *
 * ST1  Everything here follows from the events of the run and its plan; nothing else is remembered.
 * ST2  No field needs a scan or a copy of all tasks to be kept up to date.
 * ST3  `cursor…` is a cache of the last look-up and means nothing by itself.
 */
import type { TaskFailure } from '../model/failure.ts';
import { joinPath, leafOf, scopeOf, type TaskPath } from '../model/path.ts';
import type { CompiledPlan } from '../model/plan.ts';
import type { RunStatus } from '../model/status.ts';
import type { StopCause } from './events.ts';

/** Why the current attempt of a task was told to stop. */
export interface StopState {
  readonly cause: StopCause;
  readonly reason: TaskFailure;
}

/** One instance of a plan inside a run. */
export interface ScopeState {
  /** What stands before the ids of its tasks in their paths; empty for the root. */
  readonly prefix: string;
  /** The position in `RunState.scopes`. */
  readonly number: number;
  readonly plan: CompiledPlan;
  readonly parent: ScopeState | undefined;
  /** The task of the parent that opened this scope; -1 for the root. */
  readonly parentIndex: number;
  /** Status codes by task number. */
  readonly status: Uint8Array;
  /** How many dependencies of each task have not ended in a way that lets it run. */
  readonly unmet: Int32Array;
  /** The number of the last attempt of each task; 0 before the first. */
  readonly attempts: Int32Array;
  /** Outputs of completed tasks. */
  readonly outputs: unknown[];
  /** Effective priorities, once one of them was changed while the run went on; before, those of the plan hold. */
  effective: Float64Array | undefined;
  /** How many tasks have not ended. */
  open: number;
  closed: boolean;
  /** What is known beyond status and output, for the few tasks of which more is known. */
  details: Map<number, TaskDetails>;
}

/** What most tasks never need. */
export interface TaskDetails {
  /** Why it failed, or why its last attempt did. */
  failure: TaskFailure | undefined;
  /** Set while the body of its attempt is told to stop. */
  stop: StopState | undefined;
  /** The answer of `when`. */
  condition: boolean | undefined;
  /** When its total time limit ends. */
  deadlineAt: number | undefined;
  /** When its next attempt may start. */
  dueAt: number | undefined;
  /** Attempts that it had made when it began anew in another version; its policies do not count them. */
  earlierAttempts: number | undefined;
  /** How often the process ended under one of its attempts, and it was started again. */
  restarts: number | undefined;
  /** Its own priority, if it was changed while the run went on. */
  priority: number | undefined;
  /** The child scopes that it has opened and that have not been folded. */
  openScopes: number;
  /** The outputs of those that have, by what stands behind its id in their prefix. */
  scopeOutputs: Map<string, unknown> | undefined;
}

/** The plan of a version of a workflow; `undefined` for one that is not known. */
export type PlanOf = (workflowId: string, version: number) => CompiledPlan | undefined;

/** One run. */
export interface RunState {
  readonly runId: string;
  /** That of its version; a move puts another one in its place. */
  plan: CompiledPlan;
  /** Gives the plans of versions that it is moved to. */
  readonly planOf: PlanOf;
  status: RunStatus;
  workflowVersion: number;
  /** Whether it goes on with another version than it was started with. */
  isMoved: boolean;
  /** Attempts of tasks that a move has removed, by their ids: one that another move brings back goes on counting. */
  goneAttempts: ReadonlyMap<string, number> | undefined;
  input: unknown;
  priority: number;
  key: string | undefined;
  createdAt: number;
  finishedAt: number;
  /** The `seq` of the last event. */
  seq: number;
  readonly scopes: ScopeState[];
  scopeByPrefix: ReadonlyMap<string, ScopeState>;
  /** Set when the run was asked to cancel. */
  cancelReason: TaskFailure | undefined;
  /** The first task whose failure fails the run, with its failure. */
  failedPath: TaskPath | undefined;
  failure: TaskFailure | undefined;
  /** Nothing new starts: a task failed under a policy that says so. */
  halted: boolean;
  /** The task whose failure halted it. */
  haltedPath: TaskPath | undefined;
  cursorPath: TaskPath | undefined;
  cursorScope: ScopeState;
  cursorIndex: number;
}

const NO_SCOPES: ReadonlyMap<string, ScopeState> = new Map();

/** Where no run is ever moved. */
const NO_PLANS: PlanOf = () => undefined;

/** The state of a run before its first event. */
export function initialState(runId: string, plan: CompiledPlan, planOf: PlanOf = NO_PLANS): RunState {
  const root = createScope(plan, '', 0, undefined, -1);
  return {
    runId,
    plan,
    planOf,
    status: 'created',
    workflowVersion: 0,
    isMoved: false,
    goneAttempts: undefined,
    input: undefined,
    priority: 0,
    key: undefined,
    createdAt: 0,
    finishedAt: 0,
    seq: 0,
    scopes: [root],
    scopeByPrefix: NO_SCOPES,
    cancelReason: undefined,
    failedPath: undefined,
    failure: undefined,
    halted: false,
    haltedPath: undefined,
    cursorPath: undefined,
    cursorScope: root,
    cursorIndex: -1,
  };
}

// Shared by all scopes until the first of their tasks needs one; never written to.
const NO_DETAILS: Map<number, TaskDetails> = new Map();

/** What is known of a task beyond its status, to be written to; made when it is first asked for. */
export function detailsOf(scope: ScopeState, index: number): TaskDetails {
  if (scope.details === NO_DETAILS) scope.details = new Map();
  let details = scope.details.get(index);
  if (details === undefined) {
    details = {
      failure: undefined,
      stop: undefined,
      condition: undefined,
      deadlineAt: undefined,
      dueAt: undefined,
      earlierAttempts: undefined,
      restarts: undefined,
      priority: undefined,
      openScopes: 0,
      scopeOutputs: undefined,
    };
    scope.details.set(index, details);
  }
  return details;
}

/** The same for reading: `undefined` when nothing more is known. */
export function peekDetails(scope: ScopeState, index: number): TaskDetails | undefined {
  return scope.details.size === 0 ? undefined : scope.details.get(index);
}

/** An instance of a plan in which nothing has happened yet. */
export function createScope(
  plan: CompiledPlan,
  prefix: string,
  number: number,
  parent: ScopeState | undefined,
  parentIndex: number,
): ScopeState {
  return {
    prefix,
    number,
    plan,
    parent,
    parentIndex,
    status: new Uint8Array(plan.size),
    unmet: plan.unmet.slice(),
    attempts: new Int32Array(plan.size),
    outputs: new Array<unknown>(plan.size),
    effective: undefined,
    open: plan.size,
    closed: false,
    details: NO_DETAILS,
  };
}

/** Points the cursor of the state at a task; `false` when there is no task at this path. */
export function locate(state: RunState, path: TaskPath): boolean {
  // A command and its event name the same path one after the other; the second look-up is free.
  if (state.cursorPath === path) return true;
  let scope: ScopeState | undefined = state.scopes[0];
  let index = (scope as ScopeState).plan.indexOf.get(path);
  if (index === undefined) {
    scope = state.scopeByPrefix.get(scopeOf(path));
    index = scope?.plan.indexOf.get(leafOf(path));
    if (scope === undefined || index === undefined) return false;
  }
  state.cursorPath = path;
  state.cursorScope = scope as ScopeState;
  state.cursorIndex = index;
  return true;
}

/** Points the cursor at a task that is known already, so that the commands on it need no look-up. */
export function pointAt(state: RunState, scope: ScopeState, index: number, path: TaskPath): void {
  state.cursorPath = path;
  state.cursorScope = scope;
  state.cursorIndex = index;
}

/** The path of a task. */
export function pathIn(scope: ScopeState, index: number): TaskPath {
  return joinPath(scope.prefix, scope.plan.ids[index] as string);
}

/** The priority that orders a task among others: that of the run added. */
export function priorityOf(state: RunState, scope: ScopeState, index: number): number {
  return state.priority + ((scope.effective ?? scope.plan.priority)[index] as number);
}
