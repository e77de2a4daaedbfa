/** Ended runs that are removed: which ones, what is left of them, and what never goes. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  defineWorkflow,
  type EventStore,
  MemoryStore,
  Orchestrator,
  type OrchestratorOptions,
  type PruneOptions,
  type Run,
  task,
} from '@taskmaster-ai/orchestrator';
import { ScriptedStore, VirtualClock } from '@taskmaster-ai/orchestrator/testing';
import fc from 'fast-check';
import { afterAll, describe, expect, it, onTestFinished } from 'vitest';
import { PRUNES_MAX } from '../../src/orchestrator/prune-runs.ts';
import { BlobMemory } from '../support/blob-memory.ts';
import { DurableMemory } from '../support/durable-memory.ts';
import { createGate, nextTurn } from '../support/gate.ts';
import { unless } from '../support/sqlite.ts';
import { STORES } from '../support/stores-here.ts';

const folder = mkdtempSync(join(tmpdir(), 'pruning-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const HOUR = 3_600_000;
const say = (workflowId: string) =>
  defineWorkflow(workflowId, { tasks: [task('say', { run: ({ input }) => input ?? 'said' })] });
const one = say('one');
const other = say('other');
const bad = defineWorkflow('bad', {
  tasks: [
    task('throw', {
      run: () => {
        throw new Error('as it should');
      },
    }),
  ],
});

interface Opened {
  readonly orchestrator: Orchestrator;
  readonly clock: VirtualClock;
}

async function open(store: EventStore, options: OrchestratorOptions = {}, startAt?: number): Promise<Opened> {
  const clock = new VirtualClock({ auto: false, ...(startAt === undefined ? {} : { startAt }) });
  const orchestrator = await Orchestrator.open({ clock, store, retainRuns: 0, ...options });
  onTestFinished(() => orchestrator.close({ grace: 0 }));
  return { orchestrator, clock };
}

/** A run that has ended, an hour after the one before. */
async function end(
  { orchestrator, clock }: Opened,
  workflow: typeof one | typeof bad,
  settings = {},
): Promise<string> {
  await clock.advance(HOUR);
  const run = (await orchestrator.manageWorkflow(workflow as typeof one, settings)) as Run<unknown>;
  await run.settled();
  return run.runId;
}

const idsOf = async (orchestrator: Orchestrator): Promise<readonly string[]> =>
  (await orchestrator.listRuns({ limit: 1_000 })).map(({ runId }) => runId);

describe.each(STORES.filter(({ name }) => name !== 'memory'))('on $name', (kind) => {
  it.skipIf(kind.missing !== undefined)(
    unless(kind.missing, 'removes what is old enough, and a key starts nothing again, in no process'),
    async () => {
      const place = join(folder, kind.name.replaceAll(/\W/g, '-'));
      const first = await open(kind.open(place), { inlineLimit: 1_024 });
      const keyed = await end(first, one, { key: 'invoice-17', input: { rows: 'x'.repeat(5_000) } });
      await end(first, bad);
      const young = await end(first, other, { key: 'young' });
      const { orchestrator, clock } = first;
      await expect(orchestrator.pruneRuns({ olderThan: HOUR, dryRun: true })).resolves.toMatchObject({
        removed: 2,
      });
      expect(await idsOf(orchestrator)).toHaveLength(3);
      await expect(orchestrator.pruneRuns({ olderThan: HOUR })).resolves.toEqual({
        removed: 2,
        kept: { tooRecent: 1, inKeepLast: 0, hasCheckpoint: 0, inUse: 0, unreadable: 0 },
        more: false,
      });
      expect(await idsOf(orchestrator)).toEqual([young]);
      await expect(orchestrator.persistence.loadState(keyed)).rejects.toMatchObject({
        code: 'RUN_NOT_FOUND',
      });
      await orchestrator.close();

      const second = await open(kind.open(place), {}, clock.now());
      const again = (input: unknown, workflow = one) =>
        second.orchestrator.manageWorkflow(workflow, { key: 'invoice-17', input } as never);
      await expect(again({ rows: 'x'.repeat(5_000) })).rejects.toMatchObject({
        code: 'RUN_PRUNED',
        details: { runId: keyed, status: 'completed' },
      });
      await expect(again({ rows: 'y' })).rejects.toMatchObject({ code: 'RUN_KEY_CONFLICT' });
      await expect(again({ rows: 'x'.repeat(5_000) }, other)).rejects.toMatchObject({
        code: 'RUN_KEY_CONFLICT',
      });
      const found = await second.orchestrator.manageWorkflow(other, { key: 'young' });
      expect(found.runId).toBe(young);
      expect(await idsOf(second.orchestrator)).toEqual([young]);
    },
  );
});

describe('what is kept', () => {
  it('given runs that go on, have a checkpoint, are known or are the last of their workflow, then they stay', async () => {
    const store = new DurableMemory();
    const opened = await open(store, { retainRuns: 1 });
    const { orchestrator } = opened;
    const gate = createGate();
    const slow = defineWorkflow('slow', { tasks: [task('wait', { run: () => gate.promise })] });
    const goesOn = await orchestrator.manageWorkflow(slow);
    const marked = await end(opened, one);
    await orchestrator.persistence.createCheckpoint(marked, { name: 'here' });
    const gone = await end(opened, one);
    const last = await end(opened, one);
    const alone = await end(opened, other);
    const known = await end(opened, bad);
    await expect(orchestrator.pruneRuns({ keepLast: 1 })).resolves.toEqual({
      removed: 1,
      kept: { tooRecent: 0, inKeepLast: 3, hasCheckpoint: 1, inUse: 0, unreadable: 0 },
      more: false,
    });
    const ids = await idsOf(orchestrator);
    expect([...ids].sort()).toEqual([goesOn.runId, marked, last, alone, known].sort());
    expect(ids).not.toContain(gone);
    await expect(orchestrator.pruneRuns({ keepLast: 0 })).resolves.toMatchObject({
      removed: 2,
      kept: { hasCheckpoint: 1, inUse: 1 },
    });
    gate.open();
    await expect(goesOn.result()).resolves.toMatchObject({ status: 'completed' });
  });

  it('given a workflow, an end or a limit, then only those are removed, the oldest first', async () => {
    const opened = await open(new DurableMemory());
    const { orchestrator } = opened;
    const runs: string[] = [];
    for (const workflow of [one, other, bad, one, other, bad]) runs.push(await end(opened, workflow));
    await expect(orchestrator.pruneRuns({ keepLast: 0, status: 'failed', limit: 1 })).resolves.toMatchObject({
      removed: 1,
      more: true,
    });
    expect(await idsOf(orchestrator)).toEqual(runs.filter((_, i) => i !== 2));
    await orchestrator.pruneRuns({ keepLast: 1, workflowId: 'one' });
    expect(await idsOf(orchestrator)).toEqual(runs.filter((_, i) => i !== 2 && i !== 0));
    await orchestrator.pruneRuns({ keepLast: 0 });
    expect(await idsOf(orchestrator)).toEqual([]);
  });

  it('given a fork of a run, then it stays whole when the run is removed, with its large outputs', async () => {
    const store = new BlobMemory();
    const opened = await open(store, { inlineLimit: 1_024, retainRuns: 9 });
    const { orchestrator, clock } = opened;
    const large = defineWorkflow('large', { tasks: [task('make', { run: () => 'x'.repeat(9_000) })] });
    const origin = await orchestrator.manageWorkflow(large);
    await origin.result();
    const fork = await origin.rerunFrom('make');
    await fork.result();
    await orchestrator.close();
    const second = await open(store, { workflows: [large] }, clock.now());
    await second.orchestrator.pruneRuns({ keepLast: 1 });
    expect(await idsOf(second.orchestrator)).toEqual([fork.runId]);
    expect((await second.orchestrator.persistence.loadState(fork.runId)).status).toBe('completed');
  });

  it('given random runs and questions, then nothing goes that a simple model keeps', async () => {
    const kinds = fc.array(
      fc.record({
        workflow: fc.constantFrom(one, other, bad),
        hasKey: fc.boolean(),
        hasCheckpoint: fc.boolean(),
      }),
      { maxLength: 14 },
    );
    const asked = fc.record({
      olderThan: fc.option(fc.integer({ min: 0, max: 15 }), { nil: undefined }),
      keepLast: fc.option(fc.integer({ min: 0, max: 5 }), { nil: undefined }),
    });
    await fc.assert(
      fc.asyncProperty(kinds, asked, async (given, { olderThan, keepLast }) => {
        if (olderThan === undefined && keepLast === undefined) return;
        const opened = await open(new DurableMemory());
        const { orchestrator, clock } = opened;
        const runs: { runId: string; at: number; workflowId: string; hasCheckpoint: boolean; key: string }[] =
          [];
        for (const [i, { workflow, hasKey, hasCheckpoint }] of given.entries()) {
          const key = `key-${i}`;
          const runId = await end(opened, workflow, hasKey ? { key } : {});
          if (hasCheckpoint) await orchestrator.persistence.createCheckpoint(runId);
          runs.push({
            runId,
            at: clock.now(),
            workflowId: workflow.workflowId,
            hasCheckpoint,
            key: hasKey ? key : '',
          });
        }
        const goes = runs.filter(({ at, workflowId, hasCheckpoint }, i) => {
          const later = runs.slice(i + 1).filter((run) => run.workflowId === workflowId).length;
          const isOld = olderThan === undefined || clock.now() - at >= olderThan * HOUR;
          return !hasCheckpoint && isOld && (keepLast === undefined || later >= keepLast);
        });
        const options: PruneOptions = {
          ...(olderThan === undefined ? {} : { olderThan: olderThan * HOUR }),
          ...(keepLast === undefined ? {} : { keepLast }),
        };
        const { removed } = await orchestrator.pruneRuns(options);
        expect(removed).toBe(goes.length);
        expect(await idsOf(orchestrator)).toEqual(
          runs.filter((run) => !goes.includes(run)).map(({ runId }) => runId),
        );
        for (const { key, workflowId } of goes.filter((run) => run.key !== ''))
          await expect(
            orchestrator.manageWorkflow({ one, other, bad }[workflowId] as typeof one, { key }),
          ).rejects.toMatchObject({ code: 'RUN_PRUNED' });
        await orchestrator.close({ grace: 0 });
      }),
      { numRuns: 40 },
    );
  });
});

describe('a removal that is cut off', () => {
  it('given a death between what is left and the removal, then the run is still there, and goes the next time', async () => {
    const store = new DurableMemory();
    const remove = store.remove.bind(store);
    const first = await open(store);
    const runId = await end(first, one, { key: 'once' });
    store.remove = () => {
      throw new Error('the process has died here');
    };
    await expect(first.orchestrator.pruneRuns({ keepLast: 0 })).rejects.toThrow('has died');
    await first.orchestrator.close({ grace: 0 });
    store.remove = remove;
    const second = await open(store, { workflows: [one] }, first.clock.now());
    expect((await second.orchestrator.manageWorkflow(one, { key: 'once' })).runId).toBe(runId);
    await expect(second.orchestrator.pruneRuns({ keepLast: 0 })).resolves.toMatchObject({ removed: 1 });
    await expect(second.orchestrator.manageWorkflow(one, { key: 'once' })).rejects.toMatchObject({
      code: 'RUN_PRUNED',
    });
  });

  it('given a signal, then it ends, and what is removed stays removed', async () => {
    const { orchestrator } = await open(new DurableMemory());
    const stop = AbortSignal.abort('enough');
    await expect(orchestrator.pruneRuns({ keepLast: 0, signal: stop })).rejects.toMatchObject({
      code: 'WAIT_ABORTED',
      cause: 'enough',
    });
  });
});

describe('removals and whoever comes between', () => {
  it('given one that waits for another, then its signal ends it at once, and a thousand are enough', async () => {
    const store = new ScriptedStore(new DurableMemory());
    const opened = await open(store);
    const { orchestrator } = opened;
    for (let i = 0; i < 3; i++) await end(opened, one);
    const stop = new AbortController();
    const first = orchestrator.pruneRuns({ keepLast: 2 });
    const queued = orchestrator.pruneRuns({ keepLast: 0, signal: stop.signal });
    const others = Array.from({ length: PRUNES_MAX - 2 }, () => orchestrator.pruneRuns({ keepLast: 1 }));
    await expect(orchestrator.pruneRuns({ keepLast: 0 })).rejects.toMatchObject({ code: 'QUEUE_FULL' });
    let isFirstOver = false;
    void first.then(() => {
      isFirstOver = true;
    });
    stop.abort('enough');
    await expect(queued).rejects.toMatchObject({ code: 'WAIT_ABORTED', cause: 'enough' });
    expect(isFirstOver).toBe(false);
    await expect(first).resolves.toMatchObject({ removed: 1 });
    const rest = await Promise.all(others);
    expect(rest.map(({ removed }) => removed).reduce((sum, one_) => sum + one_, 0)).toBe(1);
    expect(await idsOf(orchestrator)).toHaveLength(1);
    await expect(orchestrator.pruneRuns({ keepLast: 0 })).resolves.toMatchObject({ removed: 1 });
  });

  it('given a store in memory and somebody who reads a run, then it is forgotten only afterwards', async () => {
    const store = new ScriptedStore(new MemoryStore());
    const clock = new VirtualClock({ auto: false });
    const orchestrator = await Orchestrator.open({ clock, store, retainRuns: 1 });
    onTestFinished(() => orchestrator.close({ grace: 0 }));
    // More events than are read at once.
    const long = defineWorkflow('long', {
      tasks: Array.from({ length: 600 }, (_, i) => task(`t${i}`, { run: () => i })),
    });
    const run = await orchestrator.manageWorkflow(long);
    await run.settled();
    const loading = orchestrator.persistence.loadState(run.runId);
    run.release();
    const { tasks } = await loading;
    expect(tasks.every(({ status }) => status === 'completed')).toBe(true);
    for (let i = 0; i < 20; i++) await nextTurn();
    await expect(orchestrator.persistence.loadState(run.runId)).rejects.toMatchObject({
      code: 'RUN_NOT_FOUND',
    });
  });

  it('given many to remove in a store that answers at once, then the event loop of the host turns between them', async () => {
    const store = new DurableMemory();
    const opened = await open(store);
    const { orchestrator } = opened;
    await Promise.all(
      Array.from({ length: 2_500 }, async () => (await orchestrator.manageWorkflow(one)).settled()),
    );
    const most = { removed: 0 };
    let sinceTurn = 0;
    const remove = store.remove.bind(store);
    store.remove = (streams) => {
      sinceTurn += streams.length;
      most.removed = Math.max(most.removed, sinceTurn);
      remove(streams);
    };
    let isOver = false;
    let turns = 0;
    const onTurn = (): void => {
      sinceTurn = 0;
      turns++;
      if (!isOver) setImmediate(onTurn);
    };
    setImmediate(onTurn);
    const counted = await orchestrator.pruneRuns({ keepLast: 0, dryRun: true });
    // They are looked at twice, in three pages each.
    expect([counted.removed, turns]).toEqual([2_500, 4]);
    const pruned = await orchestrator.pruneRuns({ keepLast: 0 });
    isOver = true;
    expect(pruned.removed).toBe(2_500);
    expect(most.removed).toBe(64);
  });

  it('given two at once, then they remove as much as one', async () => {
    const opened = await open(new DurableMemory());
    const { orchestrator } = opened;
    for (let i = 0; i < 8; i++) await end(opened, one);
    const both = await Promise.all([
      orchestrator.pruneRuns({ keepLast: 4 }),
      orchestrator.pruneRuns({ keepLast: 4 }),
    ]);
    expect(both.map(({ removed }) => removed)).toEqual([4, 0]);
    expect(await idsOf(orchestrator)).toHaveLength(4);
  });

  it('given a checkpoint, a fork or a key at any moment of it, then either it or the removal comes first, whole', async () => {
    const ways = {
      checkpoint: (o: Orchestrator, runId: string) => o.persistence.createCheckpoint(runId),
      fork: (o: Orchestrator, runId: string) => o.persistence.fork(runId, 2),
      rerun: (o: Orchestrator, runId: string) => o.persistence.rerunFrom(runId, 'say'),
      load: (o: Orchestrator, runId: string) => o.persistence.loadState(runId),
      key: (o: Orchestrator) => o.manageWorkflow(one, { key: 'once' }),
    };
    for (const [name, act] of Object.entries(ways)) {
      for (let after = 0; after < 24; after++) {
        const store = new ScriptedStore(new DurableMemory());
        const opened = await open(store);
        const { orchestrator } = opened;
        const runId = await end(opened, one, { key: 'once' });
        const pruned = orchestrator.pruneRuns({ keepLast: 0 });
        for (let i = 0; i < after; i++) await Promise.resolve();
        const done = await act(orchestrator, runId).then(
          () => 'done',
          (error: { readonly code: string }) => error.code,
        );
        const { removed } = await pruned;
        const isThere = (await idsOf(orchestrator)).includes(runId);
        expect([name, isThere]).toEqual([name, removed === 0]);
        expect([name, after, done]).toEqual([
          name,
          after,
          expect.stringMatching(name === 'key' ? /^(done|RUN_PRUNED)$/ : /^(done|RUN_NOT_FOUND)$/),
        ]);
        if (name === 'checkpoint' && done === 'done') expect(isThere).toBe(true);
        await orchestrator.close({ grace: 0 });
      }
    }
  });
});

describe('a run that ends and is forgotten at once', () => {
  it('given a retry, a fork or a known key, then whoever asked for it has it all the same', async () => {
    const opened = await open(new DurableMemory());
    const { orchestrator } = opened;
    const failed = await orchestrator.manageWorkflow(bad);
    await failed.settled();
    expect((await (await failed.retry()).settled()).status).toBe('failed');
    expect((await (await failed.fork()).settled()).status).toBe('failed');
    const runId = await end(opened, one, { key: 'once' });
    const found = await orchestrator.manageWorkflow(one, { key: 'once' });
    expect(found.runId).toBe(runId);
    await expect(found.result()).resolves.toMatchObject({ outputs: { say: 'said' } });
  });
});

describe('retention', () => {
  it('given one, then ended runs go by themselves when others end, and not more often than it says', async () => {
    const opened = await open(new DurableMemory(), { retention: { keepLast: 2, every: '90m' } });
    const { orchestrator } = opened;
    const counts: number[] = [];
    for (let i = 0; i < 6; i++) {
      await end(opened, one);
      for (let turn = 0; turn < 20; turn++) await nextTurn();
      counts.push((await idsOf(orchestrator)).length);
    }
    expect(counts).toEqual([1, 2, 2, 3, 2, 3]);
  });

  it('given a store that fails, then the logger is told, and it is tried again', async () => {
    const store = new DurableMemory();
    const remove = store.remove.bind(store);
    store.remove = () => {
      throw new Error('not now');
    };
    const told: unknown[] = [];
    const silent = (): void => {};
    const warn = (fields: object): void => {
      told.push(fields);
    };
    const logger = { debug: silent, info: silent, error: silent, warn };
    const opened = await open(store, { logger, retention: { olderThan: '30m' } });
    await end(opened, one);
    await end(opened, one);
    for (let turn = 0; turn < 20; turn++) await nextTurn();
    expect(told).toMatchObject([{ error: { message: 'not now' } }]);
    store.remove = remove;
    const last = await end(opened, one);
    for (let turn = 0; turn < 20; turn++) await nextTurn();
    expect(await idsOf(opened.orchestrator)).toEqual([last]);
  });
});

describe('nonsense', () => {
  it.each([
    [{}, 'OPTION_INVALID'],
    [undefined, 'OPTION_INVALID'],
    [{ olderThan: -1 }, 'OPTION_INVALID'],
    [{ olderThan: '5 parsecs' }, 'OPTION_INVALID'],
    [{ keepLast: 1.5 }, 'OPTION_INVALID'],
    [{ keepLast: 1, status: 'in_progress' }, 'OPTION_INVALID'],
    [{ keepLast: 1, limit: 0 }, 'OPTION_INVALID'],
    [{ keepLast: 1, dryRun: 'yes' }, 'OPTION_INVALID'],
    [{ keepLast: 1, signal: {} }, 'OPTION_INVALID'],
    [{ keepLast: 1, everything: true }, 'OPTION_UNKNOWN'],
  ])('given %j, then it is refused, and nothing is removed', async (options, code) => {
    const opened = await open(new DurableMemory());
    const runId = await end(opened, one);
    await expect(opened.orchestrator.pruneRuns(options as never)).rejects.toMatchObject({ code });
    expect(await idsOf(opened.orchestrator)).toEqual([runId]);
  });

  it.each([
    [{}, 'OPTION_INVALID'],
    [5, 'OPTION_INVALID'],
    [{ keepLast: 1, every: 'often' }, 'OPTION_INVALID'],
    [{ keepLast: 1, every: 5 }, 'OPTION_INVALID'],
    [{ keepLast: 1, dryRun: true }, 'OPTION_UNKNOWN'],
  ])('given a retention of %j, then opening is refused', async (retention, code) => {
    await expect(Orchestrator.open({ retention: retention as never })).rejects.toMatchObject({ code });
  });
});

describe.each(STORES)('pages of runs on $name', (kind) => {
  it.skipIf(kind.missing !== undefined)(
    unless(
      kind.missing,
      'given runs that are removed between two pages, then none of the others is left out',
    ),
    async () => {
      const opened = await open(kind.open(join(folder, `pages-${kind.name.replaceAll(/\W/g, '-')}`)), {
        retainRuns: kind.name === 'memory' ? 100 : 0,
      });
      const { orchestrator } = opened;
      const runs: string[] = [];
      for (let i = 0; i < 6; i++) runs.push(await end(opened, one));
      const first = await orchestrator.listRuns({ limit: 3 });
      await orchestrator.pruneRuns({ keepLast: 2 });
      const after = first.at(-1)?.runId;
      const second = await orchestrator.listRuns({ limit: 3, after });
      expect([...first, ...second].map(({ runId }) => runId)).toEqual(
        kind.name === 'memory' ? runs : [...runs.slice(0, 3), ...runs.slice(4)],
      );
      await expect(orchestrator.listRuns({ after: 'nobody' })).rejects.toMatchObject({ code: 'PAGE_LOST' });
    },
  );
});
