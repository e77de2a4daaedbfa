/** Checkpoints that are kept by themselves, without an orchestrator: when one is taken, of what, and what it gives back. */
import { MemoryStore } from '@taskmaster-ai/orchestrator';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import type { RunEvent } from '../../src/machine/events.ts';
import { replay } from '../../src/machine/replay.ts';
import type { StateSnapshot } from '../../src/machine/snapshot.ts';
import { initialState, type RunState } from '../../src/machine/state.ts';
import {
  AutoCheckpoints,
  type AutoCheckpointsParts,
  CHECKPOINT_BYTES_MAX,
  CHECKPOINT_TASKS_MAX,
  type CheckpointedRun,
} from '../../src/managers/persistence/auto-checkpoints.ts';
import { PersistenceManager, streamOf } from '../../src/managers/persistence/persistence-manager.ts';
import { sizeOfTaken, takeIn } from '../../src/managers/workflows/taken-values.ts';
import type { CompiledPlan } from '../../src/model/plan.ts';
import { startRun } from '../support/ask.ts';
import { dumpState } from '../support/dump-state.ts';
import { createGate, nextTurn } from '../support/gate.ts';
import { toAsk } from '../support/intent.ts';
import { planOf, t } from '../support/plan-spec.ts';
import { intents, plans, plansWithScopes } from '../support/random-plans.ts';
import { recordsOf, World } from '../support/world.ts';

interface Taken {
  readonly checkpoints: AutoCheckpoints;
  readonly saved: StateSnapshot[];
  readonly warned: object[];
  /** How often the clock is held now. */
  readonly held: () => number;
  readonly kept: () => number;
}

function taking(parts: Partial<AutoCheckpointsParts> = {}): Taken {
  const saved: StateSnapshot[] = [];
  const warned: object[] = [];
  const silent = (): void => {};
  let held = 0;
  let kept = 0;
  const hold = (): (() => void) => {
    held++;
    return () => held--;
  };
  const checkpoints = new AutoCheckpoints({
    clock: { now: () => 7, hold },
    logger: { debug: silent, info: silent, error: silent, warn: (fields) => warned.push(fields) },
    sizeOf: sizeOfTaken,
    everyEvents: 10,
    onKept: () => kept++,
    ...parts,
    save: (snapshot, at) => {
      saved.push(snapshot);
      return parts.save?.(snapshot, at) ?? Promise.resolve({ id: 'x', runId: 'r', seq: 1, at });
    },
  });
  return { checkpoints, saved, warned, held: () => held, kept: () => kept };
}

function wide(size: number): CompiledPlan {
  return planOf({ name: 'wide', tasks: Array.from({ length: size }, (_, i) => t(`t${i}`)) });
}

type Grown = { -readonly [Key in keyof CheckpointedRun]: CheckpointedRun[Key] };

/** A run whose log has grown to a `seq`, and is durable. */
function grown(seq: number, plan: CompiledPlan = wide(1), runId = 'r'): Grown {
  const run: Grown = {
    runId,
    state: initialState(runId, plan),
    durableSeq: 0,
    checkpointSeq: 0,
    weighedUntil: 0,
  };
  return grow(run, seq);
}

function grow(run: Grown, seq: number): Grown {
  run.durableSeq = seq;
  run.state.seq = seq;
  return run;
}

/** Opens child scopes in a state, without the events that would. */
function openScopes({ scopes }: RunState, count: number): void {
  for (let i = 0; i < count; i++)
    scopes.push({ ...(scopes[0] as RunState['scopes'][number]), number: i + 1 });
}

describe('AutoCheckpoints', () => {
  it('AC1: given a state that is ahead of its log, then it waits until it is durable, or is dropped', async () => {
    const { checkpoints, saved } = taking();
    const run = grown(10);
    run.state.seq = 13;
    checkpoints.onDurable(run);
    expect([saved.length, checkpoints.isQuiet]).toEqual([0, true]);
    run.durableSeq = 13;
    run.state.seq = 19;
    checkpoints.onDurable(run);
    expect(saved.map(({ seq }) => seq)).toEqual([13]);
    await nextTurn();

    const lost = grown(10, wide(1), 'lost');
    lost.state.seq = 12;
    checkpoints.onDurable(lost);
    checkpoints.forget(lost);
    checkpoints.onDurable(grow(lost, 12));
    expect(saved).toHaveLength(1);

    const again = grown(10, wide(1), 'again');
    again.state.seq = 12;
    checkpoints.onDurable(again);
    again.state = initialState('again', wide(1));
    checkpoints.onDurable(grow(again, 12));
    checkpoints.onDurable(grow(again, 13));
    expect(saved).toHaveLength(1);
    checkpoints.onDurable(grow(again, 22));
    expect(saved.at(-1)).toMatchObject({ runId: 'again', seq: 22 });
  });

  it('AC2: given a run that grows while one of it is being kept, then the next one is taken when that has ended', async () => {
    const gate = createGate();
    const { checkpoints, saved } = taking({ save: () => gate.promise as never });
    const run = grown(10);
    for (const seq of [10, 30, 50]) checkpoints.onDurable(grow(run, seq));
    expect(saved.map(({ seq }) => seq)).toEqual([10]);
    gate.open();
    await nextTurn();
    checkpoints.onDurable(grow(run, 51));
    expect(saved.map(({ seq }) => seq)).toEqual([10, 51]);
  });

  it('given a run that has ended, then none is kept', () => {
    const { checkpoints, saved } = taking();
    const run = grown(9);
    run.state.status = 'completed';
    checkpoints.onDurable(grow(run, 40));
    expect(saved).toEqual([]);
  });

  it('AC2: given one that is being kept, then no second one of its run is begun; of all runs only four are', async () => {
    const gate = createGate();
    const { checkpoints, saved, kept } = taking({ save: () => gate.promise as never });
    const runs = Array.from({ length: 9 }, (_, i) => grown(10, wide(1), `r${i}`));
    for (const run of runs) checkpoints.onDurable(run);
    for (const run of runs) checkpoints.onDurable(grow(run, 30));
    expect(saved.map(({ runId, seq }) => [runId, seq])).toEqual([
      ...[
        ['r0', 10],
        ['r1', 10],
      ],
      ...[
        ['r2', 10],
        ['r3', 10],
      ],
    ]);
    expect([checkpoints.isQuiet, kept()]).toEqual([false, 0]);
    gate.open();
    await nextTurn();
    expect([checkpoints.isQuiet, kept()]).toEqual([true, 4]);
    for (const run of runs.slice(5)) checkpoints.onDurable(grow(run, 31));
    expect(saved.slice(4).map(({ runId, seq }) => [runId, seq])).toEqual([
      ['r5', 31],
      ['r6', 31],
      ['r7', 31],
      ['r8', 31],
    ]);
  });

  it('AC3, AC6: given one that could not be kept, then there is one warning, and the next try comes ten events later', async () => {
    const { checkpoints, saved, warned, held } = taking({ save: () => Promise.reject(new Error('no room')) });
    const run = grown(10);
    checkpoints.onDurable(run);
    expect(held()).toBe(1);
    await nextTurn();
    expect(held()).toBe(0);
    expect(warned).toEqual([{ runId: 'r', seq: 10, error: new Error('no room') }]);
    for (let seq = 11; seq < 20; seq++) checkpoints.onDurable(grow(run, seq));
    expect(saved).toHaveLength(1);
    checkpoints.onDurable(grow(run, 20));
    expect(saved).toHaveLength(2);
    await nextTurn();
    expect(warned).toHaveLength(2);
  });

  it('AC4, AC5: given values that would hold up the host, then none is kept, and they are weighed once for ten events', () => {
    let weighed = 0;
    const sizeOf = (value: unknown): number => {
      weighed++;
      return sizeOfTaken(value);
    };
    const { checkpoints, saved } = taking({ sizeOf });
    const run = grown(10);
    run.state.input = takeIn({ text: 'x'.repeat(CHECKPOINT_BYTES_MAX / 2) }, 'input', 'plain data');
    for (let seq = 10; seq < 40; seq++) checkpoints.onDurable(grow(run, seq));
    expect(saved).toEqual([]);
    expect(weighed).toBe(3 * 2);
    run.state.input = takeIn({ text: 'x'.repeat(CHECKPOINT_BYTES_MAX / 4) }, 'input', 'plain data');
    checkpoints.onDurable(grow(run, 40));
    expect(saved).toHaveLength(1);

    const outputs = grown(20, wide(2), 'outputs');
    const half = 'x'.repeat(CHECKPOINT_BYTES_MAX / 4 + 1);
    outputs.state.scopes[0]?.outputs.splice(0, 2, half, half);
    checkpoints.onDurable(outputs);
    expect(saved).toHaveLength(1);
  });

  it('AC5: given many small objects, then they count, although nobody knows the size of one', () => {
    const { checkpoints, saved } = taking();
    for (const [size, runId] of [
      [5_000, 'many'],
      [4_000, 'few'],
    ] as const) {
      const run = grown(50_000, wide(size), runId);
      run.state.scopes[0]?.outputs.fill(takeIn({ ok: true }, 'output', 'plain data'));
      checkpoints.onDurable(run);
    }
    expect(saved.map(({ runId }) => runId)).toEqual(['few']);
  });

  it('AC5: given tasks in child scopes, then they count as those of the root do', () => {
    const { checkpoints, saved } = taking();
    const few = grown(30, wide(2));
    openScopes(few.state, 3);
    for (let seq = 30; seq < 64; seq++) checkpoints.onDurable(grow(few, seq));
    expect(saved).toEqual([]);
    checkpoints.onDurable(grow(few, 64));
    expect(saved).toHaveLength(1);

    const many = grown(1_000_000, wide(2), 'many');
    openScopes(many.state, CHECKPOINT_TASKS_MAX / 2 - 1);
    checkpoints.onDurable(many);
    expect(saved).toHaveLength(2);
    openScopes(many.state, 1);
    checkpoints.onDurable(grow(many, 2_000_000));
    expect(saved).toHaveLength(2);
  });

  it('AC7: given a state that cannot be told, then whoever calls goes on, and the logger is told once for ten events', () => {
    const { checkpoints, warned } = taking();
    const run = grown(10);
    Object.defineProperty(run.state, 'cancelReason', {
      get: () => {
        throw new Error('odd');
      },
    });
    for (let seq = 10; seq < 30; seq++) checkpoints.onDurable(grow(run, seq));
    expect(warned).toHaveLength(2);
    expect(checkpoints.isQuiet).toBe(true);
  });
});

/** Runs that live long: those of few commands are too short for a checkpoint. */
const longLists = fc.tuple(intents, intents, intents).map((lists) => lists.flat());

describe.each([
  { what: 'random plans', specs: plans(3) },
  { what: 'random plans with child scopes', specs: plansWithScopes() },
])('recovery of a run over $what', ({ what, specs }) => {
  const seen = { folds: 0, fromCheckpoints: 0, lost: 0 };
  afterAll(() => {
    // Otherwise the property would hold of nothing.
    expect(seen.fromCheckpoints, what).toBeGreaterThan(seen.folds / 20);
    expect(seen.lost).toBeGreaterThan(10);
  });

  it(
    'from the checkpoint that was kept by itself gives the state of a full replay, after every append, kept or lost',
    () =>
      fc.assert(
        fc.asyncProperty(
          specs,
          longLists,
          fc.array(fc.nat(9), { minLength: 1, maxLength: 9 }),
          async (spec, list, fates) => {
            const plan = planOf(spec);
            const manager = new PersistenceManager(new MemoryStore(), 'alone');
            await manager.open();
            const save = manager.checkpoints.saveLatest.bind(manager.checkpoints);
            const { checkpoints, warned } = taking({ everyEvents: 4, save });
            const world = new World(plan);
            const run: CheckpointedRun & { durableSeq: number } = {
              runId: 'run-1',
              get state() {
                return world.state;
              },
              durableSeq: 0,
              checkpointSeq: 0,
              weighedUntil: 0,
            };
            let step = 0;
            // What is under way is written or lost only when more was decided meanwhile, as in the loop.
            const append = async (decided: readonly RunEvent[]): Promise<void> => {
              const fate = fates[step++ % fates.length] as number;
              const waiting = world.log.slice(run.durableSeq, world.log.length - decided.length);
              if (waiting.length === 0 || fate > 7) return;
              if (fate === 0) {
                world.log.length = run.durableSeq;
                checkpoints.forget(run);
                world.crash();
                seen.lost++;
                return;
              }
              await manager.append([manager.appendOf(streamOf('run-1'), waiting)]);
              run.durableSeq += waiting.length;
              checkpoints.onDurable(run);
              if (fate > 3) await nextTurn();
              const folded = await manager.foldRun('run-1', plan);
              const records = recordsOf(world.log).slice(0, run.durableSeq);
              expect(dumpState(folded.state)).toEqual(dumpState(replay('run-1', plan, records)));
              seen.folds++;
              if (folded.checkpointSeq > 0) seen.fromCheckpoints++;
            };
            world.ask(startRun);
            for (const intent of list) {
              world.at += intent.later;
              const { events } = world.ask(toAsk(world.state, intent));
              if (events.length > 0) await append(events);
              for (const { kind, path, attempt } of [...world.work.values()].flatMap((work) => [
                work,
                work,
                work,
              ]))
                if (kind === 'Dispatch')
                  await append(world.ask({ type: 'RecordProgress', path, attempt, progress: step }).events);
            }
            expect(warned).toEqual([]);
          },
        ),
        { numRuns: 80 },
      ),
    60_000,
  );
});
