/**
 * What of the history of an ended run a new run can begin with, so that it goes on without doing again what was done.
 *
 * Who may call it: whoever makes a run out of another one.
 *
 * KH1  A task is kept if it completed, or was skipped by its own `when`, and everything that it depends on is kept: what it
 *      has seen is then what it would see. When a task is done again by name, a failure that the workflow tolerates is
 *      kept too; when what failed is tried again, it is tried again.
 * KH2  What is kept is a log by itself: it folds without an error, in any order of the original, into a state in which
 *      what is not kept has never started.
 * KH3  A task that opened child scopes is kept with all of them or not at all: if all that lies in them can be kept.
 */
import type { TaskPath } from '../model/path.ts';
import { type CompiledPlan, isFailureTolerated } from '../model/plan.ts';
import type { RunEvent } from './events.ts';
import { peekDetails, type RunState, type ScopeState } from './state.ts';
import { COMPLETED, FAILED, SKIPPED } from './transitions.ts';

/** Of each task that is kept, how many of its attempts belong to an earlier version of it and are left out. */
export type KeptTasks = ReadonlyMap<TaskPath, number>;

/**
 * The tasks that are kept of an ended run.
 *
 * @param again - a task that is not kept whatever came of it, and with it nothing that depends on it
 */
export function keptTasks(state: RunState, again?: TaskPath): KeptTasks {
  const root = state.scopes[0] as ScopeState;
  const { plan } = root;
  const isKept = new Uint8Array(plan.size);
  const undone = undoneBelow(state, again !== undefined);
  for (let k = 0; k < plan.size; k++) {
    const i = plan.order[k] as number;
    if (plan.ids[i] === again || undone.has(i)) continue;
    if (hasDone(root, i, again !== undefined) && areKept(plan, i, isKept)) isKept[i] = 1;
  }
  const kept = new Map<TaskPath, number>();
  for (let i = 0; i < plan.size; i++)
    if (isKept[i] === 1) kept.set(plan.ids[i] as TaskPath, peekDetails(root, i)?.earlierAttempts ?? 0);
  return kept;
}

function hasDone(scope: ScopeState, index: number, keepsFailures: boolean): boolean {
  const status = scope.status[index];
  if (status === COMPLETED) return true;
  const details = peekDetails(scope, index);
  if (status === SKIPPED) return details?.condition === false;
  if (!keepsFailures || !isFailureTolerated(scope.plan, index)) return false;
  // What was cancelled with its run may have failed before, in an attempt that was to be repeated.
  return status === FAILED || details?.failure?.code === 'TASK_CANCELLED';
}

/** The tasks of the root that have something in their child scopes which cannot be kept. */
function undoneBelow(state: RunState, keepsFailures: boolean): ReadonlySet<number> {
  const undone = new Set<number>();
  for (const scope of state.scopes) {
    if (scope.parent === undefined) continue;
    let top = scope;
    while (top.parent?.parent !== undefined) top = top.parent;
    for (let i = 0; i < scope.plan.size; i++)
      if (!hasDone(scope, i, keepsFailures)) undone.add(top.parentIndex);
  }
  return undone;
}

function areKept(plan: CompiledPlan, index: number, isKept: Uint8Array): boolean {
  const end = plan.dependencyStart[index + 1] as number;
  for (let e = plan.dependencyStart[index] as number; e < end; e++)
    if (isKept[plan.dependencies[e] as number] === 0) return false;
  return true;
}

/** Picks the events of a log that a new run begins with, in order, and numbers them anew. */
export class KeptHistory {
  #events: RunEvent[] = [];
  readonly #kept: KeptTasks;
  readonly #runId: string;
  readonly #version: number;

  /** @param version - that of the workflow that the tasks are kept of, which the run had at its end */
  constructor(runId: string, version: number, kept: KeptTasks) {
    this.#runId = runId;
    this.#version = version;
    this.#kept = kept;
  }

  /** Takes the next event of the original. */
  take(event: RunEvent): void {
    switch (event.type) {
      case 'RunCreated': {
        // The key is that of the run that was started under it.
        const { key: _, forkedFrom: __, ...rest } = event;
        this.#add({ ...rest, workflowVersion: this.#version });
        return;
      }
      case 'RunStarted':
        this.#add(event);
        return;
      case 'RunMoved':
        this.#forget(event.again, event.removed);
        return;
      case 'RunPaused':
      case 'RunResumed':
      case 'RunCancelRequested':
      case 'RunCompleted':
      case 'RunFailed':
      case 'RunCancelled':
        return;
      default:
        this.#takeOfTask(event);
    }
  }

  #takeOfTask(event: Extract<RunEvent, { readonly path: string }>): void {
    const id = rootOf(event.path);
    const isKept = this.#kept.has(id);
    // The priority that somebody gave a task holds for what becomes of it now, too.
    if (isKept || (event.type === 'TaskPriorityChanged' && id === event.path)) this.#add(event);
  }

  /** A move has let them begin anew: what came before is of other work. Priorities stay with those that are still there. */
  #forget(again: readonly TaskPath[], removed: readonly TaskPath[]): void {
    const anew = new Set(again);
    const gone = new Set(removed);
    const stays = (event: RunEvent): boolean => {
      if (!('path' in event)) return true;
      const id = rootOf(event.path);
      return !gone.has(id) && (!anew.has(id) || event.type === 'TaskPriorityChanged');
    };
    const left = this.#events.filter(stays);
    this.#events = [];
    for (const event of left) this.#add(event);
  }

  #add(event: RunEvent): void {
    this.#events.push({ ...event, runId: this.#runId, seq: this.#events.length + 1 });
  }

  /** The events, with the attempts of each task numbered from its own first one. */
  finish(): readonly RunEvent[] {
    return this.#events.map((event) => {
      if (!('attempt' in event)) return event;
      const earlier = rootOf(event.path) === event.path ? (this.#kept.get(event.path) ?? 0) : 0;
      // One that failed by its condition was never attempted.
      return earlier === 0 ? event : { ...event, attempt: Math.max(0, event.attempt - earlier) };
    });
  }
}

/** The task of the workflow itself that a path lies below. */
function rootOf(path: TaskPath): string {
  const end = path.search(/[/[#]/);
  return end < 0 ? path : path.slice(0, end);
}
