/**
 * Judges a command: the events that it brings about, or the reason why not.
 *
 * Who may call it: `step`, and tests.
 *
 * D1  It changes nothing and remembers nothing (the cursor of the state, a cache, excepted).
 * D2  What it returns follows from state and command alone.
 * D3  Events of one decision are independent of each other: none of them makes another illegal.
 */
import { isRunFinished } from '../model/status.ts';
import type { RunCommand, StartRun } from './commands.ts';
import { type AttemptCommand, decideAttempt } from './decide-attempt.ts';
import { decideRun } from './decide-run.ts';
import { decideScope } from './decide-scope.ts';
import { decideTask, type TaskCommand } from './decide-task.ts';
import type { Decision } from './decision.ts';
import { decideMove } from './move.ts';
import { locate, type RunState } from './state.ts';

/** Judges one command on one state. */
export function decide(state: RunState, command: RunCommand): Decision {
  if (command.type === 'StartRun') return start(state, command);
  if (state.seq === 0)
    return { refused: 'RUN_NOT_FOUND', message: `run ${state.runId} has not been started` };
  if (isRunFinished(state.status)) {
    return { refused: 'RUN_FINISHED', message: `run ${state.runId} has ended: it is ${state.status}` };
  }
  switch (command.type) {
    case 'CancelRun':
    case 'PauseRun':
    case 'ResumeRun':
    case 'HaltRun':
    case 'FinishRun':
      return decideRun(state, command);
    case 'MoveRun':
      return decideMove(state, command);
    case 'OpenScope':
    case 'CloseScope':
      return decideScope(state, command);
    default:
      return decideOnTask(state, command);
  }
}

function decideOnTask(state: RunState, command: AttemptCommand | TaskCommand): Decision {
  if (!locate(state, command.path)) {
    return {
      refused: 'TASK_NOT_FOUND',
      message: `run ${state.runId} has no task at ${JSON.stringify(command.path)}`,
    };
  }
  const scope = state.cursorScope;
  const index = state.cursorIndex;
  switch (command.type) {
    case 'ExpireTask':
    case 'RecordCondition':
    case 'CancelTask':
    case 'SetPriority':
    case 'SkipTask':
      return decideTask(state, scope, index, command);
    default:
      return decideAttempt(state, scope, index, command);
  }
}

function start(state: RunState, command: StartRun): Decision {
  if (state.seq !== 0)
    return { refused: 'TRANSITION_ILLEGAL', message: `run ${state.runId} was started before` };
  const { runId } = state;
  const { at, workflowVersion, input, priority, key, attributes } = command;
  const { workflowId } = state.plan;
  const head = {
    type: 'RunCreated',
    runId,
    seq: 1,
    at,
    workflowId,
    workflowVersion,
    input,
    priority,
  } as const;
  return [
    key === undefined && attributes === undefined
      ? head
      : {
          ...head,
          ...(key === undefined ? undefined : { key }),
          ...(attributes === undefined ? undefined : { attributes }),
        },
    { type: 'RunStarted', runId, seq: 2, at },
  ];
}
