import { describe, expect, it } from 'vitest';
import type { RunCommand } from '../../src/machine/commands.ts';
import {
  type Ask,
  abandon,
  cancelRun,
  cancelTask,
  condition,
  expire,
  fail,
  failureOf,
  moveTo,
  openScope,
  pauseRun,
  progress,
  restart,
  resumeRun,
  setPriority,
  start,
  startRun,
  stop,
  succeed,
} from '../support/ask.ts';
import { given, type Lead } from '../support/given.ts';
import { type PlanSpec, planOf, t } from '../support/plan-spec.ts';

/** What comes of a command: a code when it is refused, else the types of its events without `Task` or `Run`. */
function outcomeOf(lead: Lead, ask: Ask): string {
  const { refusal, events } = lead.ask(ask);
  return refusal?.refused ?? events.map(({ type }) => type).join(' ');
}

const SPEC: PlanSpec = {
  name: 'matrix',
  failurePolicy: 'continue',
  tasks: [
    { taskId: 'dep' },
    { ...t('x', 'dep'), retry: { maxAttempts: 3, delay: 100 } },
    // Keeps the run open, whatever becomes of the others.
    { taskId: 'other' },
  ],
};

const READY: readonly Ask[] = [startRun, start('dep'), succeed('dep')];
const RUNNING: readonly Ask[] = [...READY, start('x')];

/** The ways to each status that a task can have. */
const STATUSES = {
  created: [startRun],
  ready: READY,
  in_progress: RUNNING,
  stopping: [...RUNNING, stop('x')],
  retrying: [...RUNNING, fail('x')],
  completed: [...RUNNING, succeed('x')],
  failed: [...RUNNING, fail('x', 1, { retry: false })],
  skipped: [startRun, start('dep'), fail('dep')],
  cancelled: [...READY, cancelTask('x')],
} satisfies Record<string, readonly Ask[]>;

const skip: Ask = { type: 'SkipTask', path: 'x', cause: { kind: 'dependency', path: 'dep' } };

const ILLEGAL = 'TRANSITION_ILLEGAL';
const STALE = 'ATTEMPT_STALE';

/** One line for each command; its outcomes in the order of `STATUSES`. */
const ON_TASKS: readonly (readonly [Ask, ...string[]])[] = [
  //                created     ready          in progress          stopping             retrying           the four ends
  [start('x'), ILLEGAL, 'TaskStarted', ILLEGAL, ILLEGAL, 'TaskStarted', ...four(ILLEGAL)],
  [restart('x'), STALE, STALE, 'TaskRestarted', 'TaskRetryScheduled', STALE, ...four(STALE)],
  [restart('x', 1, 0), STALE, STALE, 'TaskFailed', 'TaskRetryScheduled', STALE, ...four(STALE)],
  [succeed('x'), STALE, STALE, 'TaskCompleted', 'TaskRetryScheduled', STALE, ...four(STALE)],
  [fail('x'), STALE, STALE, 'TaskRetryScheduled', 'TaskRetryScheduled', STALE, ...four(STALE)],
  [stop('x'), STALE, STALE, 'TaskStopRequested', '', STALE, ...four(STALE)],
  [abandon('x'), STALE, STALE, ILLEGAL, 'TaskRetryScheduled', STALE, ...four(STALE)],
  [expire('x'), '', '', '', '', 'TaskFailed', ...four('')],
  [progress('x'), STALE, STALE, 'TaskProgressed', 'TaskProgressed', STALE, ...four(STALE)],
  [condition('x', true), ILLEGAL, ILLEGAL, ILLEGAL, ILLEGAL, ILLEGAL, ...four(ILLEGAL)],
  [
    cancelTask('x'),
    'TaskCancelled',
    'TaskCancelled',
    ...Array(2).fill('TaskStopRequested'),
    'TaskCancelled',
    ...four(ILLEGAL),
  ],
  [
    setPriority('x', 5),
    'TaskPriorityChanged',
    'TaskPriorityChanged',
    ...[ILLEGAL, ILLEGAL],
    'TaskPriorityChanged',
    ...four(ILLEGAL),
  ],
  [skip, ILLEGAL, ILLEGAL, '', '', '', ...four('')],
  [openScope('x'), ILLEGAL, ILLEGAL, ILLEGAL, ILLEGAL, ILLEGAL, ...four(ILLEGAL)],
];

function four(outcome: string): readonly string[] {
  return [outcome, outcome, outcome, outcome];
}

const taskCases = ON_TASKS.flatMap(([ask, ...outcomes]) =>
  Object.entries(STATUSES).map(([status, way], i) => ({
    ask,
    type: ask.type,
    status,
    way,
    outcome: outcomes[i] ?? '?',
  })),
);

describe('a command on a task', () => {
  it.each(taskCases)('$type, when it is $status: "$outcome"', ({ ask, way, outcome }) => {
    expect(outcomeOf(given(planOf(SPEC), ...way), ask)).toBe(outcome);
  });

  it.each(ON_TASKS.map(([ask]) => ask))('$type, when there is no such task', (ask) => {
    const lost = { ...ask, path: 'nowhere' } as Ask;
    given(planOf(SPEC), startRun)
      .when(lost)
      .thenRefused('TASK_NOT_FOUND', /nowhere/);
  });

  it.each(ON_TASKS.map(([ask]) => ask))('$type, when the run was not started', (ask) => {
    given(planOf(SPEC)).when(ask).thenRefused('RUN_NOT_FOUND');
  });

  it.each(ON_TASKS.map(([ask]) => ask))('$type, when the run has ended', (ask) => {
    given(planOf(SPEC), startRun, cancelRun)
      .when(ask)
      .thenRefused('RUN_FINISHED', /cancelled/);
  });

  it.each([
    ['a later attempt', 2],
    ['no attempt', 0],
  ])('a report on %s than the current one is stale', (_what, attempt) => {
    for (const ask of [
      restart('x', attempt),
      succeed('x', attempt),
      fail('x', attempt),
      stop('x', 'timeout', attempt),
      progress('x', attempt),
    ])
      given(planOf(SPEC), ...RUNNING)
        .when(ask)
        .thenRefused(STALE);
  });
});

describe('a command on the condition of a task', () => {
  const spec: PlanSpec = { name: 'asks', tasks: [t('dep'), { ...t('x', 'dep'), when: true }, t('other')] };
  const asked: readonly Ask[] = [startRun, start('dep'), succeed('dep')];

  it.each([
    { status: 'created', way: [startRun], outcome: ILLEGAL },
    { status: 'ready', way: asked, outcome: 'ConditionEvaluated' },
    { status: 'evaluated', way: [...asked, condition('x', true)], outcome: '' },
    { status: 'in progress', way: [...asked, condition('x', true), start('x')], outcome: ILLEGAL },
    { status: 'skipped', way: [...asked, condition('x', false)], outcome: ILLEGAL },
    { status: 'cancelled', way: [...asked, cancelTask('x')], outcome: ILLEGAL },
  ] satisfies { status: string; way: readonly Ask[]; outcome: string }[])(
    'RecordCondition, when it is $status: "$outcome"',
    ({ way, outcome }) => {
      expect(outcomeOf(given(planOf(spec), ...way), condition('x', true))).toBe(outcome);
    },
  );

  it('keeps the task from starting before it was answered', () => {
    given(planOf(spec), ...asked)
      .when(start('x'))
      .thenRefused(ILLEGAL, /before its condition was evaluated/);
  });
});

const halt: Ask = { type: 'HaltRun', reason: failureOf('halt') };
const finish: Ask = { type: 'FinishRun' };
const TWO: PlanSpec = { name: 'two', failurePolicy: 'finish-running', tasks: [t('a'), t('b')] };
const BOTH: readonly Ask[] = [startRun, start('a'), start('b')];

/** The ways to each state that a run can be in. */
const RUNS = {
  'not started': [],
  'in progress': BOTH,
  paused: [...BOTH, pauseRun],
  cancelling: [...BOTH, cancelRun],
  halted: [...BOTH, fail('a')],
  completed: [...BOTH, succeed('a'), succeed('b')],
  failed: [...BOTH, fail('a'), succeed('b')],
  cancelled: [startRun, cancelRun],
} satisfies Record<string, readonly Ask[]>;

const UNKNOWN = 'RUN_NOT_FOUND';
const ENDED = ['RUN_FINISHED', 'RUN_FINISHED', 'RUN_FINISHED'];
const STOPS = 'RunCancelRequested TaskStopRequested';

const ON_RUNS: readonly (readonly [Ask, ...string[]])[] = [
  //         not started              in progress               paused                cancelling  halted
  [startRun, 'RunCreated RunStarted', ILLEGAL, ILLEGAL, ILLEGAL, ILLEGAL, ILLEGAL, ILLEGAL, ILLEGAL],
  [pauseRun, UNKNOWN, 'RunPaused', '', 'RunPaused', 'RunPaused', ...ENDED],
  [resumeRun, UNKNOWN, '', 'RunResumed', '', '', ...ENDED],
  [cancelRun, UNKNOWN, `${STOPS} TaskStopRequested`, `${STOPS} TaskStopRequested`, '', STOPS, ...ENDED],
  [halt, UNKNOWN, ILLEGAL, ILLEGAL, ILLEGAL, '', ...ENDED],
  [moveTo(2), UNKNOWN, ...four('WORKFLOW_NOT_FOUND'), ...ENDED],
  [moveTo(1), UNKNOWN, ...four(''), ...ENDED],
  [finish, UNKNOWN, ILLEGAL, ILLEGAL, ILLEGAL, ILLEGAL, ...ENDED],
];

const runCases = ON_RUNS.flatMap(([ask, ...outcomes]) =>
  Object.entries(RUNS).map(([status, way], i) => ({
    ask,
    type: ask.type,
    status,
    way,
    outcome: outcomes[i] ?? '?',
  })),
);

describe('a command on a run', () => {
  it.each(runCases)('$type, when it is $status: "$outcome"', ({ ask, way, outcome }) => {
    expect(outcomeOf(given(planOf(TWO), ...way), ask)).toBe(outcome);
  });

  it('is in one of the two tables, or is CloseScope (see the tests of scopes)', () => {
    const tested = new Set([...ON_TASKS, ...ON_RUNS].map(([ask]) => ask.type));
    const all: Record<RunCommand['type'], true> = {
      ...{
        StartRun: true,
        StartTask: true,
        RestartTask: true,
        ReportSuccess: true,
        ReportFailure: true,
        StopTask: true,
      },
      ...{
        AbandonTask: true,
        ExpireTask: true,
        RecordCondition: true,
        RecordProgress: true,
        CancelTask: true,
      },
      ...{
        CancelRun: true,
        PauseRun: true,
        ResumeRun: true,
        SetPriority: true,
        OpenScope: true,
        MoveRun: true,
      },
      ...{ SkipTask: true, HaltRun: true, CloseScope: true, FinishRun: true },
    };
    expect(Object.keys(all).filter((type) => !tested.has(type as RunCommand['type']))).toEqual([
      'CloseScope',
    ]);
  });
});
