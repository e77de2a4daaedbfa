/** What the numbers of workflow versions mean in a store that outlives the process. */
import {
  defineWorkflow,
  type EventStore,
  Orchestrator,
  type OrchestratorOptions,
  task,
  type Workflow,
} from '@taskmaster-ai/orchestrator';
import { type AppendFault, ScriptedStore, VirtualClock } from '@taskmaster-ai/orchestrator/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { DurableMemory } from '../support/durable-memory.ts';
import { rejection } from '../support/errors.ts';

async function open(options: OrchestratorOptions): Promise<Orchestrator> {
  const orchestrator = await Orchestrator.open({ clock: new VirtualClock(), ...options });
  onTestFinished(() => orchestrator.close({ grace: 0 }));
  return orchestrator;
}

/** A definition whose content is told apart by its priority; each call makes objects of their own. */
function content(priority: number, run: () => unknown = () => priority): Workflow<unknown, unknown> {
  return defineWorkflow('w', { tasks: [task('a', { priority, run })] });
}

async function written(store: EventStore): Promise<readonly unknown[]> {
  const records = await store.read({ stream: 'definitions', fromSeq: 1, limit: 100 });
  return records.map(({ payload }) => (payload as { version: number }).version);
}

describe('numbers of versions in a durable store', () => {
  it('are those of the content, in whatever order a later process registers it', async () => {
    const store = new DurableMemory();
    const first = await open({ store, workflows: [content(1), content(2), content(3)] });
    expect(first.workflows.versions('w').map(({ version }) => version)).toEqual([1, 2, 3]);
    await first.close();
    const old = content(1);
    const second = await open({ store, workflows: [content(3), old] });
    expect(second.workflows.versions('w').map(({ version }) => version)).toEqual([1, 3]);
    const run = await second.manageWorkflow(old);
    expect([run.workflowVersion, (await run.result()).outputs]).toEqual([1, { a: 1 }]);
    // The newest is the one with the highest number, and what is really new comes behind all that ever were.
    expect(second.workflows.getWorkflow('w').version).toBe(3);
    expect(second.workflows.updateWorkflow('w', content(4)).version).toBe(4);
    expect(() => second.workflows.getWorkflow('w', 2)).toThrow('allowed: 1, 3 to 4');
    expect(await written(store)).toEqual([1, 2, 3, 4]);
  });

  it('stand for one content, also when a rollback has given it two', async () => {
    const store = new DurableMemory();
    const first = await open({ store, workflows: [content(1), content(2)] });
    expect(first.workflows.rollbackWorkflow('w', 1).version).toBe(3);
    await first.close();
    const second = await open({ store, workflows: [content(1)] });
    expect(second.workflows.versions('w').map(({ version }) => version)).toEqual([1, 3]);
  });

  it('are not used again after the workflow was deleted, in no process', async () => {
    const store = new DurableMemory();
    const first = await open({ store, workflows: [content(1)] });
    first.workflows.deleteWorkflow('w');
    expect(first.workflows.createWorkflow('w', [task('b', { run: () => 1 })]).version).toBe(2);
    first.workflows.deleteWorkflow('w');
    await first.close();
    const second = await open({ store });
    expect(second.workflows.createWorkflow('w', [task('c', { run: () => 1 })]).version).toBe(3);
  });

  it('keep an unfinished run from going on with another definition', async () => {
    const store = new DurableMemory();
    const first = await open({ store });
    const run = await first.manageWorkflow(content(1, () => new Promise(() => {})));
    await first.close({ grace: 0 });
    const second = await open({ store, workflows: [content(2)] });
    expect(() => second.getRun(run.runId)).toThrow('no run');
    expect((await second.recoverState()).left).toMatchObject([
      { runId: run.runId, workflowVersion: 1, reason: 'workflow_missing' },
    ]);
    second.workflows.updateWorkflow('w', content(1));
    await second.recoverState();
    expect((await second.getRun(run.runId).result()).outputs).toEqual({ a: 1 });
  });
});

describe('writing numbers down', () => {
  it('comes before the start of a run, also with a store that takes its time', async () => {
    const inner = new DurableMemory();
    const store = new ScriptedStore(inner, { appendDelay: 3 });
    const host = await open({ store });
    const runs = await Promise.all([1, 2, 3, 1].map((priority) => host.manageWorkflow(content(priority))));
    expect(runs.map((run) => run.workflowVersion)).toEqual([1, 2, 3, 1]);
    expect(await written(inner)).toEqual([1, 2, 3]);
    const [first] = await inner.list({ prefix: '', limit: 1 });
    expect(first?.stream).toBe('definitions');
  });

  it.each<AppendFault>(['refuse', 'unknown', 'late', 'conflict'])(
    'that fails (%s) refuses the start, and is done once when it is asked for again',
    async (fault) => {
      const inner = new DurableMemory();
      const host = await open({ store: new ScriptedStore(inner, { appends: [{ at: 1, fault }] }) });
      const code = fault === 'conflict' ? 'STORE_CONFLICT' : 'STORE_UNAVAILABLE';
      expect((await rejection(host.manageWorkflow(content(1)))).code).toBe(code);
      const run = await host.manageWorkflow(content(1));
      expect((await run.result()).outputs).toEqual({ a: 1 });
      expect(await written(inner)).toEqual([1]);
    },
  );

  it.each([
    ['HISTORY_INVALID', 'WorkflowVersionAdded', { workflowId: 7 }, {}],
    ['EVENT_UNKNOWN', 'SomethingElse', {}, {}],
    [
      'EVENT_UNKNOWN',
      'WorkflowVersionAdded',
      { workflowId: 'w', version: 1, digest: 'd' },
      { WorkflowVersionAdded: 2 },
    ],
  ])(
    'that makes no sense (%s) refuses to open, and gives the store back',
    async (code, type, fields, versions) => {
      const store = new DurableMemory();
      const epoch = store.claim('somebody');
      const events = [{ type, seq: 1, at: 0, ...fields }];
      store.append([{ stream: 'definitions', expectedSeq: 0, epoch, events, versions }]);
      store.release('somebody');
      expect((await rejection(Orchestrator.open({ store }))).code).toBe(code);
      store.claim('somebody else');
    },
  );
});
