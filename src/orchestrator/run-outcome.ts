import { setOwn } from '../base/copy-guarded.ts';
import { pathIn, type ScopeState } from '../machine/state.ts';
import { CANCELLED, COMPLETED, FAILED } from '../machine/transitions.ts';
import { type LargeValues, largeOr } from '../managers/workflows/large-outputs.ts';
import type { LiveRun } from '../managers/workflows/live-run.ts';
import { readable } from '../managers/workflows/taken-values.ts';
import { OrchestratorError } from '../model/errors.ts';
import { reviveFailure, type TaskFailure } from '../model/failure.ts';
import type { TaskPath } from '../model/path.ts';
import { type Undurable, undurableByPath } from './durable-view.ts';

/** A task that failed for good, or was cancelled by itself. */
export interface FailedTask {
  readonly path: TaskPath;
  readonly attempt: number;
  readonly failure: TaskFailure;
}

/** How a run ended well. */
export interface RunResult<Outputs> {
  readonly runId: string;
  readonly status: 'completed';
  /** The outputs of the listed tasks, by id. A task that its `when` skipped is not among them. */
  readonly outputs: Outputs;
}

/** How a run ended, well or not. */
export interface SettledRun<Outputs> {
  readonly runId: string;
  readonly status: 'completed' | 'failed' | 'cancelled' | 'lost';
  /** The outputs of those listed tasks that completed. */
  readonly outputs: Partial<Outputs>;
  readonly failures: readonly FailedTask[];
  /** What `result()` rejects with; `undefined` when it completed. */
  readonly error: OrchestratorError | undefined;
}

/** Of more listed tasks than this, the outputs are gathered only when they are looked at. */
const OUTPUTS_AT_ONCE_MAX = 256;

/** How a run that is over has ended; `large` has the outputs that are kept beside the log. */
export function outcomeOf<Outputs>(run: LiveRun, large: LargeValues | undefined): SettledRun<Outputs> {
  const { runId } = run;
  // Of a lost run only what is in its log counts.
  const undurable = undurableByPath(run.forgotten);
  const outputs = lazyOutputs(run.state.scopes[0] as ScopeState, undurable, large);
  const failures = failedTasks(run).filter(({ path }) => !undurable.has(path));
  const status = run.lost !== undefined ? 'lost' : (run.state.status as 'completed' | 'failed' | 'cancelled');
  const error = errorOf(run, status, outputs, failures);
  if (run.plan.listed <= OUTPUTS_AT_ONCE_MAX)
    return { runId, status, outputs: outputs() as Partial<Outputs>, failures, error };
  return withLazyOutputs({ runId, status, failures, error }, () => outputs() as Partial<Outputs>);
}

/** The same for a run that ended well. */
export function resultOf<Outputs>(settled: SettledRun<Outputs>, listed: number): RunResult<Outputs> {
  if (listed <= OUTPUTS_AT_ONCE_MAX)
    return { runId: settled.runId, status: 'completed', outputs: settled.outputs as Outputs };
  return withLazyOutputs(
    { runId: settled.runId, status: 'completed' as const },
    () => settled.outputs as Outputs,
  );
}

const GATHER = Symbol('gather');

/**
 * One getter for all: V8 keeps the getter of an object literal in a hidden class of its own, and that, with the run and
 * all its tasks behind it, until the next full collection, however soon the object itself is let go.
 */
const LAZY_OUTPUTS: PropertyDescriptor & ThisType<{ readonly [GATHER]: () => unknown }> = {
  enumerable: true,
  configurable: true,
  get() {
    return this[GATHER]();
  },
};

function withLazyOutputs<Fields extends object, Outputs>(
  fields: Fields,
  gather: () => Outputs,
): Fields & { readonly outputs: Outputs } {
  Object.defineProperty(fields, GATHER, { value: gather });
  Object.defineProperty(fields, 'outputs', LAZY_OUTPUTS);
  return fields as Fields & { readonly outputs: Outputs };
}

function errorOf(
  run: LiveRun,
  status: SettledRun<unknown>['status'],
  outputs: () => unknown,
  failures: readonly FailedTask[],
): OrchestratorError | undefined {
  if (status === 'completed') return undefined;
  if (status === 'lost') return run.lost;
  return status === 'cancelled' ? cancelled(run, outputs()) : failed(run, outputs(), failures);
}

/** Outputs are gathered when they are first looked at: a run can have a million of them. */
function lazyOutputs(
  root: ScopeState,
  undurable: Undurable,
  large: LargeValues | undefined,
): () => Readonly<Record<string, unknown>> {
  let outputs: Readonly<Record<string, unknown>> | undefined;
  return () => {
    outputs ??= Object.freeze(readableOutputs(root, undurable, large));
    return outputs;
  };
}

function readableOutputs(
  root: ScopeState,
  undurable: Undurable,
  large: LargeValues | undefined,
): Record<string, unknown> {
  const outputs: Record<string, unknown> = {};
  const { ids, listed } = root.plan;
  for (let i = 0; i < listed; i++) {
    const id = ids[i] as string;
    if (root.status[i] === COMPLETED && !undurable.has(id))
      setOwn(outputs, id, readable(largeOr(root.outputs[i], large)));
  }
  return outputs;
}

function failedTasks(run: LiveRun): readonly FailedTask[] {
  const failures: FailedTask[] = [];
  for (const scope of run.state.scopes) {
    for (const [index, { failure }] of scope.details) {
      const status = scope.status[index];
      if ((status !== FAILED && status !== CANCELLED) || failure === undefined) continue;
      if (status === CANCELLED && failure.code !== 'TASK_CANCELLED') continue;
      failures.push({ path: pathIn(scope, index), attempt: scope.attempts[index] as number, failure });
    }
  }
  return failures;
}

function failed(run: LiveRun, outputs: unknown, failures: readonly FailedTask[]): OrchestratorError {
  const { failure, failedPath } = run.state;
  const path = failedPath ?? '';
  // The value as it was thrown, if that was in this process; else what the log has of it.
  const cause = run.thrown.has(path)
    ? run.thrown.get(path)
    : failure === undefined
      ? undefined
      : reviveFailure(failure);
  const others = failures.length > 1 ? ` (and ${failures.length - 1} more)` : '';
  const message = `run ${run.runId} of ${JSON.stringify(run.plan.workflowId)} failed: task ${JSON.stringify(path)}: ${failure?.message ?? 'no reason known'}${others}`;
  return new OrchestratorError('RUN_FAILED', message, {
    cause,
    details: { runId: run.runId, path, failures, outputs },
  });
}

function cancelled(run: LiveRun, outputs: unknown): OrchestratorError {
  const { cancelReason } = run.state;
  const cause =
    run.cancelReason !== undefined || cancelReason === undefined
      ? run.cancelReason
      : reviveFailure(cancelReason);
  const message = `run ${run.runId} of ${JSON.stringify(run.plan.workflowId)} was cancelled: ${cancelReason?.message ?? 'no reason given'}`;
  return new OrchestratorError('RUN_CANCELLED', message, { cause, details: { runId: run.runId, outputs } });
}
