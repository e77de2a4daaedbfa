/**
 * Asks the host whether a task is to run.
 *
 * Owns: nothing. Who may call it: the instruction runner, when the outputs that the predicate sees are durable.
 *
 * EV1  A predicate that throws, or does not answer at once, is a failed evaluation, never an error of the engine.
 */
import type { RecordCondition } from '../../machine/commands.ts';
import type { EvaluateCondition } from '../../machine/instructions.ts';
import { pathIn, peekDetails, type ScopeState } from '../../machine/state.ts';
import { CREATED } from '../../machine/transitions.ts';
import { OrchestratorError } from '../../model/errors.ts';
import { describeFailure } from '../../model/failure.ts';
import type { AnyTask } from '../../model/task.ts';
import type { Condition } from '../../model/task-options.ts';
import { collectDependencies } from './attempt.ts';
import type { LargeValues } from './large-outputs.ts';
import type { LiveRun } from './live-run.ts';
import { readable } from './taken-values.ts';

/**
 * Asks the `when` of a task; the answer is the command that records it, `undefined` when it is known already.
 * @param large - the outputs that it may look at and that are kept beside the log
 */
export function evaluateCondition(
  run: LiveRun,
  { scope, index }: EvaluateCondition,
  large: LargeValues | undefined,
): RecordCondition | undefined {
  if (!isAsked(scope, index)) return undefined;
  const path = pathIn(scope, index);
  try {
    const answer = run.within(askCondition, { run, scope, index, large });
    if (typeof answer !== 'boolean') {
      forget(answer);
      throw new OrchestratorError(
        'CONDITION_FAILED',
        `the condition of task ${JSON.stringify(path)} must answer true or false at once`,
      );
    }
    return { type: 'RecordCondition', at: 0, path, result: answer };
  } catch (thrown) {
    const error = OrchestratorError.is(thrown, 'CONDITION_FAILED')
      ? thrown
      : new OrchestratorError('CONDITION_FAILED', `the condition of task ${JSON.stringify(path)} threw`, {
          cause: thrown,
        });
    return failedCondition(run, path, error);
  }
}

/** Whether the answer is still wanted. */
function isAsked(scope: ScopeState, index: number): boolean {
  return scope.status[index] === CREATED && peekDetails(scope, index)?.condition === undefined;
}

/** What records that the `when` of a task could not be asked, because an output that it may look at cannot be read. */
export function unaskedCondition(
  run: LiveRun,
  { scope, index }: EvaluateCondition,
  cause: unknown,
): RecordCondition | undefined {
  if (!isAsked(scope, index)) return undefined;
  const path = pathIn(scope, index);
  const message = `the condition of task ${JSON.stringify(path)} could not be asked: an output that it may look at cannot be read`;
  return failedCondition(run, path, new OrchestratorError('CONDITION_FAILED', message, { cause }));
}

function failedCondition(run: LiveRun, path: string, error: OrchestratorError): RecordCondition {
  run.thrown.set(path, error);
  return { type: 'RecordCondition', at: 0, path, result: false, failure: describeFailure(error) };
}

function askCondition({
  run,
  scope,
  index,
  large,
}: {
  readonly run: LiveRun;
  readonly scope: ScopeState;
  readonly index: number;
  readonly large: LargeValues | undefined;
}): unknown {
  const when = (scope.plan.tasks[index] as AnyTask).policies.when as Condition<unknown, unknown>;
  return when({ input: readable(run.state.input), dependencies: collectDependencies(scope, index, large) });
}

/** A promise where a plain answer was due: its rejection, for which nobody waits, must not end the process. */
export function forget(answer: unknown): void {
  if (answer instanceof Promise) answer.catch(() => {});
}
