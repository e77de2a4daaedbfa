import { describe, expect, it } from 'vitest';
import type { RunEvent } from '../../src/machine/events.ts';
import { replay } from '../../src/machine/replay.ts';
import { formatPath, parsePath } from '../../src/model/path.ts';
import {
  type Ask,
  abandon,
  cancelRun,
  cancelTask,
  condition,
  fail,
  openScope,
  pauseRun,
  progress,
  start,
  startRun,
  stop,
  succeed,
} from '../support/ask.ts';
import { printState } from '../support/dump-state.ts';
import { bare, given, type Lead } from '../support/given.ts';
import { type PlanSpec, planOf, t } from '../support/plan-spec.ts';
import { recordsOf, World } from '../support/world.ts';

const page: PlanSpec = { name: 'page', tasks: [t('fetch'), t('parse', 'fetch')] };
const draft: PlanSpec = { name: 'draft', tasks: [t('write')] };
const round: PlanSpec = { name: 'round', tasks: [{ ...t('review'), child: draft }] };
const SPEC: PlanSpec = {
  name: 'report',
  tasks: [
    { ...t('pages'), child: page },
    { ...t('review', 'pages'), child: draft },
    { ...t('deep', 'review'), child: round },
    t('end', 'deep'),
  ],
};

const does = (path: string): readonly Ask[] => [start(path), succeed(path)];

const PAGES: readonly Ask[] = [
  ...[startRun, start('pages'), openScope('pages[doc-17]'), openScope('pages[doc-4]')],
  ...[...does('pages[doc-17]/fetch'), ...does('pages[doc-4]/fetch')],
  ...[...does('pages[doc-4]/parse'), ...does('pages[doc-17]/parse')],
];
const ALL: readonly Ask[] = [
  ...[...PAGES, start('review'), openScope('review#3'), ...does('review#3/write')],
  ...[
    start('deep'),
    openScope('deep'),
    start('deep/review'),
    openScope('deep/review#3'),
    ...does('deep/review#3/write'),
  ],
  ...does('end'),
];

function lastOf(lead: Lead, type: RunEvent['type'], path: string): object | undefined {
  const event = lead.log.findLast((one) => one.type === type && 'path' in one && one.path === path);
  return event === undefined ? undefined : bare(event);
}

describe('child scopes', () => {
  it('run items, iterations and scopes in scopes, and fold them to the outputs of their tasks', () => {
    const lead = given(planOf(SPEC), ...ALL);
    expect(lead.state.status).toBe('completed');
    const outputs = Object.fromEntries(
      ['pages', 'review', 'deep'].map((path) => [
        path,
        (lastOf(lead, 'TaskCompleted', path) as { output: unknown }).output,
      ]),
    );
    const doc = (name: string) => ({ fetch: `pages[${name}]/fetch:1`, parse: `pages[${name}]/parse:1` });
    expect(outputs).toEqual({
      pages: { 'doc-4': doc('doc-4'), 'doc-17': doc('doc-17') },
      review: { 3: { write: 'review#3/write:1' } },
      deep: { review: { 3: { write: 'deep/review#3/write:1' } } },
    });
  });

  it('need no event of another shape than that of root tasks', () => {
    const shapes = new Map<string, Set<string>>();
    for (const event of given(planOf(SPEC), ...ALL).log) {
      const place = 'path' in event && event.path.includes('/') ? 'child' : 'root';
      const key = `${place} ${event.type}`;
      const shape = Object.entries(event).map(([name, value]) => `${name}: ${typeof value}`);
      shapes.set(key, (shapes.get(key) ?? new Set()).add(shape.join(', ')));
    }
    for (const type of ['TaskStarted', 'ScopeOpened', 'ScopeClosed'])
      expect(shapes.get(`child ${type}`)).toEqual(shapes.get(`root ${type}`));
    // The output of a task is anything; all else is alike.
    const completed = [
      ...(shapes.get('root TaskCompleted') ?? []),
      ...(shapes.get('child TaskCompleted') ?? []),
    ];
    expect(new Set(completed.map((shape) => shape.replace(/output: \w+/, 'output')))).toHaveProperty(
      'size',
      1,
    );
  });

  it('are told from each other by paths that can be taken apart and put together', () => {
    const paths = given(planOf(SPEC), ...ALL).log.flatMap((event) => ('path' in event ? [event.path] : []));
    for (const path of paths) expect(formatPath(parsePath(path) ?? [])).toBe(path);
    expect(paths).toEqual(
      expect.arrayContaining(['pages[doc-17]/parse', 'review#3/write', 'deep/review#3/write']),
    );
    expect(parsePath('pages[doc-17]/parse')).toEqual([
      { taskId: 'pages', item: 'doc-17' },
      { taskId: 'parse' },
    ]);
  });

  it('are scheduled when they are opened, and resumed after a replay (I15, I16)', () => {
    const world = new World(planOf(SPEC));
    for (const ask of ALL) {
      expect(world.ask(ask).refusal).toBeUndefined();
      const printed = printState(world.state);
      expect(printState(replay('run-1', planOf(SPEC), recordsOf(world.log)))).toBe(printed);
      const live = world.open();
      world.crash();
      expect(world.open()).toEqual(live);
    }
  });

  it('give their tasks no path in common with those of other scopes', () => {
    const lead = given(
      planOf(SPEC),
      startRun,
      start('pages'),
      openScope('pages[doc-17]'),
      openScope('pages[doc-4]'),
    );
    lead.when(start('pages[doc-17]/fetch')).instructs('Dispatch pages[doc-17]/fetch 1');
    lead.when(start('pages[doc-4]/fetch')).instructs('Dispatch pages[doc-4]/fetch 1');
    lead.when(start('pages[doc-5]/fetch')).thenRefused('TASK_NOT_FOUND');
    lead.when(start('fetch')).thenRefused('TASK_NOT_FOUND');
  });

  it('without tasks are folded at once', () => {
    const empty = planOf({ name: 'empty', tasks: [{ ...t('a'), child: { name: 'none', tasks: [] } }] });
    given(empty, startRun, start('a'))
      .when(openScope('a[x]'))
      .thenEvents(
        ['ScopeOpened', { path: 'a[x]' }],
        ['ScopeClosed', { path: 'a[x]', outputs: {} }],
        ['TaskCompleted', { path: 'a', attempt: 1, output: { x: {} } }],
        ['RunCompleted'],
      );
  });

  it('keep ids such as __proto__ apart from what objects have by nature', () => {
    const odd = planOf({
      name: 'odd',
      tasks: [{ ...t('a'), child: { name: 'one', tasks: [t('__proto__')] } }],
    });
    const lead = given(
      odd,
      startRun,
      start('a'),
      openScope('a[__proto__]'),
      ...does('a[__proto__]/__proto__'),
    );
    const { output } = lastOf(lead, 'TaskCompleted', 'a') as { output: object };
    expect(JSON.stringify(output)).toBe('{"__proto__":{"__proto__":"a[__proto__]/__proto__:1"}}');
  });
});

describe('a child scope is refused', () => {
  const open = [startRun, start('pages')];

  it.each([
    ['for a task that has no plan of its own', [...ALL.slice(0, -1)], 'end', 'TRANSITION_ILLEGAL'],
    ['for a task that has not started', [startRun], 'pages', 'TRANSITION_ILLEGAL'],
    ['when it was opened before', [...open, openScope('pages[a]')], 'pages[a]', 'TRANSITION_ILLEGAL'],
    ['for an unknown task', open, 'sheets[a]', 'TASK_NOT_FOUND'],
    ['in an unknown scope', open, 'pages[a]/fetch', 'TASK_NOT_FOUND'],
    ['at a path that is none', open, 'pages[a', 'TASK_NOT_FOUND'],
    ['at an item with a slash', open, 'pages[a/b]', 'TASK_NOT_FOUND'],
    ['when the task was told to stop', [...open, stop('pages')], 'pages[a]', 'TRANSITION_ILLEGAL'],
    ['when the run was cancelled', [...open, cancelRun], 'pages[a]', 'TRANSITION_ILLEGAL'],
  ] as const)('%s', (_why, way, path, code) => {
    given(planOf(SPEC), ...way)
      .when(openScope(path))
      .thenRefused(code);
  });

  it('to be folded while it has open tasks, or when it is none', () => {
    const lead = given(planOf(SPEC), ...open, openScope('pages[a]'));
    lead.when({ type: 'CloseScope', path: 'pages[a]' }).thenRefused('TRANSITION_ILLEGAL');
    lead.when({ type: 'CloseScope', path: 'pages[b]' }).thenRefused('TRANSITION_ILLEGAL');
  });
});

describe('a task whose child scopes are open', () => {
  const open = [startRun, start('pages'), openScope('pages[a]'), openScope('pages[b]')];

  it.each([
    succeed('pages'),
    fail('pages'),
    stop('pages'),
    abandon('pages'),
    progress('pages'),
    cancelTask('pages'),
  ])('has no body: $type is refused', (ask) => {
    given(planOf(SPEC), ...open)
      .when(ask)
      .thenRefused('TRANSITION_ILLEGAL', /child scopes are open/);
  });

  it('ends with its run when that is cancelled, whatever its scopes have done', () => {
    const lead = given(planOf(SPEC), ...open, start('pages[a]/fetch'));
    lead.must(cancelRun);
    lead.must(succeed('pages[a]/fetch'));
    expect(lead.state.status).toBe('cancelled');
    expect(lastOf(lead, 'TaskCancelled', 'pages')).toMatchObject({ cause: 'run_cancelled' });
    expect(lead.log.filter(({ type }) => type === 'ScopeClosed')).toHaveLength(2);
  });

  it('is folded once although several of its tasks end in one decision', () => {
    const { events } = given(planOf(SPEC), ...open, pauseRun).must(cancelRun);
    const closed = events.flatMap((event) => (event.type === 'ScopeClosed' ? [event.path] : []));
    expect(closed).toEqual(['pages[a]', 'pages[b]']);
  });

  it('is cancelled when a task in its scopes fails the run', () => {
    const lead = given(planOf(SPEC), ...open, start('pages[a]/fetch'));
    lead.must(fail('pages[a]/fetch'));
    expect(lead.state).toMatchObject({ status: 'failed', failedPath: 'pages[a]/fetch' });
    expect(lastOf(lead, 'TaskCancelled', 'pages')).toMatchObject({ cause: 'run_failed' });
  });

  it('completes with what its scopes have, when failures in them are tolerated', () => {
    const child: PlanSpec = { name: 'child', tasks: [t('x'), t('y', 'x?'), { ...t('z'), when: true }] };
    const lead = given(
      planOf({ name: 'root', tasks: [{ ...t('a'), child }] }),
      ...[
        startRun,
        start('a'),
        openScope('a'),
        start('a/x'),
        fail('a/x'),
        ...does('a/y'),
        condition('a/z', false),
      ],
    );
    expect(lastOf(lead, 'TaskCompleted', 'a')).toMatchObject({ output: { y: 'a/y:1' } });
    expect(lead.state.status).toBe('completed');
  });
});
