/** Short ways to write commands; whoever carries them out adds the time. */
import type { RunCommand } from '../../src/machine/commands.ts';
import type { TaskFailure } from '../../src/model/failure.ts';

type Untimed<Command> = Command extends unknown ? Omit<Command, 'at'> & { readonly at?: number } : never;

/** A command without its time, or with one that matters. */
export type Ask = Untimed<RunCommand>;

/** A failure that says no more than its message. */
export function failureOf(message: string, extra: Partial<TaskFailure> = {}): TaskFailure {
  return { name: 'Error', message, ...extra };
}

export const startRun: Ask = { type: 'StartRun', workflowVersion: 1, input: { topic: 'tides' }, priority: 0 };
export const pauseRun: Ask = { type: 'PauseRun' };
export const resumeRun: Ask = { type: 'ResumeRun' };
export const cancelRun: Ask = { type: 'CancelRun', reason: failureOf('enough') };

export const moveTo = (workflowVersion: number, ...again: readonly string[]): Ask => ({
  type: 'MoveRun',
  workflowVersion,
  again,
});

export const start = (path: string): Ask => ({ type: 'StartTask', path });

export const restart = (path: string, attempt = 1, maxRestarts = 10): Ask => ({
  type: 'RestartTask',
  path,
  attempt,
  maxRestarts,
});

export const succeed = (path: string, attempt = 1, output: unknown = `${path}:${attempt}`): Ask => ({
  type: 'ReportSuccess',
  path,
  attempt,
  output,
});

export const fail = (
  path: string,
  attempt = 1,
  { retry = true, random = 0, failure = failureOf(`${path} broke`) } = {},
): Ask => ({ type: 'ReportFailure', path, attempt, failure, retry, random });

export const stop = (
  path: string,
  cause: 'timeout' | 'total_timeout' | 'heartbeat' | 'cancelled' = 'timeout',
  attempt = 1,
): Ask => ({ type: 'StopTask', path, attempt, cause, reason: failureOf(`stop: ${cause}`) });

export const abandon = (path: string, attempt = 1, retry = true): Ask => ({
  type: 'AbandonTask',
  path,
  attempt,
  retry,
  random: 0,
});

export const expire = (path: string): Ask => ({
  type: 'ExpireTask',
  path,
  failure: failureOf('out of time'),
});

export const condition = (path: string, result: boolean): Ask => ({ type: 'RecordCondition', path, result });

export const brokenCondition = (path: string): Ask => ({
  type: 'RecordCondition',
  path,
  result: false,
  failure: failureOf('when threw'),
});

export const progress = (path: string, attempt = 1): Ask => ({
  type: 'RecordProgress',
  path,
  attempt,
  progress: { done: 1, of: 2 },
});

export const cancelTask = (path: string): Ask => ({
  type: 'CancelTask',
  path,
  cause: 'task_cancelled',
  reason: failureOf('not needed'),
});

export const setPriority = (path: string, priority: number): Ask => ({ type: 'SetPriority', path, priority });
export const openScope = (path: string): Ask => ({ type: 'OpenScope', path });
