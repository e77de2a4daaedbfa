/** Checkpoints that are kept by themselves, on real stores: what is read when one is opened again, and what comes of it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  defineWorkflow,
  type EventStore,
  MemoryStore,
  Orchestrator,
  type OrchestratorOptions,
  type ReadRequest,
  type Run,
  type StoreCapabilities,
  task,
} from '@taskmaster-ai/orchestrator';
import { ScriptedStore, VirtualClock } from '@taskmaster-ai/orchestrator/testing';
import { afterAll, describe, expect, it, onTestFinished } from 'vitest';
import { nextTurn } from '../support/gate.ts';
import { unless } from '../support/sqlite.ts';
import { STORES } from '../support/stores-here.ts';

const folder = mkdtempSync(join(tmpdir(), 'auto-checkpoints-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let places = 0;

/** What is read of each stream, in records. */
class Reads {
  #records = new Map<string, number>();

  of(runId: string): number {
    return this.#records.get(`run:${runId}`) ?? 0;
  }

  clear(): void {
    this.#records.clear();
  }

  /** The same store, whose records are counted when they are read. */
  counting(store: EventStore, capabilities: StoreCapabilities = store.capabilities): EventStore {
    const read = async (request: ReadRequest) => {
      const records = await store.read(request);
      this.#records.set(request.stream, (this.#records.get(request.stream) ?? 0) + records.length);
      return records;
    };
    return new Proxy(store, {
      get(target, key) {
        if (key === 'read') return read;
        if (key === 'capabilities') return capabilities;
        const value: unknown = Reflect.get(target, key, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  }
}

const KINDS = [
  ...STORES.filter(({ name }) => name !== 'memory').map((kind) => ({ ...kind, capabilities: undefined })),
  {
    name: 'scripted',
    missing: undefined,
    open: scriptedAt(),
    capabilities: { durability: 'power' } as const,
  },
];

/** One store for each place, with answers that take a turn. */
function scriptedAt(): (place: string) => EventStore {
  const stores = new Map<string, MemoryStore>();
  return (place) => {
    const inner = stores.get(place) ?? new MemoryStore();
    stores.set(place, inner);
    return new ScriptedStore(inner, { appendDelay: 1, readDelay: 1 });
  };
}

async function open(store: EventStore, options: OrchestratorOptions = {}): Promise<Orchestrator> {
  const orchestrator = await Orchestrator.open({
    clock: new VirtualClock(),
    store,
    checkpoints: { everyEvents: 100 },
    ...options,
  });
  onTestFinished(() => orchestrator.close({ grace: 0 }));
  return orchestrator;
}

interface Bodies {
  /** How often the task that talks says something in each attempt, and how many of its attempts fail. */
  readonly says: number;
  readonly fails: number;
  readonly last: () => unknown;
  readonly more?: boolean;
  readonly calls?: string[];
}

/** `begin` → `talk`, which fails some attempts, → `last`; a later version has `more` besides. */
function talker({ says, fails, last, more = false, calls = [] }: Bodies) {
  const begin = task('begin', { run: () => calls.push('begin') });
  const talk = task('talk', {
    dependencies: { begin },
    retry: { maxAttempts: 9, delay: 10 },
    run: async ({ progress, attempt, clock }) => {
      calls.push('talk');
      for (let i = 0; i < says; i++) {
        progress({ attempt, i });
        if (i % 20 === 19) await clock.sleep(1);
      }
      if (attempt <= fails) throw new Error(`attempt ${attempt}`);
      return { attempt };
    },
  });
  const extra = task('more', { dependencies: { begin }, run: () => 'more' });
  const end = task('last', { dependencies: { talk }, run: last });
  return defineWorkflow('talker', { tasks: [begin, talk, end, ...(more ? [extra] : [])] });
}

/** Disks and the threads of stores take real time, and on a busy machine any number of turns. */
async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + 20_000;
  for (let turn = 0; !(await isSo()); turn++) {
    if (performance.now() > end) throw new Error('it never became so');
    if (turn < 1_000) await nextTurn();
    else await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

const statusOf = (run: Pick<Run, 'tasks'>, taskId: string): string | undefined =>
  run.tasks().find((one) => one.taskId === taskId)?.status;
const never = (): Promise<never> => new Promise(() => {});

describe.each(KINDS)(
  'a run with a long log, on the store: $name',
  ({ name, missing, open: at, capabilities }) => {
    const test = it.skipIf(missing !== undefined);
    const place = (): string => join(folder, `store-${places++}`);

    test(
      unless(
        missing,
        'given retries and a death, then it is read from its newest checkpoint, and ends as it would have',
      ),
      async () => {
        const [reads, where] = [new Reads(), place()];
        const first = await open(reads.counting(at(where), capabilities));
        const run = await first.manageWorkflow(talker({ says: 200, fails: 4, last: never }));
        await until(() => statusOf(run, 'last') === 'in_progress');
        await first.close({ grace: 0 });
        const whole = (await first.persistence.loadState(run.runId)).seq;
        const kept = await first.persistence.listCheckpoints(run.runId);
        expect(whole).toBeGreaterThan(1_000);
        expect(kept).toHaveLength(1);
        expect(kept[0]?.seq).toBeGreaterThan(whole - 300);

        reads.clear();
        const calls: string[] = [];
        const again = talker({ says: 0, fails: 0, last: () => 'done', calls });
        const second = await open(reads.counting(at(where), capabilities), { workflows: [again] });
        // The head, the record at the checkpoint, and what stands behind it.
        expect(reads.of(run.runId)).toBeLessThanOrEqual(2 + whole - (kept[0]?.seq ?? 0));
        const result = await second.getRun(run.runId).result();
        expect(result.outputs).toMatchObject({ talk: { attempt: 5 }, last: 'done' });
        expect(calls).toEqual([]);
        const { seq = 0, id = '' } = (await second.persistence.listCheckpoints(run.runId))[0] ?? {};
        const folded = await second.persistence.loadState(run.runId);
        const early = await second.persistence.loadState(run.runId, { seq });
        await second.persistence.removeCheckpoint(id);
        expect(await second.persistence.loadState(run.runId)).toEqual(folded);
        expect(await second.persistence.loadState(run.runId, { seq })).toEqual(early);
        await second.close();
      },
    );

    test(
      unless(missing, 'given a move, then the checkpoint of its later version is the one it is read from'),
      async () => {
        const [reads, where] = [new Reads(), place()];
        const first = await open(reads.counting(at(where), capabilities));
        const run = await first.manageWorkflow(talker({ says: 120, fails: 5, last: never }));
        await until(() => statusOf(run, 'talk') === 'in_progress');
        first.workflows.updateWorkflow('talker', talker({ says: 120, fails: 5, last: never, more: true }));
        await run.moveTo(2);
        await until(() => statusOf(run, 'last') === 'in_progress');
        await first.close({ grace: 0 });
        const moved = (await first.persistence.readAll(run.runId)).find(({ type }) => type === 'RunMoved');
        const kept = await first.persistence.listCheckpoints(run.runId);
        expect(kept).toHaveLength(1);
        expect(kept[0]?.seq).toBeGreaterThan(moved?.seq ?? Number.POSITIVE_INFINITY);

        reads.clear();
        const versions = [true, false].map((more) => talker({ says: 0, fails: 0, last: () => 'done', more }));
        const second = await open(reads.counting(at(where), capabilities), { workflows: versions });
        expect(reads.of(run.runId)).toBeLessThan(300);
        const found = second.getRun(run.runId);
        expect((await found.result()).outputs).toMatchObject({ last: 'done', more: 'more' });
        expect(found.workflowVersion).toBe(2);
        await second.close();
      },
    );

    test(
      unless(
        missing,
        'given a close while it talks, then what is kept is kept before the store is given back',
      ),
      async () => {
        const [where, told] = [place(), [] as unknown[]];
        const silent = (): void => {};
        const warn = (fields: object): void => {
          told.push(fields);
        };
        const logger = { debug: silent, info: silent, error: silent, warn };
        const first = await open(new Reads().counting(at(where), capabilities), { logger });
        const runs = await Promise.all(
          Array.from({ length: 8 }, () =>
            first.manageWorkflow(talker({ says: 300, fails: 0, last: () => 1 })),
          ),
        );
        await first.close();
        expect(told).toEqual([]);
        const kept = await Promise.all(runs.map(({ runId }) => first.persistence.listCheckpoints(runId)));
        expect(kept.flat().length).toBeGreaterThan(0);
        for (const { runId, seq } of kept.flat())
          expect(await first.persistence.loadState(runId, { seq }), name).toMatchObject({ seq });
        expect(told).toEqual([]);
      },
    );
  },
);
