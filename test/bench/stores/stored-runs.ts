/**
 * A store with many finished runs. What a run writes, append by append, is recorded once from the product itself; the
 * copies are appended through the port, a hundred runs at a time, as they would have been.
 */
import { createHash } from 'node:crypto';
import {
  defineWorkflow,
  type EventStore,
  MemoryStore,
  Orchestrator,
  task,
} from '@taskmaster-ai/orchestrator';
import { STEPS } from './lane.ts';

type Batch = Parameters<EventStore['append']>[0];
type Append = Batch[number];

/** A run that fails among so many that complete. */
export const FAILED_ONE_OF = 1_000;
export const TENANTS = 100;
export const WORKFLOWS = 10;
/** Of one finished run. */
export const EVENTS_PER_RUN = 3 + 2 * STEPS;
const AT_ONCE = 100;

export interface StoredFlow {
  readonly id: string;
  readonly workflow: ReturnType<typeof flowOf>;
}

export const FLOWS: readonly StoredFlow[] = Array.from({ length: WORKFLOWS }, (_, index) => ({
  id: `flow-${index}`,
  workflow: flowOf(`flow-${index}`),
}));

function flowOf(id: string) {
  return defineWorkflow(id, {
    tasks: Array.from({ length: STEPS }, (_, index) =>
      task(`step-${index}`, {
        dependencies: index === 0 ? [] : [`step-${index - 1}`],
        run: async ({ input }: { readonly input: unknown }) => {
          if (index === STEPS - 1 && input === 'fail') throw new Error('as it was told to');
          return { step: index, text: 'x'.repeat(40) };
        },
      }),
    ),
  });
}

/** Looks as random as the ids that the product gives, and is the same in every process. */
export function runIdOf(index: number): string {
  const digest = createHash('sha1').update(`run ${index}`).digest('hex');
  return [
    digest.slice(0, 8),
    digest.slice(8, 12),
    digest.slice(12, 16),
    digest.slice(16, 20),
    digest.slice(20, 32),
  ].join('-');
}

export function runsFor(events: number): number {
  return Math.ceil(events / EVENTS_PER_RUN);
}

/** Fills a store that is empty. @returns how many events it has now */
export async function fillStore(store: EventStore, events: number): Promise<number> {
  const templates = await Promise.all(
    FLOWS.map(async (flow) => ({ completed: await record(flow, 'ok'), failed: await record(flow, 'fail') })),
  );
  const epoch = await store.claim('builder');
  const runs = runsFor(events);
  let stored = 0;
  for (let from = 0; from < runs; from += AT_ONCE) {
    const wave = Array.from({ length: Math.min(AT_ONCE, runs - from) }, (_, i) => from + i).map((index) => {
      const { completed, failed } = templates[index % WORKFLOWS]!;
      return { index, template: index % FAILED_ONE_OF === FAILED_ONE_OF - 1 ? failed : completed };
    });
    const appends = Math.max(...wave.map(({ template }) => template.length));
    for (let step = 0; step < appends; step++) {
      const batch = wave.flatMap(({ index, template }) => {
        const append = template[step];
        return append === undefined ? [] : [copyFor(append, index, epoch)];
      });
      await store.append(batch);
      for (const append of batch) stored += append.events.length;
    }
  }
  await store.release('builder');
  return stored;
}

/** The appends of one run. */
async function record({ workflow }: StoredFlow, input: string): Promise<readonly Append[]> {
  const store = new MemoryStore();
  const appends: Append[] = [];
  const append = store.append.bind(store);
  store.append = (batch) => {
    appends.push(...batch);
    return append(batch);
  };
  const host = await Orchestrator.open({ store, workflows: [workflow] });
  const run = await host.manageWorkflow(workflow, { input, attributes: { tenant: '' } });
  await run.settled();
  await host.close();
  return appends.filter(({ stream }) => stream === `run:${run.runId}`);
}

function copyFor(append: Append, index: number, epoch: number): Append {
  const runId = runIdOf(index);
  const attributes = { tenant: tenantOf(index) };
  const { facts } = append;
  return {
    ...append,
    stream: `run:${runId}`,
    epoch,
    events: append.events.map((event) =>
      event.type === 'RunCreated' ? { ...event, runId, attributes } : { ...event, runId },
    ),
    facts: facts === undefined ? undefined : { ...facts, attributes },
  };
}

export function tenantOf(index: number): string {
  return `tenant-${index % TENANTS}`;
}
