/** An orchestrator ends in the middle of runs, and another one goes on with them from the same store. */
import {
  defineWorkflow,
  MemoryStore,
  Orchestrator,
  type OrchestratorOptions,
  task,
  type Workflow,
} from '@taskmaster-ai/orchestrator';
import { ScriptedStore, VirtualClock } from '@taskmaster-ai/orchestrator/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { runFaulty } from '../support/faulty-run.ts';
import { nextTurn } from '../support/gate.ts';
import { SMALL_WORKFLOWS } from '../support/small-workflows.ts';
import { storedLog, Witness } from '../support/witness.ts';

async function open(options: OrchestratorOptions): Promise<Orchestrator> {
  const orchestrator = await Orchestrator.open({ clock: new VirtualClock(), ...options });
  onTestFinished(() => orchestrator.close({ grace: 0 }));
  return orchestrator;
}

async function until(isSo: () => boolean): Promise<void> {
  for (let turn = 0; !isSo(); turn++) {
    if (turn > 10_000) throw new Error('it never became so');
    await nextTurn();
  }
}

/** A time that a clock of a later process starts at: after everything that the earlier one has seen. */
function later(clock: VirtualClock): VirtualClock {
  return new VirtualClock({ startAt: clock.now() + 1 });
}

describe('opening a store with unfinished runs', () => {
  it('runs again what was cut off, under the same attempt, and nothing that has completed', async () => {
    const store = new MemoryStore();
    const witness = new Witness(store);
    const never: Promise<string> = new Promise(() => {});
    let isFirst = true;
    const a = task('a', { run: witness.handler(() => 'a') });
    const b = task('b', { dependencies: { a }, run: witness.handler(() => (isFirst ? never : 'b'), ['a']) });
    const c = task('c', { dependencies: { b }, run: witness.handler(({ attempt }) => attempt, ['b']) });
    const workflow = defineWorkflow('w', { tasks: [a, b, c] });
    const first = await open({ store, workflows: [workflow] });
    const run = await first.manageWorkflow(workflow, { input: { topic: 'tides' } });
    expect(run.tasks().map((view) => view.status)).toEqual(['completed', 'in_progress', 'created']);
    await first.close({ grace: 0 });
    isFirst = false;
    // The body that hangs belongs to a process that is gone.
    const judge = new Witness(store);
    const copy = defineWorkflow('w', {
      tasks: [
        task('a', { run: judge.handler(() => 'a') }),
        task('b', { dependencies: ['a'], run: judge.handler(({ attempt }) => `b:${attempt}`, ['a']) }),
        task('c', { dependencies: ['b'], run: judge.handler(({ attempt }) => attempt, ['b']) }),
      ],
    });
    const second = await open({ store, workflows: [copy], monitors: [judge.monitor] });
    const found = second.getRun(run.runId);
    expect((await found.result()).outputs).toEqual({ a: 'a', b: 'b:1', c: 1 });
    expect([judge.startsOf('a'), judge.startsOf('b'), judge.startsOf('c')]).toEqual([0, 1, 1]);
    expect(judge.faults).toEqual([]);
    // What happened before is not told again.
    expect(judge.heard.map((event) => event.seq)).toEqual([6, 7, 8, 9, 10]);
    const log = storedLog(store, run.runId);
    expect(log.map((event) => event.seq)).toEqual(log.map((_, i) => i + 1));
  });

  it('finds it at every point of its log', async () => {
    for (const small of SMALL_WORKFLOWS.filter(({ drive }) => drive === undefined)) {
      const wanted = await runFaulty(small, { appendDelay: 1 });
      for (let kept = 1; kept < wanted.appends; kept++) {
        const inner = new MemoryStore();
        const clock = new VirtualClock();
        const cut = new ScriptedStore(inner, {
          appendDelay: 1,
          appends: [{ at: kept + 1, times: Number.POSITIVE_INFINITY, fault: 'refuse' }],
        });
        const lost = small.define(new Witness(inner));
        const dying = await open({ ...small.options, clock, store: cut, workflows: [lost] });
        const run = await dying.manageWorkflow(lost);
        await until(() => cut.appendCount > kept);
        await dying.close({ grace: 0 });

        const witness = new Witness(inner);
        const again = small.define(witness);
        const next = await open({ ...small.options, clock: later(clock), store: inner, workflows: [again] });
        const settled = await next.getRun(run.runId).settled();
        expect({ status: settled.status, outputs: settled.outputs }, `${small.name} after ${kept}`).toEqual({
          status: wanted.status,
          outputs: wanted.outputs,
        });
        expect(witness.faults).toEqual([]);
        await next.close({ grace: 0 });
      }
    }
  });

  it('keeps a paused run paused, its priorities, and a wait for the next attempt', async () => {
    const store = new MemoryStore();
    const clock = new VirtualClock({ auto: false });
    const ran: string[] = [];
    const define = (): Workflow<unknown> =>
      defineWorkflow('w', {
        tasks: ['a', 'b', 'c'].map((id) =>
          task(id, {
            retry: { maxAttempts: 2, delay: '1h', maxDelay: '1h' },
            run: ({ attempt }) => {
              ran.push(`${id}${attempt}`);
              if (id === 'a' && attempt === 1) throw new Error('again');
              return id;
            },
          }),
        ),
      });
    const workflow = define();
    const first = await open({
      store,
      clock,
      concurrency: 1,
      random: { next: () => 0.5 },
      workflows: [workflow],
    });
    first.pause();
    const run = await first.manageWorkflow(workflow);
    await run.setPriority('c', 5);
    await run.setPriority('a', 9);
    first.resume();
    await until(() => ran.length === 3);
    await run.pause();
    expect(ran).toEqual(['a1', 'c1', 'b1']);
    await clock.advance('10m');
    await first.close({ grace: 0 });

    const clock2 = new VirtualClock({ auto: false, startAt: clock.now() });
    const second = await open({ store, clock: clock2, workflows: [define()] });
    const found = second.getRun(run.runId);
    expect(found.status).toBe('paused');
    expect(found.tasks().map((view) => view.reason)).toEqual(['timer', undefined, undefined]);
    await clock2.advance('2h');
    expect(ran).toHaveLength(3);
    expect(found.tasks()[0]).toMatchObject({ status: 'waiting', reason: 'paused' });
    await found.resume();
    expect((await found.result()).outputs).toEqual({ a: 'a', b: 'b', c: 'c' });
    expect(ran[3]).toBe('a2');
  });

  it('watches the time limits of what it runs again', async () => {
    const store = new MemoryStore();
    const clock = new VirtualClock({ auto: false });
    const hang = (): Promise<never> => new Promise(() => {});
    const define = (): Workflow<unknown> =>
      defineWorkflow('w', {
        failurePolicy: 'continue',
        tasks: [
          task('attempt', { timeout: '1m', run: hang }),
          task('whole', { totalTimeout: '1h', run: hang }),
          task('silent', { heartbeatTimeout: '2m', run: hang }),
        ],
      });
    const workflow = define();
    const first = await open({ store, clock, workflows: [workflow] });
    const run = await first.manageWorkflow(workflow);
    await clock.advance('30s');
    await first.close({ grace: 0 });
    const second = await open({ store, clock: later(clock), workflows: [define()], cancelGrace: 0 });
    const settled = await second.getRun(run.runId).settled();
    const failures = Object.fromEntries(settled.failures.map(({ path, failure }) => [path, failure.code]));
    expect(failures).toEqual({ attempt: 'TASK_TIMEOUT', whole: 'TASK_TIMEOUT', silent: 'TASK_TIMEOUT' });
    const ends = storedLog(store, run.runId).filter(({ type }) => type === 'TaskStopRequested');
    // The whole time of a task counts from its first start, that of an attempt from when it is run again.
    expect(ends.map(({ at }) => Math.round(at / 1_000))).toEqual([90, 150, 3_600]);
  });

  it('goes on with a run that was being cancelled', async () => {
    const store = new MemoryStore();
    const hang = (): Promise<never> => new Promise(() => {});
    const define = (): Workflow<unknown> => defineWorkflow('w', { tasks: [task('a', { run: hang })] });
    const workflow = define();
    const clock = new VirtualClock({ auto: false });
    const first = await open({ store, clock, workflows: [workflow] });
    const run = await first.manageWorkflow(workflow);
    await run.cancel('enough');
    await first.close({ grace: 0 });
    const second = await open({ store, workflows: [define()] });
    expect((await second.getRun(run.runId).settled()).status).toBe('cancelled');
  });

  it('gives the run of a key to whoever asks again, running or ended', async () => {
    const store = new MemoryStore();
    let ran = 0;
    const define = (): Workflow<unknown> => defineWorkflow('w', { tasks: [task('a', { run: () => ++ran })] });
    const workflow = define();
    const first = await open({ store, workflows: [workflow] });
    const run = await first.manageWorkflow(workflow, { key: 'once' });
    await run.result();
    await first.close();
    const again = define();
    const second = await open({ store, workflows: [again] });
    const same = await second.manageWorkflow(again, { key: 'once' });
    expect(same.runId).toBe(run.runId);
    expect((await same.result()).outputs).toEqual({ a: 1 });
    expect(ran).toBe(1);
  });
});
