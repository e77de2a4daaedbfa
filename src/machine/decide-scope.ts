/**
 * Judges the commands that open and fold child scopes.
 *
 * Who may call it: `decide`.
 *
 * S1  Only a task in progress that is not to stop, whose plan names a child plan for it, opens a scope; each
 *     prefix is used once.
 * S2  A scope is folded when its last task has ended; the last one to be folded completes the task that opened it.
 */
import { setOwn } from '../base/copy-guarded.ts';
import { leafOf, parsePath, scopeOf } from '../model/path.ts';
import type { CloseScope, OpenScope } from './commands.ts';
import type { Decision } from './decision.ts';
import type { RunEvent } from './events.ts';
import { pathIn, peekDetails, type RunState, type ScopeState } from './state.ts';
import { COMPLETED, IN_PROGRESS, statusName } from './transitions.ts';

/** Where a scope hangs: the task that opens it, and what its prefix adds to the id of that task. */
export interface ScopeAnchor {
  readonly scope: ScopeState;
  readonly index: number;
  readonly suffix: string;
}

/** Finds the task that a scope prefix belongs to. */
export function anchorOf(state: RunState, prefix: string): ScopeAnchor | undefined {
  const leaf = leafOf(prefix);
  const step = parsePath(leaf)?.[0];
  const above = scopeOf(prefix);
  const scope = above === '' ? state.scopes[0] : state.scopeByPrefix.get(above);
  const index = step === undefined ? undefined : scope?.plan.indexOf.get(step.taskId);
  if (scope === undefined || step === undefined || index === undefined) return undefined;
  return { scope, index, suffix: leaf.slice(step.taskId.length) };
}

/** Judges a command on a scope of a run that has started and not ended. */
export function decideScope(state: RunState, command: OpenScope | CloseScope): Decision {
  const anchor = anchorOf(state, command.path);
  if (anchor === undefined) {
    return {
      refused: 'TASK_NOT_FOUND',
      message: `run ${state.runId} has no task that could open ${JSON.stringify(command.path)}`,
    };
  }
  return command.type === 'OpenScope' ? open(state, anchor, command) : close(state, anchor, command);
}

function open(state: RunState, anchor: ScopeAnchor, command: OpenScope): Decision {
  const { scope, index } = anchor;
  const id = scope.plan.ids[index] as string;
  const status = scope.status[index] as number;
  if (status !== IN_PROGRESS) {
    return {
      refused: 'TRANSITION_ILLEGAL',
      message: `task ${JSON.stringify(id)} is ${statusName(status)}, so it cannot open a scope`,
    };
  }
  if (state.cancelReason !== undefined || state.halted || peekDetails(scope, index)?.stop !== undefined) {
    return {
      refused: 'TRANSITION_ILLEGAL',
      message: `task ${JSON.stringify(id)} is to stop, so it cannot open a scope`,
    };
  }
  if (!scope.plan.children?.has(id)) {
    return {
      refused: 'TRANSITION_ILLEGAL',
      message: `task ${JSON.stringify(id)} has no plan of its own to open`,
    };
  }
  if (state.scopeByPrefix.has(command.path)) {
    return {
      refused: 'TRANSITION_ILLEGAL',
      message: `scope ${JSON.stringify(command.path)} was opened before`,
    };
  }
  return [
    { type: 'ScopeOpened', runId: state.runId, seq: state.seq + 1, at: command.at, path: command.path },
  ];
}

function close(state: RunState, anchor: ScopeAnchor, command: CloseScope): Decision {
  const { runId } = state;
  const { at, path } = command;
  const child = state.scopeByPrefix.get(path);
  if (child === undefined || child.open > 0) {
    return {
      refused: 'TRANSITION_ILLEGAL',
      message: `scope ${JSON.stringify(path)} has tasks that have not ended`,
    };
  }
  if (child.closed) return [];
  const seq = state.seq + 1;
  const outputs = outputsOf(child);
  const events: RunEvent[] = [{ type: 'ScopeClosed', runId, seq, at, path, outputs }];
  const details = peekDetails(anchor.scope, anchor.index);
  if (details === undefined || details.openScopes > 1) return events;
  const parent = {
    runId,
    seq: seq + 1,
    at,
    path: pathIn(anchor.scope, anchor.index),
    attempt: anchor.scope.attempts[anchor.index] as number,
  };
  if (state.cancelReason !== undefined || state.halted) {
    events.push({
      type: 'TaskCancelled',
      ...parent,
      cause: state.cancelReason === undefined ? 'run_failed' : 'run_cancelled',
    });
  } else {
    events.push({
      type: 'TaskCompleted',
      ...parent,
      output: foldOutputs(details.scopeOutputs, anchor.suffix, outputs),
    });
  }
  return events;
}

/** The outputs of the listed tasks of a scope that completed, by id. */
export function outputsOf(scope: ScopeState): Readonly<Record<string, unknown>> {
  const outputs: Record<string, unknown> = {};
  for (let i = 0; i < scope.plan.listed; i++) {
    if (scope.status[i] === COMPLETED) setOwn(outputs, scope.plan.ids[i] as string, scope.outputs[i]);
  }
  return outputs;
}

/** A task with one scope has its outputs; one with several has theirs by item or iteration. */
function foldOutputs(
  earlier: ReadonlyMap<string, unknown> | undefined,
  suffix: string,
  outputs: unknown,
): unknown {
  if (suffix === '' && (earlier === undefined || earlier.size === 0)) return outputs;
  const all = new Map(earlier).set(suffix, outputs);
  return Object.fromEntries(
    [...all].map(([key, value]) => [key.startsWith('#') ? key.slice(1) : key.slice(1, -1), value]),
  );
}
