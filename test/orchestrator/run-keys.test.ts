/** One run under one key, whoever asks, whatever the store answers; and never another one in its place (A30). */
import { getEventListeners } from 'node:events';
import {
  defineWorkflow,
  type LoggedEvent,
  Orchestrator,
  type OrchestratorOptions,
  type StreamAppend,
  task,
} from '@taskmaster-ai/orchestrator';
import { ScriptedStore } from '@taskmaster-ai/orchestrator/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { DurableMemory } from '../support/durable-memory.ts';

let bodies = 0;
const bill = defineWorkflow('bill', {
  tasks: [task('send', { run: ({ input }) => ({ input, n: ++bodies }) })],
});
const order = defineWorkflow('order', { tasks: [task('send', { run: () => 'sent' })] });

async function open(options: OrchestratorOptions): Promise<Orchestrator> {
  const orchestrator = await Orchestrator.open(options);
  onTestFinished(() => orchestrator.close({ grace: 0 }));
  return orchestrator;
}

const conflict = (runId: string) =>
  expect.objectContaining({ code: 'RUN_KEY_CONFLICT', details: { key: 'k', runId } });

describe('a start under a key that a run has', () => {
  it('gives that run for an input that is the same by value, and is refused for any other', async () => {
    const orchestrator = await open({ store: new DurableMemory() });
    const input = { when: new Date(5), of: new Map([['a', [1n, Number.NaN]]]) };
    const run = await orchestrator.manageWorkflow(bill, { key: 'k', input });
    const same = { of: new Map([['a', [1n, Number.NaN]]]), when: new Date(5) };
    expect((await orchestrator.manageWorkflow(bill, { key: 'k', input: same })).runId).toBe(run.runId);
    for (const other of [undefined, null, {}, { ...input, when: new Date(6) }, { ...input, more: 1 }])
      await expect(orchestrator.manageWorkflow(bill, { key: 'k', input: other })).rejects.toThrow(
        conflict(run.runId),
      );
    await expect(orchestrator.manageWorkflow(order, { key: 'k', input })).rejects.toThrow(
      conflict(run.runId),
    );
    expect((await run.result()).outputs).toMatchObject({ send: { input } });
    expect(orchestrator.runs()).toHaveLength(1);
    expect(await orchestrator.listRuns()).toHaveLength(1);
  });

  it('listens to a signal once, however often it comes with that', async () => {
    const orchestrator = await open({ store: new DurableMemory() });
    const leave = new AbortController();
    const waiting = defineWorkflow('waiting', {
      tasks: [task('wait', { run: () => new Promise(() => {}) })],
    });
    const start = () => orchestrator.manageWorkflow(waiting, { key: 'k', signal: leave.signal });
    const run = await start();
    for (let i = 0; i < 20; i++) await start();
    expect(getEventListeners(leave.signal, 'abort')).toHaveLength(1);
    leave.abort();
    expect((await run.settled()).status).toBe('cancelled');
  });

  it('that is no well-formed text is refused: a store may keep two of them as one', async () => {
    const orchestrator = await open({});
    for (const key of ['\ud800', 'a\udc00', '😀'.slice(0, 1)])
      await expect(orchestrator.manageWorkflow(bill, { key })).rejects.toMatchObject({
        code: 'OPTION_INVALID',
        message: expect.stringContaining('manageWorkflow/key: found half of a surrogate pair'),
      });
    expect((await orchestrator.manageWorkflow(bill, { key: '😀' })).runId).toBeDefined();
  });

  it('at the same moment is judged as one that comes later', async () => {
    const orchestrator = await open({ store: new ScriptedStore(new DurableMemory(), { appendDelay: 3 }) });
    const start = (input: number) => orchestrator.manageWorkflow(bill, { key: 'k', input });
    const [first, same, other] = await Promise.allSettled([start(1), start(1), start(2)]);
    expect(first.status).toBe('fulfilled');
    const { runId } = (first as PromiseFulfilledResult<{ readonly runId: string }>).value;
    expect(same).toMatchObject({ value: { runId } });
    expect(other).toMatchObject({ reason: conflict(runId) });
  });

  it('in a later process is judged by the log, also when the workflow of the run is not registered there', async () => {
    const store = new DurableMemory();
    const first = await open({ store });
    const run = await first.manageWorkflow(bill, { key: 'k', input: [1] });
    await run.result();
    await first.close();
    const second = await open({ store });
    await expect(second.manageWorkflow(order, { key: 'k' })).rejects.toThrow(conflict(run.runId));
    await expect(second.manageWorkflow(bill, { key: 'k', input: [2] })).rejects.toThrow(conflict(run.runId));
    const same = await second.manageWorkflow(bill, { key: 'k', input: [1] });
    expect(same.runId).toBe(run.runId);
    expect((await same.result()).outputs).toEqual((await run.result()).outputs);
  });

  it.each(['unknown', 'late', 'conflict', 'refuse'] as const)(
    'of which nobody knows whether its start was written starts one run: %s',
    async (fault) => {
      const before = bodies;
      // The first append is that of the definition.
      const store = new ScriptedStore(new DurableMemory(), { appends: [{ at: 2, times: 2, fault }] });
      const orchestrator = await open({ store });
      const start = () => orchestrator.manageWorkflow(bill, { key: 'k', input: 1 });
      const [a, b] = await Promise.all([start(), start()]);
      const c = await start();
      expect(new Set([a.runId, b.runId, c.runId]).size).toBe(1);
      await expect(orchestrator.manageWorkflow(bill, { key: 'k', input: 2 })).rejects.toThrow(
        conflict(a.runId),
      );
      await a.result();
      expect(await orchestrator.listRuns()).toHaveLength(1);
      expect(bodies - before).toBe(1);
    },
  );

  it.each([
    ['joins it', 1],
    ['is refused', 2],
  ])('that somebody else takes between the look and the append %s', async (what, input) => {
    const store = new Contested();
    const orchestrator = await open({ store, workflows: [bill] });
    const starting = orchestrator.manageWorkflow(bill, { key: 'k', input });
    if (what === 'joins it') expect((await starting).runId).toBe('other');
    else await expect(starting).rejects.toThrow(conflict('other'));
    const runs = await orchestrator.listRuns();
    expect(runs.map(({ runId }) => runId)).toEqual(['other']);
  });
});

/** Writes a run of somebody else under the same key, just before the first run is appended. */
class Contested extends DurableMemory {
  #isTaken = false;

  override append(batch: readonly StreamAppend[]): void {
    const [first] = batch;
    if (!this.#isTaken && first?.uniqueKeys !== undefined) {
      this.#isTaken = true;
      const events = first.events.slice(0, 2).map((event): LoggedEvent => {
        const own = { ...event, runId: 'other' };
        return event.type === 'RunCreated' ? Object.assign(own, { input: 1 }) : own;
      });
      super.append([{ ...first, stream: 'run:other', events }]);
    }
    super.append(batch);
  }
}
