/** A store that stays broken, a foreign writer, a second orchestrator, and opening again what was left behind. */
import {
  defineWorkflow,
  MemoryStore,
  Orchestrator,
  type OrchestratorOptions,
  type RunEvent,
  task,
} from '@taskmaster-ai/orchestrator';
import { ScriptedStore, VirtualClock } from '@taskmaster-ai/orchestrator/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { rejection } from '../support/errors.ts';
import { createGate, nextTurn } from '../support/gate.ts';
import { storedLog, Witness } from '../support/witness.ts';

const FOR_EVER = Number.POSITIVE_INFINITY;

async function open(options: OrchestratorOptions): Promise<Orchestrator> {
  const orchestrator = await Orchestrator.open({ clock: new VirtualClock(), ...options });
  onTestFinished(() => orchestrator.close({ grace: 0 }));
  return orchestrator;
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await nextTurn();
}

describe('a store that stays broken', () => {
  it('refuses a start that it cannot keep', async () => {
    const store = new ScriptedStore(new MemoryStore(), {
      appends: [{ at: 1, times: FOR_EVER, fault: 'refuse' }],
    });
    const orchestrator = await open({ store });
    let ran = 0;
    const run = task('a', { run: () => ran++ });
    const error = await rejection(orchestrator.manageWorkflow(defineWorkflow('w', { tasks: [run] })));
    expect(error.code).toBe('STORE_UNAVAILABLE');
    expect((error.cause as Error).message).toContain('an append was refused');
    expect(ran).toBe(0);
    expect(orchestrator.runs()).toEqual([]);
    expect(store.appendCount).toBe(6);
  });

  it.each([{ appendDelay: 'none' as const }, { appendDelay: 1 }])(
    'tells everybody who waits: %o',
    async (delay) => {
      const inner = new MemoryStore();
      const store = new ScriptedStore(inner, {
        ...delay,
        appends: [{ at: 3, times: FOR_EVER, fault: 'refuse' }],
      });
      const orchestrator = await open({ store, resources: { cpu: 2 } });
      const cpu = { resourceRequirements: { cpu: 1 } };
      const signals: AbortSignal[] = [];
      const hangs = task('hangs', {
        ...cpu,
        run: ({ signal }) => {
          signals.push(signal);
          return new Promise(() => {});
        },
      });
      const first = task('first', { ...cpu, run: async () => 'first' });
      const second = task('second', { ...cpu, dependencies: { first }, run: async () => 'second' });
      const run = await orchestrator.manageWorkflow(defineWorkflow('w', { tasks: [hangs, first, second] }));
      const reading = (async () => {
        const types: string[] = [];
        try {
          for await (const event of run.events()) types.push(event.type);
        } catch (error) {
          return { types, error };
        }
        return { types, error: undefined };
      })();
      const waiting = [run.result(), run.settled().then(({ error }) => Promise.reject(error))];
      while (store.appendCount < 3) await nextTurn();
      const asked = [run.pause(), run.setPriority('hangs', 3), run.cancelTask('hangs')];
      for (const promise of [...waiting, ...asked])
        expect((await rejection(promise)).code).toBe('STORE_UNAVAILABLE');

      const log = storedLog(inner, run.runId);
      expect((await reading).types).toEqual(log.map((event) => event.type));
      expect((await reading).error).toMatchObject({ code: 'STORE_UNAVAILABLE' });
      expect(signals.map((signal) => signal.aborted)).toEqual([true]);
      expect(orchestrator.resources.usage('cpu').used).toBe(0);
      const settled = await run.settled();
      // `second` has ended, but nobody could make that durable.
      expect(settled.status).toBe('lost');
      expect(settled.outputs).toEqual({ first: 'first' });
      expect(run.status).toBe('in_progress');
      expect(run.tasks().map((view) => view.status)).toEqual(['in_progress', 'completed', 'in_progress']);
      expect(await rejection(run.result())).toMatchObject({ code: 'STORE_UNAVAILABLE' });
      expect((await rejection(run.cancel())).code).toBe('STORE_UNAVAILABLE');
    },
  );

  it('leaves what it has so that it can go on when it is mended', async () => {
    const inner = new MemoryStore();
    const witness = new Witness(inner);
    const a = task('a', { run: witness.handler(async () => 'a') });
    const b = task('b', { dependencies: { a }, run: witness.handler(async () => 'b', ['a']) });
    const workflow = defineWorkflow('w', { tasks: [a, b] });
    const broken = await open({
      store: new ScriptedStore(inner, { appends: [{ at: 3, times: FOR_EVER, fault: 'refuse' }] }),
      workflows: [workflow],
    });
    const run = await broken.manageWorkflow(workflow);
    await rejection(run.result());
    await broken.close();
    const mended = await open({ store: inner, workflows: [workflow] });
    const { outputs } = await mended.getRun(run.runId).result();
    expect(outputs).toEqual({ a: 'a', b: 'b' });
    // The end of `b` was never durable, so it ran once more, as the same attempt; `a` did not.
    expect([witness.startsOf('a'), witness.startsOf('b')]).toEqual([1, 2]);
    expect(storedLog(inner, run.runId).filter(({ type }) => type === 'TaskStarted')).toHaveLength(2);
    expect(witness.faults).toEqual([]);
  });

  it('counts failures in a row only', async () => {
    const store = new ScriptedStore(new MemoryStore(), {
      appends: Array.from({ length: 12 }, (_, i) => ({ at: 2 + 6 * i, times: 5, fault: 'refuse' as const })),
    });
    const orchestrator = await open({ store });
    const tasks = Array.from({ length: 8 }, (_, i) =>
      task(`t${i}`, { dependencies: i === 0 ? [] : [`t${i - 1}`], run: async () => i }),
    );
    const run = await orchestrator.manageWorkflow(defineWorkflow('w', { tasks }));
    await run.result();
    expect(store.appendCount).toBe(9 + 8 * 5);
  });

  it('is not waited for after close()', async () => {
    const store = new ScriptedStore(new MemoryStore(), {
      appendDelay: 1,
      appends: [{ at: 1, times: FOR_EVER, fault: 'refuse' }],
    });
    const clock = new VirtualClock({ auto: false });
    const orchestrator = await open({ store, clock });
    const starting = orchestrator.manageWorkflow(
      defineWorkflow('w', { tasks: [task('a', { run: () => 1 })] }),
    );
    const refused = rejection(starting);
    await clock.advance(1);
    await turns(5);
    await orchestrator.close({ grace: 0 });
    expect((await refused).code).toBe('ORCHESTRATOR_CLOSED');
    expect(clock.pending).toBe(0);
  });

  it('is waited for by close() as long as its grace allows', async () => {
    const inner = new MemoryStore();
    const store = new ScriptedStore(inner, {
      appendDelay: 1,
      appends: [{ at: 2, times: 3, fault: 'refuse' }],
    });
    const clock = new VirtualClock();
    const orchestrator = await open({ store, clock });
    const run = await orchestrator.manageWorkflow(
      defineWorkflow('w', { tasks: [task('a', { run: async () => 1 })] }),
    );
    const result = run.result();
    while (store.appendCount < 2) await nextTurn();
    await orchestrator.close({ grace: '1m' });
    expect((await result).outputs).toEqual({ a: 1 });
    expect(clock.now()).toBeLessThan(60_000);
  });
});

describe('somebody else at the store', () => {
  it('gives a run up, at once, whose log has what it did not write: whoever did goes on with it', async () => {
    const inner = new MemoryStore();
    const witness = new Witness(inner);
    const orchestrator = await open({ store: new ScriptedStore(inner), monitors: [witness.monitor] });
    const gate = createGate();
    const a = task('a', { run: witness.handler(() => gate.promise) });
    const b = task('b', { dependencies: { a }, run: witness.handler(() => 'b', ['a']) });
    const run = await orchestrator.manageWorkflow(defineWorkflow('w', { tasks: [a, b] }));
    const stream = `run:${run.runId}`;
    const progress = { runId: run.runId, path: 'a', attempt: 1, progress: 'foreign', at: 0 };
    const event: RunEvent = { type: 'TaskProgressed', seq: 4, ...progress };
    inner.append([
      {
        stream,
        expectedSeq: 3,
        epoch: 1,
        events: [event],
        versions: {},
      },
    ]);
    gate.open();
    expect((await rejection(run.result())).code).toBe('STORE_FENCED');
    // Nothing was written behind it, and `b` has not begun.
    expect(storedLog(inner, run.runId).map(({ type }) => type)).toEqual([
      'RunCreated',
      'RunStarted',
      'TaskStarted',
      'TaskProgressed',
    ]);
  });

  it('lets no second orchestrator have a store that is in use', async () => {
    const store = new MemoryStore();
    const first = await open({ store });
    const error = await rejection(Orchestrator.open({ store: new ScriptedStore(store) }));
    expect(error.code).toBe('STORE_OWNED');
    await first.close();
    const second = await open({ store });
    const run = await second.manageWorkflow(defineWorkflow('w', { tasks: [task('a', { run: () => 1 })] }));
    expect((await run.result()).outputs).toEqual({ a: 1 });
  });

  it('keeps runs apart: one whose appends are always refused takes none with it', async () => {
    const inner = new MemoryStore();
    let poisoned = '';
    const store = new (class extends ScriptedStore {
      override append(batch: Parameters<ScriptedStore['append']>[0]): ReturnType<ScriptedStore['append']> {
        if (batch.some(({ stream }) => stream === poisoned))
          return Promise.reject(new Error('this one never'));
        return super.append(batch);
      }
    })(inner);
    const orchestrator = await open({ store });
    const workflow = defineWorkflow('w', {
      tasks: Array.from({ length: 4 }, (_, i) =>
        task(`t${i}`, { dependencies: i === 0 ? [] : [`t${i - 1}`], run: async () => i }),
      ),
    });
    const runs = await Promise.all(Array.from({ length: 8 }, () => orchestrator.manageWorkflow(workflow)));
    poisoned = `run:${runs[3]?.runId}`;
    const ends = await Promise.all(runs.map(async (run) => (await run.settled()).status));
    expect(ends).toEqual(runs.map((_, i) => (i === 3 ? 'lost' : 'completed')));
  });
});
