import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RunEvent } from '../../src/machine/events.ts';
import { checkInvariants } from '../../src/machine/invariants.ts';
import { replay } from '../../src/machine/replay.ts';
import { isTerminal, statusName } from '../../src/machine/transitions.ts';
import { isRunFinished } from '../../src/model/status.ts';
import { startRun } from '../support/ask.ts';
import { printState } from '../support/dump-state.ts';
import { toAsk } from '../support/intent.ts';
import { type PlanSpec, planOf } from '../support/plan-spec.ts';
import { type Intent, intents, plans, plansWithScopes } from '../support/random-plans.ts';
import { driveSome, driveToEnd, recordsOf, World } from '../support/world.ts';

const RUNS = { numRuns: 150 };
const END_TYPES: ReadonlySet<string> = new Set(['RunCompleted', 'RunFailed', 'RunCancelled']);

/** A run to which a list of intents was given, with what was seen on the way. */
interface Story {
  readonly world: World;
  /** The state after each command, with the `seq` that it had reached. */
  readonly states: readonly { readonly seq: number; readonly printed: string }[];
}

function tell(spec: PlanSpec, list: readonly Intent[], afterEach?: (world: World) => void): Story {
  const world = new World(planOf(spec));
  const states: { seq: number; printed: string }[] = [];
  const look = (): void => {
    states.push({ seq: world.state.seq, printed: printState(world.state) });
    afterEach?.(world);
  };
  world.ask(startRun);
  look();
  for (const intent of list) {
    world.at += intent.later;
    world.ask(toAsk(world.state, intent));
    look();
  }
  return { world, states };
}

/** Statuses of the tasks that have ended, by path. */
function endedOf(world: World): Map<string, string> {
  const ended = new Map<string, string>();
  for (const scope of world.state.scopes) {
    scope.plan.ids.forEach((id, i) => {
      const status = scope.status[i] as number;
      if (isTerminal(status)) ended.set(`${scope.prefix}/${id}`, statusName(status));
    });
  }
  return ended;
}

/** Numbers for the driver, from what fast-check has drawn. */
function chooserOf(numbers: readonly number[]): () => number {
  let next = 0;
  return () => numbers[next++ % Math.max(1, numbers.length)] ?? 1;
}

const choices = fc.array(fc.nat(1_000), { minLength: 1, maxLength: 40 });

describe.each([
  { what: 'random plans', specs: plans() },
  { what: 'random plans with child scopes', specs: plansWithScopes() },
])('$what', ({ specs }) => {
  it('keep every invariant of the machine after every command (I1, I4, I10, I11, I12)', () => {
    fc.assert(
      fc.property(specs, intents, (spec, list) => {
        tell(spec, list, (world) => expect(checkInvariants(world.state)).toEqual([]));
      }),
      RUNS,
    );
  });

  it('refuse what is illegal as a value, and change nothing by it', () => {
    fc.assert(
      fc.property(specs, intents, (spec, list) => {
        const world = new World(planOf(spec));
        for (const intent of [undefined, ...list]) {
          const before = printState(world.state);
          const { refusal, events, instructions } = world.ask(
            intent === undefined ? startRun : toAsk(world.state, intent),
          );
          if (refusal === undefined) continue;
          expect([...events, ...instructions]).toEqual([]);
          expect(printState(world.state)).toBe(before);
          expect(refusal.message).not.toBe('');
        }
      }),
      RUNS,
    );
  });

  it('replay to the live state at every index (I15, I16)', () => {
    fc.assert(
      fc.property(specs, intents, (spec, list) => {
        const { world, states } = tell(spec, list);
        const records = recordsOf(JSON.parse(JSON.stringify(world.log)) as RunEvent[]);
        for (const { seq, printed } of states)
          expect(printState(replay('run-1', planOf(spec), records.slice(0, seq)))).toBe(printed);
      }),
      RUNS,
    );
  });

  it('leave no task behind: doing what the instructions say always ends the run (I10, I11)', () => {
    fc.assert(
      fc.property(specs, intents, choices, (spec, list, numbers) => {
        const { world } = tell(spec, list);
        driveToEnd(world, chooserOf(numbers));
        expectSoundEnd(world);
      }),
      RUNS,
    );
  });

  it('end after any crash as well, by what `resume` says (I10, I11, I16)', () => {
    fc.assert(
      fc.property(specs, intents, choices, (spec, list, numbers) => {
        const { world } = tell(spec, list);
        if (isRunFinished(world.state.status)) return;
        world.crash();
        driveToEnd(world, chooserOf(numbers));
        expectSoundEnd(world);
      }),
      RUNS,
    );
  });

  it('count each start of a body, however often the process ends, and give up behind the cap (I2)', () => {
    fc.assert(
      fc.property(specs, intents, choices, fc.nat(3), (spec, list, numbers, maxRestarts) => {
        const { world } = tell(
          spec,
          list.filter(({ kind }) => kind !== 'RestartTask'),
        );
        world.maxRestarts = maxRestarts;
        const choose = chooserOf(numbers);
        for (let deaths = 0; deaths < 6 && !isRunFinished(world.state.status); deaths++) {
          world.crash();
          driveSome(world, choose, choose() % 7);
          expect(checkInvariants(world.state)).toEqual([]);
          const records = recordsOf(JSON.parse(JSON.stringify(world.log)) as RunEvent[]);
          expect(printState(replay('run-1', planOf(spec), records))).toBe(printState(world.state));
        }
        if (world.ends === 0) driveToEnd(world, choose);
        const starts = new Map<string, number>();
        const restarts = new Map<string, number>();
        for (const event of world.log) {
          if (event.type !== 'TaskStarted' && event.type !== 'TaskRestarted') continue;
          starts.set(event.path, (starts.get(event.path) ?? 0) + 1);
          if (event.type === 'TaskRestarted') restarts.set(event.path, event.restart);
        }
        expect(world.bodies).toEqual(starts);
        expect(Math.max(0, ...restarts.values())).toBeLessThanOrEqual(maxRestarts);
      }),
      RUNS,
    );
  });

  it('have the same things open after a replay as before it', () => {
    fc.assert(
      fc.property(specs, intents, (spec, list) => {
        const { world } = tell(spec, list);
        const live = world.open();
        world.crash();
        expect(world.open()).toEqual(live);
      }),
      RUNS,
    );
  });

  it('let terminal statuses absorb: no event follows for the task (I5)', () => {
    fc.assert(
      fc.property(specs, intents, (spec, list) => {
        let ended = new Map<string, string>();
        const { world } = tell(spec, list, (now) => {
          const later = endedOf(now);
          for (const [path, status] of ended) expect(later.get(path)).toBe(status);
          ended = later;
        });
        expectNothingAfterEnds(world.log);
      }),
      RUNS,
    );
  });

  it('schedule each attempt exactly once, and ask each condition once', () => {
    fc.assert(
      fc.property(specs, intents, choices, (spec, list, numbers) => {
        const { world } = tell(spec, list);
        driveToEnd(world, chooserOf(numbers));
        for (const [start, times] of world.scheduled) expect([start, times]).toEqual([start, 1]);
        for (const event of world.log) {
          if (event.type !== 'TaskStarted') continue;
          expect(world.scheduled.get(`start of ${event.path} ${event.attempt}`)).toBe(1);
        }
      }),
      RUNS,
    );
  });
});

function expectSoundEnd(world: World): void {
  expect(isRunFinished(world.state.status)).toBe(true);
  expect(world.ends).toBe(1);
  expect(world.work.size).toBe(0);
  expect(world.state.scopes.every((scope) => scope.open === 0)).toBe(true);
  expect(world.state.scopes.every((scope) => scope.parent === undefined || scope.closed)).toBe(true);
  expect(world.log.map(({ seq }) => seq)).toEqual(world.log.map((_, i) => i + 1));
  expect(world.log.filter(({ type }) => END_TYPES.has(type))).toHaveLength(1);
  expect(END_TYPES.has(world.log.at(-1)?.type ?? '')).toBe(true);
  expectNothingAfterEnds(world.log);
}

const TASK_ENDS: ReadonlySet<string> = new Set([
  'TaskCompleted',
  'TaskFailed',
  'TaskSkipped',
  'TaskCancelled',
]);

function expectNothingAfterEnds(log: readonly RunEvent[]): void {
  const over = new Set<string>();
  for (const event of log) {
    if (!('path' in event) || event.type === 'RunFailed' || event.type === 'ScopeClosed') continue;
    expect(over.has(event.path), `${event.type} after the end of ${event.path}`).toBe(false);
    if (TASK_ENDS.has(event.type)) over.add(event.path);
  }
}
