/** The runs whose logs are kept in `golden/`: one for each way in which a run can go. */
import {
  type Ask,
  abandon,
  brokenCondition,
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
import { type PlanSpec, t } from '../support/plan-spec.ts';

export interface Scenario {
  readonly name: string;
  readonly plan: PlanSpec;
  /** The versions from the second on, if it is moved. */
  readonly versions?: readonly PlanSpec[];
  readonly asks: readonly Ask[];
}

/** A command at a time of its own; those after it follow from there. */
const at = (time: number, ask: Ask): Ask => ({ ...ask, at: time });

const does = (path: string): readonly Ask[] => [start(path), succeed(path)];

const success: Scenario = {
  name: 'success',
  plan: {
    name: 'report',
    tasks: [
      t('search'),
      t('parse', 'search'),
      { ...t('write', 'parse', 'search'), priority: 10 },
      t('log', 'write'),
    ],
  },
  asks: [
    { ...startRun, input: { topic: 'tides', ключ: ['ю', 1.5, null] }, priority: 3, key: 'daily' } as Ask,
    ...[start('search'), progress('search'), succeed('search', 1, { hits: ['a', 'b'] })],
    ...[pauseRun, setPriority('parse', 7), resumeRun],
    ...[...does('parse'), start('write'), succeed('write', 1, undefined), ...does('log')],
  ],
};

const slow = { retry: { maxAttempts: 3, delay: 100, factor: 3 }, timeout: 500, totalTimeout: 60_000 };

const retries: Scenario = {
  name: 'retries',
  plan: {
    name: 'retries',
    tasks: [
      { ...t('fetch'), ...slow },
      { ...t('store', 'fetch'), ...slow },
      { ...t('late', 'store?'), ...slow },
    ],
  },
  asks: [
    startRun,
    ...[start('fetch'), fail('fetch'), at(1_200, start('fetch')), at(1_700, stop('fetch', 'timeout', 2))],
    ...[at(6_700, abandon('fetch', 2)), at(7_000, start('fetch')), succeed('fetch', 3)],
    ...[start('store'), stop('store', 'heartbeat'), fail('store'), at(7_200, start('store'))],
    ...[stop('store', 'total_timeout', 2), succeed('store', 2)],
    start('late'),
    fail('late', 1, { failure: failureOf('first', { cause: failureOf('below'), code: 'E_X' }) }),
    expire('late'),
  ],
};

const failFast: Scenario = {
  name: 'fail-fast',
  plan: {
    name: 'fail-fast',
    failurePolicy: 'fail-fast',
    tasks: [
      t('a'),
      t('b'),
      t('c', 'a'),
      t('d', 'c'),
      t('e'),
      t('f'),
      { ...t('g'), retry: { maxAttempts: 2 } },
    ],
  },
  asks: [
    ...[startRun, start('a'), start('b'), start('e'), start('g'), fail('g', 1)],
    ...[
      fail('a', 1, { failure: failureOf('broke', { retryable: false, thrown: 'broke' }) }),
      succeed('b'),
      abandon('e'),
    ],
  ],
};

const goesOn: Scenario = {
  name: 'continue-with-skips',
  plan: {
    name: 'continue',
    failurePolicy: 'continue',
    tasks: [t('a'), t('b'), t('c', 'a', 'b'), t('d', 'c'), t('e', 'b'), t('f', 'd?', 'e'), t('g')],
  },
  asks: [
    startRun,
    start('a'),
    start('b'),
    fail('a'),
    succeed('b'),
    cancelTask('g'),
    ...does('e'),
    ...does('f'),
  ],
};

const cancelled: Scenario = {
  name: 'cancel',
  plan: { name: 'cancel', tasks: [t('a'), t('b'), t('c', 'a'), { ...t('d'), retry: { maxAttempts: 2 } }] },
  asks: [
    ...[startRun, start('a'), start('b'), start('d'), fail('d'), cancelTask('b'), cancelRun],
    ...[succeed('a'), abandon('b')],
  ],
};

const finishRunning: Scenario = {
  name: 'finish-running',
  plan: {
    name: 'finish-running',
    failurePolicy: 'finish-running',
    tasks: [t('a'), t('b'), t('c', 'b'), t('d')],
  },
  asks: [startRun, start('a'), start('b'), fail('a'), succeed('b')],
};

const conditions: Scenario = {
  name: 'conditions-and-settled',
  plan: {
    name: 'conditions',
    tasks: [
      ...[t('a'), { ...t('yes', 'a'), when: true }, { ...t('no', 'a'), when: true }],
      ...[
        { ...t('broken', 'a'), when: true },
        t('after', 'yes', 'no'),
        t('whatever', 'broken?', 'fails?'),
        t('fails'),
      ],
    ],
  },
  asks: [
    ...[startRun, ...does('a'), condition('yes', true), condition('no', false), brokenCondition('broken')],
    ...[...does('yes'), start('fails'), fail('fails'), ...does('after'), ...does('whatever')],
  ],
};

const page: PlanSpec = { name: 'page', tasks: [t('fetch'), t('parse', 'fetch')] };
const draft: PlanSpec = { name: 'draft', tasks: [t('write')] };

const scopes: Scenario = {
  name: 'scopes',
  plan: {
    name: 'scopes',
    tasks: [
      ...[
        { ...t('pages'), child: page },
        { ...t('review', 'pages'), child: draft },
      ],
      { ...t('deep', 'review'), child: { name: 'round', tasks: [{ ...t('review'), child: draft }] } },
    ],
  },
  asks: [
    ...[startRun, start('pages'), openScope('pages[doc-17]'), openScope('pages[doc-4]')],
    ...[...does('pages[doc-17]/fetch'), ...does('pages[doc-4]/fetch')],
    ...[...does('pages[doc-4]/parse'), ...does('pages[doc-17]/parse')],
    ...[start('review'), openScope('review#3'), ...does('review#3/write')],
    ...[start('deep'), openScope('deep'), start('deep/review'), openScope('deep/review#3')],
    ...does('deep/review#3/write'),
  ],
};

/** `moved.json` is of the time when a task that came back counted its attempts from 0 again. */
const moved: Scenario = {
  name: 'moved-back',
  plan: {
    name: 'moved',
    failurePolicy: 'continue',
    tasks: [t('a'), t('b', 'a'), { ...t('c', 'b'), retry: { maxAttempts: 2 } }, t('gone'), t('x')],
  },
  versions: [
    {
      name: 'moved',
      failurePolicy: 'continue',
      tasks: [t('a'), { ...t('b', 'a'), inputData: 2 }, t('c', 'b'), t('new', 'a'), t('below', 'x'), t('x')],
    },
  ],
  asks: [
    ...[
      startRun,
      ...does('a'),
      ...does('b'),
      start('c'),
      fail('c', 1, { retry: true }),
      start('gone'),
      fail('gone'),
      start('x'),
      fail('x'),
    ],
    ...[moveTo(2), ...does('new'), start('b'), succeed('b', 2)],
    ...[moveTo(2, 'b'), start('b'), succeed('b', 3)],
    ...[moveTo(1), start('b'), succeed('b', 4), start('c'), succeed('c', 2)],
    ...[start('gone'), succeed('gone', 2)],
  ],
};

const restarts: Scenario = {
  name: 'restarts',
  plan: {
    name: 'restarts',
    failurePolicy: 'continue',
    tasks: [t('a'), { ...t('b', 'a'), ...slow }, { ...t('c'), retry: { maxAttempts: 3 } }, t('d', 'c?')],
  },
  asks: [
    ...[startRun, start('a'), restart('a'), restart('a'), start('c'), restart('c', 1, 1), succeed('a')],
    ...[start('b'), restart('b'), fail('b'), start('b'), restart('b', 2), succeed('b', 2)],
    ...[restart('c', 1, 1), ...does('d')],
  ],
};

export const SCENARIOS: readonly Scenario[] = [
  ...[success, retries, failFast, goesOn, cancelled, finishRunning, conditions, scopes, moved],
  restarts,
];
