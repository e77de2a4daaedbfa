import { MessagePort } from 'node:worker_threads';
import { defineWorkflow, MemoryStore, Orchestrator, task, workerHandlers } from '@taskmaster-ai/orchestrator';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { needsThreads, noThreads } from '../support/workers.ts';

const bytes = workerHandlers(new URL('../support/handlers/bytes.mjs', import.meta.url), {
  threads: 1,
  idle: '200ms',
});

/** A store that says of itself that it has values in another form. */
class OtherForm extends MemoryStore {
  override readonly capabilities = { durability: 'memory', keepsValues: false } as const;
}

afterEach(() => vi.restoreAllMocks());

/** Runs a task that loads bytes and one that measures them; tells what was moved on the way. */
async function measured(
  transfer: boolean,
): Promise<{ readonly output: unknown; readonly moved: number[]; readonly kept: unknown }> {
  const post = vi.spyOn(MessagePort.prototype, 'postMessage');
  const store = new OtherForm();
  const orchestrator = await Orchestrator.open({ store });
  try {
    const load = task('load', { run: () => new Uint8Array(100_000).fill(9) });
    const measure = task('measure', { dependencies: { load }, handler: bytes.measure, transfer });
    const run = await orchestrator.manageWorkflow(defineWorkflow('bytes', { tasks: [measure] }));
    const { outputs } = await run.result();
    const moved = post.mock.calls
      .flatMap(([, list]) => (Array.isArray(list) ? (list as unknown[]) : []))
      .filter((one) => one instanceof ArrayBuffer)
      .map((buffer) => (buffer as ArrayBuffer).byteLength);
    const events = store.read({ stream: `run:${run.runId}`, fromSeq: 1, limit: 100 });
    const loaded = events.find(
      ({ payload }) =>
        (payload as { path?: string }).path === 'load' &&
        (payload as { type: string }).type === 'TaskCompleted',
    );
    return {
      output: outputs.measure,
      moved,
      kept: (loaded?.payload as { output: Uint8Array } | undefined)?.output.byteLength,
    };
  } finally {
    await orchestrator.close();
  }
}

describe.skipIf(noThreads)(needsThreads('bytes that go to a thread'), () => {
  it('are copied unless the task says otherwise', async () => {
    expect(await measured(false)).toEqual({ output: [100_000, 9, 100_000], moved: [], kept: 100_000 });
  });

  it('are moved with transfer: the copy of the handler is gone here, the value in the log is not', async () => {
    // A buffer that was moved has no bytes left where it came from.
    expect(await measured(true)).toEqual({ output: [100_000, 9, 100_000], moved: [0], kept: 100_000 });
  });
});

describe.skipIf(noThreads)(needsThreads('bytes that come from a thread'), () => {
  it('arrive as they were', async () => {
    const orchestrator = await Orchestrator.open();
    const make = task('make', { handler: bytes.make });
    const whole = task('whole', { handler: bytes.whole });
    const run = await orchestrator.manageWorkflow(defineWorkflow('bytes', { tasks: [make, whole] }));
    const { outputs } = await run.result();
    expect(outputs.make).toEqual({ whole: new Uint8Array([1, 2, 3]), also: [new Float64Array([0.5])] });
    expect((outputs.whole as unknown as Uint8Array).every((byte) => byte === 7)).toBe(true);
    await orchestrator.close();
  });
});
