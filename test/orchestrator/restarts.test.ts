/** What was under way when a process ended is started again, counted apart from its attempts, and not without an end. */
import {
  defineWorkflow,
  type HandlerContext,
  MemoryStore,
  Orchestrator,
  type OrchestratorOptions,
  type RunEvent,
  task,
  type Workflow,
} from '@taskmaster-ai/orchestrator';
import { ScriptedStore, VirtualClock } from '@taskmaster-ai/orchestrator/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { refusal, rejection } from '../support/errors.ts';
import { nextTurn } from '../support/gate.ts';
import { expectRefused, untyped } from '../support/refusals.ts';
import { logOf, ofType, typesOf } from '../support/run-log.ts';
import { storedLog } from '../support/witness.ts';

async function open(options: OrchestratorOptions): Promise<Orchestrator> {
  const orchestrator = await Orchestrator.open({ clock: new VirtualClock(), ...options });
  onTestFinished(() => orchestrator.close({ grace: 0 }));
  return orchestrator;
}

/** A task that hangs for so many processes and then ends, with what its handler was told each time. */
function deadly(hangs: number, options: object = {}) {
  const told: string[] = [];
  const workflow = defineWorkflow('w', {
    failurePolicy: 'continue',
    tasks: [
      task('a', {
        ...options,
        run: ({ attempt, restart, idempotencyKey, runId }: HandlerContext) => {
          told.push(`${attempt}/${restart}`);
          expect(idempotencyKey).toBe(`${runId}/a`);
          return told.length <= hangs ? new Promise<never>(() => {}) : told.length;
        },
      }),
      task('aside', { run: () => 'aside' }),
    ],
  });
  return { workflow, told };
}

/** Opens and ends so many processes on a store; the first one starts the run. */
async function dieOften(store: MemoryStore, workflow: Workflow<unknown>, times: number, options = {}) {
  let runId = '';
  for (let i = 0; i < times; i++) {
    const orchestrator = await open({ ...options, store, workflows: [workflow] });
    if (i === 0) ({ runId } = await orchestrator.manageWorkflow(workflow));
    await orchestrator.close({ grace: 0 });
  }
  return runId;
}

function restartsIn(log: readonly RunEvent[]): readonly string[] {
  return ofType(log, 'TaskRestarted').map(({ path, attempt, restart }) => `${path} ${attempt} ${restart}`);
}

describe('a task that was in progress when its process ended', () => {
  it('is started again as the same attempt, and both log and handler say how often', async () => {
    const store = new MemoryStore();
    const { workflow, told } = deadly(3);
    const runId = await dieOften(store, workflow, 3);
    const last = await open({ store, workflows: [workflow] });
    expect((await last.getRun(runId).result()).outputs).toEqual({ a: 4, aside: 'aside' });
    expect(told).toEqual(['1/0', '1/1', '1/2', '1/3']);
    expect(restartsIn(storedLog(store, runId))).toEqual(['a 1 1', 'a 1 2', 'a 1 3']);
    // A state of any moment between is one to look back to.
    for (let seq = 1; seq <= storedLog(store, runId).length; seq++)
      expect(await last.persistence.loadState(runId, { seq })).toMatchObject({ runId, seq });
    for (const { seq } of storedLog(store, runId)) {
      const fork = await last.getRun(runId).fork({ at: seq });
      expect((await fork.result()).outputs).toMatchObject({ aside: 'aside', a: expect.any(Number) });
    }
  });

  it('is counted over all its attempts, so that the cap holds for the task', async () => {
    const store = new MemoryStore();
    const told: string[] = [];
    const workflow = defineWorkflow('w', {
      tasks: [
        task('a', {
          retry: { maxAttempts: 2, delay: 0 },
          run: ({ attempt, restart }) => {
            told.push(`${attempt}/${restart}`);
            if (told.length === 2) throw new Error('again');
            return told.length < 4 ? new Promise<never>(() => {}) : 'done';
          },
        }),
      ],
    });
    const runId = await dieOften(store, workflow, 1);
    const second = await open({ store, workflows: [workflow] });
    while (told.length < 3) await nextTurn();
    await second.close({ grace: 0 });
    const third = await open({ store, workflows: [workflow] });
    expect((await third.getRun(runId).result()).outputs).toEqual({ a: 'done' });
    expect(told).toEqual(['1/0', '1/1', '2/1', '2/2']);
  });

  it('fails as a dead letter when its process ends once too often, whatever its retry policy says', async () => {
    const store = new MemoryStore();
    const asked: unknown[] = [];
    const retryOn = (failed: unknown): boolean => asked.push(failed) > 0;
    const { workflow, told } = deadly(99, { maxRestarts: 2, retry: { maxAttempts: 5, retryOn } });
    const runId = await dieOften(store, workflow, 3, { maxRestarts: 0 });
    const last = await open({ store, workflows: [workflow], maxRestarts: 0 });
    const settled = await last.getRun(runId).settled();
    expect([settled.status, settled.outputs]).toEqual(['failed', { aside: 'aside' }]);
    expect(settled.failures).toMatchObject([
      {
        path: 'a',
        attempt: 1,
        failure: {
          code: 'TASK_DEAD_LETTER',
          retryable: false,
          message: expect.stringMatching(/ended 3 times while task "a" was in progress; allowed: 2 restarts/),
        },
      },
    ]);
    expect((await rejection(last.getRun(runId).result())).cause).toMatchObject({
      code: 'TASK_DEAD_LETTER',
      details: { path: 'a', restarts: 2, maxRestarts: 2 },
    });
    expect([told, asked]).toEqual([['1/0', '1/1', '1/2'], []]);
    expect(typesOf(storedLog(store, runId), 'a')).toEqual([
      ...['TaskStarted', 'TaskRestarted', 'TaskRestarted', 'TaskFailed'],
    ]);
    // Retried as a new run it begins anew.
    told.length = 0;
    const again = await last.getRun(runId).retry();
    expect(told).toEqual(['1/0']);
    expect(again.tasks()).toMatchObject([{ status: 'in_progress' }, { status: 'completed' }]);
  });

  it.each([
    { of: 'open', options: { maxRestarts: 1 }, wanted: 1 },
    { of: 'nobody', options: {}, wanted: 10 },
  ])('has the cap of $of when it says nothing itself', async ({ options, wanted }) => {
    const store = new MemoryStore();
    const { workflow, told } = deadly(99);
    const runId = await dieOften(store, workflow, wanted + 1, options);
    expect(told).toHaveLength(wanted + 1);
    const last = await open({ ...options, store, workflows: [workflow] });
    expect((await last.getRun(runId).settled()).failures[0]?.failure.code).toBe('TASK_DEAD_LETTER');
    expect(told).toHaveLength(wanted + 1);
  });

  it.each(['refuse', 'conflict', 'unknown', 'late'] as const)(
    'is counted once when the append of its restart is answered with "%s"',
    async (fault) => {
      for (let at = 1; at <= 4; at++) {
        const store = new MemoryStore();
        const { workflow, told } = deadly(1);
        const runId = await dieOften(store, workflow, 1);
        const faulty = new ScriptedStore(store, { appends: [{ at, fault }] });
        const second = await open({ store: faulty, workflows: [workflow] });
        expect((await second.getRun(runId).result()).outputs).toEqual({ a: 2, aside: 'aside' });
        expect(told).toEqual(['1/0', '1/1']);
        expect(restartsIn(storedLog(store, runId))).toEqual(['a 1 1']);
        await second.close();
      }
    },
  );

  it('is not counted when it was told to stop, and so does not start again', async () => {
    const store = new MemoryStore();
    const { workflow, told } = deadly(99);
    const first = await open({ store, workflows: [workflow], clock: new VirtualClock({ auto: false }) });
    const run = await first.manageWorkflow(workflow);
    await run.cancel('enough');
    await first.close({ grace: 0 });
    const second = await open({ store, workflows: [workflow], cancelGrace: 0 });
    expect((await second.getRun(run.runId).settled()).status).toBe('cancelled');
    expect([told, restartsIn(storedLog(store, run.runId))]).toEqual([['1/0'], []]);
  });

  it('is not counted in a fork that was made here and now: nobody has begun it', async () => {
    const { workflow, told } = deadly(99);
    const store = new MemoryStore();
    const orchestrator = await open({
      store,
      workflows: [workflow],
      clock: new VirtualClock({ auto: false }),
    });
    const run = await orchestrator.manageWorkflow(workflow);
    const fork = await run.fork();
    expect(told).toEqual(['1/0', '1/0']);
    expect(restartsIn(storedLog(store, fork.runId))).toEqual([]);
    await orchestrator.close({ grace: 0 });
    const second = await open({ store, workflows: [workflow], clock: new VirtualClock({ auto: false }) });
    expect(told).toEqual(['1/0', '1/0', '1/1', '1/1']);
    expect(restartsIn(storedLog(store, fork.runId))).toEqual(['a 1 1']);
    await second.getRun(fork.runId).cancel();
  });

  it('is not counted as long as it does not start: it waits for its needs in one process after the other', async () => {
    const store = new MemoryStore();
    let isOver = false;
    const run = ({ restart }: { readonly restart: number }) =>
      isOver ? restart : new Promise<never>(() => {});
    const resourceRequirements = { gpu: 1 };
    const workflow = defineWorkflow('w', {
      tasks: [task('first', { resourceRequirements, run }), task('second', { resourceRequirements, run })],
    });
    const runId = await dieOften(store, workflow, 1, { resources: { gpu: 2 } });
    for (let i = 0; i < 3; i++) {
      const narrow = await open({ store, workflows: [workflow], resources: { gpu: 1 } });
      await nextTurn();
      await narrow.close({ grace: 0 });
    }
    expect(restartsIn(storedLog(store, runId))).toEqual(['first 1 1', 'first 1 2', 'first 1 3']);
    isOver = true;
    const last = await open({ store, workflows: [workflow], resources: { gpu: 1 } });
    expect((await last.getRun(runId).result()).outputs).toEqual({ first: 4, second: 1 });
    expect(restartsIn(await logOf(last.getRun(runId))).slice(3)).toEqual(['first 1 4', 'second 1 1']);
  });

  it.each(untyped([-1, 1_001, 1.5, '3', Number.NaN, null, {}]))('has no cap like %s', async (maxRestarts) => {
    expectRefused(
      refusal(() => task('t', { maxRestarts, run: () => 1 })),
      'OPTION_INVALID',
      'task "t"/maxRestarts',
    );
    expectRefused(await rejection(Orchestrator.open({ maxRestarts })), 'OPTION_INVALID', 'open/maxRestarts');
  });
});
