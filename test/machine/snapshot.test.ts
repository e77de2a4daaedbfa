import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RunEvent } from '../../src/machine/events.ts';
import { evolve } from '../../src/machine/evolve.ts';
import { continuesStep } from '../../src/machine/fork-point.ts';
import { checkInvariants } from '../../src/machine/invariants.ts';
import { resume } from '../../src/machine/react.ts';
import { replay, upcast } from '../../src/machine/replay.ts';
import { restore, type StateSnapshot, snapshotOf } from '../../src/machine/snapshot.ts';
import { initialState, type RunState } from '../../src/machine/state.ts';
import { fail, start, startRun, succeed } from '../support/ask.ts';
import { dumpState, printState } from '../support/dump-state.ts';
import { given } from '../support/given.ts';
import { toAsk } from '../support/intent.ts';
import { type PlanSpec, plan, planOf, t } from '../support/plan-spec.ts';
import { type Intent, intents, plans, plansWithScopes } from '../support/random-plans.ts';
import { driveToEnd, recordsOf, World } from '../support/world.ts';

const RUNS = { numRuns: 120 };
/** Commands that only the machine gives, within the step of another one; as a step of their own they part nothing. */
const INNER: ReadonlySet<string> = new Set(['SkipTask', 'CloseScope', 'HaltRun', 'FinishRun']);
const choices = fc.array(fc.nat(1_000), { minLength: 1, maxLength: 40 });

/** A run to which intents were given and that was then led to its end, with the `seq` behind each step. */
function tell(spec: PlanSpec, list: readonly Intent[], numbers: readonly number[]) {
  const world = new World(planOf(spec));
  const steps: number[] = [];
  const ask = world.ask.bind(world);
  world.ask = (one) => {
    const told = ask(one);
    if (told.events.length > 0) steps.push(world.state.seq);
    return told;
  };
  world.ask(startRun);
  for (const intent of list) {
    world.at += intent.later;
    world.ask(toAsk(world.state, intent));
  }
  let next = 0;
  driveToEnd(world, () => numbers[next++ % numbers.length] ?? 1);
  return { world, log: world.log, steps };
}

/** Everything that is to be done, without the objects of the state. */
function openOf(state: RunState): unknown {
  return resume(state).map((instruction) =>
    'scope' in instruction ? { ...instruction, scope: instruction.scope.prefix } : instruction,
  );
}

function throughJson(snapshot: StateSnapshot): unknown {
  return JSON.parse(JSON.stringify(snapshot));
}

describe.each([
  { what: 'random plans', specs: plans() },
  { what: 'random plans with child scopes', specs: plansWithScopes() },
])('snapshots of $what', ({ specs }) => {
  it('give back the replay at every index: outputs, times that are due, child scopes and all', () => {
    fc.assert(
      fc.property(specs, intents, choices, (spec, list, numbers) => {
        const { log } = tell(spec, list, numbers);
        const state = initialState('run-1', planOf(spec));
        for (const event of log) {
          evolve(state, event);
          const restored = restore(throughJson(snapshotOf(state)), planOf(spec));
          expect(dumpState(restored)).toEqual(dumpState(state));
          expect(checkInvariants(restored)).toEqual(checkInvariants(state));
          expect(openOf(restored)).toEqual(openOf(state));
        }
      }),
      RUNS,
    );
  });

  it('and the tail of the log lead where the whole log leads, and change no snapshot by it', () => {
    fc.assert(
      fc.property(specs, intents, choices, fc.nat(1_000), (spec, list, numbers, cut) => {
        const { log, world } = tell(spec, list, numbers);
        const records = recordsOf(log);
        const at = cut % records.length;
        const middle = replay('run-1', planOf(spec), records.slice(0, at));
        const snapshot = snapshotOf(middle);
        const before = JSON.stringify(snapshot);
        const restored = restore(snapshot, planOf(spec));
        for (const record of records.slice(at)) evolve(restored, upcast(record));
        expect(printState(restored)).toBe(printState(world.state));
        for (const record of records.slice(at)) evolve(middle, upcast(record));
        expect(JSON.stringify(snapshot)).toBe(before);
      }),
      RUNS,
    );
  });

  it('can be cut behind every step that somebody asked for, and nowhere else', () => {
    fc.assert(
      fc.property(specs, intents, choices, fc.boolean(), (spec, all, numbers, withInner) => {
        const list = withInner ? all : all.filter(({ kind }) => !INNER.has(kind));
        const { log, steps } = tell(spec, list, numbers);
        const state = initialState('run-1', planOf(spec));
        const found: number[] = [];
        log.forEach((event, i) => {
          const next = log[i + 1];
          evolve(state, event);
          if (next === undefined || !continuesStep(state, next, event)) found.push(event.seq);
        });
        if (withInner) expect(steps).toEqual(expect.arrayContaining(found));
        else expect(found).toEqual(steps);
      }),
      RUNS,
    );
  });
});

const graph = plan([t('a'), t('b', 'a'), { ...t('c'), retry: { maxAttempts: 2, delay: 100 } }]);

describe('a snapshot', () => {
  it('tells an output that is undefined from none', () => {
    const { state } = given(graph, startRun, start('a'), { ...succeed('a'), output: undefined } as never);
    const restored = restore(throughJson(snapshotOf(state)), graph);
    expect([0 in (restored.scopes[0]?.outputs ?? []), 1 in (restored.scopes[0]?.outputs ?? [])]).toEqual([
      true,
      false,
    ]);
  });

  it('passes input and outputs through the guard that it is given', () => {
    const { state } = given(graph, startRun, start('a'), succeed('a'));
    const seen: unknown[] = [];
    const restored = restore(snapshotOf(state), graph, (value, at) => {
      seen.push(at);
      return [value];
    });
    expect(seen).toHaveLength(2);
    expect(restored.scopes[0]?.outputs[0]).toEqual([state.scopes[0]?.outputs[0]]);
  });

  it('is refused when it was made for another plan, and the message names the workflow', () => {
    const { state } = given(graph, startRun, start('a'));
    const other = plan([t('b'), t('a', 'b'), { ...t('c'), retry: { maxAttempts: 2, delay: 100 } }]);
    expect(() => restore(snapshotOf(state), other)).toThrow(
      expect.objectContaining({
        code: 'CHECKPOINT_INVALID',
        message: expect.stringContaining(other.workflowId),
      }),
    );
    // A change that no fold depends on is none.
    const same = plan([t('a'), t('b', 'a'), { ...t('c'), retry: { maxAttempts: 9, delay: 7 } }]);
    expect(printState(restore(snapshotOf(state), same))).toBe(printState(state));
  });

  it.each([
    ['nothing', undefined],
    ['null', null],
    ['a text', 'state'],
    ['an empty object', {}],
    ['another version', { version: 2 }],
    ['an object that throws', new Proxy({ version: 1 }, { get: refuseToAnswer, ownKeys: refuseToAnswer })],
  ])('is refused when it is %s', (_what, junk) => {
    expect(() => restore(junk, graph)).toThrow(expect.objectContaining({ code: 'CHECKPOINT_INVALID' }));
  });

  it('is refused whatever part of it was changed', () => {
    const { state } = given(graph, startRun, start('a'), succeed('a'), start('c'), fail('c'));
    const whole = snapshotOf(state);
    const places = leavesOf(throughJson(whole));
    expect(places.length).toBeGreaterThan(25);
    for (const place of places) {
      const damaged = throughJson(whole);
      damage(damaged as Record<string, unknown>, place);
      expect(() => restore(damaged, graph), place.join('/')).toThrow(
        expect.objectContaining({ code: 'CHECKPOINT_INVALID' }),
      );
    }
  });
});

function refuseToAnswer(): never {
  throw new Error('not today');
}

/** The paths of all values that are no objects. */
function leavesOf(value: unknown, path: readonly string[] = []): readonly (readonly string[])[] {
  if (typeof value !== 'object' || value === null) return [path];
  return Object.entries(value).flatMap(([key, held]) => leavesOf(held, [...path, key]));
}

function damage(root: Record<string, unknown>, path: readonly string[]): void {
  let holder = root;
  for (const key of path.slice(0, -1)) holder = holder[key] as Record<string, unknown>;
  const key = path.at(-1) as string;
  const value = holder[key];
  if (typeof value === 'number') holder[key] = value + 1;
  else if (typeof value === 'string') holder[key] = `${value}!`;
  else holder[key] = value !== true;
}

describe('events of a log', () => {
  it('are not changed by a snapshot of their state', () => {
    const { state, log } = given(graph, startRun, start('a'), succeed('a'));
    const before = JSON.stringify(log);
    snapshotOf(state);
    expect(JSON.stringify(log satisfies readonly RunEvent[])).toBe(before);
  });
});
