import { describe, expect, it } from 'vitest';
import type { RunEvent } from '../../src/machine/events.ts';
import { evolve } from '../../src/machine/evolve.ts';
import { initialState } from '../../src/machine/state.ts';
import {
  isLegal,
  isTerminal,
  type MovingEventType,
  type StatusCode,
  statusName,
  targetOf,
} from '../../src/machine/transitions.ts';
import { isTaskFinished } from '../../src/model/status.ts';
import { failureOf } from '../support/ask.ts';
import { printState } from '../support/dump-state.ts';
import { plan, t } from '../support/plan-spec.ts';

const CODES: readonly StatusCode[] = [0, 1, 2, 3, 4, 5, 6];

/** The whole table: where each event leads, and from where. Whatever is not listed is forbidden. */
const TABLE: Readonly<Record<MovingEventType, readonly [to: string, ...from: string[]]>> = {
  TaskStarted: ['in_progress', 'created', 'retrying'],
  TaskRestarted: ['in_progress', 'in_progress'],
  TaskCompleted: ['completed', 'in_progress'],
  TaskRetryScheduled: ['retrying', 'in_progress'],
  TaskFailed: ['failed', 'created', 'in_progress', 'retrying'],
  TaskSkipped: ['skipped', 'created'],
  TaskCancelled: ['cancelled', 'created', 'in_progress', 'retrying'],
};

const cases = Object.entries(TABLE).flatMap(([type, [to, ...from]]) =>
  CODES.map((code) => ({
    type: type as MovingEventType,
    code,
    status: statusName(code),
    to,
    isAllowed: from.includes(statusName(code)),
  })),
);

function eventOf(type: MovingEventType, attempt: number): RunEvent {
  const head = { runId: 'run-1', seq: 3, at: 5, path: 'x' };
  switch (type) {
    case 'TaskStarted':
      return { type, ...head, attempt: attempt + 1 };
    case 'TaskRestarted':
      return { type, ...head, attempt, restart: 1 };
    case 'TaskCompleted':
      return { type, ...head, attempt, output: 'out' };
    case 'TaskRetryScheduled':
      return { type, ...head, attempt, failure: failureOf('broke'), dueAt: 10 };
    case 'TaskFailed':
      return { type, ...head, attempt, failure: failureOf('broke') };
    case 'TaskSkipped':
      return { type, ...head, cause: { kind: 'dependency', path: 'dep' } };
    case 'TaskCancelled':
      return { type, ...head, attempt, cause: 'run_cancelled' };
  }
}

/** A run whose only task has been put into a status by hand. */
function stateWith(code: StatusCode) {
  const state = initialState('run-1', plan([t('x')]));
  const head = { runId: 'run-1', at: 1 };
  evolve(state, {
    type: 'RunCreated',
    ...head,
    seq: 1,
    workflowId: 'plan',
    workflowVersion: 1,
    input: 1,
    priority: 0,
  });
  evolve(state, { type: 'RunStarted', ...head, seq: 2 });
  const scope = state.scopes[0];
  if (scope === undefined) throw new Error('a run has a root scope');
  scope.status[0] = code;
  scope.attempts[0] = code === 0 ? 0 : 1;
  return { state, scope };
}

describe('the table of transitions', () => {
  it.each(cases)('$type from $status: $isAllowed', ({ type, code, to, isAllowed }) => {
    expect(isLegal(type, code)).toBe(isAllowed);
    expect(statusName(targetOf(type))).toBe(to);
  });

  it.each(cases)('evolve of $type from $status agrees with it', ({ type, code, to, isAllowed }) => {
    const { state, scope } = stateWith(code);
    const event = eventOf(type, scope.attempts[0] ?? 0);
    const before = printState(state);
    if (isAllowed) {
      evolve(state, event);
      expect(statusName(scope.status[0] as number)).toBe(to);
      expect(state.seq).toBe(3);
    } else {
      expect(() => evolve(state, event)).toThrow(expect.objectContaining({ code: 'HISTORY_INVALID' }));
      expect(printState(state)).toBe(before);
    }
  });

  it('gives terminal statuses no way out (I5)', () => {
    for (const code of CODES.filter(isTerminal)) {
      for (const type of Object.keys(TABLE)) expect(isLegal(type as MovingEventType, code)).toBe(false);
    }
  });

  it('agrees with the model on which statuses are terminal', () => {
    for (const code of CODES) expect(isTerminal(code)).toBe(isTaskFinished(statusName(code)));
  });
});
