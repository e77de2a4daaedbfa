/** The persistence manager alone, on logs that a machine wrote: states at every point, with and without checkpoints. */
import { MemoryStore, OrchestratorError } from '@taskmaster-ai/orchestrator';
import { ScriptedStore } from '@taskmaster-ai/orchestrator/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RunEvent } from '../../src/machine/events.ts';
import { replay } from '../../src/machine/replay.ts';
import { snapshotOf } from '../../src/machine/snapshot.ts';
import { CHECKPOINTS_MAX } from '../../src/managers/persistence/checkpoints.ts';
import type { PersistenceContext } from '../../src/managers/persistence/persistence-context.ts';
import { PersistenceManager, streamOf } from '../../src/managers/persistence/persistence-manager.ts';
import { savedRunOf } from '../../src/managers/persistence/saved-run.ts';
import { refuse } from '../../src/model/errors.ts';
import type { CompiledPlan } from '../../src/model/plan.ts';
import type { CheckpointRecord, EventStore, ReadRequest } from '../../src/ports/event-store.ts';
import { startRun } from '../support/ask.ts';
import { dumpState } from '../support/dump-state.ts';
import { rejection } from '../support/errors.ts';
import { createGate, nextTurn } from '../support/gate.ts';
import { toAsk } from '../support/intent.ts';
import { type PlanSpec, planOf } from '../support/plan-spec.ts';
import { type Intent, intents, plans, plansWithScopes } from '../support/random-plans.ts';
import { driveToEnd, recordsOf, World } from '../support/world.ts';

const RUNS = { numRuns: 60 };
/** Commands that only the machine gives, within the step of another one. */
const INNER: ReadonlySet<string> = new Set(['SkipTask', 'CloseScope', 'HaltRun', 'FinishRun']);
const LONG_MS = 60_000;

interface Alone {
  readonly manager: PersistenceManager;
  readonly warnings: readonly Readonly<Record<string, unknown>>[];
}

/** A manager of its own on a store, for the runs of one plan. */
async function managerOf(store: EventStore, plan: CompiledPlan): Promise<Alone> {
  const warnings: Readonly<Record<string, unknown>>[] = [];
  const nothing = (): void => {};
  let forks = 0;
  const context: PersistenceContext = {
    planOf: (workflowId) => {
      if (workflowId === plan.workflowId) return plan;
      throw refuse('WORKFLOW_NOT_FOUND', { at: 'planOf', found: workflowId, allowed: plan.workflowId });
    },
    clock: { now: () => 1_000_000 },
    nextRunId: () => `fork-${++forks}`,
    logger: { debug: nothing, info: nothing, error: nothing, warn: (fields) => warnings.push(fields) },
  };
  const manager = new PersistenceManager(store, 'alone', context);
  await manager.open();
  return { manager, warnings };
}

function write(manager: PersistenceManager, events: readonly RunEvent[]): void | Promise<void> {
  return manager.append([manager.appendOf(streamOf('run-1'), events)]);
}

/** A run that was led to its end; `onStep` sees it whenever a command was carried out. */
async function tell(
  spec: PlanSpec,
  list: readonly Intent[],
  onStep: (world: World, events: readonly RunEvent[]) => unknown = () => {},
): Promise<World> {
  const world = new World(planOf(spec));
  const steps: { events: readonly RunEvent[]; state: ReturnType<typeof savedRunOf> }[] = [];
  const ask = world.ask.bind(world);
  world.ask = (one) => {
    const told = ask(one);
    if (told.events.length > 0) steps.push({ events: told.events, state: savedRunOf(world.state) });
    return told;
  };
  world.ask(startRun);
  for (const intent of list.filter(({ kind }) => !INNER.has(kind))) {
    world.at += intent.later;
    world.ask(toAsk(world.state, intent));
  }
  let choice = 0;
  driveToEnd(world, () => choice++);
  for (const { events, state } of steps) await onStep({ ...world, saved: state } as never, events);
  return world;
}

/** A store that notes where reads begin. */
class WatchedStore extends MemoryStore {
  readonly reads: number[] = [];

  override read(request: ReadRequest) {
    this.reads.push(request.fromSeq);
    return super.read(request);
  }
}

describe.each([
  { what: 'random plans', specs: plans(8) },
  { what: 'random plans with child scopes', specs: plansWithScopes() },
])('the state of a run over $what', ({ specs }) => {
  it(
    'at every seq is the live state of that time, whatever checkpoints there are',
    () =>
      fc.assert(
        fc.asyncProperty(
          specs,
          intents,
          fc.array(fc.boolean(), { minLength: 1, maxLength: 9 }),
          async (spec, list, keeps) => {
            const plan = planOf(spec);
            const { manager, warnings } = await managerOf(new MemoryStore(), plan);
            const lived = new Map<number, unknown>();
            let step = 0;
            const world = await tell(spec, list, async (now, events) => {
              await write(manager, events);
              const { saved } = now as unknown as { saved: { seq: number } };
              lived.set(saved.seq, saved);
              if (keeps[step % keeps.length]) await manager.createCheckpoint('run-1');
              else if (step % 3 === 0) await manager.saveState('run-1');
              step++;
            });
            const records = recordsOf(world.log);
            for (let seq = 1; seq <= records.length; seq++) {
              const loaded = await manager.loadState('run-1', { seq });
              expect(loaded).toEqual(savedRunOf(replay('run-1', plan, records.slice(0, seq))));
              if (lived.has(seq)) expect(loaded).toEqual(lived.get(seq));
            }
            expect(lived.size).toBe(step);
            expect(warnings).toEqual([]);
          },
        ),
        RUNS,
      ),
    LONG_MS,
  );

  it(
    'is the same when checkpoints are damaged, and each that was tried is told to the logger',
    () =>
      fc.assert(
        fc.asyncProperty(specs, intents, fc.nat(99), async (spec, list, seed) => {
          const plan = planOf(spec);
          const store = new MemoryStore();
          const { manager, warnings } = await managerOf(store, plan);
          const world = await tell(spec, list, async (_now, events) => {
            await write(manager, events);
            await manager.createCheckpoint('run-1');
          });
          for (const { id } of await manager.listCheckpoints('run-1')) damage(store, id, manager, seed);
          const { state } = await manager.foldRun('run-1', plan);
          expect(dumpState(state)).toEqual(dumpState(world.state));
          expect(warnings.length).toBeGreaterThan(0);
          for (const { error } of warnings)
            expect(OrchestratorError.is(error, 'CHECKPOINT_INVALID')).toBe(true);
        }),
        RUNS,
      ),
    LONG_MS,
  );

  it(
    'can be forked at every seq: the fork has the history up to the end of that step and nothing else',
    () =>
      fc.assert(
        fc.asyncProperty(specs, intents, fc.nat(999), async (spec, list, pick) => {
          const plan = planOf(spec);
          const store = new MemoryStore();
          const { manager } = await managerOf(store, plan);
          const ends: number[] = [];
          const world = await tell(spec, list, (_now, events) => {
            ends.push(events.at(-1)?.seq ?? 0);
            return write(manager, events);
          });
          const seq = 1 + (pick % world.log.length);
          const before = JSON.stringify(await manager.readAll('run-1'));
          const fork = await manager.fork('run-1', seq);
          const end = ends.find((last) => last >= seq);
          expect(fork).toEqual({ runId: 'fork-1', forkedFrom: { runId: 'run-1', seq: end } });
          expect(JSON.stringify(await manager.readAll('run-1'))).toBe(before);
          const log = (await manager.readAll('fork-1')).map(({ payload }) => payload as RunEvent);
          expect(log.map(({ type, at }) => [type, at])).toEqual(
            world.log.slice(0, end).map(({ type, at }) => [type, at]),
          );
          expect(new Set(log.map(({ runId }) => runId))).toEqual(new Set(['fork-1']));
          const [origin, copy] = [
            await manager.loadState('run-1', { seq: end }),
            await manager.loadState('fork-1'),
          ];
          // It was started when it was made.
          expect(withoutTimes(copy)).toEqual({
            ...withoutTimes(origin),
            ...{ runId: 'fork-1', createdAt: 1_000_000 },
          });
          // Whoever opens the store can lead it to its end.
          const again = new World(plan);
          again.log.push(...log.map((event) => ({ ...event, runId: 'run-1' })));
          again.crash();
          if (again.state.finishedAt === 0) driveToEnd(again, () => 1);
        }),
        RUNS,
      ),
    LONG_MS,
  );
});

function withoutTimes(saved: object): object {
  return JSON.parse(
    JSON.stringify(saved, (key, value) => (/^(due|deadline)At$/.test(key) ? 'later' : value)),
  );
}

/** Changes what a store keeps of a checkpoint, in one of several ways. */
function damage(store: MemoryStore, id: string, manager: PersistenceManager, seed: number): void {
  const whole = store.loadCheckpoint(id) as CheckpointRecord;
  const payload = whole.payload as { state: Record<string, unknown>; last: { type: string; at: number } };
  const broken: unknown[] = [
    undefined,
    {},
    { ...payload, state: { ...payload.state, seq: (payload.state.seq as number) + 1 } },
    { ...payload, state: { ...payload.state, scopes: [] } },
    { ...payload, state: { ...payload.state, version: 99 } },
    { ...payload, last: { ...payload.last, at: -1 } },
  ];
  store.saveCheckpoint({ ...whole, payload: broken[seed % broken.length] }, epochOf(manager));
}

function epochOf(_manager: PersistenceManager): number {
  return 1;
}

const two: PlanSpec = {
  name: 'two',
  tasks: [{ taskId: 'a' }, { taskId: 'b', dependencies: [{ taskId: 'a' }] }],
};

/** A run of two tasks, of which the first has completed. */
async function halfDone(store: EventStore): Promise<Alone & { readonly world: World }> {
  const alone = await managerOf(store, planOf(two));
  const world = new World(planOf(two));
  const asks = [
    startRun,
    { type: 'StartTask', path: 'a' } as const,
    { type: 'ReportSuccess', path: 'a', attempt: 1, output: { text: 'tides' } } as const,
  ];
  for (const ask of asks) await write(alone.manager, world.ask(ask).events);
  return { ...alone, world };
}

describe('a persistence manager alone', () => {
  it('reads only what stands behind the checkpoint', async () => {
    const store = new WatchedStore();
    const { manager, world } = await halfDone(store);
    await manager.saveState('run-1');
    await write(manager, world.ask({ type: 'StartTask', path: 'b' }).events);
    store.reads.length = 0;
    const { state } = await manager.foldRun('run-1', planOf(two));
    expect(dumpState(state)).toEqual(dumpState(world.state));
    // The record at the checkpoint, to know the log again, and those behind it.
    expect(store.reads).toEqual([4, 5]);
  });

  it('does not use a checkpoint for a log that has become another one', async () => {
    const store = new MemoryStore();
    const { manager, warnings } = await halfDone(store);
    await manager.saveState('run-1');
    const kept = store.loadCheckpoint('run-1/latest') as CheckpointRecord;
    store.remove([streamOf('run-1')]);
    expect(await manager.listCheckpoints('run-1')).toEqual([]);
    const other = new World(planOf(two));
    other.at = 77_000;
    await write(manager, other.ask(startRun).events);
    await write(manager, other.ask({ type: 'StartTask', path: 'a' }).events);
    await write(manager, other.ask({ type: 'ReportSuccess', path: 'a', attempt: 1, output: 2 }).events);
    store.saveCheckpoint(kept, epochOf(manager));
    expect((await manager.loadState('run-1')).tasks[0]?.output).toBe(2);
    expect(warnings).toHaveLength(1);
  });

  it('keeps one latest checkpoint, and each one that was asked for', async () => {
    const { manager, world } = await halfDone(new MemoryStore());
    const first = await manager.createCheckpoint('run-1', { name: 'before b' });
    expect(await manager.createCheckpoint('run-1', { name: 'before b' })).toEqual(first);
    await manager.saveState('run-1');
    await write(manager, world.ask({ type: 'StartTask', path: 'b' }).events);
    await manager.saveState('run-1');
    await manager.createCheckpoint('run-1');
    expect((await manager.listCheckpoints('run-1')).map(({ seq, name }) => [seq, name])).toEqual([
      [4, 'before b'],
      [5, undefined],
      [5, undefined],
    ]);
    expect(await manager.removeCheckpoint(first.id)).toBe(true);
    expect(await manager.removeCheckpoint(first.id)).toBe(false);
    expect((await rejection(manager.removeCheckpoint(null as never))).code).toBe('OPTION_INVALID');
  });

  it.each(['refuse', 'unknown', 'damage'] as const)(
    'loses nothing when the store fails on a checkpoint: %s',
    async (fault) => {
      const inner = new MemoryStore();
      const store = new ScriptedStore(inner, { appendDelay: 'none', checkpoints: [{ at: 2, fault }] });
      const { manager, warnings, world } = await halfDone(store);
      await manager.saveState('run-1');
      await write(manager, world.ask({ type: 'StartTask', path: 'b' }).events);
      const saving = manager.saveState('run-1');
      if (fault === 'damage') expect((await saving).seq).toBe(5);
      else await expect(saving).rejects.toThrow(expect.objectContaining({ code: 'STORE_UNAVAILABLE' }));
      const { state } = await manager.foldRun('run-1', planOf(two));
      expect(dumpState(state)).toEqual(dumpState(world.state));
      expect(warnings).toHaveLength(fault === 'damage' ? 1 : 0);
    },
  );

  it('folds the log when checkpoints cannot be read at all', async () => {
    const store = new MemoryStore();
    const { manager, warnings, world } = await halfDone(store);
    await manager.saveState('run-1');
    store.listCheckpoints = () => {
      throw new Error('no');
    };
    expect((await manager.loadState('run-1')).seq).toBe(world.state.seq);
    expect(warnings).toHaveLength(1);
  });

  it('works on a store that keeps no checkpoints: states and forks, but no checkpoint', async () => {
    const inner = new MemoryStore();
    const store: EventStore = {
      capabilities: inner.capabilities,
      append: (batch) => inner.append(batch),
      read: (request) => inner.read(request),
      list: (request) => inner.list(request),
      findKey: (key) => inner.findKey(key),
      remove: (streams) => inner.remove(streams),
      claim: (owner) => inner.claim(owner),
      release: (owner) => inner.release(owner),
    };
    const { manager } = await halfDone(store);
    expect((await manager.saveState('run-1')).seq).toBe(4);
    expect(await manager.keepState('run-1')).toBe(false);
    expect(await manager.listCheckpoints('run-1')).toEqual([]);
    expect((await manager.fork('run-1', 4)).runId).toBe('fork-1');
    for (const asked of [manager.createCheckpoint('run-1'), manager.restoreFromCheckpoint('run-1/4')])
      await expect(asked).rejects.toThrow(expect.objectContaining({ code: 'CHECKPOINT_UNSUPPORTED' }));
  });

  it('gives states that are the own of whoever reads them', async () => {
    const { manager } = await halfDone(new MemoryStore());
    const one = await manager.loadState('run-1');
    (one.tasks as unknown[]).length = 0;
    expect((await manager.loadState('run-1')).tasks).toHaveLength(2);
  });

  it('forks from a checkpoint that is damaged or was removed, with a warning', async () => {
    const store = new MemoryStore();
    const { manager, warnings } = await halfDone(store);
    const checkpoint = await manager.createCheckpoint('run-1');
    damage(store, checkpoint.id, manager, 0);
    expect((await manager.restoreFromCheckpoint(checkpoint.id)).forkedFrom.seq).toBe(4);
    expect(warnings).toHaveLength(1);
    await manager.removeCheckpoint(checkpoint.id);
    expect((await manager.restoreFromCheckpoint(checkpoint)).forkedFrom.seq).toBe(4);
    expect(warnings).toHaveLength(2);
    await expect(manager.restoreFromCheckpoint(checkpoint.id)).rejects.toThrow(
      expect.objectContaining({ code: 'CHECKPOINT_NOT_FOUND' }),
    );
  });

  it('gives the fork another input, and moves what was still to come', async () => {
    const spec: PlanSpec = {
      name: 'limits',
      tasks: [{ taskId: 'a', totalTimeout: 5_000, timeout: 900, retry: { maxAttempts: 2, delay: 100 } }],
    };
    const { manager } = await managerOf(new MemoryStore(), planOf(spec));
    const world = new World(planOf(spec));
    for (const ask of [startRun, { type: 'StartTask', path: 'a' } as const])
      await write(manager, world.ask(ask).events);
    const failure = { name: 'Error', message: 'no' };
    await write(
      manager,
      world.ask({ type: 'ReportFailure', path: 'a', attempt: 1, failure, retry: true, random: 0 }).events,
    );
    const origin = (await manager.loadState('run-1')).tasks[0];
    await manager.fork('run-1', 4, { input: { topic: 'moon' } });
    const fork = await manager.loadState('fork-1');
    // The world of this test is at 1 s when it decides, the manager at 1,000 s when it forks.
    const laterMs = 999_000;
    expect(fork.input).toEqual({ topic: 'moon' });
    expect(fork.tasks[0]).toMatchObject({
      dueAt: (origin?.dueAt ?? 0) + laterMs,
      deadlineAt: (origin?.deadlineAt ?? 0) + laterMs,
    });
    // Forked at the same moment, the fork has as long as its origin: no more is added for what was added already.
    await manager.fork('fork-1', 4);
    expect((await manager.loadState('fork-2')).tasks[0]).toMatchObject({
      dueAt: fork.tasks[0]?.dueAt,
      deadlineAt: fork.tasks[0]?.deadlineAt,
    });
  });

  it('refuses what it cannot do, by name', async () => {
    const { manager } = await halfDone(new MemoryStore());
    const loose = new PersistenceManager(new MemoryStore(), 'loose');
    const checkpoint = await manager.createCheckpoint('run-1', { name: 'here' });
    const throwing = <Given extends object>(given: Given): Given =>
      new Proxy(given, {
        get() {
          throw new Error('no');
        },
      });
    const asks: readonly (readonly [string, () => Promise<unknown>])[] = [
      ['RUN_NOT_FOUND', () => manager.loadState('run-9')],
      ['RUN_NOT_FOUND', () => manager.saveState('run-9')],
      ['RUN_NOT_FOUND', () => manager.createCheckpoint(undefined as never)],
      ['RUN_NOT_FOUND', () => manager.fork('run-9', 1)],
      ['OPTION_INVALID', () => manager.loadState('run-1', { seq: 5 })],
      ['OPTION_INVALID', () => manager.loadState('run-1', { seq: 0 })],
      ['OPTION_INVALID', () => manager.loadState('run-1', { seq: Number.NaN })],
      ['OPTION_UNKNOWN', () => manager.loadState('run-1', { sequence: 1 } as never)],
      ['OPTION_INVALID', () => manager.fork('run-1', 5)],
      ['ID_INVALID', () => manager.createCheckpoint('run-1', { name: 'a/b' })],
      ['CHECKPOINT_NOT_FOUND', () => manager.restoreFromCheckpoint('run-1/4')],
      ['OPTION_INVALID', () => manager.restoreFromCheckpoint({ runId: 'run-1' } as never)],
      ['OPTION_INVALID', () => manager.restoreFromCheckpoint(null as never)],
      ['VALUE_UNSERIALISABLE', () => manager.fork('run-1', 4, { input: () => 1 })],
      ['OPTION_INVALID', () => loose.loadState('run-1')],
      ...[0, -1, 1.5, Number.POSITIVE_INFINITY, 1e21, '2', null].map(
        (seq) => ['OPTION_INVALID', () => manager.fork('run-1', seq as never)] as const,
      ),
      ...[null, 3, 'x', [], new Date(0)].map(
        (options) => ['OPTION_INVALID', () => manager.fork('run-1', 1, options as never)] as const,
      ),
      ['OPTION_UNKNOWN', () => manager.fork('run-1', 1, { inputs: 1 } as never)],
      ['OPTION_INVALID', () => manager.fork('run-1', 1, throwing({ input: 1 }))],
      ['OPTION_INVALID', () => manager.restoreFromCheckpoint(throwing({ id: 'x' }) as never)],
      ['OPTION_INVALID', () => manager.restoreFromCheckpoint({ ...checkpoint, seq: 5 })],
      ['OPTION_INVALID', () => manager.restoreFromCheckpoint({ ...checkpoint, seq: -1 })],
      ['RUN_NOT_FOUND', () => manager.restoreFromCheckpoint({ ...checkpoint, runId: '__proto__' })],
    ];
    for (const [code, ask] of asks)
      await expect(ask(), code).rejects.toThrow(expect.objectContaining({ code }));
    // A refusal leaves nothing behind.
    expect((await manager.listRuns({ limit: 100 })).map(({ stream }) => stream)).toEqual(['run:run-1']);
  });
});

describe('a persistence manager that was closed', () => {
  it('writes nothing any more, and still reads', async () => {
    const store = new MemoryStore();
    const { manager } = await halfDone(store);
    const checkpoint = await manager.createCheckpoint('run-1');
    await manager.close();
    const before = [store.list({ prefix: '', limit: 100 }), store.listCheckpoints('run:run-1')];
    for (const ask of [
      () => manager.fork('run-1', 1),
      () => manager.restoreFromCheckpoint(checkpoint),
      () => manager.createCheckpoint('run-1', { name: 'late' }),
      () => manager.saveState('run-1'),
      () => manager.removeCheckpoint(checkpoint.id),
    ])
      await expect(ask()).rejects.toThrow(expect.objectContaining({ code: 'ORCHESTRATOR_CLOSED' }));
    expect([store.list({ prefix: '', limit: 100 }), store.listCheckpoints('run:run-1')]).toEqual(before);
    expect((await manager.loadState('run-1')).seq).toBe(4);
  });
});

describe('a checkpoint that was begun before the store was given back', () => {
  it('is not written behind that, although its record is read only then', async () => {
    const inner = new MemoryStore();
    const { manager, world } = await halfDone(inner);
    const kept = await manager.createCheckpoint('run-1');
    const gate = createGate();
    const load = inner.loadCheckpoint.bind(inner);
    const read = inner.read.bind(inner);
    inner.read = (request) => gate.promise.then(() => read(request)) as never;
    inner.loadCheckpoint = (id) => gate.promise.then(() => load(id)) as never;
    const begun = [
      manager.checkpoints.saveLatest(snapshotOf(world.state), 7),
      manager.removeCheckpoint(kept.id),
    ].map((one) => rejection(one));
    await manager.close();
    gate.open();
    for (const one of begun) expect((await one).code).toBe('ORCHESTRATOR_CLOSED');
    expect(inner.listCheckpoints('run:run-1').map(({ id }) => id)).toEqual([kept.id]);
  });
});

describe('the newest state of a run', () => {
  it('is what was asked for last, however long the one before takes and whatever becomes of it', async () => {
    for (const fails of [false, true]) {
      const store = new MemoryStore();
      const { manager, world } = await halfDone(store);
      const gate = createGate();
      const save = store.saveCheckpoint.bind(store);
      const begun: number[] = [];
      store.saveCheckpoint = ((checkpoint: CheckpointRecord, epoch: number) => {
        begun.push(checkpoint.seq);
        return checkpoint.seq > 4
          ? save(checkpoint, epoch)
          : gate.promise.then(() => save(checkpoint, epoch));
      }) as never;
      const slow = manager.checkpoints.saveLatest(snapshotOf(world.state), 7);
      await write(manager, world.ask({ type: 'StartTask', path: 'b' }).events);
      const saved = manager.saveState('run-1');
      for (let turn = 0; turn < 5; turn++) await nextTurn();
      expect(begun).toEqual([4]);
      if (fails) gate.fail(new Error('lost'));
      else gate.open();
      expect((await saved).seq).toBe(5);
      expect((await manager.listCheckpoints('run-1')).map(({ seq }) => seq)).toEqual([5]);
      if (fails) await expect(slow).rejects.toThrow('lost');
      else expect((await slow).seq).toBe(4);
    }
  });
});

describe('a run that is removed while its newest state is being kept', () => {
  it('leaves no checkpoint behind', async () => {
    for (const fails of [false, true]) {
      const store = new MemoryStore();
      const { manager, world } = await halfDone(store);
      const gate = createGate();
      const save = store.saveCheckpoint.bind(store);
      store.saveCheckpoint = ((checkpoint: CheckpointRecord, epoch: number) =>
        gate.promise.then(() => save(checkpoint, epoch))) as never;
      const saving = manager.checkpoints.saveLatest(snapshotOf(world.state), 7).catch(() => undefined);
      await nextTurn();
      const removed = manager.remove(['other', 'run-1']);
      await nextTurn();
      if (fails) gate.fail(new Error('lost'));
      else gate.open();
      await saving;
      await removed;
      expect(store.listCheckpoints('run:run-1')).toEqual([]);
      expect(await manager.listRuns()).toEqual([]);
      // With nothing under way it is removed at once, as ever.
      expect(manager.remove(['run-1'])).toBeUndefined();
    }
  });
});

describe('the checkpoints of one run', () => {
  it('are at most a thousand: one more is refused, the same one again is not, and another one fits when one is gone', async () => {
    const { manager } = await halfDone(new MemoryStore());
    for (let i = 0; i < CHECKPOINTS_MAX; i++) await manager.createCheckpoint('run-1', { name: `n${i}` });
    const more = manager.createCheckpoint('run-1', { name: 'more' });
    await expect(more).rejects.toThrow(expect.objectContaining({ code: 'LIMIT_EXCEEDED' }));
    const again = await manager.createCheckpoint('run-1', { name: 'n7' });
    expect(await manager.listCheckpoints('run-1')).toHaveLength(CHECKPOINTS_MAX);
    await manager.removeCheckpoint(again.id);
    await manager.createCheckpoint('run-1', { name: 'more' });
    // What is kept by itself is never refused.
    await manager.saveState('run-1');
  });
});

describe('a fork beside a store that takes its time', () => {
  it('is written between two appends of the loop, never while one is under way', async () => {
    const inner = new MemoryStore();
    const store = new ScriptedStore(inner, { appendDelay: 2, readDelay: 'none' });
    const { manager, world } = await halfDone(store);
    const most = { value: 0 };
    const append = store.append.bind(store);
    store.append = (batch) => {
      const written = append(batch);
      most.value = Math.max(most.value, store.appendsUnderWay);
      return written;
    };
    const asked = [
      manager.fork('run-1', 4),
      manager.fork('run-1', 2),
      Promise.resolve().then(() => write(manager, world.ask({ type: 'StartTask', path: 'b' }).events)),
    ];
    await Promise.all(asked);
    expect(most.value).toBe(1);
    expect((await manager.listRuns({ limit: 100 })).map(({ stream }) => stream).sort()).toEqual([
      'run:fork-1',
      'run:fork-2',
      'run:run-1',
    ]);
    expect((await manager.readAll('run-1')).length).toBe(5);
  });

  it('does not stand in the way of the loop when it is refused', async () => {
    const store = new ScriptedStore(new MemoryStore(), {
      appendDelay: 1,
      appends: [{ at: 4, fault: 'refuse' }],
    });
    const { manager, world } = await halfDone(store);
    const forking = manager.fork('run-1', 4);
    await expect(forking).rejects.toThrow(expect.objectContaining({ code: 'STORE_UNAVAILABLE' }));
    await write(manager, world.ask({ type: 'StartTask', path: 'b' }).events);
    expect((await manager.loadState('run-1')).seq).toBe(5);
  });
});

describe('a run that another owner removes while it is read', () => {
  it('is not in the store any more, wherever the reading was, and is never said to be shorter than it was', async () => {
    const asked: readonly ((manager: PersistenceManager) => Promise<unknown>)[] = [
      (manager) => manager.loadState('run-1'),
      (manager) => manager.loadState('run-1', { seq: 3 }),
      (manager) => manager.fork('run-1', 3),
      (manager) => manager.retry('run-1'),
    ];
    for (const ask of asked) {
      let codes: unknown[] = [];
      for (let at = 1; ; at++) {
        const inner = new MemoryStore();
        const { manager } = await halfDone(inner);
        const read = inner.read.bind(inner);
        let reads = 0;
        inner.read = (request) => {
          if (++reads === at) inner.remove(['run:run-1']);
          return read(request);
        };
        const outcome = await ask(manager).then(
          () => 'done',
          (error: unknown) => (error as OrchestratorError).code,
        );
        if (reads < at) break;
        codes = [...codes, outcome];
      }
      expect(codes.length).toBeGreaterThan(2);
      expect(new Set(codes)).toEqual(new Set(['RUN_NOT_FOUND']));
    }
  });
});
