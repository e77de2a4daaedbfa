import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RunEvent } from '../../src/machine/events.ts';
import { checkInvariants } from '../../src/machine/invariants.ts';
import { replay } from '../../src/machine/replay.ts';
import { restore, snapshotOf } from '../../src/machine/snapshot.ts';
import type { PlanOf } from '../../src/machine/state.ts';
import { isTerminal } from '../../src/machine/transitions.ts';
import {
  cancelRun,
  condition,
  fail,
  moveTo,
  pauseRun,
  resumeRun,
  start,
  startRun,
  succeed,
} from '../support/ask.ts';
import { printState } from '../support/dump-state.ts';
import { Lead } from '../support/given.ts';
import { toAsk } from '../support/intent.ts';
import { type PlanSpec, planOf, type TaskSpec, t, versionsOf } from '../support/plan-spec.ts';
import { intents, plans } from '../support/random-plans.ts';
import { driveToEnd, recordsOf, World } from '../support/world.ts';

const does = (path: string, attempt = 1) => [start(path), succeed(path, attempt)];

function spec(...tasks: readonly TaskSpec[]): PlanSpec {
  return { name: 'w', failurePolicy: 'continue', tasks };
}

/** A run of the first of these versions. */
function givenVersions(first: PlanSpec, ...later: readonly PlanSpec[]): Lead {
  const plan = planOf(first);
  return new Lead(plan, versionsOf(plan, later));
}

const changed = (one: TaskSpec): TaskSpec => ({ ...one, inputData: 'changed' });

describe('a move', () => {
  it('keeps what has not changed, runs again what has, with all that depends on it, and starts what is new', () => {
    const lead = givenVersions(
      spec(t('a'), t('b', 'a'), t('c', 'b'), t('d', 'a')),
      spec(t('a'), changed(t('b', 'a')), t('c', 'b'), t('d', 'a'), t('e', 'a')),
    );
    for (const ask of [startRun, ...does('a'), ...does('b'), ...does('c')]) lead.must(ask);
    lead
      .when(moveTo(2))
      .thenEvents([
        'RunMoved',
        { workflowVersion: 2, fromVersion: 1, again: ['b', 'c'], added: ['e'], removed: [] },
      ])
      .instructs('Replan', 'Schedule b', 'Schedule d', 'Schedule e');
    // Attempts go on counting, so that whatever still reports on an old one is late.
    lead.when(succeed('b', 1)).thenRefused('ATTEMPT_STALE');
    lead.when(start('b')).thenEvents(['TaskStarted', { path: 'b', attempt: 2 }]);
  });

  it('counts retries of what begins anew from the beginning', () => {
    const retried = { ...t('a'), retry: { maxAttempts: 2, delay: 100 } };
    const lead = givenVersions(spec(retried, t('z')), spec(changed(retried), t('z')));
    for (const ask of [startRun, start('a'), fail('a'), start('a'), fail('a', 2), moveTo(2), start('a')])
      lead.must(ask);
    expect(lead.must(fail('a', 3)).events).toMatchObject([{ type: 'TaskRetryScheduled', attempt: 3 }]);
  });

  it.each([
    ['changes', spec(changed(t('a')), t('b')), /"a" is in progress, and changes/],
    ['is removed', spec(t('b')), /"a" is in progress, and is removed/],
  ])('is refused while a task is in progress that %s, and changes nothing', (_what, second, message) => {
    const lead = givenVersions(spec(t('a'), t('b')), second);
    for (const ask of [startRun, start('a')]) lead.must(ask);
    lead.when(moveTo(2)).thenRefused('RUN_MOVE_REFUSED', message);
    lead.must(succeed('a'));
    lead.must(moveTo(2));
  });

  it('lets go on what is in progress and has not changed, at its new place', () => {
    const lead = givenVersions(spec(t('a'), t('b')), spec(t('new'), t('b'), t('a')));
    for (const ask of [startRun, start('a'), moveTo(2)]) lead.must(ask);
    lead.when(succeed('a')).thenEvents(['TaskCompleted', { path: 'a', attempt: 1, output: 'a:1' }]);
  });

  it.each([['is being cancelled', [startRun, start('a'), cancelRun], /is being cancelled/]])(
    'is refused of a run that %s',
    (_what, way, message) => {
      const lead = givenVersions(spec(t('a'), t('b')), spec(t('a'), t('c')));
      for (const ask of way) lead.must(ask);
      lead.when(moveTo(2)).thenRefused('RUN_MOVE_REFUSED', message);
    },
  );

  it('is refused of a run that ends because of a failure', () => {
    const lead = givenVersions(
      { ...spec(t('a'), t('b')), failurePolicy: 'finish-running' },
      { ...spec(t('a'), t('c')), failurePolicy: 'finish-running' },
    );
    for (const ask of [startRun, start('a'), start('b'), fail('a')]) lead.must(ask);
    lead.when(moveTo(2)).thenRefused('RUN_MOVE_REFUSED', /is ending/);
  });

  it('names what is not known: a version, a task to begin anew', () => {
    const lead = givenVersions(spec(t('a')), spec(t('a')));
    lead.must(startRun);
    lead.when(moveTo(3)).thenRefused('WORKFLOW_NOT_FOUND', /version 3/);
    lead.when(moveTo(2, 'b')).thenRefused('TASK_NOT_FOUND', /"b"/);
    lead.when(moveTo(1)).thenNothing();
  });

  it('lets tasks begin anew although nothing has changed', () => {
    const lead = givenVersions(spec(t('a'), t('b', 'a'), t('c')));
    for (const ask of [startRun, ...does('a'), ...does('b')]) lead.must(ask);
    lead
      .when(moveTo(1, 'a'))
      .thenEvents([
        'RunMoved',
        { workflowVersion: 1, fromVersion: 1, again: ['a', 'b'], added: [], removed: [] },
      ]);
  });

  it('takes the failure of a task away that begins anew or is gone', () => {
    const lead = givenVersions(spec(t('a'), t('b')), spec(changed(t('a')), t('b')), spec(t('b')));
    for (const ask of [startRun, start('a'), fail('a'), moveTo(2)]) lead.must(ask);
    expect(lead.state.failedPath).toBeUndefined();
    for (const ask of [start('a'), fail('a', 2), moveTo(3)]) lead.must(ask);
    expect(lead.state.failedPath).toBeUndefined();
    lead.must(start('b'));
    expect(lead.must(succeed('b')).events.at(-1)?.type).toBe('RunCompleted');
  });

  it('skips what is new below a task that has failed, and ends the run when nothing is left to do', () => {
    const lead = givenVersions(spec(t('a'), t('b')), spec(t('a'), t('c', 'a'), t('d', 'c')));
    for (const ask of [startRun, start('a'), fail('a')]) lead.must(ask);
    const { events } = lead.must(moveTo(2));
    expect(events.map(({ type }) => type)).toEqual(['RunMoved', 'TaskSkipped', 'TaskSkipped', 'RunFailed']);
  });

  it('asks a condition again if its task has changed, and keeps its answer if not', () => {
    const when = { ...t('a'), when: true };
    const lead = givenVersions(spec(when, t('b')), spec(changed(when), t('b')), spec(changed(when), t('c')));
    for (const ask of [startRun, condition('a', true)]) lead.must(ask);
    expect(
      lead.when(moveTo(2)).instructs('Replan', 'EvaluateCondition a', 'Schedule b').answer.events,
    ).toHaveLength(1);
    lead.must(condition('a', true));
    lead.when(moveTo(3)).instructs('Replan', 'Schedule a', 'Schedule c');
  });

  it('leaves a paused run paused, and a retry waiting for its time', () => {
    const retried = { ...t('a'), retry: { maxAttempts: 3, delay: 500 } };
    const lead = givenVersions(spec(retried, t('b')), spec(t('c'), retried));
    for (const ask of [startRun, start('a'), fail('a'), pauseRun]) lead.must(ask);
    lead.when(moveTo(2)).instructs('Replan', 'Schedule c', 'RetryAt a 1520');
    expect(lead.state.status).toBe('paused');
    lead.must(resumeRun);
  });
});

/** A version like another one, in which some tasks are gone, some have changed and some are new. */
function editOf(first: PlanSpec, edits: readonly number[]): PlanSpec {
  const gone = new Set(first.tasks.filter((_, i) => edits[i] === 1).map(({ taskId }) => taskId));
  const kept = first.tasks
    .filter(({ taskId }) => !gone.has(taskId))
    .map((one): TaskSpec => {
      const dependencies = (one.dependencies ?? []).filter(({ taskId }) => !gone.has(taskId));
      return { ...one, dependencies };
    })
    .map((one, i) => (edits[i] === 2 ? changed(one) : one));
  const added = kept
    .filter((_, i) => edits[i] === 3)
    .map((one): TaskSpec => ({ taskId: `new-${one.taskId}`, dependencies: [{ taskId: one.taskId }] }));
  return { ...first, tasks: [...added, ...kept] };
}

const edits = fc.array(fc.nat(5), { minLength: 1, maxLength: 12 });

describe('random runs that are moved forth and back at random times', () => {
  const draw = fc.record({
    first: plans(),
    edits: fc.tuple(edits, edits),
    list: intents,
    moves: fc.array(fc.record({ at: fc.nat(15), to: fc.constantFrom(1, 2, 3) }), { maxLength: 5 }),
    numbers: fc.array(fc.nat(1_000), { minLength: 1, maxLength: 40 }),
  });

  it('keep every invariant, replay to the live state at every index, and end (I1, I10, I11, I15, I16)', () => {
    let carriedOut = 0;
    fc.assert(
      fc.property(draw, ({ first, edits, list, moves, numbers }) => {
        const plan = planOf(first);
        const planOfVersion: PlanOf = versionsOf(
          plan,
          edits.map((edit) => editOf(first, edit)),
        );
        const world = new World(plan, planOfVersion);
        const states: { seq: number; printed: string }[] = [];
        const look = (): void => {
          expect(checkInvariants(world.state)).toEqual([]);
          states.push({ seq: world.state.seq, printed: printState(world.state) });
        };
        world.ask(startRun);
        list.forEach((intent, i) => {
          for (const { at, to } of moves) {
            if (at !== i) continue;
            const before = outputsOf(world);
            const { events } = world.ask(moveTo(to));
            const [event] = events;
            if (event?.type === 'RunMoved') {
              carriedOut++;
              expectKept(before, world, event);
            }
            look();
          }
          world.at += intent.later;
          world.ask(toAsk(world.state, intent));
          look();
        });
        const records = recordsOf(JSON.parse(JSON.stringify(world.log)) as RunEvent[]);
        for (const { seq, printed } of states)
          expect(printState(replay('run-1', plan, records.slice(0, seq), planOfVersion))).toBe(printed);
        const copy = JSON.parse(JSON.stringify(snapshotOf(world.state))) as unknown;
        expect(printState(restore(copy, plan, undefined, planOfVersion))).toBe(printState(world.state));
        let next = 0;
        driveToEnd(world, () => numbers[next++ % numbers.length] as number);
        expect(world.ends).toBe(1);
      }),
      { numRuns: 400 },
    );
    expect(carriedOut).toBeGreaterThan(100);
  });
});

/** The outputs of the tasks that have completed. */
function outputsOf({ state }: World): ReadonlyMap<string, unknown> {
  const [root] = state.scopes;
  const outputs = new Map<string, unknown>();
  root?.plan.ids.forEach((id, i) => {
    if (isTerminal(root.status[i] as number) && i in root.outputs) outputs.set(id, root.outputs[i]);
  });
  return outputs;
}

/** What was completed is there as it was, unless the event says that it is not. */
function expectKept(before: ReadonlyMap<string, unknown>, world: World, event: RunEvent): void {
  if (event.type !== 'RunMoved') return;
  const after = outputsOf(world);
  for (const [id, output] of before) {
    const isDropped = event.again.includes(id) || event.removed.includes(id);
    expect([id, after.get(id)]).toEqual([id, isDropped ? undefined : output]);
  }
}
