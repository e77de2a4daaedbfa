/** Checkpoints that are kept without being asked for. */

import type { CheckpointRecord, EventRecord, EventStore } from '@taskmaster-ai/orchestrator';
import {
  defineWorkflow,
  MemoryStore,
  Orchestrator,
  type OrchestratorOptions,
  task,
} from '@taskmaster-ai/orchestrator';
import { ScriptedStore, VirtualClock } from '@taskmaster-ai/orchestrator/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { DurableMemory } from '../support/durable-memory.ts';
import { createGate, nextTurn } from '../support/gate.ts';

/** A durable store that counts what is read, and can let checkpoints wait or fail. */
class Counting extends DurableMemory {
  reads = 0;
  saves = 0;
  before: () => void | Promise<void> = () => {};

  override read(request: Parameters<MemoryStore['read']>[0]): readonly EventRecord[] {
    const records = super.read(request);
    this.reads += records.length;
    return records;
  }
}

function counting(): Counting & EventStore {
  const store = new Counting();
  const save = store.saveCheckpoint.bind(store);
  return Object.assign(store, {
    saveCheckpoint: async (checkpoint: CheckpointRecord, epoch: number): Promise<void> => {
      store.saves++;
      await store.before();
      save(checkpoint, epoch);
    },
  }) as never;
}

async function open(store: EventStore, options: OrchestratorOptions = {}): Promise<Orchestrator> {
  const orchestrator = await Orchestrator.open({
    clock: new VirtualClock(),
    store,
    checkpoints: { everyEvents: 100 },
    ...options,
  });
  onTestFinished(() => orchestrator.close({ grace: 0 }));
  return orchestrator;
}

/** One that says how far it is so many times, then waits for somebody. */
function talker(times: number, wait: () => Promise<unknown>) {
  const talk = task('talk', {
    run: async ({ progress }) => {
      for (let i = 0; i < times; i++) {
        progress(i);
        if (i % 10 === 0) await nextTurn();
      }
      await wait();
      return 'talked';
    },
  });
  return defineWorkflow('talker', {
    tasks: [talk, task('after', { dependencies: { talk }, run: () => 'done' })],
  });
}

const never = (): Promise<never> => new Promise(() => {});
const settledTurns = async (): Promise<void> => {
  for (let i = 0; i < 60; i++) await nextTurn();
};

describe('checkpoints that are kept by themselves', () => {
  it('given a log that grows long, then it is read again from the newest one, and nothing is lost', async () => {
    const store = counting();
    const first = await open(store);
    const { runId } = await first.manageWorkflow(talker(1_000, never));
    await settledTurns();
    while (store.read({ stream: `run:${runId}`, fromSeq: 1_000, limit: 9 }).length < 2) await nextTurn();
    await settledTurns();
    await first.close({ grace: 0 });
    const [kept, ...others] = await first.persistence.listCheckpoints(runId);
    expect(others).toEqual([]);
    expect(kept?.seq).toBeGreaterThan(850);
    expect(store.saves).toBeGreaterThanOrEqual(8);
    expect(store.saves).toBeLessThanOrEqual(10);

    store.reads = 0;
    const second = await open(store, { workflows: [talker(0, () => Promise.resolve())] });
    const run = second.getRun(runId);
    // The head of its log, the record at the checkpoint, and what came behind it.
    expect(store.reads).toBeLessThan(200);
    while (run.status !== 'completed') await nextTurn();
    expect((await run.result()).outputs).toEqual({ talk: 'talked', after: 'done' });
    const replayed = await second.persistence.loadState(runId, { seq: 500 });
    expect(replayed.seq).toBe(500);
  });

  it('given the state that a checkpoint holds, then it is that of a replay', async () => {
    const orchestrator = await open(counting());
    const { persistence } = orchestrator;
    const { runId } = await orchestrator.manageWorkflow(talker(400, never));
    await settledTurns();
    const [kept] = await persistence.listCheckpoints(runId);
    expect(kept?.seq).toBeGreaterThan(100);
    const { seq = 0, id = '' } = kept ?? {};
    const restored = await persistence.loadState(runId, { seq });
    expect(await persistence.removeCheckpoint(id)).toBe(true);
    expect(restored).toEqual(await persistence.loadState(runId, { seq }));
  });

  it('given one that takes its time, then no other of the same run is begun, and no task waits for it', async () => {
    const store = counting();
    const gate = createGate();
    store.before = () => gate.promise;
    const orchestrator = await open(store);
    const run = await orchestrator.manageWorkflow(talker(1_000, () => Promise.resolve()));
    expect((await run.result()).outputs.after).toBe('done');
    expect(store.saves).toBe(1);
    gate.open();
    await settledTurns();
    expect(await orchestrator.persistence.listCheckpoints(run.runId)).toHaveLength(1);
  });

  it('given a store that refuses them, then the logger is told, and it is tried after as many events again', async () => {
    const store = counting();
    store.before = () => {
      throw new Error('no room');
    };
    const told: unknown[] = [];
    const silent = (): void => {};
    const warn = (fields: object): void => {
      told.push(fields);
    };
    const orchestrator = await open(store, { logger: { debug: silent, info: silent, error: silent, warn } });
    const run = await orchestrator.manageWorkflow(talker(350, () => Promise.resolve()));
    await run.result();
    expect(store.saves).toBe(3);
    expect(told).toHaveLength(3);
    expect(told[0]).toMatchObject({ runId: run.runId, error: { message: 'no room' } });
  });

  it('given a run of many tasks and few events for each, a run that has ended, `false`, or a store in memory, then none is kept', async () => {
    const many = defineWorkflow('many', {
      tasks: Array.from({ length: 300 }, (_, i) => task(`t${i}`, { run: () => i })),
    });
    const store = counting();
    const orchestrator = await open(store);
    await (await orchestrator.manageWorkflow(many)).result();
    expect(store.saves).toBe(0);
    const off = counting();
    await (await (await open(off, { checkpoints: false })).manageWorkflow(talker(500, nextTurn))).result();
    expect(off.saves).toBe(0);
    const memory = new ScriptedStore(new MemoryStore());
    await (await (await open(memory)).manageWorkflow(talker(500, nextTurn))).result();
    expect(memory.checkpointCount).toBe(0);
  });

  it('given an append that fails while a state waits to be durable, then that state is never kept', async () => {
    const inner = counting();
    const store = new ScriptedStore(inner, {
      appends: Array.from(
        { length: 12 },
        (_, i) => ({ at: 5 + i * 3, fault: i % 2 === 0 ? 'refuse' : 'unknown' }) as const,
      ),
    });
    const orchestrator = await open(store);
    const run = await orchestrator.manageWorkflow(talker(600, () => Promise.resolve()));
    expect((await run.result()).outputs.after).toBe('done');
    await settledTurns();
    const [kept] = await orchestrator.persistence.listCheckpoints(run.runId);
    expect(kept).toBeDefined();
    const state = await orchestrator.persistence.loadState(run.runId, { seq: kept?.seq ?? 0 });
    expect(state.seq).toBe(kept?.seq);
  });

  it.each([
    { time: 'virtual time', clock: () => new VirtualClock() },
    { time: 'real time', clock: () => undefined },
  ])(
    'given a close while one is being kept, then the store is given back behind it, in $time',
    async ({ clock }) => {
      const store = counting();
      const gate = createGate();
      const order: string[] = [];
      store.before = () => gate.promise.then(() => void order.push('kept'));
      const release = store.release.bind(store);
      store.release = (owner) => {
        order.push('given back');
        release(owner);
      };
      const time = clock();
      const orchestrator = await open(store, { clock: time });
      const run = await orchestrator.manageWorkflow(talker(150, () => Promise.resolve()));
      await run.result();
      expect(store.saves).toBe(1);
      const before = time?.now();
      // Long enough that nobody could wait for its end by mistake.
      const closing = orchestrator.close({ grace: '1h' }).then(() => order.push('closed'));
      await settledTurns();
      expect(order).toEqual([]);
      gate.open();
      await closing;
      expect(order).toEqual(['kept', 'given back', 'closed']);
      expect(time?.now()).toBe(before);
    },
  );

  it('given a store that never answers, then closing ends with its grace, and a late answer changes nothing', async () => {
    const store = counting();
    const gate = createGate();
    store.before = () => gate.promise;
    const warned: unknown[] = [];
    const silent = (): void => {};
    const warn = (fields: object): void => {
      warned.push(fields);
    };
    const logger = { debug: silent, info: silent, error: silent, warn };
    const orchestrator = await open(store, { clock: undefined, logger });
    const run = await orchestrator.manageWorkflow(talker(150, () => Promise.resolve()));
    expect((await run.result()).outputs.after).toBe('done');
    await orchestrator.close({ grace: 30 });
    gate.open();
    await settledTurns();
    expect(warned).toEqual([]);
    const second = await open(store, { workflows: [talker(0, nextTurn)] });
    expect((await second.persistence.loadState(run.runId)).status).toBe('completed');
  });

  it('given a close while its record is being read, then it is not kept, and nobody is told', async () => {
    const inner = counting();
    const warned: unknown[] = [];
    const silent = (): void => {};
    const warn = (fields: object): void => {
      warned.push(fields);
    };
    const store = new ScriptedStore(inner, { readDelay: 120 });
    const logger = { debug: silent, info: silent, error: silent, warn };
    const orchestrator = await open(store, { logger });
    await orchestrator.manageWorkflow(talker(150, never));
    for (let turn = 0; turn < 40; turn++) await nextTurn();
    expect(store.readCount).toBeGreaterThan(0);
    await orchestrator.close({ grace: 0 });
    for (let turn = 0; turn < 300; turn++) await nextTurn();
    expect([inner.saves, warned]).toEqual([0, []]);
  });

  it('given saveState while one is being kept, then what saveState has said is what stays', async () => {
    const store = counting();
    const gate = createGate();
    store.before = () => (store.saves === 1 ? gate.promise : undefined);
    const orchestrator = await open(store);
    const { persistence } = orchestrator;
    const { runId } = await orchestrator.manageWorkflow(talker(150, never));
    await settledTurns();
    expect(store.saves).toBe(1);
    const saving = persistence.saveState(runId);
    gate.open();
    const { seq } = await saving;
    await settledTurns();
    expect(seq).toBeGreaterThan(150);
    expect((await persistence.listCheckpoints(runId)).map((one) => one.seq)).toEqual([seq]);
  });

  it('given one that was damaged, then the log is read instead, and the next one takes its place', async () => {
    const inner = counting();
    const store = new ScriptedStore(inner, { checkpoints: [{ at: 1, times: 99, fault: 'damage' }] });
    const first = await open(store);
    const { runId } = await first.manageWorkflow(talker(350, never));
    await settledTurns();
    await first.close({ grace: 0 });
    expect(store.checkpointCount).toBe(3);
    const { seq } = await first.persistence.loadState(runId);
    inner.reads = 0;
    const second = await open(inner, { workflows: [talker(1, never)] });
    expect(inner.reads).toBeGreaterThanOrEqual(seq);
    await settledTurns();
    const [kept] = await second.persistence.listCheckpoints(runId);
    expect(kept?.seq).toBeGreaterThan(seq);
    await second.close({ grace: 0 });
    inner.reads = 0;
    await open(inner, { workflows: [talker(1, never)] });
    expect(inner.reads).toBeLessThan(20);
  });

  it('given nonsense for the option, then it is refused', async () => {
    for (const odd of [
      true,
      null,
      5,
      'x',
      { everyEvents: 0 },
      { everyEvents: 99 },
      { everyEvents: 1e7 },
      { everyEvents: 'x' },
    ])
      await expect(Orchestrator.open({ checkpoints: odd as never })).rejects.toMatchObject({
        code: 'OPTION_INVALID',
      });
    await expect(Orchestrator.open({ checkpoints: { often: true } as never })).rejects.toMatchObject({
      code: 'OPTION_UNKNOWN',
    });
  });
});
