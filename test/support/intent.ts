/** Turns an intent into a command on the run as it is: mostly one that makes sense, sometimes one that does not. */
import { pathIn, type RunState } from '../../src/machine/state.ts';
import { statusName } from '../../src/machine/transitions.ts';
import type { TaskStatus } from '../../src/model/status.ts';
import { type Ask, failureOf } from './ask.ts';
import type { Intent } from './random-plans.ts';

interface Place {
  readonly path: string;
  readonly attempt: number;
}

/** For which tasks a command makes sense. */
const FITTING: Readonly<Partial<Record<Intent['kind'], readonly TaskStatus[]>>> = {
  StartTask: ['created', 'retrying'],
  RestartTask: ['in_progress'],
  ReportSuccess: ['in_progress'],
  ReportFailure: ['in_progress'],
  StopTask: ['in_progress'],
  AbandonTask: ['in_progress'],
  RecordProgress: ['in_progress'],
  OpenScope: ['in_progress'],
  ExpireTask: ['retrying'],
  RecordCondition: ['created'],
  CancelTask: ['created', 'in_progress', 'retrying'],
  SetPriority: ['created', 'retrying'],
  SkipTask: ['created'],
};

export function toAsk(state: RunState, intent: Intent): Ask {
  switch (intent.kind) {
    case 'StartRun':
      return { type: 'StartRun', workflowVersion: 1, input: intent.pick, priority: 0, key: 'again' };
    case 'CancelRun':
      return { type: 'CancelRun', reason: failureOf('cancelled') };
    case 'HaltRun':
      return { type: 'HaltRun', reason: failureOf('halted') };
    case 'PauseRun':
    case 'ResumeRun':
    case 'FinishRun':
      return { type: intent.kind };
    default:
      return onTask(placeOf(state, intent), intent, intent.kind);
  }
}

function onTask(
  { path, attempt }: Place,
  { pick, yes }: Intent,
  kind: Exclude<
    Intent['kind'],
    'StartRun' | 'CancelRun' | 'HaltRun' | 'PauseRun' | 'ResumeRun' | 'FinishRun'
  >,
): Ask {
  const random = pick / 1_001;
  switch (kind) {
    case 'StartTask':
      return { type: kind, path };
    case 'RestartTask':
      return { type: kind, path, attempt, maxRestarts: pick % 4 };
    case 'ReportSuccess':
      return { type: kind, path, attempt, output: pick };
    case 'ReportFailure':
      return { type: kind, path, attempt, failure: failureOf('broke'), retry: yes, random };
    case 'StopTask': {
      const cause = (['timeout', 'total_timeout', 'heartbeat', 'cancelled'] as const)[pick % 4] ?? 'timeout';
      return { type: kind, path, attempt, cause, reason: failureOf(cause) };
    }
    case 'AbandonTask':
      return { type: kind, path, attempt, retry: yes, random };
    case 'ExpireTask':
      return { type: kind, path, failure: failureOf('expired') };
    case 'RecordCondition':
      return pick % 9 === 0
        ? { type: kind, path, result: yes, failure: failureOf('when threw') }
        : { type: kind, path, result: yes };
    case 'RecordProgress':
      return { type: kind, path, attempt, progress: pick };
    case 'CancelTask':
      return { type: kind, path, cause: 'task_cancelled', reason: failureOf('not needed') };
    case 'SetPriority':
      return { type: kind, path, priority: pick };
    case 'OpenScope':
      return { type: kind, path: path + (['', '[doc-17]', '[doc-4]', '#3', '#4', '[x'][pick % 6] ?? '') };
    case 'CloseScope':
      return { type: kind, path: path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : path };
    case 'SkipTask':
      return { type: kind, path, cause: { kind: 'dependency', path: 't0' } };
  }
}

function placeOf(state: RunState, { kind, fitting, pick, attemptOff }: Intent): Place {
  const statuses = fitting ? FITTING[kind] : undefined;
  const places: Place[] = [];
  for (const scope of state.scopes) {
    for (let i = 0; i < scope.plan.size; i++) {
      const fits = statuses === undefined || statuses.includes(statusName(scope.status[i] as number));
      const isReady = scope.status[i] !== 0 || scope.unmet[i] === 0;
      if (fits && (isReady || !fitting))
        places.push({ path: pathIn(scope, i), attempt: (scope.attempts[i] as number) + attemptOff });
    }
  }
  return places[pick % Math.max(1, places.length)] ?? { path: `nowhere${pick % 3}`, attempt: 1 };
}
