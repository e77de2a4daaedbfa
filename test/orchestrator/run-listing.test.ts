/** Runs of a store, found by what they are: whatever became of them, and whether this process knows them. */
import {
  defineWorkflow,
  type ListRequest,
  type MemoryStore,
  Orchestrator,
  type OrchestratorOptions,
  type RunInfo,
  task,
} from '@taskmaster-ai/orchestrator';
import { ScriptedStore, VirtualClock } from '@taskmaster-ai/orchestrator/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { DurableMemory } from '../support/durable-memory.ts';

async function open(options: OrchestratorOptions): Promise<Orchestrator> {
  const orchestrator = await Orchestrator.open({ clock: new VirtualClock(), ...options });
  onTestFinished(() => orchestrator.close({ grace: 0 }));
  return orchestrator;
}

const short = defineWorkflow('short', { tasks: [task('only', { run: () => 'done' })] });
const broken = defineWorkflow('broken', {
  tasks: [
    task('only', {
      run: () => {
        throw new Error('it is broken');
      },
    }),
  ],
});
const long = defineWorkflow('long', { tasks: [task('nap', { run: ({ clock }) => clock.sleep('2h') })] });

const ids = (runs: readonly { readonly runId: string }[]): readonly string[] =>
  runs.map(({ runId }) => runId);

/** What the facts of the store say of each run must be what its folded log says. */
async function expectTruth(orchestrator: Orchestrator, runs: readonly RunInfo[]): Promise<void> {
  for (const info of runs) {
    const saved = await orchestrator.persistence.loadState(info.runId);
    expect(info).toMatchObject({
      workflowId: saved.workflowId,
      status: saved.status,
      startedAt: saved.createdAt,
      lastSeq: saved.seq,
    });
    expect(info.endedAt).toBe(saved.finishedAt);
  }
}

describe('listing the runs of a store', () => {
  it('finds them by workflow, status, time and attributes, in the order of their start, a page at a time', async () => {
    const clock = new VirtualClock({ startAt: 1_000 });
    const orchestrator = await open({ clock, store: new DurableMemory() });
    const a = await orchestrator.manageWorkflow(short, {
      attributes: { tenant: 'north', urgent: true, size: 3 },
    });
    await a.result();
    const b = await orchestrator.manageWorkflow(broken, { attributes: { tenant: 'south' } });
    await b.settled();
    const c = await orchestrator.manageWorkflow(long, { attributes: { tenant: 'north' } });
    await clock.advance(500);
    const d = await orchestrator.manageWorkflow(long);
    await c.pause();
    await d.cancel('no longer');
    await d.settled();
    const all = await orchestrator.listRuns();
    expect(all.map(({ runId, status }) => [runId, status])).toEqual([
      [a.runId, 'completed'],
      [b.runId, 'failed'],
      [c.runId, 'paused'],
      [d.runId, 'cancelled'],
    ]);
    await expectTruth(orchestrator, all);
    const found = async (options: Parameters<Orchestrator['listRuns']>[0]): Promise<readonly string[]> =>
      ids(await orchestrator.listRuns(options));
    expect(await found({ workflowId: 'long' })).toEqual([c.runId, d.runId]);
    expect(await found({ status: ['paused', 'failed'] })).toEqual([b.runId, c.runId]);
    expect(await found({ status: 'completed' })).toEqual([a.runId]);
    expect(await found({ startedFrom: 1_500 })).toEqual([d.runId]);
    expect(await found({ startedBefore: 1_500 })).toEqual([a.runId, b.runId, c.runId]);
    expect(await found({ attributes: { tenant: 'north' } })).toEqual([a.runId, c.runId]);
    expect(await found({ attributes: { tenant: 'north', size: 3 } })).toEqual([a.runId]);
    expect(await found({ attributes: { size: '3' } })).toEqual([]);
    expect(await found({ limit: 2 })).toEqual([a.runId, b.runId]);
    expect(await found({ limit: 2, after: b.runId })).toEqual([c.runId, d.runId]);
    expect(a.attributes).toEqual({ tenant: 'north', urgent: true, size: 3 });
    expect(d.attributes).toEqual({});
    expect(all[0]?.attributes).toEqual(a.attributes);
    await c.resume();
    expect(await found({ status: 'in_progress' })).toEqual([c.runId]);
  });

  it('finds those that an earlier process left, and keeps their attributes over recovery and in forks', async () => {
    const store = new DurableMemory();
    const first = await open({ store, workflows: [short, long] });
    const ended = await first.manageWorkflow(short, { attributes: { tenant: 'north' } });
    await ended.result();
    const left = await first.manageWorkflow(long, { attributes: { tenant: 'north' } });
    await left.pause();
    await first.close({ grace: 0 });
    const second = await open({ store, workflows: [short, long] });
    expect(ids(await second.listRuns({ attributes: { tenant: 'north' } }))).toEqual([
      ended.runId,
      left.runId,
    ]);
    const again = second.getRun(left.runId);
    expect(again.attributes).toEqual({ tenant: 'north' });
    const fork = await again.fork({ at: 2 });
    expect(fork.attributes).toEqual({ tenant: 'north' });
    await fork.cancel();
    await fork.settled();
    await again.resume();
    const runs = await second.listRuns({ attributes: { tenant: 'north' } });
    expect(runs.map(({ status }) => status)).toEqual(['completed', 'in_progress', 'cancelled']);
    await expectTruth(second, runs);
  });

  it.each(['unknown', 'late', 'conflict', 'refuse'] as const)(
    'says what the logs say after appends that went wrong: %s',
    async (fault) => {
      for (let at = 1; at <= 6; at++) {
        const store = new ScriptedStore(new DurableMemory(), { appends: [{ at, fault }] });
        const orchestrator = await open({ store });
        const run = await orchestrator.manageWorkflow(short).catch(() => undefined);
        await run?.pause();
        await run?.resume();
        await run?.settled();
        const other = await orchestrator.manageWorkflow(broken).catch(() => undefined);
        await other?.settled();
        const runs = await orchestrator.listRuns();
        expect(runs.length, `fault at ${at}`).toBeGreaterThan(0);
        await expectTruth(orchestrator, runs);
        await orchestrator.close({ grace: 0 });
      }
    },
  );

  it('refuses what it cannot ask for', async () => {
    const orchestrator = await open({});
    const asks: readonly (readonly [string, unknown])[] = [
      ['OPTION_INVALID', null],
      ['OPTION_INVALID', 7],
      ['OPTION_UNKNOWN', { workflow: 'short' }],
      ['OPTION_INVALID', { status: 'ended' }],
      ['OPTION_INVALID', { status: ['failed', 1] }],
      ['OPTION_INVALID', { limit: 0 }],
      ['OPTION_INVALID', { limit: 1_001 }],
      ['OPTION_INVALID', { startedFrom: Number.NaN }],
      ['OPTION_INVALID', { startedBefore: '1' }],
      ['OPTION_INVALID', { after: 3 }],
      ['ID_INVALID', { workflowId: '' }],
      ['OPTION_INVALID', { attributes: { size: Number.NaN } }],
    ];
    for (const [code, options] of asks)
      await expect(orchestrator.listRuns(options as never), JSON.stringify(options)).rejects.toThrow(
        expect.objectContaining({ code }),
      );
  });
});

describe('the attributes of a run', () => {
  it('are refused if they are too many, too long, or nothing to search by; nothing has started then', async () => {
    const orchestrator = await open({});
    const many = Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`a${i}`, i]));
    const asks: readonly (readonly [string, unknown])[] = [
      ['LIMIT_EXCEEDED', many],
      ['LIMIT_EXCEEDED', { text: 'x'.repeat(257) }],
      ['OPTION_INVALID', { size: Number.POSITIVE_INFINITY }],
      ['OPTION_INVALID', { size: 1n }],
      ['OPTION_INVALID', { size: null }],
      ['OPTION_INVALID', { size: undefined }],
      ['OPTION_INVALID', { tags: ['a'] }],
      ['OPTION_INVALID', 'north'],
      ['ID_INVALID', { '': 1 }],
      ['ID_INVALID', { 'a/b': 1 }],
    ];
    for (const [code, attributes] of asks)
      await expect(
        orchestrator.manageWorkflow(short, { attributes: attributes as never }),
        String(attributes),
      ).rejects.toThrow(expect.objectContaining({ code }));
    expect(orchestrator.runs()).toEqual([]);
    const given = { size: 1 };
    const run = await orchestrator.manageWorkflow(short, { attributes: given });
    given.size = 2;
    expect(run.attributes).toEqual({ size: 1 });
  });
});

describe('opening a store', () => {
  it('asks for the runs that have not ended, and reads no other', async () => {
    const inner = new DurableMemory();
    const first = await open({ store: inner, workflows: [short, long] });
    for (let i = 0; i < 50; i++) await (await first.manageWorkflow(short)).result();
    const { runId } = await first.manageWorkflow(long);
    await first.close({ grace: 0 });
    const counted = counting(inner);
    const second = await open({ store: counted.store, workflows: [short, long] });
    expect(ids(second.runs())).toEqual([runId]);
    expect(counted.listed).toEqual([1]);
    expect(counted.read).toEqual(new Set([`run:${runId}`]));
  });
});

interface Counted {
  readonly store: MemoryStore;
  /** How many streams each listing of runs gave. */
  readonly listed: number[];
  /** The streams of runs that were read. */
  readonly read: Set<string>;
}

function counting(store: DurableMemory): Counted {
  const counted: Counted = { store, listed: [], read: new Set() };
  const { list, read } = { list: store.list.bind(store), read: store.read.bind(store) };
  store.list = (request: ListRequest) => {
    const found = list(request);
    if (request.prefix.startsWith('run:')) counted.listed.push(found.length);
    return found;
  };
  store.read = (request) => {
    if (request.stream.startsWith('run:')) counted.read.add(request.stream);
    return read(request);
  };
  return counted;
}
