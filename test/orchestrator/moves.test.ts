/** Runs that go on with another version of their workflow while they run. */
import {
  defineWorkflow,
  MemoryStore,
  Orchestrator,
  type OrchestratorOptions,
  type Run,
  type RunEvent,
  task,
  type Workflow,
} from '@taskmaster-ai/orchestrator';
import { type AppendFault, ScriptedStore, VirtualClock } from '@taskmaster-ai/orchestrator/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { DurableMemory } from '../support/durable-memory.ts';
import { refusal, rejection } from '../support/errors.ts';
import { createGate, nextTurn } from '../support/gate.ts';

async function open(options: OrchestratorOptions = {}): Promise<Orchestrator> {
  const orchestrator = await Orchestrator.open({ clock: new VirtualClock(), ...options });
  onTestFinished(() => orchestrator.close({ grace: 0 }));
  return orchestrator;
}

type Body = (context: { readonly attempt: number; readonly idempotencyKey: string }) => unknown;

/** `search` → `parse` → `write`; what is given takes the place of the bodies, and of the data of `parse`. */
function report(bodies: Readonly<Record<string, Body>> = {}, data?: unknown, extra: readonly string[] = []) {
  const search = task('search', { run: bodies.search ?? (() => 'found') });
  const parse = task('parse', {
    dependencies: { search },
    inputData: data,
    run: bodies.parse ?? (({ inputData }) => `parsed ${String(inputData)}`),
  });
  const write = task('write', {
    dependencies: { parse },
    run: bodies.write ?? (({ dependencies }) => `wrote ${String(dependencies.parse)}`),
  });
  const more = extra.map((id) => task(id, { dependencies: { search }, run: bodies[id] ?? (() => id) }));
  return defineWorkflow('report', { tasks: [...more, search, parse, write] });
}

function statuses(run: Pick<Run, 'tasks'>): Readonly<Record<string, string>> {
  return Object.fromEntries(run.tasks().map(({ taskId, status }) => [taskId, status]));
}

async function until(isSo: () => boolean): Promise<void> {
  for (let turn = 0; !isSo(); turn++) {
    if (turn > 10_000) throw new Error('it never became so');
    await nextTurn();
  }
}

async function eventsOf(run: Pick<Run, 'events'>): Promise<readonly RunEvent[]> {
  const events: RunEvent[] = [];
  for await (const event of run.events()) events.push(event);
  return events;
}

describe('run.moveTo', () => {
  it('given a checkpoint after it, and a version with the same graph, then who recovers the run goes on with that version', async () => {
    const store = new DurableMemory();
    const held = createGate();
    const search: Body = async () => {
      await held.promise;
      return 'found';
    };
    const versions = [report({ search }, 1), report({ search }, 2)] as const;
    const first = await open({ store });
    const run = await first.manageWorkflow(versions[0]);
    await until(() => statuses(run).search === 'in_progress');
    const { version } = first.workflows.updateWorkflow('report', versions[1]);
    await run.moveTo(version);
    await first.persistence.saveState(run.runId);
    await first.close({ grace: 0 });
    const second = await open({ store, workflows: [...versions] });
    held.open();
    const { outputs } = await second.getRun(run.runId).result();
    expect(outputs).toMatchObject({ write: 'wrote parsed 2' });
  });

  it('keeps what is done, runs again what has changed, starts what is new, and can go back', async () => {
    const host = await open();
    const held = createGate();
    const calls: string[] = [];
    const bodies: Record<string, Body> = {
      search: () => calls.push('search'),
      parse: ({ idempotencyKey }) => calls.push(`parse ${idempotencyKey.split('/')[1]}`),
      write: async () => {
        await held.promise;
        return 'written';
      },
      check: () => calls.push('check'),
      // Keeps the run from its end while `write` is not in progress.
      last: () => held.promise,
    };
    const run = await host.manageWorkflow(report({ ...bodies, write: () => 'early' }, 1, ['last']));
    await until(() => statuses(run).write === 'completed');
    const second = host.workflows.updateWorkflow('report', report(bodies, 2, ['last', 'check']));
    expect(await run.moveTo(second.version)).toEqual({
      ...{ runId: run.runId, from: 1, to: 2 },
      ...{ again: ['parse', 'write'], added: ['check'], removed: [] },
    });
    expect(run.workflowVersion).toBe(2);
    await until(() => statuses(run).write === 'in_progress');
    expect(statuses(run)).toMatchObject({ search: 'completed', check: 'completed', parse: 'completed' });
    held.open();
    await run.result();
    expect(calls).toEqual(['search', 'parse parse', 'check', 'parse parse#2']);
    const types = (await eventsOf(run)).map(({ type }) => type);
    expect(types.filter((type) => type === 'RunMoved')).toHaveLength(1);
  });

  it('gives what runs its place in the new plan, with what it holds, and what waits its place in the queue', async () => {
    const host = await open({ resources: { cpu: 1 } });
    const first = createGate();
    const needs = { resourceRequirements: { cpu: 1 } };
    const make = (order: readonly string[]): Workflow<unknown, unknown> =>
      defineWorkflow('queue', {
        tasks: order.map((id) =>
          task(id, {
            ...needs,
            ...(id === 'held' ? { priority: 9 } : {}),
            run: (): unknown => (id === 'held' ? first.promise : id),
          }),
        ),
      });
    const run = await host.manageWorkflow(make(['held', 'a', 'b']));
    expect(statuses(run)).toMatchObject({ held: 'in_progress' });
    const { version } = host.workflows.updateWorkflow('queue', make(['c', 'b', 'held', 'a']));
    await run.moveTo(version);
    expect(run.explain('c')).toMatchObject({ status: 'waiting', reason: 'resource' });
    expect(host.resources.monitorResourceUsage('cpu')).toMatchObject({ used: 1 });
    first.open();
    await run.result();
    const started = (await eventsOf(run)).filter(({ type }) => type === 'TaskStarted');
    expect(started.map((event) => 'path' in event && event.path)).toEqual(['held', 'c', 'b', 'a']);
    expect(host.resources.monitorResourceUsage('cpu')).toMatchObject({ used: 0 });
  });

  it('is refused while something that changes is in progress, and changes nothing', async () => {
    const host = await open();
    const held = createGate();
    const run = await host.manageWorkflow(report({ parse: () => held.promise }));
    await until(() => statuses(run).parse === 'in_progress');
    host.workflows.updateWorkflow('report', report({}, 2));
    const error = await rejection(run.moveTo(2));
    expect([error.code, error.message]).toEqual([
      'RUN_MOVE_REFUSED',
      expect.stringContaining('"parse" is in progress'),
    ]);
    expect((await rejection(run.moveTo(2, { dryRun: true }))).code).toBe('RUN_MOVE_REFUSED');
    held.open();
    expect((await run.result()).outputs).toMatchObject({ search: 'found' });
    expect(run.workflowVersion).toBe(1);
    expect((await rejection(run.moveTo(2))).code).toBe('RUN_FINISHED');
  });

  it('says beforehand what it would do', async () => {
    const host = await open();
    const run = await host.manageWorkflow(report({ write: () => new Promise(() => {}) }));
    await until(() => statuses(run).write === 'in_progress');
    host.workflows.updateWorkflow('report', report({ write: () => 1 }, undefined, ['check']));
    const plan = await run.moveTo(2, { dryRun: true });
    expect(plan).toMatchObject({ from: 1, to: 2, again: [], added: ['check'] });
    expect(run.workflowVersion).toBe(1);
    expect(host.workflows.diff('report', 1, 2)).toMatchObject({
      added: ['check'],
      affectedRuns: [run.runId],
    });
  });

  it('refuses what makes no sense', async () => {
    const host = await open();
    const run = await host.manageWorkflow(report({ search: () => new Promise(() => {}) }));
    const codes = async (...asked: readonly Promise<unknown>[]) =>
      Promise.all(asked.map(async (one) => (await rejection(one)).code));
    expect(
      await codes(
        run.moveTo(7),
        run.moveTo('1' as never),
        run.moveTo(1, { agian: [] } as never),
        run.moveTo(1, { again: 'parse' as never }),
        run.moveTo(1, { dryRun: 1 as never }),
        run.moveTo(1, null as never),
        run.moveTo(1, { again: ['prase'] }),
        run.moveTo(1, { again: ['search'] }),
      ),
    ).toEqual([
      ...['WORKFLOW_NOT_FOUND', 'WORKFLOW_NOT_FOUND', 'OPTION_UNKNOWN', 'OPTION_INVALID', 'OPTION_INVALID'],
      ...['OPTION_INVALID', 'TASK_NOT_FOUND', 'RUN_MOVE_REFUSED'],
    ]);
    expect(await run.moveTo(1)).toMatchObject({ from: 1, to: 1, again: [] });
  });

  it('refuses a version whose needs can never be met here', async () => {
    const host = await open({ resources: { cpu: 2 } });
    const held = createGate();
    const workflow = (amount: number) =>
      defineWorkflow('w', {
        tasks: [
          task('a', { run: () => held.promise }),
          task('b', { resourceRequirements: { cpu: amount }, run: () => 1 }),
        ],
      });
    const run = await host.manageWorkflow(workflow(1));
    expect(refusal(() => host.workflows.updateWorkflow('w', workflow(3))).code).toBe(
      'RESOURCE_UNSCHEDULABLE',
    );
    expect(run.workflowVersion).toBe(1);
    held.open();
  });
});

describe('moves of all runs of a workflow', () => {
  it('take along those that can go on, and tell of the others', async () => {
    const host = await open();
    const held = createGate();
    const wait: Body = () => held.promise;
    const atSearch = await host.manageWorkflow(report({ search: wait }));
    const atParse = await host.manageWorkflow(report({ parse: wait }));
    await until(() => statuses(atParse).parse === 'in_progress');
    host.workflows.updateWorkflow('report', report({}, 2));
    const { moved, refused } = await host.workflows.moveRuns('report');
    expect(moved.map(({ runId }) => runId)).toEqual([atSearch.runId]);
    expect(refused.map(({ runId, error }) => [runId, error.code])).toEqual([
      [atParse.runId, 'RUN_MOVE_REFUSED'],
    ]);
    held.open();
    expect((await atSearch.result()).outputs).toMatchObject({ parse: 'parsed 2' });
    expect((await host.workflows.moveRuns('report')).moved).toEqual([]);
  });

  it('follow a rollback', async () => {
    const host = await open();
    const held = createGate();
    host.workflows.createWorkflow('report', report({}, 1).tasks);
    const run = await host.manageWorkflow(report({ search: () => held.promise }, 2));
    const { registered, moved } = await host.workflows.rollbackWorkflow('report', 1, { takeRuns: true });
    expect([registered.version, registered.rollbackOf, moved]).toEqual([3, 1, [{ ...moved[0], to: 3 }]]);
    held.open();
    expect((await run.result()).outputs).toMatchObject({ parse: 'parsed 1' });
    expect(refusal(() => host.workflows.rollbackWorkflow('report', 1, { takeRun: true } as never)).code).toBe(
      'OPTION_UNKNOWN',
    );
  });
});

describe('a task that a move takes away and another one brings back', () => {
  it('goes on counting its attempts, and does its work under another idempotency key, also from a checkpoint', async () => {
    for (const keeps of [false, true]) {
      const store = new DurableMemory();
      const keys: string[] = [];
      const versions = [10, undefined, 20].map((amount) => {
        const hold = task('hold', { run: () => new Promise(() => {}) });
        const pay = task('pay', {
          inputData: amount,
          run: ({ idempotencyKey, attempt }) => void keys.push(`${idempotencyKey.split('/')[1]} ${attempt}`),
        });
        return defineWorkflow('order', { tasks: amount === undefined ? [hold] : [hold, pay] });
      });
      const [first, without, again] = versions as unknown as [Workflow, Workflow, Workflow];
      const host = await open({ store });
      const run = await host.manageWorkflow(first, {} as never);
      await until(() => statuses(run).pay === 'completed');
      host.workflows.updateWorkflow('order', without);
      host.workflows.updateWorkflow('order', again);
      expect((await run.moveTo(2)).removed).toEqual(['pay']);
      if (keeps) await host.persistState();
      await host.close({ grace: 0 });
      const next = await open({ store, workflows: [first, without, again] });
      const found = next.getRun(run.runId);
      expect((await found.moveTo(3)).added).toEqual(['pay']);
      await until(() => statuses(found).pay === 'completed');
      expect(keys).toEqual(['pay 1', 'pay#2 2']);
      await next.close({ grace: 0 });
    }
  });
});

describe('a total time limit of a task whose run is moved', () => {
  const limited = (totalTimeout: string | undefined, failures: number, hold: string) =>
    defineWorkflow('w', {
      tasks: [
        task('t', {
          ...(totalTimeout === undefined ? {} : { totalTimeout }),
          retry: { maxAttempts: 9, delay: '20s', maxDelay: '20s', jitter: 0 },
          run: async ({ attempt, clock }) => {
            await clock.sleep(hold);
            if (attempt <= failures) throw new Error('not yet');
            return attempt;
          },
        }),
      ],
    });

  it.each([
    // It waits for its next attempt, or is in progress, at the move.
    ['is gone', '60s', undefined, 5, '0ms', 'completed'],
    ['is gone', '60s', undefined, 1, '50s', 'completed'],
    ['is longer', '60s', '1h', 5, '0ms', 'completed'],
    ['is longer', '60s', '1h', 1, '50s', 'completed'],
    ['is shorter', '1h', '30s', 5, '0ms', 'failed'],
    ['is shorter', '1h', '30s', 1, '50s', 'failed'],
    ['joins', undefined, '30s', 5, '0ms', 'failed'],
    ['is the same', '1h', '1h', 5, '0ms', 'completed'],
  ] as const)('%s with the version (%s, then %s)', async (_, then, now, failures, hold, end) => {
    const clock = new VirtualClock();
    const host = await open({ clock });
    const began = clock.now();
    const run = await host.manageWorkflow(limited(then, failures, hold));
    await new Promise<void>((resolve) => void clock.setTimer(5_000, resolve));
    host.workflows.updateWorkflow('w', limited(now, failures, hold));
    // Where nothing has changed there is no second version.
    const { version } = host.workflows.getWorkflow('w');
    expect((await run.moveTo(version)).again).toEqual([]);
    const settled = await run.settled();
    expect(settled.status).toBe(end);
    if (end === 'completed') return;
    expect(settled.failures[0]?.failure.message).toContain('its limit of 30000 ms');
    const from = then === undefined ? 20_000 : 0;
    expect(clock.now() - began).toBe(from + 30_000);
  });
});

describe('a moved run and its store', () => {
  const scripts: readonly AppendFault[] = ['refuse', 'unknown', 'late', 'conflict'];

  it.each(scripts)('goes on whatever becomes of an append on the way (%s)', async (fault) => {
    // Each append once, so that the move itself and everything around it is hit.
    for (let at = 1; at <= 9; at++) {
      const inner = new DurableMemory();
      const store = new ScriptedStore(inner, { appendDelay: 1, appends: [{ at: at + 2, fault }] });
      const host = await open({ store });
      const held = createGate();
      const workflow = report({ write: () => held.promise });
      const run = await host.manageWorkflow(workflow);
      await until(() => statuses(run).write === 'in_progress');
      host.workflows.updateWorkflow('report', report({ write: () => held.promise }, undefined, ['check']));
      // The numbers of versions are written by appends of their own, which may be the ones that fail.
      await run.moveTo(2).catch(() => run.moveTo(2));
      held.open();
      expect(Object.keys((await run.result()).outputs).sort()).toEqual(['check', 'parse', 'search', 'write']);
      const types = (await eventsOf(run)).map(({ type }) => type);
      expect(types.filter((type) => type === 'RunMoved')).toHaveLength(1);
      await host.close();
    }
  });

  it('goes on in another process by the version that it was moved to, from the log and from a checkpoint', async () => {
    for (const keeps of [false, true]) {
      const store = new DurableMemory();
      const never: Body = () => new Promise(() => {});
      const first = await open({ store });
      const run = await first.manageWorkflow(report({ write: never }, 1));
      await until(() => statuses(run).write === 'in_progress');
      await rejection(run.moveTo(2));
      first.workflows.updateWorkflow('report', report({ write: never }, 1, ['check']));
      await run.moveTo(2);
      await until(() => statuses(run).check === 'completed');
      if (keeps) await first.persistState();
      await first.close({ grace: 0 });
      const left = await open({ store, workflows: [report({}, 1)] });
      expect((await left.recoverState()).left).toMatchObject([{ runId: run.runId, workflowVersion: 2 }]);
      expect(left.runs()).toEqual([]);
      await left.close({ grace: 0 });
      const calls: string[] = [];
      const note =
        (id: string): Body =>
        () =>
          calls.push(id);
      const bodies = { search: note('search'), check: note('check'), parse: note('parse') };
      const second = await open({ store, workflows: [report(bodies, 1, ['check']), report(bodies, 1)] });
      const found = second.getRun(run.runId);
      expect((await found.result()).outputs).toMatchObject({ write: 'wrote parsed 1', check: 'check' });
      expect([calls, found.workflowVersion]).toEqual([[], 2]);
      const saved = await second.persistence.loadState(run.runId);
      expect(saved).toMatchObject({ status: 'completed', workflowVersion: 2 });
      const early = await second.persistence.loadState(run.runId, { seq: 4 });
      expect(early).toMatchObject({ workflowVersion: 1 });
      await second.close();
    }
  });

  it('can be forked before and after the move', async () => {
    const host = await open({ store: new MemoryStore() });
    const held = createGate();
    const run = await host.manageWorkflow(report({ write: () => held.promise }));
    await until(() => statuses(run).write === 'in_progress');
    host.workflows.updateWorkflow('report', report({ write: () => held.promise }, undefined, ['check']));
    await run.moveTo(2);
    const [before, after] = [await run.fork({ at: 4 }), await run.fork()];
    held.open();
    await Promise.all([run, before, after].map((one) => one.result()));
    expect([before.workflowVersion, after.workflowVersion]).toEqual([1, 2]);
    expect(Object.keys((await after.result()).outputs)).toContain('check');
  });
});
