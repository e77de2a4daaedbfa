/** Runs of a store that cannot go on here, or not now: each is told of, nothing of them is lost, and they go on when they can. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  defineWorkflow,
  MemoryStore,
  Orchestrator,
  OrchestratorError,
  type OrchestratorOptions,
  task,
} from '@taskmaster-ai/orchestrator';
import { fileStore } from '@taskmaster-ai/orchestrator/file';
import { ScriptedStore, VirtualClock } from '@taskmaster-ai/orchestrator/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { DurableMemory } from '../support/durable-memory.ts';
import { refusal, rejection } from '../support/errors.ts';
import { createGate, nextTurn } from '../support/gate.ts';
import { expectRefused } from '../support/refusals.ts';

async function open(options: OrchestratorOptions = {}): Promise<Orchestrator> {
  const orchestrator = await Orchestrator.open({ clock: new VirtualClock(), ...options });
  onTestFinished(() => orchestrator.close({ grace: 0 }));
  return orchestrator;
}

const named = defineWorkflow('named', {
  tasks: [task('go', { handler: 'walk' }), task('end', { handler: 'stop' })],
});
const endless = () => new Promise<never>(() => {});
const plain = (output: unknown) =>
  defineWorkflow('plain', { tasks: [task('a', { inputData: output, run: () => output })] });

describe('a run whose handlers are not registered', () => {
  it('is left, with their names, beside others that go on; and goes on when they are registered', async () => {
    const store = new DurableMemory();
    const other = defineWorkflow('other', { tasks: [task('wait', { run: endless })] });
    const first = await open({
      store,
      handlers: { walk: endless, stop: endless },
      workflows: [named, other],
    });
    const run = await first.manageWorkflow(named);
    const beside = await first.manageWorkflow(other);
    await first.close({ grace: 0 });

    const asBefore = { store, workflows: [named, other], handlers: { stop: () => 'stopped' } };
    expectRefused(await rejection(open(asBefore)), 'HANDLER_UNKNOWN', 'workflow "named" task "go"/handler');
    const second = await open({ ...asBefore, missingHandlers: 'leave' });
    expect(second.runs().map(({ runId }) => runId)).toEqual([beside.runId]);
    const left = { runId: run.runId, workflowId: 'named', workflowVersion: 1 };
    expect((await second.recoverState()).left).toEqual([
      { ...left, reason: 'handler_missing', handlers: ['walk'] },
    ]);
    expect((await rejection(second.manageWorkflow(named))).code).toBe('HANDLER_UNKNOWN');
    expect(refusal(() => second.workflows.rollbackWorkflow('named', 1)).code).toBe('HANDLER_UNKNOWN');

    expectRefused(
      await rejection(second.registerHandlers({ walk: () => 'walked', stop: () => 'again' })),
      'OPTION_CONFLICT',
      'registerHandlers/stop',
    );
    expect((await second.recoverState()).left).toHaveLength(1);
    expect((await second.registerHandlers({ walk: () => 'walked' })).recovered).toEqual([run.runId]);
    expect((await second.getRun(run.runId).result()).outputs).toEqual({ go: 'walked', end: 'stopped' });
    for (const odd of [undefined, null, 5, { other: 5 }])
      expect((await rejection(second.registerHandlers(odd as never))).code).toMatch(
        /^(OPTION|HANDLER)_INVALID$/,
      );
    expect((await rejection(open({ missingHandlers: 'ignore' as never }))).code).toBe('OPTION_INVALID');
  });
});

describe('the key of an ended run', () => {
  it('names the version that is needed when that is not registered any more', async () => {
    const store = new DurableMemory();
    const first = await open({ store });
    const run = await first.manageWorkflow(plain(1), { key: 'k' });
    await run.result();
    await first.close();
    const warnings: unknown[] = [];
    const nothing = (): void => {};
    const logger = {
      debug: nothing,
      info: nothing,
      error: nothing,
      warn: (...all: unknown[]) => void warnings.push(all),
    };
    const second = await open({ store, logger, workflows: [plain(2)] });
    const error = await rejection(second.manageWorkflow(plain(2), { key: 'k' }));
    expect(error).toMatchObject({
      code: 'WORKFLOW_NOT_FOUND',
      details: { runId: run.runId, workflowId: 'plain', workflowVersion: 1 },
    });
    expect(warnings).toEqual([]);
    second.workflows.updateWorkflow('plain', plain(1));
    expect((await second.manageWorkflow(plain(2), { key: 'k' })).runId).toBe(run.runId);
  });
});

describe('a run that was given up on', () => {
  it('is read again by whoever starts under its key, once the store is mended', async () => {
    const inner = new DurableMemory();
    const store = new ScriptedStore(inner, { appends: [{ at: 3, times: 6, fault: 'refuse' }] });
    const host = await open({ store });
    const held = createGate();
    const workflow = defineWorkflow('w', {
      tasks: [task('a', { run: () => held.promise }), task('b', { dependencies: ['a'], run: () => 2 })],
    });
    const run = await host.manageWorkflow(workflow, { key: 'k' });
    held.open();
    expect((await run.settled()).status).toBe('lost');
    const again = await host.manageWorkflow(workflow, { key: 'k' });
    expect(again.runId).toBe(run.runId);
    expect((await again.result()).outputs).toMatchObject({ b: 2 });
  });

  it('stays in the store when its handle is released', async () => {
    const store = new MemoryStore();
    const first = await open({ store });
    const run = await first.manageWorkflow(defineWorkflow('w', { tasks: [task('a', { run: endless })] }));
    await first.close({ grace: 0 });
    expect([(await run.settled()).status, run.release()]).toEqual(['lost', false]);
    expect(await store.list({ prefix: 'run:', limit: 9 })).toHaveLength(1);
  });
});

describe('moving the runs of a workflow', () => {
  it('tells of those in the store that are not live here', async () => {
    const store = new DurableMemory();
    const waiting = (data: number) =>
      defineWorkflow('w', {
        tasks: [task('a', { inputData: data, run: endless }), task('b', { run: endless })],
      });
    const first = await open({ store });
    const run = await first.manageWorkflow(waiting(1));
    await first.close({ grace: 0 });
    const second = await open({ store, workflows: [waiting(2)] });
    const { moved, refused } = await second.workflows.moveRuns('w');
    expect([moved, refused.map(({ runId, error }) => [runId, error.code])]).toEqual([
      [],
      [[run.runId, 'RUN_MOVE_REFUSED']],
    ]);
  });

  it('answers each of several moves at once with what that one did', async () => {
    const host = await open();
    const version = (ids: readonly string[]) =>
      defineWorkflow('w', { tasks: ids.map((id) => task(id, { run: endless })) });
    const run = await host.manageWorkflow(version(['a']));
    host.workflows.updateWorkflow('w', version(['a', 'b']));
    host.workflows.updateWorkflow('w', version(['a', 'b', 'c']));
    const answers = await Promise.all([
      run.moveTo(2),
      run.moveTo(99).catch(() => 'refused'),
      run.moveTo(3),
      run.moveTo(3),
    ]);
    expect(answers).toMatchObject([
      { from: 1, to: 2, added: ['b'] },
      'refused',
      { from: 2, to: 3, added: ['c'] },
      { from: 3, to: 3, added: [] },
    ]);
  });
});

describe('what is under way when the orchestrator closes', () => {
  it('a fork whose beginning is durable is told by its id, and goes on later', async () => {
    const inner = new DurableMemory();
    const store = new ScriptedStore(inner, { appendDelay: 20 });
    const workflow = defineWorkflow('w', {
      tasks: [task('a', { run: () => 1 }), task('b', { run: endless })],
    });
    const host = await open({ store, workflows: [workflow] });
    const run = await host.manageWorkflow(workflow);
    const appends = store.appendCount;
    const forking = rejection(run.fork());
    while (store.appendCount === appends) await nextTurn();
    const closing = host.close({ grace: 0 });
    const error = await forking;
    await closing;
    expect(error.code).toBe('ORCHESTRATOR_CLOSED');
    const { runId } = error.details as { readonly runId: string };
    const next = await open({ store: inner, workflows: [workflow] });
    expect(next.runs().map((one) => one.runId)).toContain(runId);
  });

  it('a recovery says that it was cut short', async () => {
    const inner = new DurableMemory();
    const workflow = defineWorkflow('w', { tasks: [task('b', { run: endless })] });
    const first = await open({ store: inner });
    for (let i = 0; i < 5; i++) await first.manageWorkflow(workflow);
    await first.close({ grace: 0 });
    const second = await open({ store: new ScriptedStore(inner, { readDelay: 5 }) });
    second.workflows.createWorkflow(workflow);
    const recovering = rejection(second.recoverState());
    await nextTurn();
    await second.close({ grace: 0 });
    expect((await recovering).code).toBe('ORCHESTRATOR_CLOSED');
  });
});

describe('a fork', () => {
  it('was started when it was made, and takes the input of the version that its origin had there', async () => {
    const clock = new VirtualClock();
    const input = (key: string) => ({
      '~standard': {
        version: 1 as const,
        vendor: 'own',
        validate: (value: unknown) =>
          (value as Record<string, unknown>)[key] === undefined
            ? { issues: [{ message: `${key} is missing` }] }
            : { value },
      },
    });
    const version = (key: string, ids: readonly string[]) =>
      defineWorkflow('w', { input: input(key), tasks: ids.map((id) => task(id, { run: endless })) });
    const host = await open({ clock });
    const run = await host.manageWorkflow(version('a', ['x']), { input: { a: 1 } });
    host.workflows.updateWorkflow('w', version('b', ['x', 'y']));
    await run.moveTo(2);
    await new Promise<void>((resolve) => void clock.setTimer(86_400_000, resolve));
    expect((await rejection(run.fork({ at: 2, input: { b: 1 } }))).code).toBe('INPUT_INVALID');
    const fork = await run.fork({ at: 2, input: { a: 5 } });
    expect(fork.workflowVersion).toBe(1);
    expect((await rejection(run.fork({ input: { a: 5 } }))).code).toBe('INPUT_INVALID');
    expectRefused(await rejection(run.fork({ at: 0 })), 'OPTION_INVALID', 'fork/at');
    expectRefused(await rejection(run.fork({ at: 99 })), 'OPTION_INVALID', 'fork/at');
    const recent = await host.listRuns({ startedFrom: clock.now() - 1_000 });
    expect(recent.map(({ runId }) => runId)).toEqual([fork.runId]);
  });

  it('that cannot be written leaves none of its large outputs behind', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'left-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const store = fileStore(folder, { durability: 'os' });
    const host = await Orchestrator.open({ store, inlineLimit: 1_024 });
    onTestFinished(() => host.close({ grace: 0 }));
    const workflow = defineWorkflow('w', {
      tasks: [
        task('big', { run: () => 'x'.repeat(50_000) }),
        task('bad', { run: () => Promise.reject(new Error('no')) }),
      ],
    });
    const run = await host.manageWorkflow(workflow);
    await run.settled();
    const append = store.append.bind(store);
    store.append = async () => {
      throw new OrchestratorError('STORE_FULL', 'the disk is full');
    };
    const written: string[] = [];
    const save = store.saveBlob.bind(store);
    store.saveBlob = (blob, epoch) => {
      written.push(blob.stream);
      return save(blob, epoch);
    };
    await rejection(run.fork());
    await rejection(run.retry());
    store.append = append;
    expect(new Set(written).size).toBe(2);
    const [own] = (await store.list({ prefix: 'run:', limit: 9 })).map(({ stream }) => stream);
    const { output } = (await host.persistence.loadState(run.runId)).tasks[0] as {
      readonly output: { readonly id: string };
    };
    expect(await store.loadBlob(own as string, output.id)).toBeDefined();
    for (const stream of written) expect(await store.loadBlob(stream, output.id)).toBeUndefined();
  });
});
