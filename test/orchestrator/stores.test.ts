/** The same on every store: states, recovery, values, keys, forks. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  defineWorkflow,
  type EventStore,
  Orchestrator,
  type OrchestratorOptions,
  Reference,
  type Task,
  task,
  type Workflow,
} from '@taskmaster-ai/orchestrator';
import { VirtualClock } from '@taskmaster-ai/orchestrator/testing';
import { afterAll, describe, expect, it, onTestFinished } from 'vitest';
import { digestOf } from '../../src/base/digest.ts';
import { nextTurn } from '../support/gate.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { unless } from '../support/sqlite.ts';
import { STORES, type StoreKind } from '../support/stores-here.ts';

const folder = mkdtempSync(join(tmpdir(), 'stores-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let places = 0;
const freePlace = (): string => join(folder, `store-${places++}`);

async function open(store: EventStore, options: OrchestratorOptions = {}): Promise<Orchestrator> {
  const orchestrator = await Orchestrator.open({ clock: new VirtualClock(), store, ...options });
  onTestFinished(() => orchestrator.close({ grace: 0 }));
  return orchestrator;
}

/** Values that JSON alone would change. */
const OUTPUTS: readonly unknown[] = [
  undefined,
  null,
  -0,
  Number.NaN,
  10n ** 30n,
  'naïve 🙂 \u0000 \ud800',
  new Date(1_700_000_000_000),
  new Map<unknown, unknown>([['a', new Set([1, { deep: [undefined, 2] }])]]),
  new Uint8Array([0, 255, 7]),
  JSON.parse('{"__proto__":{"isAdmin":true},"constructor":1}'),
  new Error('told', { cause: new TypeError('why') }),
];

interface Made {
  readonly workflow: Workflow<unknown, unknown>;
  /** How often each body has run, over all that were made with the same counts. */
  readonly calls: Map<string, number>;
}

/** A workflow that a seed decides: its edges, needs, delays, failures. What a body does depends on its attempt alone. */
function made(seed: number, calls = new Map<string, number>(), hangAt?: string): Made {
  const random = seededRandom(seed);
  const pick = (n: number): number => Math.floor(random() * n);
  const tasks: Task<string, unknown, unknown>[] = [];
  for (let i = 0; i < 24; i++) {
    const taskId = `t${i}`;
    const before = [...new Set(Array.from({ length: i === 0 ? 0 : pick(3) }, () => pick(i)))];
    const failures = random() < 0.2 ? 1 + pick(2) : 0;
    const delay = pick(40);
    const output = OUTPUTS[pick(OUTPUTS.length)];
    const wantsLock = random() < 0.3;
    tasks.push(
      task(taskId, {
        dependencies: before.map((b) => `t${b}`),
        priority: pick(5),
        resourceRequirements: { cpu: 1 + pick(2) },
        ...(wantsLock ? { locks: ['shelf'] } : {}),
        retry: { maxAttempts: 2, delay: 10 },
        run: async ({ attempt, clock }) => {
          calls.set(taskId, (calls.get(taskId) ?? 0) + 1);
          if (taskId === hangAt) await new Promise(() => {});
          await clock.sleep(delay);
          if (attempt <= failures) throw new Error(`attempt ${attempt} of ${taskId}`);
          return output;
        },
      }),
    );
  }
  return { workflow: defineWorkflow('made', { tasks, failurePolicy: 'continue' }), calls };
}

/** What became of the tasks of a run, as its log says it. */
async function digest(host: Orchestrator, runId: string): Promise<string> {
  const { status, tasks } = await host.persistence.loadState(runId);
  return digestOf({
    status,
    tasks: tasks.map(({ path, status: ended, attempt, output, failure }) => ({
      ...{ path, ended, attempt, output },
      failure: failure?.message,
    })),
  });
}

async function play(kind: StoreKind, seed: number): Promise<string> {
  const host = await open(kind.open(freePlace()), { resources: { cpu: 3 } });
  const run = await host.manageWorkflow(made(seed).workflow);
  await run.settled();
  const found = await digest(host, run.runId);
  await host.close();
  return found;
}

const SEEDS = [1, 2, 3, 4, 5, 6];

describe.each(STORES)('$name', (kind) => {
  describe.skipIf(kind.missing !== undefined)(unless(kind.missing, 'as a store of runs'), () => {
    it.each(SEEDS)('leads to the state that the memory store leads to (I22), seed %i', async (seed) => {
      expect(await play(kind, seed)).toBe(await play(STORES[0] as StoreKind, seed));
    });

    it.each(SEEDS)(
      'goes on in another process with what was cut off, and runs nothing twice, seed %i',
      async (seed) => {
        const place = freePlace();
        const calls = new Map<string, number>();
        const hangAt = `t${seed % 4}`;
        const first = await open(kind.open(place), { resources: { cpu: 3 } });
        const run = await first.manageWorkflow(made(seed, calls, hangAt).workflow);
        for (let turn = 0; turn < 10_000 && !calls.has(hangAt); turn++) await nextTurn();
        await first.persistState();
        await first.close({ grace: 0 });
        const before = new Map(calls);
        const { workflow } = made(seed, calls);
        const second = await open(kind.open(place), { resources: { cpu: 3 }, workflows: [workflow] });
        const done = second
          .getRun(run.runId)
          .tasks()
          .filter(({ status }) => status === 'completed');
        await second.getRun(run.runId).settled();
        for (const { taskId } of done)
          expect([taskId, calls.get(taskId)]).toEqual([taskId, before.get(taskId)]);
        const reference = await open(STORES[0]?.open(freePlace()) as EventStore, { resources: { cpu: 3 } });
        const alike = await reference.manageWorkflow(made(seed).workflow);
        await alike.settled();
        expect(await digest(second, run.runId)).toBe(await digest(reference, alike.runId));
      },
    );

    it('starts one run under a key, whoever asks and in whatever process', async () => {
      const place = freePlace();
      const workflow = defineWorkflow('once', { tasks: [task('a', { run: () => 1 })] });
      const first = await open(kind.open(place));
      const runs = await Promise.all([1, 2, 3].map(() => first.manageWorkflow(workflow, { key: 'daily' })));
      await runs[0]?.result();
      await first.close();
      const second = await open(kind.open(place), { workflows: [workflow] });
      const again = await second.manageWorkflow(workflow, { key: 'daily' });
      expect(new Set([...runs, again].map(({ runId }) => runId)).size).toBe(1);
      expect((await again.result()).outputs).toEqual({ a: 1 });
    });

    it('keeps what is too large for the log beside it, and gives it to tasks of another process', async () => {
      const place = freePlace();
      const rows = new Map([['rows', Array.from({ length: 5_000 }, (_, i) => ({ i, at: new Date(i) }))]]);
      let isHeld = true;
      const define = () => {
        const make = task('make', { run: () => rows });
        const hold = task('hold', { run: () => (isHeld ? new Promise<void>(() => {}) : undefined) });
        const use = task('use', {
          dependencies: { make, hold },
          run: ({ dependencies }) => dependencies.make.get('rows')?.length,
        });
        return defineWorkflow('large', { tasks: [make, hold, use] });
      };
      const first = await open(kind.open(place), { inlineLimit: 10_000 });
      const { runId } = await first.manageWorkflow(define());
      await first.persistState();
      await first.close({ grace: 0 });
      isHeld = false;
      const second = await open(kind.open(place), { inlineLimit: 10_000, workflows: [define()] });
      const { outputs } = await second.getRun(runId).result();
      expect(outputs).toEqual({ make: rows, hold: undefined, use: 5_000 });
      const [record] = (await second.persistence.loadState(runId)).tasks;
      if (kind.name === 'memory') expect(record?.output).toEqual(rows);
      else {
        expect(record?.output).toBeInstanceOf(Reference);
        const loaded = await second.persistence.loadOutput(runId, record?.output as Reference);
        expect(loaded).toEqual(rows);
      }
    });
  });
});
