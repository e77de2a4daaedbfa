/** Outputs that are too large for the log: kept beside it, and read again for whoever wants them. */
import {
  defineWorkflow,
  Orchestrator,
  type OrchestratorOptions,
  Reference,
  settled,
  task,
} from '@taskmaster-ai/orchestrator';
import { VirtualClock } from '@taskmaster-ai/orchestrator/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { STORE_FAILURES_MAX } from '../../src/managers/workflows/store-failures.ts';
import { BlobMemory } from '../support/blob-memory.ts';
import { createGate, nextTurn } from '../support/gate.ts';
import { logOf, ofType } from '../support/run-log.ts';

const LIMIT = 1_024;
const large = (mark: string): { readonly mark: string; readonly rows: readonly number[] } => ({
  mark,
  rows: Array.from({ length: 1_000 }, (_, i) => i),
});

async function open(store: BlobMemory, options: OrchestratorOptions = {}): Promise<Orchestrator> {
  const orchestrator = await Orchestrator.open({
    clock: new VirtualClock(),
    store,
    inlineLimit: LIMIT,
    ...options,
  });
  onTestFinished(() => orchestrator.close({ grace: 0 }));
  return orchestrator;
}

/** One that makes something large, and one that looks at it. */
function pair(wait?: () => Promise<void>) {
  const make = task('make', { run: () => large('made') });
  const use = task('use', {
    dependencies: { make },
    run: async ({ dependencies }) => {
      await wait?.();
      return dependencies.make.rows.length;
    },
  });
  return defineWorkflow('pair', { tasks: [make, use] });
}

describe('a large output', () => {
  it('given a store that keeps blobs, then the log has a reference, and tasks and hosts have the value', async () => {
    const store = new BlobMemory();
    const orchestrator = await open(store);
    const run = await orchestrator.manageWorkflow(pair());
    expect((await run.result()).outputs).toEqual({ make: large('made'), use: 1_000 });
    const [made, used] = ofType(await logOf(run), 'TaskCompleted');
    expect(made?.output).toBeInstanceOf(Reference);
    expect(used?.output).toBe(1_000);
    const [saved] = (await orchestrator.persistence.loadState(run.runId)).tasks;
    expect(saved?.output).toEqual(made?.output);
    await expect(orchestrator.persistence.loadOutput(run.runId, made?.output as Reference)).resolves.toEqual(
      large('made'),
    );
    // What has just been made is still in memory: only the last question went to the store.
    expect(store.asked).toEqual(['save', 'load']);
  });

  it('given one that is not larger than the limit, or a store without blobs, then it is in the log', async () => {
    const store = new BlobMemory();
    const small = defineWorkflow('small', { tasks: [task('a', { run: () => 'x'.repeat(LIMIT / 2) })] });
    const run = await (await open(store)).manageWorkflow(small);
    await run.result();
    expect(ofType(await logOf(run), 'TaskCompleted')[0]?.output).toBe('x'.repeat(LIMIT / 2));
    const inMemory = await Orchestrator.open({ inlineLimit: LIMIT });
    onTestFinished(() => inMemory.close());
    const other = await inMemory.manageWorkflow(pair());
    await other.result();
    expect(ofType(await logOf(other), 'TaskCompleted')[0]?.output).toEqual(large('made'));
    expect(store.asked).toEqual([]);
  });

  it.each([
    ['a text', 'é'.repeat(LIMIT)],
    ['a bigint', 1n << 20_000n],
    ['a map with a date', new Map([['rows', [new Date(5), 'x'.repeat(LIMIT)]]])],
    ['bytes', new Uint8Array(LIMIT + 1).fill(7)],
    ['an error', new Error('x'.repeat(LIMIT))],
  ])('given %s, then each reader has it as it was, and none the copy of another', async (_, value) => {
    const store = new BlobMemory();
    const seen: unknown[] = [];
    const make = task('make', { run: () => value });
    const use = (id: string) =>
      task(id, {
        dependencies: { make },
        run: ({ dependencies }) => {
          seen.push(dependencies.make);
          return id;
        },
      });
    const workflow = defineWorkflow('values', { tasks: [make, use('one'), use('two')] });
    const orchestrator = await open(store);
    const run = await orchestrator.manageWorkflow(workflow);
    const { outputs } = await run.result();
    const reopened = await orchestrator.persistence.loadOutput(
      run.runId,
      ofType(await logOf(run), 'TaskCompleted')[0]?.output as Reference,
    );
    for (const found of [...seen, outputs.make, reopened]) expect(found).toEqual(value);
    if (typeof value === 'object' && !(value instanceof Error)) expect(seen[0]).not.toBe(seen[1]);
    expect(store.blobs.size).toBe(1);
  });

  it('given another process that goes on, then it reads what the next task wants, and only that', async () => {
    const store = new BlobMemory();
    const gate = createGate();
    const others = Array.from({ length: 3 }, (_, i) =>
      task(`other-${i}`, { run: () => large(`other ${i}`) }),
    );
    const make = task('make', { run: () => large('made') });
    let asked = 0;
    const define = (wait: () => Promise<void>) => {
      const hold = task('hold', { run: wait });
      return defineWorkflow('on', {
        tasks: [
          ...others,
          make,
          hold,
          task('use', {
            dependencies: { make: settled(make), hold },
            when: ({ dependencies: { make: seen } }) => {
              asked++;
              return seen.status === 'completed' && seen.output.mark === 'made';
            },
            run: ({ dependencies: { make: seen } }) =>
              seen.status === 'completed' ? seen.output.rows.length : -1,
          }),
        ],
      });
    };
    const first = await open(store);
    // What is told is in the log.
    let completed = 0;
    first.on('TaskCompleted', () => completed++);
    const run = await first.manageWorkflow(define(() => gate.promise));
    while (completed < 4) await nextTurn();
    await first.close({ grace: 0 });

    store.asked.length = 0;
    const second = await open(store, { workflows: [define(() => Promise.resolve())] });
    const found = second.getRun(run.runId);
    while (found.status !== 'completed') await nextTurn();
    expect(asked).toBe(1);
    // One question for the condition; the body finds it in memory.
    expect(store.asked).toEqual(['load']);
    const { outputs } = await found.result();
    expect(outputs).toMatchObject({ use: 1_000, 'other-2': large('other 2') });
    expect(store.asked).toEqual(['load', 'load', 'load', 'load']);
  });

  it('given a store that cannot keep it, then it goes into the log, and the logger is told', async () => {
    const store = new BlobMemory();
    store.before = () => {
      throw new Error('no room for blobs');
    };
    const told: string[] = [];
    const silent = (): void => {};
    const logger = {
      debug: silent,
      info: silent,
      error: silent,
      warn: (_: object, text: string) => told.push(text),
    };
    const run = await (await open(store, { logger })).manageWorkflow(pair());
    expect((await run.result()).outputs.use).toBe(1_000);
    expect(ofType(await logOf(run), 'TaskCompleted')[0]?.output).toEqual(large('made'));
    expect(told).toEqual(['a large output could not be kept beside the log; it goes into it']);
  });

  it('given a store that fails to read it a few times, then it is asked again; for ever, then whoever wants it fails', async () => {
    for (const failing of [STORE_FAILURES_MAX - 1, Number.POSITIVE_INFINITY]) {
      const { store, runId } = await leftWith(holding);
      store.before = () => {
        if (store.asked.length <= failing) throw new Error('the disk is busy');
      };
      const clock = new VirtualClock();
      const second = await open(store, { clock, workflows: [holding(() => Promise.resolve())] });
      const run = second.getRun(runId);
      if (failing === Number.POSITIVE_INFINITY) {
        await expect(run.settled()).rejects.toThrow('the disk is busy');
        expect(ofType(await logOf(run), 'TaskFailed').map(({ path }) => path)).toEqual(['use']);
        store.before = () => {};
        expect((await run.settled()).outputs).toMatchObject({ make: large('made'), free: 'free' });
      } else {
        expect((await run.result()).outputs).toMatchObject({ make: large('made'), use: 'made' });
        expect(store.asked).toHaveLength(STORE_FAILURES_MAX);
        // Twice as long each time, but for the first: 0 + 40 + 80 + 160 + 320 ms.
        expect(clock.monotonic()).toBe(600);
      }
    }
  });

  it('given an orchestrator that closes while it waits to ask again, then whoever waits is told at once', async () => {
    const { store, runId } = await leftWith(short);
    let closed: Promise<void> | undefined;
    store.before = () => {
      if (store.asked.length === 3) closed = second.close({ grace: 0 });
      throw new Error('the disk is busy');
    };
    const clock = new VirtualClock();
    const second = await open(store, { clock, workflows: [short(() => Promise.resolve())] });
    await expect(second.getRun(runId).settled()).rejects.toThrow('the disk is busy');
    await closed;
    expect(store.asked).toHaveLength(3);
    expect(clock.pending).toBe(0);
  });

  it('given a run that is removed while its result is read, then it is removed after that; read later, it is not found', async () => {
    const { store, runId } = await leftWith(short);
    const reading = createGate();
    store.before = () => reading.promise;
    const going = createGate();
    const second = await open(store, { workflows: [short(() => going.promise)], retainRuns: 0 });
    const settledRun = second.getRun(runId).settled();
    going.open();
    while (store.asked.length === 0) await nextTurn();
    let isPruned = false;
    const pruned = second.pruneRuns({ keepLast: 0 });
    void pruned.then(() => {
      isPruned = true;
    });
    for (let i = 0; i < 10; i++) await nextTurn();
    expect(isPruned).toBe(false);
    reading.open();
    expect((await settledRun).outputs).toMatchObject({ make: large('made') });
    expect(await pruned).toMatchObject({ removed: 1 });
    store.blobs.clear();
    const reference = new Reference('0'.repeat(64), 1);
    await expect(second.persistence.loadOutput(runId, reference)).rejects.toMatchObject({
      code: 'RUN_NOT_FOUND',
    });
  });

  it('given one that is missing or damaged, then whoever wants it fails with the reason, and nobody else', async () => {
    for (const harm of ['missing', 'damaged'] as const) {
      const { store, runId } = await leftWith(holding);
      for (const [key, bytes] of [...store.blobs]) {
        store.blobs.delete(key);
        if (harm === 'damaged')
          store.blobs.set(
            key,
            bytes.map((byte, i) => (i === 9 ? byte ^ 1 : byte)),
          );
      }
      const second = await open(store, { workflows: [holding(() => Promise.resolve())] });
      const settledRun = await second
        .getRun(runId)
        .settled()
        .catch((error: unknown) => error);
      // Its result has the output, too, so it cannot be given either.
      expect(settledRun).toMatchObject({ code: 'STORE_CORRUPT' });
      const log = await logOf(second.getRun(runId));
      expect(ofType(log, 'TaskFailed').map(({ path, failure }) => [path, failure.code])).toEqual([
        ['use', 'STORE_CORRUPT'],
      ]);
      expect(ofType(log, 'TaskCompleted').map(({ path }) => path)).toEqual(['make', 'hold', 'free']);
    }
  });
});

/** A store with a run whose large output is kept, and that goes on; whoever began it is gone. */
async function leftWith(
  define: typeof short | typeof holding,
): Promise<{ readonly store: BlobMemory; readonly runId: string }> {
  const store = new BlobMemory();
  const gate = createGate();
  const first = await open(store);
  const { runId } = await first.manageWorkflow(define(() => gate.promise) as ReturnType<typeof short>);
  while (store.blobs.size < 1) await nextTurn();
  await nextTurn();
  await first.close({ grace: 0 });
  store.asked.length = 0;
  return { store, runId };
}

/** Something large, beside somebody who waits. */
function short(wait: () => Promise<void>) {
  const make = task('make', { run: () => large('made') });
  return defineWorkflow('short', { tasks: [make, task('hold', { run: wait })] });
}

/** `use` waits for something large, and for somebody to let it go. */
function holding(wait: () => Promise<void>) {
  const make = task('make', { run: () => large('made') });
  const hold = task('hold', { run: wait });
  const use = task('use', {
    dependencies: { make, hold },
    run: ({ dependencies }) => dependencies.make.mark,
  });
  const free = task('free', { dependencies: { hold }, run: () => 'free' });
  return defineWorkflow('holding', { failurePolicy: 'continue', tasks: [make, hold, use, free] });
}

describe('a large output that is being kept', () => {
  it('given a run that is cancelled meanwhile, then the run ends, and nothing is handed in late', async () => {
    const store = new BlobMemory();
    const gate = createGate();
    store.before = () => gate.promise;
    const orchestrator = await open(store, { cancelGrace: 10 });
    const run = await orchestrator.manageWorkflow(pair());
    while (store.asked.length === 0) await nextTurn();
    const cancelled = run.cancel('enough');
    await nextTurn();
    gate.open();
    await expect(cancelled).resolves.toBe(true);
    await expect(run.settled()).resolves.toMatchObject({ status: 'cancelled' });
    const log = await logOf(run);
    expect(
      ofType(log, 'TaskCancelled')
        .map(({ path }) => path)
        .sort(),
    ).toEqual(['make', 'use']);
    expect(ofType(log, 'TaskCompleted')).toEqual([]);
  });

  it('given an orchestrator that closes meanwhile, then it waits, and the work is not done again', async () => {
    const store = new BlobMemory();
    const gate = createGate();
    store.before = () => gate.promise;
    let made = 0;
    const define = () =>
      defineWorkflow('closing', {
        tasks: [task('make', { run: () => large(`made ${++made}`) })],
      });
    const first = await open(store);
    const { runId } = await first.manageWorkflow(define());
    while (store.asked.length === 0) await nextTurn();
    const closed = first.close({ grace: 1_000 });
    await nextTurn();
    gate.open();
    await closed;
    store.before = () => {};
    const { persistence } = await open(store, { workflows: [define()] });
    const { status, tasks } = await persistence.loadState(runId);
    expect(status).toBe('completed');
    const output = await persistence.loadOutput(runId, tasks[0]?.output as Reference);
    expect(output).toEqual(large('made 1'));
    expect(made).toBe(1);
  });

  it('given a time limit that passes meanwhile, then the body has ended in time', async () => {
    const store = new BlobMemory();
    const gate = createGate();
    store.before = () => gate.promise;
    const clock = new VirtualClock({ auto: false });
    const orchestrator = await open(store, { clock });
    const make = task('make', { timeout: 50, run: () => large('in time') });
    const run = await orchestrator.manageWorkflow(defineWorkflow('timed', { tasks: [make] }));
    while (store.asked.length === 0) await nextTurn();
    const passed = clock.advance(100);
    await nextTurn();
    gate.open();
    await passed;
    await expect(run.result()).resolves.toMatchObject({ outputs: { make: { mark: 'in time' } } });
  });
});

describe('runs that are made out of others', () => {
  it('given a fork, a retry or a rerun, then it has its own copy, which outlives the run it was made from', async () => {
    const store = new BlobMemory();
    const orchestrator = await open(store);
    let fails = true;
    const make = task('make', { run: () => large('made') });
    const use = task('use', {
      dependencies: { make },
      run: ({ dependencies }) => {
        if (fails) throw new Error('not yet');
        return dependencies.make.mark;
      },
    });
    const workflow = defineWorkflow('origin', { tasks: [make, use] });
    const origin = await orchestrator.manageWorkflow(workflow);
    await origin.settled();
    fails = false;
    const retried = await origin.retry();
    await retried.settled();
    const again = await retried.rerunFrom('use');
    await again.settled();
    store.remove([`run:${origin.runId}`, `run:${retried.runId}`]);
    for (const key of [...store.blobs.keys()])
      if (!key.startsWith(`run:${again.runId} `)) store.blobs.delete(key);
    await orchestrator.close();
    const reader = await open(store, { workflows: [workflow] });
    const { tasks } = await reader.persistence.loadState(again.runId);
    expect(tasks.map(({ status }) => status)).toEqual(['completed', 'completed']);
    await expect(reader.persistence.loadOutput(again.runId, tasks[0]?.output as Reference)).resolves.toEqual(
      large('made'),
    );
  });

  it('given nonsense for a reference or a limit, then it is refused', async () => {
    const { persistence } = await open(new BlobMemory());
    for (const odd of [
      undefined,
      null,
      5,
      'x',
      {},
      { id: 'x', bytes: 1 },
      new Proxy(
        {},
        {
          getPrototypeOf: () => {
            throw new Error('trap');
          },
        },
      ),
    ])
      await expect(persistence.loadOutput('r', odd as Reference)).rejects.toMatchObject({
        code: 'OPTION_INVALID',
      });
    await expect(persistence.loadOutput(5 as never, {} as Reference)).rejects.toMatchObject({
      code: 'OPTION_INVALID',
    });
    for (const inlineLimit of [0, 1_023, 2 ** 27, Number.NaN, '1MB', null])
      await expect(Orchestrator.open({ inlineLimit: inlineLimit as number })).rejects.toMatchObject({
        code: 'OPTION_INVALID',
      });
  });
});
