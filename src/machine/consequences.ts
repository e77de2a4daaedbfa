/**
 * What an event makes necessary inside its run, as internal commands: the cascade of a failure, the folding of
 * a scope.
 *
 * Who may call it: `step`, after the event was folded.
 *
 * Q1  It follows from state and event alone.
 * Q2  Every command that it gives is one that `decide` carries out or finds to have nothing left to do.
 */
import type { RunCommand } from './commands.ts';
import type { RunEvent } from './events.ts';
import { holdsBack } from './move.ts';
import { pathIn, type RunState, type ScopeState } from './state.ts';
import { CREATED } from './transitions.ts';

const NONE: readonly RunCommand[] = [];

/** The commands that must follow an event, in order. */
export function consequencesOf(state: RunState, event: RunEvent): readonly RunCommand[] {
  switch (event.type) {
    case 'TaskCompleted':
      return state.scopes.length === 1 ? NONE : closing(state, event, []);
    case 'TaskFailed':
    case 'TaskCancelled':
    case 'TaskSkipped':
      return cascade(state, event);
    case 'RunMoved':
      return cutOff(state, event.at);
    case 'ScopeOpened':
      // A plan without tasks has nothing to wait for.
      return state.scopeByPrefix.get(event.path)?.open === 0
        ? [{ type: 'CloseScope', at: event.at, path: event.path }]
        : NONE;
    default:
      return NONE;
  }
}

type EndEvent = Extract<
  RunEvent,
  { readonly type: 'TaskCompleted' | 'TaskFailed' | 'TaskCancelled' | 'TaskSkipped' }
>;

function cascade(
  state: RunState,
  event: Exclude<EndEvent, { readonly type: 'TaskCompleted' }>,
): readonly RunCommand[] {
  const place = placeOf(state, event.path);
  const { scope, index } = place;
  const commands: RunCommand[] = [];
  if (event.type !== 'TaskSkipped' || event.cause.kind === 'dependency') {
    // The name of the first cause travels down the whole cascade.
    const first =
      event.type === 'TaskSkipped' && event.cause.kind === 'dependency' ? event.cause.path : event.path;
    skipDependents(scope, index, first, event.at, commands);
  }
  if (event.type === 'TaskFailed' && state.haltedPath === event.path) {
    commands.push({ type: 'HaltRun', at: event.at, reason: event.failure });
  }
  return closing(state, event, commands);
}

/** After a move: what is new, or begins anew, below a task that had ended in a way that lets nothing start. */
function cutOff(state: RunState, at: number): readonly RunCommand[] {
  const scope = state.scopes[0] as ScopeState;
  const commands: RunCommand[] = [];
  for (let i = 0; i < scope.plan.size; i++)
    if (holdsBack(scope, i)) skipDependents(scope, i, pathIn(scope, i), at, commands);
  return commands;
}

function skipDependents(
  scope: ScopeState,
  index: number,
  cause: string,
  at: number,
  commands: RunCommand[],
): void {
  const { plan } = scope;
  const end = plan.dependentStart[index + 1] as number;
  for (let e = plan.dependentStart[index] as number; e < end; e++) {
    const dependent = plan.dependents[e] as number;
    if (plan.dependentSettled?.[e] === 1 || scope.status[dependent] !== CREATED) continue;
    commands.push({
      type: 'SkipTask',
      at,
      path: pathIn(scope, dependent),
      cause: { kind: 'dependency', path: cause },
    });
  }
}

/** Adds the folding of the scope whose last task this event ended. */
function closing(state: RunState, event: EndEvent, commands: RunCommand[]): readonly RunCommand[] {
  const { scope } = placeOf(state, event.path);
  if (scope.parent !== undefined && scope.open === 0 && !scope.closed)
    commands.push({ type: 'CloseScope', at: event.at, path: scope.prefix });
  return commands;
}

function placeOf(state: RunState, path: string): { readonly scope: ScopeState; readonly index: number } {
  const slash = path.lastIndexOf('/');
  const scope = (slash < 0 ? state.scopes[0] : state.scopeByPrefix.get(path.slice(0, slash))) as ScopeState;
  return { scope, index: scope.plan.indexOf.get(path.slice(slash + 1)) as number };
}
