/** The state of a run as plain data, the same for equal states: what tests and golden logs compare. */
import type { RunState, ScopeState, TaskDetails } from '../../src/machine/state.ts';
import { statusName } from '../../src/machine/transitions.ts';

/** Anything that JSON can hold. */
export type Plain = null | boolean | number | string | readonly Plain[] | { readonly [key: string]: Plain };

/** Everything that follows from the log; caches and positions of the cursor are left out. */
export function dumpState(state: RunState): Plain {
  const { runId, status, workflowVersion, input, priority, key, createdAt, finishedAt, seq } = state;
  const { cancelReason, failedPath, failure, halted, haltedPath } = state;
  const run = { runId, status, workflowVersion, input, priority, key, createdAt, finishedAt, seq };
  return plain({
    ...run,
    cancelReason,
    failedPath,
    failure,
    halted,
    haltedPath,
    goneAttempts: state.goneAttempts === undefined ? undefined : [...state.goneAttempts],
    scopes: state.scopes.map(dumpScope),
  });
}

function dumpScope(scope: ScopeState): unknown {
  const { prefix, number, parent, parentIndex, open, closed, plan } = scope;
  const tasks = plan.ids.map((id, i) => [
    id,
    {
      status: statusName(scope.status[i] as number),
      unmet: scope.unmet[i],
      attempts: scope.attempts[i],
      output: scope.outputs[i],
      ...dumpDetails(scope.details.get(i)),
    },
  ]);
  return {
    prefix,
    number,
    parent: parent?.prefix,
    parentIndex,
    open,
    closed,
    tasks: Object.fromEntries(tasks),
  };
}

function dumpDetails(details: TaskDetails | undefined): object | undefined {
  if (details === undefined) return undefined;
  const { scopeOutputs, openScopes, ...rest } = details;
  return {
    ...rest,
    openScopes: openScopes === 0 ? undefined : openScopes,
    scopeOutputs: scopeOutputs === undefined ? undefined : [...scopeOutputs],
  };
}

/** Fields that are not set are left out, as in JSON. */
function plain(value: unknown): Plain {
  return JSON.parse(JSON.stringify(value)) as Plain;
}

/** The dump as one line, for quick comparisons. */
export function printState(state: RunState): string {
  return JSON.stringify(dumpState(state));
}
