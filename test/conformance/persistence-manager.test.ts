/**
 * `PersistenceManager` (saveState, loadState, createCheckpoint, restoreFromCheckpoint) and, of `Orchestrator`,
 * persistState and recoverState: each by what it does to a real run, and by one refusal.
 */
import {
  defineWorkflow,
  type EventRecord,
  MemoryStore,
  Orchestrator,
  type OrchestratorOptions,
  type ReadRequest,
  type SavedRun,
  task,
  type Workflow,
} from '@taskmaster-ai/orchestrator';
import { ScriptedStore, VirtualClock } from '@taskmaster-ai/orchestrator/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { rejection } from '../support/errors.ts';
import { createGate, nextTurn } from '../support/gate.ts';
import { storedLog } from '../support/witness.ts';

async function open(options: OrchestratorOptions = {}): Promise<Orchestrator> {
  const orchestrator = await Orchestrator.open({ clock: new VirtualClock({ auto: false }), ...options });
  onTestFinished(() => orchestrator.close({ grace: 0 }));
  return orchestrator;
}

/** A logger that keeps warnings and errors. */
function listener() {
  const lines: { readonly fields: Readonly<Record<string, unknown>>; readonly message: string }[] = [];
  const nothing = (): void => {};
  const keep = (fields: Readonly<Record<string, unknown>>, message: string): void => {
    lines.push({ fields, message });
  };
  return { lines, logger: { debug: nothing, info: nothing, warn: keep, error: keep } };
}

/** `search`, then `write`, which waits until it is let go; `ran` has every body that was called. */
function report() {
  const ran: string[] = [];
  const door = createGate();
  const search = task('search', {
    run: ({ input, runId }) => {
      ran.push(`${runId} search`);
      return `found ${(input as { topic: string }).topic}`;
    },
  });
  const write = task('write', {
    dependencies: { search },
    run: async ({ dependencies, runId, attempt }) => {
      ran.push(`${runId} write ${attempt}`);
      await door.promise;
      return `${dependencies.search}, written`;
    },
  });
  return { ran, door, workflow: defineWorkflow('report', { tasks: [search, write] }) };
}

function statuses(saved: SavedRun): readonly string[] {
  return saved.tasks.map(({ taskId, status }) => `${taskId} ${status}`);
}

describe('PersistenceManager', () => {
  it('saveState gives the state that is durable, and recovery begins with it', async () => {
    const { workflow, door, ran } = report();
    const store = new MemoryStore();
    const first = await open({ store, workflows: [workflow] });
    const run = await first.manageWorkflow(workflow, { input: { topic: 'tides' } });
    const saved = await first.persistence.saveState(run.runId);
    expect(saved).toMatchObject({ status: 'in_progress', seq: 5, workflowId: 'report' });
    expect(statuses(saved)).toEqual(['search completed', 'write in_progress']);
    expect(saved.tasks[0]?.output).toBe('found tides');
    await first.close({ grace: 0 });

    // A log of which the beginning cannot be read any more leads nowhere without the checkpoint.
    const read = store.read.bind(store);
    store.read = (request: ReadRequest): readonly EventRecord[] =>
      read(request).map((record) =>
        record.seq > 1 && record.seq < 5 ? { ...record, schemaVersion: 99 } : record,
      );
    const second = await open({ store, workflows: [workflow] });
    door.open();
    expect((await second.getRun(run.runId).result()).outputs).toEqual({
      search: 'found tides',
      write: 'found tides, written',
    });
    expect(ran.filter((line) => line.includes('search'))).toHaveLength(1);
  });

  it('saveState waits until what was decided before is durable', async () => {
    const store = new ScriptedStore(new MemoryStore(), { appendDelay: 3 });
    const { workflow } = report();
    const orchestrator = await open({ store });
    const run = await orchestrator.manageWorkflow(workflow, { input: { topic: 'tides' } });
    const pausing = run.pause();
    expect((await orchestrator.persistence.saveState(run.runId)).status).toBe('paused');
    await pausing;
  });

  it('saveState gives what is durable, while the run is ahead of the store', async () => {
    const inner = new MemoryStore();
    const store = new ScriptedStore(inner, { appendDelay: 6 });
    const { workflow } = report();
    const orchestrator = await open({ store });
    const run = await orchestrator.manageWorkflow(workflow, { input: { topic: 'tides' } });
    const pausing = run.pause();
    const saving = orchestrator.persistence.saveState(run.runId);
    await nextTurn();
    await nextTurn();
    // Decided on the state while the pause is being written, and not durable when that is.
    const resuming = run.resume();
    const saved = await saving;
    // The pause was decided before; whether `write` started before it is the loop's own affair.
    const kept = storedLog(inner, run.runId).filter(({ seq }) => seq <= saved.seq);
    expect(kept.map(({ type }) => type)).toContain('RunPaused');
    expect(saved).toEqual(await orchestrator.persistence.loadState(run.runId, { seq: saved.seq }));
    expect(inner.listCheckpoints(`run:${run.runId}`)).toMatchObject([{ seq: saved.seq }]);
    await Promise.all([pausing, resuming]);
  });

  it('saveState refuses a run that nobody knows', async () => {
    const orchestrator = await open();
    expect(await rejection(orchestrator.persistence.saveState('run-9'))).toMatchObject({
      code: 'RUN_NOT_FOUND',
    });
  });

  it('loadState gives every state that a run had, during it and after its end', async () => {
    const { workflow, door } = report();
    const seen = new Map<number, string>();
    const orchestrator = await open();
    orchestrator.observe({
      observe: ({ runId, seq }) => {
        const tasks = orchestrator.getRun(runId).tasks();
        seen.set(seq, tasks.map(({ taskId, attempt }) => `${taskId} ${attempt}`).join());
      },
    });
    const run = await orchestrator.manageWorkflow(workflow, { input: { topic: 'tides' } });
    expect(statuses(await orchestrator.persistence.loadState(run.runId, { seq: 3 }))).toEqual([
      'search in_progress',
      'write created',
    ]);
    door.open();
    await run.result();
    const last = await orchestrator.persistence.loadState(run.runId);
    expect(last).toMatchObject({ status: 'completed', seq: 7, finishedAt: expect.any(Number) });
    expect(statuses(last)).toEqual(['search completed', 'write completed']);
    const early = await orchestrator.persistence.loadState(run.runId, { seq: 1 });
    expect([early.status, ...statuses(early)]).toEqual(['created', 'search created', 'write created']);
    expect(seen.size).toBe(7);
    const attempts = last.tasks.map(({ taskId, attempt }) => `${taskId} ${attempt}`).join();
    expect(seen.get(7)).toBe(attempts);
  });

  it('loadState refuses a seq that the run does not have, and says which it has', async () => {
    const { workflow } = report();
    const orchestrator = await open();
    const run = await orchestrator.manageWorkflow(workflow, { input: { topic: 'tides' } });
    const refused = await rejection(orchestrator.persistence.loadState(run.runId, { seq: 6 }));
    expect(refused).toMatchObject({ code: 'OPTION_INVALID', details: { lastSeq: 5 } });
  });

  it('createCheckpoint keeps a state that restoreFromCheckpoint gives back as a run of its own', async () => {
    const { workflow, door, ran } = report();
    const orchestrator = await open();
    const { persistence } = orchestrator;
    const run = await orchestrator.manageWorkflow(workflow, { input: { topic: 'tides' }, key: 'once' });
    const checkpoint = await persistence.createCheckpoint(run.runId, { name: 'searched' });
    expect(checkpoint).toMatchObject({ runId: run.runId, seq: 5, name: 'searched' });
    await run.cancel('not this way');

    const { runId, forkedFrom } = await persistence.restoreFromCheckpoint(checkpoint.id);
    expect(forkedFrom).toEqual({ runId: run.runId, seq: 5 });
    const fork = orchestrator.getRun(runId);
    expect([fork.workflowId, fork.workflowVersion]).toEqual([run.workflowId, run.workflowVersion]);
    door.open();
    expect((await fork.result()).outputs).toEqual({
      search: 'found tides',
      write: 'found tides, written',
    });
    expect((await run.settled()).status).toBe('cancelled');
    // What had completed is not run again; what was in progress is, under the same attempt.
    expect(ran).toEqual([`${run.runId} search`, `${run.runId} write 1`, `${runId} write 1`]);
    // The key stays with the run that was started under it.
    expect((await persistence.loadState(run.runId)).key).toBe('once');
    expect(await persistence.loadState(runId)).not.toHaveProperty('key');
    expect(
      (await orchestrator.manageWorkflow(workflow, { input: { topic: 'tides' }, key: 'once' })).runId,
    ).toBe(run.runId);
  });

  it('createCheckpoint refuses a name that is no id, and keeps nothing', async () => {
    const { workflow } = report();
    const orchestrator = await open();
    const run = await orchestrator.manageWorkflow(workflow, { input: { topic: 'tides' } });
    const { persistence } = orchestrator;
    const asked = persistence.createCheckpoint(run.runId, { name: 'before/after' });
    expect(await rejection(asked)).toMatchObject({ code: 'ID_INVALID' });
    expect(await persistence.listCheckpoints(run.runId)).toEqual([]);
  });

  it('restoreFromCheckpoint replays the log when the checkpoint is damaged, and says so', async () => {
    const { lines, logger } = listener();
    const store = new ScriptedStore(new MemoryStore(), {
      appendDelay: 'none',
      readDelay: 'none',
      checkpoints: [{ at: 1, fault: 'damage' }],
    });
    const { workflow, door } = report();
    const orchestrator = await open({ store, logger });
    const run = await orchestrator.manageWorkflow(workflow, { input: { topic: 'tides' } });
    const checkpoint = await orchestrator.persistence.createCheckpoint(run.runId);
    const { runId } = await orchestrator.persistence.restoreFromCheckpoint(checkpoint);
    door.open();
    expect((await orchestrator.getRun(runId).result()).outputs).toMatchObject({ search: 'found tides' });
    expect(lines).toMatchObject([
      {
        fields: { checkpointId: checkpoint.id, error: { code: 'CHECKPOINT_INVALID' } },
        message: 'a checkpoint could not be used; the log is replayed instead',
      },
    ]);
  });

  it('restoreFromCheckpoint refuses an id that it does not know, and starts nothing', async () => {
    const orchestrator = await open();
    const asked = orchestrator.persistence.restoreFromCheckpoint('run-1/4');
    expect(await rejection(asked)).toMatchObject({ code: 'CHECKPOINT_NOT_FOUND' });
    expect(orchestrator.runs()).toEqual([]);
  });
});

describe('a fork', () => {
  it('goes on from any event, with another input, while the run it was made from goes on too', async () => {
    const { workflow, door, ran } = report();
    const store = new MemoryStore();
    const orchestrator = await open({ store });
    const run = await orchestrator.manageWorkflow(workflow, { input: { topic: 'tides' } });
    const fork = await run.fork({ at: 2, input: { topic: 'the moon' } });
    door.open();
    expect((await fork.result()).outputs).toEqual({
      search: 'found the moon',
      write: 'found the moon, written',
    });
    expect((await run.result()).outputs).toMatchObject({ search: 'found tides' });
    expect(ran.filter((line) => line.startsWith(fork.runId))).toHaveLength(2);
    expect(storedLog(store, fork.runId)[0]).toMatchObject({
      type: 'RunCreated',
      runId: fork.runId,
      forkedFrom: { runId: run.runId, seq: 2 },
      input: { topic: 'the moon' },
    });
  });

  it('is a run like any other: it can be forked again, recovered and released', async () => {
    const { workflow, door } = report();
    const store = new MemoryStore();
    const first = await open({ store, workflows: [workflow] });
    const run = await first.manageWorkflow(workflow, { input: { topic: 'tides' } });
    const fork = await (await run.fork()).fork();
    await first.close({ grace: 0 });
    const second = await open({ store, workflows: [workflow] });
    expect(second.runs()).toHaveLength(3);
    door.open();
    const found = second.getRun(fork.runId);
    expect((await found.result()).outputs).toMatchObject({ write: 'found tides, written' });
    expect(found.release()).toBe(true);
    expect(await rejection(second.persistence.loadState(fork.runId))).toMatchObject({
      code: 'RUN_NOT_FOUND',
    });
  });

  it('of a run that has ended, at its end, has ended like it', async () => {
    const orchestrator = await open();
    const workflow = defineWorkflow('w', { tasks: [task('a', { run: () => 1 })] });
    const run = await orchestrator.manageWorkflow(workflow);
    await run.result();
    const fork = await run.fork();
    expect((await fork.result()).outputs).toEqual({ a: 1 });
    const again = await run.fork({ at: 3 });
    expect((await again.result()).outputs).toEqual({ a: 1 });
  });

  it('begins behind the whole step that an event lies in', async () => {
    const orchestrator = await open();
    const failing = task('a', {
      run: () => {
        throw new Error('no');
      },
    });
    const workflow = defineWorkflow('w', {
      tasks: [failing, task('b', { dependencies: { failing }, run: () => 1 })],
    });
    const run = await orchestrator.manageWorkflow(workflow);
    await run.settled();
    // 4 is the failure, 5 the task that it skips, 6 the end of the run.
    const fork = await run.fork({ at: 4 });
    expect((await fork.settled()).status).toBe('failed');
    expect((await orchestrator.persistence.loadState(fork.runId)).seq).toBe(6);
  });

  it('gives limits and retries the time that was left at the fork point', async () => {
    const clock = new VirtualClock({ auto: false });
    const orchestrator = await open({ clock, cancelGrace: 0 });
    const slow = task('slow', { totalTimeout: '1h', run: () => new Promise<never>(() => {}) });
    const run = await orchestrator.manageWorkflow(defineWorkflow('w', { tasks: [slow] }));
    await clock.advance('30m');
    await clock.advance('5h');
    expect((await run.settled()).status).toBe('failed');
    const fork = await run.fork({ at: 3 });
    await clock.advance('59m');
    expect(fork.status).toBe('in_progress');
    await clock.advance('2m');
    expect((await fork.settled()).failures[0]?.failure.code).toBe('TASK_TIMEOUT');
  });

  it('refuses what is no place in the run, and an input that the schema does not let pass', async () => {
    const { workflow } = report();
    const orchestrator = await open();
    const run = await orchestrator.manageWorkflow(workflow, { input: { topic: 'tides' } });
    const other = await orchestrator.manageWorkflow(workflow, { input: { topic: 'sun' } });
    const foreign = await orchestrator.persistence.createCheckpoint(other.runId);
    for (const [options, code] of [
      [{ at: 6 }, 'OPTION_INVALID'],
      [{ at: 0 }, 'OPTION_INVALID'],
      [{ at: foreign }, 'OPTION_INVALID'],
      [{ at: foreign.id }, 'CHECKPOINT_NOT_FOUND'],
      [{ at: null }, 'OPTION_INVALID'],
      [{ to: 3 }, 'OPTION_UNKNOWN'],
      [{ input: () => 1 }, 'VALUE_UNSERIALISABLE'],
    ] as const)
      expect(await rejection(run.fork(options as never)), JSON.stringify(options)).toMatchObject({ code });
    expect(orchestrator.runs()).toHaveLength(2);
  });
});

describe('Orchestrator', () => {
  it('persistState makes everything decided so far durable, and keeps a checkpoint of each run that goes on', async () => {
    const inner = new MemoryStore();
    const store = new ScriptedStore(inner, { appendDelay: 4 });
    const { workflow } = report();
    const orchestrator = await open({ store });
    const runs = await Promise.all(
      ['tides', 'moon', 'sun'].map((topic) => orchestrator.manageWorkflow(workflow, { input: { topic } })),
    );
    const ended = await orchestrator.scheduleTask(task('quick', { run: () => 1 }));
    await ended.result();
    const pausing = runs.map((run) => run.pause());
    expect(await orchestrator.persistState()).toEqual({ runs: 3, checkpoints: 3, failed: [] });
    for (const run of runs) {
      expect(storedLog(inner, run.runId).at(-1)?.type).toBe('RunPaused');
      expect(inner.listCheckpoints(`run:${run.runId}`)).toHaveLength(1);
    }
    expect(inner.listCheckpoints(`run:${ended.runId}`)).toHaveLength(0);
    await Promise.all(pausing);
    // Again changes nothing but the time of the checkpoints.
    expect(await orchestrator.persistState()).toEqual({ runs: 3, checkpoints: 3, failed: [] });
    for (const run of runs) expect(inner.listCheckpoints(`run:${run.runId}`)).toHaveLength(1);
  });

  it.each(['refuse', 'unknown', 'damage'] as const)(
    'persistState loses nothing when the store fails while a checkpoint is written: %s',
    async (fault) => {
      const inner = new MemoryStore();
      const { workflow, door } = report();
      const { lines, logger } = listener();
      const store = new ScriptedStore(inner, { checkpoints: [{ at: 1, fault }] });
      const first = await open({ store, logger, workflows: [workflow] });
      const run = await first.manageWorkflow(workflow, { input: { topic: 'tides' } });
      const persisted = await first.persistState();
      expect(persisted.failed.map(({ runId }) => runId)).toEqual(fault === 'damage' ? [] : [run.runId]);
      await first.close({ grace: 0 });
      const second = await open({ store: inner, logger, workflows: [workflow] });
      door.open();
      expect((await second.getRun(run.runId).result()).outputs).toMatchObject({
        write: 'found tides, written',
      });
      // Told either when it was written or when it could not be used.
      expect(lines.length).toBe(1);
    },
  );

  it('persistState ends its wait by a signal, and is refused by a closed orchestrator', async () => {
    const { workflow } = report();
    const orchestrator = await open();
    await orchestrator.manageWorkflow(workflow, { input: { topic: 'tides' } });
    expect(await rejection(orchestrator.persistState({ signal: AbortSignal.abort() }))).toMatchObject({
      code: 'WAIT_ABORTED',
    });
    expect(await rejection(orchestrator.persistState({ soon: true } as never))).toMatchObject({
      code: 'OPTION_UNKNOWN',
    });
    await orchestrator.close({ grace: 0 });
    expect(await rejection(orchestrator.persistState())).toMatchObject({ code: 'ORCHESTRATOR_CLOSED' });
  });

  it('recoverState goes on with what lacked its workflow when the store was opened, once', async () => {
    const store = new MemoryStore();
    const { workflow, door, ran } = report();
    const first = await open({ store, workflows: [workflow] });
    const run = await first.manageWorkflow(workflow, { input: { topic: 'tides' } });
    await first.close({ grace: 0 });

    const second = await open({ store });
    expect(await second.recoverState()).toEqual({
      recovered: [],
      left: [
        {
          runId: run.runId,
          workflowId: 'report',
          workflowVersion: 1,
          reason: 'workflow_missing',
          handlers: [],
        },
      ],
      lost: [],
    });
    await second.manageWorkflow(workflow, { input: { topic: 'moon' } });
    const [one, other] = await Promise.all([second.recoverState(), second.recoverState()]);
    expect([one.recovered, other.recovered]).toEqual([[run.runId], [run.runId]]);
    expect((await second.recoverState()).recovered).toEqual([]);
    door.open();
    await second.getRun(run.runId).result();
    expect(ran.filter((line) => line === `${run.runId} write 1`)).toHaveLength(2);
  });

  it('recoverState brings a run back that was given up on, when the store is well again', async () => {
    const inner = new MemoryStore();
    const store = new ScriptedStore(inner, {
      appendDelay: 'none',
      appends: [{ at: 3, times: 6, fault: 'refuse' }],
    });
    let calls = 0;
    const steps = ['a', 'b'].map((id, i) =>
      task(id, {
        ...(i === 0 ? undefined : { dependencies: ['a'] }),
        run: async () => {
          calls++;
          await nextTurn();
          return id;
        },
      }),
    );
    const workflow: Workflow<unknown> = defineWorkflow('w', { tasks: steps });
    const orchestrator = await open({ store, clock: new VirtualClock(), retainRuns: 2 });
    const run = await orchestrator.manageWorkflow(workflow);
    expect(await rejection(run.result())).toMatchObject({ code: 'STORE_UNAVAILABLE' });
    expect((await orchestrator.recoverState()).recovered).toEqual([run.runId]);
    expect((await orchestrator.getRun(run.runId).result()).outputs).toEqual({ a: 'a', b: 'b' });
    expect(calls).toBeGreaterThanOrEqual(3);
    // Of the ended runs the last are kept, as ever.
    for (let i = 0; i < 4; i++) await (await orchestrator.manageWorkflow(workflow)).result();
    expect(orchestrator.runs()).toHaveLength(2);
  });

  it('recoverState is refused by a closed orchestrator', async () => {
    const orchestrator = await open();
    await orchestrator.close();
    expect(await rejection(orchestrator.recoverState())).toMatchObject({ code: 'ORCHESTRATOR_CLOSED' });
  });
});

describe('the recovery of several runs', () => {
  it('reports a log that makes no sense as a lost run, and goes on with the others', async () => {
    const store = new MemoryStore();
    const { workflow, door } = report();
    const first = await open({ store, workflows: [workflow] });
    const runs = await Promise.all(
      ['tides', 'moon', 'sun', 'stars'].map((topic) => first.manageWorkflow(workflow, { input: { topic } })),
    );
    await first.close({ grace: 0 });
    const [damaged, , unknown] = runs.map((run) => run.runId);
    const read = store.read.bind(store);
    const isDamaged = { value: true };
    store.read = (request: ReadRequest): readonly EventRecord[] =>
      read(request).map((record) => {
        if (!isDamaged.value) return record;
        if (record.stream === `run:${damaged}` && record.seq === 4)
          return { ...record, payload: { ...(record.payload as object), path: 'gone' } };
        return record.stream === `run:${unknown}` ? { ...record, schemaVersion: 9 } : record;
      });
    const { lines, logger } = listener();
    const second = await open({ store, logger, workflows: [workflow] });
    expect(lines.map(({ fields }) => fields.runId)).toEqual([unknown, damaged]);
    // Of the first it is known what it is a run of, so that it has a handle that says what happened.
    expect(await rejection(second.getRun(damaged as string).result())).toMatchObject({
      code: 'HISTORY_INVALID',
    });
    const again = await second.recoverState();
    expect(again.lost.map(({ runId, error }) => [runId, error.code])).toEqual([
      [unknown, 'EVENT_UNKNOWN'],
      [damaged, 'HISTORY_INVALID'],
    ]);
    door.open();
    for (const run of [runs[1], runs[3]])
      expect((await second.getRun(run?.runId as string).result()).status).toBe('completed');
    isDamaged.value = false;
    expect(new Set((await second.recoverState()).recovered)).toEqual(new Set([damaged, unknown]));
    expect((await second.getRun(damaged as string).result()).status).toBe('completed');
  });

  it('numbers runs as they were started, not as the store lists them', async () => {
    class Shuffled extends MemoryStore {
      override list(request: Parameters<MemoryStore['list']>[0]) {
        return [...super.list(request)].reverse();
      }
    }
    const store = new Shuffled();
    const clock = new VirtualClock({ auto: false });
    const order: unknown[] = [];
    const workflow = defineWorkflow('w', {
      tasks: [task('a', { run: ({ input }) => order.push(input) })],
    });
    const first = await open({ store, clock, workflows: [workflow] });
    first.pause();
    const runs = [];
    for (const input of [1, 2, 3]) {
      runs.push(await first.manageWorkflow(workflow, { input }));
      await clock.advance('1s');
    }
    // A fork was started when it was made, whatever its history says.
    const fork = await (runs[0] as (typeof runs)[0]).fork({ input: 4 });
    await first.close({ grace: 0 });
    const second = await open({ store, clock, workflows: [workflow], concurrency: 1, policy: 'fifo' });
    for (const { runId } of [...runs, fork]) await second.getRun(runId).result();
    expect(second.runs().map(({ runId }) => runId)).toEqual([...runs, fork].map(({ runId }) => runId));
    expect(order).toEqual([1, 2, 3, 4]);
  });
});
