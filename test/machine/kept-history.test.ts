/** What a new run keeps of an ended one, as a log by itself: moves, child scopes, priorities, conditions, random runs. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RunEvent } from '../../src/machine/events.ts';
import { checkInvariants } from '../../src/machine/invariants.ts';
import { KeptHistory, keptTasks } from '../../src/machine/kept-history.ts';
import { replay } from '../../src/machine/replay.ts';
import { pathIn, type RunState } from '../../src/machine/state.ts';
import { isTerminal, statusName } from '../../src/machine/transitions.ts';
import type { CompiledPlan } from '../../src/model/plan.ts';
import {
  cancelRun,
  condition,
  fail,
  moveTo,
  openScope,
  restart,
  setPriority,
  start,
  startRun,
  succeed,
} from '../support/ask.ts';
import { given, Lead } from '../support/given.ts';
import { toAsk } from '../support/intent.ts';
import { type PlanSpec, planOf, t } from '../support/plan-spec.ts';
import { intents, plans, plansWithScopes } from '../support/random-plans.ts';
import { driveToEnd, recordsOf, World } from '../support/world.ts';

/** The state that a new run begins with, after its log was through JSON. */
function begin(state: RunState, log: readonly RunEvent[], again?: string, plan = state.plan): RunState {
  const kept = new KeptHistory('run-2', state.workflowVersion, keptTasks(state, again));
  for (const event of log) kept.take(event);
  const events = JSON.parse(JSON.stringify(kept.finish())) as RunEvent[];
  const begun = replay('run-2', plan, recordsOf(events));
  expect(checkInvariants(begun)).toEqual([]);
  expect(events.every(({ runId }) => runId === 'run-2')).toBe(true);
  return begun;
}

/** The statuses of the tasks of the workflow, by id. */
function statuses({ scopes }: RunState): Readonly<Record<string, string>> {
  const [root] = scopes;
  return Object.fromEntries(
    (root?.plan.ids ?? []).map((id, i) => [id, statusName(root?.status[i] as number)]),
  );
}

const mixed = (): CompiledPlan =>
  planOf({
    name: 'mixed',
    failurePolicy: 'continue',
    tasks: [
      ...[t('a'), { ...t('b', 'a'), retry: { maxAttempts: 3 } }, t('bad', 'a'), t('below', 'bad')],
      ...[t('after', 'bad?'), { ...t('no', 'a'), when: true }, t('sees', 'no'), t('last', 'below?', 'b')],
    ],
  });

const MIXED = [
  ...[startRun, setPriority('below', 7), start('a'), succeed('a'), start('b'), restart('b'), fail('b')],
  ...[start('b'), succeed('b', 2), start('bad'), fail('bad'), condition('no', false), start('sees')],
  ...[succeed('sees'), start('after'), succeed('after'), start('last'), succeed('last')],
];

describe('what is kept of an ended run', () => {
  it('is what completed on kept ground, and what its own condition skipped', () => {
    const { state, log } = given(mixed(), ...MIXED);
    expect(state.status).toBe('failed');
    expect(statuses(begin(state, log))).toEqual({
      ...{ a: 'completed', b: 'completed', no: 'skipped', sees: 'completed' },
      // What saw the failure would now see something else.
      ...{ bad: 'created', below: 'created', after: 'created', last: 'created' },
    });
  });

  it('has its attempts, restarts and outputs; what is not kept has none, but its priority', () => {
    const { state, log } = given(mixed(), ...MIXED);
    const [root] = begin(state, log).scopes;
    const at = (id: string): number => root?.plan.indexOf.get(id) as number;
    expect([root?.attempts[at('b')], root?.details.get(at('b'))?.restarts]).toEqual([2, 1]);
    expect(root?.outputs[at('b')]).toBe('b:2');
    expect([root?.attempts[at('bad')], root?.details.get(at('bad'))?.failure]).toEqual([0, undefined]);
    expect(root?.details.get(at('below'))?.priority).toBe(7);
  });

  it('is what does not depend on a task that is done again by name', () => {
    const { state, log } = given(mixed(), ...MIXED);
    expect(statuses(begin(state, log, 'b'))).toMatchObject({ a: 'completed', b: 'created', last: 'created' });
    expect(Object.values(statuses(begin(state, log, 'a')))).toEqual(Array(8).fill('created'));
  });

  it('has a failure that is tolerated when a task is done again by name, not when failures are', () => {
    const plan = planOf({ name: 'p', tasks: [t('x'), t('bad'), t('after', 'bad?'), t('y', 'x')] });
    const does = (id: string) => [start(id), succeed(id)];
    const { state, log } = given(
      ...([plan, startRun, start('bad'), fail('bad'), ...does('after'), ...does('x'), ...does('y')] as const),
    );
    expect(state.status).toBe('completed');
    const kept = { x: 'created', y: 'created', bad: 'failed', after: 'completed' };
    expect(statuses(begin(state, log, 'x'))).toEqual(kept);
    expect(statuses(begin(state, log))).toMatchObject({ bad: 'created', after: 'created', x: 'completed' });
  });

  it('of a cancelled run is what had completed', () => {
    const plan = planOf({ name: 'p', tasks: [t('a'), t('b', 'a'), t('c', 'b')] });
    const { state, log } = given(
      plan,
      startRun,
      start('a'),
      succeed('a'),
      start('b'),
      cancelRun,
      succeed('b'),
    );
    expect(state.status).toBe('cancelled');
    const begun = begin(state, log);
    expect(statuses(begun)).toEqual({ a: 'completed', b: 'created', c: 'created' });
    expect(begun.cancelReason).toBeUndefined();
  });

  it('takes child scopes whole, or not at all', () => {
    const page: PlanSpec = {
      name: 'page',
      failurePolicy: 'continue',
      tasks: [t('fetch'), t('parse', 'fetch')],
    };
    const plan = planOf({
      name: 'p',
      failurePolicy: 'continue',
      tasks: [{ ...t('good'), child: page }, { ...t('bad'), child: page }, t('end', 'good')],
    });
    const does = (path: string) => [start(path), succeed(path)];
    const { state, log } = given(
      ...([
        plan,
        startRun,
        start('good'),
        openScope('good[doc-17]'),
        start('bad'),
        openScope('bad[doc-4]'),
      ] as const),
      ...[...does('good[doc-17]/fetch'), start('bad[doc-4]/fetch'), fail('bad[doc-4]/fetch')],
      ...[...does('good[doc-17]/parse'), ...does('end')],
    );
    expect(state.status).toBe('failed');
    const begun = begin(state, log);
    // It did complete, but of outputs that lack what failed.
    expect(statuses(state)).toMatchObject({ bad: 'completed' });
    expect(statuses(begun)).toEqual({ good: 'completed', bad: 'created', end: 'completed' });
    expect(begun.scopes.map(({ prefix }) => prefix)).toEqual(['', 'good[doc-17]']);
    expect(begun.failedPath).toBeUndefined();
  });

  it('of a run that was moved is of the version that it ended with, its attempts counted from the move', () => {
    const first = planOf({ name: 'w', tasks: [t('a'), t('b', 'a'), t('gone'), t('c', 'b')] });
    const second = planOf({ name: 'w', tasks: [t('a'), { ...t('b', 'a'), inputData: 2 }, t('c', 'b')] });
    const lead = new Lead(first, (_, version) => (version === 2 ? second : undefined));
    const does = (id: string, attempt = 1) => [start(id), succeed(id, attempt)];
    const asks = [
      startRun,
      ...does('a'),
      setPriority('c', 5),
      setPriority('gone', 2),
      ...does('b'),
      ...does('gone'),
    ];
    for (const ask of [...asks, moveTo(2), ...does('b', 2), start('c'), fail('c')]) lead.must(ask);
    expect(lead.state.status).toBe('failed');
    const begun = begin(lead.state, lead.log, undefined, second);
    const [root] = begun.scopes;
    expect(begun.workflowVersion).toBe(2);
    expect(statuses(begun)).toEqual({ a: 'completed', b: 'completed', c: 'created' });
    expect([...(root?.attempts ?? [])]).toEqual([1, 1, 0]);
    expect(root?.outputs[1]).toBe('b:2');
    expect(root?.details.get(2)?.priority).toBe(5);
  });
});

describe.each([
  { what: 'random plans', specs: plans() },
  { what: 'random plans with child scopes', specs: plansWithScopes() },
])('what is kept of $what', ({ specs }) => {
  it('replays, and goes on to an end; what is kept does not start again and nothing else is kept', () => {
    const numbers = fc.array(fc.nat(1_000), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(specs, intents, numbers, fc.option(fc.nat(20)), (spec, list, drawn, pick) => {
        const plan = planOf(spec);
        const world = new World(plan);
        world.ask(startRun);
        for (const intent of list) world.ask(toAsk(world.state, intent));
        let next = 0;
        const choose = (): number => drawn[next++ % drawn.length] as number;
        driveToEnd(world, choose);

        if (pick === null && world.state.status === 'completed') return;
        if (plan.size === 0) return;
        const again = pick === null ? undefined : plan.ids[pick % plan.size];
        const kept = keptTasks(world.state, again);
        const history = new KeptHistory('run-1', 1, kept);
        for (const event of world.log) history.take(event);
        const second = new World(plan);
        second.log.push(...(JSON.parse(JSON.stringify(history.finish())) as RunEvent[]));
        second.crash();
        expect(checkInvariants(second.state)).toEqual([]);
        const [root] = second.state.scopes;
        for (let i = 0; i < plan.size; i++) {
          const id = plan.ids[i] as string;
          expect(isTerminal(root?.status[i] as number), id).toBe(kept.has(id));
          if (!kept.has(id)) expect(root?.attempts[i], id).toBe(0);
        }
        for (const scope of second.state.scopes)
          if (scope.parent !== undefined)
            expect(kept.has(pathIn(scope, 0).split(/[/[#]/)[0] as string) || scope.plan.size === 0).toBe(
              true,
            );
        const before = second.log.length;
        driveToEnd(second, choose);
        const started = second.log.slice(before).filter(({ type }) => type === 'TaskStarted');
        for (const event of started) expect(kept.has('path' in event ? event.path : '')).toBe(false);
      }),
      { numRuns: 150 },
    );
  });
});
